local core = require "postmulti.core"

local directory, path

local function shell(format, ...)
  local pipe = assert(io.popen(format:format(...) .. " 2>&1", "r"))
  local output = pipe:read "a"
  pipe:close()
  return (output:gsub("\n$", ""))
end

local function write(target, text)
  local file = assert(io.open(target, "wb"))
  assert(file:write(text))
  assert(file:close())
end

local function read(target)
  local file = io.open(target, "rb")
  if not file then return nil end
  local text = file:read "a"
  file:close()
  return text
end

local function octal(digits) return tonumber(digits, 8) end

local function names() return shell("ls -A %s | tr '\\n' ' '", directory) end

local is_root = shell "id -u" == "0"

---A process that holds a lock on a file until its standard input is closed, and the process's number.
local function hold(target, mode)
  local marker = directory .. "/held"
  local command = ("flock -%s -n -F %s sh -c 'echo $$ >%s; exec cat >/dev/null'"):format(mode or "x", target, marker)
  local pipe = assert(io.popen(command, "w"))
  local pid
  repeat pid = (read(marker) or ""):match "^(%d+)\n" until pid
  os.remove(marker)
  return pipe, math.tointeger(tonumber(pid))
end

before_each(function()
  directory = shell "mktemp -d"
  path = directory .. "/main.cf"
end)

after_each(function() os.execute("chmod -R u+rwx " .. directory .. "; rm -rf " .. directory) end)

