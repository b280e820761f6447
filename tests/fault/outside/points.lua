-- points.lua - each life-cycle command, with each of its system calls failing, or killed there
--
--	points.lua INJECT (quick|all|pairs|disk) [ACTION...]        within tests/support/sandbox
--	points.lua REFUSE.SO memory [ACTION...]
--
-- quick: some calls, each killed, with one errno, or with a broken disk; all: each call with everything; pairs:
-- killed, and then something befalls the command that recovers; disk: from a call on the disk is full, or broken, to
-- the end of the command; memory: allocations are refused (see refuse.c), $POINTS of each action in each way.
-- $STRIDE tries every STRIDEth point only, $OFFSET says which is the first.
--
-- A point is an action, a system call of it (counted over all its processes) and what befalls that call: an errno, half
-- a read or write, SIGKILL, "+ERRNO" for the disk; or an allocation and whether all that follow fail as well. Each
-- starts from the same files. Afterwards
--   - exit status 0 or 3 must mean: everything as after the action; another one: everything as before, and a message;
--     4, for actions with hooks: everything as before or after;
--   - after a kill, or where a message says that something cannot be undone now (which only a disk that stays broken
--     excuses), the next command (which changes nothing itself) must bring the files to before or after: to before,
--     when the first one said that it failed;
--   - nothing else may be there: no .tmp, no journal, no directory;
--   - where memory is refused, a failure is one line, and what is printed with success is all there is to print;
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
  shell(("mkdir -p %s/%s && cd / && for one in etc/postfix* var/spool/postfix* var/lib/postfix* var/lib/postmulti; do "
    .. "[ ! -e $one ] || cp -a --parents $one %s/%s || exit; done"):format(SAVE, scene, SAVE, scene))
end

local function restore(action)
  shell(("rm -rf /etc/postfix* /var/spool/postfix* /var/lib/postfix* /var/lib/postmulti /etc/postmulti && "
    .. "cp -a %s/%s/. /"):format(SAVE, action.scene))
  if action.hook then
    shell(("mkdir -p /etc/postmulti/hooks.d && cp %s/hook.lua /etc/postmulti/hooks.d/10-points.lua"):format(SAVE))
  end
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

---What inject.c calls a mode.
local function number(mode)
  local sign, name = mode:match "^(%+?)(.*)$"
  return sign .. (errnos[name] or name)
end

