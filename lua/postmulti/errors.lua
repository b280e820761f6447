--- Errors of the public API: values with a kind, a message of one line, and the instance concerned.
--
-- Everything that the public API refuses is raised as such a value; tostring() gives the message. Wrong use of a
-- function (a bad argument type) is a plain Lua error instead.

local log = require "postmulti.log"

local M = {}

---@alias postmulti.Kind
---| "usage"      # the request itself is wrong: option, operand, name, path
---| "not found"  # no such instance
---| "conflict"   # a name or directory that another instance has
---| "refused"    # the instance's state forbids it: running, enabled, mail in a queue
---| "damaged"    # a configuration file that cannot be used
---| "changed"    # another program changed the file meanwhile; run the command again
---| "system"     # the operating system refused; `errno` tells why
---| "unsafe"     # done, but not known to be on disk
---| "untrusted"  # a hook, command or config.lua of the site that is not loaded: others can write it, or it is wrong
---| "vetoed"     # a before_* hook refused; nothing was changed
---| "hook"       # an after_* hook failed: create is undone, any other action is done
---| "interrupted" # by a signal

---@class postmulti.Error
---@field kind postmulti.Kind
---@field message string
---@field instance string?  configuration directory of the instance concerned
---@field errno integer?
local Error = {}
Error.__index = Error
Error.__name = "postmulti.Error"

function Error:__tostring()
  return self.message
end

---@param kind postmulti.Kind
---@param message string  becomes one line: what it quotes may have control characters
---@param fields { instance: string?, errno: integer? }?
---@return postmulti.Error
function M.new(kind, message, fields)
  local self = setmetatable({ kind = kind, message = log.printable(message) }, Error)
  for name, value in pairs(fields or {}) do
    self[name] = value
  end
  return self
end

---Make an error and raise it.
---@param kind postmulti.Kind
---@param message string
---@param fields { instance: string?, errno: integer? }?
function M.throw(kind, message, fields)
  error(M.new(kind, message, fields), 0)
end

---Raise an error whose message is made by string.format.
---@param kind postmulti.Kind
---@param format string
---@param ... any
function M.raise(kind, format, ...)
  M.throw(kind, format:format(...))
end

---Pass results through, or raise what a core function refused (nil, reason, errno).
---@generic T
---@param value T|nil
---@param reason string?
---@param errno integer?
---@param ... any
---@return T, any...
function M.check(value, reason, errno, ...)
  if value == nil then
    M.throw("system", reason or "unknown failure", { errno = errno })
  end
  return value, reason, errno, ...
end

local ENOENT, EACCES, ENOTDIR = 2, 13, 20

---Pass on what core.stat, list or read_file found, or nil when there is no such thing; raise when that cannot be told.
---@generic T
---@param value T|nil
---@param reason string?
---@param errno integer?
---@return T|nil
function M.if_exists(value, reason, errno)
  if value == nil and errno ~= ENOENT and errno ~= ENOTDIR then
    M.throw("system", reason or "unknown failure", { errno = errno })
  end
  return value
end

---The same for what its owner may keep from ordinary users: for them it is as if it were not there.
---@generic T
---@param core postmulti.core
---@param value T|nil
---@param reason string?
---@param errno integer?
---@return T|nil
function M.if_shown(core, value, reason, errno)
  if value == nil and errno == EACCES and core.effective_uid() ~= 0 then
    return nil
  end
  return M.if_exists(value, reason, errno)
end

---Message handler: keep errors of ours as they are, give a script's own bugs their traceback.
---@param problem any
---@return any
function M.with_traceback(problem)
  if type(problem) == "string" and not problem:find("\nstack traceback:\n", 1, true) then
    return debug.traceback(problem, 2)
  end
  return problem
end

---Is VALUE an error of ours?
---@param value any
---@return boolean
function M.is(value)
  local meta = getmetatable(value)
  -- The C core makes those of signals.
  return meta == Error or type(meta) == "table" and meta.__name == Error.__name
end

return M