describe("edit", function()
  it("gives the text under the lock and installs another", function()
    write(path, "a = 1\n")
    local edit = assert(core.edit(path))
    assert.equal("a = 1\n", edit.text)
    assert.equal(path, edit.path)
    assert.equal("main.cf main.cf.tmp ", names())
    assert.equal("600", shell("stat -c %%a %s.tmp", path))
    assert.equal("changed", edit:commit "a = 2\n")
    assert.equal("a = 2\n", read(path))
    assert.equal("main.cf ", names())
    assert.equal("a = 1\n", edit.text)
  end)

  it("keeps bytes of any kind, and any length", function()
    local text = ("\0\255\n"):rep(400000)
    write(path, "")
    assert.equal("changed", assert(core.edit(path)):commit(text))
    assert.equal(text, read(path))
    assert.equal("changed", assert(core.edit(path)):commit "")
    assert.equal("", read(path))
  end)

  it("writes nothing when the text is the same", function()
    write(path, "a = 1\n")
    local before = shell("stat -c '%%i %%y %%z' %s", path)
    assert.equal("unchanged", assert(core.edit(path)):commit "a = 1\n")
    assert.equal(before, shell("stat -c '%%i %%y %%z' %s", path))
    assert.equal("main.cf ", names())
  end)

  it("rolls back, by hand, at the end of a block, and when forgotten", function()
    write(path, "a = 1\n")
    local edit = assert(core.edit(path))
    edit:rollback()
    edit:rollback()
    assert.equal("main.cf ", names())
    do
      local _ <close> = assert(core.edit(path))
      assert.equal("main.cf main.cf.tmp ", names())
    end
    assert.equal("main.cf ", names())
    core.edit(path) -- luacheck: ignore
    collectgarbage()
    collectgarbage()
    assert.equal("main.cf ", names())
    assert.equal("a = 1\n", read(path))
  end)

  it("ends with the commit", function()
    write(path, "a = 1\n")
    local edit = assert(core.edit(path))
    assert.equal("changed", edit:commit "a = 2\n")
    local outcome, reason, errno = edit:commit "a = 3\n"
    assert.is_nil(outcome)
    assert.is_string(reason)
    assert.equal(9, errno)
    edit:rollback()
    assert.equal("a = 2\n", read(path))
  end)

  it("keeps mode, owner, group, ACL and extended attributes", function()
    write(path, "a = 1\n")
    os.execute("chmod 2640 " .. path)
    if is_root then os.execute("chown 1:12 " .. path .. " && chmod 2640 " .. path) end
    shell("setfacl -m u:5:rw %s; setfattr -n user.note -v kept %s", path, path)
    local show = "stat -c '%%a %%u %%g' %s; getfacl -cp %s; getfattr -d %s"
    local before = shell(show, path, path, path)
    assert.equal("changed", assert(core.edit(path)):commit "a = 2\n")
    assert.equal(before, shell(show, path, path, path))
  end)

  it("does not give a file the default ACL of its directory", function()
    write(path, "a = 1\n")
    shell("setfacl -d -m u:5:rwx %s", directory)
    assert.equal("changed", assert(core.edit(path)):commit "a = 2\n")
    assert.not_matches("user:[^:]", shell("getfacl -cp %s", path))
  end)

  it("refuses what is no regular file, and leaves nothing", function()
    local function refused(target, code)
      local edit, reason, errno = core.edit(target, { timeout = 0 })
      assert.is_nil(edit)
      assert.equal(target, reason:sub(1, #target))
      assert.equal(code, errno)
    end
    refused(path, 2)
    refused(path .. "/below/it", 2)
    refused(directory .. "/", 21)
    refused(directory .. "/..", 21)
    os.execute("mkfifo " .. path)
    refused(path, 0)
    os.execute(("rm %s; ln -s main.cf %s"):format(path, path))
    refused(path, 40)
    os.execute(("rm %s; ln -s nowhere %s"):format(path, path))
    refused(path, 2)
    assert.equal("main.cf ", names())
    os.execute(("rm %s; mkdir %s"):format(path, path))
    refused(path, 0)
    assert.equal("main.cf ", names())
  end)

  it("says that a directory is in the way", function()
    write(path, "a = 1\n")
    os.execute(("mkdir %s.tmp"):format(path))
    local edit, reason, errno = core.edit(path)
    assert.is_nil(edit)
    assert.matches("main%.cf%.tmp: is a directory in the way", reason)
    assert.equal(21, errno)
  end)

  describe("through a symbolic link", function()
    local link

    before_each(function()
      write(path, "a = 1\n")
      os.execute("mkdir " .. directory .. "/sub")
      link = directory .. "/sub/main.cf"
      os.execute(("ln -s ../hop %s; ln -s %s %s/hop"):format(link, path, directory))
    end)

    it("edits the target beside itself and keeps every link", function()
      local edit = assert(core.edit(link))
      assert.equal(path, edit.path)
      assert.equal("changed", edit:commit "a = 2\n")
      assert.equal("a = 2\n", read(path))
      assert.equal("../hop", shell("readlink %s", link))
      assert.equal(path, shell("readlink %s/hop", directory))
      assert.equal("hop main.cf sub ", names())
      assert.equal("main.cf", shell("ls -A %s/sub", directory))
    end)

    it("excludes those who edit by either name", function()
      local edit = assert(core.edit(link))
      for _, name in ipairs { link, path, directory .. "/hop" } do
        local other, _, errno = core.edit(name, { timeout = 0 })
        assert.is_nil(other)
        assert.equal(11, errno)
      end
      edit:rollback()
      assert.equal("hop main.cf sub ", names())
      assert.equal("main.cf", shell("ls -A %s/sub", directory))
    end)

    it("leaves no lock of a link when a later one is held", function()
      local other = assert(core.edit(path))
      assert.is_nil((core.edit(link, { timeout = 0 })))
      assert.equal("main.cf", shell("ls -A %s/sub", directory))
      other:rollback()
    end)

    it("does not empty a target that has the name of the link's temporary file", function()
      os.execute(("chmod 600 %s; mv %s %s/x.tmp; ln -s x.tmp %s/x"):format(path, path, directory, directory))
      local edit, reason = core.edit(directory .. "/x")
      assert.is_nil(edit)
      assert.matches("another name", reason)
      assert.equal("a = 1\n", read(directory .. "/x.tmp"))
    end)
  end)

  describe("with something at PATH.tmp", function()
    before_each(function() write(path, "a = 1\n") end)

    local function succeeds()
      assert.equal("changed", assert(core.edit(path)):commit "a = 2\n")
      assert.equal("a = 2\n", read(path))
    end

    it("takes over what a killed run left", function()
      write(path .. ".tmp", "half")
      os.execute(("chmod 600 %s.tmp; setfattr -n user.old -v x %s.tmp"):format(path, path))
      succeeds()
      assert.equal("main.cf ", names())
      assert.not_matches("user.old", shell("getfattr -d %s", path))
    end)

    it("does not trust another mode", function()
      write(path .. ".tmp", "half")
      os.execute(("chmod 644 %s.tmp"):format(path))
      succeeds()
    end)

    it("does not write through a link", function()
      write(directory .. "/victim", "precious")
      os.execute(("chmod 600 %s/victim; ln -s victim %s.tmp"):format(directory, path))
      succeeds()
      assert.equal("precious", read(directory .. "/victim"))
      assert.equal("regular file", shell("stat -c %%F %s", path))
      os.execute(("ln %s/victim %s.tmp"):format(directory, path))
      assert.equal("changed", assert(core.edit(path)):commit "a = 3\n")
      assert.equal("precious", read(directory .. "/victim"))
    end)

    it("removes a fifo", function()
      os.execute(("mkfifo -m 600 %s.tmp"):format(path))
      succeeds()
    end)

    if is_root then
      it("does not trust another owner", function()
        write(path .. ".tmp", "half")
        os.execute(("chmod 600 %s.tmp; chown 1 %s.tmp"):format(path, path))
        local edit = assert(core.edit(path))
        assert.equal("0", shell("stat -c %%u %s.tmp", path))
        edit:rollback()
      end)
    end
  end)

  it("waits for the lock no longer than it may, and names the holder", function()
    write(path, "a = 1\n")
    write(path .. ".tmp", "")
    os.execute(("chmod 600 %s.tmp"):format(path))
    for _, mode in ipairs { "x", "s" } do
      local holder, pid = hold(path .. ".tmp", mode)
      local edit, reason, errno = core.edit(path, { timeout = 0.1 })
      holder:close()
      assert.is_nil(edit)
      assert.equal(11, errno)
      assert.equal(("%s.tmp: locked by process %d (cat) for more than 0.1 s"):format(path, pid), reason)
    end
    assert.equal("main.cf main.cf.tmp ", names()) -- it is the holder's
    assert(core.edit(path, { timeout = 0 })):rollback()
  end)

  it("gets the lock as soon as it is free", function()
    write(path, "a = 1\n")
    write(path .. ".tmp", "")
    os.execute(("chmod 600 %s.tmp"):format(path))
    local pipe = io.popen(("flock -x %s.tmp sh -c 'echo; sleep 0.2'"):format(path), "r")
    pipe:read "l"
    assert.equal("changed", assert(core.edit(path, { timeout = 10 })):commit "a = 2\n")
    pipe:close()
    assert.equal("main.cf ", names())
  end)

  it("refuses to overwrite a change by somebody who takes no lock", function()
    write(path, "a = 1\n")
    local edit = assert(core.edit(path))
    write(path, "by hand = 1\n")
    local outcome, reason, errno = edit:commit "a = 2\n"
    assert.is_nil(outcome)
    assert.matches("changed by another program", reason)
    assert.equal(11, errno)
    assert.equal("by hand = 1\n", read(path))
    assert.equal("main.cf ", names())
  end)

  it("loses no edit beside postconf", function()
    write(path, "a = 1\n")
    write(directory .. "/master.cf", "")
    os.execute(("chmod 640 %s"):format(path))
    local pipe = io.popen(("for i in 1 2 3 4 5 6 7 8; do postconf -c %s -e theirs$i=$i & done; wait"):format(directory))
    for i = 1, 40 do
      local edit = assert(core.edit(path))
      assert.equal("changed", edit:commit(assert(core.edit_main(edit.text, { { "set", "ours" .. i, tostring(i) } }))))
    end
    pipe:close()
    local values = assert(core.read_parameters(path))
    for i = 1, 40 do assert.equal(tostring(i), values["ours" .. i]) end
    for i = 1, 8 do assert.equal(tostring(i), values["theirs" .. i]) end
    assert.equal("main.cf master.cf ", names())
  end)

  it("makes postconf wait", function()
    write(path, "a = 1\n")
    local edit = assert(core.edit(path))
    assert.equal("124", shell("timeout 0.3 postconf -c %s -e b=2; echo $?", directory))
    assert.equal("changed", edit:commit "a = 2\n")
    assert.equal("a = 2\n", read(path))
  end)

  it("has nothing on a full disk but the old file and a reason", function()
    if not is_root then return pending "needs root" end
    write(path, "")
    local script = directory .. "/full.lua"
    write(script, [[
      local core = require "postmulti.core"
      local path = arg[1] .. "/main.cf"
      assert(core.create_file(path, "a = 1\n"))
      local outcome, reason, errno = assert(core.edit(path)):commit(("x"):rep(1000000))
      print(outcome, reason, errno)]])
    os.execute("mkdir " .. directory .. "/mnt")
    local output = shell([[unshare --mount sh -c 'mount -t tmpfs -o size=64k none %s/mnt &&
      LUA_CPATH="%s" lua5.4 %s %s/mnt; cat %s/mnt/main.cf; ls -A %s/mnt']], directory, package.cpath, script, directory,
      directory, directory)
    assert.equal(("nil\t%s/mnt/main.cf.tmp: No space left on device\t28\na = 1\nmain.cf"):format(directory), output)
  end)

  it("raises on wrong use", function()
    for _, arguments in ipairs { {}, { "" }, { "a\0b" }, { path, 1 }, { path, { timeout = "x" } } } do
      assert.has_error(function() core.edit(table.unpack(arguments)) end)
    end
    write(path, "")
    local edit <close> = assert(core.edit(path))
    assert.has_error(function() edit:commit() end)
    assert.has_error(function() edit.commit({}, "") end)
    assert.is_nil(edit.absent)
  end)
end)

describe("create_file", function()
  it("makes a file of the mode asked for, whatever the umask", function()
    assert.is_true((core.create_file(path, "a = 1\n")))
    assert.equal("a = 1\n", read(path))
    assert.equal("644", shell("stat -c %%a %s", path))
    assert.is_true((core.create_file(directory .. "/b", "", { mode = octal "4666" })))
    assert.equal("4666", shell("stat -c %%a %s/b", directory))
    shell([[umask 077; LUA_CPATH='%s' lua5.4 -e 'require "postmulti.core".create_file("%s/c", "")']], package.cpath,
      directory)
    assert.equal("644", shell("stat -c %%a %s/c", directory))
    assert.equal("b c main.cf ", names())
  end)

  it("refuses what exists, a dangling link too", function()
    write(path, "a = 1\n")
    local made, reason, errno = core.create_file(path, "a = 2\n")
    assert.is_nil(made)
    assert.equal(path .. ": File exists", reason)
    assert.equal(17, errno)
    os.execute(("ln -s nowhere %s/l"):format(directory))
    assert.equal(17, select(3, core.create_file(directory .. "/l", "")))
    assert.equal("a = 1\n", read(path))
    assert.equal("l main.cf ", names())
  end)

  it("replaces on request and keeps nothing of the old file", function()
    write(path, "a = 1\n")
    os.execute(("chmod 600 %s; setfattr -n user.note -v x %s"):format(path, path))
    if is_root then os.execute("chown 1:1 " .. path) end
    assert.is_true((core.create_file(path, "a = 2\n", { replace = true })))
    assert.equal("a = 2\n", read(path))
    assert.equal("644 " .. shell "id -u" .. " " .. shell "id -g", shell("stat -c '%%a %%u %%g' %s", path))
    assert.not_matches("user.note", shell("getfattr -d %s", path))
  end)

  it("takes times from another file", function()
    write(directory .. "/old", "")
    shell("touch -a -d '2001-02-03 04:05:06.789 UTC' %s/old", directory)
    shell("touch -m -d '2002-03-04 05:06:07.5 UTC' %s/old", directory)
    assert.is_true((core.create_file(path, "x", { times_from = directory .. "/old" })))
    assert.equal(shell("stat -c '%%x %%y' %s/old", directory), shell("stat -c '%%x %%y' %s", path))
    local made, reason, errno = core.create_file(directory .. "/b", "", { times_from = directory .. "/absent" })
    assert.is_nil(made)
    assert.matches("absent: ", reason)
    assert.equal(2, errno)
    assert.equal("main.cf old ", names())
  end)

  it("gives up a held lock after its time", function()
    write(path .. ".tmp", "")
    os.execute(("chmod 600 %s.tmp"):format(path))
    local holder = hold(path .. ".tmp")
    local made, reason, errno = core.create_file(path, "", { timeout = 0 })
    holder:close()
    assert.is_nil(made)
    assert.matches("locked by process %d+", reason)
    assert.equal(11, errno)
    assert.is_nil(read(path))
  end)

  it("fails without leaving anything", function()
    assert.equal(2, select(3, core.create_file(directory .. "/no/where", "")))
    os.execute("mkdir " .. path)
    assert.equal(21, select(3, core.create_file(path, "", { replace = true })))
    assert.equal("main.cf ", names())
  end)

  it("raises on wrong use", function()
    for _, options in ipairs { { mode = "x" }, { mode = -1 }, { mode = 1.5 }, { mode = octal "10000" },
      { times_from = "" } } do
      assert.has_error(function() core.create_file(path, "", options) end)
    end
    assert.has_error(function() core.create_file(path) end)
    assert.is_nil(read(path))
  end)
end)

describe("lock", function()
  it("excludes others until it is released", function()
    local lock = assert(core.lock(directory))
    local other, reason, errno = core.lock(directory, { timeout = 0.05 })
    assert.is_nil(other)
    assert.matches(": locked by process %d+ %(.+%) for more than 0%.05 s$", reason)
    assert.equal(directory, reason:sub(1, #directory))
    assert.equal(11, errno)
    lock:release()
    lock:release()
    do
      local _ <close> = assert(core.lock(directory, { timeout = 0 }))
    end
    assert(core.lock(directory, { timeout = 0 })):release()
  end)

  it("makes the file on request only", function()
    assert.equal(2, select(3, core.lock(path)))
    local lock <close> = assert(core.lock(path, { create = true }))
    assert.equal("600", shell("stat -c %%a %s", path))
    assert.is_nil((core.lock(path, { timeout = 0 })))
    assert.is_not_nil(lock)
  end)

  it("is not handed to children", function()
    local lock = assert(core.lock(directory))
    local pipe = io.popen("exec sleep 5 >/dev/null & echo $!", "r")
    local pid = pipe:read "l"
    lock:release()
    assert(core.lock(directory, { timeout = 0 })):release()
    os.execute("kill " .. pid)
    pipe:close()
  end)
end)

describe("locked", function()
  it("is false where there is no file or no lock", function()
    assert.is_false((core.locked(path)))
    assert.is_false((core.locked(path .. "/below")))
    write(path, "123\n")
    assert.is_false((core.locked(path)))
  end)

  it("is true while somebody holds the file, and tells who", function()
    write(path, "     4711\n")
    local holder, pid = hold(path)
    local locked, who = core.locked(path)
    holder:close()
    assert.is_true(locked)
    assert.equal(pid, who)
    assert.is_false((core.locked(path)))
  end)

  it("does not follow links or wait for a fifo", function()
    write(directory .. "/x", "")
    os.execute(("ln -s x %s; mkfifo %s/fifo"):format(path, directory))
    local locked, reason, errno = core.locked(path)
    assert.is_nil(locked)
    assert.matches("main%.cf: ", reason)
    assert.equal(40, errno)
    assert.is_nil((core.locked(directory .. "/fifo")))
    assert.is_nil((core.locked(directory)))
  end)
end)
