-- 10-chroot.lua - what services in a chroot need from /etc, in every new queue directory, and fresh at every start
--
-- To be put in /etc/postmulti/hooks.d.

local FILES = { "resolv.conf", "hosts", "services", "localtime", "nsswitch.conf" }

local function copy(event)
  local instance = event.instance
  for _, name in ipairs(FILES) do
    local text = event.host:read_file("/etc/" .. name)
    if text then
      event.host:make_directory(instance.queue_directory .. "/etc")
      event.host:write_file(instance.queue_directory .. "/etc/" .. name, text)
    end
  end
end

return {
  summary = "copy files of /etc into the chroot",
  after_create = copy,
  before_postfix = function(event)
    if event.command[1] == "start" or event.command[1] == "reload" then copy(event) end
  end,
}
