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

local LONGEST, TAIL = 4000, 1000 -- bytes of a message, and how many of them are its end

---Leave out the middle of a text that nobody could read, as of a word of 100 KB.
---@param text string  printable
---@return string
local function shorten(text)
  if #text <= LONGEST then
    return text
  end
  local head, tail = LONGEST - TAIL, #text - TAIL
  while head > 0 and text:find("^[\128-\191]", head + 1) do
    head = head - 1
  end
  while text:find("^[\128-\191]", tail) do
    tail = tail + 1
  end
  return ("%s [...] %s"):format(text:sub(1, head), text:sub(tail))
end

---Any text as one line of reasonable length.
---@param text string
---@return string
function M.line(text)
  return shorten(M.printable(text))
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
    local text = M.line(level == "info" and message or level .. ": " .. message)
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
