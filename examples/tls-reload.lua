#!/usr/bin/env postmulti-lua
-- tls-reload.lua - reload the instances that use a certificate, and no other
--
-- As a deploy hook of certbot, which sets RENEWED_LINEAGE; or: tls-reload.lua /etc/letsencrypt/live/NAME

local postmulti = require "postmulti"
local lineage = ... or os.getenv "RENEWED_LINEAGE"
if not lineage then error { message = "usage: tls-reload.lua DIRECTORY" } end

for instance in postmulti.open():instances { running = true, enabled = true } do
  local files = { instance:get "smtpd_tls_cert_file", instance:get "smtpd_tls_chain_files" }
  if table.concat(files, " "):find(lineage .. "/", 1, true) then
    local exit = instance:postfix { "reload", capture = true }
    print(instance:label() .. (exit.status == 0 and ": reloaded" or ": reload failed"))
  end
end
