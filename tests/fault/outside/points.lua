-- points.lua - each life-cycle command, with each of its system calls failing, or killed there
--
--	points.lua INJECT (quick|all|pairs) [ACTION...]        within tests/support/sandbox
--	points.lua REFUSE.SO memory [ACTION...]
--
-- quick: some calls, each killed and with one errno; all: each call with everything; pairs: killed, and then something
-- befalls the command that recovers; memory: allocations are refused (see refuse.c), $POINTS of each action in each
-- way. $STRIDE tries every STRIDEth point only, $OFFSET says which is the first.
--
-- A point is an action, a system call of it (counted over all its processes) and what befalls that call: an errno, half
-- a read or write, SIGKILL; or an allocation and whether all that follow fail as well.
-- Each starts from the same files. Afterwards
--   - exit status 0 or 3 must mean: everything as after the action; another one: everything as before, and a message;
--   - after a kill, the next command (which changes nothing itself) must bring the files to before or after;
--   - nothing else may be there: no .tmp, no journal, no directory;
--   - where memory is refused, a failure is one line, and what is printed with success is all there is to print;
--   - the same action again must then succeed.
-- Prints "N faults, N bad"; a run in which no call failed is no fault.

local dirent = require "posix.dirent"
local stat = require "posix.sys.stat"
local unistd = require "posix.unistd"
package.cpath = "/usr/local/lib/lua/5.4/?.so;" .. package.cpath
local core = require "postmulti.core"

local INJECT, SELECTION = arg[1], arg[2]
local SAVE = "/run/points"
local FIND = { "/etc", "/var/spool", "/var/lib" }

local BATCH = [[
local host = require("postmulti").open { report = function(_, text) io.stderr:write(text, "\n") end }
local ok, problem = pcall(host.transaction, host, function()
  for index = 1, 2 do
    host:create { name = "postfix-n" .. index, group = "out" }:set { smtp_helo_name = "n" .. index .. ".example.com" }
  end
  host:instance("a"):enable()
  host:instance("a"):assign { group = "out" }
end)
if not ok then
  io.stderr:write(tostring(problem), "\n")
  os.exit(type(problem) == "table" and problem.kind == "unsafe" and 3 or 1)
end
]]

-- The commands, each with what is there before it. prints: its output counts; words: its messages are its own.
local actions = {
  { name = "list", scene = "two", prints = true, "postmulti", "-l" },
  { name = "init", scene = "fresh", "postmulti", "-e", "init" },
  { name = "create", scene = "two", "postmulti", "-I", "postfix-n", "-G", "out", "-e", "create" },
  { name = "create first", scene = "init", "postmulti", "-I", "postfix-n", "-e", "create" },
  { name = "import", scene = "two", "postmulti", "-I", "postfix-b", "-G", "out", "-e", "import" },
  { name = "deport", scene = "two", "postmulti", "-i", "a", "-e", "deport" },
  { name = "destroy", scene = "two", "postmulti", "-i", "a", "-e", "destroy" },
  { name = "assign", scene = "two", "postmulti", "-i", "a", "-I", "postfix-z", "-G", "out", "-e", "assign" },
  { name = "enable", scene = "two", "postmulti", "-i", "a", "-e", "enable" },
  { name = "disable", scene = "enabled", "postmulti", "-i", "a", "-e", "disable" },
  { name = "batch", scene = "two", words = true, "/usr/local/bin/postmulti-lua", "/run/points/batch.lua" },
}

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

local function read(path)
  local file = assert(io.open(path, "rb"))
  local text = file:read "a"
  file:close()
  return text
end

local function describe(path, found)
  local st = stat.lstat(path)
  if not st then
    return
  end
  local kind = st.st_mode & 0xF000
  local text = ("%o %d:%d"):format(st.st_mode, st.st_uid, st.st_gid)
  if kind == 0x8000 then
    text = text .. " " .. read(path)
  elseif kind == 0xA000 then
    text = text .. " " .. unistd.readlink(path)
  end
  found[path] = text
  if kind == 0x4000 then
    for name in dirent.files(path) do
      if name ~= "." and name ~= ".." then
        describe(path .. "/" .. name, found)
      end
    end
  end
end

---Everything that an action may change: path to owner, mode and contents.
local function snapshot()
  local found = {}
  for _, top in ipairs(FIND) do
    for name in dirent.files(top) do
      if name:find "^postfix" then
        describe(top .. "/" .. name, found)
      end
    end
  end
  describe("/var/lib/postmulti/etc-postfix", found)
  return found
end

