--- Names and directories that instances have: no two may have the same. Source: postmulti(1).
--
-- Names and directories share one table; they are compared byte for byte, as Postfix compares them.

-- There may be ten thousand instances: a claim is a number, of its holder and of the parameter, and no table.
local PARAMETERS = {
  "multi_instance_name", "config_directory", "queue_directory", "data_directory",
  "command_directory", "daemon_directory", "shlib_directory", -- that all instances share
}
local NUMBER = {}
local STEP = 8 -- more than there are

for number, parameter in ipairs(PARAMETERS) do
  NUMBER[parameter] = number
end

---@class postmulti.Claims
---@field private claimed table<string, integer>  value -> STEP * index of the holder + number of the parameter
---@field private holders string[]                configuration directories; one may be there twice
---@field private spellings table<string, table<string, true>>|nil  normalized path -> claimed values; made when asked
local Claims = {}
Claims.__index = Claims

---@return postmulti.Claims
function Claims.new()
  return setmetatable({ claimed = {}, holders = {} }, Claims)
end

---Enter a value in the index of spellings.
local function index(spellings, value)
  if value:sub(1, 1) == "/" then
    local path = require("postmulti.names").normalize(value)
    spellings[path] = spellings[path] or {}
    spellings[path][value] = true
  end
end

---Who has VALUE? nil, nil: nobody.
---@private
---@return string|nil directory
---@return string|nil parameter
function Claims:owner(value)
  local claim = self.claimed[value]
  if claim then
    return self.holders[claim // STEP], PARAMETERS[claim % STEP]
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
  local owner, of = self:owner(value)
  if owner then
    return (owner ~= directory or of ~= parameter) and ("%s of %s"):format(of, owner) or nil
  end
  local holders = self.holders
  if holders[#holders] ~= directory then
    holders[#holders + 1] = directory
  end
  self.claimed[value] = STEP * #holders + NUMBER[parameter]
  if self.spellings then
    index(self.spellings, value)
  end
end

---Claim what an instance has: name, configuration, queue and data directory, in this order.
---@param instance postmulti.Instance
---@return string|nil conflict  the first: "PARAMETER = VALUE is also PARAMETER of DIRECTORY"
function Claims:claim_instance(instance)
  local claimed, directory = self.claimed, instance.config_directory
  local name, queue, data = instance.name, instance.queue_directory, instance.data_directory
  if name and queue and data and not self.spellings and not (claimed[name] or claimed[directory] or claimed[queue]
    or claimed[data]) and queue ~= data and directory ~= queue and directory ~= data and name ~= directory
    and name ~= queue and name ~= data then -- as all should be
    local holder = #self.holders + 1
    self.holders[holder] = directory
    holder = STEP * holder
    claimed[name], claimed[directory], claimed[queue], claimed[data] = holder + 1, holder + 2, holder + 3, holder + 4
    return nil
  end
  local first
  for number, value in ipairs { name or false, directory, queue or false, data or false } do
    local parameter = PARAMETERS[number]
    local conflict = value and self:claim(value, directory, parameter)
    if conflict and not first then
      first = ("%s = %s is also %s"):format(parameter, value, conflict)
    end
  end
  return first
end

---Who has a directory that is the same as PATH once written without "//", "." and ".."?
---@param path string
---@return string|nil owner  "PARAMETER of DIRECTORY"
function Claims:same_directory(path)
  if not self.spellings then
    self.spellings = {}
    for value in pairs(self.claimed) do
      index(self.spellings, value)
    end
  end
  local found
  for value in pairs(self.spellings[require("postmulti.names").normalize(path)] or {}) do
    local owner, of = self:owner(value)
    if owner then
      local text = ("%s of %s"):format(of, owner)
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
  local holders, claimed = self.holders, self.claimed
  for value, claim in pairs(claimed) do
    if holders[claim // STEP] == directory then
      claimed[value] = nil
    end
  end
end

return Claims
