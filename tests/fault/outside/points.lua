-- points.lua - each life-cycle command, with each of its system calls failing, or killed there
--
--	points.lua INJECT (quick|all|pairs) [ACTION...]        within tests/support/sandbox
--
-- quick: some calls, each killed and with one errno; all: each call with everything; pairs: killed, and then something
-- befalls the command that recovers. $STRIDE tries every STRIDEth point only, $OFFSET says which is the first.
--
-- A point is an action, a system call of it (counted over all its processes) and what befalls that call: an errno, half
-- a read or write, SIGKILL. Each starts from the same files. Afterwards
--   - exit status 0 or 3 must mean: everything as after the action; another one: everything as before, and a message;
--   - after a kill, the next command (which changes nothing itself) must bring the files to before or after;
--   - nothing else may be there: no .tmp, no journal, no directory;
--   - the same action again must then succeed.
-- Prints "N faults, N bad"; a run in which no call failed is no fault.

package.path = "tests/fault/?.lua;" .. package.path
local life_cycle = require "life_cycle"

local actions, brief, difference, read, run, shell, snapshot = life_cycle.actions, life_cycle.brief,
  life_cycle.difference, life_cycle.read, life_cycle.run, life_cycle.shell, life_cycle.snapshot

local INJECT, SELECTION = arg[1], arg[2]
local SAVE = "/run/points"

local errnos = { EIO = 5, ENOSPC = 28, EACCES = 13, EINTR = 4, EMFILE = 24, ENOMEM = 12, EROFS = 30, EDQUOT = 122,
  EPERM = 1, ESTALE = 116, EAGAIN = 11, ENFILE = 23 }

-- Calls that change something; the others can only fail.
local changes = {}
for name in ([[openat openat2 write pwrite64 ftruncate fsync flock fchmod fchmodat fchown fchownat utimensat fsetxattr
  fremovexattr mkdirat unlinkat renameat renameat2 linkat symlinkat clone clone3 vfork execve exit_group creat open
  chmod chown mkdir rmdir unlink rename]]):gmatch "%S+" do
  changes[name] = true
end

-- ------------------------------------------------------------------- files

local function save(scene)
  shell(("mkdir -p %s/%s && cd / && cp -a --parents etc/postfix* var/spool/postfix* var/lib/postfix* %s/%s"):format(
    SAVE, scene, SAVE, scene))
end

local function restore(scene)
  shell(("rm -rf /etc/postfix* /var/spool/postfix* /var/lib/postfix* /var/lib/postmulti && cp -a %s/%s/. /"):format(
    SAVE, scene))
end

-- -------------------------------------------------------------------- runs

