--- The environment that a hook or a command of the site runs in: globals and standard libraries of its own.
--
-- What it changes there, nobody else sees. This guards against accidents, not against malice: the file is trusted.

local guard = require "postmulti.guard"

local M = {}

local LIBRARIES = { "string", "table", "math", "utf8", "os", "io", "coroutine" }
local FUNCTIONS = {
  "assert", "error", "getmetatable", "ipairs", "next", "pairs", "pcall", "print", "rawequal", "rawget", "rawlen",
  "rawset", "select", "setmetatable", "tonumber", "tostring", "type", "warn", "xpcall", "_VERSION",
}

local function copy(source)
  local result = {}
  for name, value in pairs(source) do
    result[name] = value
  end
  return result
end

---One argument for the shell.
---@param word string
---@return string
function M.quote(word)
  return "'" .. word:gsub("'", "'\\''") .. "'"
end

---@class postmulti.Shell  how the code's children are started
---@field execute fun(command: string): postmulti.Exit
---@field prefix fun(): string   what goes before a command of io.popen

---os and io: no way out of the program, and children with the time limit and the right to work within our lock.
---@param environment table
---@param shell postmulti.Shell
local function guard_children(environment, shell)
  function environment.os.exit()
    error("os.exit: a hook or command cannot end the program; raise an error, or return", 2)
  end
  function environment.os.execute(command)
    if command == nil then
      return true
    end
    local exit = shell.execute(command)
    if exit.signal then
      return nil, "signal", exit.signal
    end
    return exit.status == 0 or nil, "exit", exit.status
  end
  function environment.io.popen(command, mode)
    return io.popen(shell.prefix() .. M.quote(command), mode)
  end
end

---coroutine: the time limit applies in them, too.
local function guard_threads(environment)
  local create = coroutine.create
  function environment.coroutine.create(func)
    return guard.watch(create(func))
  end
  function environment.coroutine.wrap(func)
    local thread = guard.watch(create(func))
    return function(...)
      local result = table.pack(coroutine.resume(thread, ...))
      if not result[1] then
        error(result[2], 0)
      end
      return table.unpack(result, 2, result.n)
    end
  end
end

---What is one for the whole program: it stays what it is, or is put back.
local function guard_state(environment)
  local harmless = { collect = true, count = true, step = true, isrunning = true }
  function environment.collectgarbage(option, ...)
    return harmless[option or "collect"] and collectgarbage(option, ...) or 0
  end
  function environment.math.randomseed(...)
    guard.seeded()
    return math.randomseed(...)
  end
end

---Is a module one that the program itself needs?
local function is_ours(name)
  return name:find "^postmulti%f[%z.]" ~= nil or name:find "^posix%f[%z.]" ~= nil
end

---A module as code of the site gets it: what it changes in the table of one of ours is not changed for the program.
local function own_copy(name, module)
  if type(module) ~= "table" or not is_ours(name) then
    return module
  end
  return setmetatable(copy(module), getmetatable(module))
end

---require: modules that are loaded already are shared, ours as copies; others are looked for by this environment's own
---package.path, and what they define stays in it.
local function own_require(environment)
  local package = package
  environment.package = { path = package.path, cpath = package.cpath, config = package.config, loaded = {},
    searchpath = package.searchpath }
  function environment.require(name)
    local loaded = environment.package.loaded
    if loaded[name] == nil then
      local own = rawget(environment, name)
      if type(own) == "table" and _G[name] ~= nil then
        loaded[name] = own
      elseif package.loaded[name] ~= nil then
        loaded[name] = own_copy(name, package.loaded[name])
      else
        local path = package.searchpath(name, environment.package.path)
        local chunk = path and not is_ours(name) and assert(loadfile(path, "t", environment))
        local value
        if chunk then
          value = chunk(name, path)
        else
          value = require(name)
        end
        loaded[name] = value == nil and true or chunk and value or own_copy(name, value)
      end
    end
    return loaded[name]
  end
end

---A new environment.
---@param shell postmulti.Shell
---@return table
function M.new(shell)
  local environment = {}
  for _, name in ipairs(FUNCTIONS) do
    environment[name] = _G[name]
  end
  for _, name in ipairs(LIBRARIES) do
    environment[name] = copy(_G[name])
  end
  environment.debug = { traceback = debug.traceback, getinfo = debug.getinfo }
  environment._G = environment
  -- Methods of strings are those of the one real library: it is not handed out.
  function environment.getmetatable(value)
    return type(value) == "string" and { __index = environment.string } or getmetatable(value)
  end
  function environment.load(chunk, name, mode, env)
    return load(chunk, name, mode or "t", env == nil and environment or env)
  end
  function environment.loadfile(path, mode, env)
    return loadfile(path, mode or "t", env == nil and environment or env)
  end
  function environment.dofile(path)
    return assert(loadfile(path, "t", environment))()
  end
  guard_children(environment, shell)
  guard_threads(environment)
  guard_state(environment)
  own_require(environment)
  return environment
end

return M
