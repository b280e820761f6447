-- points.lua - each life-cycle command, with each of its system calls failing, or killed there
--
--	points.lua INJECT (quick|all|pairs|disk) [ACTION...]        within tests/support/sandbox
--
-- quick: some calls, each killed, with one errno, or with a broken disk; all: each call with everything; pairs:
-- killed, and then something befalls the command that recovers; disk: from a call on the disk is full, or broken, to
-- the end of the command. $STRIDE tries every STRIDEth point only, $OFFSET says which is the first.
--
-- A point is an action, a system call of it (counted over all its processes) and what befalls that call: an errno, half
-- a read or write, SIGKILL, "+ERRNO" for the disk. Each starts from the same files. Afterwards
--   - exit status 0 or 3 must mean: everything as after the action; another one: everything as before, and a message;
--     4, for actions with hooks: everything as before or after;
--   - after a kill, or where a message says that something cannot be undone now (which only a disk that stays broken
--     excuses), the next command (which changes nothing itself) must bring the files to before or after: to before,
--     when the first one said that it failed;
--   - nothing else may be there: no .tmp, no journal, no directory;
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

local SCRIPT = [[
local host = require("postmulti").open { report = function(_, text) io.stderr:write(text, "\n") end }
local ok, problem = pcall(host.transaction, host, function()
  host:make_directory("/etc/postfix-site/maps", { mode = 448 })
  host:write_file("/etc/postfix-site/maps/relay", "example.com ok\n", { mode = 416 })
  host:write_file("/etc/postfix-old/keep", "new text\n")
  host:remove_file "/etc/postfix-old/drop"
  host:instance("a"):set { smtp_helo_name = "a.example.com" }
  host:instance("a"):enable()
end)
if not ok then
  io.stderr:write(tostring(problem), "\n")
  os.exit(type(problem) == "table" and problem.kind == "unsafe" and 3 or 1)
end
]]

-- Takes part in everything, and changes files of its own.
local HOOK = [[
return {
  before_create = function(event)
    event.host:write_file("/etc/postfix-site.names", event.instance.name .. "\n")
  end,
  after_create = function(event)
    event.instance:set { smtp_tls_security_level = "may" }
    local exit = event.instance:run { "postconf", "-e", "smtp_helo_name = n.example.com" }
    if exit.status ~= 0 then
      error "postconf failed"
    end
  end,
  undo_create = function(event)
    io.stderr:write("undone ", event.instance.name, "\n")
  end,
  before_destroy = function(event)
    event.host:write_file("/etc/postfix-site.names", "none\n")
  end,
}
]]

-- The commands, each with what is there before it.
local actions = {
  { name = "init", scene = "fresh", "postmulti", "-e", "init" },
  { name = "create", scene = "two", "postmulti", "-I", "postfix-n", "-G", "out", "-e", "create" },
  { name = "create first", scene = "init", "postmulti", "-I", "postfix-n", "-e", "create" },
  { name = "import", scene = "two", "postmulti", "-I", "postfix-b", "-G", "out", "-e", "import" },
  { name = "deport", scene = "two", "postmulti", "-i", "a", "-e", "deport" },
  { name = "destroy", scene = "two", "postmulti", "-i", "a", "-e", "destroy" },
  { name = "assign", scene = "two", "postmulti", "-i", "a", "-I", "postfix-z", "-G", "out", "-e", "assign" },
  { name = "enable", scene = "two", "postmulti", "-i", "a", "-e", "enable" },
  { name = "disable", scene = "enabled", "postmulti", "-i", "a", "-e", "disable" },
  { name = "batch", scene = "two", "/usr/local/bin/postmulti-lua", "/run/points/batch.lua" },
  { name = "script", scene = "site", "/usr/local/bin/postmulti-lua", "/run/points/script.lua" },
  { name = "init done", scene = "init", "postmulti", "-e", "init" },
  { name = "import enabled", scene = "away", "postmulti", "-I", "postfix-b", "-G", "out", "-e", "import" },
  { name = "create hooks", scene = "two", hook = true, "postmulti", "-I", "postfix-n", "-e", "create" },
  { name = "destroy hooks", scene = "two", hook = true, "postmulti", "-i", "a", "-e", "destroy" },
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

local function restore(action)
  shell(("rm -rf /etc/postfix* /var/spool/postfix* /var/lib/postfix* /var/lib/postmulti /etc/postmulti && "
    .. "cp -a %s/%s/. /"):format(SAVE, action.scene))
  if action.hook then
    shell(("mkdir -p /etc/postmulti/hooks.d && cp %s/hook.lua /etc/postmulti/hooks.d/10-points.lua"):format(SAVE))
  end
end

local function write(path, text)
  local file = assert(io.open(path, "w"))
  file:write(text)
  file:close()
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
  shell "mkdir /etc/postfix-old && echo old text >/etc/postfix-old/keep && echo precious >/etc/postfix-old/drop"
  save "site"
  shell "rm -r /etc/postfix-old"
  must("postmulti", "-i", "a", "-e", "enable")
  save "enabled"
  shell "sed -i 's/^multi_instance_enable.*/multi_instance_enable = yes/' /etc/postfix-b/main.cf"
  save "away"
  write(SAVE .. "/batch.lua", BATCH)
  write(SAVE .. "/script.lua", SCRIPT)
  write(SAVE .. "/hook.lua", HOOK)
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

---What inject.c calls a mode.
local function number(mode)
  local sign, name = mode:match "^(%+?)(.*)$"
  return sign .. (errnos[name] or name)
end

local function inject(action, mode, at)
  local argv = { INJECT, number(mode), tostring(at) }
  return run(table.move(action, 1, #action, #argv + 1, argv))
end

-- ------------------------------------------------------------------ checks

local faults, bad, unhit = 0, 0, 0

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

local function brief(paths)
  return table.concat(paths, ", ", 1, math.min(#paths, 4)) .. (#paths > 4 and " ..." or "")
end

---One point: the fault, the checks, the next command. SECOND befalls that one.
local function try(action, before, after, mode, at, call, second)
  local exit = inject(action, mode, at)
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
  local now = snapshot()
  local done, undone = difference(after, now), difference(before, now)
  local is_clean = #done == 0 or #undone == 0
  if on_disk then
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
      if #done > 0 and #undone > 0 and not for_now and not is_named(undone, exit.stderr, true) then
        wrong("a hook failed, and neither before (" .. brief(undone) .. ") nor after (" .. brief(done) .. ")")
      end
    elseif #undone > 0 and not for_now and not exit.stderr:find("registered", 1, true)
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
  -- the next command
  if killed or not is_clean then
    local said = ""
    local next_command = action.scene == "fresh" and action or { "postmulti", "-i", "-", "-e", "enable" }
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
  if #done > 0 and #undone == 0 then
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
  local calls = list_calls(action)
  local after = snapshot()
  local tried, was_bad = faults, bad
  local points = plan(action, calls)
  for index = OFFSET, #points, STRIDE do
    local point = points[index]
    restore(action)
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
print(("%d faults, %d bad"):format(faults, bad))
os.exit(bad == 0)
