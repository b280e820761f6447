--- What postmulti -l prints; pure functions. Source: postmulti(1).

local M = {}

-- What is behind a word in a column of 15 and a blank, by the word's length; made as they come.
local GAP = setmetatable({}, {
  __index = function(gaps, length)
    gaps[length] = (" "):rep(math.max(16 - length, 1))
    return gaps[length]
  end,
})

---One line of the list: name, group, enabled, configuration directory; columns of 15, 15 and 9, and the rest.
---@param instance postmulti.Instance
---@return string
function M.line(instance)
  local name, group = instance.name or "-", instance.group or "-"
  return name .. GAP[#name] .. group .. GAP[#group] .. (instance.enabled and "y         " or "n         ")
    .. instance.config_directory .. "\n"
end

local ESCAPES = {
  ['"'] = '\\"', ["\\"] = "\\\\", ["\b"] = "\\b", ["\f"] = "\\f", ["\n"] = "\\n", ["\r"] = "\\r", ["\t"] = "\\t",
}

---@param value string
---@return string
local function quote(value)
  if not value:find "^%C*$" or value:find('"', 1, true) or value:find("\\", 1, true) then -- few have
    value = value:gsub('[%c"\\]', function(byte)
      return ESCAPES[byte] or ("\\u00%02X"):format(byte:byte())
    end)
  end
  return '"' .. value .. '"'
end

---The same as a JSON object.
---@param instance postmulti.Instance
---@return string
function M.json(instance)
  return '{"name": ' .. quote(instance.name or "-") .. ',"group": ' .. quote(instance.group or "-") .. ',"enabled": "'
    .. (instance.enabled and "y" or "n") .. '","config_directory": ' .. quote(instance.config_directory) .. "}\n"
end

return M
