--- What postmulti -p does with each postfix(1) command: the class of the command decides order and instances.
--- Source: postmulti(1), postfix-wrapper(5).

local names = require "postmulti.names"

local M = {}

---@alias postmulti.CommandClass "start"|"stop"|"control"|"other"

---The class of a postfix(1) command: the first list that has it.
---@param values table  the primary's parameters
---@param command string
---@return postmulti.CommandClass
function M.class(values, command)
  for _, class in ipairs { "start", "stop", "control" } do
    for _, word in ipairs(names.split(values["postmulti_" .. class .. "_commands"])) do
      if word == command then
        return class
      end
    end
  end
  return "other"
end

---What to run, in order: a disabled instance is skipped by stop and control commands, and gets "check" in place of a
---start command, so that its errors show. Stop commands go in reverse order.
---@param instances postmulti.Instance[]
---@param class postmulti.CommandClass
---@param operands string[]
---@return { instance: postmulti.Instance, operands: string[] }[]
function M.plan(instances, class, operands)
  local plan = {}
  local first, last, step = 1, #instances, 1
  if class == "stop" then
    first, last, step = last, first, -1
  end
  for index = first, last, step do
    local instance = instances[index]
    -- One that cannot be read stays in the plan, so that it is named.
    local enabled = instance.enabled or instance.enabled == nil
    if enabled or class == "other" then
      plan[#plan + 1] = { instance = instance, operands = operands }
    elseif class == "start" then
      plan[#plan + 1] = { instance = instance, operands = table.move(operands, 2, #operands, 2, { "check" }) }
    end
  end
  return plan
end

return M
