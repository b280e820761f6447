-- 30-logfiles.lua - a log file for each instance: rsyslog writes it, logrotate rotates it
--
-- What is written within a creation is taken back with it; so there is no undo_create.

local RESTART = { "systemctl", "try-restart", "rsyslog.service", capture = true, time_limit = 30 }

local old = {} -- by configuration directory: the name before assign

local function name_of(instance)
  return instance.name or instance.config_directory:match "[^/]+$"
end

local function paths(name)
  return ("/etc/rsyslog.d/20-%s.conf"):format(name), ("/etc/logrotate.d/%s"):format(name)
end

local function restart(event)
  if event.host:exists "/run/systemd/system" then
    event.host:run(RESTART)
  end
end

local function write(event)
  local name = name_of(event.instance)
  local rsyslog, logrotate = paths(name)
  -- The tag is NAME/smtpd[123]: what rsyslog calls the program ends before the slash.
  event.host:write_file(rsyslog, (':syslogtag, startswith, "%s/" /var/log/%s.log\n& stop\n'):format(name, name))
  event.host:write_file(logrotate, ("/var/log/%s.log {\n\tweekly\n\trotate 8\n\tcompress\n\tmissingok\n\tnotifempty\n"
    .. "\tpostrotate\n\t\t/usr/lib/rsyslog/rsyslog-rotate\n\tendscript\n}\n"):format(name))
  restart(event)
end

local function remove(event, name)
  for _, path in ipairs { paths(name) } do
    event.host:remove_file(path)
  end
end

return {
  summary = "rsyslog and logrotate for each instance",
  after_create = write,
  after_destroy = function(event)
    remove(event, name_of(event.instance))
    restart(event)
  end,
  before_assign = function(event) old[event.instance.config_directory] = name_of(event.instance) end,
  after_assign = function(event)
    local name = old[event.instance.config_directory]
    if name ~= name_of(event.instance) then
      remove(event, name)
      write(event)
    end
  end,
}
