-- race.lua - many processes at once on one primary
--
--	race.lua [SECONDS]          within tests/support/sandbox
--
-- 1. 64 life-cycle commands and real `postconf -e` at the same time, readers spinning: every command ends with 0, the
--    files are as the commands say, nobody sees an instance that is half there.
-- 2. For some seconds 32 writers, every other one the real postconf -e, of which two in five are shot at at a random
--    time: what a writer was told is done is there in the end, and no reader sees half a file.
-- Prints "N passed, N failed": operations that count.

local signal = require "posix.signal"
local stat = require "posix.sys.stat"
local time = require "posix.time"
local unistd = require "posix.unistd"
local wait = require "posix.sys.wait"

local SECONDS = tonumber(arg[1] or 8)
local MAIN = "/etc/postfix/main.cf"
local passed, failed = 0, 0

local function check(ok, ...)
  if ok then
    passed = passed + 1
  else
    failed = failed + 1
    if failed < 30 then
      print("BAD", ...)
    end
  end
end

local function read(path)
  local file = io.open(path, "rb")
  if not file then
    return ""
  end
  local text = file:read "a"
  file:close()
  return text
end

local function write(path, text)
  local file = assert(io.open(path, "wb"))
  file:write(text)
  file:close()
end

local function now()
  local at = time.clock_gettime(time.CLOCK_MONOTONIC)
  return at.tv_sec + at.tv_nsec / 1e9
end

