-- cases.lua - tests that all run in one sandbox, each on a fresh primary
--
-- A file of cases returns a list of { "what it shows", function(host) ... end }. Under busted, cases.describe makes a
-- test of each; within the sandbox (lua5.4 tests/support/cases.lua FILE) they are run, in order. A case fails by an
-- error.

local M = {}

local SAVED = "/run/sandbox/saved"
local PLACES = "/etc/postfix* /var/spool/postfix* /var/lib/postfix* /var/lib/postmulti /etc/postmulti"

-- ------------------------------------------------------------- in the sandbox

local Host = {}
Host.__index = Host

local function read(path)
  local file = assert(io.open(path, "rb"))
  local text = file:read "a"
  file:close()
  return text
end

---@return string
function Host.read(_, path)
  return read(path)
end

function Host.write(_, path, text)
  local file = assert(io.open(path, "wb"))
  assert(file:write(text))
  file:close()
end

function Host:append(path, text)
  self:write(path, read(path) .. text)
end

---Run a shell command, for 20 seconds at most. @return { status: integer, out: string, err: string, seconds: number }
function Host.sh(_, command)
  local time = require "posix.time"
  local before = time.clock_gettime(time.CLOCK_MONOTONIC)
  local file = assert(io.open("/run/sandbox/command", "w"))
  file:write(command, "\n")
  file:close()
  local _, how, status = os.execute(
    "timeout -k 1 20 sh /run/sandbox/command </dev/null >/run/sandbox/out 2>/run/sandbox/err")
  local after = time.clock_gettime(time.CLOCK_MONOTONIC)
  return {
    command = command,
    status = how == "exit" and status or 128 + status,
    out = read "/run/sandbox/out",
    err = read "/run/sandbox/err",
    seconds = after.tv_sec - before.tv_sec + (after.tv_nsec - before.tv_nsec) / 1e9,
  }
end

local function fail(result, text)
  error(("%s\n%s\nexit status %d\n%s%s"):format(text, result.command, result.status, result.out, result.err), 0)
end

---Run a command that must succeed.
function Host:ok(command)
  local result = self:sh(command)
  if result.status ~= 0 then
    fail(result, "this should have succeeded:")
  end
  return result
end

---Run a command that must fail, with a message that matches.
function Host:refused(command, pattern, status)
  local result = self:sh(command)
  if result.status == 0 or result.status == 124 or status and result.status ~= status then
    fail(result, "this should have been refused:")
  elseif not result.err:find(pattern) then
    fail(result, "the message does not match " .. pattern .. ":")
  end
  return result
end

---What one line of output says, without the line end.
function Host:say(command)
  return (self:ok(command).out:gsub("\n$", ""))
end

function Host.same(_, want, got, what)
  if want ~= got then
    error(("%s: wanted %s, got %s"):format(what or "value", tostring(want), tostring(got)), 0)
  end
end

function Host.matches(_, text, pattern)
  if not text:find(pattern) then
    error(("%s\nis not in:\n%s"):format(pattern, text), 0)
  end
end

function Host.lacks(_, text, pattern)
  if text:find(pattern) then
    error(("%s\nis in:\n%s"):format(pattern, text), 0)
  end
end

---The configuration directories that postmulti -l shows.
function Host:listed()
  local list = {}
  for line in self:sh "postmulti -l".out:gmatch "[^\n]+" do
    list[#list + 1] = line:match "%S+$"
  end
  return table.concat(list, " ")
end

---Run a script of postmulti-lua.
function Host:script(text)
  self:write("/run/sandbox/script.lua", 'local postmulti = require "postmulti"\nlocal host = postmulti.open { report ='
    .. ' function(_, line) io.stderr:write(line, "\\n") end, lock_timeout = 2 }\n' .. text)
  return self:sh "/usr/local/bin/postmulti-lua /run/sandbox/script.lua"
end

---Owner, mode and type of files, one line each.
function Host:modes(paths)
  return self:say("stat -c '%U:%G %a %F' " .. paths)
end

---Prepare the primary, and make instances.
function Host:with(...)
  self:ok "postmulti -e init"
  for _, name in ipairs { ... } do
    self:ok("postmulti -I postfix-" .. name .. " -e create")
  end
end

local function restore()
  os.execute("[ ! -f /run/sandbox/background ] || kill $(cat /run/sandbox/background) 2>/dev/null; "
    .. "rm -f /run/sandbox/background; "
    .. "for d in /var/spool/postfix*; do [ ! -f $d/pid/master.pid ] || "
    .. "/usr/sbin/postfix -c /etc/${d##*/} stop >/dev/null 2>&1; done; rm -rf " .. PLACES .. " && cp -a " .. SAVED
    .. "/. /")
end

---Run the cases of a file.
local function run(path)
  os.execute("mkdir -p " .. SAVED .. " && cd / && cp -a --parents etc/postfix var/spool/postfix var/lib/postfix "
    .. SAVED)
  for index, case in ipairs(dofile(path)) do
    restore()
    local ok, problem = xpcall(case[2], function(text)
      return tostring(text):find "\n" and text or debug.traceback(tostring(text), 2)
    end, setmetatable({}, Host))
    io.stdout:write(("== %d %s\n"):format(index, ok and "ok" or "failed"))
    if not ok then
      io.stdout:write(problem, "\n")
    end
    io.stdout:flush()
  end
  io.stdout:write "== end\n"
end

-- --------------------------------------------------------------- under busted

---Make a test of each case of a file.
---@param title string
---@param path string
function M.describe(title, path)
  local busted = require "busted"
  busted.describe(title, function()
    local results = {}

    busted.setup(function()
      assert(os.execute "make -s stage")
      local stage = (os.getenv "POSTMULTI_BUILD" or "build") .. "/stage"
      local pipe = assert(io.popen(("tests/support/sandbox -q -i %s lua5.4 tests/support/cases.lua %s 2>&1"):format(
        stage, path)))
      local text = {}
      for line in pipe:lines() do
        local number, outcome = line:match "^== (%d+) (%a+)$"
        if number then
          text = {}
          results[tonumber(number)] = { ok = outcome == "ok", text = text }
        else
          table.insert(text, line)
        end
      end
      pipe:close()
    end)

    for index, case in ipairs(dofile(path)) do
      busted.it(case[1], function()
        local result = results[index]
        assert(result, "the case did not run")
        assert(result.ok, table.concat(result.text, "\n"))
      end)
    end
  end)
end

if arg and arg[0] and arg[0]:find "cases%.lua$" then
  run(arg[1])
end
return M
