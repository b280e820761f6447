--- postmulti --undo: take the last change back, if nothing it touched was changed since.
--
-- The undo is a transaction of its own, and in the history as such. Its order is that of the life-cycle actions: what
-- must be there is made first, the primary is written, what must go is removed last.

local entry = require "postmulti.command.entry"
local errors = require "postmulti.errors"
local history = require "postmulti.history"
local journal = require "postmulti.journal"
local names = require "postmulti.names"
local record = require "postmulti.record"

local M = {}

---@class postmulti.UndoneFile
---@field path string
---@field old string|nil     text to bring back; nil: there was no such file
---@field sum string|nil     checksum of the text that must be there; nil: there must be no such file
---@field removed postmulti.Record|nil  mode and owner of a file that was removed
---@field is_primary boolean|nil

---@class postmulti.UndoPlan
---@field files postmulti.UndoneFile[]       in the order in which they were touched first
---@field made postmulti.Record[]            directories to be removed
---@field gone postmulti.Record[]            directories to be made
---@field permissions postmulti.Record[]
---@field chroots postmulti.Record[]
---@field others postmulti.Record[]          links and the like that were removed
---@field primary postmulti.Record|nil

---What a transaction has changed in the end, whatever the steps.
---@param records postmulti.Record[]
---@return postmulti.UndoPlan
function M.plan(records)
  local plan = { files = {}, made = {}, gone = {}, permissions = {}, chroots = {}, others = {} }
  local files, directories = {}, {}

  local function file(one, old)
    local known = files[one.path]
    if not known then
      known = { path = one.path, old = old }
      files[one.path] = known
      plan.files[#plan.files + 1] = known
    end
    known.sum, known.removed = one.sum, one.op == "removed" and one or nil
    known.is_primary = known.is_primary or one.op == "primary" or nil
  end

  local function directory(one, list)
    local known = directories[one.path]
    if known then
      -- Made and removed again, or the other way round.
      for index, other in ipairs(known) do
        if other.path == one.path then
          table.remove(known, index)
        end
      end
      directories[one.path] = nil
    else
      list[#list + 1] = one
      directories[one.path] = list
    end
  end

  for _, one in ipairs(records) do
    if one.op == "edit" or one.op == "primary" then
      file(one, one.old)
      plan.primary = one.op == "primary" and one or plan.primary
    elseif one.op == "file" then
      file(one, nil)
    elseif one.op == "removed" and one.kind == "file" then
      file(one, one.old)
    elseif one.op == "removed" and one.kind == "directory" then
      directory(one, plan.gone)
    elseif one.op == "removed" then
      plan.others[#plan.others + 1] = one
    elseif one.op == "directory" then
      directory(one, plan.made)
    elseif one.op == "permissions" then
      plan.permissions[#plan.permissions + 1] = one
    elseif one.op == "chroot" and one.kind ~= "kept" then
      plan.chroots[#plan.chroots + 1] = one
    end
  end
  return plan
end

---@param change postmulti.Change
---@param format string
---@param ... any
local function refuse(change, format, ...)
  errors.raise("changed", "change %d (%s) is not undone: " .. format, change.number,
    history.summary(change), ...)
end

---Every file must be as the change left it.
local function check_files(host, change, plan)
  for _, one in ipairs(plan.files) do
    local text = errors.if_exists(host.core.read_file(one.path))
    if not one.sum and text then
      refuse(change, "%s was removed by it, and is there again", one.path)
    elseif one.sum and not text then
      refuse(change, "%s is not there any more", one.path)
    elseif one.sum and host.core.checksum(text) ~= one.sum then
      refuse(change, "%s was changed since", one.path)
    end
  end
end

---What cannot be made again from a text must be there.
local function check_others(host, change, plan)
  for _, one in ipairs(plan.others) do
    if not errors.if_exists(host.core.stat(one.path, false)) then
      refuse(change, "%s was a %s; make it again first", one.path, one.kind == "link" and "symbolic link" or one.kind)
    end
  end
end

---A directory that was made must hold nothing but what was made with it.
local function check_directories(host, change, plan)
  local known = {}
  for _, one in ipairs(plan.files) do
    known[one.path] = not one.old
  end
  for _, one in ipairs(plan.made) do
    known[one.path] = true
  end
  for _, one in ipairs(plan.chroots) do
    for _, name in ipairs { "dev", "etc", "lib", "usr" } do
      known[one.queue .. "/" .. name] = true
    end
  end
  for _, one in ipairs(plan.made) do
    for _, object in ipairs(errors.if_exists(host.core.list(one.path)) or {}) do
      if not known[one.path .. "/" .. object.name] then
        refuse(change, "%s/%s was not there then", one.path, object.name)
      end
    end
  end
end

---An instance that leaves the table must not run.
local function check_stopped(host, change, plan)
  if not plan.primary then
    return
  end
  local stays = {}
  local old = record.directories(host.core, plan.primary.old, plan.primary.path)
  for _, directory in ipairs(names.split(old)) do
    stays[directory] = true
  end
  for one in host:instances { damaged = false } do
    local running, pid
    if not one.is_primary and not stays[one.config_directory] then
      running, pid = one:is_running()
    end
    if running then
      refuse(change, "%s is running%s; stop it first: postmulti -i %s -p stop", one:label(),
        pid and (" (master process %d)"):format(pid) or "", one:label())
    end
  end
end

---Directories, files and owners that were there before.
local function bring_back(host, transaction, change, plan)
  local core = host.core
  for index = #plan.gone, 1, -1 do
    local one = plan.gone[index]
    entry.make_directories(host, transaction, {
      { one.path, tonumber(one.mode, 8), math.tointeger(one.uid), math.tointeger(one.gid) },
    })
  end
  for _, one in ipairs(plan.files) do
    local function restored(text)
      if core.checksum(text) ~= one.sum then
        refuse(change, "%s was changed since", one.path)
      end
      return one.old, {}
    end
    if one.is_primary then
      transaction.primary_text = restored
    elseif one.old and one.sum then
      transaction:edit_file(one.path, restored)
    elseif one.old then
      transaction:declare {
        { op = "lock", path = one.path }, { op = "file", path = one.path, sum = core.checksum(one.old) },
      }
      record.undo(host, setmetatable({ old = one.old }, { __index = one.removed }))
    end
  end
  for index = #plan.permissions, 1, -1 do
    local one = plan.permissions[index]
    local path = one.name and one.path .. "/" .. one.name or one.path
    local stat = errors.if_exists(core.stat(path))
    if stat then
      transaction:declare { journal.permissions(one.path, one.name, stat) }
      record.undo(host, one)
      transaction:later(path)
    end
  end
end

---What was not there before goes when the primary is written.
local function put_off(host, transaction, change, plan)
  local records = {}
  for _, one in ipairs(plan.chroots) do
    records[#records + 1] = { op = "take", kind = "chroot", path = one.path, queue = one.queue }
  end
  for _, one in ipairs(plan.files) do
    if not one.old and one.sum then
      records[#records + 1] = { op = "take", kind = "file", path = one.path, sum = one.sum }
    end
  end
  for index = #plan.made, 1, -1 do
    records[#records + 1] = { op = "take", kind = "directory", path = plan.made[index].path }
  end
  records[#records + 1] = { op = "undone", path = host.config_directory, count = tostring(change.number) }
  transaction:declare(records)
end

---Take the last change back.
---@param host postmulti.Host
---@return postmulti.Change  what was taken back
function M.run(host)
  if host.current then
    errors.raise("usage", "undo is a transaction of its own; it cannot be a part of another one")
  end
  return host:transaction(function(transaction)
    local change = history.last(host)
    if not change then
      errors.raise("not found", "there is no change to undo; postmulti --history lists them")
    end
    local plan = M.plan(change.records)
    check_files(host, change, plan)
    check_others(host, change, plan)
    check_directories(host, change, plan)
    check_stopped(host, change, plan)
    transaction:note(("undo change %d (%s)"):format(change.number, history.summary(change)))
    bring_back(host, transaction, change, plan)
    put_off(host, transaction, change, plan)
    transaction:afterward(function() pcall(host.refresh, host) end) -- it is done, whether that can be read or not
    return change
  end)
end

return M
