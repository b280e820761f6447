--- The environment of the programs that are run for an instance. Source: postmulti(1), postfix-wrapper(5).

local M = {}

---What every child gets so that its log lines carry the primary's tag and go where the primary's go.
---@param host postmulti.Host
---@return table<string, string|false>
local function logging(host)
  local values = host.parameters
  local delta = { MAIL_LOGTAG = values.syslog_name, POSTLOG_SERVICE = false, POSTLOG_HOSTNAME = false }
  if values.maillog_file ~= "" then
    delta.POSTLOG_SERVICE = values.queue_directory .. "/public/postlog"
    delta.POSTLOG_HOSTNAME = values.myhostname
  end
  if host.verbose then
    delta.MAIL_VERBOSE = ""
  end
  return delta
end

---For postfix(1): MAIL_CONFIG makes it act on this one instance.
---@param instance postmulti.Instance
---@return table<string, string|false>
function M.postfix(instance)
  local delta = logging(instance.host)
  delta.MAIL_CONFIG = instance.config_directory
  return delta
end

---For any other program: who the instance is and where its files are.
---@param instance postmulti.Instance
---@return table<string, string|false>
function M.context(instance)
  local values = instance.host.parameters
  local delta = M.postfix(instance)
  delta.config_directory = instance.config_directory
  delta.command_directory = values.command_directory
  delta.daemon_directory = values.daemon_directory
  delta.queue_directory = instance.queue_directory
  delta.data_directory = instance.data_directory
  delta.multi_instance_name = instance.name or ""
  delta.multi_instance_group = instance.group or ""
  delta.multi_instance_enable = instance.enabled and "yes" or "no"
  local path = os.getenv "PATH"
  if not path or path == "" then
    path = "/bin:/usr/bin:/sbin:/usr/sbin"
  end
  delta.PATH = values.command_directory .. ":" .. path
  return delta
end

---For a script of Postfix's package, as all of its environment: who the instance is, and nothing of the caller's.
---@param instance postmulti.Instance
---@return table<string, string|false>
function M.script(instance)
  local all = M.context(instance)
  all.PATH = all.command_directory .. ":/usr/sbin:/usr/bin:/sbin:/bin"
  all.HOME = "/"
  return all
end

return M
