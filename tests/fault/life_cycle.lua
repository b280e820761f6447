--- What the suites that break a command have in common: the actions, what is there before them, and what they leave.
--
-- To be used within tests/support/sandbox. package.path must lead here.

local dirent = require "posix.dirent"
local stat = require "posix.sys.stat"
local unistd = require "posix.unistd"
package.cpath = "/usr/local/lib/lua/5.4/?.so;" .. package.cpath
local core = require "postmulti.core"

local M = { core = core }

local TOPS = { "/etc", "/var/spool", "/var/lib" }
local JOURNAL = "/var/lib/postmulti/etc-postfix/journal"

-- Prepended to each script: FUNC in one transaction, or as it is; the exit status is as the command's would be.
local PRELUDE = [[
local host = require("postmulti").open { report = function(_, text) io.stderr:write(text, "\n") end }
local function run(func)
  local ok, problem = pcall(func)
  if not ok then
    io.stderr:write(tostring(problem), "\n")
    os.exit(type(problem) == "table" and problem.kind == "unsafe" and 3 or 1)
  end
end
]]

local BATCH = [[
run(function()
  host:transaction(function()
    for index = 1, 2 do
      local new = host:create { name = "postfix-n" .. index, group = "out" }
      new:set { smtp_helo_name = "n" .. index .. ".example.com" }
    end
    host:instance("a"):enable()
    host:instance("a"):assign { group = "out" }
  end)
end)
]]

local SCRIPT = [[
run(function()
  host:transaction(function()
    host:make_directory("/etc/postfix-site/maps", { mode = 448 })
    host:write_file("/etc/postfix-site/maps/relay", "example.com ok\n", { mode = 416 })
    host:write_file("/etc/postfix-old/keep", "new text\n")
    host:remove_file "/etc/postfix-old/drop"
    host:instance("a"):set { smtp_helo_name = "a.example.com" }
    host:instance("a"):enable()
  end)
end)
]]

