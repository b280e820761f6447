--- A stand-in for postmulti.core: files and directories in memory, every call recorded, any call made to fail.
--
--     local fake = fake_core.new { ["/etc/postfix/main.cf"] = "..." }
--     fake.fail_at = 7                  -- the 7th call that can fail does so
--     local host = postmulti.open { core = fake.core }
--
-- Pure functions (parse_main, edit_main, expand, ...) are those of the real core.

local real = require "postmulti.core"

local M = {}

local EIO = 5

---The settings of Debian 12, whatever release the tree was built on.
local BUILD = {
  config_directory = "/etc/postfix", command_directory = "/usr/sbin", daemon_directory = "/usr/lib/postfix/sbin",
  data_directory = "/var/lib/postfix", mail_owner = "postfix", meta_directory = "/etc/postfix",
  queue_directory = "/var/spool/postfix", setgid_group = "postdrop", shlib_directory = "/usr/lib/postfix",
}

---@param files table<string, string>  their directories exist, too
---@return table fake  { core, files, directories, calls, fail_at, locked, exits }
function M.new(files)
  local fake = { files = {}, directories = { ["/"] = true }, calls = {}, locked = {}, exits = {}, serial = 0 }

  local function parent(path)
    local dir = path:match "^(.*)/[^/]*$"
    return dir ~= "" and dir or "/"
  end

  local function add_directory(path)
    while not fake.directories[path] do
      fake.directories[path] = true
      path = parent(path)
    end
  end

  for path, text in pairs(files) do
    fake.files[path] = text
    add_directory(parent(path))
  end

  ---Record a call that can fail; fail it when its turn has come.
  local function failing(name, ...)
    fake.calls[#fake.calls + 1] = table.concat({ name, ... }, " ")
    if #fake.calls == fake.fail_at then
      return nil, name .. " " .. tostring((...)) .. ": Input/output error", EIO
    end
    return true
  end

  local function missing(path)
    return nil, path .. ": No such file or directory", 2
  end

  local function children(path)
    local found = {}
    for _, set in ipairs { fake.files, fake.directories } do
      for one in pairs(set) do
        if one ~= "/" and parent(one) == path then
          found[#found + 1] = { name = one:match "[^/]+$", type = set == fake.files and "file" or "directory" }
        end
      end
    end
    table.sort(found, function(a, b) return a.name < b.name end)
    return found
  end

  local core = setmetatable({}, { __index = function(_, name)
    local value = real[name]
    if value == nil or type(value) == "function" and not ({
      parse_main = 1, edit_main = 1, checksum = 1, parse_master = 1, edit_master = 1, expand = 1, squeeze = 1,
    })[name] then
      error("the fake core does not expect " .. name, 2)
    end
    return value
  end })
  fake.core = core
  core.build = setmetatable(BUILD, { __index = real.build })

  function core.stat(path)
    if fake.files[path] then
      return { type = "file", mode = 420, uid = 0, gid = 0, size = #fake.files[path], device = 1, inode = path,
        mtime = os.time() }
    elseif fake.directories[path] then
      return { type = "directory", mode = 493, uid = 0, gid = 0, size = 0, device = 1, inode = path, mtime = 0 }
    end
    return missing(path)
  end

  function core.read_file(path)
    if not fake.files[path] then
      return missing(path)
    end
    local ok, reason, errno = failing("read_file", path)
    if not ok then
      return nil, reason, errno
    end
    return fake.files[path]
  end

  function core.read_plain()
    return false
  end

  function core.read_parameters(path, wanted)
    if not fake.files[path] then
      return nil, path .. ": No such file or directory", 2, "missing"
    end
    local settings, remarks = real.parse_main(fake.files[path], path)
    if not settings then
      return nil, remarks, 0, "malformed", {}
    end
    local values, want = {}, {}
    for _, name in ipairs(wanted or {}) do
      want[name] = true
    end
    for _, setting in ipairs(settings) do
      if not wanted or want[setting.name] then
        values[setting.name] = setting.value
      end
    end
    return values, remarks
  end

  function core.list(path)
    if not fake.directories[path] then
      return missing(path)
    end
    return children(path)
  end

  function core.make_path(path)
    local ok, reason, errno = failing("make_path", path)
    if not ok then
      return nil, reason, errno
    end
    local created = {}
    while not fake.directories[path] do
      table.insert(created, 1, path)
      path = parent(path)
    end
    for _, one in ipairs(created) do
      fake.directories[one] = true
    end
    return created
  end

  function core.set_permissions(base, name, options)
    local path = name and base .. "/" .. name or base
    local ok, reason, errno = failing("set_permissions", path)
    if not ok then
      return nil, reason, errno
    end
    if options.create and not fake.directories[path] then
      fake.directories[path] = true
      return "created"
    end
    return (fake.directories[path] or fake.files[path]) and "changed" or missing(path)
  end

  function core.create_file(path, text, options)
    local ok, reason, errno = failing("create_file", path)
    if not ok then
      return nil, reason, errno
    elseif fake.files[path] and not (options and options.replace) then
      return nil, path .. ": File exists", 17
    elseif not fake.directories[parent(path)] then
      return missing(path)
    end
    fake.files[path] = text
    return true
  end

  function core.unlink(path)
    if not fake.files[path] then
      return missing(path)
    end
    fake.files[path] = nil
    return true
  end

  function core.rmdir(path)
    if not fake.directories[path] then
      return missing(path)
    elseif #children(path) > 0 then
      return nil, path .. ": Directory not empty", 39
    end
    fake.directories[path] = nil
    return true
  end

  function core.edit(path)
    local ok, reason, errno = failing("edit", path)
    if not ok then
      return nil, reason, errno
    elseif not fake.files[path] then
      return missing(path)
    end
    local edit = { text = fake.files[path], path = path }
    function edit.commit(_, text)
      local done, why, number = failing("commit", path)
      if not done then
        return nil, why, number
      elseif text == fake.files[path] then
        return "unchanged"
      end
      fake.files[path] = text
      fake.serial = fake.serial + 1
      return "changed"
    end
    function edit.rollback() end
    return setmetatable(edit, { __close = function() end })
  end

  function core.lock(path)
    local ok, reason, errno = failing("lock", path)
    if not ok then
      return nil, reason, errno
    end
    fake.held = (fake.held or 0) + 1
    return { release = function() fake.held = fake.held - 1 end }
  end

  function core.locked(path)
    return fake.locked[path] ~= nil, fake.locked[path]
  end

  function core.count_files(base, name)
    local count = 0
    for path in pairs(fake.files) do
      if path:sub(1, #base + #name + 2) == base .. "/" .. name .. "/" then
        count = count + 1
      end
    end
    return count
  end

  function core.remove_tree(base, name, options)
    local top = base .. "/" .. name
    local keep = options and options.keep or function() return false end
    for path in pairs(fake.files) do
      if path:sub(1, #top + 1) == top .. "/" and not keep(path:sub(#top + 2), "file") then
        fake.files[path] = nil
      end
    end
    local gone
    repeat
      gone = false
      for path in pairs(fake.directories) do
        if (path == top or path:sub(1, #top + 1) == top .. "/") and #children(path) == 0 then
          fake.directories[path], gone = nil, true
          break
        end
      end
    until not gone
    return 0
  end

  function core.run(argv, options)
    fake.calls[#fake.calls + 1] = "run " .. table.concat(argv, " ")
    fake.environment = options.environment
    return { status = fake.exits[argv[1]] or 0 }
  end

  function core.sync(path)
    return failing("sync", type(path) == "table" and table.concat(path, " ") or path)
  end

  function core.append_file(path, text)
    local ok, reason, errno = failing("append_file", path)
    if not ok then
      return nil, reason, errno
    elseif not fake.directories[parent(path)] then
      return missing(path)
    end
    local old = fake.files[path] or ""
    fake.files[path] = old .. text
    return #old
  end

  function core.rename(from, to)
    local ok, reason, errno = failing("rename", from)
    if not ok then
      return nil, reason, errno
    elseif not fake.files[from] then
      return missing(from)
    end
    fake.files[from], fake.files[to] = nil, fake.files[from]
    return true
  end

  function core.umask(mask) local old = fake.umask or 18; fake.umask = mask; return old end
  function core.working_directory() return real.working_directory() end
  function core.hold_interrupts() end
  function core.check_interrupt() end
  function core.watchdog(seconds) fake.watchdog = seconds end
  function core.effective_uid() return 0 end
  function core.hostname() return "mail.example.com" end

  return fake
end

---A picture of everything, to compare before and after.
---@return table
function M.picture(fake)
  local picture = {}
  for path, text in pairs(fake.files) do
    picture[path] = text
  end
  for path in pairs(fake.directories) do
    picture[path] = picture[path] or true
  end
  -- Where locks and the history are kept; a journal counts.
  picture["/run"], picture["/run/postmulti"] = nil, nil
  for path in pairs(picture) do
    if path:find "^/var/lib/postmulti" and not path:find "/journal$" then
      picture[path] = nil
    end
  end
  return picture
end

return M
