-- files and directories: stat, read_file, list, make_path, set_permissions, remove_tree and the like
local core = require "postmulti.core"

local function mode(octal) return tonumber(octal, 8) end

local is_root = core.effective_uid() == 0
local for_root = (is_root or os.getenv "CI") and it or pending

-- A test that cannot be done here: left out by hand, a failure where everything must be done.
local function skip(reason)
  if os.getenv "CI" then error(reason, 0) end
  return pending(reason)
end

describe("postmulti.core", function()
  local scratch, parent, base

  local function path(name) return scratch .. "/" .. name end

  local function write(name, text)
    local handle = assert(io.open(path(name), "w"))
    handle:write(text or "x")
    handle:close()
  end

  local function make(name, options) return assert(core.make_path(path(name), options)) end

  local function shell(command)
    local exit = assert(core.run({ "sh", "-ec", command }, { directory = scratch, stderr = "capture" }))
    assert.equal(0, exit.status, exit.stderr)
  end

  local function stat(name) return assert(core.stat(path(name), false)) end

  local function octal(name) return ("%04o"):format(stat(name).mode) end

  local function descriptors() return #assert(core.list("/proc/self/fd")) end

  local before

  before_each(function()
    scratch = os.tmpname()
    os.remove(scratch)
    if core.stat("/dev/shm") then scratch = scratch:gsub("^.*/", "/dev/shm/") end -- many small things, quickly
    parent, base = scratch:match("^(.*)/([^/]+)$")
    before = descriptors()
    assert.same({ scratch }, core.make_path(scratch))
  end)

  after_each(function()
    assert(core.remove_tree(parent, base))
    assert.equal(before, descriptors())
  end)

  describe("stat", function()
    it("tells what a thing is", function()
      write("file", "hello")
      shell("chmod 4640 file; ln file other; touch -d @1000000000.5 file; ln -s file link; mkfifo fifo; mkdir dir")
      local got = core.stat(path "file")
      assert.equal("file", got.type)
      assert.equal(mode "4640", got.mode)
      assert.equal(5, got.size)
      assert.equal(2, got.links)
      assert.equal(core.effective_uid(), got.uid)
      assert.equal(1000000000.5, got.mtime)
      assert.equal(core.stat(path "other").inode, got.inode)
      assert.equal(core.stat(scratch).device, got.device)
      assert.equal("file", core.stat(path "link").type)
      assert.equal("file", core.stat(path "link", true).type)
      assert.equal("link", core.stat(path "link", false).type)
      assert.equal("fifo", core.stat(path "fifo").type)
      assert.equal("directory", core.stat(path "dir").type)
      assert.equal("character", core.stat("/dev/null").type)
    end)

    it("reports failures", function()
      assert.same({ nil, path "none" .. ": No such file or directory", 2 }, { core.stat(path "none") })
    end)
  end)

  describe("read_file", function()
    it("reads everything", function()
      local text = ("line\0\n"):rep(50000)
      write("file", text)
      assert.is_true(core.read_file(path "file") == text)
      write("empty", "")
      assert.equal("", core.read_file(path "empty"))
      assert.is_true(#core.read_file("/proc/self/status") > 0)
    end)

    it("refuses what is no regular file, without waiting", function()
      shell("mkfifo fifo; truncate -s 65M large")
      assert.same({ nil, path "fifo" .. ": not a regular file", 0 }, { core.read_file(path "fifo") })
      assert.same({ nil, scratch .. ": Is a directory", 21 }, { core.read_file(scratch) })
      assert.same({ nil, path "large" .. ": larger than 64 MB", 27 }, { core.read_file(path "large") })
      assert.same({ nil, "/dev/null: not a regular file", 0 }, { core.read_file("/dev/null") })
      assert.same({ nil, path "none" .. ": No such file or directory", 2 }, { core.read_file(path "none") })
    end)
  end)

  describe("list", function()
    it("sorts by byte", function()
      shell("touch b a B .h 'with blank'; mkdir d; ln -s nowhere l")
      assert.same({
        { name = ".h", type = "file" }, { name = "B", type = "file" }, { name = "a", type = "file" },
        { name = "b", type = "file" }, { name = "d", type = "directory" }, { name = "l", type = "link" },
        { name = "with blank", type = "file" } }, core.list(scratch))
      assert.same({}, core.list(path "d"))
    end)

    it("takes many", function()
      shell("seq -f %05.0f 1 1500 | xargs touch")
      local got = core.list(scratch)
      assert.equal(1500, #got)
      assert.equal("00001", got[1].name)
      assert.equal("01500", got[1500].name)
    end)

    it("reports failures", function()
      write("file")
      assert.same({ nil, path "file" .. ": Not a directory", 20 }, { core.list(path "file") })
      assert.same({ nil, path "none" .. ": No such file or directory", 2 }, { core.list(path "none") })
    end)
  end)

  describe("real_path", function()
    it("resolves links and dots", function()
      shell("mkdir -p a/b; ln -s a/b l; ln -s loop loop")
      assert.equal(path "a/b", core.real_path(path "l/../b/./"))
      assert.same({ nil, path "loop" .. ": Too many levels of symbolic links", 40 }, { core.real_path(path "loop") })
      assert.same({ nil, path "none" .. ": No such file or directory", 2 }, { core.real_path(path "none") })
    end)
  end)

  describe("make_path", function()
    it("makes what is missing and says what", function()
      local old = core.umask(mode "077")
      finally(function() core.umask(old) end)
      assert.same({ path "a", path "a/b", path "a/b/c" },
        make("./a//b/./c/.", { mode = mode "2751", parents_mode = mode "711" }))
      assert.same({ "0711", "0711", "2751" }, { octal "a", octal "a/b", octal "a/b/c" })
      assert.same({}, make("a/b/c", { mode = mode "700" }))
      assert.equal("2751", octal "a/b/c")
    end)

    for_root("gives the last one its owner", function()
      make("a/b", { uid = 1, gid = 2 })
      assert.equal(0, stat("a").uid)
      assert.equal(1, stat("a/b").uid)
      assert.equal(2, stat("a/b").gid)
    end)

    it("keeps an inherited set-gid bit", function()
      shell("mkdir s; chmod 2755 s")
      make("s/x", { mode = mode "700" })
      assert.equal("2700", octal "s/x")
    end)

    it("follows links on the way", function()
      shell("mkdir real; ln -s real link")
      assert.same({ path "link/x" }, make "link/x")
      assert.equal("directory", stat("real/x").type)
    end)

    it("goes as deep as a path can", function()
      local name = ("d/"):rep(100)
      assert.equal(100, #make(name))
      local got, _, errno = core.make_path(path(name .. name .. name))
      assert.is_nil(got)
      assert.equal(36, errno)
      assert.same({}, core.list(path(name)))
    end)

    it("refuses what is in the way", function()
      write("file")
      shell("ln -s nowhere dangling")
      assert.same({ nil, path "file" .. ": Not a directory", 20 }, { core.make_path(path "file") })
      assert.same({ nil, path "file" .. ": Not a directory", 20 }, { core.make_path(path "file/x/y") })
      assert.same({ nil, path "dangling" .. ": No such file or directory", 2 }, { core.make_path(path "dangling") })
      local _, reason, errno = core.make_path(path("a/b/" .. ("n"):rep(300)))
      assert.equal(36, errno)
      assert.matches("File name too long$", reason)
      assert.is_nil((core.stat(path "a"))) -- undone
    end)
  end)

  describe("set_permissions", function()
    local function set(name, options)
      options.type = options.type or "directory"
      return core.set_permissions(scratch, name, options)
    end

    it("writes only what differs", function()
      shell("mkdir d; chmod 700 d")
      assert.equal("unchanged", set("d", { mode = mode "700", uid = core.effective_uid() }))
      assert.equal("unchanged", set("d", {}))
      assert.equal("changed", set("d", { mode = mode "750" }))
      assert.equal("0750", octal "d")
    end)

    it("keeps the set-id bits of directories, not of files", function()
      write("f")
      shell("mkdir d; chmod 7755 d; chmod 6755 f")
      assert.equal("changed", set("d", { mode = mode "700" }))
      assert.equal("6700", octal "d")
      assert.equal("unchanged", set("d", { mode = mode "700" }))
      assert.equal("changed", set("f", { type = "file", mode = mode "644" }))
      assert.equal("0644", octal "f")
    end)

    it("makes a directory, one level", function()
      assert.equal("created", set("d", { create = true, mode = mode "730" }))
      assert.equal("0730", octal "d")
      assert.equal("unchanged", set("./d/", { create = true, mode = mode "730" }))
      assert.same({ nil, path "x/y" .. ": No such file or directory", 2 },
        { set("x/y", { create = true, mode = mode "700" }) })
      assert.same({ nil, path "x" .. ": No such file or directory", 2 }, { set("x", { mode = mode "700" }) })
    end)

    it("follows a link that is the base, none below it", function()
      write("f")
      shell("mkdir d; chmod 755 d; ln -s d l; ln -s f lf; mkdir d/sub; ln -s ../d d/back")
      assert.equal("changed", core.set_permissions(path "l", nil, { type = "directory", mode = mode "700" }))
      assert.equal("0700", octal "d")
      assert.equal("changed", core.set_permissions(path "lf", nil, { type = "file", mode = mode "600" }))
      assert.equal("changed", core.set_permissions(path "l", "sub", { type = "directory", mode = mode "700" }))
      local reason = ": a symbolic link, which is not followed"
      assert.same({ nil, path "l" .. reason, 40 }, { set("l", { mode = mode "711" }) })
      assert.same({ nil, path "l/sub" .. reason, 40 }, { set("l/sub", { mode = mode "711" }) })
      assert.same({ nil, path "lf" .. reason, 40 }, { set("lf", { type = "file", mode = mode "611" }) })
      assert.same({ nil, path "d/back/sub" .. reason, 40 }, { set("d/back/sub", { mode = mode "711" }) })
    end)

    it("refuses another kind of thing", function()
      write("f")
      shell("mkfifo fifo; mkdir d")
      assert.same({ nil, path "f" .. ": Not a directory", 20 }, { set("f", { create = true }) })
      assert.same({ nil, path "fifo" .. ": not a regular file", 0 }, { set("fifo", { type = "file", mode = 0 }) })
      assert.same({ nil, path "d" .. ": not a regular file", 0 }, { set("d", { type = "file", mode = 0 }) })
    end)

    for_root("goes down without following links", function()
      shell([[mkdir -p out tree/a/b; touch out/f tree/a/f tree/g; mkfifo tree/a/p; chmod 600 tree/g tree/a/f
        ln -s ../out tree/link; ln -s ../../out/f tree/a/filelink; chmod 755 out tree tree/a tree/a/b]])
      local want = { uid = 1, gid = 1, mode = mode "700", recursive = true }
      assert.equal("changed", set("tree", want))
      for _, name in ipairs { "tree", "tree/a", "tree/a/b", "tree/a/f", "tree/g", "tree/link", "tree/a/filelink",
        "tree/a/p" } do
        assert.equal(1, stat(name).uid, name)
        assert.equal(1, stat(name).gid, name)
      end
      assert.same({ "0700", "0700", "0700" }, { octal "tree", octal "tree/a", octal "tree/a/b" })
      assert.same({ "0600", "0600" }, { octal "tree/a/f", octal "tree/g" })
      assert.same({ 0, 0, "0755" }, { stat("out").uid, stat("out/f").uid, octal "out" })
      assert.equal("unchanged", set("tree", want))
      shell("chown 0 tree/a/b; touch tree/a/b/new")
      assert.equal("changed", set("tree", want))
      assert.equal(1, stat("tree/a/b/new").uid)
    end)

    for_root("does not give away a file with several links", function()
      shell("mkdir tree; touch precious; ln precious tree/mine; chmod 777 tree")
      local reason = ": has several hard links and lies in a directory that others can write; owner left as it is"
      assert.same({ nil, path "tree/mine" .. reason, 1 }, { set("tree", { uid = 1, recursive = true }) })
      assert.same({ nil, path "tree/mine" .. reason, 1 }, { set("tree/mine", { type = "file", uid = 1 }) })
      assert.equal(0, stat("precious").uid)
      shell("chmod 755 tree; chown 0 tree")
      assert.equal("changed", set("tree/mine", { type = "file", uid = 1 })) -- nobody else could have put it there
    end)
  end)

  describe("mount points", function()
    for_root("are not crossed, but counted", function()
      local chunk = ([[
        package.cpath = %q
        local core = require "postmulti.core"
        print(core.remove_tree(%q, "tree"))
        print(core.set_permissions(%q, "tree", { type = "directory", uid = 1, recursive = true }))
        print(core.set_permissions(%q, "tree/mnt/in", { type = "directory", uid = 1 }))
        print(core.count_files(%q, "tree"))
      ]]):format(package.cpath, scratch, scratch, scratch, scratch)
      local exit = assert(core.run({ "unshare", "--mount", "sh", "-ec", [[
        cd "$2"; mkdir -p tree/mnt tree/other
        mount -t tmpfs none tree/mnt || exit 99
        mkdir tree/mnt/in; touch tree/mnt/in/f
        cd "$OLDPWD"; lua5.4 -e "$1"; umount "$2/tree/mnt"]], "sh", chunk, scratch },
        { stdout = "capture", stderr = "null" }))
      if exit.status == 99 then return skip("no private mount namespace here") end
      assert.equal(0, exit.status)
      local refused = "nil\t" .. path "tree/mnt" .. "%s: a mount point, which is not crossed\t18\n"
      assert.equal(refused:format("") .. refused:format("") .. refused:format("/in") .. "1\n", exit.stdout)
      assert.is_nil((core.stat(path "tree/other"))) -- what could be removed was
    end)
  end)

  describe("count_files", function()
    it("counts at any depth, regular files only", function()
      shell("mkdir -p q/a/b q/c; touch q/1 q/a/2 q/a/b/3; mkfifo q/p; ln -s ../q q/c/l; ln -s q link; touch f")
      assert.equal(3, core.count_files(scratch, "q"))
      assert.equal(1, core.count_files(scratch, "q/a/b"))
      assert.equal(0, core.count_files(scratch, "none"))
      assert.equal(0, core.count_files(path "none", "q"))
      assert.same({ nil, path "link" .. ": a symbolic link, which is not followed", 40 },
        { core.count_files(scratch, "link") })
      assert.same({ nil, path "f" .. ": Not a directory", 20 }, { core.count_files(scratch, "f") })
    end)
  end)

  describe("unlink and rmdir", function()
    it("remove one thing", function()
      write("f")
      shell("mkdir d full; touch full/x; ln -s f l; mkfifo p")
      assert.is_true(core.unlink(path "l"))
      assert.equal("file", stat("f").type)
      assert.is_true(core.unlink(path "f"))
      assert.is_true(core.unlink(path "p"))
      assert.is_true(core.rmdir(path "d"))
      assert.same({ nil, path "f" .. ": No such file or directory", 2 }, { core.unlink(path "f") })
      assert.same({ nil, path "full" .. ": Is a directory", 21 }, { core.unlink(path "full") })
      assert.same({ nil, path "full" .. ": Directory not empty", 39 }, { core.rmdir(path "full") })
      assert.same({ nil, path "full/x" .. ": Not a directory", 20 }, { core.rmdir(path "full/x") })
    end)
  end)

  describe("remove_tree", function()
    it("removes everything and no more", function()
      shell("mkdir -p t/a/b out; touch out/f t/1 t/a/2 t/a/b/3; mkfifo t/p; ln -s ../out t/l; ln -s ../../out/f t/a/l")
      assert.equal(9, core.remove_tree(scratch, "t"))
      assert.same({ { name = "out", type = "directory" } }, core.list(scratch))
      assert.equal(1, core.count_files(scratch, "out"))
      assert.same({ nil, path "t" .. ": No such file or directory", 2 }, { core.remove_tree(scratch, "t") })
    end)

    it("removes a link itself, and a single file", function()
      shell("mkdir out; touch out/f f; ln -s out l")
      assert.equal(1, core.remove_tree(scratch, "l"))
      assert.equal(1, core.remove_tree(scratch, "f"))
      assert.equal(1, core.count_files(scratch, "out"))
    end)

    it("does not follow a link on the way", function()
      shell("mkdir -p out/d; ln -s out l")
      assert.same({ nil, path "l/d" .. ": a symbolic link, which is not followed", 40 },
        { core.remove_tree(scratch, "l/d") })
      assert.equal("directory", stat("out/d").type)
    end)

    it("keeps what it is asked to keep", function()
      shell("mkdir -p t/a/b t/c/d t/e; touch t/a/b/keep t/a/b/go t/c/d/x t/e/y")
      local asked = {}
      assert.equal(3, core.remove_tree(scratch, "t", { keep = function(name, type)
        asked[#asked + 1] = type .. " " .. name
        return name == "a/b/keep" or name == "c"
      end }))
      table.sort(asked)
      assert.same({ "directory a", "directory a/b", "directory c", "directory e", "file a/b/go", "file a/b/keep",
        "file e/y" }, asked)
      assert.equal(2, core.count_files(scratch, "t"))
      assert.equal("file", stat("t/c/d/x").type)
      assert.is_nil((core.stat(path "t/e")))
    end)

    it("passes an error of keep on", function()
      shell("mkdir t; touch t/f")
      local object = {}
      local ok, err = pcall(core.remove_tree, scratch, "t", { keep = function() error(object) end })
      assert.is_false(ok)
      assert.equal(object, err)
      assert.equal("file", stat("t/f").type)
    end)

    it("survives a directory that is swapped for a link", function()
      shell("mkdir -p t/a t/b out; touch out/precious t/a/x t/b/y")
      local swapped
      local removed = core.remove_tree(scratch, "t", { keep = function(name, type)
        if type == "directory" and not swapped then -- after it was seen, before it is entered
          swapped = name
          shell(("mv t/%s away; ln -s ../out t/%s"):format(name, name))
        end
        return false
      end })
      assert.equal(4, removed) -- the link, the other directory, its file, and the tree
      assert.equal("file", stat("out/precious").type)
    end)

    it("stops where a directory is moved away while it works in it", function()
      shell("mkdir -p t/a out; touch out/precious t/a/x")
      local got, reason = core.remove_tree(scratch, "t", { keep = function(name)
        if name == "a/x" then shell("mv t/a out/a") end
        return false
      end })
      assert.is_nil(got)
      assert.equal(path "t/a" .. ": the directory was moved while it was worked on", reason)
      assert.equal("file", stat("out/precious").type)
    end)

    it("removes what comes while it works", function()
      shell("mkdir -p t/a; touch t/a/x")
      local done
      assert.equal(4, core.remove_tree(scratch, "t", { keep = function(name)
        if name == "a/x" and not done then
          done = true
          shell("touch t/a/late")
        end
        return false
      end }))
      assert.is_nil((core.stat(path "t")))
    end)

    it("names the first thing that cannot be removed, and goes on", function()
      if not is_root then return skip("needs root") end
      shell("mkdir -p t/a t/b; touch t/a/fixed t/b/x")
      local exit = assert(core.run({ "chattr", "+i", path "t/a/fixed" }, { stderr = "null" }))
      if exit.status ~= 0 then return skip("no immutable files here") end
      local got, reason, errno = core.remove_tree(scratch, "t")
      shell("chattr -i t/a/fixed")
      assert.same({ nil, path "t/a/fixed" .. ": Operation not permitted", 1 }, { got, reason, errno })
      assert.is_nil((core.stat(path "t/b")))
    end)

    it("goes 5000 levels down, as the other tree functions do", function()
      -- each half is made within the longest path there is, then put below the other
      for part = 1, 5 do make(("p%d/"):format(part)) end
      shell([[perl -e 'for $p (1..5) { chdir "p$p"; for (1..1000) { mkdir "d" or die; chdir "d" or die }
        open(F, ">f"); close F; mkdir "last"; chdir $ARGV[0] or die }' "$PWD"]])
      shell([[for p in 4 3 2 1; do perl -e 'chdir $ARGV[0]; for (1..1000) { chdir "d" or die }
        rename("$ARGV[2]/$ARGV[1]", "next") or die $!' p$p p$((p + 1)) "$PWD"; done]])
      assert.equal(5, core.count_files(scratch, "p1"))
      assert.equal("changed", core.set_permissions(scratch, "p1",
        { type = "directory", recursive = true, mode = mode "711" }))
      assert.equal("unchanged", core.set_permissions(scratch, "p1",
        { type = "directory", recursive = true, mode = mode "711" }))
      assert.equal(5005 + 5 + 5, core.remove_tree(scratch, "p1"))
    end)
  end)

  describe("sync", function()
    it("takes directories and files", function()
      write("f")
      assert.is_true(core.sync(scratch))
      assert.is_true(core.sync(path "f"))
      assert.same({ nil, path "none" .. ": No such file or directory", 2 }, { core.sync(path "none") })
    end)

    it("takes many at once, and passes over what is gone", function()
      local list = { scratch, path "none" }
      for index = 1, 40 do
        write("s" .. index)
        list[#list + 1] = path("s" .. index)
      end
      assert.is_true(core.sync(list))
      assert.is_true(core.sync {})
    end)

    it("names the first of many that cannot be synced", function()
      local list = { scratch }
      for index = 1, 12 do
        list[#list + 1] = path("f/" .. index) -- below a file
      end
      write("f")
      assert.same({ nil, path "f/1" .. ": Not a directory", 20 }, { core.sync(list) })
    end)
  end)

  describe("rename", function()
    it("renames, and names both when it cannot", function()
      write("from", "text")
      assert.is_true(core.rename(path "from", path "to"))
      assert.equal("text", core.read_file(path "to"))
      assert.same({ nil, ("%s: cannot be renamed to %s: No such file or directory"):format(path "from", path "to"), 2 },
        { core.rename(path "from", path "to") })
    end)
  end)

  describe("append_file", function()
    it("makes the file, and tells where the text begins", function()
      assert.equal(0, core.append_file(path "log", "one\n"))
      assert.equal(4, core.append_file(path "log", "two\n", { sync_later = true }))
      assert.equal("one\ntwo\n", core.read_file(path "log"))
      assert.equal(mode "600", core.stat(path "log").mode)
    end)

    it("follows no link and writes to no fifo", function()
      write("victim", "text")
      shell "ln -s victim log2; mkfifo fifo"
      assert.equal(40, select(3, core.append_file(path "log2", "more")))
      assert.equal("text", core.read_file(path "victim"))
      assert.is_nil((core.append_file(path "fifo", "more")))
      assert.equal(2, select(3, core.append_file(path "none/log", "more")))
    end)

    it("leaves nothing of a text for which there is no room", function()
      assert.equal(0, core.append_file(path "log3", ("x"):rep(1000)))
      local script = ("ulimit -f 1; trap '' XFSZ; exec lua5.4 -e '%s' 2>&1"):format(
        ([[local core = require "postmulti.core"; print(core.append_file("%s", ("y"):rep(4000)))]]):format(path "log3"))
      local exit = core.run({ "sh", "-c", script }, { stdout = "capture" })
      assert.matches("File too large", exit.stdout)
      assert.equal(("x"):rep(1000), core.read_file(path "log3"))
    end)
  end)

  describe("checksum", function()
    it("is that of the FNV-1a test vectors", function()
      assert.equal("cbf29ce484222325", core.checksum "")
      assert.equal("af63dc4c8601ec8c", core.checksum "a")
      assert.equal("85944171f73967e8", core.checksum "foobar")
    end)
  end)

  describe("this process", function()
    it("knows itself", function()
      local exit = core.run({ "sh", "-c", "id -u; pwd -P; uname -n" }, { stdout = "capture" })
      assert.equal(("%d\n%s\n%s\n"):format(core.effective_uid(), core.working_directory(), core.hostname()),
        exit.stdout)
      local old = core.umask(mode "027")
      assert.equal(mode "027", core.umask(old))
    end)
  end)

  describe("wrong use", function()
    local function refuses(name, ...)
      assert.is_false((pcall(core[name], ...)), name)
    end

    it("raises", function()
      for _, name in ipairs { "stat", "read_file", "list", "real_path", "make_path", "unlink", "rmdir" } do
        for _, bad in ipairs { "", "a\0b", 1, true, {} } do refuses(name, bad) end
        refuses(name)
      end
      for _, bad in ipairs { "", "a\0b", 1, true, { 1 } } do
        refuses("sync", bad)
        refuses("append_file", bad, "")
        refuses("rename", bad, path "x")
        refuses("rename", path "x", bad)
      end
      for _, name in ipairs { "count_files", "remove_tree" } do
        for _, bad in ipairs { "", "/", "/etc", "..", "a/..", "../a", ".", "./", "a\0b", 1, {} } do
          refuses(name, scratch, bad)
          refuses("set_permissions", scratch, bad, { type = "directory" })
        end
        refuses(name, scratch)
        refuses(name)
        refuses(name, nil, "a")
      end
      refuses("stat", scratch, 1)
      refuses("make_path", "relative")
      refuses("make_path", scratch, 1)
      for _, options in ipairs { { mode = -1 }, { mode = 8 ^ 4 }, { mode = "755" }, { mode = 0.5 }, { uid = -1 },
        { uid = 1 << 32 }, { gid = "root" }, { parents_mode = {} } } do
        refuses("make_path", scratch, options)
      end
      refuses("set_permissions", scratch, nil)
      refuses("set_permissions", scratch, nil, {})
      refuses("set_permissions", scratch, nil, { type = "link" })
      refuses("set_permissions", scratch, nil, { type = "directory", create = true })
      refuses("set_permissions", scratch, "a", { type = "file", create = true })
      refuses("set_permissions", scratch, "a", { type = "file", recursive = true })
      refuses("set_permissions", scratch, "a", { type = "directory", recursive = 1 })
      refuses("set_permissions", scratch, "a", { type = "directory", mode = 8 ^ 5 })
      refuses("remove_tree", scratch, "a", { keep = "x" })
      refuses("remove_tree", scratch, "a", "x")
      refuses("umask")
      refuses("umask", -1)
      refuses("umask", 512)
    end)
  end)
end)
