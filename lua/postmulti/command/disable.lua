--- postmulti -e disable: keep an instance from being started.

local M = { name = "disable", summary = "keep an instance from being started and stopped with the others" }

M.is_single = true

---@param host postmulti.Host
---@param transaction postmulti.Transaction
---@param args { instance: postmulti.Instance }
---@return boolean changed
function M.run(host, transaction, args)
  return require("postmulti.command.common").set_enable(host, transaction, args.instance, false)
end

return M
