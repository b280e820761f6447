--- One Postfix instance: what its main.cf says, what can be done with it. How it is read is in postmulti.inventory.

local errors = require "postmulti.errors"
local inventory = require "postmulti.inventory"

---@class postmulti.Instance
local Instance = inventory.Instance

local M = { primary = inventory.primary, read = inventory.read }

---Edits that give names values, in the order of the names. What is no name or value is a mistake of whoever called the
---method.
---@param operation "set"|"field"|"override"
---@param prefix string  of the names
---@param values table<string, string|number|boolean>
---@return table[]
local function value_edits(operation, prefix, values)
  if type(values) ~= "table" then
    error(("a table of settings is wanted, not a %s"):format(type(values)), 3)
  end
  local edits = {}
  for name, value in pairs(values) do
    local kind = type(value)
    if type(name) ~= "string" then
      error(("the name of a setting must be a string, not a %s"):format(type(name)), 3)
    elseif kind ~= "string" and kind ~= "number" and kind ~= "boolean" then
      error(("the value of %s must be a string, a number or a boolean, not a %s"):format(name, kind), 3)
    elseif kind == "boolean" then
      value = value and "yes" or "no"
    end
    edits[#edits + 1] = { operation, prefix .. name, tostring(value) }
  end
  table.sort(edits, function(a, b) return a[2] < b[2] end)
  return edits
end

-- Parameters that are fields of the object: when one was edited, the instances are read again.
local IDENTITY = {
  multi_instance_name = true, multi_instance_group = true, multi_instance_enable = true, queue_directory = true,
  data_directory = true,
}

---The edit of a file. Lines that are not touched may be wrong; what is refused is the request, or an entry of master.cf
---that it concerns and that cannot be read.
---@param self postmulti.Instance
---@param name "main.cf"|"master.cf"
---@param edits table[]
---@return boolean changed
local function edit_file(self, name, edits)
  local core, path = self.host.core, self.config_directory .. "/" .. name
  local change = name == "main.cf" and core.edit_main or core.edit_master
  local changed = self.host:transaction(function(transaction)
    return transaction:edit_file(path, function(text)
      local new, more = change(text, edits, path)
      if not new then
        local is_damaged = name == "master.cf" and not core.parse_master(text, path)
        errors.throw(is_damaged and "damaged" or "usage", more --[[@as string]], { instance = self.config_directory })
      end
      return new, more
    end)
  end, true)
  for _, one in ipairs(changed and name == "main.cf" and edits or {}) do
    if IDENTITY[one[2]] then
      self.host:refresh(self.host.directories)
      break
    end
  end
  return changed
end

---An instance that does not exist yet, as a hook sees it before it is made.
---@param host postmulti.Host
---@param fields table
---@return postmulti.Instance
function M.planned(host, fields)
  local self = setmetatable(fields, Instance)
  self.host = host
  self.enabled = false
  self.is_primary = false
  self.is_readable = false
  self.damage = ("%s does not exist yet"):format(self.name or self.config_directory)
  return self
end

---How messages call it: its name, or its directory.
---@return string
function Instance:label()
  return self.name or self.config_directory
end

---Raise unless the instance can be used.
---Raises "damaged".
function Instance:check()
  if self.damage then
    errors.throw("damaged", self.damage, { instance = self.config_directory })
  end
end

-- Parameters ------------------------------------------------------------------

---The value of a parameter, expanded; the built-in default where main.cf does not set it.
---Raises "damaged".
---@param name string
---@param options { expand: boolean? }?  expand = false: as it is written
---@return string|nil value  nil: no such parameter
function Instance:get(name, options)
  if type(name) ~= "string" then
    require("postmulti.arguments").misuse(("get: the name of a parameter is wanted, not a %s"):format(type(name)))
  end
  if options then
    require("postmulti.arguments").check("get", options)
  end
  local expand = not options or options.expand ~= false
  local value, reason, kind = require("postmulti.parameters").get(self.host.core, self.config_directory, name,
    { expand = expand }, self.host.defaults)
  if value == nil and kind ~= "unknown" then
    errors.raise("damaged", "%s", reason)
  end
  return value
end

---What main.cf sets, as it is written there.
---Raises "damaged".
---@return table<string, string>
function Instance:settings()
  local values, reason = self.host.core.read_parameters(self.config_directory .. "/main.cf")
  if not values then
    errors.throw("damaged", reason --[[@as string]], { instance = self.config_directory })
  end
  return values
end

---Copy a file into the configuration directory. Within a transaction it is undone with it.
---Raises "system".
---@param source string  path
---@param name string    of the copy
---@return boolean changed
function Instance:copy_file(source, name)
  local core = self.host.core
  local stat = errors.check(core.stat(source))
  return self.host:write_file(self.config_directory .. "/" .. name, (errors.check(core.read_file(source))),
    { mode = stat.mode })
end

---Edit main.cf as postconf(1) -e, -X or -# would. Within a transaction it is undone with it.
---Raises "usage".
---@param edits table[]  see postmulti.core.edit_main
---@return boolean changed
function Instance:edit(edits)
  return edit_file(self, "main.cf", edits)
end

---Set parameters in main.cf.
---Raises "usage".
---@param settings table<string, string|number|boolean>  true and false are written as yes and no
---@return boolean changed
function Instance:set(settings)
  local edits = value_edits("set", "", settings)
  return self:edit(edits)
end

---Remove parameters from main.cf, so that their defaults count again.
---Raises "usage".
---@param ... string
---@return boolean changed
function Instance:unset(...)
  local edits = {}
  for _, name in ipairs { ... } do
    edits[#edits + 1] = { "remove", name }
  end
  return self:edit(edits)
end

---The services of master.cf, in file order.
---Raises "damaged".
---@return postmulti.Service[]
function Instance:services()
  local path = self.config_directory .. "/master.cf"
  local core = self.host.core
  local services, reason = core.parse_master((errors.check(core.read_file(path))), path)
  if not services then
    errors.throw("damaged", reason --[[@as string]], { instance = self.config_directory })
  end
  return services
end

---Edit master.cf as postconf(1) -M, -F and -P would. Within a transaction it is undone with it.
---Raises "usage", "damaged".
---@param edits table[]  see postmulti.core.edit_master
---@return boolean changed
function Instance:edit_services(edits)
  return edit_file(self, "master.cf", edits)
end

---A service by "NAME/TYPE", as "smtp/inet"; "*" is any.
local function selector(service)
  if not service:find "^.+/[^/]+$" then
    errors.raise("usage", "service '%s': specify NAME/TYPE, as smtp/inet", service)
  end
  return service
end

---The services of master.cf that SERVICE means.
---Raises "usage", "damaged".
---@param service string  "smtp/inet"
---@return postmulti.Service|nil
function Instance:service(service)
  local name, kind = selector(service):match "^(.+)/([^/]+)$"
  for _, one in ipairs(self:services()) do
    if one.name == name and one.type == kind then
      return one
    end
  end
end

---Add a service to master.cf, or replace it: one line as postconf(1) -M shows it.
---Raises "usage".
---@param line string  "smtp inet n - y - - smtpd"
---@return boolean changed
function Instance:set_service(line)
  local name, kind = line:match "^(%S+)%s+(%S+)%s"
  if not name then
    errors.raise("usage", "service '%s': specify a whole line of master.cf, from its name on", line)
  end
  return self:edit_services { { "service", name .. "/" .. kind, line } }
end

---Raises "usage".
---@param service string  "smtp/inet"
---@return boolean changed
function Instance:remove_service(service)
  return self:edit_services { { "remove-service", selector(service) } }
end

---Raises "usage".
---@param service string  "smtp/inet"
---@return boolean changed
function Instance:comment_service(service)
  return self:edit_services { { "comment-service", selector(service) } }
end

---The edits of a service that must be there: a slip in its name is told.
local function edit_service(self, service, edits)
  if not service:find("*", 1, true) and not self:service(service) then
    errors.throw("not found", ("%s/master.cf: there is no service %s"):format(self.config_directory, service),
      { instance = self.config_directory })
  end
  return self:edit_services(edits)
end

---Change columns of a service: private, unprivileged, chroot, wakeup, process_limit, command.
---Raises "usage", "not found", "damaged".
---@param service string  "smtp/inet"
---@param fields table<string, string|number>
---@return boolean changed
function Instance:set_fields(service, fields)
  local edits = value_edits("field", selector(service) .. "/", fields)
  return edit_service(self, service, edits)
end

---Set -o overrides of a service.
---Raises "usage", "not found", "damaged".
---@param service string  "smtp/inet"
---@param settings table<string, string|number|boolean>
---@return boolean changed
function Instance:override(service, settings)
  local edits = value_edits("override", selector(service) .. "/", settings)
  return edit_service(self, service, edits)
end

---Raises "usage", "damaged".
---@param service string  "smtp/inet"
---@param ... string  names of parameters
---@return boolean changed
function Instance:remove_override(service, ...)
  local edits = {}
  for index, name in ipairs { ... } do
    edits[index] = { "remove-override", selector(service) .. "/" .. name }
  end
  return self:edit_services(edits)
end

-- State -----------------------------------------------------------------------

---How many messages there are in each queue, as files; of a queue that cannot be read, its reason is raised.
---Raises "damaged", "system".
---@return table<string, integer>  maildrop, incoming, active, deferred, hold, corrupt, and total
function Instance:queue_counts()
  self:check()
  local counts = { total = 0 }
  for _, queue in ipairs { "maildrop", "incoming", "active", "deferred", "hold", "corrupt" } do
    counts[queue] = errors.check(self.host.core.count_files(self.queue_directory, queue))
    counts.total = counts.total + counts[queue]
  end
  return counts
end

---The process id of its master(8); nil: it does not run, or the system does not tell.
---Raises "system".
---@return integer|nil
function Instance:master_pid()
  local running, pid = self:is_running()
  return running and pid or nil
end

---Is its master(8) running? Asked from the locks that a running master holds, in the queue directory and, should
---queue_directory have been changed meanwhile, in the data directory.
---Raises "system".
---@return boolean
---@return integer? pid
function Instance:is_running()
  local core = self.host.core
  for _, path in ipairs {
    self.queue_directory and self.queue_directory .. "/pid/master.pid" or false,
    self.data_directory and self.data_directory .. "/master.lock" or false,
  } do
    if path then
      local locked, pid = errors.check(core.locked(path))
      if locked then
        return true, pid --[[@as integer?]]
      end
    end
  end
  return false
end

-- Life-cycle ------------------------------------------------------------------

---Raises "refused", "not found".
---@return boolean changed
function Instance:enable()
  return self.host:act("enable", { instance = self })
end

---Raises "refused", "not found".
---@return boolean changed
function Instance:disable()
  return self.host:act("disable", { instance = self })
end

---Give it another name or group; "-" or "" clears.
---Raises "usage", "conflict", "refused", "not found".
---@param args { name: string?, group: string? }
---@return boolean changed
function Instance:assign(args)
  args = args or {}
  require("postmulti.arguments").check("assign", args)
  return self.host:act("assign", { instance = self, name = args.name, group = args.group })
end

---Take it out of multi_instance_directories; its files stay.
---Raises "refused", "not found".
function Instance:deport()
  self.host:act("deport", { instance = self })
end

---Take it out of multi_instance_directories and remove its files.
---Raises "refused", "not found".
function Instance:destroy()
  self.host:act("destroy", { instance = self })
end

-- Processes -------------------------------------------------------------------

---Run a program in the context of this instance (postmulti -x) and wait for it.
---Raises "damaged", "system".
---@param command postmulti.Command
---@return postmulti.Exit
function Instance:run(command)
  self:check()
  local delta = require("postmulti.environment").context(self)
  return self.host:spawn(table.move(command, 1, #command, 1, {}), delta, command)
end

---Run a postfix(1) command for this instance alone (postmulti -p), with the hooks before_postfix and after_postfix.
---Raises "damaged", "system", "vetoed", "hook".
---@param command { [integer]: string, capture: boolean?, time_limit: number? }
---@return postmulti.Exit
function Instance:postfix(command)
  self:check()
  local host = self.host
  local operands = table.move(command, 1, #command, 1, {})
  local hooks = host:load_hooks()
  if host.dry_run then
    host:tell_hooks "postfix"
  end
  local event = not host.dry_run and hooks:any "postfix" and hooks:event("postfix", self, command)
  if event then
    event.command = operands
    hooks:before(event)
  end
  local exit = host:spawn(table.move(operands, 1, #operands, 3, {
    host.parameters.command_directory .. "/postfix", "--",
  }), require("postmulti.environment").postfix(self), command)
  if event then
    event.exit = exit
    local problem = hooks:after(event)
    if problem then
      problem.result = exit
      error(problem, 0)
    end
  end
  return exit
end

function Instance:__tostring()
  return self:label()
end

-- What an instance has at the most; a field that it never has is a slip of the pen.
local FIELDS = {
  host = true, config_directory = true, name = true, group = true, enabled = true, queue_directory = true,
  data_directory = true, is_primary = true, is_readable = true, damage = true,
}

setmetatable(Instance, { __index = function(_, name)
  if not FIELDS[name] and type(name) == "string" and name:sub(1, 2) ~= "__" then
    local known = {}
    for one in pairs(FIELDS) do
      known[#known + 1] = one
    end
    for one in pairs(Instance) do
      known[#known + 1] = one
    end
    table.sort(known)
    require("postmulti.arguments").misuse(("an instance has no field '%s'%s"):format(name,
      require("postmulti.nearest").hint(name, known)))
  end
end })

M.methods = Instance

return M
