-- memory_fault.lua - the operations of memory_fault.c, and what must be true after each
--
--	own, name = ...		name nil: returns the list of names; otherwise nil, or what is wrong
--
-- An operation is { name, prepare, run, ... }. `run` is what is attempted, in the present directory, which `prepare`
-- has filled. It must return what it returns when nothing fails, or nil, a reason and ENOMEM, or raise "not enough
-- memory". After success all files must be as after it; after a failure as before, and it must work when repeated.
--   steps	true: what it did before it failed may stay; repeating it must finish the work
--   late	true: what it needs is gone once its work is done (ENOENT when repeated)
--   poorer	the reason may say less than it does with memory at hand

local core, loader = require "postmulti.core", require "postmulti.loader"
local own, wanted = ...

local ENOMEM, ENOENT = 12, 2

-- ------------------------------------------------------------------- files

local function put(path, text, mode)
  assert(core.create_file(path, text, { mode = mode or 420, replace = true }))
end

local function mkdir(path)
  assert(core.make_path(core.working_directory() .. "/" .. path))
end

local function describe(path, found)
  local stat = assert(core.stat(path, false))
  local text = ("%s %o %d:%d %s"):format(stat.type, stat.mode, stat.uid, stat.gid, own.label(path) or "")
  if stat.type == "directory" then
    for _, entry in ipairs(assert(core.list(path))) do
      describe(path .. "/" .. entry.name, found)
    end
  elseif stat.type == "file" then
    text = text .. " " .. assert(core.read_file(path)):gsub("%c", "|")
  end
  found[#found + 1] = path .. " " .. text
end

local function snapshot()
  local found = {}
  describe(".", found)
  return table.concat(found, "\n")
end

local function clear()
  for _, entry in ipairs(assert(core.list ".")) do
    assert(core.remove_tree(".", entry.name))
  end
end

local function serialize(value)
  if type(value) ~= "table" then
    return ("%q"):format(value)
  end
  local keys, parts = {}, {}
  for key in pairs(value) do
    keys[#keys + 1] = key
  end
  table.sort(keys, function(a, b) return tostring(a) < tostring(b) end)
  for _, key in ipairs(keys) do
    parts[#parts + 1] = tostring(key) .. "=" .. serialize(value[key])
  end
  return "{" .. table.concat(parts, ",") .. "}"
end

-- --------------------------------------------------------------- operations

local MAIN = "# main.cf\nmyhostname = a.example\nrelayhost =\n  [b.example]:25\n  # within\n  c\n\nempty =\n"
  .. "mynetworks = 127.0.0.0/8\nmyhostname = twice.example\nnul = x\0y\n"
  .. ("long = x\n" .. (" y"):rep(60) .. "\n"):rep(4)
local MASTER = "# master.cf\nsmtp inet n - y - - smtpd\n  -o syslog_name=x\n # within\n  -o { smtpd_banner = a b }\n"
  .. "pickup unix n - y 60 1 pickup\nlocal unix - n n - - local -v { an argument } \\\n  -o x=y\n"
  .. "smtp unix - - y - - smtp\n" .. "x unix - n n - - pipe\n  flags=D user=u argv=/bin/x ${a} {b c}\n"

local function main_cf()
  put("main.cf", MAIN)
end

local function old_file()
  put("f", ("relayhost = old\n"):rep(400), 416)
  own.set_label("f", "kept")
end

local NEW = ("relayhost = new.example\n"):rep(700)

local function edit(path)
  local handle <close>, reason, errno = core.edit(path)
  if not handle then
    return nil, reason, errno
  end
  return handle:commit(NEW)
end

local function tree()
  mkdir "t/a/b/c"
  mkdir "t/keep"
  put("t/f", "")
  put("t/a/b/f", "x")
  put("t/a/b/c/g", "y")
  put("t/keep/k", "z")
  for index = 1, 9 do
    mkdir(("t/many/%d"):format(index))
  end
end

local values = { a = "x$b", b = "${c?{yes}:{no}}", c = "1", deep = "$a$a$a", bad = "${", self = "$self",
  level = "${{$c} == {1}?{" .. ("long "):rep(40) .. "}}" }

local function script_file()
  put("s", "echo \"$1\"\n", 493)
end

local function run(argv, options)
  options.environment = { PATH = "/nowhere:" .. core.working_directory() .. ":/bin:/usr/bin", X = false, Y = "new" }
  options.keep_environment = { "HOME" }
  return core.run(argv, options)
end

local operations = {
  { "read_parameters", main_cf, function()
    return core.read_parameters("main.cf", { "relayhost", "long", "none" })
  end },
  { "read_parameters all", main_cf, function() return core.read_parameters "main.cf" end },
  { "read_parameters missing", nil, function() return core.read_parameters "no/main.cf" end },
  { "read_parameters malformed", function() put("main.cf", "a = b\nno equals\n") end,
    function() return core.read_parameters "main.cf" end },
  { "parse_main", nil, function() return core.parse_main(MAIN, "main.cf") end },
  { "parse_main malformed", nil, function() return core.parse_main("x = y\n = z\n", "main.cf") end },
  { "edit_main", nil, function()
    return core.edit_main(MAIN, { { "set", "relayhost", "new" }, { "set", "added", "x" }, { "comment", "long" },
      { "remove", "myhostname" }, { "set", "relayhost", "newer" } }, "main.cf")
  end },
  { "edit_main refused", nil, function() return core.edit_main(MAIN, { { "set", "a b", "x" } }) end },
  { "parse_master", nil, function() return core.parse_master(MASTER, "master.cf") end },
  { "parse_master malformed", nil, function() return core.parse_master("smtp inet n\n", "master.cf") end },
  { "edit_master", nil, function()
    return core.edit_master(MASTER, { { "service", "new/unix", "new unix - - n - - new -o a=b" },
      { "service", "pickup/unix", "pickup unix n - n 60 1 pickup" }, { "field", "smtp/inet/chroot", "n" },
      { "override", "smtp/inet/syslog_name", "y" }, { "override", "local/unix/added", "a b" },
      { "remove-override", "smtp/inet/smtpd_banner" }, { "comment-service", "x/unix" },
      { "remove-service", "smtp/unix" }, { "remove-service", "none/unix" } }, "master.cf")
  end },
  { "edit_master refused", nil, function()
    return core.edit_master(MASTER, { { "field", "smtp/inet/chroot", "q" } })
  end },
  { "expand", nil, function() return core.expand("$deep ${level} $$ $none", values) end },
  { "expand by a function", nil, function()
    return core.expand("$deep ${level}", function(name) return values[name] end)
  end },
  { "expand malformed", nil, function() return core.expand("a $bad", values) end },
  { "expand a loop", nil, function() return core.expand("$self", values) end },
  { "squeeze", nil, function() return core.squeeze((" a\t\r\n b"):rep(60)) end },
  { "edit", old_file, function() return edit "f" end },
  { "edit through links", function()
    old_file()
    mkdir "d"
    own.symlink("../f", "d/l")
    own.symlink("d/l", "m")
  end, function() return edit "m" end },
  { "edit over a leftover", function()
    old_file()
    put("f.tmp", "half a text", 384)
  end, function() return edit "f" end },
  { "edit and roll back", old_file, function()
    local handle, reason, errno = core.edit "f"
    if not handle then
      return nil, reason, errno
    end
    local text = handle.text
    handle:rollback()
    return text
  end },
  { "edit missing", nil, function() return edit "f" end },
  { "create_file", nil, function() return core.create_file("n", NEW, { mode = 416, times_from = "/" }) end },
  { "create_file replaces", old_file, function() return core.create_file("f", NEW, { replace = true }) end },
  { "create_file exists", old_file, function() return core.create_file("f", NEW) end },
  { "lock", nil, function()
    local lock, reason, errno = core.lock("l", { create = true })
    if not lock then
      return nil, reason, errno
    end
    lock:release()
    return true
  end, steps = true },
  { "lock that is held", function() put("l", "") end, function()
    local mine <close>, reason, errno = core.lock "l"
    if not mine then
      return nil, reason, errno
    end
    return core.lock("l", { timeout = 0 })
  end, poorer = true },
  { "locked", function() put("l", "") end, function()
    local mine <close>, reason, errno = core.lock "l"
    if not mine then
      return nil, reason, errno
    end
    return (core.locked "l")
  end },
  { "stat", old_file, function() return core.stat("f").size end },
  { "read_file", old_file, function() return core.read_file "f" end },
  { "list", tree, function() return core.list "t/many" end },
  { "real_path", tree, function() return core.real_path "t/./a/../a/b" end },
  { "real_path missing", tree, function() return core.real_path "t/x" end },
  { "make_path", tree, function()
    return core.make_path(core.working_directory() .. "/t/" .. ("new/"):rep(20), { mode = 448, uid = 1, gid = 1 })
  end },
  { "set_permissions create", tree, function()
    return core.set_permissions(".", "t/x", { type = "directory", create = true, uid = 1, gid = 1, mode = 456 })
  end },
  { "set_permissions recursive", tree, function()
    return core.set_permissions(".", "t", { type = "directory", recursive = true, uid = 1, gid = 1, mode = 448 })
  end, steps = true },
  { "set_permissions file", tree, function()
    return core.set_permissions(".", "t/a/b/f", { type = "file", uid = 1, gid = 1, mode = 384 })
  end },
  { "set_permissions missing", tree, function()
    return core.set_permissions(".", "t/none/x", { type = "directory", mode = 448 })
  end },
  { "count_files", tree, function() return core.count_files(".", "t") end },
  { "remove_tree", tree, function() return core.remove_tree(".", "t") end, steps = true, late = true },
  { "remove_tree and keep", tree, function()
    return core.remove_tree(".", "t", { keep = function(path) return path == "keep" end })
  end, steps = true, late = true },
  { "run", nil, function()
    return run({ "sh", "-c", "cat; echo $Y; pwd; head -c 100000 /dev/zero; echo here >&2; exit 3" },
      { stdout = "capture", stderr = "capture", input = ("input\n"):rep(40), directory = "/", time_limit = 60 })
  end },
  { "run a script", script_file, function()
    return run({ "s", "argument" }, { stdin = "null", stdout = "capture" })
  end },
  { "run nothing", nil, function() return run({ "no-such-program" }, {}) end },
  { "prefetch", tree, function()
    local handle <close> = core.prefetch({ "t/f", "t/a/b/f", "t/a/b/c/g", "t/none", "t/keep/k" }, "")
    return handle ~= nil
  end },
  { "loader compile", function() put("m.lua", "local a = ...\nreturn { a, 'text' }\n") end, function()
    local text, reason = loader.compile("m.lua", "m.lua")
    return text, reason, not text and ENOMEM or nil
  end },
  { "loader load", function()
    put("m.lua", "local a = ...\nreturn { a, 'text' }\n")
    put("m.luac", loader.compile("m.lua", "m.lua"))
  end, function()
    local chunk, reason = loader.load "m.lua" -- compiled or not
    if not chunk then
      return nil, reason, ENOMEM
    end
    return chunk(1)
  end },
}

-- ------------------------------------------------------------------- checks

---The first line of one text that the other has not; nil: they are the same.
local function difference(one, other)
  if one == other then
    return nil
  end
  for line in (one .. "\n"):gmatch "(.-)\n" do
    if not ("\n" .. other .. "\n"):find("\n" .. line .. "\n", 1, true) then
      return line:sub(1, 100)
    end
  end
  return "less than " .. other:sub(1, 100)
end

---What is wrong with the outcome of a run, given what it is without a fault; nil: nothing.
local function judge(operation, got, result, want)
  local ok, value, reason, errno = table.unpack(got, 1, 4)
  if not ok then
    if tostring(value):find "not enough memory$" then
      return nil
    end
    return "raises " .. tostring(value)
  elseif result == want then
    return nil
  elseif value ~= nil then
    return "untrue success: " .. result
  elseif operation.poorer and want:find(("4=%d,"):format(errno), 1, true) then
    return nil
  elseif errno ~= ENOMEM then
    return ("another failure: %s (%s)"):format(tostring(reason), tostring(errno))
  elseif type(reason) ~= "string" or not reason:lower():find "memory" or reason:find "\n" or reason:find "^:" then
    return "no reason: " .. tostring(reason)
  end
end

local RESULT, BEFORE, AFTER = 0, 1, 2 -- notes of the run without a fault

local function prepared(operation)
  clear()
  if operation[2] then
    operation[2]()
  end
end

---The run without a fault.
local function learn(operation)
  prepared(operation)
  own.note(BEFORE, snapshot())
  own.note(RESULT, serialize(table.pack(own.attempt(operation[3]))))
  own.note(AFTER, snapshot())
end

---A run with one; what is wrong.
local function try(operation)
  prepared(operation)
  local got = table.pack(own.attempt(operation[3]))
  local result, want, before, after = serialize(got), own.note(RESULT), own.note(BEFORE), own.note(AFTER)
  local wrong, now = judge(operation, got, result, want), snapshot()
  if wrong then
    return wrong
  elseif result == want then
    wrong = difference(now, after)
    return wrong and "success, but the files are not as after it: " .. wrong
  elseif not operation.steps then
    wrong = difference(now, before)
    -- A leftover that was there may be gone.
    if wrong and now ~= before:gsub("[^\n]*f%.tmp [^\n]*\n", "") then
      return "failure, but the files are not as before it: " .. wrong
    end
  end
  local again, reason, errno = operation[3]()
  if again == nil and want:find "^{1=true,2=[^n]" and not (operation.late and errno == ENOENT) then
    return "cannot be repeated: " .. tostring(reason)
  end
  wrong = difference(snapshot(), after)
  return wrong and "repeated, the files are not as after it: " .. wrong
end

if not wanted then
  local names = {}
  for index, operation in ipairs(operations) do
    names[index] = operation[1]
  end
  return names
end
for _, operation in ipairs(operations) do
  if operation[1] == wanted then
    local wrong = (own.is_dry() and learn or try)(operation)
    clear()
    return wrong
  end
end
