--- One lock, one write of the primary, everything undone in reverse when something fails.
--
-- The order of a transaction decides what a crash can leave behind:
--   1. the host's lock; what an interrupted transaction left is undone or finished; the instances are read again;
--   2. the actions: checks first; then each says what it is about to do (the journal), and does it;
--   3. everything that was made is synced, all at once;
--   4. the primary's main.cf, written once: from here on the new table counts;
--   5. what may only happen after that: removal of what is no longer registered;
--   6. the journal becomes part of the history.
-- Where the primary is not changed, step 6 is what decides.

local errors = require "postmulti.errors"
local guard = require "postmulti.guard"
local history = require "postmulti.history"
local journal = require "postmulti.journal"
local names = require "postmulti.names"
local nesting = require "postmulti.nesting"
local record = require "postmulti.record"
local recovery = require "postmulti.recovery"

---@class postmulti.Transaction
---@field host postmulti.Host
---@field private is_nested boolean?  within the lock of a process that waits for us
---@field package records postmulti.Record[]  what was done or is about to be, oldest first
---@field package has_children boolean?     programs were started that may have changed the files that were made
---@field private is_left boolean?          something could not be undone: the next command tries again
---@field package published integer?        how often the primary was written for children, or by them
---@field package watched postmulti.Watch?     what the child that runs now may change without telling
---@field package made string[]               files that were made; and by path, the checksum of what they hold
---@field private unsynced string[]           what must be on disk before the transaction is decided; a set, too
---@field package primary_edits table<string, string>
---@field private primary_text (fun(text: string): string)|nil  instead of edits: the whole new text
---@field package alternates { [1]: string, [2]: boolean }[]|nil
---@field package journal postmulti.Journal|nil
---@field private is_single boolean?  one file is changed: after a crash that is whole or absent by itself
local Transaction = {}
Transaction.__index = Transaction

local M = {}

local LOCK_DIRECTORY = nesting.directory
local EAGAIN = 11

---Take the lock of the host. It lies where only root can touch it; somebody else locks the directory that is his own.
---@param host postmulti.Host
---@return postmulti.Lock
---@return boolean is_nested  within the lock of a process that waits for this one
local function take_lock(host)
  local core = host.core
  local nested = nesting.enter(host)
  if nested then
    return nested, true
  end
  local path = host.config_directory
  local create = core.effective_uid() == 0
  if create then
    errors.check(core.make_path(LOCK_DIRECTORY, { mode = tonumber("700", 8) }))
    path = ("%s/%s.lock"):format(LOCK_DIRECTORY, journal.host_id(host))
  end
  local lock, reason, errno = core.lock(path, { timeout = 0, create = create })
  if not lock and errno == EAGAIN then
    local _, holder = core.locked(path)
    if nesting.descends_from(math.tointeger(holder)) then
      host.report("warning", ("the host is locked by process %d, which has started this one, and may be waiting for it;"
        .. " within a transaction, programs are started by host:run"):format(holder))
    end
    lock, reason, errno = core.lock(path, { timeout = host.lock_timeout, create = create })
  end
  return errors.check(lock, reason, errno), false
end

---Run FUNC as a transaction of HOST.
---@param host postmulti.Host
---@param func fun(transaction: postmulti.Transaction): any
---@param is_single boolean?  FUNC changes one file at the most
---@return any
function M.run(host, func, is_single)
  local lock, is_nested = take_lock(host)
  local self = setmetatable({
    host = host, records = {}, made = {}, unsynced = {}, primary_edits = {}, journal = journal.of(host),
    is_single = is_single and not is_nested, is_nested = is_nested, afterwards = {},
  }, Transaction)
  host.current = self
  local ok, result = xpcall(function()
    if is_nested then
      self:join()
    else
      nesting.sweep(host)
      recovery.run(self)
    end
    host:reload()
    if not is_nested then
      recovery.sweep(host)
    end
    local value = func(self)
    host:end_background()
    guard.uninterrupted(host.core, function()
      self:settle()
      self:write_primary(is_nested and "edit" or "primary")
      self:decide()
    end)
    return value
  end, errors.with_traceback)
  guard.uninterrupted(host.core, function()
    if ok then
      ok, result = xpcall(self.finish, errors.with_traceback, self, result)
    else
      self:undo()
    end
    host.current = nil
    lock:release()
  end)
  if not ok then
    error(result, 0)
  end
  self:tell(result)
  return result
