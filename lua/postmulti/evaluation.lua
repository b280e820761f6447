-- postmulti.evaluation - what the evaluators of a main.cf share: built-in defaults, expansion, kinds of value
--
-- What cannot be evaluated comes back as  nil, reason, kind : see postmulti.parameters.

local globals = require "postmulti.globals"

local M = {}

local POSTCONF_TIME = 30 -- seconds

---Built-in defaults, shared by all instances of a run.
---@class postmulti.Defaults
---@field private core postmulti.core
---@field private command_directory string
---@field private listed table<string, string>|nil  what postconf -d prints
---@field private reason string|nil                 why it could not be asked
local Defaults = {}
Defaults.__index = Defaults

---@param core postmulti.core
---@param command_directory string?  where postconf(1) is, default core.build.command_directory
---@return postmulti.Defaults
function M.defaults(core, command_directory)
  return setmetatable({ core = core, command_directory = command_directory or core.build.command_directory }, Defaults)
end

---@private
function Defaults:ask()
  local program = self.command_directory .. "/postconf"
  local exit, reason = self.core.run({ program, "-d" }, {
    environment = { PATH = "/usr/bin:/bin", LC_ALL = "C" },
    keep_environment = {},
    stdin = "null",
    stdout = "capture",
    stderr = "null",
    time_limit = POSTCONF_TIME,
  })
  if not exit then
    return nil, reason
  elseif exit.status ~= 0 then
    return nil, ("%s -d: %s"):format(program, exit.timed_out and "no answer" or "failed")
  end
  local listed = {}
  for name, value in exit.stdout:gmatch "([^\n]-) = ?([^\n]*)\n" do
    listed[name] = value
  end
  return listed
end

---The default of a built-in parameter, not expanded. Not for what depends on an instance (mydomain and so on).
---@param name string
---@return string|nil value  nil: no such parameter
---@return string? reason    postconf(1) would have been needed and could not be asked
function Defaults:get(name)
  local value = globals.defaults[name] or (globals.built[name] and self.core.build[name])
  if value then
    return value
  end
  if not self.listed and not self.reason then
    self.listed, self.reason = self:ask()
  end
  if not self.listed then
    return nil, self.reason or "postconf -d failed"
  end
  return self.listed[name]
end

------------------------------------------------------------------- evaluation

-- Expand `value`; `lookup` may return nil, reason to stop with that reason.
function M.expand(core, value, lookup)
  if not value:find("$", 1, true) then
    return value
  end
  local failure
  local expanded, reason = core.expand(value, function(name)
    local found, why = lookup(name)
    failure = failure or why
    return found
  end)
  if failure then
    return nil, failure, "defaults"
  elseif not expanded then
    return nil, reason, "invalid"
  end
  return expanded
end

-- What follows the first dot of a host name.
local function domain_of(hostname)
  return hostname:match "%.(.*)" or "localdomain"
end

-- The defaults of myhostname and mydomain depend on each other. `evaluate` expands a value with what is known when they
-- are computed.
function M.default_hostname(core, settings, evaluate)
  local node = core.hostname()
  if node:find(".", 1, true) then
    return node
  end
  if not settings.mydomain then
    return node .. ".localdomain"
  end
  local domain, reason, kind = evaluate(settings.mydomain)
  if not domain then
    return nil, reason, kind
  end
  return node .. "." .. domain
end

function M.default_domain(core, settings, evaluate)
  local hostname, reason, kind
  if settings.myhostname then
    hostname, reason, kind = evaluate(settings.myhostname)
  else
    hostname, reason, kind = M.default_hostname(core, settings, evaluate)
  end
  if not hostname then
    return nil, reason, kind
  end
  return domain_of(hostname)
end

---Split a list as Postfix does: at commas and blanks; empty elements vanish.
---@param value string
---@return string[]
function M.split(value)
  local list, count, word = {}, 0, "[^, \t\r\n]+"
  if not (value:find(",", 1, true) or value:find("\v", 1, true) or value:find("\f", 1, true)) then
    word = "%S+" -- the same, then, and faster
  end
  for one in value:gmatch(word) do
    count = count + 1
    list[count] = one
  end
  return list
end

-- yes or no in any case: true, false; anything else: nil.
function M.to_boolean(value)
  if value == "yes" or value == "no" then
    return value == "yes"
  end
  value = value:lower()
  if value == "yes" or value == "no" then
    return value == "yes"
  end
  return nil
end

-- A value, or a reason that quotes one, as it can be shown in a message: in one line, and without its middle when it is
-- longer than `longest` bytes.
local function shown(text, longest)
  text = text:gsub("%c", "?")
  return #text > longest and text:sub(1, longest // 2) .. "..." .. text:sub(-longest // 2) or text
end

-- One line on a value that cannot be used; the file is read again to name the line.
function M.complain(core, path, name, value, why)
  local line
  local text = core.read_file(path)
  for _, setting in ipairs(text and core.parse_main(text) or {}) do
    line = setting.name == name and setting.line or line
  end
  local where = line and ("%s, line %d"):format(path, line) or path
  return ("%s: %s = %s: %s"):format(where, name, shown(value, 200), shown(why, 600))
end

return M
