local fake_core = require "tests.support.fake_core"
local postmulti = require "postmulti"

local MAIN = [[
compatibility_level = 3.6
multi_instance_wrapper = ${command_directory}/postmulti -p --
multi_instance_enable = yes
multi_instance_directories = /etc/postfix-out
]]

local OUT = "multi_instance_name = postfix-out\nqueue_directory = /var/spool/postfix-out\n"
  .. "data_directory = /var/lib/postfix-out\n"

-- What hooks say is heard here: a module that is loaded already is shared with them.
local heard = {}
package.loaded["tests.heard"] = heard

---@param files table<string, string>  in /etc/postmulti, or absolute
local function new_fake(files)
  local all = {
    ["/etc/postfix/main.cf"] = MAIN, ["/etc/postfix/master.cf"] = "",
    ["/etc/postfix/main.cf.proto"] = "#queue_directory = x\n", ["/etc/postfix/master.cf.proto"] = "# master\n",
    ["/etc/postfix/postfix-files"] = "$config_directory/main.cf:f:root:-:644:p\n",
    ["/etc/postfix-out/main.cf"] = OUT, ["/etc/postfix-out/master.cf"] = "",
    ["/usr/sbin/postfix"] = "", ["/var/lib/dpkg/status"] = "", ["/usr/lib/postfix/sbin/master"] = "",
    ["/var/spool/postfix/pid/master.pid"] = "", ["/var/spool/postfix-out/pid/master.pid"] = "",
  }
  for path, text in pairs(files) do
    all[path:sub(1, 1) == "/" and path or "/etc/postmulti/" .. path] = text
  end
  return fake_core.new(all)
end