local function inject(action, mode, at)
  local argv = { INJECT, number(mode), tostring(at) }
  return run(table.move(action, 1, #action, #argv + 1, argv))
end

-- ------------------------------------------------------------------ memory

local REPORT = SAVE .. "/report"

---Run a command with its ATth allocation refused, 0: none.
---@return postmulti.Exit exit
---@return integer counted
---@return integer refused
---@return integer died_in_lookup
local function refuse(action, mode, at)
  local file = assert(io.open(REPORT, "wb"))
  file:write(("\0"):rep(24))
  file:close()
  local argv = { "env", "LD_PRELOAD=" .. INJECT, ("REFUSE=%s:%d:%s"):format(mode, at, REPORT) }
  local exit = run(table.move(action, 1, #action, #argv + 1, argv))
  return exit, ("<I8I8I8"):unpack(read(REPORT))
end

---The points of an action where memory is refused, the calls being allocations.
local function plan_memory(action)
  local points, output = {}, nil
  for _, mode in ipairs { "once", "on", "c-once", "c-on" } do
    restore(action)
    local exit, count = refuse(action, mode, 0)
    assert(exit.status == 0 and count > 0, exit.stderr)
    output = exit.stdout
    for at = 1, count, math.max(1, count // tonumber(os.getenv "POINTS" or 60)) do
      points[#points + 1] = { at = at, call = "allocation", mode = mode }
    end
  end
  return points, output
end

-- ------------------------------------------------------------------ checks

local faults, bad, unhit, deaths = 0, 0, 0, 0

local function complain(action, mode, at, call, what, ...)
  bad = bad + 1
  print(("BAD %s, call %d (%s), %s: %s"):format(action.name, at, call, mode, what))
  for _, exit in ipairs { ... } do
    print(("    exit %s: %s"):format(exit.status or exit.signal, exit.stderr:gsub("\n$", ""):gsub("\n", "\n    ")))
  end
end

---Is what differs from the wanted state only what a message names? A journal or a .tmp is excused, if `for_now`.
local function is_named(paths, text, for_now)
  for _, path in ipairs(paths) do
    local name = path:match "^left (.*)$"
    if name == "/var/lib/postmulti/etc-postfix/journal" and for_now then
      goto continue
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

---What differs but for what the next command clears away, where a broken disk kept this one from doing so.
local function without_leftovers(paths)
  local rest = {}
  for _, path in ipairs(paths) do
    if not path:find "^left /var/lib/postmulti" and not path:find "^left .*%.tmp$" then
      rest[#rest + 1] = path
    end
  end
  return rest
end

---Does a failure for want of memory say so? In one line, unless the memory stays away: then there is one for each
---thing that was tried, and the last one says so. Of a library that cannot be loaded the reason is that of the dynamic
---linker, which is not always true.
local function is_plain(text, mode)
  local lines, last = 0, ""
  for line in text:gmatch "[^\n]*\n" do
    lines, last = lines + 1, line
  end
  return (lines == 1 or lines > 1 and mode:find "on$")
    and (last:lower():find "memory" or last:find "^postmulti: fatal: error loading module [^\n]*%.so: ")
end

---One point: the fault, the checks, the next command. SECOND befalls that one.
local function try(action, before, after, mode, at, call, second)
  local exit, _, refused, died_in_lookup
  if SELECTION == "memory" then
    exit, _, refused, died_in_lookup = refuse(action, mode, at)
    exit.status = refused == 0 and 124 or exit.status
  else
    exit = inject(action, mode, at)
  end
  if exit.status == 124 then
    unhit = unhit + 1
    return
  end
  faults = faults + 1
  local function wrong(what, other)
    complain(action, mode, at, call, what, exit, other)
  end
  local killed = exit.status == 137 or exit.signal
  local on_disk = mode:find "^%+" ~= nil
  local for_now = on_disk and exit.stderr:find("cannot undo", 1, true)
  -- Who has no memory at all cannot undo either: that is left to the next command, as by one that is killed.
  local stays = SELECTION == "memory" and mode:find "on$" and exit.status ~= 0
  local now = snapshot()
  local done, undone = difference(after, now), difference(before, now)
  local is_clean = #done == 0 or #undone == 0
  if on_disk or call == "unlinkat" then -- what could not be removed the next command removes
    done, undone = without_leftovers(done), without_leftovers(undone)
  end
  if exit.timed_out then
    wrong "it hangs"
  elseif not killed then
    if exit.status == 0 or exit.status == 3 then
      if #done > 0 and not is_named(done, exit.stderr, true) then
        wrong("says done, but " .. brief(done))
      end
    elseif exit.status == 4 and action.hook then
      if #done > 0 and #undone > 0 and not stays and not for_now and not is_named(undone, exit.stderr, true) then
        wrong("a hook failed, and neither before (" .. brief(undone) .. ") nor after (" .. brief(done) .. ")")
      end
    elseif #undone > 0 and not stays and not for_now and not exit.stderr:find("registered", 1, true)
      and not is_named(undone, exit.stderr, true) then
      wrong("says failed, but " .. brief(undone))
    end
    if exit.status ~= 0 and exit.stderr == "" then
      wrong "fails without a message"
    end
    if exit.stderr:find("bug", 1, true) then
      wrong "a bug"
    end
  end
  if SELECTION == "memory" then
    -- With some of its own allocations refused the C library ends the program, too.
    local is_abort = exit.signal == 6 and (exit.stderr:find("nss_", 1, true) or exit.stderr == "Unexpected error.\n")
    if killed and (died_in_lookup == 1 or is_abort) then
      deaths = deaths + 1 -- the C library's mistake; what it leaves is mended as after a kill
    elseif killed then
      wrong("it dies of signal " .. tostring(exit.signal))
    elseif exit.status ~= 0 and not action.script and not action.hook and not is_plain(exit.stderr, mode) then
      wrong "the failure is not one line that says so"
    elseif exit.status == 0 and action.prints and exit.stdout ~= action.output then
      wrong("success, but this is printed:\n" .. exit.stdout)
    end
  end
  -- the next command
  if killed or stays or not is_clean then
    local said = ""
    local next_command = life_cycle.next_command(action)
    if second then
      local exit2 = inject(next_command, second.mode, second.at)
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
    elseif on_disk and exit.status == 1 and next_command ~= action and #undone > 0
      and not is_named(undone, exit.stderr .. next_one.stderr) then
      wrong("said failed, but after the next command " .. brief(undone), next_one)
    elseif #done > 0 and #undone > 0 and not is_named(done, exit.stderr .. next_one.stderr) then
      wrong("after the next command neither before (" .. brief(undone) .. ") nor after (" .. brief(done) .. ")",
        next_one)
    end
  end
  if #done > 0 and #undone == 0 and not action.once then
    local again = run(action)
    local final = difference(after, snapshot())
    if again.status ~= 0 or #final > 0 then
      wrong("the same again: " .. brief(final), again)
    end
  end
end

local broken = { "+ENOSPC", "+EIO", "+EROFS" }

---The faults to try for one call.
local function modes_for(call, index)
  local modes = {}
  if SELECTION == "disk" then
    return broken
  end
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
  if changes[call] and index % 3 == 0 then
    modes[#modes + 1] = broken[index // 3 % #broken + 1]
  end
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
    elseif (at + #action.name) % step == 0 and (SELECTION ~= "disk" or changes[call]) then
      for _, mode in ipairs(modes_for(call, at)) do
        points[#points + 1] = { at = at, call = call, mode = mode }
      end
    end
  end
  return points
end

local STRIDE, OFFSET = tonumber(os.getenv "STRIDE" or 1), tonumber(os.getenv "OFFSET" or 1)

local function walk(action)
  restore(action)
  local before = snapshot()
  local calls, points
  if SELECTION == "memory" then
    points, action.output = plan_memory(action)
    calls = points
  else
    calls = list_calls(action)
    points = plan(action, calls)
  end
  local after = snapshot()
  local tried, was_bad = faults, bad
  for index = OFFSET, #points, STRIDE do
    local point = points[index]
    restore(action)
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
if deaths > 0 then
  print(deaths .. " died in the C library's look-up of a user or group: see refuse.c")
end
print(("%d faults, %d bad"):format(faults, bad))
os.exit(bad == 0)
