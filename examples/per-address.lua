#!/usr/bin/env postmulti-lua
-- per-address.lua - one sending instance for each of twenty addresses. Usage: per-address.lua [FIRST-THREE-NUMBERS]
-- Mail that is handed to 127.0.0.1, port 10100 + number, leaves from the address of that number.
local postmulti = require "postmulti"
local host, network, numbers = postmulti.open { log = print }, (...) or "192.0.2", {}
for number = 1, 20 do numbers[number] = number end
host:transaction(function()
  for _, number in postmulti.each(numbers, "instances") do
    local out = host:create { name = "postfix-out" .. number, group = "out" }
    out:set { smtp_bind_address = network .. "." .. number, myhostname = ("out%d.example.com"):format(number),
      mynetworks = "127.0.0.0/8", mydestination = "", master_service_disable = "" }
    out:remove_service "smtp/inet"
    out:set_service(("127.0.0.1:%d inet n - n - - smtpd"):format(10100 + number))
    out:enable()
  end
end)
