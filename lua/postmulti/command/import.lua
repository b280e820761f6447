--- postmulti -e import: enter an instance whose files exist.

local common = require "postmulti.command.common"
local entry = require "postmulti.command.entry"
local errors = require "postmulti.errors"
local instance = require "postmulti.instance"
local names = require "postmulti.names"
local selection = require "postmulti.selection"

local M = { name = "import", summary = "enter an existing instance into the table" }

M.operands = { config_directory = true }

---The configuration directory: as given, or the sibling of the primary's.
local function directory(host, args, name)
  if args.config_directory then
    return names.directory("config_directory", args.config_directory)
  elseif name and name ~= "" then
    return names.directory("config_directory", names.sibling("config_directory", host.config_directory, name))
  end
  errors.raise("usage", "specify the instance's name (-I postfix-name), or config_directory=/path")
end

---The instance as it will be, for whoever is asked before.
---@param host postmulti.Host
---@param args postmulti.CreateArgs
---@return table fields
function M.plan(host, args)
  local found = instance.read(host, directory(host, args, args.name and names.instance_name(args.name)))
  return {
    name = args.name and names.instance_name(args.name) or found.name,
    group = args.group and names.group_name(args.group) or found.group,
    config_directory = found.config_directory,
    queue_directory = found.queue_directory,
    data_directory = found.data_directory,
  }
end

---@param host postmulti.Host
---@param transaction postmulti.Transaction
---@param args { config_directory: string?, name: string?, group: string?, place: postmulti.Selector? }
---@return postmulti.Instance
function M.run(host, transaction, args)
  local name = args.name and (names.instance_name(args.name) or "")
  local group = args.group and (names.group_name(args.group) or "")
  local instances = host:load()
  local config = directory(host, args, name)
  common.require_unclaimed(host, "config_directory", config)
  local found = instance.read(host, config)
  found:check()
  entry.claim(host, found, name and name ~= "" and name or found.name)
  local index = selection.insertion_point(instances, args.place or {})
  common.require_init(host)
  for _, file in ipairs { "main.cf", "master.cf" } do
    local stat = host.core.stat(config .. "/" .. file)
    if not stat or stat.type ~= "file" then
      errors.raise("refused", "%s: it has no %s; an instance to be imported needs both", config, file)
    end
  end
  local queue = host.core.stat(found.queue_directory)
  if not queue or queue.type ~= "directory" then
    errors.raise("refused", "%s/main.cf: queue_directory = %s: no such directory; make it, or mount it, first", config,
      found.queue_directory)
  end

  local plan = entry.plan(host, found)
  entry.make_directories(host, transaction, { { found.data_directory, tonumber("700", 8) } }, plan.records)
  entry.identify(host, transaction, config, { name = name, group = group }, found)
  return entry.enter(host, transaction, plan, config, index, { keep_tighter = true })
end

return M
