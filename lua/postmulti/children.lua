--- The programs that run within a transaction and its lock: they find on disk what it has done so far, and what they do
--- there is undone with it.

local errors = require "postmulti.errors"
local watch = require "postmulti.watch"

local M = {}

---Before a child is started: what was done so far is in the files, where the child looks for it. Should the transaction
---fail later, that is undone like everything else.
---@param transaction postmulti.Transaction
function M.prepare(transaction)
  local host = transaction.host
  if next(transaction.primary_edits) or transaction.alternates then
    transaction:write_primary "edit"
    transaction.primary_edits, transaction.alternates = {}, nil
    transaction.published = (transaction.published or 0) + 1
    host:reread_primary()
  end
  if not transaction.has_children then
    transaction:declare { { op = "child", path = host.config_directory } }
    transaction.has_children = true
  end
  -- What it may change without telling: what instances are, and the files that we have made.
  local paths = {}
  for _, one in ipairs(host:load()) do
    paths[#paths + 1] = one.config_directory .. "/main.cf"
  end
  table.move(transaction.made, 1, #transaction.made, #paths + 1, paths)
  transaction.watched = watch.new(host.core, paths)
end

---Make what children did the transaction's own.
---@param transaction postmulti.Transaction
---@return boolean changed
function M.collect(transaction)
  local core, own = transaction.host.core, transaction.journal
  local records, changed = {}, {}
  if own then
    records = own:read_on()
    table.move(records, 1, #records, #transaction.records + 1, transaction.records)
    transaction:remember(records)
  end
  if transaction.watched then
    changed = transaction.watched:changed()
    transaction.watched = nil
  end
  for _, path in ipairs(changed) do
    local known = transaction.made[path]
    local text = known and errors.if_exists(core.read_file(path))
    local sum = text and core.checksum(text)
    if sum and sum ~= known then
      transaction:declare { { op = "file", path = path, sum = sum } }
    end
  end
  return #records > 0 or #changed > 0
end

---After a child: what it did within our lock is ours to undo, and what it wrote into files that we have made.
---@param transaction postmulti.Transaction
function M.absorb(transaction)
  if M.collect(transaction) then
    transaction.published = (transaction.published or 0) + 1
    transaction.host:refresh()
  end
end

return M
