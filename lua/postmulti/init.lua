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

local M = {
  version = require("postmulti.core").version,
  open = host.open,
  is_error = errors.is,
  progress = function(...) return require("postmulti.progress").new(...) end,
  each = function(...) return require("postmulti.progress").each(...) end,
}

return M
