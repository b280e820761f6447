--- A host: the primary instance, its secondaries, and what can be done with them. How they are read is in
--- postmulti.inventory.

local errors = require "postmulti.errors"
local instance = require "postmulti.instance"
local inventory = require "postmulti.inventory"
local selection = require "postmulti.selection"

---@class postmulti.Host
local Host = inventory.Host

local M = { open = inventory.open }

---The instances may not be as the table says: read them again when they are needed.
---@param directories string[]  the secondaries
---@package
function Host:forget(directories)
  local known = self.identities or {}
  known[self.config_directory] = known[self.config_directory] or self.primary
  for _, one in ipairs(self.table or {}) do
    known[one.config_directory] = one
  end
  self.identities, self.table, self.claims, self.directories = known, nil, nil, directories
end

---Read everything again; the objects that scripts hold stay what they are, with new fields.
---@param directories string[]?  the secondaries, where the primary's main.cf does not say it yet
---@package
function Host:refresh(directories)
  self:forget(self.directories)
  self:reload()
  self.directories = directories or self.directories
  self:load()
end

---Have the objects that were known before stand for the instances that were read now.
---@private
function Host:identify()
  for index, fresh in ipairs(self.table) do
    local old = self.identities[fresh.config_directory]
    if old and old ~= fresh then
      for name in pairs(old) do
        old[name] = nil
      end
      for name, value in pairs(fresh) do
        old[name] = value
      end
      self.table[index] = old
    end
  end
  self.primary, self.identities = self.table[1], nil
end

---@class postmulti.Filter: postmulti.Selector
---@field enabled boolean?
---@field damaged boolean?
---@field running boolean?
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
        and (filter.running == nil or (not one.damage and one:is_running()) == filter.running)
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
    return self.current:part(func)
  end
  if not self.dry_run then
    self:load_hooks()
  end
  return require("postmulti.transaction").run(self, func, is_single)
end

---The hooks, loaded when they are needed first: one that cannot be loaded stops everything that changes something.
---@return postmulti.Hooks
---@package
function Host:load_hooks()
  if not self.hooks then
    local there = self.core.stat(self.site_directory .. "/hooks.d", false)
      or self.core.stat(self.share_directory .. "/hooks.d", false)
    self.hooks = there and require("postmulti.hooks").load(self) or inventory.no_hooks
  end
  return self.hooks
end

---Does an action change one file at the most, so that no journal is needed?
---@param name string
---@return boolean
---@package
function Host:is_single(name)
  return require("postmulti.command." .. name).is_single and not self:load_hooks():any(name) or false
end

local function copy(source)
  local result = {}
  for name, value in pairs(source or {}) do
    result[name] = value
  end
  return result
end

---The instance that an action is about, before it is done.
local function subject(host, command, args)
  if command.plan then
    return instance.planned(host, command.plan(host, args))
  end
  return args.instance or host.primary
end

---Give a new instance what config.lua says.
local function apply_config(host, new)
  if host.config.settings then
    new:set(host.config.settings)
  end
  if host.config.services then
    new:edit_services(host.config.services)
  end
end

---One action with its hooks.
---@package
function Host:perform(transaction, command, args)
  local name, with = command.name, self:load_hooks()
  local event = with:any(name) and with:event(name, nil, copy(args)) or { args = args }
  if with:any(name) or name == "create" then
    event.instance = subject(self, command, event.args)
  end
  local plan = event.instance
  local is_new = name == "create" and not self.core.stat(plan.config_directory .. "/main.cf")
  if self.dry_run then
    for _, hook in ipairs(with.list) do
      if with:any(name) then
        self.report("info", ("would call the hook %s"):format(hook.path), true)
      end
    end
  elseif with:any(name) then
    with:before(event, transaction)
  end
  local result = command.run(self, transaction, event.args)
  event.changed = result ~= false
  if command.plan then
    event.instance = result
  end
  if is_new then
    apply_config(self, result)
  end
  local label = (event.instance or args.instance or self.primary):label()
  if event.changed then
    transaction:afterward(function()
      self.log(("%s%s %s"):format(self.dry_run and "would " or "", name, label))
    end)
  end
  if with:any(name) and not self.dry_run then
    with:acted(event, transaction)
    if name == "create" then
      with:after_inside(event)
    else
      transaction:afterward(function() return with:after(event) end)
    end
  end
  return result
end

---Each life-cycle action is a module of its own, postmulti.command.NAME, with run(host, transaction, args).
---@param name string
---@param args table
---@return any
---@package
function Host:act(name, args)
  local command = require("postmulti.command." .. name)
  return self:transaction(function(transaction)
    return self:perform(transaction, command, args)
  end, self:is_single(name))
end

-- Children --------------------------------------------------------------------