---The paths in which two snapshots differ.
local function difference(one, other)
  local paths = {}
  for path, text in pairs(one) do
    if other[path] ~= text then
      paths[#paths + 1] = (other[path] and "changed " or "missing ") .. path
    end
  end
  for path in pairs(other) do
    if not one[path] then
      paths[#paths + 1] = "left " .. path
    end
  end
  table.sort(paths)
  return paths
end

local function shell(command)
  assert(os.execute(command), command)
end

local function save(scene)
  shell(("mkdir -p %s/%s && cd / && cp -a --parents etc/postfix* var/spool/postfix* var/lib/postfix* %s/%s"):format(
    SAVE, scene, SAVE, scene))
end

local function restore(scene)
  shell(("rm -rf /etc/postfix* /var/spool/postfix* /var/lib/postfix* /var/lib/postmulti && cp -a %s/%s/. /"):format(
    SAVE, scene))
end

-- -------------------------------------------------------------------- runs

local function run(argv)
  return assert(core.run(argv, { stdin = "null", stdout = "capture", stderr = "capture", time_limit = 20 }))
end

local function must(...)
  local exit = run { ... }
  assert(exit.status == 0, table.concat({ ... }, " ") .. ": " .. exit.stderr)
end

local function make_scenes()
  save "fresh"
  must("postmulti", "-e", "init")
  save "init"
  must("postmulti", "-I", "postfix-b", "-e", "create")
  must("postmulti", "-i", "b", "-e", "deport")
  must("postmulti", "-I", "postfix-a", "-e", "create")
  must("postmulti", "-I", "postfix-c", "-e", "create")
  save "two"
  must("postmulti", "-i", "a", "-e", "enable")
  save "enabled"
  local file = assert(io.open(SAVE .. "/batch.lua", "w"))
  file:write(BATCH)
  file:close()
end

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
    restore(action.scene)
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

local function brief(paths)
  return table.concat(paths, ", ", 1, math.min(#paths, 4)) .. (#paths > 4 and " ..." or "")
end

---Does a failure for want of memory say so? In one line, unless the memory stays away: then there is one for each
---thing that was tried. Of a library that cannot be loaded the reason is the dynamic linker's, not always the true one.
local function is_plain(text, mode)
  local lines = 0
  for line in text:gmatch "[^\n]*\n" do
    lines = lines + 1
    if not line:lower():find "memory" and not line:find "^postmulti: fatal: error loading module [^\n]*%.so: " then
      return false
    end
  end
  return lines == 1 or lines > 1 and mode:find "on$"
end

---One point: the fault, the checks, the next command. SECOND befalls that one.
local function try(action, before, after, mode, at, call, second)
  local exit, _, refused, died_in_lookup
  if SELECTION == "memory" then
    exit, _, refused, died_in_lookup = refuse(action, mode, at)
    exit.status = refused == 0 and 124 or exit.status
  else
    exit = inject(action, errnos[mode] or mode, at)
  end
  if exit.status == 124 then
    unhit = unhit + 1
    return
  end
  faults = faults + 1
  local function wrong(what, other)
    complain(action, mode, at, call, what, other or exit)
  end
  local killed = exit.status == 137 or exit.signal
  -- Who has no memory at all cannot undo either: that is left to the next command, as by one that is killed.
  local stays = SELECTION == "memory" and mode:find "on$" and exit.status ~= 0
  local now = snapshot()
  local done, undone = difference(after, now), difference(before, now)
  if exit.timed_out then
    wrong "it hangs"
  elseif not killed then
    if exit.status == 0 or exit.status == 3 then
      if #done > 0 and not is_named(done, exit.stderr, true) then
        wrong("says done, but " .. brief(done))
      end
    elseif #undone > 0 and not stays and not exit.stderr:find("registered", 1, true)
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
    if killed and died_in_lookup == 1 then
      deaths = deaths + 1 -- the C library's mistake; what it leaves is mended as after a kill
    elseif killed then
      wrong("it dies of signal " .. tostring(exit.signal))
    elseif exit.status ~= 0 and not action.words and not is_plain(exit.stderr, mode) then
      wrong "the failure is not one line that says so"
    elseif exit.status == 0 and action.prints and exit.stdout ~= action.output then
      wrong("success, but this is printed:\n" .. exit.stdout)
    end
  end
  -- the next command
  if killed or stays or next(done) and next(undone) then
    local said = ""
    local next_command = action.scene == "fresh" and action or { "postmulti", "-i", "-", "-e", "enable" }
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
    restore(action.scene)
    try(action, before, after, point.mode, point.at, point.call, point.second)
  end
  print(("%-14s %4d calls, %4d faults, %d bad"):format(action.name, #calls, faults - tried, bad - was_bad))
  io.stdout:flush()
end

make_scenes()
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
