#!/usr/bin/env postmulti-lua
-- border-server.lua - a border mail server: a null client for this machine's own mail, an instance that receives and
-- filters, an instance that sends. All of it, or nothing.
--
-- Usage: border-server.lua DOMAIN HUB          (as example.com [hub.example.com])

local postmulti = require "postmulti"
local domain, hub = ...
if not hub then error { message = "usage: border-server.lua DOMAIN HUB" } end

local FILTER_PORT, OUTPUT_PORT = 10024, 10026
local host = postmulti.open { log = print }

host:transaction(function()
  host:init()
  host.primary:set {                              -- the null client
    myorigin = domain, mydestination = "", relayhost = "[127.0.0.1]:" .. OUTPUT_PORT,
    inet_interfaces = "loopback-only", local_transport = "error:local delivery is disabled",
    master_service_disable = "inet",
  }

  local output = host:create { name = "postfix-out", group = "mta" }
  output:set {
    mydestination = "", relayhost = hub, inet_interfaces = "127.0.0.1", mynetworks = "127.0.0.0/8",
    myhostname = "mx-out." .. domain, smtpd_authorized_xforward_hosts = "127.0.0.0/8",
    authorized_submit_users = "root", master_service_disable = "",
  }
  output:remove_service "smtp/inet"
  output:set_service(("127.0.0.1:%d inet n - n - - smtpd"):format(OUTPUT_PORT))

  local input = host:create { name = "postfix-in", group = "mta" }
  input:set {
    mydestination = "", relay_domains = domain, myhostname = "mx." .. domain, master_service_disable = "",
    content_filter = "smtp:[127.0.0.1]:" .. FILTER_PORT, smtp_send_xforward_command = true,
    smtpd_recipient_restrictions = "permit_mynetworks, reject_unauth_destination",
  }
  input:set_fields("smtp/inet", { chroot = "n", process_limit = 20 })
  input:override("smtp/inet", { smtpd_client_connection_count_limit = 10 })

  output:enable()
  input:enable()
end)
