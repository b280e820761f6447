--- postmulti -e destroy: take an instance out of the table and remove its files.
--
-- Refused while the instance runs or has mail. What Postfix and this program made is removed; what they do not know
-- stays and is named.

local common = require "postmulti.command.common"
local entry = require "postmulti.command.entry"
local errors = require "postmulti.errors"
local remains = require "postmulti.remains"

local M = { name = "destroy", summary = "take an instance out of the table and remove its files" }

---@param host postmulti.Host
---@param transaction postmulti.Transaction
---@param args { instance: postmulti.Instance }
function M.run(host, transaction, args)
  local instance, index = common.current(host, args.instance)
  common.require_removable(instance)
  instance:check()
  common.require_init(host)
  common.require_stopped(instance)
  local mail = remains.mail(host.core, instance.queue_directory)
  if mail then
    errors.throw("refused", ("%s cannot be destroyed: %s"):format(instance:label(), mail),
      { instance = instance.config_directory })
  end
  table.remove(host.table, index)
  host.claims:release(instance.config_directory)
  -- Postfix permits two spellings of one directory; what another instance uses must not go.
  entry.require_separate(host, instance)
  transaction:register(host.table)
  transaction:set_alternate(instance.config_directory, false)
  local records = remains.records(host.core, instance)
  records[#records + 1] = {
    op = "remove", path = instance.config_directory, queue = instance.queue_directory, data = instance.data_directory,
  }
  transaction:declare(records)
end

return M
