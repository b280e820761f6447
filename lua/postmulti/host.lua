--- A host: the primary instance, its secondaries, and what can be done with them. How they are read is in
--- postmulti.inventory.

local errors = require "postmulti.errors"
local instance = require "postmulti.instance"
local inventory = require "postmulti.inventory"
local selection = require "postmulti.selection"

---@class postmulti.Host
local Host = inventory.Host

local M = { open = inventory.open, options = inventory.options }

---Refuse fields that a function does not know. Most calls have none, and then the module is not needed.
---@param what string  see postmulti.arguments
---@param args table|nil
local function check_arguments(what, args)
  if args ~= nil and (type(args) ~= "table" or next(args, #args > 0 and #args or nil) ~= nil) then
    require("postmulti.arguments").check(what, args)
  end
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

---The primary's main.cf was written with what is known already: only that is read again.
---@package
function Host:reread_primary()
  local values, remarks = require("postmulti.primary").read(self.core, self.config_directory, self.defaults)
  if not values then
    errors.raise("damaged", "%s", remarks)
  end
  self.parameters, self.directories = values, values.secondaries
  for name, value in pairs(inventory.primary(self)) do
    self.primary[name] = value
  end
end

---@class postmulti.Filter
---@field name string?      as with Host:instance
---@field group string?
---@field enabled boolean?
---@field damaged boolean?
---@field running boolean?
---@field match (fun(instance: postmulti.Instance): boolean)?

---The instances that a filter means, in order; without one, all.
---@param filter postmulti.Filter?
---@return fun(): postmulti.Instance|nil
function Host:instances(filter)
  check_arguments("instances", filter)
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
---Raises "not found".
---@param name string
---@return postmulti.Instance
function Host:instance(name)
  if type(name) ~= "string" then
    require("postmulti.arguments").misuse(("instance: a name is wanted, not a %s"):format(type(name)))
  end
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
  local ok, result = pcall(require("postmulti.transaction").run, self, func, is_single)
  if not ok then
    pcall(self.refresh, self) -- what instances were made to be, they are no more
    error(result, 0)
  end
  return result
end

---The hooks, loaded when they are needed first: one that cannot be loaded stops everything that changes something.
---@return postmulti.Hooks
---@package
function Host:load_hooks()
  if not self.hooks then
    local core = self.core
    local there = errors.if_shown(core, core.stat(self.site_directory .. "/hooks.d", false))
      or errors.if_shown(core, core.stat(self.share_directory .. "/hooks.d", false))
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

---What messages and the history call it.
local function subject_label(host, event, args)
  local one = event.instance or args.instance
  return one and one:label() or args.name or args.config_directory or host.primary:label()
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

---In a dry run: which hooks would be called.
---@param action string
---@package
function Host:tell_hooks(action)
  for _, hook in ipairs(self:load_hooks().list) do
    if hook.functions["before_" .. action] or hook.functions["after_" .. action] then
      self.report("info", ("would call the hook %s"):format(hook.path), true)
    end
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
  if self.dry_run then
    self:tell_hooks(name)
  elseif with:any(name) then
    with:before(event, transaction, function()
      local complaint = require("postmulti.arguments").complaint(name, event.args)
      if complaint then
        errors.throw("usage", complaint)
      end
      event.instance = subject(self, command, event.args)
    end)
  end
  local is_new = name == "create"
    and not errors.if_exists(self.core.stat(event.instance.config_directory .. "/main.cf"))
  local note = transaction:note(name .. " " .. subject_label(self, event, args))
  local result = command.run(self, transaction, event.args)
  event.changed = result ~= false
  if not event.changed then
    transaction:withdraw(note)
  end
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
  if not argv[1] then
    require("postmulti.arguments").misuse "run: a list is wanted, with a program first"
  end
  check_arguments("run", command)
  local transaction, holder = self.current, nil
  -- A signal or a time limit may leave this function anywhere.
  local _ <close> = setmetatable({}, { __close = function()
    if holder then
      pcall(require("postmulti.nesting").close, holder, self.lock_timeout)
    end
  end })
  if transaction and not self.dry_run then
    require("postmulti.children").prepare(transaction)
    holder = require("postmulti.nesting").open(self)
  end
  for _, more in ipairs { child_environment(self, holder), command.environment or {} } do
    for name, value in pairs(more) do
      delta[name] = type(value) == "number" and tostring(value) or value
    end
  end
  for index, word in ipairs(argv) do
    argv[index] = type(word) == "number" and tostring(word) or word
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
    require("postmulti.children").absorb(transaction)
  end
  return (errors.check(table.unpack(result, 1, result.n)))
end

---Run a program that concerns no instance in particular, for the primary.
---Raises "system".
---@param command postmulti.Command
---@return postmulti.Exit
function Host:run(command)
  local delta = require("postmulti.environment").context(self.primary)
  return self:spawn(table.move(command, 1, #command, 1, {}), delta, command)
end

---Run a postfix(1) command for all instances, or those of a filter, as postmulti -p does: a start command in the order
---of the table, "check" in its place for those that are disabled; a stop command in reverse; and so on. What cannot be
---run for one instance is told by REPORT, and the next has its turn.
---Raises "not found", "untrusted".
---@param command postmulti.Command
---@param filter postmulti.Filter?
---@param report (fun(instance: postmulti.Instance, problem: postmulti.Error))?  default: the host's own, with a line
---@return boolean ok  all ended with status 0
---@return { instance: postmulti.Instance, exit: postmulti.Exit }[] exits  in the order in which they were run
function Host:postfix(command, filter, report)
  check_arguments("run", command)
  local classify = require "postmulti.postfix"
  local selected = {}
  for one in self:instances(filter) do
    selected[#selected + 1] = one
  end
  local plan = classify.plan(selected, classify.class(self.parameters, command[1]), command)
  if #plan == 0 then
    errors.raise("not found", "no instance matches; postmulti -l lists them all")
  end
  if not self.dry_run then
    self:load_hooks() -- before anything is run
  end
  report = report or function(_, problem) self.report("warning", problem.message) end
  local is_well, exits = true, {}
  for _, step in ipairs(plan) do
    local operands = copy(command)
    for index = 1, math.max(#command, #step.operands) do
      operands[index] = step.operands[index]
    end
    local ok, exit = pcall(step.instance.postfix, step.instance, operands)
    if not ok then
      local problem = exit
      if not errors.is(problem) or problem.kind == "interrupted" then
        error(problem, 0)
      end
      report(step.instance, problem)
      exit = problem.result
    end
    exits[#exits + 1] = exit and { instance = step.instance, exit = exit } or nil
    is_well = is_well and exit ~= nil and exit.status == 0
  end
  return is_well, exits
end

---The hooks of this host, in the order in which they are called.
---Raises "untrusted".
---@return { name: string, path: string, origin: "site"|"vendor", is_off: boolean, functions: string[] }[]
---@return string[] others  Lua files beside them that are no hooks for their names
function Host:list_hooks()
  local hooks, known, rows = self:load_hooks(), {}, {}
  for _, hook in ipairs(hooks.list) do
    known[hook.path] = {}
    for word in pairs(hook.functions) do
      table.insert(known[hook.path], word)
    end
    table.sort(known[hook.path])
  end
  for index, file in ipairs(hooks.files) do
    rows[index] = {
      name = file.name, path = file.path, origin = file.origin, is_off = file.is_off or false,
      functions = known[file.path] or {},
    }
  end
  return rows, hooks.others
end

---A child is about to be started that is not waited for at once.
---@return table<string, string> environment
---@package
function Host:begin_background()
  if self.current and not self.background and not self.dry_run then
    require("postmulti.children").prepare(self.current)
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
      require("postmulti.children").absorb(self.current)
    end
  end
end

---Make this host ready for more than one instance: multi_instance_wrapper and multi_instance_enable of the primary.
---@param args { wrapper: string? }?  default: the stock command's
---@return boolean changed
function Host:init(args)
  check_arguments("init", args)
  return self:act("init", args or {})
end

---The place that config.lua wants, which a message names as such.
local function place_of_config(host)
  local place = copy(host.config.place)
  place.origin = next(place) and host.site_directory .. "/config.lua" or nil
  return place
end

---@class postmulti.CreateArgs
---@field name string?               "postfix-..."
---@field group string?
---@field config_directory string?   default: beside the primary's, called as the instance; likewise the other two
---@field queue_directory string?
---@field data_directory string?
---@field place postmulti.Selector?  before which instance; default: at the end

---Create an instance and enter it.
---Raises "usage", "conflict", "refused", "not found".
---@param args postmulti.CreateArgs
---@return postmulti.Instance
function Host:create(args)
  args = args or {}
  check_arguments("create", args)
  check_arguments("place", args.place)
  local config = self.config
  args = copy(args)
  args.place = args.place and next(args.place) and args.place or place_of_config(self)
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
---Raises "usage", "conflict", "refused", "not found", "damaged".
---@param args postmulti.CreateArgs  no queue_directory and data_directory: main.cf has them
---@return postmulti.Instance
function Host:import(args)
  args = args or {}
  check_arguments("import", args)
  check_arguments("place", args.place)
  args = copy(args)
  args.place = args.place and next(args.place) and args.place or place_of_config(self)
  return self:act("import", args)
end

-- History ---------------------------------------------------------------------

---What was done to the instances, oldest first: the last 100 transactions, or as many as config.lua says. For root
---only.
---Raises "usage".
---@return postmulti.Change[]
function Host:history()
  return require("postmulti.history").list(self)
end

---Take the last change back that was not taken back yet, if nothing that it touched was changed since. No hook is
---called. For root only, and not within a transaction.
---Raises "changed", "not found", "usage".
---@return postmulti.Change  what was taken back
function Host:undo()
  return require("postmulti.undo").run(self)
end

-- Files -----------------------------------------------------------------------

---Is there anything of that name?
---Raises "system".
---@param path string
---@return boolean
function Host:exists(path)
  return errors.if_exists(self.core.stat(path)) ~= nil
end

---What is in a directory, in the order of the names.
---Raises "system".
---@param path string
---@return { name: string, type: string }[]  type: "file", "directory", "link", ...
function Host:list_directory(path)
  return (errors.check(self.core.list(path)))
end

---Read a whole file.
---Raises "system".
---@param path string
---@return string|nil text  nil: there is none
function Host:read_file(path)
  return (errors.if_exists(self.core.read_file(path)))
end

---What is changed may have to be found again from another directory.
local function require_absolute(what, path)
  if type(path) ~= "string" or path:sub(1, 1) ~= "/" then
    require("postmulti.arguments").misuse(("%s: an absolute path is wanted, not %s"):format(what, tostring(path)))
  end
end

---Write a file, whole or not at all; equal text is not written. Within a transaction it is undone with it.
---Raises "system".
---@param path string
---@param text string
---@param options { mode: integer? }?  of a new file, default 0644
---@return boolean changed
function Host:write_file(path, text, options)
  require_absolute("write_file", path)
  check_arguments("write_file", options)
  return self:transaction(function(transaction)
    return transaction:put_file(path, text, options and options.mode)
  end, true)
end

---Remove a file. Within a transaction it is undone with it; owner and mode are kept, not extended attributes.
---Raises "system".
---@param path string
---@return boolean changed  false: there was none
function Host:remove_file(path)
  require_absolute("remove_file", path)
  return self:transaction(function(transaction)
    return transaction:remove_file(path)
  end, true)
end

---Make a directory, with what is above it. Within a transaction it is undone with it, as long as it is empty.
---Raises "system".
---@param path string
---@param options { mode: integer? }?  default 0755
function Host:make_directory(path, options)
  require_absolute("make_directory", path)
  check_arguments("make_directory", options)
  self:transaction(function(transaction)
    require("postmulti.command.entry").make_directories(self, transaction, { { path, options and options.mode } })
  end)
end

function Host:__tostring()
  return "host " .. self.config_directory
end

M.methods = Host

return M
