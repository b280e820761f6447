--- The public API: require "postmulti".
--
--     local postmulti = require "postmulti"
--     local host = postmulti.open()
--     for instance in host:instances { group = "out" } do
--       print(instance.name, instance:get "myhostname")
--     end
--
-- What is refused is raised as a postmulti.Error, see postmulti.errors.

local errors = require "postmulti.errors"
local host = require "postmulti.host"

local M = {}

---Of this program.
---@type string
M.version = require("postmulti.core").version

---Open the host whose primary instance is in config_directory.
---Raises "damaged", "system", "untrusted".
---@param options postmulti.OpenOptions?
---@return postmulti.Host
function M.open(options)
  return host.open(options)
end

---Is VALUE an error of this library?
---@param value any
---@return boolean
function M.is_error(value)
  return errors.is(value)
end

---Tell on standard error how far long work has got.
---@param total integer
---@param title string
---@return postmulti.Progress
function M.progress(total, title)
  return require("postmulti.progress").new(total, title)
end

---Go through a list, and tell how far that has got: for index, item in postmulti.each(list, "title") do ... end
---@generic T
---@param list T[]|fun(): T|nil  an iterator, as that of host:instances, is run to its end first
---@param title string
---@param options table?  for tests
---@return fun(): integer|nil, T|nil
function M.each(list, title, options)
  return require("postmulti.progress").each(list, title, options)
end

---A value as JSON, in one line; keys in order. A table that has a first item is a list, as is an empty one.
---@param value string|number|boolean|table
---@return string
function M.json(value)
  return require("postmulti.report").encode(value)
end

return M
