--- What a transaction is about to do, on disk before it does it, so that the next one can undo or finish what a crash
--- or a power cut has left half done.
--
-- The journal is a file of lines, a record each, that is only added to. It exists while a transaction runs; when that
-- is done the file is kept, under a number, as the history of the host (postmulti.history).
--
-- Every line begins with its checksum, and every addition with an empty line: so what a process has half written when
-- it was killed is passed over. Nothing of it was done yet.

local errors = require "postmulti.errors"
local names = require "postmulti.names"

-- What a record tells: who began ("begin") and what he does ("action"); what is about to be made, changed or removed
-- ("directory", "file", "lock" for a PATH.tmp, "edit", "primary", "permissions", "removed"), or may be by a program
-- that is started ("child"); what is put off until that is decided ("remove", "set-permissions", "chroot", "take");
-- that it is ("done"), or that it is undone now ("undoing"); what is taken back ("rewind": records of this journal;
-- "undone": another one).

---@class postmulti.Record
---@field op string
---@field path string
---@field old string?          text of a file before an edit or removal
---@field sum string?          checksum of a file's text after it
---@field directories string?  of "primary": multi_instance_directories after the edit
---@field queue string?        of "remove" and "chroot": the instance's other directories
---@field data string?
---@field name string?         of "permissions": the object beneath PATH
---@field kind string?         of "permissions", "removed": its type; of "begin": "single"; of "take": an op; of
---  "chroot": "kept" where there was one before
---@field mode string?         octal
---@field uid string?
---@field gid string?
---@field text string?         of "action": what was done; of "begin": the command
---@field time string?         of "begin": seconds since 1970
---@field user string?         of "begin": who, see postmulti.history
---@field count string?        of "rewind": how many of the records before it still count; of "undone": a number of
---  the history

---@class postmulti.Journal
---@field core postmulti.core
---@field directory string
---@field path string
---@field count integer     records in it that count
---@field offset integer    how far it is known
---@field mine { [1]: integer, [2]: integer }[]  what we have written beyond that, behind what another process has
---@field is_made boolean?  the file was made by us
---@field pending postmulti.Record[]  to be written with the next ones
local Journal = {}
Journal.__index = Journal

local M = {}

local STATE = "/var/lib/postmulti"
local FIELDS = {
  "op", "path", "name", "kind", "mode", "uid", "gid", "queue", "data", "directories", "time", "user", "count", "text",
  "sum", "old",
}

local ENOENT = 2
local NO_ROOM = { [28] = true, [122] = true } -- ENOSPC, EDQUOT

---A name for the host that is a file name, too: /etc/postfix is "etc-postfix".
---@param host postmulti.Host
---@return string
function M.host_id(host)
  local id = names.normalize(host.config_directory):gsub("^/", ""):gsub("/", "-")
  return id ~= "" and id or "root"
end

-- Bytes that a field cannot hold as they are.
local escapes = { ["%"] = "%25" }
for byte = 0, 31 do
  escapes[string.char(byte)] = ("%%%02X"):format(byte)
end
escapes["\127"] = "%7F"

