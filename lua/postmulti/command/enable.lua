--- postmulti -e enable: let an instance be started.

local M = { name = "enable", summary = "let an instance be started and stopped with the others" }

M.is_single = true

---@param host postmulti.Host
---@param transaction postmulti.Transaction
---@param args { instance: postmulti.Instance }
---@return boolean changed
function M.run(host, transaction, args)
  return require("postmulti.command.common").set_enable(host, transaction, args.instance, true)
end

return M