end

---The transaction is done: the log, and the hooks that come after it.
---@param result any
---@private
function Transaction:tell(result)
  local first
  for _, func in ipairs(self.afterwards) do
    local problem = func()
    first = first or problem
  end
  if first then
    first.result = result
    error(first, 0)
  end
end

---Have FUNC called when the transaction is done and its lock is free. What it returns is raised as an error then.
---@param func fun(): postmulti.Error|nil
function Transaction:afterward(func)
  self.afterwards[#self.afterwards + 1] = func
end

---Have FUNC called, in its turn, when the transaction is undone.
---@param func fun()
function Transaction:on_undo(func)
  self.records[#self.records + 1] = { op = "hook", path = "", undo = func }
end

---Run FUNC as a part of this transaction: when it raises, what it did is undone, and the rest stands.
---@param func fun(transaction: postmulti.Transaction): any
---@return any
function Transaction:part(func)
  local host = self.host
  local mark = {
    records = #self.records, journal = self.journal and self.journal.count, afterwards = #self.afterwards,
    edits = {}, alternates = self.alternates and #self.alternates, directories = host.directories,
    is_published = self.published,
  }
  for name, value in pairs(self.primary_edits) do
    mark.edits[name] = value
  end
  local ok, result = xpcall(func, errors.with_traceback, self)
  if not ok then
    local returned, problem = pcall(guard.uninterrupted, host.core, self.return_to, self, mark)
    if not returned then
      host.report("warning", tostring(problem))
    end
    error(result, 0)
  end
  return result
end

---Undo what was done since a mark, and have the instances as they were then.
---@param mark table
---@private
function Transaction:return_to(mark)
  local host = self.host
  -- A signal or a time limit may have come between the opening of a file and the place that keeps it: nobody has it,
  -- and it is still locked.
  collectgarbage()
  local is_untouched = #self.records == mark.records
  if self:undo_records(mark.records) and self.journal and self.journal.count > mark.journal then
    self.journal:rewind(mark.journal)
  end
  for index = #self.afterwards, mark.afterwards + 1, -1 do
    self.afterwards[index] = nil
  end
  for index = self.alternates and #self.alternates or 0, (mark.alternates or 0) + 1, -1 do
    self.alternates[index] = nil
  end
  if not mark.alternates then
    self.alternates = nil
  end
  self.primary_edits = mark.edits
  if self.published ~= mark.is_published then
    host:refresh()
  elseif is_untouched then
    host:forget(mark.directories)
  else
    host:refresh(mark.directories)
  end
end

---Remember the files that were made, by these records, and what they hold.
---@param records postmulti.Record[]
---@package
function Transaction:remember(records)
  local made = self.made
  for _, one in ipairs(records) do
    if one.op == "file" and not made[one.path] then
      made[#made + 1] = one.path
    end
    if one.op == "file" or made[one.path] and one.op == "edit" then
      made[one.path] = one.sum
    end
  end
end

---The journal of the process that we work for goes on.
---@private
function Transaction:join()
  if self.journal then
    self.joined = self.journal:join()
    self.has_begun = true
  end
end

---What goes before the first record: who does this, when, by what command.
---@private
function Transaction:begin()
  if not self.has_begun then
    self.has_begun = true
    local words = type(arg) == "table" and table.concat(arg, " ", arg[0] and 0 or 1) or ""
    self.journal:note {
      op = "begin", path = self.host.config_directory, kind = self.is_single and "single" or nil,
      time = tostring(os.time()), user = history.user(self.host.core), text = words:sub(1, 1000),
    }
  end
end

---Put records into the journal. Of a change that is whole or absent by itself the records serve --undo only: it is made
---without them, too.
---@param records postmulti.Record[]
---@param always boolean?  on disk even so
---@private
function Transaction:write_down(records, always)
  if not self.is_single then
    self:begin()
    return self.journal:add(records)
  end
  local written, problem = pcall(function()
    self:begin()
    self.journal:add(records, not always)
  end)
  if errors.is(problem) and problem.kind == "interrupted" then
    error(problem, 0)
  elseif not written then
    self.journal = nil
    self.host.report("warning", ("%s (the change is made all the same; --undo will not know it)"):format(
      tostring(problem)))
  end
end

---Say what is about to be done: it can be undone, by this transaction or, after a crash, by the next.
---@param records postmulti.Record[]
---@param always boolean?  on disk even where one file is changed only
function Transaction:declare(records, always)
  if #records == 0 then
    return
  end
  if self.journal then
    self:write_down(records, always)
  end
  table.move(records, 1, #records, #self.records + 1, self.records)
  self:remember(records)
end

---An action begins: history tells of it, if it changes something.
---@param text string  "create postfix-out"
---@return postmulti.Record|nil
function Transaction:note(text)
  local note = self.journal and { op = "action", path = self.host.config_directory, text = text }
  if note then
    self:begin()
    self.journal:note(note)
  end
  return note
end

---It had nothing to do.
---@param note postmulti.Record|nil
function Transaction:withdraw(note)
  for index, one in ipairs(self.journal and self.journal.pending or {}) do
    if one == note then
      table.remove(self.journal.pending, index)
    end
  end
end

---Have something on disk before the transaction is decided.
---@param path string  a file that is synced already: its directory; a directory: itself, and the one that holds it
function Transaction:later(path)
  if not self.unsynced[path] then
    self.unsynced[path] = true
    self.unsynced[#self.unsynced + 1] = path
  end
end

---Something was made in the directory of PATH, or a directory removed from it.
---@param path string
function Transaction:later_beside(path)
  self:later((names.split_path(path)))
end

---The file at PATH was removed. That is on disk before anything else is written: ext4 with data=writeback may give its
---blocks to the next file, and after a power cut it would be there again with that one's text (ext4(5)).
---@param path string
function Transaction:removed(path)
  local directory = names.split_path(path)
  if not self.host.core.sync(directory) then
    self:later(directory)
  end
end

---Have all of that on disk: at once, so that the disk writes its journal once.
---@package
function Transaction:settle()
  local paths = self.unsynced
  if #paths > 0 then
    self.unsynced = {}
    errors.check(self.host.core.sync(paths))
  end
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

---Edit a file by CHANGE, a function from text to new text (or nil and a reason); undone with the transaction.
---@param path string
---@param change fun(text: string): string|nil, string?, integer?
---@param op "edit"|"primary"|nil
---@return boolean changed
function Transaction:edit_file(path, change, op)
  local edit <close> = errors.check(self.host.core.edit(path, { timeout = self.host.lock_timeout }))
  local old = edit.text
  local new, remarks = errors.check(change(old))
  self.host:remark(remarks, true)
  if new == old then
    return false
  end
  self:declare { {
    op = op or "edit", path = path, old = old, sum = self.host.core.checksum(new),
    directories = op == "primary" and record.directories(self.host.core, new, path) or nil,
  } }
  local outcome, reason, errno, installed = edit:commit(new)
  if installed then
    self.unsafe = reason
  else
    errors.check(outcome, reason, errno)
  end
  return true
end

---Does every command look for PATH.tmp?
---@param path string
---@return boolean
---@private
function Transaction:is_swept(path)
  local host = self.host
  for index = 0, #host.directories do
    local directory = host.directories[index] or host.config_directory
    if path == directory .. "/main.cf" or path == directory .. "/master.cf" then
      return true
    end
  end
  return false
end

---Put a file in place of what is there, or make it; undone with the transaction.
---@param path string
---@param text string
---@param mode integer|nil  of a new file
---@return boolean changed
function Transaction:put_file(path, text, mode)
  local core = self.host.core
  local old = errors.if_exists(core.read_file(path))
  if old == text then
    return false
  end
  if not self:is_swept(path) then
    self:declare({ { op = "lock", path = path } }, true)
  end
  if old then
    return self:edit_file(path, function() return text, {} end)
  end
  self:declare { { op = "file", path = path, sum = core.checksum(text) } }
  errors.check(core.create_file(path, text, { mode = mode, sync_later = true }))
  self:later_beside(path)
  return true
end

---Remove a file; undone with the transaction.
---@param path string
---@return boolean changed
function Transaction:remove_file(path)
  local core = self.host.core
  local stat = errors.if_exists(core.stat(path, false))
  if not stat then
    return false
  end
  local text = stat.type == "file" and errors.check(core.read_file(path))
  if not text then
    errors.raise("refused", "%s is not a regular file", path)
  end
  self:declare { journal.removed(path, stat, text) }
  errors.check(core.unlink(path))
  self:removed(path)
  return true
end

---Write what changes in the primary's main.cf, at once.
---@param op "primary"|"edit"  edit: that is not the decision yet
---@package
function Transaction:write_primary(op)
  local host = self.host
  local core = host.core
  local path = host.config_directory .. "/main.cf"
  if self.primary_text then
    self:edit_file(path, self.primary_text, op)
  end
  if not next(self.primary_edits) and not self.alternates then
    return
  end
  self:edit_file(path, function(text)
    local raw = record.settings(core, text, path)
    local written = raw.multi_instance_directories or ""
    if self.primary_edits.multi_instance_directories
      and written ~= (host.parameters.settings.multi_instance_directories or "") then
      errors.raise("changed", "%s: another program changed multi_instance_directories meanwhile; run the command again",
        path)
    end
    self.primary_edits.alternate_config_directories = names.edit_list(raw.alternate_config_directories or "",
      self.alternates or {})
    local edits = {}
    for name, value in pairs(self.primary_edits) do
      edits[#edits + 1] = { "set", name, value }
    end
    return core.edit_main(text, edits, path)
  end, op)
end

---From here on the transaction is not undone any more. Where the primary was written, that says so already; what is put
---off needs the journal once more; everything else is done when the journal is a part of the history.
---@private
function Transaction:decide()
  local own = self.journal
  if not own or self.is_nested or own.count == 0 then
    return
  elseif not record.says_something(self.records) then
    return own:discard()
  elseif self.is_single or record.primary(self.records) then
    return
  end
  for _, one in ipairs(self.records) do
    if record.is_put_off(one) then
      return own:add { { op = "done", path = self.host.config_directory } }
    end
  end
  own:archive(history.limit(self.host))
  local synced, reason = self.host.core.sync(own.directory)
  self.unsafe = self.unsafe or not synced and reason or nil
end

---It is decided: do what was put off, and keep the journal.
---@param value any
---@return any value
---@private
function Transaction:finish(value)
  local host, own = self.host, self.journal
  local problem
  for _, one in ipairs(self.records) do
    local done, result = xpcall(record.finish, errors.with_traceback, host, one)
    problem = problem or not done and result
  end
  local settled, reason = pcall(self.settle, self)
  self.unsafe = self.unsafe or not settled and tostring(reason) or nil
  if own and not self.is_nested and own.is_made then
    local done, result = xpcall(own.archive, errors.with_traceback, own, history.limit(host))
    if not done then
      host.report("warning", ("%s (the change is made; the next command clears that away)"):format(tostring(result)))
    end
  end
  if problem then
    error(problem, 0)
  end
  if self.unsafe then
    errors.throw("unsafe", self.unsafe .. " (the change is made, but it may not survive a power cut)")
  end
  return value
end

---Undo, newest first, what came after a number of records. What cannot be undone is named; the rest is undone all the
---same.
---@param mark integer
---@return boolean complete
---@private
function Transaction:undo_records(mark)
  local complete = true
  for index = #self.records, mark + 1, -1 do
    local one = self.records[index]
    self.records[index] = nil
    local done, problem = xpcall(one.undo or record.undo, errors.with_traceback, self.host, one)
    if not done then
      complete, self.is_left = false, true
      self.host.report("warning", "cannot undo: " .. tostring(problem))
    end
  end
  return complete
end

---Undo everything. Where something cannot be undone the journal stays, for the next command to try again.
---@private
function Transaction:undo()
  collectgarbage() -- see return_to
  local function collect()
    return self.has_children and require("postmulti.children").collect(self)
  end
  for _, func in ipairs { self.host.end_background, collect } do
    local ended, trouble = pcall(func, self.host)
    if not ended then
      self.host.report("warning", tostring(trouble))
    end
  end
  if self.journal and not self.is_nested and record.is_ambiguous(self.records) then
    pcall(self.journal.add, self.journal, { { op = "undoing", path = self.host.config_directory } })
  end
  if not self:undo_records(0) or self.is_left then
    if self.journal and not self.is_nested and self.journal.is_made then
      self.host.report("warning", "the next command tries again to undo what is left")
    end
    return
  end
  local done, problem = xpcall(function()
    self:settle()
    self:forget()
  end, errors.with_traceback)
  if not done then
    self.host.report("warning", tostring(problem))
  end
end

---Everything is undone: so the journal says nothing any more. One of a process that we work for goes on without us.
---@private
function Transaction:forget()
  if not self.journal then
    return
  elseif self.is_nested then
    self.journal:rewind(self.joined or math.huge)
  elseif self.journal.is_made then
    self.journal:discard()
  end
end

return M
