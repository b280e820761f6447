-- rows - measure row by row; tests/bench/run calls it in the sandbox
--
-- Arguments: number of instances, a directory on a disk, where the programs floor and measure are, where we are, and
-- -r: measure with real-time priority.

local core = require "postmulti.core"
local postmulti = require "postmulti"
local time = require "posix.time"

local number, work, programs, here, realtime = tonumber(arg[1]), arg[2], arg[3], arg[4], arg[5]

local OURS, STOCK, LUA = "/usr/local/sbin/postmulti", "/usr/sbin/postmulti", "/usr/local/bin/postmulti-lua"
local FLOOR, MEASURE = programs .. "/floor", programs .. "/measure"
local PRIMARY = "/etc/postfix/main.cf"
local AGE = "find /etc/postfix " .. work .. " -name '*.cf' -newermt '-10 seconds' -exec touch -d '-1 hour' {} +"

local function shell(command, ...)
  local exit = assert(core.run({ "sh", "-c", command, "sh", ... }, { stdout = "capture", stderr = "capture" }))
  return exit.stdout, exit.status, exit.stderr
end

local function must(command, ...)
  local out, status, err = shell(command, ...)
  if status ~= 0 then
    error(("%s: status %s\n%s"):format(command, status, err), 2)
  end
  return out
end

local function has(program)
  return select(2, shell("command -v " .. program)) == 0
end

