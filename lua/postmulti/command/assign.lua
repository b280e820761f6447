--- postmulti -e assign: give an instance another name or group.

local common = require "postmulti.command.common"
local errors = require "postmulti.errors"
local names = require "postmulti.names"

local M = { name = "assign", summary = "give an instance another name or group" }

M.is_single = true

---@param host postmulti.Host
---@param transaction postmulti.Transaction
---@param args { instance: postmulti.Instance, name: string?, group: string? }
---@return boolean changed
function M.run(host, transaction, args)
  local name = args.name and (names.instance_name(args.name) or "")
  local group = args.group and (names.group_name(args.group) or "")
  local instance = common.current(host, args.instance)
  local edits = common.identity_edits({ name = name, group = group }, instance)
  if #edits == 0 then
    return false
  end
  if name and name ~= "" and name ~= instance.name then
    local conflict = host.claims:claim(name, instance.config_directory, "multi_instance_name")
    if conflict then
      errors.raise("conflict", "the name %s is taken: it is %s", name, conflict)
    end
  end
  common.require_init(host)
  local path = instance.config_directory .. "/main.cf"
  local changed = transaction:edit_file(path, function(text)
    return host.core.edit_main(text, edits, path)
  end)
  if name then
    instance.name = name ~= "" and name or nil
  end
  if group then
    instance.group = group ~= "" and group or nil
  end
  return changed
end

return M
