local real = require "postmulti.core"
local fake_core = require "tests.support.fake_core"
local journal = require "postmulti.journal"
local postmulti = require "postmulti"

local FILES = {
  ["/etc/postfix/main.cf"] = "multi_instance_wrapper = x\nmulti_instance_enable = yes\n"
    .. "multi_instance_directories = /etc/postfix-out\n",
  ["/etc/postfix/main.cf.proto"] = "",
  ["/etc/postfix/master.cf.proto"] = "# master\n",
  ["/etc/postfix/postfix-files"] =
    "$queue_directory/active:d:root:-:700:ucr\n$config_directory/main.cf:f:root:-:644:p\n",
  ["/etc/postfix-out/main.cf"] = "queue_directory = /var/spool/postfix-out\ndata_directory = /var/lib/postfix-out\n"
    .. "multi_instance_name = postfix-out\n",
  ["/etc/postfix-out/master.cf"] = "",
  ["/usr/sbin/postfix"] = "",
  ["/usr/lib/postfix/sbin/master"] = "",
  ["/var/lib/postfix-out/master.lock"] = "",
  ["/var/spool/postfix-out/private/x"] = "",
}

-- What a crash looks like to the program that comes after it: everything stops at once, no undo runs.
local function crash_at(fake, point)
  local core = setmetatable({}, { __index = fake.core })
  local count = 0
  local function may_crash(func)
    return function(...)
      count = count + 1
      if count >= point then
        error("crash", 0)
      end
      return func(...)
    end
  end
  for _, name in ipairs {
    "make_path", "create_file", "set_permissions", "unlink", "rmdir", "remove_tree", "append_file", "rename",
  } do
    core[name] = may_crash(fake.core[name])
  end
  core.edit = may_crash(function(...)
    local edit, reason, errno = fake.core.edit(...)
    if edit then
      edit.commit = may_crash(edit.commit)
    end
    return edit, reason, errno
  end)
  return core, function() return count >= point end
end

---Run ACTION, dead at the POINTth call that changes something. @return boolean died, table fake
local function crash(point, action)
  local fake = fake_core.new(FILES)
  local core, has_died = crash_at(fake, point)
  pcall(action, postmulti.open { core = core })
  return has_died(), fake
end

