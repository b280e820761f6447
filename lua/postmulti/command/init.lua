--- postmulti -e init: prepare the primary instance for secondaries.

local errors = require "postmulti.errors"

local M = { name = "init", summary = "prepare the primary instance for more instances" }

M.is_single = true

M.WRAPPER = "${command_directory}/postmulti -p --"

---@param host postmulti.Host
---@param transaction postmulti.Transaction
---@param args { wrapper: string? }
---@return boolean changed
function M.run(host, transaction, args)
  host:check_shared_directories()
  local path = host.config_directory .. "/main.cf"
  host.parameters.multi_instance_wrapper = args.wrapper or M.WRAPPER
  return transaction:edit_file(path, function(text)
    return host.core.edit_main(text, {
      { "set", "multi_instance_wrapper", args.wrapper or M.WRAPPER },
      { "set", "multi_instance_enable", "yes" },
    }, path)
  end)
end

---The words of multi_instance_wrapper that name the command at PATH: Postfix splits it on blanks and knows no quotes.
---@param path string                 absolute path of the command that was run
---@param config_directory string|nil  when it is not the default
---@param command_directory string
---@return string
function M.wrapper(path, config_directory, command_directory)
  if path:find "[%s$%c]" or config_directory and config_directory:find "[%s$%c]" then
    errors.raise("usage", "%s: a path with a blank or a '$' cannot be written in multi_instance_wrapper",
      path:find "[%s$%c]" and path or config_directory)
  end
  if path == command_directory .. "/postmulti" then
    path = "${command_directory}/postmulti"
  end
  local option = config_directory and " -c " .. config_directory or ""
  return path .. option .. " -p --"
end

return M
