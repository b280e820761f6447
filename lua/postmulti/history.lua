--- What was done to the instances of a host: the journals of its last transactions, see postmulti.journal.

local errors = require "postmulti.errors"

local M = {}

local KEPT = 100 -- transactions, unless config.lua says otherwise

---@class postmulti.Change  one transaction of the history
---@field number integer
---@field time integer         seconds since 1970
---@field user string          who: the user that logged in, as far as the system knows
---@field command string       the command line
---@field actions string[]     what was done: "create postfix-out", "change /etc/postfix-out/main.cf"
---@field is_undone boolean    it was taken back
---@field undoes integer|nil    the number of the one that it took back
---@field package records postmulti.Record[]

---How many transactions are kept.
---@param host postmulti.Host
---@return integer
function M.limit(host)
  return host.config.history or KEPT
end

---Who runs this process: what sudo(8) or doas(1) say, or the number of the user that logged in (proc(5), loginuid).
---@param core postmulti.core
---@return string
function M.user(core)
  local user = os.getenv "SUDO_USER" or os.getenv "DOAS_USER"
  local login = user or core.read_file "/proc/self/loginuid" or ""
  return login ~= "" and login ~= "4294967295" and login or tostring(core.effective_uid())
end

---The name of a user, where it is known only by number.
local function user_name(user)
  local entry = user:find "^%d+$" and require("posix.pwd").getpwuid(math.tointeger(tonumber(user)))
  return entry and entry.pw_name or user
end

-- How a record without an action of its own is told.
local VERBS = { edit = "change", file = "write", removed = "remove" }

---@param records postmulti.Record[]
---@return string[]
local function actions_of(records)
  local actions, told = {}, {}
  for _, one in ipairs(records) do
    if one.op == "action" then
      actions[#actions + 1] = one.text
    end
  end
  if #actions > 0 then
    return actions
  end
  for _, one in ipairs(records) do
    local verb = VERBS[one.op]
    local text = verb and one.kind ~= "directory" and verb .. " " .. one.path
    if text and not told[text] then
      told[text] = true
      actions[#actions + 1] = text
    end
  end
  return actions
end

---One transaction; nil: its file is not readable as one.
---@param host postmulti.Host
---@param own postmulti.Journal
---@param number integer
---@return postmulti.Change|nil
local function read(host, own, number)
  local text = errors.check(host.core.read_file(own:file(number)))
  local records = require("postmulti.journal").parse(host.core, text, 0)
  local first = records[1]
  if not first or first.op ~= "begin" then
    return nil
  end
  local undoes
  for _, one in ipairs(records) do
    undoes = undoes or one.op == "undone" and math.tointeger(tonumber(one.count))
  end
  return {
    number = number, time = math.tointeger(tonumber(first.time)) or 0, user = user_name(first.user or ""),
    command = first.text or "", actions = actions_of(records), is_undone = false, undoes = undoes, records = records,
  }
end

---The transactions that are kept, newest first: so whoever takes one back comes before it.
---@param host postmulti.Host
---@return fun(): postmulti.Change|nil
local function newest_first(host)
  if host.core.effective_uid() ~= 0 then
    errors.raise("usage", "only root has a history of changes: run this as root")
  end
  local own, undone = require("postmulti.journal").at(host), {}
  local numbers = own:kept()
  local index = #numbers + 1
  return function()
    while index > 1 do
      index = index - 1
      local change = read(host, own, numbers[index])
      if change then
        change.is_undone = undone[change.number] or false
        undone[change.undoes or 0] = true
        return change
      end
    end
  end
end

---The transactions that are kept, oldest first.
---@param host postmulti.Host
---@return postmulti.Change[]
function M.list(host)
  local changes = {}
  for change in newest_first(host) do
    changes[#changes + 1] = change
  end
  local count = #changes
  for index = 1, count // 2 do
    changes[index], changes[count + 1 - index] = changes[count + 1 - index], changes[index]
  end
  return changes
end

---The last change that was not taken back.
---@param host postmulti.Host
---@return postmulti.Change|nil
function M.last(host)
  for change in newest_first(host) do
    if not change.is_undone and not change.undoes then
      return change
    end
  end
end

local FEW = 4 -- actions that are told one by one

---What a change was, in a few words.
---@param change postmulti.Change
---@return string
function M.summary(change)
  local actions = change.actions
  local told = table.concat(actions, ", ", 1, math.min(#actions, FEW))
  return #actions > FEW and ("%s and %d more"):format(told, #actions - FEW) or told
end

---A line of the list.
---@param change postmulti.Change
---@return string
function M.line(change)
  local remark = change.is_undone and " (undone)" or ""
  return ("%6d  %s  %-12s %s%s\n"):format(change.number, os.date("%Y-%m-%d %H:%M:%S", change.time), change.user,
    M.summary(change), remark)
end

---The same as a JSON object.
---@param change postmulti.Change
---@return string
function M.json(change)
  return require("postmulti.report").encode {
    number = change.number, time = os.date("!%Y-%m-%dT%H:%M:%SZ", change.time), user = change.user,
    command = change.command, actions = change.actions, undone = change.is_undone,
  } .. "\n"
end

return M
