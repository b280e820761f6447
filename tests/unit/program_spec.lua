-- the program postmulti-lua: options, scripts, errors, surroundings; needs build/postmulti-lua
local core = require "postmulti.core"

local host = core.working_directory() .. "/build/postmulti-lua"

describe("postmulti-lua", function()
  local scratch

  local function path(name) return scratch .. "/" .. name end

  local function write(name, text)
    local handle = assert(io.open(path(name), "w"))
    handle:write(text)
    handle:close()
    return path(name)
  end

  -- status, standard output, standard error
  local function run(arguments, options)
    options = options or {}
    options.stdout, options.stderr = options.stdout or "capture", options.stderr or "capture"
    options.input = options.input or ""
    local exit = assert(core.run({ host, table.unpack(arguments) }, options))
    return exit.status, exit.stdout, exit.stderr
  end

  local function shell(command)
    local exit = assert(core.run({ "sh", "-c", command, "sh", host }, { stdout = "capture", stderr = "capture" }))
    return exit.status, exit.stdout, exit.stderr
  end

  before_each(function()
    scratch = os.tmpname()
    os.remove(scratch)
    assert(core.make_path(scratch))
  end)

  after_each(function()
    local directory, name = scratch:match("^(.*)/([^/]+)$")
    assert(core.remove_tree(directory, name))
  end)

  it("tells version and use", function()
    local status, out, err = run { "--version" }
    assert.same({ 0, "" }, { status, err })
    assert.equal("postmulti-lua " .. core.version .. " (Lua 5.4", out:match("^(.*)%.%d+%)\n$"))
    assert.equal(out, select(2, run { "-v" }))
    status, out, err = run { "--help" }
    assert.same({ 0, "" }, { status, err })
    assert.matches("^usage: postmulti%-lua ", out)
    assert.equal(out, select(2, run { "-h" }))
  end)

  it("refuses wrong options in one line", function()
    assert.same({ 1, "", "postmulti-lua: unknown option -x; see postmulti-lua --help\n" }, { run { "-x" } })
    assert.same({ 1, "", "postmulti-lua: unknown option --versions; see postmulti-lua --help\n" },
      { run { "--versions" } })
    assert.same({ 1, "", "postmulti-lua: option -e needs a chunk of Lua; see postmulti-lua --help\n" },
      { run { "-e" } })
  end)

  describe("a script", function()
    it("gets its arguments", function()
      local script = write("s.lua", "#!/usr/bin/env postmulti-lua\nprint(#arg, ...) print(arg[0], arg[-1], arg[-2])\n")
      assert.same({ 0, ("3\ta\t\t-e\n%s\t%s\tnil\n"):format(script, host), "" }, { run { script, "a", "", "-e" } })
      assert.same({ 0, ("0\n%s\t--\tx=1\n"):format(script), "" }, { run { "-e", "x=1", "--", script } })
    end)

    it("may have many of them", function()
      local script = write("s.lua", "print(select('#', ...), #arg, (select(20000, ...)))")
      local arguments = { script }
      for i = 1, 20000 do arguments[i + 1] = tostring(i) end
      assert.same({ 0, "20000\t20000\t20000\n", "" }, { run(arguments) })
    end)

    it("may have an odd name", function()
      for _, name in ipairs { "a b;c'd\"e.lua", "-x", "\xff\n" } do
        assert.same({ 0, path(name) .. "\n", "" }, { run { write(name, "print(arg[0])") } })
      end
      write("-e", "print 'dash'")
      assert.same({ 0, "dash\n", "" }, { run({ "--", "-e" }, { directory = scratch }) })
    end)

    it("runs by its first line", function()
      local script = write("s", "#!" .. host .. "\nprint(...)")
      assert(core.set_permissions(scratch, "s", { type = "file", mode = tonumber("755", 8) }))
      local exit = core.run({ script, "a b", "-i" }, { stdout = "capture" })
      assert.same({ status = 0, stdout = "a b\t-i\n" }, exit)
    end)

    it("comes from standard input", function()
      assert.same({ 0, "-\ta\n", "" }, { run({ "-", "a" }, { input = "print(arg[0], ...)" }) })
      assert.same({ 0, host .. "\t0\n", "" }, { run({}, { input = "print(arg[0], select('#', ...))" }) })
      assert.same({ 0, "1\n", "" }, { run({ "-e", "print(1)" }, { input = "print(2)" }) })
    end)

    it("follows the chunks", function()
      local script = write("s.lua", "print(x, y)")
      assert.same({ 0, "1\t2\n", "" }, { run { "-ex=1", "-e", "y=2", script } })
      assert.same({ 1, "", "postmulti-lua: (command line):1: syntax error near 'x'\n" }, { run { "-ex x", script } })
    end)

    it("is run with the collector at work, unless a chunk stops it", function()
      local script = write("s.lua", "io.write(tostring(collectgarbage 'isrunning'))")
      assert.equal("true", select(2, run { script }))
      assert.equal("true", select(2, run({ "-" }, { input = "io.write(tostring(collectgarbage 'isrunning'))" })))
      assert.equal("true", select(2, run { "-e", "io.write(tostring(collectgarbage 'isrunning'))" }))
      assert.equal("false", select(2, run { "-e", "collectgarbage 'stop'", script }))
    end)

    it("says how it ends", function()
      assert.equal(7, (run { "-e", "os.exit(7)" }))
      assert.equal(0, (run { "-e", "os.exit(true, true)" }))
      assert.equal(1, (run { "-e", "os.exit(false)" }))
      assert.equal(0, (run { "-e", "return 5" }))
    end)
  end)

  describe("errors", function()
    it("that are strings get a traceback", function()
      local script = write("s.lua", "local function f() error 'oops' end f()")
      local status, out, err = run { script }
      assert.same({ 1, "" }, { status, out })
      assert.matches("^postmulti%-lua: [^\n]*s%.lua:1: oops\nstack traceback:\n", err)
      status, out, err = run { "-e", "error()" }
      assert.same({ 1, "" }, { status, out })
      assert.matches("^postmulti%-lua: %(error object is a nil value%)\nstack traceback:\n", err)
      assert.matches("error object is a table value", select(3, run { "-e", "error{message={}}" }))
    end)

    it("that have a traceback get no other", function()
      local _, _, err = run { "-e", "local ok, e = xpcall(function() error 'oops' end, debug.traceback) error(e, 0)" }
      assert.equal(1, select(2, err:gsub("stack traceback:", "")))
    end)

    it("that are objects get one line", function()
      local script = write("s.lua", "error(setmetatable({}, { __tostring = function() return 'no\\nway' end }))")
      assert.same({ 1, "", "s.lua: no way\n" }, { run { script } })
      assert.same({ 1, "", "postmulti-lua: gone\n" }, { run { "-e", "error { message = 'gone' }" } })
    end)

    it("in the message of an error are not lost", function()
      local status, _, err = run { "-e", "error(setmetatable({}, { __tostring = function() error 'inner' end }))" }
      assert.equal(1, status)
      assert.matches("^.*\n$", err)
    end)

    it("in reading or compiling are one line", function()
      assert.same({ 1, "", ("postmulti-lua: cannot open %s: No such file or directory\n"):format(path "none") },
        { run { path "none" } })
      local script = write("s.lua", "x x")
      assert.same({ 1, "", ("postmulti-lua: %s:1: syntax error near 'x'\n"):format(script) }, { run { script } })
    end)

    it("in a module that is required are one line", function()
      write("bad.lua", "x x")
      local status, out, err = run { "-e", ("package.path = '%s/?.lua' require 'bad'"):format(scratch) }
      assert.same({ 1, "" }, { status, out })
      assert.matches("^postmulti%-lua: error loading module 'bad' from file '[^\n]*bad%.lua': [^\n]*near 'x'\n$", err)
    end)

    it("cannot steer a terminal", function()
      assert.equal("postmulti-lua: cannot open ?[31m??: No such file or directory\n", select(3, run { "\27[31m\n\7" }))
      assert.matches("^postmulti%-lua: [^\n]*: a%?b\nstack traceback:\n\t[^%c]",
        select(3, run { "-e", "error 'a\27b'" }))
      assert.equal("postmulti-lua: a?b\n", select(3, run { "-e", "error { message = 'a\27b' }" }))
    end)

    it("of memory are told", function()
      local status, _, err = shell [[ulimit -v 30000
        "$1" -e 'local t = {} while true do t[#t + 1] = ("x"):rep(1e6) .. #t end']]
      assert.same({ 1, "postmulti-lua: not enough memory\n" }, { status, err })
    end)

    it("that are but warnings are shown once they are switched on, as by lua(1)", function()
      local status, out, err = run { "-e", "warn 'a' warn '@on' warn('b', 'c') warn '@x' warn '@off' warn 'd'" }
      assert.same({ 0, "", "Lua warning: bc\n" }, { status, out, err })
      status, out, err = run { "-e", "warn '@on' warn('@off', 'x') warn 'y'" }
      assert.same({ 0, "", "Lua warning: @offx\nLua warning: y\n" }, { status, out, err })
    end)

    it("of output make the exit status", function()
      local status, _, err = shell [["$1" -e 'io.write "x"' >/dev/full]]
      assert.same({ 1, "postmulti-lua: standard output: No space left on device\n" }, { status, err })
      assert.equal(1, (shell [["$1" -e 'io.write "x" os.exit(0)' >/dev/full]]))
      assert.equal(1, (shell [["$1" --version >/dev/full]]))
      local out
      status, out, err = shell [[{ "$1" -e 'for i = 1, 1e5 do print(i) end'; echo $? >&2; } | head -n 1]]
      assert.same({ 0, "1\n", "1\n" }, { status, out, err })
    end)
  end)

  describe("surroundings", function()
    it("do not tell it what to load", function()
      local environment = { LUA_INIT = "print 'evil'", LUA_INIT_5_4 = "print 'evil'", LUA_PATH = "/evil/?.lua",
        LUA_PATH_5_4 = "/evil/?.lua;;", LUA_CPATH = "./?.so", LUA_CPATH_5_4 = "./?.so" }
      local status, out, err = run({ "-e", "print(package.path) print(package.cpath)" }, { environment = environment })
      assert.same({ 0, "" }, { status, err })
      assert.is_nil(out:find("evil", 1, true))
      for entry in out:gmatch("[^;\n]+") do assert.equal("/", entry:sub(1, 1), entry) end
      local seen = {}
      for entry in out:gmatch("[^;\n]+") do
        assert.is_nil(seen[entry])
        seen[entry] = true
      end
      assert.matches("/usr/share/lua/5.4/%?/init.lua", out)
    end)

    it("have no module in the current directory", function()
      write("pm_local.lua", "return 1")
      local status, out = run({ "-e", "print((pcall(require, 'pm_local')))" }, { directory = scratch })
      assert.same({ 0, "false\n" }, { status, out })
    end)

    it("offer the core, and no globals", function()
      local status, out = run { "-e", [[
        local core = require "postmulti.core"
        print(core.version, type(core.run))
        for name in pairs(_G) do if name:find "[Pp]ost" or name == "core" then print(name) end end]] }
      assert.same({ 0, core.version .. "\tfunction\n" }, { status, out })
    end)

    it("may lack standard descriptors", function()
      assert.same({ 0, "", "" }, { shell [["$1" -e 'print(1)' >&-]] })
      local chunk = [['io.stderr:write(tostring(io.open("/etc/passwd")), " ")
        for _, fd in ipairs { 0, 1 } do
          io.stderr:write(require "posix.unistd".readlink("/proc/self/fd/" .. fd), " ")
        end']]
      local status, _, err = shell([["$1" -e ]] .. chunk .. [[ <&- >&-]])
      assert.equal(0, status)
      assert.matches("^file %(0x%x+%) /dev/null /dev/null $", err)
    end)

    it("may ignore or block what children need", function()
      local status, out = shell [[trap '' PIPE CHLD; "$1" -e '
        local core = require "postmulti.core"
        print(core.run { "sh", "-c", "exit 3" }.status)
        print((core.run({ "sh", "-c", "kill -PIPE $$" }, {}).signal))']]
      assert.same({ 0, "3\n13\n" }, { status, out })
    end)
  end)

  describe("the watchdog", function()
    local HANG = "string.find(('a'):rep(40), ('a?'):rep(40) .. ('a'):rep(40))"

    it("ends the program in a call that does not come back", function()
      assert.same({ 1, "", "it hangs\n" }, { run { "-e", [[io.write "lost"
        require "postmulti.core".watchdog(0.2, "it hangs") ]] .. HANG } })
    end)

    it("is called off, set anew, and forgotten by children", function()
      local status, out, err = run { "-e", [[
        local core = require "postmulti.core"
        core.watchdog(0.2, "one") core.watchdog(0) core.run { "sleep", "0.3" }
        core.watchdog(0.2, "two") core.watchdog(0.6, ("x"):rep(600))
        print(core.run({ "sleep", "0.4" }).status)
        io.stdout:flush() ]] .. HANG }
      assert.same({ 1, "0\n", ("x"):rep(511) .. "\n" }, { status, out, err })
    end)

    it("takes numbers and text", function()
      assert.has_error(function() core.watchdog() end)
      assert.has_error(function() core.watchdog(1) end)
      core.watchdog(-1)
    end)
  end)

  it("stops a forked child that falls out of Lua", function()
    local status, out = run { "-e", [[
      local unistd, wait = require "posix.unistd", require "posix.sys.wait"
      local pid = unistd.fork()
      if pid == 0 then error "child" end
      print(select(3, wait.wait(pid)))]] }
    assert.same({ 0, "1\n" }, { status, out })
  end)

  describe("the prompt", function()
    local function answers(text)
      local status, out, err = run({ "-i" }, { input = text })
      assert.equal(0, status)
      return out:gsub("^postmulti%-lua [^\n]*\n", ""), err
    end

    it("prints what expressions give", function()
      assert.equal("> 2\n> 3\t4\n> > \n", (answers "1+1\n=3,4\nlocal x = 1\n"))
    end)

    it("takes statements of several lines", function()
      assert.equal("> >> >> 1\n2\n> \n", (answers "for i = 1, 2 do\nprint(i)\nend\n"))
    end)

    it("goes on after errors", function()
      local out, err = answers "x x\nerror 'a'\nerror { message = 'b' }\nprint = nil\n1\n"
      assert.equal("> > > > > > \n", out)
      assert.matches("^stdin:1: syntax error near 'x'\npostmulti%-lua: stdin:1: a\nstack traceback:.*\n" ..
        "postmulti%-lua: b\nprint: ", err)
    end)

    it("takes a last line without newline, and an unfinished statement", function()
      assert.equal("> 5\n> \n", (answers "5"))
      local _, err = answers "for"
      assert.matches("<eof>", err)
    end)
  end)
end)
