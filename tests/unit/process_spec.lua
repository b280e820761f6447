-- core.run: start, environment, streams, time limit, failures
local core = require "postmulti.core"
local system = require "system"

local function mode(octal) return tonumber(octal, 8) end

local function run(argv, options)
  local exit, reason, errno = core.run(argv, options)
  assert(exit, reason)
  assert.is_nil(errno)
  return exit
end

local function capture(argv, options)
  options = options or {}
  options.stdout = "capture"
  return run(argv, options)
end

describe("core.run", function()
  local scratch

  local function file(name, text, octal)
    local path = scratch .. "/" .. name
    local handle = assert(io.open(path, "w"))
    handle:write(text)
    handle:close()
    assert(core.set_permissions(scratch, name, { type = "file", mode = mode(octal or "755") }))
    return path
  end

  before_each(function()
    scratch = os.tmpname()
    os.remove(scratch)
    assert(core.make_path(scratch, { mode = mode "755" }))
  end)

  after_each(function()
    local directory, name = scratch:match("^(.*)/([^/]+)$")
    assert(core.remove_tree(directory, name))
  end)

  it("tells the exit status", function()
    assert.same({ status = 0 }, run { "true" })
    assert.same({ status = 1 }, run { "false" })
    assert.same({ status = 200 }, run { "/bin/sh", "-c", "exit 200" })
  end)

  it("tells the signal", function()
    assert.same({ signal = 9 }, run { "/bin/sh", "-c", "kill -9 $$" })
  end)

  it("passes every argument as it is", function()
    local argv = { "printf", "%s\\n" }
    local want = {}
    for i = 1, 3000 do
      want[i] = ("argument %d with 'quotes' $HOME \\ * "):format(i)
      argv[#argv + 1] = want[i]
    end
    want[#want + 1] = ""
    assert.equal(table.concat(want, "\n"), capture(argv).stdout)
    assert.equal("[]", capture({ "sh", "-c", 'printf "[%s]" "$1"', "sh", "" }).stdout)
  end)

  it("reports arguments that are too long", function()
    local exit, reason, errno = core.run { "true", ("x"):rep(4 << 20) }
    assert.is_nil(exit)
    assert.equal("true: Argument list too long", reason)
    assert.equal(7, errno)
  end)

  describe("finding the program", function()
    it("reports what is missing", function()
      local exit, reason, errno = core.run { "no-such-program-here" }
      assert.is_nil(exit)
      assert.equal("no-such-program-here: No such file or directory", reason)
      assert.equal(2, errno)
      assert.same({ nil, scratch .. "/none: No such file or directory", 2 }, { core.run { scratch .. "/none" } })
      assert.same({ nil, ": No such file or directory", 2 }, { core.run { "" } })
    end)

    it("reports what may not be run, and what is no directory", function()
      local path = file("plain", "x", "644")
      assert.same({ nil, path .. ": Permission denied", 13 }, { core.run { path } })
      assert.same({ nil, path .. "/x: Not a directory", 20 }, { core.run { path .. "/x" } })
      assert.same({ nil, scratch .. ": Permission denied", 13 }, { core.run { scratch } })
    end)

    it("goes on in PATH after a file that may not be run, and remembers it", function()
      core.make_path(scratch .. "/one", {})
      core.make_path(scratch .. "/two", {})
      file("one/tool", "#!/bin/sh\necho one\n", "644")
      local path = scratch .. "/one:" .. scratch .. "/missing:" .. scratch .. "/two"
      assert.same({ nil, "tool: Permission denied", 13 }, { core.run({ "tool" }, { environment = { PATH = path } }) })
      file("two/tool", "#!/bin/sh\necho two\n")
      assert.equal("two\n", capture({ "tool" }, { environment = { PATH = path } }).stdout)
    end)

    it("looks in PATH of the new environment, not of the old one", function()
      assert.is_nil((core.run({ "true" }, { environment = { PATH = scratch } })))
      file("only-here", "#!/bin/sh\nexit 3\n")
      assert.equal(3, run({ "only-here" }, { environment = { PATH = scratch } }).status)
    end)

    it("uses a default where there is no PATH, and the directory for an empty entry", function()
      assert.equal(0, run({ "true" }, { environment = { PATH = false } }).status)
      file("here", "#!/bin/sh\nexit 4\n")
      assert.equal(4, run({ "here" }, { environment = { PATH = "/nowhere:" }, directory = scratch }).status)
    end)

    it("gives a file without #! to the shell", function()
      local path = file("script", "echo \"$0\" \"$@\"\n")
      assert.equal(path .. " a b c\n", capture({ path, "a", "b c" }).stdout)
    end)
  end)

  describe("environment", function()
    local function environment(options)
      local out = capture({ "/usr/bin/env", "-0" }, options).stdout
      local got = {}
      for name, value in out:gmatch("([^=%z]+)=([^%z]*)%z") do got[name] = value end
      return got
    end

    it("is the caller's by default", function()
      assert.equal(os.getenv "PATH", environment().PATH)
    end)

    it("is changed by name", function()
      local got = environment { environment = { PM_ONE = "1", PM_TWO = "a=b\nc", PATH = false } }
      assert.equal("1", got.PM_ONE)
      assert.equal("a=b\nc", got.PM_TWO)
      assert.is_nil(got.PATH)
    end)

    it("keeps only what is listed", function()
      local got = environment { keep_environment = { "PATH", "PM_NONE" }, environment = { PM_ONE = "" } }
      assert.same({ PATH = os.getenv "PATH", PM_ONE = "" }, got)
      assert.same({}, environment { keep_environment = {} })
    end)

    it("appends new names in sorted order", function()
      local out = capture({ "/usr/bin/env" }, {
        keep_environment = {}, environment = { C = "3", A = "1", B = "2", AB = "12" } }).stdout
      assert.equal("A=1\nAB=12\nB=2\nC=3\n", out)
    end)

    it("does not change the caller's", function()
      environment { environment = { PM_LEAK = "1" } }
      assert.is_nil(os.getenv "PM_LEAK")
    end)
  end)

  describe("directory", function()
    it("is where the program starts", function()
      local here = core.working_directory()
      assert.equal(scratch .. "\n", capture({ "pwd" }, { directory = scratch }).stdout)
      assert.equal(here, core.working_directory())
    end)

    it("is named when it cannot be entered", function()
      assert.same({ nil, scratch .. "/none: No such file or directory", 2 },
        { core.run({ "true" }, { directory = scratch .. "/none" }) })
      local plain = file("plain", "")
      assert.same({ nil, plain .. ": Not a directory", 20 }, { core.run({ "true" }, { directory = plain }) })
    end)

    it("is where a relative program is found", function()
      file("tool", "#!/bin/sh\nexit 5\n")
      assert.equal(5, run({ "./tool" }, { directory = scratch }).status)
    end)
  end)

  describe("streams", function()
    it("are captured apart or together", function()
      local script = "echo out; echo err >&2; echo out2"
      assert.same({ status = 0, stdout = "out\nout2\n", stderr = "err\n" },
        run({ "sh", "-c", script }, { stdout = "capture", stderr = "capture" }))
      assert.same({ status = 0, stdout = "out\nerr\nout2\n" },
        run({ "sh", "-c", script }, { stdout = "capture", stderr = "stdout" }))
    end)

    it("keep NULs", function()
      assert.equal("a\0b", capture({ "printf", "a\\000b" }).stdout)
    end)

    it("can be nowhere", function()
      assert.same({ status = 0, stderr = "" },
        run({ "cat" }, { stdin = "null", stdout = "null", stderr = "capture" }))
    end)

    it("carry much data both ways at once", function()
      local input = ("0123456789abcdef"):rep(200000)
      local exit = run({ "sh", "-c", "tee /dev/stderr" }, { input = input, stdout = "capture", stderr = "capture" })
      assert.equal(0, exit.status)
      assert.is_true(exit.stdout == input)
      assert.is_true(exit.stderr == input)
    end)

    it("take no harm from input that is not read", function()
      assert.same({ status = 7 }, run({ "sh", "-c", "exit 7" }, { input = ("x"):rep(1 << 20) }))
      assert.same({ status = 0, stdout = "" }, capture({ "cat" }, { input = "" }))
    end)

    it("say so when output is cut", function()
      local exit = capture({ "head", "-c", tostring((64 << 20) + 1), "/dev/zero" })
      assert.equal(64 << 20, #exit.stdout)
      assert.is_true(exit.truncated)
    end)

    it("do not wait for what is left in the background", function()
      local before = system.monotime()
      local exit = capture({ "sh", "-c", "echo here; sleep 20 & exit 0" })
      assert.same({ status = 0, stdout = "here\n" }, exit)
      assert.is_true(system.monotime() - before < 10)
    end)

    it("are all the descriptors that the program gets", function()
      local open = assert(io.open("/etc/passwd"))
      local out = capture({ "ls", "/proc/self/fd" }).stdout
      open:close()
      assert.equal("0\n1\n2\n3\n", out) -- 3 is the one of ls(1)
    end)
  end)

  describe("signals", function()
    it("have their default actions and none is blocked", function()
      local out = capture({ "grep", "-E", "^Sig(Blk|Ign)", "/proc/self/status" }).stdout
      local blocked, ignored = out:match("SigBlk:%s*(%x+).*SigIgn:%s*(%x+)")
      assert.equal(0, tonumber(blocked, 16))
      assert.equal(0, tonumber(ignored, 16) & (1 << 12 | 1 << 24 | 1 << 16)) -- PIPE, XFSZ, CHLD
    end)
  end)

  describe("time limit", function()
    it("lets a quick program be", function()
      assert.same({ status = 0, stdout = "x\n" }, capture({ "echo", "x" }, { time_limit = 5 }))
      assert.same({ status = 0 }, run({ "true" }, { time_limit = 5 }))
    end)

    it("ends a slow one, and what that has started", function()
      local exit = capture({ "sh", "-c", "sleep 30 & echo $!; wait" }, { time_limit = 0.2 })
      assert.is_true(exit.timed_out)
      assert.equal(15, exit.signal)
      -- It is an orphan by now: whoever takes it over may be a moment late to reap it.
      local gone = run({ "sh", "-c", "for i in 1 2 3 4 5 6 7 8 9 10; do "
        .. "grep -q '^State:[[:space:]]*[^Z]' /proc/$0/status 2>/dev/null || exit 0; sleep 0.2; done; exit 1",
        exit.stdout:match("%d+") })
      assert.same({ status = 0 }, gone)
    end)

    it("kills what does not listen", function()
      local before = system.monotime()
      local exit = run({ "sh", "-c", "trap '' TERM; while :; do sleep 0.2; done" }, { time_limit = 0.1 })
      assert.same({ signal = 9, timed_out = true }, exit)
      local took = system.monotime() - before
      assert.is_true(took > 2 and took < 10, took) -- it goes on for ever by itself
    end)
  end)

  describe("wrong use", function()
    local function refuses(...)
      assert.is_false((pcall(core.run, ...)))
    end

    it("raises", function()
      refuses()
      refuses("true")
      refuses({})
      refuses({ 1 })
      refuses({ "true", 1 })
      refuses({ "true", true })
      refuses({ "true", "a\0b" })
      refuses({ "true" }, "options")
      refuses({ "true" }, { environment = "A=1" })
      refuses({ "true" }, { environment = { A = 1 } })
      refuses({ "true" }, { environment = { A = true } })
      refuses({ "true" }, { environment = { ["A=B"] = "1" } })
      refuses({ "true" }, { environment = { [""] = "1" } })
      refuses({ "true" }, { environment = { "A=1" } })
      refuses({ "true" }, { environment = { A = "a\0b" } })
      refuses({ "true" }, { keep_environment = "PATH" })
      refuses({ "true" }, { keep_environment = { 1 } })
      refuses({ "true" }, { directory = 1 })
      refuses({ "true" }, { directory = "" })
      refuses({ "true" }, { directory = "/\0" })
      refuses({ "true" }, { stdin = "capture" })
      refuses({ "true" }, { stdout = "stdout" })
      refuses({ "true" }, { stderr = 1 })
      refuses({ "true" }, { input = 1 })
      refuses({ "true" }, { input = "", stdin = "null" })
      refuses({ "true" }, { time_limit = 0 })
      refuses({ "true" }, { time_limit = -1 })
      refuses({ "true" }, { time_limit = "1" })
      refuses({ "true" }, { time_limit = 0 / 0 })
      refuses({ "true" }, { time_limit = math.huge })
    end)
  end)

  it("leaves no descriptor behind", function()
    local function descriptors() return #assert(core.list("/proc/self/fd")) end
    local before = descriptors()
    for _ = 1, 3 do
      run({ "cat" }, { input = "x", stdout = "capture", stderr = "capture", directory = "/", time_limit = 5 })
      core.run({ "no-such-program-here" }, { input = "x", stdout = "capture", directory = "/" })
      core.run({ "true" }, { directory = "/nowhere" })
    end
    assert.equal(before, descriptors())
  end)
end)
