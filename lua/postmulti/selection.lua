--- Which instances a command means: -a, -g, -i and the place of a new one; pure functions. Source: postmulti(1).

local errors = require "postmulti.errors"

local M = {}

local PREFIX = "postfix-" -- that of postmulti.names

---@class postmulti.Selector
---@field all boolean?
---@field group string?
---@field name string?    full name, name without "postfix-", configuration directory, or "-" for the primary
---@field origin string?  what says so, where it is not the caller

---Does NAME, as given with -i, mean this instance?
---@param instance postmulti.Instance
---@param name string
---@return boolean
function M.is_named(instance, name)
  if name == "-" and instance.is_primary then
    return true
  end
  local own = instance.name
  if not own or name:sub(1, 1) == "/" then
    return name == instance.config_directory
  end
  return name == own
    or #own == #PREFIX + #name and own == PREFIX .. name and name:sub(1, #PREFIX) ~= PREFIX
end

---Could NAME mean this instance, whose own name cannot be read? Its directory's last component stands in.
---@param instance postmulti.Instance
---@param name string
---@return boolean
local function may_be_named(instance, name)
  if not instance.damage or instance.name then
    return false
  end
  local base = instance.config_directory:match("[^/]+$")
  return base ~= nil and (name == base or PREFIX .. name == base)
end

---The first instance that NAME means.
---@param instances postmulti.Instance[]
---@param name string
---@return postmulti.Instance|nil
---@return integer? index
function M.find(instances, name)
  for index, instance in ipairs(instances) do
    if M.is_named(instance, name) then
      return instance, index
    end
  end
  for index, instance in ipairs(instances) do
    if may_be_named(instance, name) then
      return instance, index
    end
  end
end

---Those that the selector means, in order. A damaged instance whose group cannot be read belongs to every group.
---@param instances postmulti.Instance[]
---@param selector postmulti.Selector
---@return postmulti.Instance[]
function M.select(instances, selector)
  local name, group = selector.name, selector.group
  if not name and not group then
    return instances
  end
  local selected = {}
  for _, instance in ipairs(instances) do
    local match
    if group then
      match = instance.group == group or (instance.damage and not instance.is_readable)
    else
      match = M.is_named(instance, name)
    end
    if match then
      selected[#selected + 1] = instance
    end
  end
  if name and not selected[1] then
    selected[1] = M.find(instances, name)
  end
  return selected
end

---Where a new instance goes: before the first secondary that the selector means, or at the end.
---@param instances postmulti.Instance[]  the first is the primary
---@param selector postmulti.Selector
---@return integer index
function M.insertion_point(instances, selector)
  if not selector.name and not selector.group then
    return selector.all and math.min(2, #instances + 1) or #instances + 1
  end
  for index = 2, #instances do
    local instance = instances[index]
    if selector.group and instance.group == selector.group
      or selector.name and M.is_named(instance, selector.name) then
      return index
    end
  end
  errors.raise("not found", "no secondary instance matches %s%s '%s'",
    selector.origin and "the place that " .. selector.origin .. " wants: " or "",
    selector.origin and (selector.group and "group" or "name") or selector.group and "-g" or "-i",
    selector.group or selector.name)
end

return M
