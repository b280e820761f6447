#!/usr/bin/env postmulti-lua
-- tls-reload.lua - reload the instances that use a certificate, and no other
--
-- As a deploy hook of certbot, which sets RENEWED_LINEAGE; or: tls-reload.lua /etc/letsencrypt/live/NAME

local postmulti = require "postmulti"
local lineage = ... or os.getenv "RENEWED_LINEAGE"
if not lineage then error { message = "usage: tls-reload.lua DIRECTORY" } end

local PARAMETERS = {
  "smtpd_tls_cert_file", "smtpd_tls_eccert_file", "smtpd_tls_chain_files", "smtp_tls_cert_file",
  "smtp_tls_eccert_file", "smtp_tls_chain_files",
}

---Is there a file below the directory in main.cf, or in an override of master.cf?
local function uses(instance)
  local values = {}
  for _, name in ipairs(PARAMETERS) do
    values[#values + 1] = instance:get(name)
  end
  for _, service in ipairs(instance:services()) do
    for _, override in ipairs(service.overrides) do
      values[#values + 1] = override[2]
    end
  end
  return table.concat(values, " "):find(lineage .. "/", 1, true) ~= nil
end

local is_well = true
for instance in postmulti.open():instances { running = true, match = uses } do
  local ok = instance:postfix({ "reload", capture = true }).status == 0
  print(instance:label() .. (ok and ": reloaded" or ": reload failed"))
  is_well = is_well and ok
end
os.exit(is_well)
