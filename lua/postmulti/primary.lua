-- postmulti.primary - the primary's parameters as the stock postmulti(1) process has them: see postmulti.globals

local evaluation = require "postmulti.evaluation"
local globals = require "postmulti.globals"

local M = {}

-- name -> its row of globals.steps, found when it is asked for: a start asks for few
local STEP = setmetatable({}, {
  __index = function(found, name)
    local steps = globals.steps
    for number = 1, #steps do
      local step = steps[number]
      for index = 3, #step do
        if step[index] == name then
          found[name] = step
          return step
        end
      end
    end
  end,
})

---@class postmulti.PrimaryEvaluator
---@field core postmulti.core
---@field config_directory string
---@field settings table<string, string>
---@field defaults postmulti.Defaults
---@field known table<string, string>  values that are evaluated and accepted
local Evaluator = {}
Evaluator.__index = Evaluator

-- What $name sees in a value that is evaluated in step `number`.
function Evaluator:lookup(name, number)
  if self.settings[name] then
    return self.settings[name]
  end
  local step = STEP[name]
  if not step or step[1] >= number then
    return nil
  end
  return self:default(name)
end

function Evaluator:expand(value, number)
  return evaluation.expand(self.core, value, function(name) return self:lookup(name, number) end)
end

-- The default of a parameter that the process evaluates, not expanded.
function Evaluator:default(name)
  if name == "config_directory" then
    return self.config_directory
  elseif name == "mydomain" or name == "myhostname" then
    local compute = name == "mydomain" and evaluation.default_domain or evaluation.default_hostname
    return compute(self.core, self.settings, function(value) return self:expand(value, STEP.myhostname[1]) end)
  end
  return self.defaults:get(name)
end

---The value of a parameter as the process has it.
---@param name string  one of postmulti.globals
---@param number number?  of the step, default: that of the name
---@return string|nil
---@return string? reason
---@return string? kind
function Evaluator:value(name, number)
  local raw = self.settings[name]
  if not raw then
    local reason, kind
    raw, reason, kind = self:default(name)
    if not raw then
      return nil, reason or "no such parameter", kind or "defaults"
    end
  end
  if not raw:find("$", 1, true) then
    return raw
  end
  return self:expand(raw, number or STEP[name][1])
end

---The number of the step in which a parameter is evaluated.
---@param name string
---@return integer
function Evaluator:step(name) -- luacheck: no self
  return STEP[name][1]
end

-- Values that are right at first sight, by the type of their step: a primary as most needs no further check.
local RIGHT = {
  level = function(value) return value:find "^%d$" or value:find "^%d%.%d%d?$" end,
  protocols = function(value) return value == "all" or value == "ipv4" or value == "ipv6" end,
  boolean = function(value) return value == "yes" or value == "no" end,
  -- The domain that is computed from it is one of the same kind.
  domain = function(value, name)
    return name == "myhostname" and #value < 64 and value:find "^%a%w*%.%a%w*%.%a%w*$"
  end,
}

-- What is wrong with a value, by the type of its step; nil: nothing. `raw` is what main.cf says.
local function wrong_value(evaluator, name, value, step, raw)
  local type = step[2]
  if type == "string" then
    return nil
  elseif type == "text" then
    return value == "" and "must not be empty" or nil
  elseif value == raw and RIGHT[type] and RIGHT[type](value, name) then
    return nil
  end
  return require("postmulti.check")[type](evaluator, name, value, step)
end

-- What the process would refuse in the value of a parameter, main.cf's or the default: reason, kind; or nothing.
local function refused_value(evaluator, path, name, step, raw)
  local value, why, kind = evaluator:value(name, step[1])
  local wrong = value and wrong_value(evaluator, name, value, step, raw)
  if wrong and (step[2] == "boolean" or step[2] == "number") and raw:find("$", 1, true) then
    -- Of two such parameters of one step, which the table does not tell apart, one may see the other.
    local all = evaluator:value(name, step[1] + 1)
    wrong = (not all or wrong_value(evaluator, name, all, step, raw)) and wrong
  end
  if not value or wrong then
    return evaluation.complain(evaluator.core, path, name, value or raw, wrong or why), kind or "invalid"
  end
  evaluator.known[name] = value