local function open(files, options)
  local fake, messages = new_fake(files), {}
  options = options or {}
  options.core = fake.core
  options.report = function(level, text) messages[#messages + 1] = level .. ": " .. text end
  options.site_directory, options.share_directory = "/etc/postmulti", "/usr/share/postmulti"
  return postmulti.open(options), fake, messages
end

local function refusal(func, ...)
  local ok, problem = pcall(func, ...)
  assert.is_false(ok)
  assert.is_true(postmulti.is_error(problem), tostring(problem))
  return problem
end

---A hook that says which of its functions are called.
local function speaker(name, more)
  local lines = { "local heard = require 'tests.heard' return {" }
  for _, key in ipairs { "before_create", "after_create", "undo_create", "before_enable", "after_enable",
    "undo_enable" } do
    lines[#lines + 1] = (more and more[key]) or ("%s = function(event) heard[#heard + 1] = '%s %s' end,"):format(key,
      name, key)
  end
  return table.concat(lines, "\n") .. "}"
end

before_each(function()
  for index = #heard, 1, -1 do heard[index] = nil end
end)

describe("hooks", function()
  it("are called before and after, in the order of their names", function()
    local host = open { ["hooks.d/20-b.lua"] = speaker "b", ["hooks.d/10-a.lua"] = speaker "a" }
    host:create { name = "postfix-x" }
    assert.same({ "a before_create", "b before_create", "a after_create", "b after_create" }, heard)
  end)

  it("whose directory cannot be looked at are not passed over", function()
    for _, place in ipairs { "/etc/postmulti/hooks.d", "/usr/share/postmulti/hooks.d", "/etc/postmulti/config.lua" } do
      for _, row in ipairs { { "Too many open files", 24, 0, 1 }, { "Permission denied", 13, 0, 1 },
        { "Permission denied", 13, 1000, 0 } } do
        local reason, errno, uid, refused = table.unpack(row)
        local fake = new_fake {}
        local stat = fake.core.stat
        function fake.core.stat(path, follow)
          if path == place then
            return nil, path .. ": " .. reason, errno
          end
          return stat(path, follow)
        end
        function fake.core.effective_uid() return uid end
        local ok, problem = pcall(function()
          local host = postmulti.open { core = fake.core, site_directory = "/etc/postmulti",
            share_directory = "/usr/share/postmulti" }
          host:instance("out"):enable()
        end)
        assert.equal(refused == 0, ok, tostring(problem))
        assert.equal(refused == 0 and "nil" or place .. ": " .. reason, tostring(problem))
      end
    end
  end)

  it("of the site replace the vendor's of the same name; an empty file switches it off", function()
    local host = open {
      ["/usr/share/postmulti/hooks.d/10-a.lua"] = speaker "vendor a",
      ["/usr/share/postmulti/hooks.d/20-b.lua"] = speaker "vendor b",
      ["/usr/share/postmulti/hooks.d/30-c.lua"] = speaker "vendor c",
      ["hooks.d/10-a.lua"] = speaker "site a", ["hooks.d/20-b.lua"] = "",
    }
    host:instance("out"):enable()
    assert.same({ "site a before_enable", "vendor c before_enable", "site a after_enable", "vendor c after_enable" },
      heard)
  end)

  it("are files whose names run-parts would accept", function()
    local host = open {
      ["hooks.d/10-a.lua~"] = "syntax error", ["hooks.d/10-a.lua.dpkg-old"] = "syntax error",
      ["hooks.d/README"] = "syntax error", ["hooks.d/.10-a.lua"] = "syntax error",
      ["hooks.d/10-Good_one.lua"] = speaker "good",
    }
    host:instance("out"):enable()
    assert.equal("good before_enable", heard[1])
  end)

  it("are left out with hooks = false", function()
    local host = open({ ["hooks.d/10-a.lua"] = "syntax error" }, { hooks = false })
    assert.is_true(host:instance("out"):enable())
  end)
end)

describe("a hook that cannot be loaded stops the action before anything is done:", function()
  for what, row in pairs {
    ["a syntax error"] = { "return {", "10%-a.lua:1: " },
    ["an error"] = { "error 'so not'", "10%-a.lua:1: so not" },
    ["no table"] = { "return 7", "returns a number, not a table" },
    ["an unknown key"] = { "return { before_craete = print }", "'before_craete' is no hook; did you mean before_create",
    },
    ["a key that is no function"] = { "return { before_create = 1 }", "must be a function, not a number" },
    ["an endless loop"] = { "while true do end", "took longer than 0.2 s" },
  } do
    it(what, function()
      local host, fake = open { ["hooks.d/10-a.lua"] = row[1], ["config.lua"] = "return { hook_time_limit = 0.2 }" }
      local before = fake_core.picture(fake)
      local problem = refusal(host.create, host, { name = "postfix-x" })
      assert.matches(row[2], problem.message)
      assert.matches("^/etc/postmulti/hooks.d/10%-a.lua", problem.message)
      assert.equal("untrusted", problem.kind)
      assert.same(before, fake_core.picture(fake))
    end)
  end
end)

describe("before_*", function()
  it("vetoes, and nothing is changed", function()
    local host, fake = open {
      ["hooks.d/10-a.lua"] = "return { before_create = function(event) "
        .. "if not event.instance.group then error 'a group is wanted' end end }",
    }
    local before = fake_core.picture(fake)
    local problem = refusal(host.create, host, { name = "postfix-x" })
    assert.equal("vetoed", problem.kind)
    assert.equal("create of postfix-x is vetoed: /etc/postmulti/hooks.d/10-a.lua:1: a group is wanted", problem.message)
    assert.same(before, fake_core.picture(fake))
    assert.equal("g", host:create({ name = "postfix-x", group = "g" }).group)
  end)

  it("undoes the hooks before it, in reverse", function()
    local host = open {
      ["hooks.d/10-a.lua"] = speaker "a", ["hooks.d/20-b.lua"] = speaker "b",
      ["hooks.d/30-c.lua"] = speaker("c", { before_create = "before_create = function() error 'no' end," }),
    }
    refusal(host.create, host, { name = "postfix-x" })
    assert.same({ "a before_create", "b before_create", "b undo_create", "a undo_create" }, heard)
  end)

  it("may change the arguments", function()
    local host = open { ["hooks.d/10-a.lua"] = "return { before_create = function(e) e.args.group = 'mta' end }" }
    assert.equal("mta", host:create({ name = "postfix-x" }).group)
  end)

  it("finds a slip of the pen in the name of a field", function()
    local host = open { ["hooks.d/10-a.lua"] = "return { before_create = function(e) print(e.instanse) end }" }
    local problem = refusal(host.create, host, { name = "postfix-x" })
    assert.matches("no field 'instanse'; did you mean instance", problem.message)
  end)

  it("is undone when the action fails", function()
    local host = open { ["hooks.d/10-a.lua"] = speaker "a" }
    refusal(host.create, host, { name = "postfix-out" })
    assert.same({ "a before_create", "a undo_create" }, heard)
  end)
end)

describe("after_*", function()
  it("of create that fails undoes the creation, while its files are still there for undo_create", function()
    local host, fake = open {
      ["hooks.d/10-a.lua"] = [[return {
        after_create = function(e) e.instance:set { myhostname = "x.example.com" } end,
        undo_create = function(e) require("tests.heard")[1] = e.instance:get "queue_directory" end }]],
      ["hooks.d/20-b.lua"] = "return { after_create = function() error 'sorry' end }",
    }
    local before = fake_core.picture(fake)
    local problem = refusal(host.create, host, { name = "postfix-x" })
    assert.equal("hook", problem.kind)
    assert.matches("^create of postfix%-x is undone, as a hook failed: .*20%-b.lua:1: sorry$", problem.message)
    assert.same(before, fake_core.picture(fake))
    assert.same({ "/var/spool/postfix-x" }, heard)
  end)

  it("of another action leaves it done, calls the others, and is told", function()
    local host, fake = open {
      ["hooks.d/10-a.lua"] = "return { after_enable = function() error 'sorry' end }",
      ["hooks.d/20-b.lua"] = speaker "b",
    }
    local out = host:instance "out"
    local problem = refusal(out.enable, out)
    assert.equal("hook", problem.kind)
    assert.matches("is done, but a hook failed", problem.message)
    assert.matches("multi_instance_enable = yes", fake.files["/etc/postfix-out/main.cf"])
    assert.same({ "b before_enable", "b after_enable" }, heard)
  end)

  it("comes when the whole transaction is done; when that fails, it does not", function()
    local host = open { ["hooks.d/10-a.lua"] = speaker "a" }
    local ok = pcall(host.transaction, host, function()
      host:instance("out"):enable()
      error "no"
    end)
    assert.is_false(ok)
    assert.same({ "a before_enable", "a undo_enable" }, heard)
  end)
end)

describe("a hook", function()
  it("may call the API, without a deadlock and without calling itself", function()
    local host = open {
      ["hooks.d/10-a.lua"] = [[return {
        after_create = function(e) e.instance:enable() e.host:create { name = "postfix-y" } end }]],
    }
    assert.is_true(host:create({ name = "postfix-x" }).enabled)
    assert.equal("postfix-y", host:instance("y").name)
  end)

  for what, body in pairs {
    ["a loop"] = "while true do end",
    ["a loop that catches errors"] = "while true do pcall(error) end",
    ["a loop in a coroutine"] = "coroutine.wrap(function() while true do end end)()",
    ["a loop with pcall in pcall"] = "while true do pcall(pcall, function() while true do end end) end",
  } do
    it("is stopped after its time: " .. what, function()
      local host = open { ["hooks.d/10-a.lua"] = "return { time_limit = 0.2, before_enable = function() " .. body
        .. " end }" }
      local out = host:instance "out"
      assert.matches("10%-a.lua: before_enable took longer than 0.2 s, and was stopped",
        refusal(out.enable, out).message)
    end)
  end

  it("is watched twice its time, in which what must come to its end is not disturbed", function()
    local host, fake = open { ["hooks.d/10-a.lua"] = [[return { time_limit = 50, before_enable = function(event)
        local heard, guard = require "tests.heard", require "postmulti.guard"
        heard[1] = heard.watched()
        guard.uninterrupted(event.host.core, function() heard[2] = heard.watched() end)
        heard[3] = heard.watched()
        guard.call(event.host.core, 1, "inner", function() heard[4] = heard.watched() end)
        heard[5] = heard.watched()
      end }]] }
    heard.watched = function() return math.ceil(fake.watchdog / 2) * 2 end -- a moment has passed
    host:instance("out"):enable()
    assert.same({ 100, 0, 100, 6, 100 }, { table.unpack(heard) })
    assert.equal(0, fake.watchdog)
    heard.watched = nil
  end)

  it("that came too late has failed, even where nothing could stop it", function()
    local host = open { ["hooks.d/10-a.lua"] = [[return { time_limit = 0.1, before_enable = function()
        require("posix.time").nanosleep { tv_sec = 0, tv_nsec = 150000000 } end }]] }
    local out = host:instance "out"
    assert.matches("took longer than 0.1 s", refusal(out.enable, out).message)
  end)

  for body, wanted in pairs {
    ["error 'text'"] = "10%-a.lua:1: text", ["error()"] = "10%-a.lua: an error without a message",
    ["error { message = 'of a table' }"] = "10%-a.lua: of a table",
    ["error('two\\nlines', 0)"] = "10%-a.lua: two lines",
    ["return nil + 1"] = "10%-a.lua:1: attempt to perform arithmetic on a nil value",
    ["error(setmetatable({}, { __tostring = function() return 'own' end }))"] = "10%-a.lua: own",
  } do
    it("tells in one line why it fails: " .. body, function()
      local host = open { ["hooks.d/10-a.lua"] = "return { before_enable = function() " .. body .. " end }" }
      local out = host:instance "out"
      assert.matches("^enable of postfix%-out is vetoed: /etc/postmulti/hooks.d/" .. wanted .. "$",
        refusal(out.enable, out).message)
    end)
  end

  it("does no harm to the next: globals, libraries, package.path, directory, umask, environment", function()
    local directory = require("posix.unistd").getcwd()
    local host, fake = open {
      ["hooks.d/10-bad.lua"] = [[leak = 1 _G.other = 2 string.format = nil table.insert = nil package.path = "x"
        return { before_enable = function()
          pairs = nil os.getenv = nil _G = nil
          getmetatable("").__index.upper = nil
          require("posix.unistd").chdir "/"
          require("posix.stdlib").setenv("POSTMULTI_TEST", "1", true)
          require("posix.stdlib").setenv("HOME", nil)
          require("postmulti.core")
        end }]],
      ["hooks.d/20-good.lua"] = [[return { before_enable = function()
        local heard = require "tests.heard"
        heard[1] = tostring(leak) .. tostring(other) .. ("x"):upper() .. string.format("%d", 1)
        heard[2] = #package.path > 1 and type(table.insert) .. type(pairs) .. type(_G)
        heard[3] = require("posix.unistd").getcwd()
        heard[4] = tostring(os.getenv "POSTMULTI_TEST") .. tostring(os.getenv "HOME" ~= nil)
      end }]],
    }
    local home = os.getenv "HOME"
    fake.umask = 18
    host:instance("out"):enable()
    assert.same({ "nilnilX1", "functionfunctiontable", directory, "nil" .. tostring(home ~= nil) }, heard)
    assert.equal(18, fake.umask)
    assert.is_nil(rawget(_G, "leak"))
    assert.equal(home, os.getenv "HOME")
  end)

  it("does no harm to the next: locale, default files, collector, random numbers, the program's own modules", function()
    local host = open {
      ["hooks.d/10-bad.lua"] = [[return { before_enable = function()
          setmetatable(_G, { __index = function(_, name) error("no " .. name) end })
          os.setlocale "C.UTF-8" io.output "/dev/null" io.input "/dev/null"
          collectgarbage "stop" math.randomseed(42)
          for _, name in ipairs { "postmulti", "postmulti.errors", "postmulti.core", "posix.unistd", "posix.stdlib" } do
            local module = require(name)
            for key in pairs(module) do module[key] = nil end
          end
          package.loaded = {}
        end }]],
      ["hooks.d/20-good.lua"] = [[return { before_enable = function()
        local heard = require "tests.heard"
        heard[1] = tostring(leak) .. os.setlocale() .. tostring(collectgarbage "isrunning")
        heard[2] = io.output() == io.stdout and io.input() == io.stdin
        heard[3] = math.random(1 << 60)
        heard[4] = require("posix.unistd").getpid() > 1 and require("postmulti").open ~= nil
          and require("postmulti.core").stat("/").type
      end }]],
    }
    local locale, output = os.setlocale(), io.output()
    math.randomseed(42)
    local third = math.random(1 << 60)
    host:instance("out"):enable()
    assert.same({ "nil" .. locale .. "true", true, "directory" }, { heard[1], heard[2], heard[4] })
    assert.not_equal(third, heard[3])
    assert.equal(output, io.output())
  end)

  it("may change the arguments, which the next sees in the instance; what is no argument is told", function()
    local files = {
      ["hooks.d/10-a.lua"] = "return { before_create = function(e) e.args.name = 'postfix-y' end }",
      ["hooks.d/20-b.lua"] = [[return { before_create = function(e)
        require("tests.heard")[1] = e.instance.name .. e.instance.config_directory end }]],
    }
    assert.equal("postfix-y", open(files):create({ name = "postfix-x" }).name)
    assert.same({ "postfix-y/etc/postfix-y" }, heard)
    for change, wanted in pairs {
      ["gruop = 'x'"] = "create: there is no field 'gruop'; did you mean group?",
      ["group = {}"] = "create: group must be a string, not a table",
      ["name = 'y'"] = "instance name 'y': it must start with 'postfix-'",
    } do
      files["hooks.d/10-a.lua"] = "return { before_create = function(e) e.args." .. change .. " end }"
      local host, fake = open(files)
      local before = fake_core.picture(fake)
      local problem = refusal(host.create, host, { name = "postfix-x" })
      assert.equal("create of postfix-x is vetoed: /etc/postmulti/hooks.d/10-a.lua: " .. wanted, problem.message)
      assert.same(before, fake_core.picture(fake))
    end
  end)

  it("cannot end the program", function()
    local host = open { ["hooks.d/10-a.lua"] = "return { before_enable = function() os.exit(0) end }" }
    local out = host:instance "out"
    assert.matches("cannot end the program", refusal(out.enable, out).message)
  end)

  it("of postfix can veto a command, and sees how it ended", function()
    local host, fake = open {
      ["hooks.d/10-a.lua"] = [[return {
        before_postfix = function(e) if e.command[1] == "stop" then error "never" end end,
        after_postfix = function(e) require("tests.heard")[1] = e.command[1] .. e.exit.status end }]],
    }
    local primary = host.primary
    assert.equal("vetoed", refusal(primary.postfix, primary, { "stop" }).kind)
    assert.equal(0, primary:postfix({ "status" }).status)
    assert.same({ "status0" }, heard)
    assert.matches("^run .*postfix %-%- status$", fake.calls[#fake.calls])
  end)
end)

describe("a part of a transaction that fails and is caught", function()
  it("is undone, and the rest stands", function()
    local host, fake = open {
      ["hooks.d/10-a.lua"] = [[return {
        after_create = function(e) if e.instance.name == "postfix-b" then error "b" end end }]],
    }
    host:transaction(function()
      host:create { name = "postfix-a" }
      assert.is_false(pcall(host.create, host, { name = "postfix-b" }))
      host:create { name = "postfix-c" }
    end)
    assert.matches("multi_instance_directories = /etc/postfix%-out /etc/postfix%-a /etc/postfix%-c\n",
      fake.files["/etc/postfix/main.cf"])
    assert.is_nil(fake.files["/etc/postfix-b/main.cf"])
    assert.is_nil(fake.directories["/etc/postfix-b"])
    assert.is_true(pcall(host.create, host, { name = "postfix-d" }))
  end)
end)

describe("a dry run", function()
  it("changes nothing, checks everything, and tells what would be done", function()
    local host, fake, messages = open({ ["hooks.d/10-a.lua"] = speaker "a" }, { dry_run = true })
    local before = fake_core.picture(fake)
    local new = host:create { name = "postfix-x", group = "g" }
    new:set { myhostname = "x.example.com" }
    new:enable()
    host:instance("out"):destroy()
    assert.equal("x.example.com", new:get "myhostname")
    assert.equal("conflict", refusal(host.create, host, { name = "postfix-x", config_directory = "/etc/y" }).kind)
    assert.same(before, fake_core.picture(fake))
    assert.same({}, heard)
    local text = table.concat(messages, "\n")
    for _, wanted in ipairs {
      "would call the hook /etc/postmulti/hooks.d/10%-a.lua",
      "would make the file /etc/postfix%-x/main.cf",
      "would change /etc/postfix/main.cf: multi_instance_directories = /etc/postfix%-out /etc/postfix%-x",
      "would change /etc/postfix%-x/main.cf: myhostname = x.example.com",
      "would remove the directory /etc/postfix%-out",
    } do
      assert.matches(wanted, text)
    end
  end)

  it("tells the hooks that take part, and no other", function()
    local host, _, messages = open({
      ["hooks.d/10-a.lua"] = "return { after_enable = print }",
      ["hooks.d/20-b.lua"] = "return { before_create = print }",
      ["hooks.d/30-c.lua"] = "return { before_postfix = print }",
    }, { dry_run = true })
    host:instance("out"):enable()
    host.primary:postfix { "status" }
    local text = table.concat(messages, "\n")
    assert.matches("would call the hook /etc/postmulti/hooks.d/10%-a.lua", text)
    assert.not_matches("20%-b.lua", text)
    assert.matches("would call the hook /etc/postmulti/hooks.d/30%-c.lua", text)
  end)
end)
