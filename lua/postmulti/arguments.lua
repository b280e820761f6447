--- The fields of the tables that the public API takes, and the complaint about one that is not among them.
--
-- A slip of the pen in the name of an optional field would else be no field at all.

local nearest = require "postmulti.nearest"

local M = {}

---By function: fields and their types.
---@type table<string, table<string, string>>
M.known = {
  open = require("postmulti.host").options,
  instances = {
    name = "string", group = "string", enabled = "boolean", damaged = "boolean", running = "boolean",
    match = "function",
  },
  place = { name = "string", group = "string", all = "boolean", origin = "string" },
  create = {
    name = "string", group = "string", config_directory = "string", queue_directory = "string",
    data_directory = "string", place = "table",
  },
  import = { name = "string", group = "string", config_directory = "string", place = "table" },
  init = { wrapper = "string" },
  assign = { name = "string", group = "string", instance = "table" },
  enable = { instance = "table" },
  disable = { instance = "table" },
  deport = { instance = "table" },
  destroy = { instance = "table" },
  run = {
    capture = "boolean", time_limit = "number", input = "string", directory = "string", environment = "table",
    harmless = "boolean",
  },
  get = { expand = "boolean" },
  write_file = { mode = "number" },
  make_directory = { mode = "number" },
}
M.known.postfix = M.known.run

local SOURCE = debug.getinfo(1, "S").source:match "^(.*/)[^/]*$"

---Raise a plain Lua error with the place in the code that has called the library.
---@param text string
function M.misuse(text)
  local level = 2
  local info = debug.getinfo(level, "S")
  while info and (info.source:sub(1, #SOURCE) == SOURCE or info.what == "C") do
    level = level + 1
    info = debug.getinfo(level, "S")
  end
  error(text, info and level or 0)
end

---What is wrong with a table: a field that is not known, or of another type. Fields with numbers are not looked at.
---@param what string  the function, a key of `known`
---@param args table|nil
---@return string|nil complaint
function M.complaint(what, args)
  local known = M.known[what]
  if args ~= nil and type(args) ~= "table" then
    return ("%s: a table is wanted, not a %s"):format(what, type(args))
  end
  for name, value in pairs(args or {}) do
    local wanted = known[name]
    if type(name) == "string" and not wanted then
      local names = {}
      for one in pairs(known) do
        names[#names + 1] = one
      end
      table.sort(names)
      return ("%s: there is no field '%s'%s"):format(what, name, nearest.hint(name, names))
    elseif wanted and type(value) ~= wanted then
      return ("%s: %s must be a %s, not a %s"):format(what, name, wanted, type(value))
    end
  end
end

---Complain to the caller of the library.
---@param what string
---@param args table|nil
function M.check(what, args)
  local complaint = M.complaint(what, args)
  if complaint then
    M.misuse(complaint)
  end
end

return M
