--- Names and directories that instances have: no two may have the same. Source: postmulti(1).
--
-- Names and directories share one table; they are compared byte for byte, as Postfix compares them.

local names = require "postmulti.names"

---@class postmulti.Claims
---@field owners table<string, { directory: string, parameter: string }>
local Claims = {}
Claims.__index = Claims

---@return postmulti.Claims
function Claims.new()
  return setmetatable({ owners = {} }, Claims)
end

---Claim VALUE for PARAMETER of the instance in DIRECTORY.
---@param value string|nil  nil, and for a directory what is not absolute, needs no claim
---@param directory string
---@param parameter string
---@return string|nil conflict  who has it, "PARAMETER of DIRECTORY"
function Claims:claim(value, directory, parameter)
  if not value then
    return nil
  end
  local owner = self.owners[value]
  if not owner then
    self.owners[value] = { directory = directory, parameter = parameter }
  elseif owner.directory ~= directory or owner.parameter ~= parameter then
    return ("%s of %s"):format(owner.parameter, owner.directory)
  end
end

---Claim what an instance has: name, configuration, queue and data directory, in this order.
---@param instance postmulti.Instance
---@return string|nil conflict  the first: "PARAMETER = VALUE is also PARAMETER of DIRECTORY"
function Claims:claim_instance(instance)
  local directory, first = instance.config_directory, nil
  for _, row in ipairs {
    { "multi_instance_name", instance.name },
    { "config_directory", directory },
    { "queue_directory", instance.queue_directory },
    { "data_directory", instance.data_directory },
  } do
    local conflict = self:claim(row[2], directory, row[1])
    if conflict and not first then
      first = ("%s = %s is also %s"):format(row[1], row[2], conflict)
    end
  end
  return first
end

---Who has a directory that is the same as PATH once written without "//", "." and ".."?
---@param path string
---@return string|nil owner  "PARAMETER of DIRECTORY"
function Claims:same_directory(path)
  local wanted = names.normalize(path)
  local found
  for value, owner in pairs(self.owners) do
    if value:sub(1, 1) == "/" and names.normalize(value) == wanted then
      local text = ("%s of %s"):format(owner.parameter, owner.directory)
      if not found or text < found then
        found = text
      end
    end
  end
  return found
end

---Give up everything that the instance in DIRECTORY claimed.
---@param directory string
function Claims:release(directory)
  for value, owner in pairs(self.owners) do
    if owner.directory == directory then
      self.owners[value] = nil
    end
  end
end

return Claims