local function recovered(fake)
  local messages = {}
  local host = postmulti.open {
    core = fake.core, report = function(_, text) messages[#messages + 1] = text end,
  }
  host:transaction(function() end)
  return host, messages
end

---Kill ACTION at every point; after the next transaction the host is as before, or as after.
local function check_every_point(action)
  local before = fake_core.picture(fake_core.new(FILES))
  local fake = fake_core.new(FILES)
  action(postmulti.open { core = fake.core })
  local after = fake_core.picture(fake)
  local point, undone, finished = 0, 0, 0
  while true do
    point = point + 1
    local died
    died, fake = crash(point, action)
    if not died then
      break
    end
    recovered(fake)
    local now = fake_core.picture(fake)
    if pcall(assert.are.same, before, now) then
      undone = undone + 1
    else
      assert.are.same(after, now)
      finished = finished + 1
    end
  end
  return undone, finished
end

describe("a record", function()
  it("survives being written down, whatever it holds", function()
    local record = { op = "edit", path = "/a b\tc%0A", old = "x\n\0y=%\r\127\255", text = "" }
    local line = journal.encode(real, record)
    assert.are.equal(1, select(2, line:gsub("\n", "")))
    assert.are.same(record, journal.decode(real, line:sub(1, -2)))
  end)

  it("does not count when it is not whole", function()
    local one = journal.encode(real, { op = "edit", path = "/a" })
    local other = journal.encode(real, { op = "lock", path = "/b" })
    for cut = 1, #one - 2 do
      local records = journal.parse(real, "\n" .. one:sub(1, cut) .. "\n" .. other, 0)
      assert.are.same({ { op = "lock", path = "/b" } }, records)
    end
    assert.is_nil(journal.decode(real, (one:sub(1, -2):gsub("/a", "/b"))))
  end)

  it("can be taken back by a later one", function()
    local lines = {}
    for _, path in ipairs { "/a", "/b", "/c" } do
      lines[#lines + 1] = journal.encode(real, { op = "lock", path = path })
    end
    lines[#lines + 1] = journal.encode(real, { op = "rewind", path = "/", count = "1" })
    lines[#lines + 1] = journal.encode(real, { op = "lock", path = "/d" })
    local records, known = journal.parse(real, table.concat(lines), 0)
    assert.are.same({ "/a", "/d", 0 }, { records[1].path, records[2].path, known })
    records, known = journal.parse(real, lines[4] .. lines[5], 3)
    assert.are.same({ "/d", 1, 1 }, { records[1].path, #records, known })
  end)
end)

describe("after a crash at any call", function()
  it("create is undone, or complete", function()
    local undone, finished = check_every_point(function(host) host:create { name = "postfix-in", group = "mta" } end)
    assert.is_true(undone >= 8, undone)
    assert.is_true(finished >= 1, finished)
  end)

  it("destroy is undone, or complete", function()
    local undone, finished = check_every_point(function(host) host:instance("out"):destroy() end)
    assert.is_true(undone >= 2, undone)
    assert.is_true(finished >= 5, finished)
  end)

  it("a transaction over several instances is undone, or complete", function()
    local undone, finished = check_every_point(function(host)
      host:transaction(function()
        host:create({ name = "postfix-a" }):enable()
        host:create { name = "postfix-b" }
        host:instance("out"):set { myhostname = "out.example.com" }
      end)
    end)
    assert.is_true(undone >= 10, undone)
    assert.is_true(finished >= 1, finished)
  end)

  it("a file is as before, or written", function()
    local undone, finished = check_every_point(function(host) host:write_file("/etc/postfix/transport", "x\n") end)
    assert.is_true(undone >= 3, undone)
    assert.is_true(finished >= 1, finished)
  end)

  it("a file that a transaction removed is there again, or gone with the rest", function()
    local undone = check_every_point(function(host)
      host:transaction(function()
        host:remove_file "/etc/postfix-out/master.cf"
        host:instance("out"):set { myhostname = "out.example.com" }
      end)
    end)
    assert.is_true(undone >= 4, undone)
    local _, finished = check_every_point(function(host)
      host:transaction(function()
        host:remove_file "/etc/postfix/main.cf.proto"
        host:instance("out"):destroy()
      end)
    end)
    assert.is_true(finished >= 4, finished)
  end)

  -- Killed at any point, its recovery killed at any point, too, and recovered then. Returns how many were tried.
  local function check_pairs(action)
    local before = fake_core.picture(fake_core.new(FILES))
    local done = fake_core.new(FILES)
    action(postmulti.open { core = done.core })
    local after, tried = fake_core.picture(done), 0
    for point = 1, math.huge do
      local died
      for second = 1 + point % 3, math.huge, 3 do
        local fake
        died, fake = crash(point, action)
        local core, has_died_again = crash_at(fake, second)
        pcall(function() postmulti.open({ core = core, report = function() end }):transaction(function() end) end)
        recovered(fake)
        local now = fake_core.picture(fake)
        if not pcall(assert.are.same, before, now) then
          assert.are.same(after, now)
        end
        tried = tried + 1
        if not died or not has_died_again() then
          break
        end
      end
      if not died then
        return tried
      end
    end
  end

  it("a recovery that is interrupted, too, is made good by the next one", function()
    -- The primary is written twice: before the child, and at the end.
    local tried = check_pairs(function(host)
      host:transaction(function()
        host:create { name = "postfix-a" }
        host:run { "child" }
        host:instance("out"):destroy()
      end)
    end)
    assert.is_true(tried > 200, tried)
  end)

  it("so it is where the primary ends with the text that it had at first", function()
    local tried = check_pairs(function(host)
      host:transaction(function()
        host:instance("out"):set { myhostname = "out.example.com" }
        local new = host:create { name = "postfix-a" }
        host:run { "child" }
        new:destroy()
        host:write_file("/etc/postfix-out/transport", "x\n")
      end)
    end)
    assert.is_true(tried > 200, tried)
  end)

  it("nothing is said of a single file, which is whole or absent by itself", function()
    local _, fake = crash(5, function(host) host:write_file("/etc/postfix/transport", "x\n") end)
    assert.is_truthy(fake.files["/var/lib/postmulti/etc-postfix/journal"])
    local _, messages = recovered(fake)
    assert.are.same({}, messages)
    assert.is_nil(fake.files["/var/lib/postmulti/etc-postfix/journal"])
  end)

  it("a journal that cannot be read at the moment is left to the next one", function()
    local action = function(host) host:instance("out"):destroy() end
    local done = fake_core.new(FILES)
    action(postmulti.open { core = done.core })
    local point = 0
    repeat -- until it dies with the primary written
      point = point + 1
      local _, fake = crash(point, action)
      if fake.files["/etc/postfix/main.cf"] == done.files["/etc/postfix/main.cf"] then
        local now, read_file = fake_core.picture(fake), fake.core.read_file
        fake.core.read_file = function(path)
          if path:find "/journal$" then
            fake.core.read_file = read_file
            return nil, path .. ": Interrupted system call", 4
          end
          return read_file(path)
        end
        assert.is_false((pcall(recovered, fake)))
        assert.are.same(now, fake_core.picture(fake))
        recovered(fake)
        assert.are.same(fake_core.picture(done), fake_core.picture(fake))
        point = math.huge
      end
    until point > 100
    assert.are.equal(math.huge, point)
  end)

  it("says what it did about it, and leaves no journal", function()
    local _, fake = crash(5, function(host) host:create { name = "postfix-in" } end)
    local _, messages = recovered(fake)
    assert.matches("interrupted; what it had begun is undone", messages[1])
    _, messages = recovered(fake)
    assert.are.same({}, messages)
  end)

  it("what cannot be undone now is named, and left to the next command", function()
    local fake, messages = fake_core.new(FILES), {}
    local before = fake_core.picture(fake)
    local edit = fake.core.edit
    local host = postmulti.open { core = fake.core, report = function(_, text) messages[#messages + 1] = text end }
    local ok = pcall(host.transaction, host, function()
      host:instance("out"):set { myhostname = "out.example.com" }
      fake.core.edit = function(path) return nil, path .. ": No space left on device", 28 end
      error "no"
    end)
    assert.is_false(ok)
    assert.are.same({ "cannot undo: /etc/postfix-out/main.cf: No space left on device",
      "the next command tries again to undo what is left" }, messages)
    fake.core.edit = edit
    recovered(fake)
    assert.are.same(before, fake_core.picture(fake))
  end)

  it("a removed file is gone from the disk before something else is written", function()
    local point = 0
    local fake
    repeat
      point = point + 1
      fake = select(2, crash(point, function(host) host:create { name = "postfix-in" } end))
    until fake.files["/etc/postfix-in/main.cf"]
    for name in pairs { unlink = true, edit = true, create_file = true, sync = true } do
      local func = fake.core[name]
      fake.core[name] = function(path, ...)
        fake.order[#fake.order + 1] = name .. " " .. (type(path) == "table" and table.concat(path, " ") or path)
        return func(path, ...)
      end
    end
    fake.order = {}
    recovered(fake)
    local followed = 0
    for index, call in ipairs(fake.order) do
      if call:find "^unlink /etc/postfix%-in/.*%.cf$" then
        assert.equal("sync /etc/postfix-in", fake.order[index + 1])
        followed = followed + 1
      end
    end
    assert.is_true(followed > 0)
  end)

  it("a file that somebody changed since is left, and named", function()
    local _, fake = crash(12, function(host) host:create { name = "postfix-in" } end)
    assert.is_truthy(fake.files["/etc/postfix-in/main.cf"])
    fake.files["/etc/postfix-in/main.cf"] = "mine"
    local _, messages = recovered(fake)
    assert.are.equal("mine", fake.files["/etc/postfix-in/main.cf"])
    assert.matches("^/etc/postfix%-in/main.cf: another program changed it", messages[2])
  end)
end)
