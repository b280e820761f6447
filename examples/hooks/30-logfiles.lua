-- 30-logfiles.lua - a log file for each instance: rsyslog writes it, logrotate rotates it

local function paths(instance)
  local name = instance.name or instance.config_directory:match "[^/]+$"
  return name, ("/etc/rsyslog.d/20-%s.conf"):format(name), ("/etc/logrotate.d/%s"):format(name)
end

local function remove(event)
  local _, rsyslog, logrotate = paths(event.instance)
  event.host:remove_file(rsyslog)
  event.host:remove_file(logrotate)
end

return {
  summary = "rsyslog and logrotate for each instance",

  after_create = function(event)
    local name, rsyslog, logrotate = paths(event.instance)
    event.host:write_file(rsyslog, (':programname, startswith, "%s/" /var/log/%s.log\n& stop\n'):format(name, name))
    event.host:write_file(logrotate, ("/var/log/%s.log {\n\tweekly\n\trotate 8\n\tcompress\n\tmissingok\n\tnotifempty\n"
      .. "\tpostrotate\n\t\t/usr/lib/rsyslog/rsyslog-rotate\n\tendscript\n}\n"):format(name))
  end,

  undo_create = remove,
  after_destroy = remove,
}
