--- postmulti -e deport: take an instance out of the table; its files stay.

local common = require "postmulti.command.common"

local M = { name = "deport", summary = "take an instance out of the table, keep its files" }

M.is_single = true

---@param host postmulti.Host
---@param transaction postmulti.Transaction
---@param args { instance: postmulti.Instance }
function M.run(host, transaction, args)
  local instance, index = common.current(host, args.instance)
  common.require_removable(instance)
  common.require_init(host)
  common.require_stopped(instance)
  table.remove(host.table, index)
  host.claims:release(instance.config_directory)
  transaction:register(host.table)
  transaction:set_alternate(instance.config_directory, true)
end

return M
