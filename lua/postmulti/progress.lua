--- How far long work has got: a bar on a terminal, plain lines otherwise.
--
--     for index, name in postmulti.each(names, "create") do ... end
--
-- Written to standard error. A bar is drawn ten times a second at most; plain lines come every tenth of the work.

local guard = require "postmulti.guard"

local M = {}

local WIDTH = 24

---@class postmulti.Progress
---@field total integer
---@field title string
---@field done integer
---@field private out { write: function }
local Progress = {}
Progress.__index = Progress

---Seconds as "1:05".
---@param seconds number
---@return string
local function clock(seconds)
  return ("%d:%02d"):format(seconds // 60, seconds // 1 % 60)
end

---One state as text; pure.
---@param title string
---@param done integer
---@param total integer
---@param seconds number  since the beginning
---@return string
function M.bar(title, done, total, seconds)
  local part = total > 0 and done / total or 1
  local full = math.floor(part * WIDTH)
  local left = done > 0 and done < total and " about " .. clock(seconds / done * (total - done)) .. " left" or ""
  return ("%s [%s%s] %d/%d%s"):format(title, ("#"):rep(full), ("."):rep(WIDTH - full), done, total, left)
end

---@param total integer
---@param title string
---@param options { out: table?, is_terminal: boolean? }?  for tests
---@return postmulti.Progress
function M.new(total, title, options)
  if type(total) ~= "number" or type(title) ~= "string" then
    require("postmulti.arguments").misuse "progress: a number is wanted, and a title"
  end
  options = options or {}
  local is_terminal = options.is_terminal
  if is_terminal == nil then
    is_terminal = require("posix.unistd").isatty(2) == 1
  end
  return setmetatable({
    total = total, title = title, done = 0, out = options.out or io.stderr, is_terminal = is_terminal,
    began = guard.now(), drawn = -1, told = 0,
  }, Progress)
end

---One more is done.
---@param what string?  its name, for the plain lines
function Progress:step(what)
  self.done = self.done + 1
  local now = guard.now()
  local is_last = self.done >= self.total
  if self.is_terminal then
    if is_last or now - self.drawn >= 0.1 then
      self.drawn = now
      self.out:write("\r", M.bar(self.title, self.done, self.total, now - self.began), "\27[K", is_last and "\n" or "")
    end
  elseif is_last or self.done * 10 // self.total > self.told then
    self.told = self.done * 10 // self.total
    self.out:write(("%s: %d/%d%s\n"):format(self.title, self.done, self.total, what and " " .. what or ""))
  end
end

---Leave the line of the bar, where the work ends early.
function Progress:stop()
  if self.is_terminal and self.done < self.total then
    self.out:write "\n"
  end
  self.total = self.done
end

---What plain lines call an item of a list.
---@param item any
---@return string|nil
local function name_of(item)
  local meta = getmetatable(item)
  local has_name = type(item) == "string" or type(item) == "number" or type(meta) == "table" and meta.__tostring
  return has_name and tostring(item) or nil
end

---Go through a list, and tell how far that has got.
---@generic T
---@param list T[]|fun(): T|nil  an iterator, as that of host:instances, is run to its end first
---@param title string
---@param options table?
---@return fun(): integer|nil, T|nil
---@return nil
---@return nil
---@return table closing  so that a loop that is left early leaves the line, too
function M.each(list, title, options)
  if type(list) == "function" then
    local items = {}
    for item in list do
      items[#items + 1] = item
    end
    list = items
  elseif type(list) ~= "table" then
    require("postmulti.arguments").misuse(("each: a list is wanted, or an iterator, not a %s"):format(type(list)))
  end
  local progress, index = M.new(#list, title, options), 0
  local closing = setmetatable({}, { __close = function() progress:stop() end })
  return function()
    if index > 0 and index <= #list then
      progress:step(name_of(list[index]))
    end
    index = index + 1
    if list[index] ~= nil then
      return index, list[index]
    end
  end, nil, nil, closing
end

return M
