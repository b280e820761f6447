-- lua_memory.lua - one operation on files in memory, between arm() and disarm(): see lua_memory.c
--
-- Returns nil, or what is wrong afterwards.
-- luacheck: globals arm disarm

local operation = ...
package.path = "lua/?.lua;lua/?/init.lua;./?.lua;" .. package.path

local fake_core = require "tests.support.fake_core"
local postmulti = require "postmulti"
local report = require "postmulti.report"
for _, name in ipairs { "transaction", "command.create", "command.destroy", "command.enable" } do
  require("postmulti." .. name)
end

local function secondary(name)
  return ("multi_instance_name = postfix-%s\nqueue_directory = /var/spool/postfix-%s\n"
    .. "data_directory = /var/lib/postfix-%s\n"):format(name, name, name)
end

local fake = fake_core.new {
  ["/etc/postfix/main.cf"] = "compatibility_level = 3.6\n"
    .. "multi_instance_wrapper = ${command_directory}/postmulti -p --\n"
    .. "multi_instance_enable = yes\nmulti_instance_directories = /etc/postfix-out\n",
  ["/etc/postfix/master.cf"] = "",
  ["/etc/postfix/main.cf.proto"] = "#queue_directory = x\nmail_owner = postfix\nsendmail_path =\n",
  ["/etc/postfix/master.cf.proto"] = "# master\n",
  ["/etc/postfix/postfix-files"] = "$config_directory:d:root:-:755:u\n$data_directory:d:root:-:700:uc\n"
    .. "$queue_directory:d:root:-:755:uc\n$queue_directory/active:d:root:-:700:ucr\n",
  ["/etc/postfix-out/main.cf"] = secondary "out",
  ["/etc/postfix-out/master.cf"] = "",
  ["/usr/sbin/postfix"] = "",
  ["/var/lib/dpkg/status"] = "",
  ["/usr/lib/postfix/sbin/master"] = "",
}

local function open()
  return postmulti.open { core = fake.core }
end

local operations = {
  list = function()
    local rows = {}
    for _, instance in ipairs(open():load()) do
      rows[#rows + 1] = report.line(instance)
    end
    return rows
  end,
  create = function()
    open():create { name = "postfix-in", group = "g" }
  end,
  batch = function()
    local host = open()
    host:transaction(function()
      host:create({ name = "postfix-in" }):enable()
      host:instance("out"):set { myhostname = "x.example.com" }
    end)
  end,
  destroy = function()
    open():instance("out"):destroy()
  end,
}

local function same(one, other)
  for path, text in pairs(one) do
    if other[path] ~= text then
      return false
    end
  end
  for path in pairs(other) do
    if one[path] == nil then
      return false
    end
  end
  return true
end

local before = fake_core.picture(fake)
collectgarbage()
arm()
local ok, problem = pcall(operations[operation])
disarm()

local text = tostring(problem)
if not ok and not text:find("not enough memory", 1, true) and not text:find("annot allocate memory", 1, true)
  and not text:find("out of memory", 1, true) then
  return "another error: " .. text
end
-- The next command, which changes nothing itself.
local host = open()
host:transaction(function() end)
local now = fake_core.picture(fake)
if ok or same(before, now) then
  return nil
end
-- Not as before: then it must be as after, and nothing is left to do.
local list = host:load()
for _, instance in ipairs(list) do
  if instance.damage then
    return "damaged: " .. instance.damage
  end
end
if operation == "destroy" then
  return #list ~= 1 and "neither before nor after" or nil
elseif #list ~= 3 then
  return "neither before nor after"
end