---@class postmulti.Command  a program and how it is run
---@field [integer] string       the program and its arguments; without a slash it is looked up in PATH
---@field capture boolean?      have its output in the result, as stdout and stderr
---@field time_limit number?    seconds, then it is stopped
---@field input string?         for its standard input
---@field directory string?     to run it in
---@field environment table<string, string|false>?  changes; false takes a variable away
---@field harmless boolean?     it changes nothing, so that it is run in a dry run, too

---What a child within a transaction is told.
local function child_environment(host, holder)
  local delta = host.hooks and host.hooks:environment() or {}
  if holder then
    delta[require("postmulti.nesting").variable] = holder.path
  end
  return delta
end

---Run a program. Within a transaction it finds everything done so far in the files, and may itself be a command that
---takes the host's lock.
---@param argv string[]
---@param delta table<string, string|false>  of the environment
---@param command postmulti.Command
---@return postmulti.Exit
---@package
function Host:spawn(argv, delta, command)
  local transaction, holder = self.current, nil
  -- A signal or a time limit may leave this function anywhere.
  local _ <close> = setmetatable({}, { __close = function()
    if holder then
      pcall(require("postmulti.nesting").close, holder, self.lock_timeout)
    end
  end })
  if transaction and not self.dry_run then
    transaction:publish()
    holder = require("postmulti.nesting").open(self)
  end
  for _, more in ipairs { child_environment(self, holder), command.environment or {} } do
    for name, value in pairs(more) do
      delta[name] = value
    end
  end
  local stream = command.capture and "capture" or "inherit"
  local result = table.pack(self.core.run(argv, {
    environment = delta,
    stdout = stream,
    stderr = stream,
    input = command.input,
    directory = command.directory,
    time_limit = require("postmulti.guard").child_limit(command.time_limit),
    harmless = self.dry_run and command.harmless or nil,
  }))
  if holder then
    local mine = holder
    holder = nil
    require("postmulti.nesting").close(mine, self.lock_timeout)
    transaction:absorb()
  end
  return (errors.check(table.unpack(result, 1, result.n)))
end

---Run a program that concerns no instance in particular, for the primary.
---@param command postmulti.Command
---@return postmulti.Exit
function Host:run(command)
  local delta = require("postmulti.environment").context(self.primary)
  return self:spawn(table.move(command, 1, #command, 1, {}), delta, command)
end

---A child is about to be started that is not waited for at once.
---@return table<string, string> environment
---@package
function Host:begin_background()
  if self.current and not self.background and not self.dry_run then
    self.current:publish()
    self.background = require("postmulti.nesting").open(self)
  end
  return child_environment(self, self.background)
end

---Wait for what such children do to instances.
---@package
function Host:end_background()
  local holder = self.background
  if holder then
    self.background = nil
    require("postmulti.nesting").close(holder, self.lock_timeout)
    if self.current then
      self.current:absorb()
    end
  end
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
  local config = self.config
  args = copy(args)
  args.place = args.place and next(args.place) and args.place or config.place
  args.group = args.group or config.group
  local name = args.name
  for parameter, template in pairs(config.directories or {}) do
    if not args[parameter] and name then
      args[parameter] = template:gsub("{name}", (name:gsub("%%", "%%%%")))
    end
  end
  return self:act("create", args)
end

---Enter an instance whose main.cf and master.cf exist.
---@param args postmulti.CreateArgs  no queue_directory and data_directory: main.cf has them
---@return postmulti.Instance
function Host:import(args)
  args = copy(args)
  args.place = args.place and next(args.place) and args.place or self.config.place
  return self:act("import", args)
end

-- Files -----------------------------------------------------------------------

---Is there anything of that name?
---@param path string
---@return boolean
function Host:exists(path)
  return errors.if_exists(self.core.stat(path)) ~= nil
end

---Read a whole file.
---@param path string
---@return string|nil text  nil: there is none
function Host:read_file(path)
  return (errors.if_exists(self.core.read_file(path)))
end

---Write a file, whole or not at all; equal text is not written. Within a transaction it is undone with it.
---@param path string
---@param text string
---@param options { mode: integer? }?  of a new file, default 0644
---@return boolean changed
function Host:write_file(path, text, options)
  return self:transaction(function(transaction)
    return transaction:put_file(path, text, options and options.mode)
  end, true)
end

---Remove a file. Within a transaction it is undone with it, as long as the program runs.
---@param path string
---@return boolean changed  false: there was none
function Host:remove_file(path)
  return self:transaction(function(transaction)
    return transaction:remove_file(path)
  end, true)
end

---Make a directory, with what is above it. Within a transaction it is undone with it, as long as it is empty.
---@param path string
---@param options { mode: integer? }?  default 0755
function Host:make_directory(path, options)
  self:transaction(function(transaction)
    require("postmulti.command.entry").make_directories(self, transaction, { { path, options and options.mode } })
  end)
end

M.methods = Host

return M
