-- postmulti.parameters - parameter values as postconf(1) sees them, those of secondaries above all
--
-- Two evaluators, as in Postfix: the primary's parameters are those of the
-- postmulti process (see postmulti.primary), a secondary's, here, those that
-- "postconf -xc DIR" prints. No process is started for either, unless a value
-- refers to a built-in default that differs between releases; then
-- "postconf -d" is asked, once.
--
-- Every function takes the module postmulti.core, or a fake, as its first
-- argument. What a file refuses comes back as  nil, reason, kind ; the kinds are
-- those of core.read_parameters, "invalid" for a value that cannot be used,
-- "defaults" when postconf could not be asked, and "unknown".

local evaluation = require "postmulti.evaluation"
local globals = require "postmulti.globals"

local M = {
  defaults = evaluation.defaults,
  split = evaluation.split,
}

local SECONDARY = {
  "queue_directory", "data_directory", "multi_instance_name", "multi_instance_group", "multi_instance_enable",
}

-- The lookup of "postconf -xc DIR": everything that main.cf sets, all defaults.
local function postconf_lookup(core, config_directory, settings, defaults)
  local function set_only(value)
    return evaluation.expand(core, value, function(name) return settings[name] end)
  end
  return function(name)
    if name == "process_name" then
      return "postconf"
    elseif settings[name] then
      return settings[name]
    elseif name == "config_directory" then
      return config_directory
    elseif name == "mydomain" then
      return evaluation.default_domain(core, settings, set_only)
    elseif name == "myhostname" then
      return evaluation.default_hostname(core, settings, set_only)
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

-- Evaluate the five of a secondary from its settings. Returns what can be told, then reason and kind of what cannot.
local function evaluate_secondary(core, config_directory, settings, defaults)
  local values, reason, kind, lookup = {}, nil, nil, nil
  local path = config_directory .. "/main.cf"
  for index = 1, #SECONDARY do
    local name = SECONDARY[index]
    local raw = settings[name] or defaults:get(name)
    if not raw:find("$", 1, true) then
      values[name] = core.squeeze(raw)
    else
      lookup = lookup or postconf_lookup(core, config_directory, settings, defaults)
      local value, why, what = evaluation.expand(core, raw, lookup)
      if value then
        values[name] = core.squeeze(value)
      elseif not reason then
        reason, kind = evaluation.complain(core, path, name, raw, why), what
      end
    end
  end
  local enable = values.multi_instance_enable
  if enable then
    values.multi_instance_enable = evaluation.to_boolean(enable)
    if values.multi_instance_enable == nil and not reason then
      reason, kind = evaluation.complain(core, path, "multi_instance_enable", enable, "neither yes nor no"), "invalid"
    end
  end
  if values.multi_instance_name == "" then
    values.multi_instance_name = nil
  end
  if values.multi_instance_group == "" then
    values.multi_instance_group = nil
  end
  return values, reason, kind
end

-- Does any of the five need more of the file than itself?
local function has_expression(settings)
  for _, value in pairs(settings) do -- of the five
    if value:find("$", 1, true) then
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
  value, why, what = evaluation.expand(core, raw, lookup)
  if not value then
    return nil, evaluation.complain(core, path, name, raw, why), what
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
  return evaluation.expand(core, value, postconf_lookup(core, config_directory, settings, defaults))
end

return M
