--- postmulti -l: the list, and the command line that is nothing else. Most runs are that, so it is done with as few
--- modules as it needs. Whatever there is to be said, a damaged instance for one, is said by postmulti.cli.

local inventory = require "postmulti.inventory"

local M = {}

local ROWS = 1000 -- that are written at once
local FEW = 100   -- instances: their list is printed before there is garbage worth collecting

---Print a list of instances, without those that cannot be used.
---@param core postmulti.core
---@param instances postmulti.Instance[]
---@param json boolean?
---@return true|nil printed
---@return string? reason
---@return integer? errno
function M.print(core, instances, json)
  local report = require "postmulti.report"
  local format = json and report.json or report.line
  local rows, count = {}, 0
  for index = 1, #instances do
    local instance = instances[index]
    if not instance.damage then
      count = count + 1
      rows[count] = format(instance)
    end
    if count == ROWS then
      local printed, reason, errno = core.print(table.concat(rows))
      if not printed then
        return nil, reason, errno
      end
      count = 0
    end
  end
  return core.print(table.concat(rows, "", 1, count))
end

---What a run of the whole command goes on with.
---@class postmulti.Begun
---@field host postmulti.Host|nil
---@field remarks table[]    arguments of the reports that are due
---@field problem any        what was raised; nil: nothing

-- The list, if that is all there is to do; or else what a run of the whole command goes on with.
local function list(core, begun)
  local host = inventory.open {
    report = function(...) table.insert(begun.remarks, table.pack(...)) end,
    config = {}, -- nothing of it is needed, so that one that cannot be loaded does no harm
  }
  begun.host = host
  if #host.directories > FEW then
    collectgarbage "restart"
    collectgarbage("incremental", 120) -- memory is dearer than the time to collect it
  end
  host:check_shared_directories()
  local instances = host:load()
  if begun.remarks[1] or host.is_damaged then
    return false
  end
  local printed, reason, errno = M.print(core, instances)
  return printed or require("postmulti.errors").check(nil, reason, errno)
end

---The command postmulti.
---@param argv string[]  [0] is the command itself
---@return integer status
function M.main(argv)
  if argv[1] ~= "-l" or argv[2] or os.getenv "MAIL_CONFIG" then
    return require("postmulti.cli").main(argv)
  end
  local core = require "postmulti.core"
  core.umask(tonumber("22", 8))
  local begun = { remarks = {} }
  local ok, result = xpcall(list, function(problem)
    return type(problem) == "string" and debug.traceback(problem, 2) or problem
  end, core, begun)
  if ok and result then
    return 0
  elseif not ok then
    begun.problem = result
  end
  return require("postmulti.cli").main(argv, begun)
end

return M
