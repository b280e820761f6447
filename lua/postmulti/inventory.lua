--- What there is: a host that is opened, its primary, the table of its instances.
--
-- What can be done with them is in postmulti.host and postmulti.instance, which add their methods to the classes here;
-- a list needs neither of the two.

local Claims = require "postmulti.claims"
local evaluation = require "postmulti.evaluation"
local primary = require "postmulti.primary"

local M = {}

---@class postmulti.Instance
---@field host postmulti.Host
---@field config_directory string
---@field name string|nil
---@field group string|nil
---@field enabled boolean|nil          nil: cannot be told
---@field queue_directory string|nil   nil: cannot be told
---@field data_directory string|nil
---@field is_primary boolean
---@field is_readable boolean          false: name, group and so on are not known, or not all of them
---@field damage string|nil            why this instance cannot be used: one line
local Instance = {}
Instance.__index = Instance
-- Of most, so that an instance is a small table: there may be ten thousand.
Instance.is_primary = false
Instance.is_readable = true

---@class postmulti.Host
---@field core postmulti.core
---@field config_directory string   of the primary
---@field parameters table          what the primary's main.cf says, see postmulti.parameters
---@field primary postmulti.Instance
---@field defaults postmulti.Defaults
---@field lock_timeout number       seconds to wait for another command
---@field site_directory string     /etc/postmulti
---@field share_directory string    PREFIX/share/postmulti
---@field config postmulti.Config   what config.lua says
---@field dry_run boolean           nothing is changed, what would be done is reported
---@field private table postmulti.Instance[]|nil
---@field package is_damaged boolean   one of the table is
---@field private known table<string, postmulti.Instance>  by directory: the objects that were handed out
local Host = {}
Host.__index = Host

M.Host, M.Instance = Host, Instance

local MANY = 32 -- instances that are worth the trouble of reading ahead

local ENOENT = 2

local function ignore() end

---Who gives no report gets a line on standard error, with the name of the script.
local function report_on_stderr(level, text)
  local name = type(arg) == "table" and tostring(arg[0]):match "[^/]+$" or "postmulti-lua"
  io.stderr:write(name, ": ", level == "info" and "" or level .. ": ", text, "\n")
end

---Is there a config.lua? Most sites have none: then no module is needed.
local function is_configured(core, directory)
  local stat, reason, errno = core.stat(directory .. "/config.lua", false)
  return errno ~= ENOENT and require("postmulti.errors").if_shown(core, stat, reason, errno) ~= nil
end

-- What open takes, and of which type.
M.options = {
  config_directory = "string", report = "function", log = "function", lock_timeout = "number", verbose = "boolean",
  dry_run = "boolean", hooks = "boolean", site_directory = "string", share_directory = "string", config = "table",
  core = "table",
}

-- Where there are no hooks their module is not loaded.
M.no_hooks = {
  list = {}, files = {}, others = {},
  any = function() return false end,
  environment = function() return {} end,
}

-- Instances ------------------------------------------------------------------

---The primary instance. Without secondaries it counts as enabled, whatever its main.cf says.
---@param host postmulti.Host
---@return postmulti.Instance
function M.primary(host)
  local values = host.parameters
  return setmetatable({
    host = host,
    config_directory = host.config_directory,
    name = values.multi_instance_name,
    group = values.multi_instance_group,
    enabled = values.multi_instance_enable or #host.directories == 0,
    queue_directory = values.queue_directory,
    data_directory = values.data_directory,
    is_primary = true,
    is_readable = true,
  }, Instance)
end

---Read a secondary from its main.cf. Never fails: see `damage`. Most say what is to be known in so many words; only the
---others are evaluated.
---@param host postmulti.Host
---@param directory string
---@return postmulti.Instance
function M.read(host, directory)
  local is_plain, queue, data, name, group, enable = host.core.read_plain(directory, "/main.cf", "queue_directory",
    "data_directory", "multi_instance_name", "multi_instance_group", "multi_instance_enable")
  if is_plain and queue and data and (enable == "yes" or enable == "no") then
    return setmetatable({
      host = host,
      config_directory = directory,
      name = name ~= "" and name or nil,
      group = group ~= "" and group or nil,
      enabled = enable == "yes",
      queue_directory = queue,
      data_directory = data,
    }, Instance)
  end
  local values, remarks, _, partial = require("postmulti.parameters").secondary(host.core, directory, host.defaults)
  local known = values or partial or {}
  local self = setmetatable({
    host = host,
    config_directory = directory,
    name = known.multi_instance_name,
    group = known.multi_instance_group,
    enabled = known.multi_instance_enable,
    queue_directory = known.queue_directory,
    data_directory = known.data_directory,
  }, Instance)
  if values then
    host:remark(remarks --[[@as postmulti.Remark[] ]], true)
  else
    self.is_readable = false
    self.damage = remarks --[[@as string]]
  end
  return self
end

-- Hosts ----------------------------------------------------------------------

---@class postmulti.OpenOptions
---@field config_directory string?  of the primary; default: as built, /etc/postfix
---@field report (fun(level: "warning"|"info", message: string, unlogged: boolean?))?  told one line, which may be of no
---  interest to a log; default: on standard error
---@field lock_timeout number?      seconds to wait for another command, default 30
---@field verbose boolean?          make the Postfix programs that are run verbose
---@field dry_run boolean?          change nothing, check everything, and report what would be done
---@field hooks boolean?            false: without hooks
---@field log (fun(line: string))?  told each thing that was done, once it cannot be undone any more
---@field site_directory string?    default: as built, /etc/postmulti
---@field share_directory string?   default: as built, PREFIX/share/postmulti
---@field config postmulti.Config?  in place of what config.lua says
---@field core postmulti.core?      for tests: what stands in for the C core

