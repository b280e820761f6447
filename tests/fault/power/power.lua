-- power.lua - each life-cycle command on a disk that loses its power at any moment
--
--	power.lua BUILD FILESYSTEM MODES [ACTION...]       within tests/support/sandbox
--
-- /etc, /var/spool and /var/lib are on a file system on a loop device on a disk that logs each write and each flush
-- (power.c). An action runs once; its exit status is one more entry of the log. Then for each moment of the log states
-- are made that the disk may have been left in: what was flushed is there, and of the rest
--   - everything, nothing, or the last write alone;
--   - $SUBSETS random subsets, in which a write may be torn as well.
-- Each is mounted, so that the file system recovers as after a power cut, and then the next command runs, which changes
-- nothing itself. Afterwards
--   - the host must be as before or as after: contents, owners, modes, names; no .tmp, no journal, no directory;
--   - once the action had returned 0 it must be as after;
--   - as before, the same action again must succeed.
-- A file system that does not mount is counted as bad.
--
-- Each action runs alone, which shows what it forgets to sync, and "stirred" (shim.c): something else on the same file
-- system syncs after each step of it, which shows what it does in the wrong order.
--
-- $STATES limits the states of a row, $SEED chooses among them. Equal images are one state; of states in which the host
-- is the same, byte for byte, the next command runs in the first only.
--
-- MODES, separated by commas:
--   run      as above; prints "N faults, N bad"
--   pairs    power is lost again while the next command makes good what the first time has left, in $PAIRS states of
--            each action; what it had made good when it returned 0 must stay so
--   mutants  runs in which fsync(2) does nothing for some files; each must be seen: "N mutants, N caught"

local BUILD, FILESYSTEM, MODES = arg[1], arg[2], arg[3]
package.path = "tests/fault/?.lua;" .. package.path
package.cpath = BUILD .. "/power/?.so;" .. package.cpath
local life_cycle = require "life_cycle"
local power = require "power"

local core, brief, difference, run, shell, snapshot = life_cycle.core, life_cycle.brief, life_cycle.difference,
  life_cycle.run, life_cycle.shell, life_cycle.snapshot

local HOME = "/run/power"
local MOUNT, SCENES = HOME .. "/mount", HOME .. "/scenes"
local SHIM = BUILD .. "/power/shim.so"
local STIR = "/var/lib/stir"
local MIB = 1 << 20
local STATES, SUBSETS, SEED = tonumber(os.getenv "STATES" or 100), tonumber(os.getenv "SUBSETS" or 4),
  tonumber(os.getenv "SEED" or 1)
local PAIRS = tonumber(os.getenv "PAIRS" or 12)
local SECTOR = 4096
local JOURNAL = "/var/lib/postmulti/etc-postfix/journal"

local EXT4 = { "mkfs.ext4", "-q", "-F", "-b", "1024", "-J", "size=1",
  "-E", "nodiscard,lazy_itable_init=0,lazy_journal_init=0" }

-- Without noauto_da_alloc ext4 hides that a file was renamed into place before its contents were synced.
local filesystems = {
  ext4 = { type = "ext4", size = 16 * MIB, options = "noauto_da_alloc", make = EXT4 },
  ["ext4-writeback"] = { type = "ext4", size = 16 * MIB, options = "noauto_da_alloc,data=writeback", make = EXT4 },
  xfs = { type = "xfs", size = 320 * MIB, make = { "mkfs.xfs", "-q", "-f", "-K" } },
  btrfs = { type = "btrfs", size = 128 * MIB, options = "nodiscard", make = { "mkfs.btrfs", "-q", "-f", "-K" } },
}

-- The parts of the host that are on the disk.
local parts = { etc = "/etc", spool = "/var/spool", lib = "/var/lib" }

-- What programs need there, beside Postfix's files.
local NEEDED = "passwd group nsswitch.conf hosts host.conf hostname mailname resolv.conf services protocols localtime"
  .. " ld.so.cache ld.so.preload aliases aliases.db alternatives"