-- The primary's main.cf is written for the child, and ends with the text that it had at first.
local BACK = [[
run(function()
  host:transaction(function()
    host:instance("a"):set { smtp_helo_name = "a.example.com" }
    local new = host:create { name = "postfix-n", group = "out" }
    assert(new:run({ "true" }).status == 0)
    new:destroy()
  end)
end)
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

---The life-cycle actions, each an argument vector with what is there before it. prints: its output counts; hook: with a
---hook of the site; once: the same again is something else; idle: nothing is changed.
---@type table[]
M.actions = {
  { name = "list", scene = "two", prints = true, idle = true, "postmulti", "-l" },
  { name = "init", scene = "fresh", "postmulti", "-e", "init" },
  { name = "create", scene = "two", "postmulti", "-I", "postfix-n", "-G", "out", "-e", "create" },
  { name = "create first", scene = "init", "postmulti", "-I", "postfix-n", "-e", "create" },
  { name = "import", scene = "two", "postmulti", "-I", "postfix-b", "-G", "out", "-e", "import" },
  { name = "deport", scene = "two", "postmulti", "-i", "a", "-e", "deport" },
  { name = "destroy", scene = "two", "postmulti", "-i", "a", "-e", "destroy" },
  { name = "assign", scene = "two", "postmulti", "-i", "a", "-I", "postfix-z", "-G", "out", "-e", "assign" },
  { name = "enable", scene = "two", "postmulti", "-i", "a", "-e", "enable" },
  { name = "disable", scene = "enabled", "postmulti", "-i", "a", "-e", "disable" },
  { name = "batch", scene = "two", script = BATCH },
  { name = "script", scene = "site", script = SCRIPT },
  { name = "there and back", scene = "two", script = BACK },
  { name = "undo create", scene = "two", once = true, "postmulti", "--undo" },
  { name = "undo destroy", scene = "destroyed", once = true, "postmulti", "--undo" },
  { name = "init done", scene = "init", idle = true, "postmulti", "-e", "init" },
  { name = "import enabled", scene = "away", "postmulti", "-I", "postfix-b", "-G", "out", "-e", "import" },
  { name = "create hooks", scene = "two", hook = true, "postmulti", "-I", "postfix-n", "-e", "create" },
  { name = "destroy hooks", scene = "two", hook = true, "postmulti", "-i", "a", "-e", "destroy" },
}

---A command that changes nothing, after which nothing of an interrupted one may be left. Before `init` there is none.
---@param action table
---@return string[]
function M.next_command(action)
  return action.scene == "fresh" and action or { "postmulti", "-i", "-", "-e", "enable" }
end

---Write the scripts of actions and hook.lua into a directory, and let the actions run them.
---@param actions table[]
---@param directory string
function M.write_scripts(actions, directory)
  local hook = assert(io.open(directory .. "/hook.lua", "w"))
  assert(hook:write(HOOK))
  assert(hook:close())
  for _, action in ipairs(actions) do
    if action.script then
      local path = ("%s/%s.lua"):format(directory, action.name)
      local file = assert(io.open(path, "w"))
      assert(file:write(PRELUDE, action.script))
      assert(file:close())
      action[1], action[2] = "/usr/local/bin/postmulti-lua", path
    end
  end
end

---@param command string
function M.shell(command)
  assert(os.execute(command), command)
end

---@param argv string[]
---@param options table?  more of core.run's
---@return postmulti.Exit
function M.run(argv, options)
  local all = { stdin = "null", stdout = "capture", stderr = "capture", time_limit = 20 }
  for name, value in pairs(options or {}) do
    all[name] = value
  end
  return assert(core.run(argv, all))
end

local function must(...)
  local exit = M.run { ... }
  assert(exit.status == 0, table.concat({ ... }, " ") .. ": " .. exit.stderr)
end

---Make what is there before the actions. SAVE is called with the name of each scene as soon as it is there.
---@param save fun(scene: string)
function M.make_scenes(save)
  save "fresh"
  must("postmulti", "-e", "init")
  save "init"
  must("postmulti", "-I", "postfix-b", "-e", "create")
  must("postmulti", "-i", "b", "-e", "deport")
  must("postmulti", "-I", "postfix-a", "-e", "create")
  must("postmulti", "-I", "postfix-c", "-e", "create")
  save "two"
  M.shell "mkdir /etc/postfix-old && echo old text >/etc/postfix-old/keep && echo precious >/etc/postfix-old/drop"
  save "site"
  M.shell "rm -r /etc/postfix-old"
  must("postmulti", "-i", "a", "-e", "enable")
  save "enabled"
  must("postmulti", "-i", "a", "-e", "disable")
  must("postmulti", "-i", "a", "-e", "destroy")
  save "destroyed"
  must("postmulti", "--undo")
  M.shell "sed -i 's/^multi_instance_enable.*/multi_instance_enable = yes/' /etc/postfix-b/main.cf"
  save "away"
end

---@param path string
---@return string
function M.read(path)
  local file = assert(io.open(path, "rb"))
  local text = file:read "a"
  file:close()
  return text
end

---Enter owner, mode and contents of what is at a path, and of everything beneath it.
---@param path string
---@param found table<string, string>
function M.describe(path, found)
  local st = stat.lstat(path)
  if not st then
    return
  end
  local kind = st.st_mode & 0xF000
  local text = ("%o %d:%d"):format(st.st_mode, st.st_uid, st.st_gid)
  if kind == 0x8000 then
    text = text .. " " .. M.read(path)
  elseif kind == 0xA000 then
    text = text .. " " .. unistd.readlink(path)
  end
  found[path] = text
  if kind == 0x4000 then
    for name in dirent.files(path) do
      if name ~= "." and name ~= ".." then
        M.describe(path .. "/" .. name, found)
      end
    end
  end
end

---Everything that an action may change: path to owner, mode and contents.
---@return table<string, string>
function M.snapshot()
  local found = {}
  for _, top in ipairs(TOPS) do
    for name in dirent.files(top) do
      if name:find "^postfix" then
        M.describe(top .. "/" .. name, found)
      end
    end
  end
  M.describe(JOURNAL, found)
  return found
end

---The paths in which two snapshots differ.
---@param one table<string, string>  as it should be
---@param other table<string, string>
---@return string[]  sorted: "changed PATH", "missing PATH", "left PATH"
function M.difference(one, other)
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

---The first of some paths, for a message.
---@param paths string[]
---@return string
function M.brief(paths)
  return table.concat(paths, ", ", 1, math.min(#paths, 4)) .. (#paths > 4 and " ..." or "")
end

return M
