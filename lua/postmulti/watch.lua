--- Which of some files has another program changed while it ran?
--
-- A file counts as unchanged when it is the same inode with the same size and time. The time of a file just written may
-- be the same after another write, so the text of such a file is compared, too.

local errors = require "postmulti.errors"

---@class postmulti.Watch
---@field core postmulti.core
---@field paths string[]   each once
---@field known table<string, string>  path to what tells whether it is the same
local Watch = {}
Watch.__index = Watch

local M = {}

local FRESH = 2 -- seconds; file systems may count in whole ones

---What tells whether a file is the same; "" when there is none.
---@return string
local function signature(core, path, now)
  local stat = errors.if_exists(core.stat(path))
  if not stat then
    return ""
  end
  local text = ("%s %s %s %s"):format(stat.device, stat.inode, stat.size, stat.mtime)
  if stat.type == "file" and stat.mtime > now - FRESH then
    return text .. " " .. core.checksum(errors.if_exists(core.read_file(path)) or "")
  end
  return text
end

---Begin to watch.
---@param core postmulti.core
---@param paths string[]  some may be there twice
---@return postmulti.Watch
function M.new(core, paths)
  local self = setmetatable({ core = core, paths = {}, known = {}, time = os.time() }, Watch)
  for _, path in ipairs(paths) do
    if not self.known[path] then
      self.paths[#self.paths + 1] = path
      self.known[path] = signature(core, path, self.time)
    end
  end
  return self
end

---The files that are not what they were, in the order given.
---@return string[]
function Watch:changed()
  local found = {}
  for _, path in ipairs(self.paths) do
    if signature(self.core, path, self.time) ~= self.known[path] then
      found[#found + 1] = path
    end
  end
  return found
end

return M
