--- One Postfix instance: what its main.cf says, what can be done with it. How it is read is in postmulti.inventory.

local errors = require "postmulti.errors"
local inventory = require "postmulti.inventory"

---@class postmulti.Instance
local Instance = inventory.Instance

local M = { read = inventory.read }

---Edits of master.cf, in the order of their names.
---@param operation "field"|"override"
---@param service string
---@param values table<string, string|number|boolean>
---@return table[]
function M.service_edits(operation, service, values)
  local edits = {}
  for name, value in pairs(values) do
    if type(value) == "boolean" then
      value = value and "yes" or "no"
    end
    edits[#edits + 1] = { operation, service .. "/" .. name, tostring(value) }
  end
  table.sort(edits, function(a, b) return a[2] < b[2] end)
  return edits
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
function Instance:check()
  if self.damage then
    errors.throw("damaged", self.damage, { instance = self.config_directory })
  end
end

-- Parameters ------------------------------------------------------------------

---The value of a parameter, expanded; the built-in default where main.cf does not set it.
---@param name string
---@param options { expand: boolean? }?  expand = false: as it is written
---@return string|nil value  nil: no such parameter
function Instance:get(name, options)
  local expand = not options or options.expand ~= false
  local value, reason, kind = require("postmulti.parameters").get(self.host.core, self.config_directory, name,
    { expand = expand }, self.host.defaults)
  if value == nil and kind ~= "unknown" then
    errors.raise("damaged", "%s", reason)
  end
  return value
end

---What main.cf sets, as it is written there.
---@return table<string, string>
function Instance:settings()
  local values, reason = self.host.core.read_parameters(self.config_directory .. "/main.cf")
  if not values then
    errors.throw("damaged", reason --[[@as string]], { instance = self.config_directory })
  end
  return values
end

---Copy a file into the configuration directory. Within a transaction it is undone with it.
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
---@param edits table[]  see postmulti.core.edit_main
---@return boolean changed
function Instance:edit(edits)
  return self.host:transaction(function(transaction)
    local path = self.config_directory .. "/main.cf"
    return transaction:edit_file(path, function(text)
      return self.host.core.edit_main(text, edits, path)
    end)
  end, true)
end

---Set parameters in main.cf.
---@param settings table<string, string|number|boolean>  true and false are written as yes and no
---@return boolean changed
function Instance:set(settings)
  local edits = {}
  for name, value in pairs(settings) do
    if type(value) == "boolean" then
      value = value and "yes" or "no"
    end
    edits[#edits + 1] = { "set", name, tostring(value) }
  end
  table.sort(edits, function(a, b) return a[2] < b[2] end)
  return self:edit(edits)
end

---Remove parameters from main.cf, so that their defaults count again.
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
---@return postmulti.Service[]
function Instance:services()
  local path = self.config_directory .. "/master.cf"
  local core = self.host.core
  return (errors.check(core.parse_master((errors.check(core.read_file(path))), path)))
end

---Edit master.cf as postconf(1) -M, -F and -P would. Within a transaction it is undone with it.
---@param edits table[]  see postmulti.core.edit_master
---@return boolean changed
function Instance:edit_services(edits)
  return self.host:transaction(function(transaction)
    local path = self.config_directory .. "/master.cf"
    return transaction:edit_file(path, function(text)
      return self.host.core.edit_master(text, edits, path)
    end)
  end, true)
end

---A service by "NAME/TYPE", as "smtp/inet"; "*" is any.
local function selector(service)
  if not service:find "^.+/[^/]+$" then
    errors.raise("usage", "service '%s': specify NAME/TYPE, as smtp/inet", service)
  end
  return service
end

---The services of master.cf that SERVICE means.
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
---@param line string  "smtp inet n - y - - smtpd"
---@return boolean changed
function Instance:set_service(line)
  local name, kind = line:match "^(%S+)%s+(%S+)%s"
  if not name then
    errors.raise("usage", "service '%s': specify a whole line of master.cf, from its name on", line)
  end
  return self:edit_services { { "service", name .. "/" .. kind, line } }
end

---@param service string  "smtp/inet"
---@return boolean changed
function Instance:remove_service(service)
  return self:edit_services { { "remove-service", selector(service) } }
end

---@param service string  "smtp/inet"
---@return boolean changed
function Instance:comment_service(service)
  return self:edit_services { { "comment-service", selector(service) } }
end

---Change columns of a service: private, unprivileged, chroot, wakeup, process_limit, command.
---@param service string  "smtp/inet"
---@param fields table<string, string|number>
---@return boolean changed
function Instance:set_fields(service, fields)
  return self:edit_services(M.service_edits("field", selector(service), fields))
end

---Set -o overrides of a service.
---@param service string  "smtp/inet"
---@param settings table<string, string|number|boolean>
---@return boolean changed
function Instance:override(service, settings)
  return self:edit_services(M.service_edits("override", selector(service), settings))
end

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
---@return integer|nil
function Instance:master_pid()
  local running, pid = self:is_running()
  return running and pid or nil
end

---Is its master(8) running? Asked from the locks that a running master holds, in the queue directory and, should
---queue_directory have been changed meanwhile, in the data directory.
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

---@return boolean changed
function Instance:enable()
  return self.host:act("enable", { instance = self })
end

---@return boolean changed
function Instance:disable()
  return self.host:act("disable", { instance = self })
end

---Give it another name or group; "-" or "" clears.
---@param args { name: string?, group: string? }
---@return boolean changed
function Instance:assign(args)
  return self.host:act("assign", { instance = self, name = args.name, group = args.group })
end

---Take it out of multi_instance_directories; its files stay.
function Instance:deport()
  return self.host:act("deport", { instance = self })
end

---Take it out of multi_instance_directories and remove its files.
function Instance:destroy()
  return self.host:act("destroy", { instance = self })
end

-- Processes -------------------------------------------------------------------

---Run a program in the context of this instance (postmulti -x) and wait for it.
---@param command postmulti.Command
---@return postmulti.Exit
function Instance:run(command)
  self:check()
  local delta = require("postmulti.environment").context(self)
  return self.host:spawn(table.move(command, 1, #command, 1, {}), delta, command)
end

---Run a postfix(1) command for this instance alone (postmulti -p), with the hooks before_postfix and after_postfix.
---@param command { [integer]: string, capture: boolean?, time_limit: number? }
---@return postmulti.Exit
function Instance:postfix(command)
  self:check()
  local host = self.host
  local operands = table.move(command, 1, #command, 1, {})
  local hooks = host:load_hooks()
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

M.methods = Instance

return M
