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
  local stat = core.stat(path)
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

---Make a directory and its parents; undone with the transaction.
---@param host postmulti.Host
---@param transaction postmulti.Transaction
---@param path string
---@param mode integer?
function M.make_directory(host, transaction, path, mode)
  local core = host.core
  local created = errors.check(core.make_path(path, { mode = mode }))
  transaction:on_undo(function()
    for index = #created, 1, -1 do
      errors.check(core.rmdir(created[index]))
    end
  end)
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
    transaction:edit_file(path, function(text)
      return host.core.edit_main(text, edits, path)
    end)
  end
end

---Undo what permissions.apply made: the queue directories that were not there, as long as they are empty.
local function forget_directories(core, one, before)
  for index = #before, 1, -1 do
    core.rmdir(one[before[index].base] .. "/" .. before[index].path)
  end
end

---Owners and modes, then the table. An instance list that is not understood is left to Postfix's own program.
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
    local missing = {}
    for _, object in ipairs(objects) do
      if object.create and object.path and not core.stat(one[object.base] .. "/" .. object.path) then
        missing[#missing + 1] = object
      end
    end
    transaction:on_undo(function() forget_directories(core, one, missing) end)
    permissions.apply(core, one, plan, options)
  else
    host.report("warning", reason .. "; running postfix set-permissions instead")
    transaction:on_finish(function() M.set_permissions(host, one) end)
  end
  table.insert(host:load(), index, one)
  transaction:register(host.table)
  transaction:set_alternate(config_directory, false)
  return one
end

---Let postfix(1) set the permissions. It must find the instance in the table, so this comes last.
---@param host postmulti.Host
---@param one postmulti.Instance
function M.set_permissions(host, one)
  local exit = errors.check(host.core.run({
    host.parameters.command_directory .. "/postfix", "-c", one.config_directory, "set-permissions",
  }, { environment = { MAIL_CONFIG = false } }))
  if exit.status ~= 0 then
    errors.raise("system", "postfix -c %s set-permissions failed; the instance is registered, run it again",
      one.config_directory)
  end
end

return M
