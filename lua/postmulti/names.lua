--- Rules for instance names, group names and directories; pure functions. Source: postmulti(1).

local errors = require "postmulti.errors"

local M = {}

M.prefix = "postfix-"

-- Letters, digits and these, in names of instances and groups.
local SAFE = "^[A-Za-z0-9!@%%%-_=+:./]*$"

---Check a new instance name. "-" and "" clear the name.
---@param name string
---@return string|nil name  nil: cleared
function M.instance_name(name)
  if name == "-" or name == "" then
    return nil
  end
  if not name:find(SAFE) then
    errors.raise("usage", "instance name '%s': use only letters, digits and ! @ %% - _ = + : .", name)
  end
  if name:find("/", 1, true) then
    errors.raise("usage", "instance name '%s': a '/' is not allowed", name)
  end
  if name:sub(1, #M.prefix) ~= M.prefix then
    errors.raise("usage", "instance name '%s': it must start with '%s'", name, M.prefix)
  end
  return name
end

---Check a new group name. "-" and "" clear the group.
---@param group string
---@return string|nil group  nil: cleared
function M.group_name(group)
  if group == "-" or group == "" then
    return nil
  end
  if not group:find(SAFE) then
    errors.raise("usage", "group name '%s': use only letters, digits and ! @ %% - _ = + : . /", group)
  end
  return group
end

---Check a directory given for a new instance; trailing slashes go.
---Characters that main.cf cannot express are refused; those of a configuration directory must fit into a list, too.
---@param parameter string  its name, for the message
---@param path string
---@return string path
function M.directory(parameter, path)
  if path:sub(1, 1) ~= "/" then
    errors.raise("usage", "%s = '%s': specify an absolute path", parameter, path)
  end
  local trimmed = path:gsub("/+$", "")
  if trimmed == "" then
    errors.raise("usage", "%s = '%s': the root directory cannot be used", parameter, path)
  end
  local bad = trimmed:match(parameter == "config_directory" and "[%s,$%c]" or "[%s$%c]")
  if bad then
    local what = bad == "," and "a comma" or bad == "$" and "a '$'" or bad:find("%s") and "a blank"
      or "a control character"
    errors.raise("usage", "%s = '%s': %s cannot be written in Postfix's configuration; choose another path",
      parameter, path, what)
  end
  return trimmed
end

---The directory that a path lies in, and its last component.
---@param path string  absolute
---@return string directory
---@return string name
function M.split_path(path)
  local directory, name = path:match "^(.*)/([^/]*)$"
  return directory ~= "" and directory or "/", name
end

---Split "name = value" as an operand of create and import.
---@param operand string
---@return string name
---@return string value
function M.setting(operand)
  local name, value = operand:match("^%s*([^%s=]+)%s*=%s*(.-)%s*$")
  if not name then
    errors.raise("usage", "'%s': specify parameter=value", operand)
  end
  return name, value
end

---The directory of a new instance that is not given: a sibling of the primary's.
---@param parameter string  its name, for the message
---@param primary string    the primary's value
---@param name string       name of the new instance
---@return string
function M.sibling(parameter, primary, name)
  if primary:sub(1, 1) ~= "/" then
    errors.raise("usage", "%s of the primary instance is '%s', not an absolute path; give %s=/path", parameter, primary,
      parameter)
  end
  local parent = primary:gsub("/+$", ""):gsub("[^/]*$", ""):gsub("/+$", "")
  return parent .. "/" .. name
end

---A path without empty, "." and ".." components, so that two spellings compare equal. Links are not looked at.
---@param path string
---@return string
function M.normalize(path)
  local parts = {}
  for part in path:gmatch("[^/]+") do
    if part == ".." then
      parts[#parts] = nil
    elseif part ~= "." then
      parts[#parts + 1] = part
    end
  end
  return "/" .. table.concat(parts, "/")
end

---Split a list of directories as Postfix does: comma, space, tab, CR, LF.
---@param value string
---@return string[]
function M.split(value)
  local words = {}
  for word in value:gmatch("[^, \t\r\n]+") do
    words[#words + 1] = word
  end
  return words
end

---Enter words in a list, or take them out. The list is taken as written, not expanded.
---@param value string
---@param changes { [1]: string, [2]: boolean }[]  a word, and whether it must be in it
---@return string|nil  nil: it stays as it is
function M.edit_list(value, changes)
  local list, changed = M.split(value), false
  for _, row in ipairs(changes) do
    local word, present = row[1], row[2]
    local found = false
    for index = #list, 1, -1 do
      if list[index] == word then
        found = true
        if not present then
          table.remove(list, index)
          changed = true
        end
      end
    end
    if present and not found then
      list[#list + 1] = word
      changed = true
    end
  end
  return changed and table.concat(list, " ") or nil
end

return M