---Open the host whose primary instance is in config_directory.
---@param options postmulti.OpenOptions?
---@return postmulti.Host
function M.open(options)
  options = options or {}
  for name, value in pairs(options) do
    if type(value) ~= M.options[name] then
      require("postmulti.arguments").check("open", options)
    end
  end
  local core = options.core or require "postmulti.core"
  local self = setmetatable({
    core = core,
    config_directory = options.config_directory or core.build.config_directory,
    report = options.report or options.core and ignore or report_on_stderr,
    log = options.log or ignore,
    verbose = options.verbose,
    dry_run = options.dry_run or false,
    site_directory = options.site_directory or core.build.sysconf_directory,
    share_directory = options.share_directory or core.build.share_directory,
  }, Host)
  self.config = options.config or is_configured(core, self.site_directory) and require("postmulti.site").config(self)
    or {}
  self.lock_timeout = options.lock_timeout or self.config.lock_timeout or 30
  if options.hooks == false then
    self.hooks = M.no_hooks
  end
  if self.dry_run then
    self.core = require("postmulti.dry_run").new(core, function(text) self.report("info", text, true) end)
  end
  self.defaults = evaluation.defaults(core)
  self.remarked = {}
  self.known = {}
  self:reload()
  return self
end

---Report remarks on a main.cf, each once.
---@param remarks postmulti.Remark[]
---@param unlogged boolean?  they do not belong in the log
---@package
function Host:remark(remarks, unlogged)
  for _, remark in ipairs(remarks) do
    if not self.remarked[remark.text] then
      self.remarked[remark.text] = true
      self.report("warning", remark.text, unlogged)
    end
  end
end

---The instances may not be as the table says: read them again when they are needed.
---@param directories string[]  the secondaries
---@package
function Host:forget(directories)
  for _, one in ipairs(self.table or { self.primary }) do
    self.known[one.config_directory] = one
  end
  self.table, self.claims, self.directories = nil, nil, directories
end

---The object that stands for an instance: the one that was known before, if any, with the fields that were read now. So
---what a script holds stays true.
---@param fresh postmulti.Instance
---@return postmulti.Instance
---@private
function Host:identify(fresh)
  local old = self.known[fresh.config_directory]
  if not old or old == fresh then
    return fresh
  end
  for name in pairs(old) do
    old[name] = nil
  end
  for name, value in pairs(fresh) do
    old[name] = value
  end
  return old
end

---Read the primary again and forget the instances: after this, what other programs changed is seen.
---Raises "damaged".
function Host:reload()
  local values, remarks = primary.read(self.core, self.config_directory, self.defaults)
  if not values then
    require("postmulti.errors").raise("damaged", "%s", remarks)
  end
  self.parameters = values
  self:forget(values.secondaries)
  self.primary = self:identify(M.primary(self))
  self:remark(remarks)
end

---Claim the directories that all instances share, and find out that they exist.
---@package
function Host:check_shared_directories()
  local claims = Claims.new()
  for _, name in ipairs { "command_directory", "daemon_directory", "meta_directory", "shlib_directory" } do
    local path = self.parameters[name]
    if path:sub(1, 1) == "/" then
      local stat, reason = self.core.stat(path)
      if not stat then
        require("postmulti.errors").raise("system", "%s/main.cf: %s: %s", self.config_directory, name, reason)
      elseif stat.type ~= "directory" then
        require("postmulti.errors").raise("damaged", "%s/main.cf: %s = %s is not a directory", self.config_directory,
          name, path)
      end
      local conflict = name ~= "meta_directory" and claims:claim(path, self.config_directory, name)
      if conflict then
        require("postmulti.errors").raise("conflict", "%s/main.cf: %s = %s is also %s", self.config_directory, name,
          path, conflict)
      end
    end
  end
  self.claims = claims
end

---Read the table of instances: the primary, then the secondaries in the order of multi_instance_directories.
---An instance that cannot be used is in it all the same, with its reason in `damage`.
---@return postmulti.Instance[]
---@package
function Host:load()
  if self.table then
    return self.table
  end
  if not self.claims then
    self:check_shared_directories()
  end
  local conflict = self.claims:claim_instance(self.primary)
  if conflict then
    require("postmulti.errors").raise("conflict", "%s/main.cf: %s", self.config_directory, conflict)
  end
  local many = #self.directories >= MANY
  local ahead <close> = many and self.core.prefetch(self.directories, "/main.cf") or nil -- luacheck: no unused
  local list = { self.primary }
  local is_damaged = false
  for index, directory in ipairs(self.directories) do
    local secondary = M.read(self, directory)
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
  if next(self.known) then
    for index, one in ipairs(list) do
      list[index] = self:identify(one)
    end
  end
  self.table, self.is_damaged = list, is_damaged
  return list
end

---Has somebody changed the list of instances since it was read? Then one that seems damaged may just have been removed.
---@return boolean
---@private
function Host:is_outdated()
  local values = not self.current and primary.read(self.core, self.config_directory, self.defaults)
  return values and table.concat(values.secondaries, " ") ~= table.concat(self.directories, " ") or false
end

return M
