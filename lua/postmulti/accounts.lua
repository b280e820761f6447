-- postmulti.accounts - the accounts that the postmulti(1) process insists on: mail_owner, setgid_group, default_privs

local errors = require "postmulti.errors"

local M = {}

-- Errors that do not mean "no such name": what could not be asked is not answered. EIO, ENOMEM, ENFILE, EMFILE, EINTR.
local REFUSALS = { [5] = true, [12] = true, [23] = true, [24] = true, [4] = true }

---Ask a function of luaposix for an account; nil: there is no such; raises when that cannot be told.
---@generic T
---@param ask fun(key: string|integer): T|nil, string?, integer?
---@param key string|integer
---@return T|nil
local function find(ask, key)
  local entry, reason, errno = ask(key)
  if entry == nil and not errno then
    -- The C library may take a failure within for an answer: what is not there is not there the second time either.
    entry, reason, errno = ask(key)
  end
  if entry == nil and REFUSALS[errno] then
    errors.throw("system", reason --[[@as string]], { errno = errno })
  end
  return entry
end

---The number of a user, nil: there is none.
---@param name string
---@return integer|nil
function M.user_id(name)
  local entry = find(require("posix.pwd").getpwnam, name)
  return entry and entry.pw_uid
end

---The number of a group, nil: there is none.
---@param name string
---@return integer|nil
function M.group_id(name)
  local entry = find(require("posix.grp").getgrnam, name)
  return entry and entry.gr_gid
end

-- Password and group file, where luaposix is there to read them.
local function accounts()
  local has_users, pwd = pcall(require, "posix.pwd")
  local has_groups, grp = pcall(require, "posix.grp")
  if has_users and has_groups then
    return pwd, grp
  end
  return nil
end

local function check_user(pwd, user)
  local entry = find(pwd.getpwnam, user)
  if not entry then
    return nil, "no such user"
  elseif entry.pw_uid == 0 then
    return nil, "the user has the user ID of root"
  elseif entry.pw_gid == 0 then
    return nil, "the user has the group ID of root"
  end
  return entry
end

local function check_mail_owner(pwd, user)
  local entry, why = check_user(pwd, user)
  local first = entry and find(pwd.getpwuid, entry.pw_uid)
  if first and first.pw_name ~= user then
    return nil, ("the user has the same user ID as %s"):format(first.pw_name)
  end
  return entry, why
end

local function check_setgid_group(grp, group)
  local entry = find(grp.getgrnam, group)
  if not entry then
    return nil, "no such group"
  elseif entry.gr_gid == 0 then
    return nil, "the group has the group ID of root"
  end
  local first = find(grp.getgrgid, entry.gr_gid)
  if first and first.gr_name ~= group then
    return nil, ("the group has the same group ID as %s"):format(first.gr_name)
  end
  return entry
end

-- What is wrong with a value of one of the three.
-- The three accounts must exist and be different ones; those not set are looked at only to be compared.
function M.check(evaluator, name, value)
  if value == "" then
    return "must not be empty"
  end
  local pwd, grp = accounts()
  if not pwd then
    return nil
  end
  local found, why = {}, {}
  found.mail_owner, why.mail_owner = check_mail_owner(pwd, evaluator:value "mail_owner" or "")
  found.setgid_group, why.setgid_group = check_setgid_group(grp, evaluator:value "setgid_group" or "")
  found.default_privs, why.default_privs = check_user(pwd, evaluator:value "default_privs" or "")
  local owner, group, privs = found.mail_owner, found.setgid_group, found.default_privs
  if why[name] then
    return why[name]
  elseif owner and privs and owner.pw_uid == privs.pw_uid then
    return "mail_owner and default_privs are the same user"
  elseif owner and group and owner.pw_gid == group.gr_gid then
    return "mail_owner and setgid_group have the same group ID"
  elseif privs and group and privs.pw_gid == group.gr_gid then
    return "default_privs and setgid_group have the same group ID"
  end
  return nil
end

return M
