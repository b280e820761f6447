-- the module postmulti.loader of the host program: compiled Lua is used while it belongs to its source
local core = require "postmulti.core"

local host = core.working_directory() .. "/" .. (os.getenv "POSTMULTI_BUILD" or "build") .. "/postmulti-lua"

describe("loader", function()
  local scratch

  -- Run Lua in the host program, with the module at hand: standard output, and errors.
  local function run(chunk)
    local exit = assert(core.run({ host, "-e", "local loader, dir = require 'postmulti.loader', '" .. scratch .. "'\n"
      .. chunk }, { stdout = "capture", stderr = "capture", stdin = "null" }))
    return exit.stdout, exit.stderr
  end

  local function write(name, text)
    local file = assert(io.open(scratch .. "/" .. name, "w"))
    file:write(text)
    file:close()
  end

  local COMPILE = [[
    local text = assert(loader.compile(dir .. "/m.lua", "/installed/m.lua"))
    local file = io.open(dir .. "/m.luac", "w")
    file:write(text)
    file:close()
  ]]
  local LOAD = [[
    local func, compiled = loader.load(dir .. "/m.lua")
    print(func and func(), compiled)
  ]]

  before_each(function()
    scratch = os.tmpname()
    os.remove(scratch)
    assert(core.make_path(scratch))
    write("m.lua", "local answer = 42\nreturn answer\n")
  end)

  after_each(function()
    local directory, name = scratch:match "^(.*)/([^/]+)$"
    assert(core.remove_tree(directory, name))
  end)

  it("uses the compiled form of the very text", function()
    assert.equal("42\tfalse\n", (run(LOAD)))
    run(COMPILE)
    assert.equal("42\ttrue\n", (run(LOAD)))
  end)

  it("lets an edit take effect at once, whatever the times and the size", function()
    run(COMPILE)
    local stat = assert(core.stat(scratch .. "/m.lua"))
    write("m.lua", "local answer = 43\nreturn answer\n")
    assert(core.run({ "touch", "-d", "@" .. math.floor(stat.mtime), scratch .. "/m.lua", scratch .. "/m.luac" }, {}))
    assert.equal("43\tfalse\n", (run(LOAD)))
    write("m.lua", "local answer = 42\nreturn answer\n--\n")
    assert.equal("42\tfalse\n", (run(LOAD)))
    write("m.lua", "local answer = 42\nreturn answer")
    assert.equal("42\tfalse\n", (run(LOAD)))
  end)

  it("takes no compiled form that is damaged, of another library, or that somebody else can write", function()
    run(COMPILE)
    local file = assert(io.open(scratch .. "/m.luac"))
    local text = file:read "a"
    file:close()
    for _, damaged in ipairs {
      "", text:sub(1, 30), text:sub(1, 60), text:sub(1, 100), (text:gsub("Lua 5", "Lua 4", 1)), "\27Lua", text:sub(2),
    } do
      write("m.luac", damaged)
      assert.equal("42\tfalse\n", (run(LOAD)))
    end
    write("m.luac", text)
    assert(core.run({ "chmod", "666", scratch .. "/m.luac" }, {}))
    assert.equal("42\tfalse\n", (run(LOAD)))
    assert(core.run({ "chmod", "644", scratch .. "/m.luac" }, {}))
    assert.equal("42\ttrue\n", (run(LOAD)))
  end)

  it("keeps the lines that tracebacks tell, and nothing of the names of locals", function()
    write("m.lua", "local function deep()\n  error 'oops'\nend\n\nlocal function deeper()\n  return (deep())\nend\n"
      .. "deeper()\n")
    run(COMPILE)
    local _, err = run "loader.load(dir .. '/m.lua')()"
    assert.matches("/installed/m.lua:2: oops", err, 1, true)
    assert.matches("/installed/m.lua:6: in", err, 1, true)
    assert.matches("/installed/m.lua:8: in", err, 1, true)
    local file = assert(io.open(scratch .. "/m.luac"))
    local text = file:read "a"
    file:close()
    assert.equal(2, select(2, text:gsub("deeper", ""))) -- in the text of the source
  end)

  it("loads all that a function can consist of, compiled, as it does the source", function()
    write("m.lua", [[
      local long = ("x"):rep(50) .. "a constant of more than forty bytes, so that it is a long string of Lua's"
      local t <close> = setmetatable({}, { __close = function() end })
      local function count(n, ...)
        local function inner() return n, long end
        if n == 0 then return inner, ... end
        return count(n - 1, 1.5, -7, 0x7fffffffffffffff, nil, true, false, ...)
      end
      local out = {}
      for _, v in ipairs { select("#", count(2, "end")), (count(1))() } do out[#out + 1] = tostring(v) end
]] .. ("\n"):rep(500) .. [[
      return table.concat(out, " ") .. debug.getinfo(1, "l").currentline .. debug.getinfo(1, "S").what
    ]])
    local text = run(LOAD):gsub("false\n$", "true\n")
    assert.matches("^14 0 .*510main\ttrue\n$", text)
    run(COMPILE)
    assert.equal(text, (run(LOAD)))
  end)

  it("tells why a source does not compile, or cannot be read", function()
    write("m.lua", "x =\n")
    assert.matches("m.lua:2: unexpected symbol", (run "print(loader.compile(dir .. '/m.lua', 'm.lua'))"), 1, true)
    assert.matches("^nil\t.*No such file", (run "print(loader.compile(dir .. '/none.lua', 'm.lua'))"))
    assert.matches("^nil\t.*none.lua", (run "print(loader.load(dir .. '/none.lua'))"))
  end)
end)

describe("prefetch", function()
  it("may be given anything that read_parameters may, and be closed at any time", function()
    for _, list in ipairs { {}, { "/nonexistent" }, { "/dev", "/tmp", "/etc/passwd", "/proc/self" } } do
      local handle <close> = core.prefetch(list, "/main.cf")
      assert.equal("userdata", type(handle))
    end
    assert.has_error(function() core.prefetch({ {} }, "") end)
    assert.has_error(function() core.prefetch("x", "") end)
  end)
end)
