--- What a transaction is about to do, on disk before it does it, so that the next one can undo or finish what a crash
--- or a power cut has left half done.
--
-- The journal is a directory of numbered files, each a list of records; it exists only while a transaction runs.
-- Nothing is written for an action that changes a single file: that change is whole or absent by itself.

local errors = require "postmulti.errors"
local names = require "postmulti.names"

---@class postmulti.Record
---@field op "directory"|"file"|"lock"|"edit"|"removed"|"primary"|"remove"|"set-permissions"|"chroot"|"done"
---@field path string
---@field old string?    text of a file before an edit
---@field new string?    text of a file after it
---@field queue string?  of "remove" and "chroot": the instance's other directories
---@field data string?

---@class postmulti.Journal
---@field core postmulti.core
---@field directory string
---@field count integer
---@field is_made boolean?  there is a directory
local Journal = {}
Journal.__index = Journal

local M = {}

local STATE = "/var/lib/postmulti"
local FIELDS = { "op", "path", "old", "new", "queue", "data" }

---A name for the host that is a file name, too: /etc/postfix is "etc-postfix".
---@param host postmulti.Host
---@return string
function M.host_id(host)
  local id = names.normalize(host.config_directory):gsub("^/", ""):gsub("/", "-")
  return id ~= "" and id or "root"
end

---One record as a line: NAME=VALUE fields separated by tabs, with %XX for what would disturb that.
---@param record postmulti.Record
---@return string
function M.encode(record)
  local fields = {}
  for _, name in ipairs(FIELDS) do
    if record[name] then
      fields[#fields + 1] = name .. "=" .. record[name]:gsub("[%c%%]", function(byte)
        return ("%%%02X"):format(byte:byte())
      end)
    end
  end
  return table.concat(fields, "\t") .. "\n"
end

---@param line string
---@return postmulti.Record
function M.decode(line)
  local record = {}
  for name, value in line:gmatch "([%a]+)=([^\t\n]*)" do
    record[name] = value:gsub("%%(%x%x)", function(hex) return string.char(tonumber(hex, 16)) end)
  end
  return record --[[@as postmulti.Record]]
end

---The journal of a host. Somebody who is not root has none: only his own files are at stake.
---@param host postmulti.Host
---@return postmulti.Journal|nil
function M.of(host)
  if host.core.effective_uid() ~= 0 then
    return nil
  end
  return setmetatable({ core = host.core, directory = STATE .. "/" .. M.host_id(host), count = 0 }, Journal)
end

---Put records on disk.
---@param records postmulti.Record[]
function Journal:add(records)
  local lines = {}
  for index, record in ipairs(records) do
    lines[index] = M.encode(record)
  end
  self.count = self.count + 1
  if self.count == 1 or not self.is_made then
    self.is_made = true
    errors.check(self.core.make_path(self.directory, { mode = tonumber("700", 8) }))
  end
  local path = ("%s/%06d"):format(self.directory, self.count)
  local made, reason, errno = self.core.create_file(path, table.concat(lines), { mode = tonumber("600", 8),
    replace = true })
  if not made then
    -- It may be there, but not be known to be on disk: then it must not count.
    self.core.unlink(path)
    errors.check(made, reason, errno)
  end
end

---The names of its files, in order.
---@return string[]
local function files(journal)
  local found = {}
  for _, one in ipairs(errors.if_exists(journal.core.list(journal.directory)) or {}) do
    found[#found + 1] = one.name
  end
  return found
end

---Everything that an interrupted transaction was about to do, in order.
---@return postmulti.Record[]|nil records  nil: none was interrupted
function Journal:read()
  if not errors.if_exists(self.core.stat(self.directory)) then
    return nil
  end
  local records = {}
  for _, name in ipairs(files(self)) do
    if name:find "^%d+$" then
      local text = errors.check(self.core.read_file(self.directory .. "/" .. name))
      for line in text:gmatch "[^\n]+" do
        records[#records + 1] = M.decode(line)
      end
    end
  end
  return records
end

---The number of the last file on disk.
---@return integer
function Journal:last()
  local last = 0
  for _, name in ipairs(files(self)) do
    last = math.max(last, tonumber(name:match "^%d+$") or 0)
  end
  return last
end

---Go on with the journal that another process has begun. @return integer its number of files
---@return integer
function Journal:join()
  self.count = self:last()
  return self.count
end

---What another process has added since we added something.
---@return postmulti.Record[]
function Journal:read_on()
  local records, last = {}, self:last()
  for number = self.count + 1, last do
    local text = errors.if_exists(self.core.read_file(("%s/%06d"):format(self.directory, number)))
    for line in (text or ""):gmatch "[^\n]+" do
      records[#records + 1] = M.decode(line)
    end
  end
  self.count = math.max(self.count, last)
  return records
end

---Forget the newest, down to a number of files.
---@param count integer
function Journal:rewind(count)
  for number = self:last(), count + 1, -1 do
    errors.if_exists(self.core.unlink(("%s/%06d"):format(self.directory, number)))
  end
  self.count = count
end

---Forget everything. Oldest first: what says that the transaction was completed is last, and stays true until then.
---Newest first, if it was undone: the decision goes before what it was about.
---@param is_undone boolean?
function Journal:clear(is_undone)
  if is_undone then
    self:rewind(0)
  end
  for _, name in ipairs(files(self)) do
    errors.check(self.core.unlink(self.directory .. "/" .. name))
  end
  self.count = 0
  -- Not ours alone: another host's journal may be beside it.
  local _ = self.core.rmdir(self.directory) and self.core.rmdir(STATE)
end

return M
