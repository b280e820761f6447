--- A host: the primary instance, its secondaries, and what can be done with them.

local Claims = require "postmulti.claims"
local errors = require "postmulti.errors"
local evaluation = require "postmulti.evaluation"
local instance = require "postmulti.instance"
local primary = require "postmulti.primary"
local selection = require "postmulti.selection"

---@class postmulti.Host
---@field core postmulti.core
---@field config_directory string   of the primary
---@field parameters table          what the primary's main.cf says, see postmulti.parameters
---@field primary postmulti.Instance
---@field defaults postmulti.Defaults
---@field lock_timeout number       seconds to wait for another command
---@field private table postmulti.Instance[]|nil
local Host = {}
Host.__index = Host

local M = {}

local function ignore() end

---@class postmulti.OpenOptions
---@field config_directory string?  of the primary; default: as built, /etc/postfix
---@field report (fun(level: "warning"|"info", message: string, unlogged: boolean?))?  told one line, which may be of no
---  interest to a log; default: nobody
---@field lock_timeout number?      seconds to wait for another command, default 30
---@field verbose boolean?          make the Postfix programs that are run verbose
---@field core postmulti.core?      for tests: what stands in for the C core

---Open the host whose primary instance is in config_directory.
---@param options postmulti.OpenOptions?
---@return postmulti.Host
function M.open(options)
  options = options or {}
  local core = options.core or require "postmulti.core"
  local self = setmetatable({
    core = core,
    config_directory = options.config_directory or core.build.config_directory,
    report = options.report or ignore,
    lock_timeout = options.lock_timeout or 30,
    verbose = options.verbose,
  }, Host)
  self.defaults = evaluation.defaults(core)
  self.remarked = {}
  self:reload()
  return self
end

---Report remarks on a main.cf, each once.
---@param remarks postmulti.Remark[]
---@param unlogged boolean?  they do not belong in the log
function Host:remark(remarks, unlogged)
  for _, remark in ipairs(remarks) do
    if not self.remarked[remark.text] then
      self.remarked[remark.text] = true
      self.report("warning", remark.text, unlogged)
    end
  end
end

---Read the primary again and forget the instances: after this, what other programs changed is seen.
function Host:reload()
  local values, remarks = primary.read(self.core, self.config_directory, self.defaults)
  if not values then
    errors.raise("damaged", "%s", remarks)
  end
  self.parameters = values
  self.directories = values.secondaries
  self.primary = instance.primary(self)
  self.table = nil
  self.claims = nil
  self:remark(remarks)
end

---Claim the directories that all instances share, and find out that they exist.
function Host:check_shared_directories()
  local claims = Claims.new()
  for _, name in ipairs { "command_directory", "daemon_directory", "meta_directory", "shlib_directory" } do
    local path = self.parameters[name]
    if path:sub(1, 1) == "/" then
      local stat, reason = self.core.stat(path)
      if not stat then
        errors.raise("system", "%s/main.cf: %s: %s", self.config_directory, name, reason)
      elseif stat.type ~= "directory" then
        errors.raise("damaged", "%s/main.cf: %s = %s is not a directory", self.config_directory, name, path)
      end
      local conflict = name ~= "meta_directory" and claims:claim(path, self.config_directory, name)
      if conflict then
        errors.raise("conflict", "%s/main.cf: %s = %s is also %s", self.config_directory, name, path, conflict)
      end
    end
  end
  self.claims = claims
end

---Read the table of instances: the primary, then the secondaries in the order of multi_instance_directories.
---An instance that cannot be used is in it all the same, with its reason in `damage`.
---@return postmulti.Instance[]
function Host:load()
  if self.table then
    return self.table
  end
  if not self.claims then
    self:check_shared_directories()
  end
  local conflict = self.claims:claim_instance(self.primary)
  if conflict then
    errors.raise("conflict", "%s/main.cf: %s", self.config_directory, conflict)
  end
  local list = { self.primary }
  local is_damaged = false
  for index, directory in ipairs(self.directories) do
    local secondary = instance.read(self, directory)
    conflict = self.claims:claim_instance(secondary)
    if conflict and not secondary.damage then
      secondary.damage = directory .. "/main.cf: " .. conflict
    end
    is_damaged = is_damaged or secondary.damage ~= nil
    list[index + 1] = secondary
  end
  if is_damaged and self:is_outdated() then
    self:reload()
    return self:load()
  end
  self.table = list
  return list
end

---Has somebody changed the list of instances since it was read? Then one that seems damaged may just have been removed.
---@return boolean
---@private
function Host:is_outdated()
  local values = not self.current and primary.read(self.core, self.config_directory, self.defaults)
  return values and table.concat(values.secondaries, " ") ~= table.concat(self.directories, " ") or false
end

---@class postmulti.Filter: postmulti.Selector
---@field enabled boolean?
---@field damaged boolean?
---@field match (fun(instance: postmulti.Instance): boolean)?

---The instances that a filter means, in order; without one, all.
---@param filter postmulti.Filter?
---@return fun(): postmulti.Instance|nil
function Host:instances(filter)
  filter = filter or {}
  local list = selection.select(self:load(), filter)
  local index = 0
  return function()
    while index < #list do
      index = index + 1
      local one = list[index]
      if (filter.enabled == nil or one.enabled == filter.enabled)
        and (filter.damaged == nil or (one.damage ~= nil) == filter.damaged)
        and (not filter.match or filter.match(one)) then
        return one
      end
    end
  end
end

---The instance that NAME means: name, name without "postfix-", configuration directory, or "-" for the primary.
---@param name string
---@return postmulti.Instance
function Host:instance(name)
  local found = selection.find(self:load(), name)
  if not found then
    errors.raise("not found", "no instance is called '%s'; postmulti -l lists them", name)
  end
  return found
end

---Run FUNC under the host's lock. The primary is changed at the end, at once; when FUNC raises, everything done so far
---is undone, in reverse, and the error goes on. Within a transaction it just runs FUNC.
---@param func fun(transaction: postmulti.Transaction): any
---@param is_single boolean?  FUNC changes one file at the most, so that no journal is needed
---@return any  what FUNC returns
function Host:transaction(func, is_single)
  if self.current then
    return func(self.current)
  end
  return require("postmulti.transaction").run(self, func, is_single)
end

---Each life-cycle action is a module of its own, postmulti.command.NAME, with run(host, transaction, args).
---@param name string
---@param args table
---@return any
function Host:act(name, args)
  local command = require("postmulti.command." .. name)
  return self:transaction(function(transaction)
    return command.run(self, transaction, args)
  end, command.is_single)
end

---Make this host ready for more than one instance: multi_instance_wrapper and multi_instance_enable of the primary.
---@param args { wrapper: string? }?  default: the stock command's
---@return boolean changed
function Host:init(args)
  return self:act("init", args or {})
end

---@class postmulti.CreateArgs
---@field name string?               "postfix-..."
---@field group string?
---@field config_directory string?   default: beside the primary's, called as the instance; likewise the other two
---@field queue_directory string?
---@field data_directory string?
---@field place postmulti.Selector?  before which instance; default: at the end

---Create an instance and enter it.
---@param args postmulti.CreateArgs
---@return postmulti.Instance
function Host:create(args)
  return self:act("create", args)
end

---Enter an instance whose main.cf and master.cf exist.
---@param args postmulti.CreateArgs  no queue_directory and data_directory: main.cf has them
---@return postmulti.Instance
function Host:import(args)
  return self:act("import", args)
end

return M
