-- 90-notify.lua - tell a monitoring system what was done: one line each to a program of its own
--
-- The program is /etc/postmulti/notify; here it gets the line on standard input. Without it nothing is told.

local PROGRAM = "/etc/postmulti/notify"

local function notify(event)
  if event.changed and event.host:exists(PROGRAM) then
    event.host:run { PROGRAM, input = ("%s %s\n"):format(event.action, event.instance:label()), time_limit = 10 }
  end
end

return {
  summary = "tell the monitoring",
  after_import = notify, after_destroy = notify, after_deport = notify, after_assign = notify,
  after_enable = notify, after_disable = notify,
}
