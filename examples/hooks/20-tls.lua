-- 20-tls.lua - each new instance uses the certificate of its own host name, where there is one

local LIVE = "/etc/letsencrypt/live"

return {
  summary = "TLS certificate paths",
  after_create = function(event)
    local instance = event.instance
    local directory = ("%s/%s.%s"):format(LIVE, (instance.name or "mail"):gsub("^postfix%-", ""),
      event.primary:get "mydomain")
    if event.host:exists(directory .. "/fullchain.pem") then
      instance:set {
        smtpd_tls_cert_file = directory .. "/fullchain.pem", smtpd_tls_key_file = directory .. "/privkey.pem",
        smtpd_tls_security_level = "may",
      }
    end
  end,
}
