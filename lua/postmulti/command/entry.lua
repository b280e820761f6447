--- How an instance gets into the table: what create and import share.

local common = require "postmulti.command.common"
local errors = require "postmulti.errors"
local instance = require "postmulti.instance"
local journal = require "postmulti.journal"
local names = require "postmulti.names"
local permissions = require "postmulti.permissions"

local M = {}

local DIRECTORIES = { "config_directory", "queue_directory", "data_directory" }

---Refuse names and directories that another instance has, whatever their spelling.
---@param host postmulti.Host
---@param new { config_directory: string, queue_directory: string, data_directory: string }
---@param name string|nil
function M.claim(host, new, name)
  local config = new.config_directory
  for _, parameter in ipairs { "queue_directory", "data_directory" } do
    local path = new[parameter]
    if path:sub(1, 1) ~= "/" then
      errors.raise("damaged", "%s/main.cf: %s = %s: not an absolute path", config, parameter, path)
    end
  end
  if name then
    local conflict = host.claims:claim(name, config, "multi_instance_name")
    if conflict then
      errors.raise("conflict", "the name %s is taken: it is %s", name, conflict)
    end
  end
  local mine = {}
  for _, parameter in ipairs(DIRECTORIES) do
    local path = new[parameter]
    common.require_unclaimed(host, parameter, path)
    local same = mine[names.normalize(path)]
    if same then
      errors.raise("conflict", "%s = %s is also its own %s", parameter, path, same)
    end
    mine[names.normalize(path)] = parameter
  end
  M.require_separate(host, new)
  for _, parameter in ipairs(DIRECTORIES) do
    host.claims:claim(new[parameter], config, parameter)
  end
end

---What tells one directory from another, whatever its path.
local function identity(stat)
  return ("%s:%s"):format(stat.device, stat.inode)
end

---Refuse directories that exist and are, by another path, those of an instance in the table.
---@param host postmulti.Host
---@param one { config_directory: string, queue_directory: string, data_directory: string }
function M.require_separate(host, one)
  local core, mine = host.core, {}
  for _, parameter in ipairs(DIRECTORIES) do
    local stat = errors.if_exists(core.stat(one[parameter]))
    if stat then
      mine[identity(stat)] = parameter
    end
  end
  for _, other in ipairs(next(mine) and host:load() or {}) do
    for _, theirs in ipairs(DIRECTORIES) do
      local there = other[theirs] and core.stat(other[theirs])
      local parameter = there and mine[identity(there)]
      if parameter then
        errors.raise("conflict", "%s = %s is the same directory as %s = %s of %s", parameter, one[parameter], theirs,
          other[theirs], other:label())
      end
    end
  end
end

---Find out that Postfix's prototypes are there.
---@param host postmulti.Host
function M.require_prototypes(host)
  for _, name in ipairs { "main.cf.proto", "master.cf.proto" } do
    local path = host.parameters.meta_directory .. "/" .. name
    local stat = host.core.stat(path)
    if not stat or stat.type ~= "file" then
      errors.raise("system", "%s: Postfix's prototype is missing; reinstall Postfix, or set meta_directory", path)
    end
  end
end

---Those of a directory and its parents that do not exist, outermost first.
local function missing_directories(core, path)
  local list = {}
  while path ~= "" and not errors.if_exists(core.stat(path)) do
    table.insert(list, 1, { op = "directory", path = path })
    path = path:match "^(.*)/[^/]*$"
  end
  return list
end

---Make directories and their parents; undone with the transaction.
---@param host postmulti.Host
---@param transaction postmulti.Transaction
---@param rows { [1]: string, [2]: integer?, [3]: integer?, [4]: integer? }[]  path, mode, owner, group
---@param more postmulti.Record[]?  of what will be done after that: so that all is declared at once
function M.make_directories(host, transaction, rows, more)
  local core = host.core
  local records = {}
  for _, row in ipairs(rows) do
    local list = missing_directories(core, row[1])
    table.move(list, 1, #list, #records + 1, records)
  end
  transaction:declare(table.move(more or {}, 1, #(more or {}), #records + 1, records))
  for _, row in ipairs(rows) do
    local made = errors.check(core.make_path(row[1], { mode = row[2], uid = row[3], gid = row[4], sync_later = true }))
    for _, path in ipairs(made) do
      transaction:later(path)
      transaction:later_beside(path)
    end
  end
end

---Write name and group into a main.cf that was there before, where they change.
---@param host postmulti.Host
---@param transaction postmulti.Transaction
---@param config_directory string
---@param args { name: string?, group: string? }
---@param now { name: string?, group: string? }
function M.identify(host, transaction, config_directory, args, now)
  local edits = common.identity_edits(args, now)
  if #edits > 0 then
    local path = config_directory .. "/main.cf"
    transaction:declare { { op = "lock", path = path } }
    transaction:edit_file(path, function(text)
      return host.core.edit_main(text, edits, path)
    end)
  end
end

---The directories that will be made, and what gets another owner or mode.
local function planned_objects(core, one, objects)
  local records = {}
  for _, object in ipairs(objects) do
    local base = one[object.base]
    local path = object.path and base .. "/" .. object.path or base
    local stat = errors.if_exists(core.stat(path))
    if stat then
      records[#records + 1] = journal.permissions(base, object.path, stat)
    elseif object.path and object.create then
      records[#records + 1] = { op = "directory", path = path }
    end
  end
  return records
end

---@class postmulti.EntryPlan
---@field objects postmulti.PrivateObject[]|nil  nil: Postfix's own program must give owners and modes
---@field records postmulti.Record[]             of what M.enter will do, to be declared before

---What entering an instance will do: owners and modes. A list of files that is not understood is left to Postfix's own
---program.
---@param host postmulti.Host
---@param one { config_directory: string, queue_directory: string, data_directory: string }
---@return postmulti.EntryPlan
function M.plan(host, one)
  local objects, reason = permissions.read(host.core, host.parameters.meta_directory)
  if not objects then
    host.report("warning", reason .. "; running postfix set-permissions instead")
    return { records = { { op = "set-permissions", path = one.config_directory } } }
  end
  local records = planned_objects(host.core, one, objects)
  if permissions.chroot_script(host) then
    local there = errors.if_exists(host.core.stat(one.queue_directory .. "/etc"))
    records[#records + 1] = { op = "chroot", path = one.config_directory, queue = one.queue_directory,
      kind = there and "kept" or nil }
  end
  return { objects = objects, records = records }
end

---Owners and modes, then the table.
---@param host postmulti.Host
---@param transaction postmulti.Transaction
---@param plan postmulti.EntryPlan
---@param config_directory string
---@param index integer  place in the table
---@param options { keep_tighter: boolean? }?
---@return postmulti.Instance
function M.enter(host, transaction, plan, config_directory, index, options)
  local core = host.core
  local one = instance.read(host, config_directory)
  one:check()
  if plan.objects then
    local changed = permissions.apply(core, one, permissions.plan(core, one, plan.objects), options)
    for _, path in ipairs(changed) do
      transaction:later(path)
    end
  end
  table.insert(host:load(), index, one)
  transaction:register(host.table)
  transaction:set_alternate(config_directory, false)
  return one
end

return M
