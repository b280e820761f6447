#!/usr/bin/env postmulti-lua
-- per-address.lua - one sending instance for each of twenty addresses. Usage: per-address.lua [FIRST-THREE-NUMBERS]
local postmulti = require "postmulti"
local host, network = postmulti.open { log = print }, ... or "192.0.2"
local numbers = {}
for number = 1, 20 do numbers[number] = number end
host:transaction(function()
  for _, number in postmulti.each(numbers, "instances") do
    local out = host:create { name = "postfix-out" .. number, group = "out" }
    out:set { smtp_bind_address = network .. "." .. number, myhostname = ("out%d.example.com"):format(number) }
    out:enable()
  end
end)
