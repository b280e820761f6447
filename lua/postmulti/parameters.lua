-- postmulti.parameters - parameter values of the primary and of secondaries, as the stock programs see them
--
-- Two evaluators, as in Postfix: the primary's parameters are those of the
-- postmulti process (see postmulti.globals), a secondary's those that
-- "postconf -xc DIR" prints. No process is started for either, unless a value
-- refers to a built-in default that differs between releases; then
-- "postconf -d" is asked, once.
--
-- Every function takes the module postmulti.core, or a fake, as its first
-- argument. What a file refuses comes back as  nil, reason, kind ; the kinds are
-- those of core.read_parameters, "invalid" for a value that cannot be used,
-- "defaults" when postconf could not be asked, and "unknown".

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
local function expand(core, value, lookup)
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
local function default_hostname(core, settings, evaluate)
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

local function default_domain(core, settings, evaluate)
  local hostname, reason, kind
  if settings.myhostname then
    hostname, reason, kind = evaluate(settings.myhostname)
  else
    hostname, reason, kind = default_hostname(core, settings, evaluate)
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
  local list = {}
  for word in value:gmatch "[^, \t\r\n]+" do
    list[#list + 1] = word
  end
  return list
end

-- yes or no in any case: true, false; anything else: nil.
local function to_boolean(value)
  value = value:lower()
  if value == "yes" then
    return true
  elseif value == "no" then
    return false
  end
  return nil
end

------------------------------------------------------------------ the secondary

local SECONDARY = {
  "queue_directory", "data_directory", "multi_instance_name", "multi_instance_group", "multi_instance_enable",
}

-- The lookup of "postconf -xc DIR": everything that main.cf sets, all defaults.
local function postconf_lookup(core, config_directory, settings, defaults)
  local function set_only(value)
    return expand(core, value, function(name) return settings[name] end)
  end
  return function(name)
    if name == "process_name" then
      return "postconf"
    elseif settings[name] then
      return settings[name]
    elseif name == "config_directory" then
      return config_directory
    elseif name == "mydomain" then
      return default_domain(core, settings, set_only)
    elseif name == "myhostname" then
      return default_hostname(core, settings, set_only)
    elseif name == "" then
      return nil
    end
    return defaults:get(name)
  end
end

---@class postmulti.Secondary
---@field queue_directory string
---@field data_directory string
---@field multi_instance_name string|nil    nil: it has none
---@field multi_instance_group string|nil   nil: it has none
---@field multi_instance_enable boolean

-- A value as it can be shown in a message.
local function shown(value)
  value = value:gsub("%c", "?")
  return #value > 200 and value:sub(1, 200) .. "..." or value
end

-- One line on a value that cannot be used; the file is read again to name the line.
local function complain(core, path, name, value, why)
  local line
  local text = core.read_file(path)
  for _, setting in ipairs(text and core.parse_main(text) or {}) do
    line = setting.name == name and setting.line or line
  end
  local where = line and ("%s, line %d"):format(path, line) or path
  return ("%s: %s = %s: %s"):format(where, name, shown(value), why)
end

-- Evaluate the five of a secondary from its settings. Returns what can be told, then reason and kind of what cannot.
local function evaluate_secondary(core, config_directory, settings, defaults)
  local values, reason, kind = {}, nil, nil
  local lookup = postconf_lookup(core, config_directory, settings, defaults)
  local path = config_directory .. "/main.cf"
  for _, name in ipairs(SECONDARY) do
    local raw = settings[name] or defaults:get(name)
    local value, why, what = expand(core, raw, lookup)
    if value then
      value = core.squeeze(value)
      values[name] = value
    elseif not reason then
      reason, kind = complain(core, path, name, raw, why), what
    end
  end
  local enable = values.multi_instance_enable
  if enable then
    values.multi_instance_enable = to_boolean(enable)
    if values.multi_instance_enable == nil and not reason then
      reason, kind = complain(core, path, "multi_instance_enable", enable, "neither yes nor no"), "invalid"
    end
  end
  for _, name in ipairs { "multi_instance_name", "multi_instance_group" } do
    values[name] = values[name] ~= "" and values[name] or nil
  end
  return values, reason, kind
end

-- Does any of the five need more of the file than itself?
local function has_expression(settings)
  for _, name in ipairs(SECONDARY) do
    if settings[name] and settings[name]:find("$", 1, true) then
      return true
    end
  end
  return false
end

---The identity of a secondary, as `postconf -xc DIR` prints it; no process is started for it. Only the values
---needed are looked at: an unusable value elsewhere in the file does not matter.
---@param core postmulti.core
---@param config_directory string
---@param defaults postmulti.Defaults
---@return postmulti.Secondary|nil
---@return postmulti.Remark[]|string remarks or the reason, one line that names the file
---@return string? kind       of core.read_parameters; "invalid": a value that cannot be used; "defaults"
---@return postmulti.Secondary? partial  for "malformed", "invalid" and "defaults": what can be told, the rest is absent
function M.secondary(core, config_directory, defaults)
  local path = config_directory .. "/main.cf"
  local settings, remarks, _, kind, partial = core.read_parameters(path, SECONDARY)
  if settings and has_expression(settings) then
    settings, remarks, _, kind, partial = core.read_parameters(path)
  end
  if not settings then
    if partial and has_expression(partial) then
      partial = select(5, core.read_parameters(path)) or partial
    end
    return nil, remarks, kind, partial and evaluate_secondary(core, config_directory, partial, defaults) or nil
  end
  local values, reason, what = evaluate_secondary(core, config_directory, settings, defaults)
  if reason then
    return nil, reason, what, values
  end
  return values, remarks
end

---The value of any parameter as `postconf -h -c DIR NAME` prints it, with `expand` as `postconf -hx` does. A name that
---main.cf sets is always known.
---@param core postmulti.core
---@param config_directory string
---@param name string
---@param options { expand: boolean? }?
---@param defaults postmulti.Defaults?  for many calls: shared, so that postconf(1) is asked once at most
---@return string|nil value
---@return string? reason
---@return string? kind  also "unknown": main.cf does not set it and Postfix has no such parameter
function M.get(core, config_directory, name, options, defaults)
  local path = config_directory .. "/main.cf"
  local settings, reason, _, kind = core.read_parameters(path)
  if not settings then
    return nil, reason, kind
  end
  local lookup = postconf_lookup(core, config_directory, settings, defaults or M.defaults(core))
  local raw, why, what = lookup(name)
  if not raw then
    if why then
      return nil, why, what or "defaults"
    end
    return nil, ("%s: unknown parameter %s"):format(path, name), "unknown"
  end
  if not (options and options.expand) or globals.raw[name] then
    return core.squeeze(raw)
  end
  local value
  value, why, what = expand(core, raw, lookup)
  if not value then
    return nil, complain(core, path, name, raw, why), what
  end
  return core.squeeze(value)
end

---Expand a value as `postconf -xc DIR` would in a main.cf of this text.
---@param core postmulti.core
---@param config_directory string
---@param text string
---@param value string
---@param defaults postmulti.Defaults
---@return string|nil value
---@return string? reason
function M.expand_in(core, config_directory, text, value, defaults)
  local settings = {}
  local list, reason = core.parse_main(text, config_directory .. "/main.cf")
  if not list then
    return nil, reason --[[@as string]]
  end
  for _, setting in ipairs(list) do
    settings[setting.name] = setting.value
  end
  return expand(core, value, postconf_lookup(core, config_directory, settings, defaults))
end

-------------------------------------------------------------------- the primary

-- name -> { step, type, limits }, and all names in the order of evaluation
local STEP, ORDER = {}, {}
for _, step in ipairs(globals.steps) do
  for name in step[3]:gmatch "%S+" do
    STEP[name] = step
    ORDER[#ORDER + 1] = name
  end
end

---@class postmulti.PrimaryEvaluator
---@field core postmulti.core
---@field config_directory string
---@field settings table<string, string>
---@field defaults postmulti.Defaults
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
  return expand(self.core, value, function(name) return self:lookup(name, number) end)
end

-- The default of a parameter that the process evaluates, not expanded.
function Evaluator:default(name)
  if name == "config_directory" then
    return self.config_directory
  elseif name == "mydomain" or name == "myhostname" then
    local compute = name == "mydomain" and default_domain or default_hostname
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
  return self:expand(raw, number or STEP[name][1])
end

-------------------------------------------- what the process refuses in a value
-- Each check gets the evaluator, name, value and limits; it returns nil, or what is wrong.

local check = {}

function check.string()
  return nil
end

function check.text(_, _, value)
  return value == "" and "must not be empty" or nil
end

function check.boolean(_, _, value)
  return to_boolean(value) == nil and "neither yes nor no" or nil
end

-- Text of the limits of a number.
local function range(limits)
  if limits.min > -0x80000000 and limits.max < 0x7fffffff then
    return ("from %d to %d"):format(limits.min, limits.max)
  elseif limits.min > -0x80000000 then
    return ("at least %d"):format(limits.min)
  end
  return limits.max < 0x7fffffff and ("at most %d"):format(limits.max) or "within the range of the type"
end

-- A decimal integer, or nil; without wrapping around.
local function to_integer(digits)
  local sign, magnitude = digits:match "^([+-]?)0*(%d+)$"
  return magnitude and math.tointeger(tonumber((sign == "-" and "-" or "") .. magnitude))
end

function check.number(_, _, value, limits)
  local number = to_integer(value)
  if not value:find "^[+-]?%d+$" then
    return "not a whole number"
  elseif not number or number < limits.min or number > limits.max then
    return "must be " .. range(limits)
  end
  return nil
end

local UNIT = { s = 1, m = 60, h = 3600, d = 86400, w = 604800 }

-- Seconds of a time, or nil. As in Postfix, the number may be missing ("s" is 0), and what follows the unit does not
-- count.
local function to_seconds(value)
  local digits, unit = value:match "^([+-]?%d*)(.?)"
  if not (UNIT[unit] or (unit == "" and digits ~= "")) then
    return nil
  end
  return (tonumber(digits) or 0.0) * (UNIT[unit] or 1.0)
end

function check.time(_, _, value, limits)
  local seconds = to_seconds(value)
  if not seconds or seconds < 0 or seconds > 0x7fffffff then
    return "not a time: a number and one of s m h d w"
  elseif seconds < limits.min or seconds > limits.max then
    return ("must be %s seconds"):format(range(limits))
  end
  return nil
end

local function is_level(core, value)
  return not value:find("$", 1, true) and core.expand("${{$v} >=level {0}}", { v = value }) ~= nil
end

-- The level is looked at first of all, and again by defaults such as that of smtputf8_enable.
function check.level(evaluator, name, value)
  local later = evaluator:value(name, STEP.import_environment[1])
  if not is_level(evaluator.core, value) or not later or not is_level(evaluator.core, later) then
    return "not a compatibility level (N, N.N or N.N.N)"
  end
  return nil
end

local FACILITIES = " auth authpriv cron daemon ftp kern lpr mail news syslog user uucp local0 local1 local2 local3"
  .. " local4 local5 local6 local7 "

function check.facility(_, _, value)
  local is_known = not value:find " " and FACILITIES:find(" " .. value .. " ", 1, true)
  return not is_known and "not a syslog facility" or nil
end

function check.protocols(_, _, value)
  for _, word in ipairs(M.split(value)) do
    if word ~= "all" and word ~= "ipv4" and word ~= "ipv6" then
      return "must be a list of all, ipv4, ipv6"
    end
  end
  return nil
end

function check.style(_, _, value)
  local words = M.split(value)
  local is_known = #words == 1 and (words[1] == "class" or words[1] == "subnet" or words[1] == "host")
  return not is_known and "must be one of class, subnet, host" or nil
end

function check.maillog(evaluator, _, value)
  if value == "" then
    return nil
  end
  local prefixes, reason = evaluator:value "maillog_file_prefixes"
  if not prefixes then
    return reason
  end
  for _, prefix in ipairs(M.split(prefixes)) do
    if value:sub(1, #prefix) == prefix then
      return nil
    end
  end
  return ("begins with none of maillog_file_prefixes (%s)"):format(prefixes)
end

-- Is this acceptable as a host or domain name? "1.2.3" is not.
local function is_hostname(value)
  if #value == 0 or #value > 255 or value:find "[^%w_.%-\x80-\xff]" or not value:find "[^%d.]" then
    return false
  end
  for label in (value .. "."):gmatch "([^.]*)%." do
    if #label == 0 or #label > 63 or label:find "^%-" or label:find "%-$" or label:find "[\x80-\xff]" then
      return false
    end
  end
  return true
end

function check.domain(evaluator, name, value)
  if not is_hostname(value) then
    return "not a valid host or domain name"
  end
  local other = name == "mydomain" and "myhostname" or "mydomain"
  if not evaluator.settings[other] then -- computed from this one
    local computed, reason = evaluator:value(other)
    if not computed then
      return reason
    elseif not is_hostname(computed) then
      return ("makes %s = %s, not a valid name"):format(other, computed)
    end
  end
  return nil
end

function check.origin(evaluator, _, value)
  if value == "" then
    return "must not be empty"
  elseif value:sub(1, 1) ~= "/" then
    return nil
  end
  local text, reason = evaluator.core.read_file(value)
  if not text then
    return reason
  end
  return text == "" and "the file is empty" or nil
end

function check.verp(evaluator)
  local pair, reason = evaluator:value "default_verp_delimiters"
  local filter = evaluator:value "verp_delimiter_filter"
  if not pair or not filter then
    return reason or "cannot be evaluated"
  elseif #pair ~= 2 then
    return "default_verp_delimiters must be two characters"
  end
  for character in pair:gmatch "." do
    if not filter:find(character, 1, true) then
      return ("default_verp_delimiters = %s: %s is not in verp_delimiter_filter = %s"):format(pair, character, filter)
    end
  end
  return nil
end

-- Password and group file, where luaposix is there to read them.
local function accounts()
  local has_users, pwd = pcall(require, "posix.pwd")
  local has_groups, grp = pcall(require, "posix.grp")
  if has_users and has_groups then
    return pwd, grp
  end
  return nil
end

local function check_user(pwd, user)
  local entry = pwd.getpwnam(user)
  if not entry then
    return nil, "no such user"
  elseif entry.pw_uid == 0 then
    return nil, "the user has the user ID of root"
  elseif entry.pw_gid == 0 then
    return nil, "the user has the group ID of root"
  end
  return entry
end

local function check_mail_owner(pwd, user)
  local entry, why = check_user(pwd, user)
  local first = entry and pwd.getpwuid(entry.pw_uid)
  if first and first.pw_name ~= user then
    return nil, ("the user has the same user ID as %s"):format(first.pw_name)
  end
  return entry, why
end

local function check_setgid_group(grp, group)
  local entry = grp.getgrnam(group)
  if not entry then
    return nil, "no such group"
  elseif entry.gr_gid == 0 then
    return nil, "the group has the group ID of root"
  end
  local first = grp.getgrgid(entry.gr_gid)
  if first and first.gr_name ~= group then
    return nil, ("the group has the same group ID as %s"):format(first.gr_name)
  end
  return entry
end

-- The three accounts must exist and be different ones; those not set are looked at only to be compared.
function check.account(evaluator, name, value)
  if value == "" then
    return "must not be empty"
  end
  local pwd, grp = accounts()
  if not pwd then
    return nil
  end
  local found, why = {}, {}
  found.mail_owner, why.mail_owner = check_mail_owner(pwd, evaluator:value "mail_owner" or "")
  found.setgid_group, why.setgid_group = check_setgid_group(grp, evaluator:value "setgid_group" or "")
  found.default_privs, why.default_privs = check_user(pwd, evaluator:value "default_privs" or "")
  local owner, group, privs = found.mail_owner, found.setgid_group, found.default_privs
  if why[name] then
    return why[name]
  elseif owner and privs and owner.pw_uid == privs.pw_uid then
    return "mail_owner and default_privs are the same user"
  elseif owner and group and owner.pw_gid == group.gr_gid then
    return "mail_owner and setgid_group have the same group ID"
  elseif privs and group and privs.pw_gid == group.gr_gid then
    return "default_privs and setgid_group have the same group ID"
  end
  return nil
end

-- Refuse what the process would refuse in the parameters that main.cf sets, and in the one default that they can spoil:
-- reason, kind; or nothing.
local function refusal(evaluator, path)
  for _, name in ipairs(ORDER) do
    local raw = evaluator.settings[name] or (name == "syslog_name" and globals.defaults[name])
    if raw then
      local step = STEP[name]
      local value, why, kind = evaluator:value(name)
      local wrong = value and check[step[2]](evaluator, name, value, step)
      if wrong and (step[2] == "boolean" or step[2] == "number") and raw:find("$", 1, true) then
        -- Of two such parameters of one step, which the table does not tell apart, one may see the other.
        local all = evaluator:value(name, step[1] + 1)
        wrong = (not all or check[step[2]](evaluator, name, all, step)) and wrong
      end
      if not value or wrong then
        return complain(evaluator.core, path, name, value or raw, wrong or why), kind or "invalid"
      end
    end
  end
  return nil
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
function M.primary(core, config_directory, defaults)
  local path = config_directory .. "/main.cf"
  local settings, remarks, _, kind = core.read_parameters(path)
  if not settings then
    return nil, remarks, kind
  end
  local evaluator = setmetatable({
    core = core, config_directory = config_directory, settings = settings, defaults = defaults or M.defaults(core),
  }, Evaluator)
  local reason, what = refusal(evaluator, path)
  if reason then
    return nil, reason, what
  end
  local values = {}
  for _, name in ipairs(PRIMARY) do
    values[name], reason, what = evaluator:value(name)
    if not values[name] then
      return nil, complain(core, path, name, settings[name] or "", reason), what
    end
  end
  local enable = evaluator:value "multi_instance_enable"
  values.multi_instance_enable = to_boolean(enable) or false
  values.multi_instance_group = values.multi_instance_group ~= "" and values.multi_instance_group or nil
  values.multi_instance_name = values.multi_instance_name ~= "" and values.multi_instance_name or nil
  values.import_environment = settings.import_environment and evaluator:value "import_environment"
  values.config_directory = config_directory
  values.secondaries = M.split(values.multi_instance_directories)
  values.settings = settings
  return values, remarks
end

return M
