--- The records of a transaction: how each thing done is undone, and what is put off until the primary is written.

local environment = require "postmulti.environment"
local errors = require "postmulti.errors"
local instance = require "postmulti.instance"
local permissions = require "postmulti.permissions"
local remains = require "postmulti.remains"

local M = {}

local ENOENT, EAGAIN, EBUSY, EEXIST, ENOTDIR, ENOTEMPTY = 2, 11, 16, 17, 20, 39

-- Why a directory that was made is not removed: it is not there, or somebody uses it by now.
local STAYS = { [ENOENT] = true, [EBUSY] = true, [EEXIST] = true, [ENOTDIR] = true, [ENOTEMPTY] = true }

---The settings in a text of main.cf, last one winning.
---@param core postmulti.core
---@param text string
---@param path string
---@return table<string, string>
function M.settings(core, text, path)
  local raw = {}
  for _, setting in ipairs((errors.check(core.parse_main(text, path)))) do
    raw[setting.name] = setting.value
  end
  return raw
end

---Take away the PATH.tmp that a killed process has left. One that is in use stays.
---@param host postmulti.Host
---@param path string
---@return true|nil done
---@return string? reason
---@return integer? errno
function M.sweep(host, path)
  local core, temporary = host.core, path .. ".tmp"
  local stat, reason, errno = core.stat(temporary, false)
  if not stat then
    return errno == ENOENT or nil, reason, errno
  end
  local edit
  edit, reason, errno = core.edit(path, { timeout = 0 })
  if edit then
    edit:rollback()
    return true
  elseif errno ~= ENOENT then
    return errno == EAGAIN or nil, reason, errno
  end
  -- There is no file yet, so nobody but a command of ours, which holds the host's lock, has a use for it.
  local lock
  lock, reason, errno = core.lock(temporary, { timeout = 0 })
  if not lock then
    return nil, reason, errno
  end
  local done
  done, reason, errno = core.unlink(temporary)
  lock:release()
  return done, reason, errno
end

---Put the old text back, unless somebody else has changed the file since.
local function restore(host, record)
  local core = host.core
  local edit, reason, errno = core.edit(record.path, { timeout = host.lock_timeout })
  if not edit then
    errors.if_exists(edit, reason, errno)
    return
  end
  local guard <close> = edit
  if guard.text == record.new then
    errors.check(guard:commit(record.old))
  elseif guard.text ~= record.old then
    host.report("warning", record.path .. ": another program changed it meanwhile; left as it is")
  end
end

---What a file must be given back, should its removal be undone: see "removed" below.
---@param stat postmulti.Stat
---@return string
function M.attributes(stat)
  return ("%d %d %d"):format(stat.mode, stat.uid, stat.gid)
end

local undo = {
  edit = restore,
  primary = restore,

  lock = function(host, record)
    errors.if_exists(M.sweep(host, record.path))
  end,

  file = function(host, record)
    errors.if_exists(M.sweep(host, record.path))
    local text = errors.if_exists(host.core.read_file(record.path))
    if text == record.new then
      errors.check(host.core.unlink(record.path))
    elseif text then
      host.report("warning", record.path .. ": another program changed it meanwhile; left as it is")
    end
  end,

  -- Its owner comes after it: where the file is there already, an earlier try may have come no further.
  removed = function(host, record)
    local core = host.core
    errors.if_exists(M.sweep(host, record.path))
    local mode, uid, gid = record.data:match "^(%d+) (%d+) (%d+)$"
    local text = errors.if_exists(core.read_file(record.path))
    if not text then
      errors.check(core.create_file(record.path, record.old, { mode = tonumber(mode) }))
    elseif text ~= record.old then
      host.report("warning", record.path .. ": another program made it meanwhile; left as it is")
      return
    end
    errors.check(core.set_permissions(record.path, nil, { type = "file", mode = tonumber(mode), uid = tonumber(uid),
      gid = tonumber(gid) }))
    errors.check(core.sync(record.path))
  end,

  -- A child that worked within this transaction may have come as far as that.
  chroot = function(host, record)
    if errors.if_exists(host.core.stat(record.queue)) then
      remains.remove_chroot(host.core, record.queue)
    end
  end,

  -- One that was not made yet, or that somebody has put something into, stays as it is.
  directory = function(host, record)
    local gone, reason, errno = host.core.rmdir(record.path)
    if not gone and not STAYS[errno] then
      errors.check(gone, reason, errno)
    end
  end,
}

local finish = {
  remove = function(host, record)
    remains.remove(host, { config_directory = record.path, queue_directory = record.queue,
      data_directory = record.data })
  end,

  -- Postfix's program must find the instance in the table, so this comes last.
  ["set-permissions"] = function(host, record)
    local exit = errors.check(host.core.run({
      host.parameters.command_directory .. "/postfix", "-c", record.path, "set-permissions",
    }, { environment = { MAIL_CONFIG = false } }))
    if exit.status ~= 0 then
      errors.raise("system", "postfix -c %s set-permissions failed; the instance is registered: run it again by hand",
        record.path)
    end
  end,

  -- It asks postfix(1)'s own program, which must find the instance in the table.
  chroot = function(host, record)
    local script = permissions.chroot_script(host)
    if not script then
      return
    end
    local exit = errors.check(host.core.run({ script }, {
      environment = environment.context(instance.read(host, record.path)),
    }))
    if exit.status ~= 0 then
      errors.raise("system", "%s failed for %s; the instance is registered: run postfix -c %s set-permissions by hand",
        script, record.path, record.path)
    end
  end,
}

---Undo what a record says, as far as it was done.
---@param host postmulti.Host
---@param record postmulti.Record
function M.undo(host, record)
  local func = undo[record.op]
  if func then
    func(host, record)
  end
end

---Do what a record puts off until the primary is written.
---@param host postmulti.Host
---@param record postmulti.Record
function M.finish(host, record)
  local func = finish[record.op]
  if func then
    func(host, record)
  end
end

---The record of the primary's change.
---@param records postmulti.Record[]
---@return postmulti.Record|nil
function M.primary(records)
  for index = #records, 1, -1 do
    if records[index].op == "primary" then
      return records[index]
    end
  end
end

---Do records say no more than that PATH.tmp may be there?
local function are_locks(records)
  for _, record in ipairs(records) do
    if record.op ~= "lock" then
      return false
    end
  end
  return true
end

---The texts that a file had before each of its edits. An undo that was interrupted, too, has left one of them.
---@return table<string, true>
local function earlier(records, path)
  local texts = {}
  for _, record in ipairs(records) do
    if record.path == path and record.old then
      texts[record.old] = true
    end
  end
  return texts
end

---How far did an interrupted transaction get?
---@param host postmulti.Host
---@param records postmulti.Record[]
---@return "begun"|"locked"|"decided"|"unknown" state  locked: a file may have been written, and is whole; decided: the
---  primary was written; unknown: it was changed since
function M.state(host, records)
  local last, primary = records[#records], M.primary(records)
  if are_locks(records) then
    return "locked"
  elseif last and last.op == "done" then
    return "decided"
  elseif not primary then
    return "begun"
  end
  local core = host.core
  local function directories(text)
    return M.settings(core, text, primary.path).multi_instance_directories or ""
  end
  local now = errors.check(core.read_file(primary.path))
  local before = earlier(records, primary.path)
  if now == primary.new then
    return "decided"
  elseif before[now] then
    return "begun"
  elseif directories(now) == directories(primary.new) then
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
function M.paths(records)
  local list = {}
  for _, record in ipairs(records) do
    list[#list + 1] = record.path
  end
  return table.concat(list, " ")
end

return M