local actions = table.move({
  { name = "write file", scene = "two", script = [[
run(function() host:write_file("/etc/postfix-a/transport", ("example.com smtp:[192.0.2.1]\n"):rep(500)) end)
]] },
  { name = "rewrite file", scene = "two", script = [[
run(function() host:write_file("/etc/postfix/dynamicmaps.cf", ("# nothing is left\n"):rep(500)) end)
]] },
  { name = "remove file", scene = "two", script = [[
run(function() host:remove_file "/etc/postfix/dynamicmaps.cf" end)
]] },
  { name = "write files", scene = "two", script = [[
run(function()
  host:transaction(function()
    host:make_directory "/etc/postfix-a/tables/more"
    host:write_file("/etc/postfix-a/tables/more/transport", "example.com smtp:[192.0.2.1]\n")
    host:write_file("/etc/postfix/dynamicmaps.cf", "# nothing is left\n")
    host:remove_file "/etc/postfix/private"
  end)
end)
]] },
  { name = "children", scene = "two", script = [[
run(function()
  host:transaction(function()
    host:create { name = "postfix-n1", group = "out" }
    assert(host:run { "postmulti", "-I", "postfix-n2", "-G", "out", "-e", "create" }.status == 0)
    host:instance("a"):destroy()
  end)
end)
]] },
}, 1, 5, 1, {})
for _, action in ipairs(life_cycle.actions) do
  if not action.idle and not action.hook then
    actions[#actions + 1] = action
  end
end

-- What the mutants forget to sync, and the run that shows it.
local mutants = {
  { skip = "file", action = "write file", stirred = true },
  { skip = "directory", action = "enable" },
  { skip = "journal", action = "create" },
}

local filesystem = filesystems[FILESYSTEM]
local device

-- ---------------------------------------------------------------- the disk

---End without a test: in continuous integration that is a failure.
local function unavailable(reason)
  print("power: " .. reason)
  if os.getenv "CI" then
    print "0 passed, 1 failed"
    os.exit(1)
  end
  print "0 passed, 0 failed, 1 skipped"
  os.exit(0)
end

local function mount_disk()
  return power.mount(device, MOUNT, filesystem.type, power.noatime, filesystem.options)
end

---The disk as parts of the host. @return true|nil done @return string? reason
local function mount_host()
  local done, reason = mount_disk()
  if done then
    for name, path in pairs(parts) do
      assert(power.mount(("%s/%s"):format(MOUNT, name), path, nil, power.bind))
    end
  end
  return done, reason
end

local function unmount_host()
  for _, path in pairs(parts) do
    assert(power.unmount(path))
  end
  assert(power.unmount(MOUNT))
end

---A new file system with a scene on it, mounted and synced.
local function make_host(scene)
  local argv = table.move(filesystem.make, 1, #filesystem.make, 1, {})
  argv[#argv + 1] = device
  local exit = run(argv)
  if exit.status ~= 0 then
    error(filesystem.make[1] .. ": " .. exit.stderr)
  end
  assert(mount_disk())
  shell(("cp -a %s/%s/. %s"):format(SCENES, scene, MOUNT))
  assert(power.unmount(MOUNT))
  assert(mount_host())
end

local function save(scene)
  shell "install -o postfix -g postdrop -m 2640 /dev/null /etc/postfix/private; echo secret >/etc/postfix/private"
  local to = ("%s/%s"):format(SCENES, scene)
  shell(("mkdir -p %s/etc %s/spool %s/lib && cp -a /etc/postfix* %s/etc && cp -a /var/spool/postfix* %s/spool"
    .. " && cp -a $(ls -d /var/lib/postfix* /var/lib/postmulti 2>/dev/null) %s/lib"):format(to, to, to, to, to, to))
  for name in NEEDED:gmatch "%S+" do
    shell(("[ ! -e /etc/%s ] || cp -a /etc/%s %s/etc"):format(name, name, to))
  end
end

---What lies in /run is gone with the power.
local function clear_run()
  for _, entry in ipairs(core.list "/run/postmulti" or {}) do
    assert(core.unlink("/run/postmulti/" .. entry.name))
  end
end

-- --------------------------------------------------------------- the states

---@class State
---@field all integer   each write up to that entry of the log is there
---@field more { [1]: integer, [2]: integer?, [3]: integer? }[]  and these: entry, from, length
---@field status integer|nil  the command had returned that

---Some of the writes, some of them torn.
local function subset(log, writes)
  local chosen = {}
  for _, index in ipairs(writes) do
    local chance, length = math.random(), log[index][3]
    if chance < 0.4 or chance < 0.8 and length <= SECTOR then
      chosen[#chosen + 1] = chance < 0.4 and { index } or nil
    elseif chance < 0.6 then
      for from = 0, length - 1, SECTOR do
        if math.random() < 0.5 then
          chosen[#chosen + 1] = { index, from, math.min(SECTOR, length - from) }
        end
      end
    end
  end
  return chosen
end

---All states that are looked for; those around the end of the command come first.
---@return State[]
local function plan(log)
  local needed, others = {}, {}
  local stable, pending, status = 0, {}, nil
  for index, entry in ipairs(log) do
    local list = others
    if entry[1] == "write" then
      pending[#pending + 1] = index
    elseif entry[1] == "flush" then
      stable, pending = index, {}
    else
      status, list = entry[2], needed
    end
    list[#list + 1] = { all = stable, more = {}, status = status }
    if #pending > 0 then
      list[#list + 1] = { all = index, more = {}, status = status }
    end
    if #pending > 1 then
      others[#others + 1] = { all = stable, more = { { pending[#pending] } }, status = status }
      for _ = 1, SUBSETS do
        others[#others + 1] = { all = stable, more = subset(log, pending), status = status }
      end
    end
  end
  for last = #others, 2, -1 do
    local other = math.random(last)
    others[last], others[other] = others[other], others[last]
  end
  return table.move(others, 1, #others, #needed + 1, needed)
end

---Let the disk be in a state. @return integer hash  of its contents
local function build(log, state)
  assert(power.revert())
  for index = 1, state.all do
    if log[index][1] == "write" then
      power.apply(index)
    end
  end
  for _, part in ipairs(state.more) do
    power.apply(table.unpack(part))
  end
  return power.hash()
end

-- ---------------------------------------------------------------- the checks

---@class Outcome
---@field problem string|nil          whatever had been promised
---@field result "before"|"after"|nil  what the host is like

---What the next command, and the action again, make of the host that is mounted.
---@return Outcome
local function recover(action, before, after)
  clear_run()
  local exit = run(life_cycle.next_command(action))
  local now = snapshot()
  local done, undone = difference(after, now), difference(before, now)
  local outcome = { result = #done == 0 and "after" or #undone == 0 and "before" or nil }
  if exit.status ~= 0 then
    outcome.problem = ("the next command fails (%s): %s"):format(exit.status or exit.signal, exit.stderr)
  elseif not outcome.result then
    outcome.problem = ("neither before (%s) nor after (%s): %s"):format(brief(undone), brief(done), exit.stderr)
  elseif outcome.result == "before" then
    exit = run(action)
    done = difference(after, snapshot())
    if exit.status ~= 0 or #done > 0 then
      outcome.problem = ("the same again (%s): %s: %s"):format(exit.status or exit.signal, brief(done), exit.stderr)
    end
  end
  return outcome
end

---All of the host that a command of ours looks at, as one text.
local function whole()
  local found, lines = snapshot(), {}
  life_cycle.describe("/var/lib/postmulti", found)
  for path, text in pairs(found) do
    lines[#lines + 1] = path .. " " .. text
  end
  table.sort(lines)
  return table.concat(lines, "\n")
end

---Mount the disk and see what becomes of the host.
---@return Outcome
local function examine(row)
  local mounted, reason = mount_host()
  if not mounted then
    return { problem = "it does not mount: " .. reason }
  end
  local host = whole()
  if not row.outcomes[host] then
    row.outcomes[host] = recover(row.action, row.before, row.after)
    row.hosts = row.hosts + 1
  end
  unmount_host()
  return row.outcomes[host]
end

---What is wrong with a state's outcome; nil: nothing.
---@return string|nil
local function judge(row, outcome, state)
  return outcome.problem or state.status == 0 and outcome.result ~= row.goal and "it is as " .. outcome.result or nil
end

local function complain(row, state, problem)
  row.bad = row.bad + 1
  if row.bad > 5 or row.skip then
    return
  end
  local more = {}
  for index, part in ipairs(state.more) do
    more[index] = table.concat(part, ":")
  end
  print(("BAD %s, writes up to %d%s, %s: %s"):format(row.name, state.all,
    #more > 0 and " and " .. table.concat(more, " ") or "",
    state.status and "it had returned " .. state.status or "it was running", (problem:gsub("\n+$", ""))))
end

---Run a command on the host that is mounted, and unmount it.
---@return table[] log
---@return table<string, string> host  as the command has left it
---@return postmulti.Exit
local function record(row, argv)
  clear_run()
  shell("sync -f " .. MOUNT)
  power.record()
  local environment = (row.is_stirred or row.skip) and
    { LD_PRELOAD = SHIM, POWER_STIR = row.is_stirred and STIR or nil, POWER_SKIP = row.skip }
  local exit = run(argv, { environment = environment or nil })
  power.mark(exit.status or 128 + exit.signal)
  local host = snapshot()
  shell("sync -f " .. MOUNT)
  power.stop()
  unmount_host()
  return power.log(), host, exit
end

---Does the log show what it must? Otherwise the test is worthless.
local function count_kinds(log)
  local counts = { write = 0, flush = 0, mark = 0 }
  for _, entry in ipairs(log) do
    counts[entry[1]] = counts[entry[1]] + 1
  end
  assert(counts.write > 0 and counts.flush > 0, "no write or no flush has reached the disk")
  assert(counts.mark == 1)
  return counts
end

---Go through states of a log.
local function explore(row, log, limit)
  local known, blamed, count = {}, {}, 0 -- by hash
  for _, state in ipairs(plan(log)) do
    if count >= limit then
      break
    end
    local hash = build(log, state)
    if not known[hash] then
      known[hash] = examine(row)
      count = count + 1
    end
    local problem = judge(row, known[hash], state)
    if problem and not blamed[hash] then
      blamed[hash] = true
      complain(row, state, problem)
    end
  end
  row.states = row.states + count
end

---The host before an action, mounted, and what is known about the action.
local function begin(action, how)
  make_host(action.scene)
  return { action = action, before = snapshot(), goal = "after", outcomes = {}, states = 0, hosts = 0, bad = 0,
    name = ("%s %s %s"):format(FILESYSTEM, action.name, how) }
end

local function report(row, what)
  print(("%-34s %s: %4d faults, %3d hosts, %d bad"):format(row.name, what, row.states, row.hosts, row.bad))
  io.stdout:flush()
end

---Run the action, and learn what the host is like after it. @return table[] log
local function record_action(row)
  local log, exit
  log, row.after, exit = record(row, row.action)
  assert(exit.status == 0, exit.stderr)
  assert(#difference(row.before, row.after) > 0, "the action does nothing")
  return log
end

---One action, alone or stirred, perhaps as a mutant.
---@return table row
local function walk(action, is_stirred, skip)
  math.randomseed(SEED)
  local row = begin(action, is_stirred and "stirred" or "alone")
  row.is_stirred, row.skip = is_stirred, skip
  local log = record_action(row)
  local counts = count_kinds(log)
  explore(row, log, STATES)
  report(row, ("%4d writes, %3d flushes"):format(counts.write, counts.flush))
  return row
end

---Have a host mounted of which an interrupted action has left something to be undone or done; false: none was found.
local function interrupt(log)
  local others = plan(log)
  for index = math.random(#others), #others do
    build(log, others[index])
    assert(mount_host())
    if core.stat(JOURNAL) then
      return true
    end
    unmount_host()
  end
  return false
end

---Power is lost a second time, in the command that makes good what the first time has left.
---@return table row
local function walk_pairs(action)
  local sum, found = { name = ("%s %s twice"):format(FILESYSTEM, action.name), states = 0, hosts = 0, bad = 0 }, 0
  for round = 1, PAIRS do
    math.randomseed(SEED, round)
    local row = begin(action, "twice")
    if not interrupt(record_action(row)) then
      break
    end
    found = found + 1
    row.is_stirred = round % 2 == 0
    local log, host, exit = record(row, life_cycle.next_command(action))
    row.goal = #difference(row.after, host) == 0 and "after" or #difference(row.before, host) == 0 and "before" or nil
    if exit.status == 0 and row.goal then
      explore(row, log, STATES // PAIRS)
    else
      row.states, row.bad = 1, 1
      print(("BAD %s: what was interrupted is not made good: %s"):format(row.name, exit.stderr))
    end
    for _, name in ipairs { "states", "hosts", "bad" } do
      sum[name] = sum[name] + row[name]
    end
  end
  if found > 0 then
    report(sum, ("%16d first faults"):format(found))
  end
  return sum
end

-- ------------------------------------------------------------------- main

local function prepare()
  if not filesystem then
    error("no such file system: " .. tostring(FILESYSTEM))
  end
  shell("mkdir -p " .. MOUNT)
  local reason
  device, reason = power.start(filesystem.size, HOME)
  if not device then
    unavailable("a disk of our own cannot be made here: " .. reason)
  elseif os.execute("command -v " .. filesystem.make[1] .. " >/dev/null") == nil then
    unavailable("there is no " .. filesystem.make[1])
  end
  life_cycle.make_scenes(save)
  life_cycle.write_scripts(actions, HOME)
end

local modes = {}

---Do something for all actions, or those that are wanted.
---@param func fun(action: table): table row
---@return boolean
local function for_actions(wanted, func)
  local states, bad = 0, 0
  for _, action in ipairs(actions) do
    if not next(wanted) or wanted[action.name] then
      for _, row in ipairs { func(action) } do
        states, bad = states + row.states, bad + row.bad
      end
    end
  end
  print(("%d faults, %d bad"):format(states, bad))
  return bad == 0
end

function modes.run(wanted)
  return for_actions(wanted, function(action)
    return walk(action, false), walk(action, true)
  end)
end

function modes.pairs(wanted)
  return for_actions(wanted, walk_pairs)
end

function modes.mutants()
  local caught = 0
  for _, mutant in ipairs(mutants) do
    for _, action in ipairs(actions) do
      if action.name == mutant.action then
        local row = walk(action, mutant.stirred, mutant.skip)
        local is_caught = row.bad > 0
        caught = caught + (is_caught and 1 or 0)
        print(("without fsync, %s: %s"):format(mutant.skip, is_caught and "caught" or "NOT CAUGHT"))
      end
    end
  end
  print(("%d mutants, %d caught"):format(#mutants, caught))
  return caught == #mutants
end

local wanted = {}
for index = 4, #arg do
  wanted[arg[index]] = true
end
prepare()
local is_good = true
for mode in MODES:gmatch "[^,]+" do
  is_good = modes[mode](wanted) and is_good
end
os.exit(is_good)
