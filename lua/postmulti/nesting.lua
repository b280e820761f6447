--- A child of the process that holds the host's lock works within that lock while its parent waits for it.
--
-- While it waits for a child, the holder keeps a file beside the lock, in a directory that only root can enter, and
-- names it in the child's environment. A process that is named such a file, finds it there, and descends from the
-- process whose number is in the name, does not wait for the host's lock: it locks that file instead. So brothers
-- work one after the other; and the holder locks the file itself before it takes it away and goes on. What still runs
-- in the background then waits for the host's lock like everybody else.

local errors = require "postmulti.errors"
local journal = require "postmulti.journal"

local M = {}

M.directory = "/run/postmulti"
M.variable = "POSTMULTI_LOCK_HOLDER"

-- The functions of hooks that are running, for a child that they start: a hook does not set itself off. With them goes
-- PID@HOST, the process that they run in, and whose hooks they are.
M.active = "POSTMULTI_HOOKS_ACTIVE"

---@class postmulti.Holder
---@field core postmulti.core
---@field path string
---@field users integer

---The number of this process.
local function own_pid()
  return require("posix.unistd").getpid()
end

---The parent of a process, as the kernel tells it.
---@param pid integer
---@return integer|nil
local function parent_of(pid)
  local file = io.open(("/proc/%d/stat"):format(pid))
  local text = file and file:read "a"
  if file then
    file:close()
  end
  -- The name of the program, in parentheses, may hold anything.
  return text and tonumber(text:match "^.*%)%s+%S+%s+(%d+)")
end

---Does this process descend from another one?
---@param ancestor integer|nil
---@return boolean
function M.descends_from(ancestor)
  if not ancestor then
    return false
  elseif require("posix.unistd").getppid() == ancestor then
    return true -- where there is no /proc, the only one that can be told
  end
  local pid = parent_of(own_pid())
  while pid and pid > 1 do
    if pid == ancestor then
      return true
    end
    pid = parent_of(pid)
  end
  return false
end

---Begin to wait for a child.
---@param host postmulti.Host
---@return postmulti.Holder|nil  nil: only root can do this
function M.open(host)
  local core = host.core
  if core.effective_uid() ~= 0 then
    return nil
  end
  local path = ("%s/%s.child-%d-%016x"):format(M.directory, journal.host_id(host), own_pid(), math.random(0))
  errors.check(core.create_file(path, "", { mode = tonumber("600", 8) }))
  return { core = core, path = path }
end

---The waiting is over: let a descendant that works within our lock finish, and no other begin.
---@param holder postmulti.Holder
---@param timeout number
function M.close(holder, timeout)
  local core = holder.core
  local lock, reason, errno = core.lock(holder.path, { timeout = timeout })
  core.unlink(holder.path)
  if not lock then
    errors.throw("system", "a program that was started within this transaction is still at work: " .. tostring(reason),
      { errno = errno })
  end
  lock:release()
end

---The host's lock is ours. A holder that was killed has left its file, and perhaps a child that still works within its
---lock: wait for that one.
---@param host postmulti.Host
function M.sweep(host)
  local core, start = host.core, journal.host_id(host) .. ".child-"
  if core.effective_uid() ~= 0 then
    return
  end
  for _, one in ipairs(errors.if_exists(core.list(M.directory)) or {}) do
    if one.name:sub(1, #start) == start then
      M.close({ core = core, path = M.directory .. "/" .. one.name }, host.lock_timeout)
    end
  end
end

---The file beside the host's lock that an ancestor of ours has named to us.
---@param host postmulti.Host
---@return string|nil path
local function holder_file(host)
  local path = os.getenv(M.variable)
  if not path or host.core.effective_uid() ~= 0 then
    return nil
  end
  local start = ("%s/%s.child-"):format(M.directory, journal.host_id(host))
  local pid = path:sub(1, #start) == start and path:sub(#start + 1):match "^(%d+)%-%x+$"
  return pid and M.descends_from(math.tointeger(pid)) and path or nil
end

---The lock to work within, when our parent holds the host's lock and waits for us.
---@param host postmulti.Host
---@return postmulti.Lock|nil
function M.enter(host)
  local path = holder_file(host)
  return path and (host.core.lock(path, { timeout = host.lock_timeout })) or nil
end

---What says to children that hooks of this host run in this process.
---@param host postmulti.Host
---@return string
function M.mark(host)
  return ("%d@%s"):format(own_pid(), journal.host_id(host))
end

---Has a transaction or a hook of this very host started us, or what has started us? Not taken from the environment
---alone: what that names must be an ancestor, and with a transaction still hold the lock.
---@param host postmulti.Host
---@return boolean
function M.is_within(host)
  local path = holder_file(host)
  if path and host.core.stat(path, false) then
    return true
  end
  for word in (os.getenv(M.active) or ""):gmatch "%S+" do
    local pid, id = word:match "^(%d+)@(.+)$"
    if pid and id == journal.host_id(host) and M.descends_from(math.tointeger(pid)) then
      return true
    end
  end
  return false
end

return M
