--- Messages: one line on standard error, and the same in the mail log as Postfix would write it there.

local M = {}

-- syslog(3) priority of each level, as Postfix's programs use them.
local PRIORITY = { info = "LOG_INFO", warning = "LOG_WARNING", error = "LOG_ERR", fatal = "LOG_CRIT" }

---Replace what a terminal or a log should not be sent: control characters, and bytes that are not UTF-8.
---@param text string
---@return string
function M.printable(text)
  text = text:gsub("%c", "?")
  if not utf8.len(text) then
    text = text:gsub("[\128-\255]", "?")
  end
  return text
end

---@param program string
---@param facility string  "mail", "local3", ...
---@param level string
---@param text string
local function to_syslog(program, facility, level, text)
  local loaded, syslog = pcall(require, "posix.syslog")
  if loaded then
    local number = syslog["LOG_" .. facility:upper()] or syslog.LOG_MAIL
    syslog.openlog(program, syslog.LOG_PID, number)
    syslog.syslog(syslog[PRIORITY[level]], text)
    syslog.closelog()
  end
end

---Let Postfix's own program write to maillog_file. "info", as it ends and sleeps at a "fatal" of its own.
---@param program string
---@param host postmulti.Host
---@param text string
local function to_postlog(program, host, text)
  local postlog = host.parameters.command_directory .. "/postlog"
  host.core.run({ postlog, "-t", program, "-p", "info", text }, {
    environment = { MAIL_CONFIG = host.config_directory, MAIL_LOGTAG = program },
    stdin = "null", stdout = "null", stderr = "null", time_limit = 5,
  })
end

---A function that reports one message.
---@param program string
---@param host fun(): postmulti.Host|nil  the host, once it is open
---@return fun(level: "info"|"warning"|"error"|"fatal", message: string, unlogged: boolean?)
function M.reporter(program, host)
  return function(level, message, unlogged)
    local text = M.printable(level == "info" and message or level .. ": " .. message)
    io.stderr:write(program, ": ", text, "\n")
    local open = host()
    if unlogged then
      return
    elseif open and open.parameters.maillog_file ~= "" then
      to_postlog(program, open, text)
    else
      to_syslog(program, open and open.parameters.syslog_facility or "mail", level, text)
    end
  end
end

return M
