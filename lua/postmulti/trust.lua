--- Code that this program loads must be code that nobody but root, or the caller, could have written.
--
-- A file is trusted when it is a regular file without set-id bits and it, every directory above it, and every
-- symbolic link on the way with all that is above that, belong to root or the caller, and no group and nobody else can
-- write to them. A sticky directory such as /tmp makes no difference: who may add a name there may be first.

local M = {}

local WRITABLE = tonumber("022", 8)
local SET_ID = tonumber("6000", 8)
local MOST_LINKS = 40

---@class postmulti.TrustView  how the file system is looked at
---@field stat fun(path: string, follow: boolean?): postmulti.Stat|nil, string?, integer?
---@field readlink fun(path: string): string|nil, string?
---@field uid integer  the caller's effective user id

---The file system itself.
---@param core postmulti.core
---@return postmulti.TrustView
function M.view(core)
  return {
    stat = core.stat,
    readlink = function(path) return require("posix.unistd").readlink(path) end,
    uid = core.effective_uid(),
  }
end

---@param view postmulti.TrustView
---@param path string
---@param stat postmulti.Stat
---@return string|nil reason
local function object_refusal(view, path, stat)
  if stat.uid ~= 0 and stat.uid ~= view.uid then
    return ("%s belongs to user %d, not to root%s"):format(path, stat.uid,
      view.uid ~= 0 and " or you" or "")
  elseif stat.type ~= "link" and stat.mode & WRITABLE ~= 0 then
    return ("%s can be written by others than its owner (mode %04o)"):format(path, stat.mode)
  elseif stat.type == "file" and stat.mode & SET_ID ~= 0 then
    return ("%s has a set-id bit (mode %04o)"):format(path, stat.mode)
  end
end

---The components of a path, outermost first.
local function components(path)
  local parts = {}
  for part in path:gmatch "[^/]+" do
    if part ~= "." then
      parts[#parts + 1] = part
    end
  end
  return parts
end

---Why PATH must not be loaded; nil: it may be.
---@param view postmulti.TrustView
---@param path string          absolute
---@param wanted "file"|"directory"
---@return string|nil reason   one line that names the object at fault
---@return boolean? missing    there is no such object
function M.refusal(view, path, wanted)
  if path:sub(1, 1) ~= "/" then
    return path .. ": not an absolute path"
  end
  local rest, links = components(path), 0
  local at, trail = "", {}
  local stat, reason, errno = view.stat("/", false)
  if not stat then
    return reason, errno == 2
  end
  reason = object_refusal(view, "/", stat)
  if reason then
    return reason
  end
  while #rest > 0 do
    local part = table.remove(rest, 1)
    if part == ".." then
      at = table.remove(trail) or ""
    else
      local here = at .. "/" .. part
      stat, reason, errno = view.stat(here, false)
      if not stat then
        return reason, errno == 2
      end
      reason = object_refusal(view, here, stat)
      if reason then
        return reason
      elseif stat.type == "link" then
        links = links + 1
        local target
        target, reason = view.readlink(here)
        if links > MOST_LINKS or not target then
          return target and path .. ": too many symbolic links" or reason
        end
        if target:sub(1, 1) == "/" then
          at, trail = "", {}
        end
        local parts = components(target)
        rest = table.move(rest, 1, #rest, #parts + 1, parts)
      else
        if stat.type ~= "directory" and #rest > 0 then
          return ("%s is not a directory"):format(here)
        end
        trail[#trail + 1] = at
        at = here
      end
    end
  end
  stat, reason = view.stat(at ~= "" and at or "/", false)
  if not stat then
    return reason
  elseif stat.type ~= wanted then
    return ("%s is not a %s"):format(path, wanted == "file" and "regular file" or "directory")
  end
end

return M
