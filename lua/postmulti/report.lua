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

---@param value string
---@return string
function M.quote(value)
  return '"' .. value:gsub('[%c"\\\127]', function(byte)
    return ESCAPES[byte] or ("\\u00%02X"):format(byte:byte())
  end) .. '"'
end

---The same as a JSON object.
---@param instance postmulti.Instance
---@return string
function M.json(instance)
  return ('{"name": %s,"group": %s,"enabled": "%s","config_directory": %s}\n'):format(M.quote(instance.name or "-"),
    M.quote(instance.group or "-"), instance.enabled and "y" or "n", M.quote(instance.config_directory))
end

return M