---One record as a line: a checksum, then NAME=VALUE fields, each after a tab, with %XX for what would disturb that.
---@param core postmulti.core
---@param record postmulti.Record
---@return string
function M.encode(core, record)
  local fields = {}
  for _, name in ipairs(FIELDS) do
    if record[name] then
      fields[#fields + 1] = "\t" .. name .. "=" .. record[name]:gsub("[%c%%]", escapes)
    end
  end
  local text = table.concat(fields)
  return core.checksum(text) .. text .. "\n"
end

---@param core postmulti.core
---@param line string  without its newline
---@return postmulti.Record|nil  nil: not a whole one
function M.decode(core, line)
  local sum, text = line:match "^(%x+)(\t.*)$"
  if not sum or core.checksum(text) ~= sum then
    return nil
  end
  local record = {}
  for name, value in text:gmatch "\t(%a+)=([^\t]*)" do
    record[name] = value:gsub("%%(%x%x)", function(hex) return string.char(tonumber(hex, 16)) end)
  end
  return record --[[@as postmulti.Record]]
end

---The record of something that is about to be removed.
---@param path string
---@param stat postmulti.Stat
---@param text string|nil  of a file
---@return postmulti.Record
function M.removed(path, stat, text)
  return {
    op = "removed", path = path, kind = stat.type, old = text, mode = ("%o"):format(stat.mode),
    uid = tostring(stat.uid), gid = tostring(stat.gid),
  }
end

---The record of owner and mode of something that is about to get others.
---@param base string
---@param name string|nil  beneath the base
---@param stat postmulti.Stat
---@return postmulti.Record
function M.permissions(base, name, stat)
  return {
    op = "permissions", path = base, name = name, kind = stat.type, mode = ("%o"):format(stat.mode),
    uid = tostring(stat.uid), gid = tostring(stat.gid),
  }
end

---The records of a text, in order.
---@param core postmulti.core
---@param text string
---@param known integer  how many came before
---@return postmulti.Record[]
---@return integer known  of those before, how many count
function M.parse(core, text, known)
  local records = {}
  for line in text:gmatch "([^\n]+)\n" do
    local record = M.decode(core, line)
    if record and record.op == "rewind" then
      local keep = tonumber(record.count) or 0
      for index = #records, math.max(keep - known, 0) + 1, -1 do
        records[index] = nil
      end
      known = math.min(known, keep)
    elseif record and record.op then
      records[#records + 1] = record
    end
  end
  return records, known
end

---The journal of a host. Somebody who is not root has none: only his own files are at stake.
---@param host postmulti.Host
---@return postmulti.Journal|nil
function M.of(host)
  return not host.dry_run and host.core.effective_uid() == 0 and M.at(host) or nil
end

---The same, whoever asks: to be read.
---@param host postmulti.Host
---@return postmulti.Journal
function M.at(host)
  local directory = STATE .. "/" .. M.host_id(host)
  return setmetatable({
    core = host.core, directory = directory, path = directory .. "/journal", count = 0, offset = 0, mine = {},
    pending = {},
  }, Journal)
end

---Have a record written with the next ones.
---@param record postmulti.Record
function Journal:note(record)
  self.pending[#self.pending + 1] = record
end

---What was done must not keep the next thing from being done: give up the older half of the history.
---@return boolean any
---@private
function Journal:make_room()
  local numbers = self:kept()
  for index = 1, (#numbers + 1) // 2 do
    self.core.unlink(self:file(numbers[index]))
  end
  return #numbers > 0
end

---Put records on disk.
---@param records postmulti.Record[]
---@param sync_later boolean?  what they say needs no undoing after a power cut
function Journal:add(records, sync_later)
  local core, lines = self.core, { "\n" }
  local is_new = self.count == 0 and not self.is_made
  for _, list in ipairs { self.pending, records } do
    for _, record in ipairs(list) do
      lines[#lines + 1] = M.encode(core, record)
    end
  end
  local text, options = table.concat(lines), { sync_later = sync_later }
  local function append()
    return core.append_file(self.path, text, options)
  end
  local at, reason, errno = append()
  if errno == ENOENT then
    errors.check(core.make_path(self.directory, { mode = tonumber("700", 8) }))
    at, reason, errno = append()
  end
  if NO_ROOM[errno] and not sync_later and self:make_room() then
    at, reason, errno = append()
  end
  if not at and is_new then
    core.unlink(self.path) -- it may have been made, and be empty
  end
  at = errors.check(at, reason, errno)
  if at == self.offset then
    self.offset = at + #text
  else
    self.mine[#self.mine + 1] = { at, at + #text }
  end
  self.is_made = true
  self.count = self.count + #lines - 1
  self.pending = {}
  if is_new and not sync_later then
    errors.check(core.sync(self.directory))
  end
end

---Everything that an interrupted transaction was about to do, in order.
---@return postmulti.Record[]|nil records  nil: none was interrupted
function Journal:read()
  local text = errors.if_exists(self.core.read_file(self.path))
  if not text then
    return nil
  end
  self.offset = #text
  local records = M.parse(self.core, text, 0)
  self.count = #records
  return records
end

---Go on with the journal that another process has begun.
---@return integer count  of its records
function Journal:join()
  self:read()
  self.is_made = true
  return self.count
end

---What another process has added since we looked or added something.
---@return postmulti.Record[]
function Journal:read_on()
  local text = errors.if_exists(self.core.read_file(self.path)) or ""
  local others, from = {}, self.offset
  for _, range in ipairs(self.mine) do
    others[#others + 1] = text:sub(from + 1, range[1])
    from = range[2]
  end
  others[#others + 1] = text:sub(from + 1)
  local records, known = M.parse(self.core, table.concat(others), self.count)
  self.count, self.offset, self.mine = known + #records, #text, {}
  return records
end

---Forget the newest records, down to a number of them.
---@param count integer
function Journal:rewind(count)
  self.pending = {}
  if self.count > count then
    self:add({ { op = "rewind", path = self.directory, count = tostring(count) } }, true)
    self.count = count
  end
end

---The file is not there any more.
---@private
function Journal:forget()
  self.count, self.offset, self.mine, self.pending, self.is_made = 0, 0, {}, {}, nil
end

---Forget everything.
function Journal:discard()
  self:forget()
  errors.if_exists(self.core.unlink(self.path))
end

---The numbers of the transactions that are kept, ascending.
---@return integer[]
function Journal:kept()
  local numbers = {}
  for _, entry in ipairs(errors.if_exists(self.core.list(self.directory)) or {}) do
    if entry.name:find "^%d+$" then
      numbers[#numbers + 1] = math.tointeger(tonumber(entry.name))
    end
  end
  table.sort(numbers)
  return numbers
end

---The file of a transaction that is kept.
---@param number integer
---@return string
function Journal:file(number)
  return ("%s/%06d"):format(self.directory, number)
end

---The transaction is done: keep the journal under the next number, and of the others the newest.
---@param limit integer  how many are kept; 0: none
function Journal:archive(limit)
  local core = self.core
  if limit == 0 then
    return self:discard()
  end
  local numbers = self:kept()
  errors.check(core.rename(self.path, self:file((numbers[#numbers] or 0) + 1)))
  self:forget()
  for index = 1, #numbers + 1 - limit do
    core.unlink(self:file(numbers[index]))
  end
end

return M
