--- postmulti -e create: make an instance from Postfix's prototypes and enter it.
--
-- Its files and directories are made first, the table is changed last: whatever stops the program before that leaves
-- no instance, and the same command run again completes what is there.

local common = require "postmulti.command.common"
local entry = require "postmulti.command.entry"
local errors = require "postmulti.errors"
local instance = require "postmulti.instance"
local names = require "postmulti.names"
local parameters = require "postmulti.parameters"
local selection = require "postmulti.selection"

local M = { name = "create", summary = "make a new instance" }

M.operands = { config_directory = true, queue_directory = true, data_directory = true }

-- Installation settings that a new instance takes from the primary.
local SHARED = {
  "command_directory", "daemon_directory", "meta_directory", "mail_owner", "setgid_group", "sendmail_path",
  "mailq_path", "newaliases_path", "html_directory", "manpage_directory", "sample_directory", "readme_directory",
  "shlib_directory",
}

---The directory given, or the sibling of the primary's.
local function directory(host, args, parameter, name)
  local given = args[parameter]
  if given then
    return names.directory(parameter, given)
  end
  if not name then
    errors.raise("usage", "specify the instance's name (-I postfix-name), or %s=/path", parameter)
  end
  local primary = parameter == "config_directory" and host.config_directory or host.parameters[parameter]
  return names.directory(parameter, names.sibling(parameter, primary, name))
end

---Is PATH a regular file, links followed?
local function is_file(core, path)
  local stat = errors.if_exists(core.stat(path))
  return stat ~= nil and stat.type == "file"
end

---A value of the primary as a new instance must have it: as written, unless it would mean something else there.
local function shared_value(host, name, raw, config_directory, text)
  if not raw:find("$", 1, true) then
    return raw
  end
  local here = host.primary:get(name)
  local there = parameters.expand_in(host.core, config_directory, text, raw, host.defaults)
  return there == here and raw or here
end

---The text of a new instance's main.cf.
---@return string
local function main_cf(host, prototype, new)
  local core = host.core
  local text = errors.check(core.read_file(prototype))
  local raw = host.parameters.settings
  local settings, unset = {
    { "set", "queue_directory", new.queue_directory },
    { "set", "data_directory", new.data_directory },
    { "set", "authorized_submit_users", "" },
    { "set", "master_service_disable", "inet" },
  }, {}
  for _, name in ipairs(SHARED) do
    if (raw[name] or "") == "" then
      unset[#unset + 1] = { "comment", name }
    end
  end
  local remarks
  text, remarks = errors.check(core.edit_main(text, unset, prototype))
  host:remark(remarks, true)
  for _, name in ipairs(SHARED) do
    if (raw[name] or "") ~= "" then
      settings[#settings + 1] = { "set", name, shared_value(host, name, raw[name], new.config_directory, text) }
    end
  end
  text, remarks = errors.check(core.edit_main(text, settings, prototype))
  host:remark(remarks, true)
  return text
end

---@class postmulti.NewFile
---@field name string
---@field text string
---@field options table        for core.create_file
---@field owner postmulti.Stat|nil  whose owner and group it gets

---The files to be made. master.cf comes first, and one that is there is kept: alone it is no instance.
---@return postmulti.NewFile[]
local function planned_files(host, new, args)
  local core, config = host.core, new.config_directory
  local meta = host.parameters.meta_directory
  local path = config .. "/main.cf"
  local text = main_cf(host, meta .. "/main.cf.proto", new)
  local edits = common.identity_edits(args, {})
  if #edits > 0 then
    text = errors.check(core.edit_main(text, edits, path))
  end
  local files = { { name = "main.cf", text = text, options = { sync_later = true } } }
  local prototype = meta .. "/master.cf.proto"
  if errors.if_exists(core.stat(config .. "/master.cf")) then
    host.report("warning", config .. "/master.cf: it was there before, and is used as it is")
  else
    table.insert(files, 1, {
      name = "master.cf", text = errors.check(core.read_file(prototype)), owner = errors.check(core.stat(prototype)),
      options = { times_from = prototype, sync_later = true },
    })
  end
  return files
end

---The records of new files.
local function file_records(core, config, files)
  local records = {}
  for index, file in ipairs(files) do
    records[index] = { op = "file", path = config .. "/" .. file.name, sum = core.checksum(file.text) }
  end
  return records
end

---Make them.
local function make_files(core, transaction, config, files)
  for _, file in ipairs(files) do
    local path, owner = config .. "/" .. file.name, file.owner
    errors.check(core.create_file(path, file.text, file.options))
    if owner then
      errors.check(core.set_permissions(config, file.name, { type = "file", uid = owner.uid, gid = owner.gid }))
      transaction:later(path)
    end
    transaction:later(config)
  end
end

---Is there an instance in the configuration directory already? Half of one is refused: it is somebody's work.
---@return boolean
local function has_files(host, config)
  local core = host.core
  local main, master = is_file(core, config .. "/main.cf"), is_file(core, config .. "/master.cf")
  if errors.if_exists(core.stat(config .. "/main.cf", false)) and not (main and master) then
    errors.raise("refused", "%s/main.cf exists without a master.cf; move it away, or add master.cf and use -e import",
      config)
  end
  return main and master
end

---The directories of an instance that has its files already: they must be the ones asked for.
local function adopt(host, args, new)
  local found = instance.read(host, new.config_directory)
  found:check()
  for _, parameter in ipairs { "queue_directory", "data_directory" } do
    if args[parameter] and found[parameter] ~= new[parameter] then
      errors.raise("refused", "%s/main.cf exists and says %s = %s; give that, or use -e import", new.config_directory,
        parameter, found[parameter])
    end
    new[parameter] = found[parameter]
  end
  return found
end

---The instance as it will be, for whoever is asked before.
---@param host postmulti.Host
---@param args postmulti.CreateArgs
---@return table fields
function M.plan(host, args)
  local name = args.name and names.instance_name(args.name)
  local fields = { name = name, group = args.group and names.group_name(args.group) }
  for _, parameter in ipairs { "config_directory", "queue_directory", "data_directory" } do
    fields[parameter] = directory(host, args, parameter, name)
  end
  return fields
end

---@param host postmulti.Host
---@param transaction postmulti.Transaction
---@param args postmulti.CreateArgs
---@return postmulti.Instance
function M.run(host, transaction, args)
  local name = args.name and names.instance_name(args.name)
  local group = args.group and names.group_name(args.group)
  local instances = host:load()
  local new = { config_directory = directory(host, args, "config_directory", name) }
  common.require_unclaimed(host, "config_directory", new.config_directory)
  new.queue_directory = directory(host, args, "queue_directory", name)
  new.data_directory = directory(host, args, "data_directory", name)
  local complete = has_files(host, new.config_directory)
  local found = complete and adopt(host, args, new) or nil
  entry.claim(host, new, name or (found and found.name))
  local index = selection.insertion_point(instances, args.place or {})
  common.require_init(host)
  entry.require_prototypes(host)

  local identity = { name = name, group = group }
  local plan = entry.plan(host, new)
  local files = found and {} or planned_files(host, new, identity)
  local records = file_records(host.core, new.config_directory, files)
  entry.make_directories(host, transaction, {
    { new.config_directory }, { new.queue_directory }, { new.data_directory, tonumber("700", 8) },
  }, table.move(plan.records, 1, #plan.records, #records + 1, records))
  make_files(host.core, transaction, new.config_directory, files)
  if found then
    entry.identify(host, transaction, new.config_directory, identity, { group = nil, name = nil })
  end
  return entry.enter(host, transaction, plan, new.config_directory, index, { keep_tighter = complete })
end

return M