---Start a program, its output in OUTPUT. @return integer pid
local function start(argv, output)
  io.stdout:flush()
  local pid = assert(unistd.fork())
  if pid == 0 then
    local fcntl = require "posix.fcntl"
    local fd = assert(fcntl.open(output, fcntl.O_WRONLY | fcntl.O_CREAT | fcntl.O_TRUNC, 384))
    unistd.dup2(fd, 1)
    unistd.dup2(fd, 2)
    local rest = table.move(argv, 2, #argv, 1, {})
    unistd.execp(argv[1], rest)
    os.exit(127)
  end
  return pid
end

local function words(text)
  local list = {}
  for word in text:gmatch "%S+" do
    list[#list + 1] = word
  end
  return list
end

local function shell(command)
  assert(os.execute(command), command)
end

local function exists(path)
  return stat.lstat(path) ~= nil
end

-- ------------------------------------------------------------- 1. life cycle

local function list()
  local pipe = io.popen "postmulti -l"
  local found = {}
  for line in pipe:lines() do
    local name, group, enabled, directory = line:match "^(%S+) +(%S+) +([yn]) +(%S+)$"
    found[name or line] = { group = group, enabled = enabled, directory = directory }
  end
  pipe:close()
  return found
end

---Spin on `postmulti -l` until the file STOP is there. Ends with 0 when every list was right.
local function reader()
  local pid = assert(unistd.fork())
  if pid ~= 0 then
    return pid
  end
  local runs, wrong = 0, 0
  while not exists "/run/race/stop" do
    runs = runs + 1
    local one = start({ "postmulti", "-l" }, "/run/race/reader" .. unistd.getpid())
    local _, _, status = wait.wait(one)
    local text = read("/run/race/reader" .. unistd.getpid())
    local _, stable = text:gsub("postfix%-stable%d +%- +n +/etc/postfix%-stable%d\n", "")
    if status ~= 0 or stable ~= 3 then
      wrong = wrong + 1
      io.stderr:write("reader: ", tostring(status), " ", text, "\n")
    end
  end
  write("/run/race/runs" .. unistd.getpid(), tostring(runs))
  os.exit(wrong == 0 and 0 or 1, true)
end

local function life_cycle()
  shell "mkdir -p /run/race && postmulti -e init"
  for _, name in ipairs { "stable1", "stable2", "stable3" } do
    shell("postmulti -I postfix-" .. name .. " -e create")
  end
  for _, kind in ipairs { "assign", "enable", "disable", "import", "deport", "destroy" } do
    for index = 1, 8 do
      shell(("postmulti -I postfix-%s%d -e create"):format(kind, index))
      if kind == "disable" then
        shell(("postmulti -i %s%d -e enable"):format(kind, index))
      elseif kind == "import" then
        shell(("postmulti -i %s%d -e deport"):format(kind, index))
      end
    end
  end
  local commands = {}
  for index = 1, 8 do
    for _, format in ipairs {
      "postmulti -I postfix-create% -e create",
      "postmulti -i assign% -I postfix-renamed% -G g% -e assign",
      "postmulti -i enable% -e enable",
      "postmulti -i disable% -e disable",
      "postmulti -I postfix-import% -e import",
      "postmulti -i deport% -e deport",
      "postmulti -i destroy% -e destroy",
      "postconf -e race_key% = %",
    } do
      local argv = words((format:gsub("%%", tostring(index))))
      if argv[1] == "postconf" then
        argv = { "postconf", "-e", ("race_key%d = %d"):format(index, index) }
      end
      commands[#commands + 1] = argv
    end
  end
  local readers = { reader(), reader() }
  local began = now()
  local pids = {}
  for index, argv in ipairs(commands) do
    pids[start(argv, "/run/race/out" .. index)] = index
  end
  local left = #commands
  while left > 0 do
    local pid, how, status = wait.wait(-1)
    local index = pids[pid]
    if index then
      left = left - 1
      check(how == "exited" and status == 0, table.concat(commands[index], " "), how, status,
        read("/run/race/out" .. index))
    end
  end
  local seconds = now() - began
  write("/run/race/stop", "")
  local runs = 0
  for _, pid in ipairs(readers) do
    local _, _, status = wait.wait(pid)
    check(status == 0, "a reader saw something wrong")
    runs = runs + tonumber(read("/run/race/runs" .. pid))
  end
  local found, main = list(), read(MAIN)
  for index = 1, 8 do
    local function entry(format)
      return found[format:format(index)]
    end
    check(entry "postfix-create%d", "lost: create", index)
    check(exists(("/var/spool/postfix-create%d/deferred"):format(index)), "half created", index)
    check((entry "postfix-renamed%d" or {}).group == "g" .. index, "lost: assign", index)
    check((entry "postfix-enable%d" or {}).enabled == "y", "lost: enable", index)
    check((entry "postfix-disable%d" or {}).enabled == "n", "lost: disable", index)
    check(entry "postfix-import%d", "lost: import", index)
    check(not entry "postfix-deport%d" and exists("/etc/postfix-deport" .. index .. "/main.cf"), "lost: deport", index)
    check(not entry "postfix-destroy%d" and not exists("/etc/postfix-destroy" .. index), "lost: destroy", index)
    check(main:find(("\nrace_key%d = %d\n"):format(index, index), 1, true), "lost: postconf", index)
  end
  local directories = main:match "\nmulti_instance_directories = ([^\n]*)"
  local seen = {}
  for _, one in ipairs(words(directories)) do
    check(not seen[one], "twice", one)
    seen[one] = true
  end
  check(not exists "/etc/postfix/main.cf.tmp" and not exists "/var/lib/postmulti/etc-postfix/journal",
    "something is left")
  print(("%d processes at once in %.1f s, %d lists read meanwhile"):format(#commands, seconds, runs))
end

-- ---------------------------------------------------------------- 2. writers

local SET = [[
local host = require("postmulti").open { lock_timeout = 30 }
host.primary:set { ["writer" .. os.getenv "WRITER"] = os.getenv "VALUE" }
]]

local function writers()
  write("/run/race/set.lua", SET)
  local slots, by_pid, acknowledged, killed, attempts = {}, {}, 0, 0, 0
  for index = 1, 32 do
    slots[index] = { last = 0, tried = 0 }
  end
  local finish = now() + SECONDS
  local torn, reads = 0, 0

  local function launch(index)
    local slot = slots[index]
    slot.tried = slot.tried + 1
    attempts = attempts + 1
    local argv
    if index % 2 == 0 then
      argv = { "postconf", "-e", ("writer%d = %d"):format(index, slot.tried) }
    else
      argv = { "env", "WRITER=" .. index, "VALUE=" .. slot.tried, "/usr/local/bin/postmulti-lua", "/run/race/set.lua" }
    end
    slot.output = "/run/race/writer" .. index
    slot.pid = start(argv, slot.output)
    slot.shot_at = math.random(5) <= 2 and now() + math.random() * 0.03 or nil
    by_pid[slot.pid] = index
  end

  for index = 1, 32 do
    launch(index)
  end
  local running = 32
  while running > 0 do
    local at = now()
    for _, slot in ipairs(slots) do
      if slot.shot_at and slot.shot_at <= at and slot.pid then
        signal.kill(slot.pid, signal.SIGKILL)
        slot.shot_at = nil
      end
    end
    reads = reads + 1
    if not read(MAIN):find "^# A primary.*\ninet_protocols = ipv4\n" then
      torn = torn + 1
    end
    local pid, how, status = wait.wait(-1, wait.WNOHANG)
    if pid and pid > 0 and by_pid[pid] then
      local index = by_pid[pid]
      local slot = slots[index]
      by_pid[pid], slot.pid, running = nil, nil, running - 1
      if how == "exited" and status == 0 then
        acknowledged = acknowledged + 1
        slot.last = slot.tried
      elseif how == "killed" then
        killed = killed + 1
      else
        check(false, "writer", index, how, status, read(slot.output))
      end
      if at < finish then
        launch(index)
        running = running + 1
      end
    else
      time.nanosleep { tv_sec = 0, tv_nsec = 1000000 }
    end
  end
  local main = read(MAIN)
  for index, slot in ipairs(slots) do
    local value = tonumber(main:match(("\nwriter%d = (%%d+)\n"):format(index)) or 0)
    check(value >= slot.last, "writer", index, "was told", slot.last, "but there is", value)
  end
  check(torn == 0, torn, "reads saw half a file")
  passed = passed + acknowledged
  -- the next edit takes away what the killed ones left
  shell "WRITER=0 VALUE=0 /usr/local/bin/postmulti-lua /run/race/set.lua"
  check(not exists "/etc/postfix/main.cf.tmp", "main.cf.tmp is left")
  print(("%d edits by 32 writers: %d acknowledged, %d killed, 0 lost in %d s; %d reads, %d torn"):format(attempts,
    acknowledged, killed, SECONDS, reads, torn))
end

life_cycle()
writers()
print(("%d passed, %d failed"):format(passed, failed))
os.exit(failed == 0)