-- Median milliseconds of each command, a list of words; further results: memory in KB, least milliseconds
local function measure(options, ...)
  local words = table.move(options, 1, #options, realtime and 3 or 2, { MEASURE, realtime })
  for index, command in ipairs { ... } do
    if index > 1 then
      words[#words + 1] = "--"
    end
    for word in command:gmatch "%S+" do
      words[#words + 1] = word
    end
  end
  local exit = assert(core.run(words, { stdout = "capture" }))
  assert(exit.status == 0, "measure failed")
  local medians, memory = {}, {}
  for median, _, _, kb, failed in exit.stdout:gmatch "(%S+) (%S+) (%S+) (%S+) (%S+)\n" do
    medians[#medians + 1], memory[#memory + 1] = tonumber(median), tonumber(kb)
    if failed ~= "0" then
      io.write(("  (%s of the runs of %s failed)\n"):format(failed, select(#medians, ...)))
    end
  end
  return medians, memory
end

local function ms(value)
  return value and (value < 100 and "%.2f" or "%.0f"):format(value) or "-"
end

-- One line of the table. The limit is on ours against something: "<= 2.0 x floor", ">= 250 x stock".
local function row(what, cells)
  local verdicts = {}
  local function verdict(text, value, holds)
    verdicts[#verdicts + 1] = ("%s: %s %s"):format(text, value, holds and "ok" or "NO")
  end
  if cells.floor_limit then
    local ratio = cells.ours / cells.floor
    verdict(("<= %.4g x floor"):format(cells.floor_limit), ("%.2f"):format(ratio), ratio <= cells.floor_limit)
  end
  if cells.stock_limit and cells.stock then
    local ratio = cells.stock / cells.ours
    verdict((">= %d x stock"):format(cells.stock_limit), ("%.4g"):format(ratio), ratio >= cells.stock_limit)
  end
  if cells.limit then
    verdict(cells.limit[1], cells.limit[2], cells.limit[3])
  end
  print(("| %-44s | %8s | %8s | %8s | %s |"):format(what, ms(cells.floor), ms(cells.ours), ms(cells.stock),
    table.concat(verdicts, "; ")))
  io.stdout:flush()
end

---------------------------------------------------------------- surroundings

-- The primary and everything that is written lie on the disk.
must("cp -a /etc/postfix $1/primary && mount --bind $1/primary /etc/postfix && mkdir -p $1/state /var/lib/postmulti &&"
  .. " mount --bind $1/state /var/lib/postmulti", work)
local bare = must("cat " .. PRIMARY)

local function write(path, text)
  local file = assert(io.open(path, "w"))
  assert(file:write(text))
  assert(file:close())
end

-- The primary with these secondaries, all old.
local function set_primary(directories)
  write(PRIMARY, bare .. "multi_instance_wrapper = ${command_directory}/postmulti -p --\n"
    .. "multi_instance_enable = yes\nmulti_instance_directories = " .. directories .. "\n")
  must(AGE)
end

print(("%d instances; %s; Postfix %s; milliseconds, medians%s\n"):format(number, must("uname -sr"):gsub("\n", ""),
  must("postconf -dh mail_version"):gsub("\n", ""), realtime and "; real-time priority" or ""))
print(("| %-44s | %8s | %8s | %8s | limit: found |"):format("work", "floor", "ours", "stock"))
print "|---|---:|---:|---:|---|"

---------------------------------------------------------------------- start

set_primary ""
local start = measure({ "-n", "101" }, FLOOR .. " lua", LUA .. " --version", OURS .. " -l", STOCK .. " -l")
row("postmulti-lua --version", { floor = start[1], ours = start[2], floor_limit = 1.4 })
row("-l, only the primary", { ours = start[3], stock = start[4], stock_limit = 2 })

--------------------------------------------------------------- many instances

local list = must("$1/generate $2 $3/many out", here, tostring(number), work):gsub("\n", "")
local directories = {}
for directory in list:gmatch "%S+" do
  directories[#directories + 1] = directory
end
set_primary(list)
local stock_runs = number <= 1000 and "3" or "1"
local warm = measure({ "-n", "21" }, FLOOR .. " list " .. PRIMARY, OURS .. " -l")
local stock = measure({ "-n", stock_runs }, STOCK .. " -l")[1]
row(("-l, %d"):format(number), { floor = warm[1], ours = warm[2], stock = stock, floor_limit = 2.0, stock_limit = 250 })

local middle = directories[#directories // 2]
local name = "postfix-" .. middle:match "[^/]+$"

local edited = measure({ "-n", "11", "-p", "touch " .. middle .. "/main.cf" }, OURS .. " -l")[1]
local edited_stock = measure({ "-n", "1", "-p", "touch " .. middle .. "/main.cf" }, STOCK .. " -l")[1]
row("-l right after an edit", { ours = edited, stock = edited_stock,
  limit = { "<= old + 5 ms", ("%+.1f ms"):format(edited - warm[2]), edited - warm[2] <= 5 } })
must(AGE)

local cold = measure({ "-n", "7", "-c" }, FLOOR .. " list " .. PRIMARY, FLOOR .. " list " .. PRIMARY .. " 8",
  FLOOR .. " list " .. PRIMARY .. " 16", OURS .. " -l")
row(("-l, %d, cold caches; floor: best of 1, 8, 16 threads"):format(number),
  { floor = math.min(cold[1], cold[2], cold[3]), ours = cold[4], floor_limit = 1.7 })

local one = measure({ "-n", "11" }, OURS .. " -i " .. name .. " -x true")[1]
row(("-i NAME -x true among %d"):format(number), { ours = one, stock_limit = 200,
  stock = measure({ "-n", stock_runs }, STOCK .. " -i " .. name .. " -x true")[1] })
local each = measure({ "-n", "11" }, FLOOR .. " spawn " .. (number + 1) .. " /bin/true", OURS .. " -a -x /bin/true")
row(("-x true over %d; floor: posix_spawn"):format(number), { floor = each[1], ours = each[2], floor_limit = 1.25,
  stock = measure({ "-n", "1" }, STOCK .. " -a -x /bin/true")[1] })

for _, action in ipairs { "enable", "disable", "assign -G other" } do
  local prepare = { enable = "-e disable", disable = "-e enable" }
  local undo = prepare[action] or "-e assign -G group0"
  local function times(program, runs)
    return measure({ "-n", runs, "-p", ("%s -i %s %s; %s"):format(OURS, name, undo, AGE) },
      ("%s -i %s -e %s"):format(program, name, action))[1]
  end
  row(("-e %s among %d"):format(action, number), { ours = times(OURS, "11"),
    stock = times(STOCK, number <= 1000 and "2" or "1"), stock_limit = 100 })
end

-- Peers, each once: they take seconds.
local loop = measure({ "-n", "1" }, "sh " .. here .. "/loop")
print(("| %-44s | %8s | %8s | %8s | ours is %.0f x faster |"):format("peer: a shell loop over postconf -c", "-", "-",
  ms(loop[1]), loop[1] / warm[2]))
if has "augtool" then
  local files = {}
  for index, directory in ipairs(directories) do
    files[index] = "set /augeas/load/Postfix_Main/incl[last()+1] " .. directory .. "/main.cf"
  end
  write(work .. "/augtool.in", "set /augeas/load/Postfix_Main/lens Postfix_Main.lns\n" .. table.concat(files, "\n")
    .. "\nload\nmatch /files//multi_instance_name\n")
  local lens = measure({ "-n", "1" }, "augtool -A -f " .. work .. "/augtool.in")
  local found = select(2, must("augtool -A -f $1/augtool.in", work):gsub("\n", ""))
  assert(found == number, "augtool does not find all instances")
  print(("| %-44s | %8s | %8s | %8s | ours is %.0f x faster |"):format("peer: augtool, Postfix_Main lens", "-", "-",
    ms(lens[1]), lens[1] / warm[2]))
else
  print "| peer: augtool | - | - | - | not installed |"
end

-- Growth: ten times as many.
if number <= 1000 then
  local more = must("$1/generate $2 $3/more big", here, tostring(number * 10), work):gsub("\n", "")
  set_primary(more)
  local large, memory = measure({ "-n", "11" }, FLOOR .. " list " .. PRIMARY, OURS .. " -l")
  row(("-l, %d"):format(number * 10), { floor = large[1], ours = large[2],
    limit = { ("<= 12 x that of %d"):format(number), ("%.1f"):format(large[2] / warm[2]), large[2] / warm[2] <= 12 } })
  row("  its peak memory, MB", { ours = memory[2] / 1024,
    limit = { "<= 16 MB", ("%.1f"):format(memory[2] / 1024), memory[2] <= 16 * 1024 } })
  must("rm -rf $1/more", work)
end

------------------------------------------------------------- create, destroy

set_primary ""
local function operands(id)
  return ("config_directory=%s/etc/%s queue_directory=%s/spool/%s data_directory=%s/lib/%s"):format(work, id, work, id,
    work, id)
end
must("mkdir -p $1/etc $1/spool $1/lib", work)

local create = "-e create -I postfix-new " .. operands "new"
local destroy = "-i postfix-new -e destroy"
local function with(before, program, command, runs)
  return measure({ "-n", runs, "-p", ("%s %s >/dev/null 2>&1; %s"):format(OURS, before, AGE) },
    program .. " " .. command)[1]
end
row("-e create, durable", { ours = with(destroy, OURS, create, "11"), stock = with(destroy, STOCK, create, "3"),
  stock_limit = 100 })
row("-e destroy", { ours = with(create, OURS, destroy, "11"), stock = with(create, STOCK, destroy, "3"),
  stock_limit = 100 })

local function now()
  local t = time.clock_gettime(time.CLOCK_MONOTONIC)
  return t.tv_sec * 1e3 + t.tv_nsec / 1e6
end

-- One transaction with many creates: the time of each.
local function batch(count)
  local host = postmulti.open()
  local times = {}
  local start_of_all = now()
  host:transaction(function()
    for index = 1, count do
      local id = ("batch%04d"):format(index)
      local begun = now()
      host:create {
        name = "postfix-" .. id, config_directory = work .. "/etc/" .. id, queue_directory = work .. "/spool/" .. id,
        data_directory = work .. "/lib/" .. id,
      }
      times[index] = now() - begun
    end
  end)
  return times, now() - start_of_all
end

local function median(list_of, first, last)
  local part = table.move(list_of, first, last, 1, {})
  table.sort(part)
  return part[#part // 2 + 1]
end

local times, total = batch(number)
local first, last = median(times, 1, #times // 10), median(times, #times - #times // 10 + 1, #times)
row(("%d creates in one transaction"):format(number), { ours = total,
  limit = { "last tenth <= 1.5 x first", ("%.2f"):format(last / first), last / first <= 1.5 } })

-- 32 at once.
local function race(program)
  must("rm -rf $1/etc $1/spool $1/lib; mkdir $1/etc $1/spool $1/lib", work)
  set_primary ""
  local begun = now()
  local jobs = {}
  for index = 1, 32 do
    jobs[index] = ("%s -e create -I postfix-race%d %s >/dev/null 2>&1 &"):format(program, index,
      operands("race" .. index))
  end
  shell(table.concat(jobs, "\n") .. "\nwait")
  local took = now() - begun
  local found = must("postconf -h multi_instance_directories")
  return took, select(2, found:gsub("%S+", ""))
end
local ours_took, ours_found = race(OURS)
local stock_took, stock_found = race(STOCK)
row("32 creates at once", { ours = ours_took, stock = stock_took, stock_limit = 30,
  limit = { "all registered", ("%d (stock: %d)"):format(ours_found, stock_found), ours_found == 32 } })
