--- What a command that was killed has left: its journal, and files beside those that it was about to change. The next
--- transaction undoes or finishes that, before it does anything itself.

local errors = require "postmulti.errors"
local history = require "postmulti.history"
local record = require "postmulti.record"

local M = {}

---Take away what killed commands have left beside the files that they were about to change.
---@param host postmulti.Host
function M.sweep(host)
  for index = 0, #host.directories do
    local directory = host.directories[index] or host.config_directory
    record.sweep(host, directory .. "/main.cf")
    record.sweep(host, directory .. "/master.cf")
  end
end

---Is a single change that a record announces in its place?
---@param host postmulti.Host
---@param one postmulti.Record
---@return boolean
local function is_in_place(host, one)
  if one.op == "removed" then
    return not errors.if_exists(host.core.stat(one.path, false))
  end
  local text = one.sum and errors.if_exists(host.core.read_file(one.path))
  return text ~= nil and host.core.checksum(text) == one.sum
end

---The texts that a file had before each of its edits. An undo that was interrupted, too, has left one of them.
---@return table<string, true>
local function earlier(records, path)
  local texts = {}
  for _, one in ipairs(records) do
    if one.path == path and one.old then
      texts[one.old] = true
    end
  end
  return texts
end

---How far did an interrupted transaction get?
---@param host postmulti.Host
---@param records postmulti.Record[]
---@return "begun"|"decided"|"single"|"unknown" state  decided: the primary was written; unknown: it was changed since
local function state_of(host, records)
  local first, last, primary = records[1], records[#records], record.primary(records)
  if first.op == "begin" and first.kind == "single" then
    return "single"
  elseif last.op == "done" then
    return "decided"
  elseif not primary or last.op == "undoing" then
    return "begun"
  end
  local core = host.core
  local function directories(text)
    return record.directories(core, text, primary.path)
  end
  local now = errors.check(core.read_file(primary.path))
  local before = earlier(records, primary.path)
  if core.checksum(now) == primary.sum then
    return "decided"
  elseif before[now] then
    return "begun"
  elseif primary.directories == directories(primary.old) then
    return "unknown"
  elseif directories(now) == primary.directories then
    return "decided"
  end
  for text in pairs(before) do
    if directories(now) == directories(text) then
      return "begun"
    end
  end
  return "unknown"
end

---The paths that records are about.
---@param records postmulti.Record[]
---@return string
local function paths_of(records)
  local list = {}
  for _, one in ipairs(records) do
    list[#list + 1] = one.path
  end
  return table.concat(list, " ")
end

-- What recovery does with the records of an interrupted transaction, by how far that had got; whether they are kept.
local recovery = {
  begun = function(host, records, own)
    host.report("warning", "a command was interrupted; what it had begun is undone")
    if record.is_ambiguous(records) then
      own:add { { op = "undoing", path = host.config_directory } }
    end
    for index = #records, 1, -1 do
      record.undo(host, records[index])
    end
    return false
  end,

  decided = function(host, records)
    host.report("warning", "a command was interrupted; what it had left to do is done")
    for _, one in ipairs(records) do
      local done, problem = xpcall(record.finish, errors.with_traceback, host, one)
      if not done then
        host.report("warning", tostring(problem))
      end
    end
    return true
  end,

  -- One file, whole or absent by itself.
  single = function(host, records)
    local is_done = false
    for _, one in ipairs(records) do
      if one.op == "lock" then
        record.undo(host, one)
      end
      is_done = is_done or is_in_place(host, one)
    end
    return is_done
  end,

  unknown = function(host, records)
    host.report("warning", "a command was interrupted, and multi_instance_directories was changed since; please look at"
      .. " what it was about to change, which is left as it is: " .. paths_of(records))
    return false
  end,
}

---Undo or finish what a transaction that was killed has left, and say so.
---@param transaction postmulti.Transaction
function M.run(transaction)
  local host, own = transaction.host, transaction.journal
  local records = own and own:read()
  if not own or not records then
    return
  end
  local is_kept = false
  -- One that died before it could say what it was about to do had done nothing.
  if record.says_something(records) then
    for _, one in ipairs(records) do
      transaction.has_children = transaction.has_children or one.op == "child"
    end
    local done, problem = xpcall(function()
      is_kept = recovery[state_of(host, records)](host, records, own)
      transaction:settle()
    end, errors.with_traceback)
    transaction.has_children = nil -- it is not ours that had them
    if not done then
      errors.raise("system", "a command was interrupted, and what it had begun cannot be undone: %s (repair that; or"
        .. " remove %s to leave everything as it is)", tostring(problem), own.path)
    end
  end
  if is_kept then
    own:archive(history.limit(host))
  else
    own:discard()
  end
  transaction.unsynced = {}
end

return M
