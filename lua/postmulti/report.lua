--- What postmulti -l prints; pure functions. Source: postmulti(1).

local M = {}

---One line of the list: name, group, enabled, configuration directory.
---@param instance postmulti.Instance
---@return string
function M.line(instance)
  return ("%-15s %-15s %-9s %s\n"):format(instance.name or "-", instance.group or "-", instance.enabled and "y" or "n",
    instance.config_directory)
end

local ESCAPES = {
  ['"'] = '\\"', ["\\"] = "\\\\", ["\b"] = "\\b", ["\f"] = "\\f", ["\n"] = "\\n", ["\r"] = "\\r", ["\t"] = "\\t",
}

-- What stands for a byte that is no part of a character: JSON is UTF-8.
local REPLACEMENT = "\u{FFFD}"

---The value with each byte that is not UTF-8 replaced.
---@param value string
---@return string
local function to_utf8(value)
  local parts, from = {}, 1
  while true do
    local length, bad = utf8.len(value, from)
    if length then
      break
    end
    parts[#parts + 1] = value:sub(from, bad - 1)
    parts[#parts + 1] = REPLACEMENT
    from = bad + 1
  end
  parts[#parts + 1] = value:sub(from)
  return table.concat(parts)
end

---@param value string
---@return string
local function quote(value)
  if not utf8.len(value) then
    value = to_utf8(value)
  end
  return '"' .. value:gsub('[%c"\\\127]', function(byte)
    return ESCAPES[byte] or ("\\u00%02X"):format(byte:byte())
  end) .. '"'
end

---The same as a JSON object.
---@param instance postmulti.Instance
---@return string
function M.json(instance)
  return ('{"name": %s,"group": %s,"enabled": "%s","config_directory": %s}\n'):format(quote(instance.name or "-"),
    quote(instance.group or "-"), instance.enabled and "y" or "n", quote(instance.config_directory))
end

return M
