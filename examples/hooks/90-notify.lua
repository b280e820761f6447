-- 90-notify.lua - tell a monitoring system what was done: one line each to a program of its own
--
-- The program is /etc/postmulti/notify; here it gets the line on standard input. Without it nothing is told. A creation
-- is told while it can still be undone; should it be, that is told, too.

local PROGRAM = "/etc/postmulti/notify"

local function notify(event)
  if event.changed ~= false and event.host:exists(PROGRAM) then
    event.host:run {
      PROGRAM, input = ("%s%s %s\n"):format(event.phase == "undo" and "undone: " or "", event.action,
        event.instance:label()), capture = true, time_limit = 10,
    }
  end
end

return {
  summary = "tell the monitoring",
  after_create = notify, undo_create = notify,
  after_import = notify, after_destroy = notify, after_deport = notify, after_assign = notify,
  after_enable = notify, after_disable = notify,
}
