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
  if not value:find "^%C*$" or value:find('"', 1, true) or value:find("\\", 1, true) then -- few have
    value = value:gsub('[%c"\\]', function(byte)
      return ESCAPES[byte] or ("\\u00%02X"):format(byte:byte())
    end)
  end
  return '"' .. value .. '"'
end

---@param value any
---@param seen table<table, true>  the tables that VALUE is in
---@return string
local function encode(value, seen)
  local kind = type(value)
  if kind == "string" then
    return quote(value)
  elseif kind == "boolean" or math.type(value) == "integer" then
    return tostring(value)
  elseif kind == "number" and value == value and value ~= math.huge and value ~= -math.huge then
    return ("%.14g"):format(value)
  elseif kind ~= "table" or seen[value] then
    require("postmulti.arguments").misuse(("json: %s cannot be written"):format(kind == "table"
      and "a table within itself" or kind == "number" and "a number without bounds" or "a " .. kind))
  end
  seen[value] = true
  local parts = {}
  if next(value) == nil or #value > 0 then
    for index, one in ipairs(value) do
      parts[index] = encode(one, seen)
    end
    seen[value] = nil
    return "[" .. table.concat(parts, ",") .. "]"
  end
  local keys = {}
  for key in pairs(value) do
    keys[#keys + 1] = type(key) == "string" and key
      or require("postmulti.arguments").misuse "json: a table has strings as keys, or is a list"
  end
  table.sort(keys)
  for index, key in ipairs(keys) do
    parts[index] = quote(key) .. ":" .. encode(value[key], seen)
  end
  seen[value] = nil
  return "{" .. table.concat(parts, ",") .. "}"
end

---A value as JSON, in one line; keys in order. A table that has a first item is a list, as is an empty one.
---@param value string|number|boolean|table
---@return string
function M.encode(value)
  return encode(value, {})
end

---The same as a JSON object.
---@param instance postmulti.Instance
---@return string
function M.json(instance)
  return '{"name": ' .. quote(instance.name or "-") .. ',"group": ' .. quote(instance.group or "-") .. ',"enabled": "'
    .. (instance.enabled and "y" or "n") .. '","config_directory": ' .. quote(instance.config_directory) .. "}\n"
end

return M
