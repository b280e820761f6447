--- Names and directories that instances have: no two may have the same. Source: postmulti(1).
--
-- Names and directories share one table; they are compared byte for byte, as Postfix compares them.

---@class postmulti.Claims
---@field owners table<string, string>      value -> configuration directory of the instance that has it
---@field parameters table<string, string>  value -> the parameter whose value it is
---@field private spellings table<string, table<string, true>>|nil  normalized path -> claimed values; made when asked
local Claims = {}
Claims.__index = Claims

---@return postmulti.Claims
function Claims.new()
  return setmetatable({ owners = {}, parameters = {} }, Claims)
end

---Enter a value in the index of spellings.
local function index(spellings, value)
  if value:sub(1, 1) == "/" then
    local path = require("postmulti.names").normalize(value)
    spellings[path] = spellings[path] or {}
    spellings[path][value] = true
  end
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
    self.owners[value], self.parameters[value] = directory, parameter
    if self.spellings then
      index(self.spellings, value)
    end
  elseif owner ~= directory or self.parameters[value] ~= parameter then
    return ("%s of %s"):format(self.parameters[value], owner)
  end
end

---Claim what an instance has: name, configuration, queue and data directory, in this order.
---@param instance postmulti.Instance
---@return string|nil conflict  the first: "PARAMETER = VALUE is also PARAMETER of DIRECTORY"
function Claims:claim_instance(instance)
  local directory, first = instance.config_directory, nil

  local function claim(value, parameter)
    local conflict = self:claim(value, directory, parameter)
    if conflict and not first then
      first = ("%s = %s is also %s"):format(parameter, value, conflict)
    end
  end

  claim(instance.name, "multi_instance_name")
  claim(directory, "config_directory")
  claim(instance.queue_directory, "queue_directory")
  claim(instance.data_directory, "data_directory")
  return first
end

---Who has a directory that is the same as PATH once written without "//", "." and ".."?
---@param path string
---@return string|nil owner  "PARAMETER of DIRECTORY"
function Claims:same_directory(path)
  if not self.spellings then
    self.spellings = {}
    for value in pairs(self.owners) do
      index(self.spellings, value)
    end
  end
  local found
  for value in pairs(self.spellings[require("postmulti.names").normalize(path)] or {}) do
    if self.owners[value] then
      local text = ("%s of %s"):format(self.parameters[value], self.owners[value])
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
    if owner == directory then
      self.owners[value] = nil
    end
  end
end

return Claims
