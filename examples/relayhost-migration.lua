#!/usr/bin/env postmulti-lua
-- relayhost-migration.lua - move all instances from one relayhost to another; check each, and go back if one fails
--
-- Usage: relayhost-migration.lua OLD NEW          (as '[old.example.com]' '[new.example.com]:587')

local postmulti = require "postmulti"
local old, new = ...
if not new then error { message = "usage: relayhost-migration.lua OLD NEW" } end

local host = postmulti.open { log = print }
local moved, is_well = {}, true

host:transaction(function()                       -- an error in here takes all of it back
  for instance in host:instances { damaged = false } do
    if instance:get "relayhost" == old then
      instance:set { relayhost = new }
      local check = instance:postfix { "check", capture = true, time_limit = 60 }
      if check.status ~= 0 then
        local text = "%s: 'postfix check' fails; nothing was changed. %s"
        error { message = text:format(instance:label(), check.stderr) }
      end
      moved[#moved + 1] = instance
    end
  end
end)

for _, instance in ipairs(moved) do
  print(instance:label() .. ": relayhost = " .. new)
  if instance:is_running() and instance:postfix { "reload", capture = true }.status ~= 0 then
    io.stderr:write(instance:label(), ": the reload failed; the old relayhost is in use until it succeeds\n")
    is_well = false
  end
end
os.exit(is_well)