end

-- Refuse what the process would refuse in the parameters that main.cf sets, and in the one default that they can spoil:
-- reason, kind; or nothing.
local function refusal(evaluator, path)
  local steps, settings = globals.steps, evaluator.settings
  for number = 1, #steps do
    local step = steps[number]
    for index = 3, #step do
      local name = step[index]
      local raw = settings[name] or (name == "syslog_name" and globals.defaults[name])
      if raw then
        local reason, kind = refused_value(evaluator, path, name, step, raw)
        if reason then
          return reason, kind
        end
      end
    end
  end
end

local PRIMARY = {
  "alternate_config_directories", "command_directory", "daemon_directory", "data_directory", "mail_owner",
  "maillog_file", "meta_directory", "multi_instance_directories", "multi_instance_group", "multi_instance_name",
  "multi_instance_wrapper", "myhostname", "postlog_service_name", "postmulti_control_commands",
  "postmulti_start_commands", "postmulti_stop_commands", "queue_directory", "setgid_group", "shlib_directory",
  "syslog_facility", "syslog_name",
}

---The primary's parameters as the postmulti process has them. Blanks are kept as main.cf has them.
---@class postmulti.Primary
---@field alternate_config_directories string
---@field command_directory string
---@field config_directory string           the directory asked for, whatever main.cf says
---@field daemon_directory string
---@field data_directory string
---@field import_environment string|nil     nil: main.cf does not set it
---@field mail_owner string
---@field maillog_file string
---@field meta_directory string
---@field multi_instance_directories string
---@field multi_instance_enable boolean     as set; the rule for a primary without secondaries is not applied
---@field multi_instance_group string|nil   nil: it has none
---@field multi_instance_name string|nil    nil: it has none
---@field multi_instance_wrapper string
---@field myhostname string
---@field postlog_service_name string
---@field postmulti_control_commands string
---@field postmulti_start_commands string
---@field postmulti_stop_commands string
---@field queue_directory string
---@field secondaries string[]              multi_instance_directories, split
---@field setgid_group string
---@field settings table<string, string>    all that main.cf sets, not expanded
---@field shlib_directory string
---@field syslog_facility string
---@field syslog_name string

---Read the primary. Refuses what stops the stock command at its start: an unusable file, a malformed expression or a
---value of the wrong type in a parameter that the process evaluates.
---@param core postmulti.core
---@param config_directory string
---@param defaults postmulti.Defaults?
---@return postmulti.Primary|nil
---@return postmulti.Remark[]|string remarks  for the caller to print, or the reason
---@return string? kind  of core.read_parameters; "invalid": a value that cannot be used; "defaults"
function M.read(core, config_directory, defaults)
  local path = config_directory .. "/main.cf"
  local settings, remarks, _, kind = core.read_parameters(path)
  if not settings then
    return nil, remarks, kind
  end
  local evaluator = setmetatable({
    core = core, config_directory = config_directory, settings = settings, known = {},
    defaults = defaults or evaluation.defaults(core),
  }, Evaluator)
  local reason, what = refusal(evaluator, path)
  if reason then
    return nil, reason, what
  end
  local values = {}
  for index = 1, #PRIMARY do
    local name = PRIMARY[index]
    local value = evaluator.known[name]
    if not value then
      value, reason, what = evaluator:value(name)
      if not value then
        return nil, evaluation.complain(core, path, name, settings[name] or "", reason), what
      end
    end
    values[name] = value
  end
  local enable = evaluator:value "multi_instance_enable"
  values.multi_instance_enable = evaluation.to_boolean(enable) or false
  values.multi_instance_group = values.multi_instance_group ~= "" and values.multi_instance_group or nil
  values.multi_instance_name = values.multi_instance_name ~= "" and values.multi_instance_name or nil
  values.import_environment = settings.import_environment and evaluator:value "import_environment"
  values.config_directory = config_directory
  values.secondaries = evaluation.split(values.multi_instance_directories)
  values.settings = settings
  return values, remarks
end

return M

