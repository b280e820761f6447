--- Hooks: files that take part in what is done to instances. See postmulti-hooks(7).
--
-- before_* run before anything is changed, and can veto. after_create runs while the creation can still be undone; the
-- other after_* run when the action is on disk. undo_* run, newest first, for the hooks that took part in an action
-- that is undone.

local errors = require "postmulti.errors"
local guard = require "postmulti.guard"
local nearest = require "postmulti.nearest"
local nesting = require "postmulti.nesting"
local site = require "postmulti.site"

local M = {}

M.actions = { "init", "create", "import", "destroy", "deport", "assign", "enable", "disable" }

---Every key that a hook's table may have.
---@return string[]
local function known_keys()
  local keys = { "before_postfix", "after_postfix", "summary", "time_limit" }
  for _, phase in ipairs { "before", "after", "undo" } do
    for _, action in ipairs(M.actions) do
      keys[#keys + 1] = phase .. "_" .. action
    end
  end
  return keys
end

M.keys = known_keys()

---@class postmulti.Hook
---@field name string
---@field path string
---@field functions table<string, fun(event: postmulti.Event)>
---@field time_limit number
---@field summary string?

---@class postmulti.Event
---@field action string                 "create", "postfix", ...
---@field phase "before"|"after"|"undo"
---@field host postmulti.Host
---@field instance postmulti.Instance   before_create and before_import: as it will be
---@field args table                    of the action; before_* may change them
---@field primary postmulti.Instance
---@field command string[]|nil          postfix: the command and its operands
---@field exit postmulti.Exit|nil       after_postfix: how it ended
---@field changed boolean|nil           after_*: false when there was nothing to do
local FIELDS = { "action", "phase", "host", "instance", "args", "primary", "command", "exit", "changed" }

local Event = {}

-- A field that is never there is a slip of the pen.
function Event.__index(_, name)
  for _, field in ipairs(FIELDS) do
    if field == name then
      return nil
    end
  end
  error(("an event has no field '%s'%s"):format(tostring(name), nearest.hint(tostring(name), FIELDS)), 2)
end

M.fields = FIELDS

---Check the table that a hook's file returns.
---@param file postmulti.SiteFile
---@param value table
---@param limit number
---@return postmulti.Hook
local function hook_of(file, value, limit)
  local hook = { name = file.name, path = file.path, functions = {}, time_limit = limit }
  for key, one in pairs(value) do
    local known = false
    for _, name in ipairs(M.keys) do
      known = known or name == key
    end
    if not known then
      errors.raise("untrusted", "%s: '%s' is no hook%s", file.path, tostring(key),
        nearest.hint(tostring(key), M.keys))
    elseif key == "summary" then
      hook.summary = tostring(one)
    elseif key == "time_limit" then
      if type(one) ~= "number" or not (one > 0 and one < math.huge) then
        errors.raise("untrusted", "%s: time_limit must be a number of seconds above 0", file.path)
      end
      hook.time_limit = one
    elseif type(one) ~= "function" then
      errors.raise("untrusted", "%s: %s must be a function, not a %s", file.path, key, type(one))
    else
      hook.functions[key] = one
    end
  end
  return hook
end

---@class postmulti.Hooks
---@field host postmulti.Host
---@field list postmulti.Hook[]
---@field files postmulti.SiteFile[]  of which some may be switched off
---@field others string[]  paths of files that are no hooks for their names
---@field active table<string, true>
---@field running integer  functions that are running in this process
local Hooks = {}
Hooks.__index = Hooks

---Load all hooks of a host. One that cannot be loaded is an error: an action without it might be the wrong one.
---@param host postmulti.Host
---@return postmulti.Hooks
function M.load(host)
  local self = setmetatable({
    host = host, list = {}, active = {}, running = 0, undone = {},
  }, Hooks)
  self.files, self.others = site.files(host, "hooks.d")
  for word in (os.getenv(nesting.active) or ""):gmatch "%S+" do
    self.active[word] = true
  end
  local limit = host.config.hook_time_limit or site.LIMIT
  for _, file in ipairs(self.files) do
    if not file.is_off then
      self.list[#self.list + 1] = hook_of(file, site.load(host, file.path, limit), limit)
    end
  end
  return self
end

---Is there a hook of this action?
---@param action string
---@return boolean
function Hooks:any(action)
  for _, hook in ipairs(self.list) do
    for _, phase in ipairs { "before_", "after_", "undo_" } do
      if hook.functions[phase .. action] then
        return true
      end
    end
  end
  return false
end

---@param action string
---@param instance postmulti.Instance
---@param args table
---@return postmulti.Event
function Hooks:event(action, instance, args)
  return setmetatable({
    action = action, phase = "before", host = self.host, instance = instance, args = args, primary = self.host.primary,
  }, Event)
end

---Which functions are running, for the environment of children.
---@return table<string, string>
function Hooks:environment()
  local words = {}
  for word in pairs(self.active) do
    words[#words + 1] = word
  end
  table.sort(words)
  words[#words + 1] = self.running > 0 and nesting.mark(self.host) or nil
  return #words > 0 and { [nesting.active] = table.concat(words, " ") } or {}
end

---Call one function of one hook, unless it is running already.
---@param hook postmulti.Hook
---@param phase "before"|"after"|"undo"
---@param event postmulti.Event
---@return boolean ok
---@return string? reason
function Hooks:call(hook, phase, event)
  local key = phase .. "_" .. event.action
  local func, word = hook.functions[key], hook.name .. ":" .. key
  if not func or self.active[word] then
    return true
  end
  self.active[word], self.running = true, self.running + 1
  event.phase = phase
  local ok, problem, expired = guard.call(self.host.core, hook.time_limit, hook.path .. ": " .. key, func,
    event)
  local ended, trouble = pcall(self.host.end_background, self.host)
  self.active[word], self.running = nil, self.running - 1
  if expired then
    return false, ("%s: %s took longer than %g s, and was stopped"):format(hook.path, key, hook.time_limit)
  elseif errors.is(problem) and problem.kind == "interrupted" then
    error(problem, 0)
  elseif not ok then
    return false, site.place(hook.path, problem)
  elseif not ended then
    return false, site.place(hook.path, trouble)
  end
  return true
end

---The reason why an action is not done, as an error.
local function throw(kind, event, text, reason)
  local instance = event.instance
  errors.throw(kind, text:format(event.action, instance:label(), reason), { instance = instance.config_directory })
end

---before_*: the first that fails vetoes. Those that ran take part in the transaction: it undoes them.
---@param event postmulti.Event
---@param transaction postmulti.Transaction|nil
---@param renew function|nil  called after each: what it may have changed of the event is looked at
function Hooks:before(event, transaction, renew)
  for _, hook in ipairs(self.list) do
    if hook.functions["before_" .. event.action] then
      local ok, reason = self:call(hook, "before", event)
      if ok and renew then
        ok, reason = pcall(renew)
        reason = not ok and site.place(hook.path, reason) or nil
      end
      if not ok then
        throw("vetoed", event, "%s of %s is vetoed: %s", reason)
      end
    end
    self:enlist(hook, event, transaction)
  end
end

---A hook takes part in a transaction: its undo_* is called, once, when that is undone.
---@param hook postmulti.Hook
---@param event postmulti.Event
---@param transaction postmulti.Transaction|nil
function Hooks:enlist(hook, event, transaction)
  if not transaction or not hook.functions["undo_" .. event.action] then
    return
  end
  local undone = self.undone[event]
  if not undone then
    undone = {}
    self.undone[event] = undone
  end
  transaction:on_undo(function()
    if not undone[hook] then
      undone[hook] = true
      local ok, reason = self:call(hook, "undo", event)
      if not ok then
        errors.throw("hook", reason --[[@as string]])
      end
    end
  end)
end

---The action itself is done. What comes later is undone first: so the undo_* find what the action made still there.
---@param event postmulti.Event
---@param transaction postmulti.Transaction
function Hooks:acted(event, transaction)
  for _, hook in ipairs(self.list) do
    self:enlist(hook, event, transaction)
  end
end

---after_create: the first that fails undoes the creation.
---@param event postmulti.Event
function Hooks:after_inside(event)
  for _, hook in ipairs(self.list) do
    local ok, reason = self:call(hook, "after", event)
    if not ok then
      throw("hook", event, "%s of %s is undone, as a hook failed: %s", reason)
    end
  end
end

---The other after_*: what is done stands. @return postmulti.Error|nil the first failure, once all have run
---@param event postmulti.Event
---@return postmulti.Error|nil
function Hooks:after(event)
  local first
  for _, hook in ipairs(self.list) do
    local ok, reason = self:call(hook, "after", event)
    if not ok then
      local problem = errors.new("hook", ("%s of %s is done, but a hook failed: %s"):format(event.action,
        event.instance:label(), reason), { instance = event.instance.config_directory })
      if first then
        self.host.report("warning", problem.message)
      end
      first = first or problem
    end
  end
  return first
end

return M
