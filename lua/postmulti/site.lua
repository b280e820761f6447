--- What the site has put in /etc/postmulti and the vendor in PREFIX/share/postmulti: which files there are, whether
--- they may be loaded, and what they return; config.lua; commands.d.

local errors = require "postmulti.errors"
local guard = require "postmulti.guard"
local nearest = require "postmulti.nearest"
local sandbox = require "postmulti.sandbox"
local trust = require "postmulti.trust"

local M = {}

M.LIMIT = 60  -- seconds that a hook may take, unless it or config.lua says otherwise

-- Names as run-parts(8) accepts them, and ".lua".
local NAME = "^[%w_-]+%.lua$"

---@class postmulti.SiteFile
---@field name string       "10-tls.lua"
---@field path string
---@field origin "site"|"vendor"
---@field is_off boolean?   an empty file of the site switches off the vendor's

---Refuse a file or directory that somebody else could have written.
---@param host postmulti.Host
---@param path string
---@param wanted "file"|"directory"
---@return boolean there
local function require_trust(host, path, wanted)
  local reason, missing = trust.refusal(trust.view(host.core), path, wanted)
  if reason and not missing then
    local is_itself = reason:sub(1, #path + 1) == path .. " "
    errors.throw("untrusted", path .. " is not loaded: " .. (is_itself and "it" .. reason:sub(#path + 1) or reason))
  end
  return not reason
end

---The files of a directory NAME of the site and the vendor, in the order of their names.
---@param host postmulti.Host
---@param name string  "hooks.d"
---@return postmulti.SiteFile[]
---@return string[] others  paths of Lua files that are passed over for their names
function M.files(host, name)
  local found, order, others = {}, {}, {}
  for _, row in ipairs { { host.share_directory, "vendor" }, { host.site_directory, "site" } } do
    local directory = row[1] .. "/" .. name
    if host.core.stat(directory, false) and require_trust(host, directory, "directory") then
      for _, entry in ipairs((errors.check(host.core.list(directory)))) do
        if entry.name:find(NAME) then
          if not found[entry.name] then
            order[#order + 1] = entry.name
          end
          found[entry.name] = { name = entry.name, path = directory .. "/" .. entry.name, origin = row[2] }
        elseif entry.name:find "%.lua$" then
          others[#others + 1] = directory .. "/" .. entry.name
        end
      end
    end
  end
  table.sort(order)
  for index, one in ipairs(order) do
    local file = found[one]
    if not require_trust(host, file.path, "file") then
      errors.throw("system", file.path .. ": a symbolic link to nothing")
    end
    local stat = errors.check(host.core.stat(file.path))
    file.is_off = file.origin == "site" and stat.size == 0 or nil
    order[index] = file
  end
  return order, others
end

---How code of the site starts children: within the host's lock, and for no longer than the code itself may take.
---@param host postmulti.Host
---@return postmulti.Shell
local function shell(host)
  return {
    execute = function(command)
      return host:spawn({ "/bin/sh", "-c", command }, {}, {})
    end,
    prefix = function()
      local words = {}
      for name, value in pairs(host:begin_background()) do
        words[#words + 1] = name .. "=" .. sandbox.quote(value)
      end
      local left = guard.remaining()
      words[#words + 1] = left and ("exec timeout -k 2 %.3f /bin/sh -c "):format(left) or "exec /bin/sh -c "
      return table.concat(words, " ")
    end,
  }
end

---Load a file, run it, and take the table that it returns.
---@param host postmulti.Host
---@param path string
---@param limit number
---@return table
function M.load(host, path, limit)
  local text = errors.check(host.core.read_file(path))
  local chunk, problem = load(text:gsub("^#[^\n]*", "", 1), "@" .. path, "t", sandbox.new(shell(host)))
  if not chunk then
    errors.throw("untrusted", M.place(path, problem))
  end
  local ok, result, expired = guard.call(host.core, limit, "loading " .. path, chunk)
  if expired then
    errors.raise("untrusted", "%s: loading it took longer than %g s, and was stopped", path, limit)
  elseif not ok then
    errors.throw("untrusted", M.place(path, result))
  elseif type(result) ~= "table" then
    errors.raise("untrusted", "%s: it returns %s, not a table; see postmulti-hooks(7)", path,
      result == nil and "nothing" or "a " .. type(result))
  end
  return result
end

---A message that names the file where it came from.
---@param path string
---@param problem any
---@return string
function M.place(path, problem)
  if type(problem) == "table" and problem.message ~= nil and not errors.is(problem) then
    problem = problem.message
  elseif problem == nil then
    problem = "an error without a message"
  end
  local text = tostring(problem):gsub("\nstack traceback:.*", ""):gsub("%s*\n%s*", " ")
  return text:find(path, 1, true) and text or path .. ": " .. text
end

-- config.lua ------------------------------------------------------------------

---@class postmulti.Config  what config.lua may return
---@field place postmulti.Selector?   where create and import enter an instance, when it is not said
---@field group string?               group of a new instance, when it is not said
---@field directories table<string, string>?  config_directory, queue_directory, data_directory: where create puts an
---  instance, when it is not said; {name} stands for its name
---@field settings table<string, string|number|boolean>?  set in the main.cf of every instance that create makes
---@field services table[]?           edits of its master.cf, see postmulti.core.edit_master
---@field hook_time_limit number?     seconds, default 60
---@field lock_timeout number?        seconds, default 30
---@field history integer?            how many changes are kept for --history and --undo, default 100; 0: none

local CONFIG = {
  place = "table", group = "string", directories = "table", settings = "table", services = "table",
  hook_time_limit = "number", lock_timeout = "number", history = "number",
}

local PLACE = { name = "string", group = "string", all = "boolean" }
local DIRECTORIES = { config_directory = "string", queue_directory = "string", data_directory = "string" }

local function keys(set)
  local list = {}
  for key in pairs(set) do
    list[#list + 1] = key
  end
  table.sort(list)
  return list
end

---Refuse fields that are not known, or of another type.
---@param path string
---@param value table
---@param known table<string, string>  name to type, or to two of them
---@param what string
local function require_fields(path, value, known, what)
  for key, one in pairs(value) do
    local wanted = known[key]
    if not wanted then
      errors.raise("untrusted", "%s: '%s' is no %s%s", path, tostring(key), what,
        nearest.hint(tostring(key), keys(known)))
    elseif not wanted:find(type(one), 1, true) then
      errors.raise("untrusted", "%s: %s must be a %s, not a %s", path, key, wanted, type(one))
    end
  end
end
M.require_fields = require_fields

-- What an instance is itself: config.lua cannot say it for all.
local OWN = {
  "multi_instance_name", "multi_instance_group", "multi_instance_enable", "config_directory", "queue_directory",
  "data_directory",
}

---Refuse what create would refuse: names, values, edits.
---@param host postmulti.Host
---@param path string
---@param config postmulti.Config
local function require_values(host, path, config)
  local function refuse(field, reason)
    local text = tostring(reason):gsub("^bad argument #%d+ to '[%w_.]+' ", "")
    errors.raise("untrusted", "%s: %s: %s", path, field, text)
  end
  for name, value in pairs(config.settings or {}) do
    if type(name) ~= "string" or type(value) == "table" or type(value) == "function" then
      refuse("settings", ("%s = %s is no setting"):format(name, type(value) == "string" and value or type(value)))
    end
    for _, own in ipairs(OWN) do
      if name == own then
        refuse("settings", name .. " is different for each instance")
      end
    end
    local text, reason = host.core.edit_main("", { { "set", name, tostring(value) } }, path)
    if not text then
      refuse("settings", reason)
    end
  end
  local names = require "postmulti.names"
  for parameter, template in pairs(config.directories or {}) do
    local ok, problem = pcall(names.directory, parameter, (template:gsub("{name}", "postfix-x")))
    if not ok then
      refuse("directories", problem)
    end
  end
  local ok, problem = pcall(host.core.edit_master, "", config.services or {}, path)
  if not ok then
    refuse("services", problem)
  end
  ok, problem = pcall(names.group_name, config.group or "-")
  if not ok then
    refuse("group", problem)
  end
end

---The site's defaults; an empty table when it has none.
---@param host postmulti.Host
---@return postmulti.Config
function M.config(host)
  local path = host.site_directory .. "/config.lua"
  if not host.core.stat(path, false) or not require_trust(host, path, "file") then
    return {}
  end
  local config = M.load(host, path, M.LIMIT)
  require_fields(path, config, CONFIG, "setting of config.lua")
  require_fields(path, config.directories or {}, DIRECTORIES, "directory of an instance")
  if config.history and not (math.tointeger(config.history) and config.history >= 0) then
    errors.raise("untrusted", "%s: history must be a number of changes: 0, 1, 2 and so on", path)
  end
  require_fields(path, config.place or {}, PLACE, "field of a place")
  require_values(host, path, config)
  for name, limit in pairs { hook_time_limit = config.hook_time_limit, lock_timeout = config.lock_timeout } do
    if not (limit >= 0 and limit < math.huge) or name == "hook_time_limit" and limit == 0 then
      errors.raise("untrusted", "%s: %s must be a number of seconds", path, name)
    end
  end
  return config
end

-- commands.d ------------------------------------------------------------------

---@class postmulti.SiteCommand  what a file of commands.d returns
---@field summary string    one line for postmulti --help
---@field help string?      for postmulti -e NAME --help
---@field options table<string, postmulti.CommandOption>?  long options
---@field complete postmulti.Words?  for the completion of operands
---@field run fun(context: postmulti.CommandContext): boolean|nil  false: exit status 1

---@class postmulti.CommandOption
---@field argument string?  what its value is called; nil: it has none
---@field help string?
---@field complete postmulti.Words?  for the completion of its value

---Words that a shell offers, or a function that makes the list. It is called in a dry run, for two seconds at the most.
---@alias postmulti.Words string[]|fun(context: postmulti.WordsContext): string[]

---@class postmulti.WordsContext
---@field host postmulti.Host
---@field instances postmulti.Instance[]
---@field options table<string, string|boolean>
---@field operands string[]  those that are complete
---@field word string        what has been typed of the next
---@field name string

---@class postmulti.CommandContext
---@field host postmulti.Host
---@field instances postmulti.Instance[]  those that -a, -g, -i select, without them all; damaged ones are left out
---@field options table<string, string|boolean>
---@field operands string[]
---@field report fun(level: "info"|"warning"|"error", message: string)
---@field name string

local COMMAND = {
  summary = "string", help = "string", options = "table", complete = "table or function", run = "function",
}
local OPTION = { argument = "string", help = "string", complete = "table or function" }

---The files of the site's commands, by name. A file that would shadow an action of postmulti is an error.
---@param host postmulti.Host
---@param stock string[]  the names of those actions
---@return table<string, postmulti.SiteFile> commands
---@return string[] names
function M.commands(host, stock)
  local commands, names = {}, {}
  for _, file in ipairs(M.files(host, "commands.d")) do
    local name = file.name:gsub("%.lua$", "")
    for _, one in ipairs(stock) do
      if one == name then
        errors.raise("untrusted", "%s: %s is an action of postmulti itself; give the file another name", file.path,
          name)
      end
    end
    if not file.is_off then
      commands[name] = file
      names[#names + 1] = name
    end
  end
  return commands, names
end

---Load a command of the site.
---@param host postmulti.Host
---@param file postmulti.SiteFile
---@param limit number?  seconds
---@return postmulti.SiteCommand
function M.command(host, file, limit)
  local command = M.load(host, file.path, limit or M.LIMIT)
  require_fields(file.path, command, COMMAND, "field of a command")
  if not command.run or not command.summary then
    errors.raise("untrusted", "%s: it lacks '%s'", file.path, command.run and "summary" or "run")
  end
  for name, option in pairs(command.options or {}) do
    if type(name) ~= "string" or not name:find "^%l[%l%d-]+$" or type(option) ~= "table" then
      errors.raise("untrusted", "%s: options: '%s' must be a name of small letters, digits and '-', with a table",
        file.path, tostring(name))
    end
    require_fields(file.path, option, OPTION, "field of an option")
  end
  return command
end

return M
