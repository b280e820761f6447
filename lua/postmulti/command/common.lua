--- What the life-cycle actions share.

local errors = require "postmulti.errors"

local M = {}

---The instance as it is now, under the lock: the table may have been read before the lock was got.
---@param host postmulti.Host
---@param instance postmulti.Instance
---@return postmulti.Instance
---@return integer index
function M.current(host, instance)
  for index, one in ipairs(host:load()) do
    if one.config_directory == instance.config_directory then
      return one, index
    end
  end
  errors.raise("not found", "%s is not an instance any more", instance:label())
end

---Every action but init wants the primary prepared by it.
---@param host postmulti.Host
function M.require_init(host)
  if host.parameters.multi_instance_wrapper == "" then
    errors.raise("refused", "%s/main.cf: multi_instance_wrapper is empty; run 'postmulti -e init' first",
      host.config_directory)
  end
end

---Set multi_instance_enable.
---@param host postmulti.Host
---@param transaction postmulti.Transaction
---@param instance postmulti.Instance
---@param enable boolean
---@return boolean changed
function M.set_enable(host, transaction, instance, enable)
  instance = M.current(host, instance)
  M.require_init(host)
  local path = instance.config_directory .. "/main.cf"
  local changed = transaction:edit_file(path, function(text)
    return host.core.edit_main(text, { { "set", "multi_instance_enable", enable and "yes" or "no" } }, path)
  end)
  instance.enabled = enable
  return changed
end

---Refuse to take a running instance away.
---@param instance postmulti.Instance
function M.require_stopped(instance)
  local running, pid = instance:is_running()
  if running then
    errors.raise("refused", "%s is running%s; stop it first: postmulti -i %s -p stop", instance:label(),
      pid and (" (master process %d)"):format(pid) or "", instance:label())
  end
end

---May this instance be taken out of the table?
---@param instance postmulti.Instance
function M.require_removable(instance)
  if instance.is_primary then
    errors.raise("refused", "the primary instance (%s) cannot be removed", instance.config_directory)
  end
  if instance.enabled then
    errors.raise("refused", "%s is enabled; disable it first: postmulti -i %s -e disable", instance:label(),
      instance:label())
  end
end

---The edits of a new instance's main.cf that give it its name and group, where they change.
---@param args { name: string?, group: string? }  "" clears
---@param now { name: string?, group: string? }
---@return table[] edits
function M.identity_edits(args, now)
  local edits = {}
  if args.name and args.name ~= (now.name or "") then
    edits[#edits + 1] = { "set", "multi_instance_name", args.name }
  end
  if args.group and args.group ~= (now.group or "") then
    edits[#edits + 1] = { "set", "multi_instance_group", args.group }
  end
  return edits
end

---Refuse a directory that another instance has, also under another spelling.
---@param host postmulti.Host
---@param parameter string
---@param path string
function M.require_unclaimed(host, parameter, path)
  local owner = host.claims:same_directory(path)
  if owner == "config_directory of " .. path then
    errors.raise("conflict", "%s is an instance already", path)
  elseif owner then
    errors.raise("conflict", "%s = %s is already %s", parameter, path, owner)
  end
end

return M
