--- Run code that others wrote: for a limited time, and with the process's own state put back afterwards.
--
-- The limit is looked at every thousand instructions of the Lua machine. Children that the code starts through this
-- library get what is left of it as their own limit. What cannot be stopped is a single call of C code that takes long,
-- such as a pattern with many repetitions: when the limit has passed twice, the whole program ends, as if it were
-- killed, and the next one undoes what it had begun.

local M = {}

local LOOK_EVERY = 1000
local LEAST_GRACE = 5    -- seconds beyond the limit, before the program ends

local deadline           -- of the code that runs now, nil: none
local deadline_is_over = false
local is_seeded = false
local held = 0           -- above 0: what runs now must come to its end
local last               -- when the program must end, and what it says then: { core, at, text }

---@class postmulti.Expiry  what is raised when the time is over
local Expiry = { __name = "postmulti.Expiry", __tostring = function() return "the time limit is over" end }
Expiry.__index = Expiry
local EXPIRY = setmetatable({}, Expiry)

---Seconds of a clock that only goes forward.
---@return number
function M.now()
  local time = require "posix.time"
  local now = time.clock_gettime(time.CLOCK_MONOTONIC)
  return now.tv_sec + now.tv_nsec / 1e9
end

---Seconds that the running code has left; nil: no limit.
---@return number|nil
function M.remaining()
  return deadline and held == 0 and math.max(deadline - M.now(), 0.01) or nil
end

---What a child may take: LIMIT, or what is left where that is less.
---@param limit number|nil
---@return number|nil
function M.child_limit(limit)
  local left = M.remaining()
  return limit and left and math.min(limit, left) or limit or left
end

-- Once the time is over every instruction raises, so that code which catches errors does not go on.
local function look()
  if held > 0 or not deadline or M.now() < deadline then
    return
  end
  deadline_is_over = true
  debug.sethook(look, "", 1)
  -- The guard itself goes on.
  if debug.getinfo(2, "f").func == M.call then
    return
  end
  error(EXPIRY, 0)
end

---Have the limit apply in a coroutine, too.
---@param thread thread
---@return thread
function M.watch(thread)
  if deadline then
    debug.sethook(thread, look, "", LOOK_EVERY)
  end
  return thread
end

---Have the program end at the time that is the last one now; nil: never.
---@param core postmulti.core
---@param one table|nil
local function watch_program(core, one)
  if one then
    core.watchdog(math.max(one.at - M.now(), 0.01), one.text)
  else
    core.watchdog(0)
  end
end

---Run FUNC to its end: neither the time limit nor a signal stops it. Errors pass through.
---@param core postmulti.core
---@param func function
---@param ... any
---@return any
function M.uninterrupted(core, func, ...)
  held = held + 1
  core.hold_interrupts(true)
  if last and held == 1 then
    watch_program(core)
  end
  local result = table.pack(pcall(func, ...))
  held = held - 1
  if held == 0 then
    if last then
      watch_program(core, last)
    end
    core.hold_interrupts(false)
  end
  if not result[1] then
    error(result[2], 0)
  end
  return table.unpack(result, 2, result.n)
end

---The code that runs has chosen what random numbers come.
function M.seeded()
  is_seeded = true
end

---Working directory, umask, environment, locale, default files.
local function take_picture(core)
  local picture = {
    directory = core.working_directory(),
    umask = core.umask(0),
    environment = require("posix.stdlib").getenv(),
    locale = os.setlocale(nil),
    output = io.output(),
    input = io.input(),
  }
  core.umask(picture.umask)
  return picture
end

local function put_back(core, picture)
  local stdlib = require "posix.stdlib"
  if is_seeded then
    is_seeded = false
    math.randomseed()
  end
  core.umask(picture.umask)
  if picture.directory and core.working_directory() ~= picture.directory then
    require("posix.unistd").chdir(picture.directory)
  end
  local now = stdlib.getenv()
  for name, value in pairs(picture.environment) do
    if now[name] ~= value then
      stdlib.setenv(name, value, true)
    end
  end
  for name in pairs(now) do
    if picture.environment[name] == nil then
      stdlib.setenv(name, nil)
    end
  end
  os.setlocale(picture.locale)
  io.output(picture.output)
  io.input(picture.input)
end

---Call FUNC. Its errors are results; "expired" tells that it took longer, and was stopped or had its children stopped.
---@param core postmulti.core
---@param limit number  seconds
---@param what string   how a message calls it
---@param func function
---@param ... any
---@return boolean ok
---@return any result  or the error
---@return boolean? expired
function M.call(core, limit, what, func, ...)
  local picture = take_picture(core)
  local outer, outer_held, outer_last = deadline, held, last
  local hook, mask, count = debug.gethook()
  local mine = M.now() + limit
  deadline, held, deadline_is_over = outer and math.min(outer, mine) or mine, 0, false
  last = { at = mine + math.max(limit, LEAST_GRACE), text = ("postmulti: fatal: %s hangs in a call that cannot be "
    .. "stopped, long after its time of %g s; the program ends, the next one undoes what it had begun"):format(what,
      limit) }
  if outer_last and outer_last.at < last.at then
    last = outer_last
  end
  watch_program(core, last)
  debug.sethook(look, "", LOOK_EVERY)
  core.check_interrupt()
  local ok, result = pcall(func, ...)
  debug.sethook(hook, mask, count)
  local expired = deadline_is_over or M.now() >= deadline
  deadline, held, deadline_is_over, last = outer, outer_held, false, outer_last
  watch_program(core, held == 0 and last or nil)
  put_back(core, picture)
  return ok and not expired, result, expired
end

return M
