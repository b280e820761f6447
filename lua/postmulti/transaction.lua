--- One lock, one write of the primary, everything undone in reverse when something fails.
--
-- The order of a transaction decides what a crash can leave behind:
--   1. the host's lock; the table of instances is read again under it;
--   2. the actions: checks first, then what they make or edit, each with its way back;
--   3. the primary's main.cf, written once: from here on the new table counts;
--   4. what may only happen after that: removal of what is no longer registered.

local errors = require "postmulti.errors"
local names = require "postmulti.names"

---@class postmulti.Transaction
---@field host postmulti.Host
---@field private back (fun(): nil)[]      how to undo, oldest first
---@field private after (fun(): nil)[]     what follows the primary's change
---@field private primary_edits table<string, string>
local Transaction = {}
Transaction.__index = Transaction

local M = {}

local LOCK_DIRECTORY = "/run/postmulti"

---Take the lock of the host. It lies where only root can touch it; somebody else locks the directory that is his own.
---@param host postmulti.Host
---@return postmulti.Lock
local function take_lock(host)
  local core = host.core
  local path = host.config_directory
  local create = core.effective_uid() == 0
  if create then
    errors.check(core.make_path(LOCK_DIRECTORY, { mode = tonumber("700", 8) }))
    path = LOCK_DIRECTORY .. names.normalize(path):gsub("/", "-"):gsub("^%-", "/") .. ".lock"
  end
  return (errors.check(core.lock(path, { timeout = host.lock_timeout, create = create })))
end

---Run FUNC as a transaction of HOST.
---@param host postmulti.Host
---@param func fun(transaction: postmulti.Transaction): any
---@return any
function M.run(host, func)
  local lock = take_lock(host)
  local self = setmetatable({ host = host, back = {}, after = {}, primary_edits = {} }, Transaction)
  host.current = self
  local ok, result = xpcall(function()
    host:reload()
    local value = func(self)
    self:write_primary()
    return value
  end, M.with_traceback)
  if ok then
    ok, result = self:finish(result)
  else
    self:undo()
  end
  host.current = nil
  lock:release()
  if not ok then
    host.table = nil
    error(result, 0)
  end
  return result
end

---Message handler: keep errors of ours as they are, give a script's own bugs their traceback.
---@param problem any
---@return any
function M.with_traceback(problem)
  if type(problem) == "string" then
    return debug.traceback(problem, 2)
  end
  return problem
end

---Remember how to undo what was just done.
---@param func fun()
function Transaction:on_undo(func)
  self.back[#self.back + 1] = func
end

---Remember what to do once the primary has been written.
---@param func fun()
function Transaction:on_finish(func)
  self.after[#self.after + 1] = func
end

---Change a parameter of the primary when the transaction ends.
---@param name string
---@param value string
function Transaction:set_primary(name, value)
  self.primary_edits[name] = value
end

---Write the new list of secondaries when the transaction ends.
---@param instances postmulti.Instance[]  the first is the primary
function Transaction:register(instances)
  local directories = {}
  for index = 2, #instances do
    directories[index - 1] = instances[index].config_directory
  end
  self.host.directories = directories
  self:set_primary("multi_instance_directories", table.concat(directories, " "))
end

---Enter a directory in alternate_config_directories, or take it out, when the transaction ends.
---@param directory string
---@param present boolean
function Transaction:set_alternate(directory, present)
  self.alternates = self.alternates or {}
  self.alternates[#self.alternates + 1] = { directory, present }
end

---The new value of alternate_config_directories; nil: as it is. The list is taken as written, not expanded.
---@param value string
---@return string|nil
function Transaction:alternate_value(value)
  local list, changed = names.split(value), false
  for _, row in ipairs(self.alternates or {}) do
    local directory, present = row[1], row[2]
    local found = false
    for index = #list, 1, -1 do
      if list[index] == directory then
        found = true
        if not present then
          table.remove(list, index)
          changed = true
        end
      end
    end
    if present and not found then
      list[#list + 1] = directory
      changed = true
    end
  end
  return changed and table.concat(list, " ") or nil
end

---Edit a file by CHANGE, a function from text to new text (or nil and a reason), and be able to undo it.
---@param path string
---@param change fun(text: string): string|nil, string?, integer?
---@return boolean changed
function Transaction:edit_file(path, change)
  local core = self.host.core
  local edit <close> = errors.check(core.edit(path, { timeout = self.host.lock_timeout }))
  local old = edit.text
  local new = errors.check(change(old))
  local outcome = self:commit(edit, new)
  if outcome == "unchanged" then
    return false
  end
  self:on_undo(function()
    local back <close> = errors.check(core.edit(path, { timeout = self.host.lock_timeout }))
    if back.text == new then
      errors.check(back:commit(old))
    else
      self.host.report("warning", path .. ": another program changed it meanwhile; left as it is")
    end
  end)
  return true
end

---Commit an edit. A text that is in place but perhaps not on disk is no failure of the change: it is reported.
---@param edit postmulti.Edit
---@param text string
---@return "changed"|"unchanged"
function Transaction:commit(edit, text)
  local outcome, reason, errno, installed = edit:commit(text)
  if installed then
    self.unsafe = reason
    return "changed"
  end
  return (errors.check(outcome, reason, errno))
end

---Write what changes in the primary's main.cf, at once.
---@private
function Transaction:write_primary()
  if not next(self.primary_edits) and not self.alternates then
    return
  end
  local host = self.host
  local core = host.core
  local path = host.config_directory .. "/main.cf"
  self:edit_file(path, function(text)
    local raw = {}
    for _, setting in ipairs(errors.check(core.parse_main(text, path))) do
      raw[setting.name] = setting.value
    end
    local written = raw.multi_instance_directories or ""
    if self.primary_edits.multi_instance_directories and written ~= host.parameters.raw_directories then
      errors.raise("changed", "%s: another program changed multi_instance_directories meanwhile; run the command again",
        path)
    end
    self.primary_edits.alternate_config_directories = self:alternate_value(raw.alternate_config_directories or "")
    local edits = {}
    for name, value in pairs(self.primary_edits) do
      edits[#edits + 1] = { "set", name, value }
    end
    return core.edit_main(text, edits, path)
  end)
end

---The primary is written: do what was put off.
---@param value any
---@return boolean ok
---@return any result
---@private
function Transaction:finish(value)
  local ok, result = true, value
  for _, func in ipairs(self.after) do
    local done, problem = xpcall(func, M.with_traceback)
    if not done and ok then
      ok, result = false, problem
    end
  end
  if ok and self.unsafe then
    return false, errors.new("unsafe", self.unsafe .. " (the change is made, but it may not survive a power cut)")
  end
  return ok, result
end

---Undo, newest first. What cannot be undone is named; the rest is undone all the same.
---@private
function Transaction:undo()
  for index = #self.back, 1, -1 do
    local done, problem = xpcall(self.back[index], M.with_traceback)
    if not done then
      self.host.report("warning", "cannot undo: " .. tostring(problem))
    end
  end
end

return M
