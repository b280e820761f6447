--- How an instance gets into the table: what create and import share.

local common = require "postmulti.command.common"
local errors = require "postmulti.errors"
local instance = require "postmulti.instance"
local names = require "postmulti.names"
local permissions = require "postmulti.permissions"

local M = {}

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
  for _, parameter in ipairs { "config_directory", "queue_directory", "data_directory" } do
    local path = new[parameter]
    common.require_unclaimed(host, parameter, path)
    local same = mine[names.normalize(path)]
    if same then
      errors.raise("conflict", "%s = %s is also its own %s", parameter, path, same)
    end
    mine[names.normalize(path)] = parameter
    M.require_separate(host, parameter, path)
    host.claims:claim(path, config, parameter)
  end
end

---Refuse a directory that exists and is, by another path, one that an instance has.
---@param host postmulti.Host
---@param parameter string
---@param path string
function M.require_separate(host, parameter, path)
  local core = host.core
  local stat = errors.if_exists(core.stat(path))
  if not stat then
    return
  end
  for _, other in ipairs(host:load()) do
    for _, theirs in ipairs { "config_directory", "queue_directory", "data_directory" } do
      local there = other[theirs] and core.stat(other[theirs])
      if there and there.device == stat.device and there.inode == stat.inode then
        errors.raise("conflict", "%s = %s is the same directory as %s = %s of %s", parameter, path, theirs,
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
---@param rows { [1]: string, [2]: integer? }[]  path, mode
function M.make_directories(host, transaction, rows)
  local core = host.core
  local records = {}
  for _, row in ipairs(rows) do
    local list = missing_directories(core, row[1])
    table.move(list, 1, #list, #records + 1, records)
  end
  transaction:declare(records)
  for _, row in ipairs(rows) do
    errors.check(core.make_path(row[1], { mode = row[2] }))
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

---The queue directories that a plan will make.
local function planned_directories(core, one, objects)
  local records = {}
  for _, object in ipairs(objects) do
    local path = object.path and one[object.base] .. "/" .. object.path
    if path and object.create and not errors.if_exists(core.stat(path)) then
      records[#records + 1] = { op = "directory", path = path }
    end
  end
  return records
end

---Owners and modes, then the table. A list of files that is not understood is left to Postfix's own program.
---@param host postmulti.Host
---@param transaction postmulti.Transaction
---@param config_directory string
---@param index integer  place in the table
---@param options { keep_tighter: boolean? }?
---@return postmulti.Instance
function M.enter(host, transaction, config_directory, index, options)
  local core = host.core
  local one = instance.read(host, config_directory)
  one:check()
  local objects, reason = permissions.read(core, host.parameters.meta_directory)
  if objects then
    local plan = permissions.plan(core, one, objects)
    transaction:declare(planned_directories(core, one, objects))
    permissions.apply(core, one, plan, options)
    if permissions.chroot_script(host) then
      transaction:declare { { op = "chroot", path = config_directory, queue = one.queue_directory } }
    end
  else
    host.report("warning", reason .. "; running postfix set-permissions instead")
    transaction:declare { { op = "set-permissions", path = config_directory } }
  end
  table.insert(host:load(), index, one)
  transaction:register(host.table)
  transaction:set_alternate(config_directory, false)
  return one
end

return M
