--- A core that changes nothing: what would be written is kept in memory, where whoever looks finds it, and is told.
--
-- So every check is made as if the work were done, and a script that creates an instance can go on to edit it.

local M = {}

-- Where locks and journals are: that they come and go is of no interest.
local OWN = { "/run/postmulti", "/var/lib/postmulti" }

local ENOENT, EEXIST, ENOTEMPTY = 2, 17, 39

local function parent(path)
  local directory = path:match "^(.*)/[^/]*$"
  return directory ~= "" and directory or "/"
end

local function is_own(path)
  for _, top in ipairs(OWN) do
    if path == top or path:sub(1, #top + 1) == top .. "/" then
      return true
    end
  end
  return false
end

---The lines of NEW that OLD has not got, as one text.
local function added(old, new)
  local known, lines = {}, {}
  for line in old:gmatch "[^\n]+" do
    known[line] = true
  end
  for line in new:gmatch "[^\n]+" do
    if not known[line] and #lines < 20 then
      lines[#lines + 1] = line
    end
  end
  return #lines > 0 and ": " .. table.concat(lines, " | ") or ""
end

---@param real postmulti.core
---@param tell fun(text: string)  told "would ..." for each change
---@return postmulti.core
function M.new(real, tell)
  local files, directories, gone = {}, {}, {}  -- what would be there, and what would not
  local core = setmetatable({}, { __index = real })

  local function say(path, format, ...)
    if not is_own(path) then
      tell("would " .. format:format(...))
    end
  end

  local function is_gone(path)
    while path ~= "/" do
      if files[path] or directories[path] then
        return false
      elseif gone[path] then
        return true
      end
      path = parent(path)
    end
    return false
  end

  local function missing(path)
    return nil, path .. ": No such file or directory", ENOENT
  end

  function core.stat(path, follow)
    if files[path] or directories[path] then
      return {
        type = files[path] and "file" or "directory", mode = tonumber(files[path] and "644" or "755", 8),
        uid = core.effective_uid(), gid = 0, size = files[path] and #files[path] or 0, links = 1, device = -1,
        inode = path, mtime = 0,
      }
    elseif is_gone(path) then
      return missing(path)
    end
    return real.stat(path, follow)
  end

  function core.read_file(path)
    if files[path] then
      return files[path]
    elseif is_gone(path) then
      return missing(path)
    end
    return real.read_file(path)
  end

  function core.read_plain()
    return false -- as if each file had something special
  end

  function core.read_parameters(path, wanted)
    if not files[path] then
      if is_gone(path) then
        return nil, path .. ": No such file or directory", ENOENT, "missing"
      end
      return real.read_parameters(path, wanted)
    end
    local settings, remarks = real.parse_main(files[path], path)
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
    local found, names = {}, {}
    if not is_gone(path) then
      local there, reason, errno = real.list(path)
      if not there and not directories[path] then
        return there, reason, errno
      end
      for _, one in ipairs(there or {}) do
        if not is_gone(path .. "/" .. one.name) then
          found[one.name] = one.type
        end
      end
    elseif not directories[path] then
      return missing(path)
    end
    for kind, set in pairs { file = files, directory = directories } do
      for one in pairs(set) do
        if parent(one) == path then
          found[one:match "[^/]+$"] = kind
        end
      end
    end
    for name in pairs(found) do
      names[#names + 1] = name
    end
    table.sort(names)
    for index, name in ipairs(names) do
      names[index] = { name = name, type = found[name] }
    end
    return names
  end

  function core.make_path(path)
    local created = {}
    while not core.stat(path) do
      table.insert(created, 1, path)
      path = parent(path)
    end
    for _, one in ipairs(created) do
      directories[one] = true
      say(one, "make the directory %s", one)
    end
    return created
  end

  function core.set_permissions(base, name, options)
    local path = name and base .. "/" .. name or base
    if core.stat(path) then
      return "unchanged"
    elseif options.create then
      directories[path] = true
      return "created"
    end
    return missing(path)
  end

  function core.create_file(path, text, options)
    if core.stat(path) and not (options and options.replace) then
      return nil, path .. ": File exists", EEXIST
    elseif not core.stat(parent(path)) then
      return missing(path)
    end
    files[path] = text
    say(path, "make the file %s", path)
    return true
  end

  function core.edit(path)
    local text, reason, errno = core.read_file(path)
    if not text then
      return nil, reason, errno
    end
    local edit = { text = text, path = path }
    function edit.commit(_, new)
      if new == text then
        return "unchanged"
      end
      files[path] = new
      say(path, "change %s%s", path, added(text, new))
      return "changed"
    end
    function edit.rollback() end
    return setmetatable(edit, { __close = function() end })
  end

  function core.lock()
    return { release = function() end }
  end

  function core.unlink(path)
    if not core.stat(path, false) then
      return missing(path)
    end
    files[path], gone[path] = nil, true
    say(path, "remove the file %s", path)
    return true
  end

  function core.rmdir(path)
    local names, reason, errno = core.list(path)
    if not names then
      return nil, reason, errno
    elseif #names > 0 then
      return nil, path .. ": Directory not empty", ENOTEMPTY
    end
    directories[path], gone[path] = nil, true
    say(path, "remove the directory %s", path)
    return true
  end

  function core.remove_tree(base, name, options)
    local path = base .. "/" .. name
    local stat, reason, errno = core.stat(path, false)
    if not stat then
      return nil, reason, errno
    end
    local keep = options and options.keep
    local removed = 0
    local function remove(at, relative)
      local one = core.stat(at, false)
      if relative ~= "" and keep and keep(relative, one.type) then
        return false
      end
      local empty = true
      for _, entry in ipairs(one.type == "directory" and core.list(at) or {}) do
        local below = relative == "" and entry.name or relative .. "/" .. entry.name
        empty = remove(at .. "/" .. entry.name, below) and empty
      end
      if not empty then
        return false
      end
      files[at], directories[at], gone[at] = nil, nil, true
      removed = removed + 1
      return true
    end
    if not remove(path, "") then
      return nil, path .. ": Directory not empty", ENOTEMPTY
    end
    return removed
  end

  function core.sync()
    return true
  end

  function core.rename()
    return true -- only what is our own is renamed
  end

  ---The program is not run, but for one that is said to change nothing.
  function core.run(argv, options)
    if options and options.harmless then
      options.harmless = nil
      return real.run(argv, options)
    end
    local config = options and options.environment and options.environment.MAIL_CONFIG
    tell("would run " .. table.concat(argv, " ") .. (config and (" (for %s)"):format(config) or ""))
    return { status = 0, stdout = options and options.stdout == "capture" and "" or nil,
      stderr = options and options.stderr == "capture" and "" or nil }
  end

  return core
end

return M
