--- Owners and modes of an instance's own files, as postfix(1) set-permissions gives them, from Postfix's own list.
--
-- The list is META_DIRECTORY/postfix-files and the files in postfix-files.d; its format is described in its head. Only
-- what lies in an instance's configuration, queue and data directory concerns a secondary; everything else is shared
-- and belongs to the primary.

local accounts = require "postmulti.accounts"
local errors = require "postmulti.errors"
local parameters = require "postmulti.parameters"

local M = {}

local PRIVATE = { config_directory = true, queue_directory = true, data_directory = true }

---@class postmulti.PrivateObject
---@field base "config_directory"|"queue_directory"|"data_directory"
---@field path string|nil    relative to the base; nil: the base itself
---@field type "directory"|"file"
---@field owner string       a user name or "$parameter"
---@field group string|nil   likewise; nil: left alone
---@field mode integer
---@field create boolean     make the directory when it is missing
---@field recursive boolean
---@field optional boolean   skip a file that is not there

---Parse one line of the list.
---@param line string
---@return postmulti.PrivateObject|nil|false object  nil: does not concern a secondary; false: not understood
function M.parse_line(line)
  if line:sub(1, 1) ~= "$" then
    return nil
  end
  local field = {}
  for value in (line .. ":"):gmatch "([^:]*):" do
    field[#field + 1] = value ~= "-" and value or ""
  end
  local base, rest = field[1]:match "^%$([%w_]+)(.*)$"
  if not base then
    base, rest = field[1]:match "^%${([%w_]+)}(.*)$"
  end
  local flags = field[6] or ""
  if base and not PRIVATE[base] or flags:find "o" or field[2] == "h" or field[2] == "l" then
    return nil
  end
  local kind = ({ d = "directory", f = "file" })[field[2]]
  local mode = (field[5] or ""):match "^[0-7]+$"
  local relative = rest ~= "" and (rest or ""):match "^/+(.-)/*$" or nil
  if not base or not kind or not mode or (field[3] or "") == "" or (rest ~= "" and not relative)
    or rest:find("$", 1, true) or ("/" .. rest .. "/"):find("/../", 1, true) or flags:find "[^pucr1]" then
    return false
  end
  return {
    base = base,
    path = relative,
    type = kind,
    owner = field[3],
    group = field[4] ~= "" and field[4] or nil,
    mode = tonumber(mode, 8),
    create = flags:find "c" ~= nil,
    recursive = flags:find "r" ~= nil,
    optional = flags:find "1" ~= nil,
  }
end

---The files that make up the list, in order.
local function list_files(core, meta_directory)
  local files = { meta_directory .. "/postfix-files" }
  for _, entry in ipairs(core.list(meta_directory .. "/postfix-files.d") or {}) do
    if entry.type == "file" then
      files[#files + 1] = meta_directory .. "/postfix-files.d/" .. entry.name
    end
  end
  return files
end

---Read the list.
---@param core postmulti.core
---@param meta_directory string
---@return postmulti.PrivateObject[]|nil objects  in file order
---@return string? reason  why it cannot be used: missing, or the line that is not understood
function M.read(core, meta_directory)
  local objects = {}
  for _, path in ipairs(list_files(core, meta_directory)) do
    local text, reason = core.read_file(path)
    if not text then
      return nil, reason
    end
    local number = 0
    for line in (text .. "\n"):gmatch "([^\n]*)\n" do
      number = number + 1
      local object = M.parse_line(line)
      if object == false then
        return nil, ("%s, line %d: not understood: %s"):format(path, number, line)
      end
      objects[#objects + 1] = object
    end
  end
  return objects
end

---Resolve a user or group name, or "$parameter" that holds one, or a number.
local function resolve(core, instance, text, lookup, what)
  local parameter = text:match "^%$([%w_]+)$" or text:match "^%${([%w_]+)}$"
  local name = text
  if parameter then
    local value, reason, kind = parameters.get(core, instance.config_directory, parameter, { expand = true },
      instance.host.defaults)
    if not value and kind ~= "unknown" then
      errors.throw("damaged", reason --[[@as string]])
    end
    name = value or ""
  end
  local id = name:match "^%d+$" and tonumber(name) or lookup(name)
  if not id then
    errors.raise("damaged", "%s/main.cf: %s = %s: no such %s", instance.config_directory, parameter or "owner", name,
      what)
  end
  return id
end

---Is a mode that is there at least as tight as the one wanted?
local function is_tighter(mode, wanted)
  return mode & ~wanted == 0
end

---The script by which Debian's Postfix, since 3.9.1, ends set-permissions: it copies system files into the queue
---directory for services that run in a chroot. Earlier packages have a script of that name that wants an instance's
---name, and no program beside it; they run it when the instance is started.
---@param host postmulti.Host
---@return string|nil path
function M.chroot_script(host)
  local directory = host.parameters.shlib_directory
  local script, companion = host.core.stat(directory .. "/configure-instance.sh"),
    host.core.stat(directory .. "/syncfiles.pl")
  return script and companion and script.type == "file" and script.uid == 0 and directory .. "/configure-instance.sh"
    or nil
end

---Replace owner and group names by ids. Everything is resolved before anything is changed.
---@param core postmulti.core
---@param instance postmulti.Instance
---@param objects postmulti.PrivateObject[]
---@return table[] plan
function M.plan(core, instance, objects)
  local plan, known = {}, {}
  local function id(text, lookup, what)
    local key = what .. text
    known[key] = known[key] or resolve(core, instance, text, lookup, what)
    return known[key]
  end
  for index, object in ipairs(objects) do
    plan[index] = {
      object = object,
      uid = id(object.owner, accounts.user_id, "user"),
      gid = object.group and id(object.group, accounts.group_id, "group") or nil,
    }
  end
  return plan
end

---Carry out a plan.
---@param core postmulti.core
---@param instance postmulti.Instance
---@param plan table[]
---@param options { keep_tighter: boolean? }?  keep_tighter: a configuration that is more private stays so
---@return string[] changed  what must be synced, each once
function M.apply(core, instance, plan, options)
  local keep_tighter = options and options.keep_tighter
  local changed = {}
  for _, row in ipairs(plan) do
    local object = row.object
    local base = instance[object.base]
    local path = object.path and base .. "/" .. object.path or base
    local mode = object.mode
    local stat = (object.optional or keep_tighter) and errors.if_exists(core.stat(path))
    if stat and keep_tighter and object.base == "config_directory" and is_tighter(stat.mode, mode) then
      mode = nil
    end
    if stat or not object.optional then
      local outcome = errors.check(core.set_permissions(base, object.path, {
        type = object.type,
        uid = row.uid,
        gid = row.gid,
        mode = mode,
        create = object.create and object.path ~= nil,
        recursive = object.recursive,
      }))
      if outcome ~= "unchanged" and not changed[path] then
        changed[#changed + 1], changed[path] = path, true
      end
      if outcome == "created" and not changed[base] then
        changed[#changed + 1], changed[base] = base, true
      end
    end
  end
  return changed
end

return M
