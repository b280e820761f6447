--- The records of a transaction: how each thing done is undone, and what is put off until the primary is written.

local environment = require "postmulti.environment"
local errors = require "postmulti.errors"
local instance = require "postmulti.instance"
local journal = require "postmulti.journal"
local names = require "postmulti.names"
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

---The list of secondaries in a text of the primary's main.cf.
---@param core postmulti.core
---@param text string
---@param path string
---@return string
function M.directories(core, text, path)
  return M.settings(core, text, path).multi_instance_directories or ""
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
  if core.checksum(guard.text) == record.sum then
    errors.check(guard:commit(record.old))
  elseif guard.text ~= record.old then
    host.report("warning", record.path .. ": another program changed it meanwhile; left as it is")
  end
end

---Undo the making of a file, unless somebody else has changed it since; a child of the transaction may.
local function remove_file(host, record)
  local core = host.core
  errors.if_exists(M.sweep(host, record.path))
  local text = errors.if_exists(core.read_file(record.path))
  if text and (host.current.has_children or core.checksum(text) == record.sum) then
    errors.check(core.unlink(record.path))
    host.current:removed(record.path)
  elseif text then
    host.report("warning", record.path .. ": another program changed it meanwhile; left as it is")
  end
end

---Undo the making of a directory. One that was not made yet, or that somebody has put something into, stays as it is.
local function remove_directory(host, record)
  local gone, reason, errno = host.core.rmdir(record.path)
  if gone then
    host.current:later_beside(record.path)
  elseif errno == ENOTEMPTY or errno == EEXIST then
    host.report("warning", record.path .. ": something else is in it; left as it is")
  -- On a read-only file system that is the answer for a directory that is not there, too.
  elseif not STAYS[errno] and errors.if_exists(host.core.stat(record.path, false)) then
    errors.check(gone, reason, errno)
  end
end

---Undo the copies of system files, unless there were some before.
local function remove_chroot(host, record)
  if record.kind ~= "kept" and errors.if_exists(host.core.stat(record.queue)) then
    remains.remove_chroot(host.core, record.queue)
  end
end

---Make a file or directory again that was removed.
local function put_back(host, record)
  local core, path = host.core, record.path
  local mode, uid, gid = tonumber(record.mode, 8), math.tointeger(record.uid), math.tointeger(record.gid)
  local now = errors.if_exists(core.stat(path, false))
  local is_there = now ~= nil
  if record.kind == "directory" then
    errors.check(is_there or core.make_path(path, { mode = mode, uid = uid, gid = gid }))
    return
  elseif record.kind ~= "file" or now and now.mode == mode and now.uid == uid and now.gid == gid then
    return
  elseif not is_there then
    errors.if_exists(M.sweep(host, path))
    errors.check(core.create_file(path, record.old, { mode = mode }))
  elseif core.read_file(path) ~= record.old then
    host.report("warning", path .. ": another program made it meanwhile; left as it is")
    return
  end
  -- Where the file is there already, an earlier try may have come no further.
  local directory, name = names.split_path(path)
  errors.check(core.set_permissions(directory, name, { type = "file", uid = uid, gid = gid, mode = mode }))
  host.current:later(path)
end

local undo = {
  edit = restore,
  primary = restore,

  lock = function(host, record)
    errors.if_exists(M.sweep(host, record.path))
  end,

  file = remove_file,
  directory = remove_directory,
  -- A child that worked within this transaction may have come as far as that.
  chroot = remove_chroot,
  removed = put_back,

  permissions = function(host, record)
    local path = record.name and record.path .. "/" .. record.name or record.path
    local now = errors.if_exists(host.core.stat(path))
    local old = now and journal.permissions(record.path, record.name, now)
    if not old or old.mode == record.mode and old.uid == record.uid and old.gid == record.gid then
      return
    end
    local done, reason, errno = host.core.set_permissions(record.path, record.name, {
      type = record.kind, uid = math.tointeger(record.uid), gid = math.tointeger(record.gid),
      mode = tonumber(record.mode, 8),
    })
    errors.if_exists(done, reason, errno)
  end,
}

-- What --undo takes away once the primary is written.
local take = { file = remove_file, directory = remove_directory, chroot = remove_chroot }

local finish = {
  take = function(host, record)
    local done, problem = pcall(take[record.kind], host, record)
    if not done and not errors.is(problem) then
      error(problem, 0)
    elseif not done then
      host.report("warning", ("%s; please remove %s by hand"):format(tostring(problem), record.path))
    end
  end,

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
      environment = environment.script(instance.read(host, record.path)), keep_environment = { "TZ" }, directory = "/",
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

-- Records of what is no change.
local IDLE = { begin = true, action = true, child = true, hook = true, undoing = true }

---Do these records tell of a change?
---@param records postmulti.Record[]
---@return boolean
function M.says_something(records)
  for _, one in ipairs(records) do
    if not IDLE[one.op] then
      return true
    end
  end
  return false
end

---Is this something that is put off until the primary is written?
---@param record postmulti.Record
---@return boolean
function M.is_put_off(record)
  return finish[record.op] ~= nil
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

---Was the primary written before its last change, too? Then it may come back to the text that it had at first, and does
---not tell how far the transaction got.
---@param records postmulti.Record[]
---@return boolean
function M.is_ambiguous(records)
  local primary = M.primary(records)
  for _, one in ipairs(records) do
    if primary and one.op == "edit" and one.path == primary.path then
      return true
    end
  end
  return false
end

return M
