--- What an instance leaves on disk: the mail in its queue, and everything else that can be removed with it.
--
-- Known, and removed: the queue directories, the sockets, fifos and lock files in them, the files that Postfix itself
-- writes into the data directory, and the copies of system files that Debian makes in a queue directory for chroot.
-- Unknown, and kept: everything else, above all any file in a directory that holds mail.

local errors = require "postmulti.errors"
local journal = require "postmulti.journal"

local M = {}

local ENOENT = 2

-- Directories that hold messages (postsuper(1), qmgr(8), postdrop(1)).
local MAIL = { "maildrop", "incoming", "active", "deferred", "hold", "corrupt", "saved" }

-- What else Postfix keeps in a queue directory, and which files there are its own: all of them, or all but regular
-- files.
local QUEUE = {
  { "maildrop" }, { "incoming" }, { "active" }, { "deferred" }, { "hold" }, { "corrupt" }, { "saved" },
  { "bounce" }, { "defer" }, { "trace" },
  { "flush", files = true }, { "pid", files = true }, { "tlstrace", files = true },
  { "private" }, { "public" },
}

-- Files in a data directory that Postfix's programs make: master(8), tlsmgr(8), postscreen(8), verify(8) and the
-- tables that postconf(5) puts there by default.
local DATA = {
  "^master%.lock$", "^prng_exch$",
  "^smtpd?_scache%.[%w]+$", "^lmtp_scache%.[%w]+$", "^postscreen_cache%.[%w]+$", "^verify_cache%.[%w]+$",
}

-- Where Debian copies system files to, for services that run in a chroot. What has no original of the same name: a
-- link to the time zone, name service libraries one level up, and the links by which OpenSSL finds certificates.
local CHROOT = { "dev", "etc", "lib", "usr" }
local COPIES = {
  dev = { "^u?random$", "^null$" },
  etc = { "/%x%x%x%x%x%x%x%x%.r?%d+$" },
  lib = { "^libnss_[%w_]+%.so[%.%d]*$" },
  usr = { "^lib/zoneinfo/localtime$", "/%x%x%x%x%x%x%x%x%.r?%d+$" },
}

---Why a queue cannot be thrown away: there is mail in it, or that cannot be told.
---@param core postmulti.core
---@param queue_directory string
---@return string|nil reason  "there is mail in its queue: 2 in deferred, 1 in hold"; nil: no mail
function M.mail(core, queue_directory)
  local found = {}
  local _, unknown, errno = core.stat(queue_directory)
  if unknown then
    return errno ~= ENOENT and "whether there is mail in its queue cannot be told: " .. unknown or nil
  end
  for _, name in ipairs(MAIL) do
    local count, reason = core.count_files(queue_directory, name)
    if not count then
      return "whether there is mail in its queue cannot be told: " .. reason
    elseif count > 0 then
      found[#found + 1] = ("%d in %s"):format(count, name)
    end
  end
  return found[1] and "there is mail in its queue: " .. table.concat(found, ", ")
end

---Should this object in a queue directory stay?
local function keep_mail(_, kind)
  return kind == "file" or kind == "link" or kind == "block" or kind == "character"
end

---Should this object of a chroot copy stay? Not when the file of the same name outside is its original.
---@param core postmulti.core
---@param top string  "etc", "usr", ...
local function keep_foreign(core, top)
  return function(relative, kind)
    if kind == "directory" then
      return false
    end
    for _, pattern in ipairs(COPIES[top]) do
      if relative:find(pattern) then
        return false
      end
    end
    return top == "dev" or (kind ~= "file" and kind ~= "link") or core.stat("/" .. top .. "/" .. relative) == nil
  end
end

---Remove the copies of system files that Debian makes in a queue directory.
---@param core postmulti.core
---@param queue_directory string
function M.remove_chroot(core, queue_directory)
  for _, name in ipairs(CHROOT) do
    core.remove_tree(queue_directory, name, { keep = keep_foreign(core, name) })
  end
end

-- What goes from a configuration directory: the last one is what `postfix check` of 3.11 notes about alias tables.
local CONFIG = { "main.cf", "master.cf", "check-alias-maps-migration-done" }

---What --undo needs to bring an instance back that is about to be removed: its configuration, its directories. Not
---what Postfix makes again when it is started.
---@param core postmulti.core
---@param instance postmulti.Instance
---@return postmulti.Record[]
function M.records(core, instance)
  local records = {}
  for _, name in ipairs(CONFIG) do
    local path = instance.config_directory .. "/" .. name
    local stat = errors.if_exists(core.stat(path, false))
    if stat then
      records[#records + 1] = journal.removed(path, stat,
        stat.type == "file" and errors.check(core.read_file(path)) or nil)
    end
  end
  local directories = { instance.config_directory, instance.data_directory, instance.queue_directory }
  for _, row in ipairs(QUEUE) do
    table.insert(directories, 1, instance.queue_directory .. "/" .. row[1])
  end
  for _, path in ipairs(directories) do
    local stat = errors.if_exists(core.stat(path))
    if stat and stat.type == "directory" then
      records[#records + 1] = journal.removed(path, stat)
    end
  end
  return records
end

---Remove an instance's files. Nothing here fails the action: what stays is reported, as postmulti(1) does.
---@param host postmulti.Host
---@param instance postmulti.Instance
function M.remove(host, instance)
  local core = host.core
  local kept = {}

  local function gone(path, ok, reason, errno, mail)
    host.current:later(path)
    host.current:later_beside(path)
    if not ok and core.stat(path, false) then
      kept[#kept + 1] = path
      host.report("warning", ("%s: %splease verify its contents and remove it by hand (%s)"):format(path,
        mail and mail .. "; " or "", errno and reason or "it is in use"))
    end
  end

  local queue, data, config = instance.queue_directory, instance.data_directory, instance.config_directory
  if core.stat(queue) then
    for _, row in ipairs(QUEUE) do
      core.remove_tree(queue, row[1], not row.files and { keep = keep_mail } or {})
    end
    M.remove_chroot(core, queue)
  end
  for _, entry in ipairs(core.list(data) or {}) do
    for _, pattern in ipairs(DATA) do
      if entry.type == "file" and entry.name:find(pattern) then
        core.unlink(data .. "/" .. entry.name)
      end
    end
  end
  gone(data, core.rmdir(data))
  local ok, reason, errno = core.rmdir(queue)
  gone(queue, ok, reason, errno, not ok and M.mail(core, queue)) -- which came after it was looked for
  for _, name in ipairs(CONFIG) do
    core.unlink(config .. "/" .. name)
  end
  gone(config, core.rmdir(config))
  return kept
end

return M