---The calls that a command makes.
local function list_calls(action)
  local argv = { "sh", "-c", 'exec 9>"$0"; exec "$@"', SAVE .. "/calls", INJECT, "list" }
  local exit = run(table.move(action, 1, #action, #argv + 1, argv))
  assert(exit.status == 0, exit.stderr)
  local calls = {}
  for name in read(SAVE .. "/calls"):gmatch "%d+ (%S+)\n" do
    calls[#calls + 1] = name
  end
  return calls
end

local function inject(action, mode, at)
  local argv = { INJECT, tostring(mode), tostring(at) }
  return run(table.move(action, 1, #action, #argv + 1, argv))
end

-- ------------------------------------------------------------------ checks

local faults, bad, unhit = 0, 0, 0

local function complain(action, mode, at, call, what, exit)
  bad = bad + 1
  print(("BAD %s, call %d (%s), %s: %s"):format(action.name, at, call, mode, what))
  if exit then
    print(("    exit %s: %s"):format(exit.status or exit.signal, exit.stderr:gsub("\n", "\n    ")))
  end
end

---Is what differs from the wanted state only what a message names? A journal or a .tmp is excused, if `for_now`.
local function is_named(paths, text, for_now)
  for _, path in ipairs(paths) do
    local name = path:match "^left (.*)$"
    if name == "/var/lib/postmulti/etc-postfix" and for_now then
      goto continue -- an empty journal
    end
    if not name or not for_now and (name:find "^/var/lib/postmulti" or name:find "%.tmp$") then
      return false
    end
    while name:find "^/[^/]+/." and not text:find(name, 1, true) do
      name = name:match "^(.*)/[^/]*$"
    end
    if not name:find "^/[^/]+/." then
      return false
    end
    ::continue::
  end
  return true
end

---One point: the fault, the checks, the next command. SECOND befalls that one.
local function try(action, before, after, mode, at, call, second)
  local exit = inject(action, errnos[mode] or mode, at)
  if exit.status == 124 then
    unhit = unhit + 1
    return
  end
  faults = faults + 1
  local function wrong(what, other)
    complain(action, mode, at, call, what, other or exit)
  end
  local killed = exit.status == 137 or exit.signal
  local now = snapshot()
  local done, undone = difference(after, now), difference(before, now)
  if exit.timed_out then
    wrong "it hangs"
  elseif not killed then
    if exit.status == 0 or exit.status == 3 then
      if #done > 0 and not is_named(done, exit.stderr, true) then
        wrong("says done, but " .. brief(done))
      end
    elseif #undone > 0 and not exit.stderr:find("registered", 1, true) and not is_named(undone, exit.stderr, true) then
      wrong("says failed, but " .. brief(undone))
    end
    if exit.status ~= 0 and exit.stderr == "" then
      wrong "fails without a message"
    end
    if exit.stderr:find("bug", 1, true) then
      wrong "a bug"
    end
  end
  -- the next command
  if killed or next(done) and next(undone) then
    local said = ""
    local next_command = life_cycle.next_command(action)
    if second then
      local exit2 = inject(next_command, errnos[second.mode] or second.mode, second.at)
      if exit2.status == 124 then
        unhit = unhit + 1
        faults = faults - 1
        return
      end
      said = exit2.stderr
      mode = ("%s, then %s at %d"):format(mode, second.mode, second.at)
    end
    local next_one = run(next_command)
    next_one.stderr = next_one.stderr .. said
    now = snapshot()
    done, undone = difference(after, now), difference(before, now)
    if next_one.status ~= 0 then
      wrong("the next command fails", next_one)
    elseif #done > 0 and #undone > 0 and not is_named(done, exit.stderr .. next_one.stderr) then
      wrong("after the next command neither before (" .. brief(undone) .. ") nor after (" .. brief(done) .. ")",
        next_one)
    end
  end
  if #done > 0 and #undone == 0 then
    local again = run(action)
    local final = difference(after, snapshot())
    if again.status ~= 0 or #final > 0 then
      wrong("the same again: " .. brief(final), again)
    end
  end
end

---The faults to try for one call.
local function modes_for(call, index)
  local modes = {}
  if SELECTION == "all" then
    for name in pairs(errnos) do
      modes[#modes + 1] = name
    end
    table.sort(modes)
    modes[#modes + 1] = "kill"
    if call == "read" or call == "write" then
      modes[#modes + 1] = "short"
    end
    return modes
  end
  local rota = { "EIO", "ENOSPC", "EACCES", "EINTR", "EMFILE", "ENOMEM" }
  if changes[call] then
    modes[1] = "kill"
  end
  modes[#modes + 1] = rota[index % #rota + 1]
  return modes
end

---The points of an action, in the order of its calls.
---@return { at: integer, call: string, mode: string, second: table? }[]
local function plan(action, calls)
  local points = {}
  local step = SELECTION == "quick" and math.max(1, #calls // tonumber(os.getenv "POINTS" or 60)) or 1
  for at, call in ipairs(calls) do
    if SELECTION == "pairs" then
      if changes[call] then
        -- the recovering command makes some 200 calls, the more the further the first one got
        local modes = { "kill", "kill", "EIO", "ENOSPC", "EINTR" }
        points[#points + 1] = { at = at, call = call, mode = "kill",
          second = { mode = modes[at % #modes + 1], at = 110 + (at * 37) % 120 } }
      end
    elseif (at + #action.name) % step == 0 then
      for _, mode in ipairs(modes_for(call, at)) do
        points[#points + 1] = { at = at, call = call, mode = mode }
      end
    end
  end
  return points
end

local STRIDE, OFFSET = tonumber(os.getenv "STRIDE" or 1), tonumber(os.getenv "OFFSET" or 1)

local function walk(action)
  restore(action.scene)
  local before = snapshot()
  local calls = list_calls(action)
  local after = snapshot()
  local tried, was_bad = faults, bad
  local points = plan(action, calls)
  for index = OFFSET, #points, STRIDE do
    local point = points[index]
    restore(action.scene)
    try(action, before, after, point.mode, point.at, point.call, point.second)
  end
  print(("%-14s %4d calls, %4d faults, %d bad"):format(action.name, #calls, faults - tried, bad - was_bad))
  io.stdout:flush()
end

life_cycle.make_scenes(save)
life_cycle.write_scripts(actions, SAVE)
local wanted = {}
for index = 3, #arg do
  wanted[arg[index]] = true
end
for _, action in ipairs(actions) do
  if #arg < 3 or wanted[action.name] then
    walk(action)
  end
end
if unhit > 0 then
  print(unhit .. " runs without a fault (not counted)")
end
print(("%d faults, %d bad"):format(faults, bad))
os.exit(bad == 0)
