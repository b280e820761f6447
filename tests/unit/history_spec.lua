-- the history of changes, and taking the last one back
local fake_core = require "tests.support.fake_core"
local postmulti = require "postmulti"

local HISTORY = "/var/lib/postmulti/etc-postfix/"

local FILES = {
  ["/etc/postfix/main.cf"] = "multi_instance_wrapper = x\nmulti_instance_enable = yes\n"
    .. "multi_instance_directories = /etc/postfix-out\n",
  ["/etc/postfix/main.cf.proto"] = "",
  ["/etc/postfix/master.cf.proto"] = "# master\n",
  ["/etc/postfix/postfix-files"] =
    "$queue_directory/active:d:root:-:700:ucr\n$config_directory/main.cf:f:root:-:644:p\n",
  ["/etc/postfix-out/main.cf"] = "queue_directory = /var/spool/postfix-out\ndata_directory = /var/lib/postfix-out\n"
    .. "multi_instance_name = postfix-out\n",
  ["/etc/postfix-out/master.cf"] = "smtp inet n - n - - smtpd\n",
  ["/etc/postfix-old/main.cf"] = "queue_directory = /var/spool/postfix-old\ndata_directory = /var/lib/postfix-old\n",
  ["/etc/postfix-old/master.cf"] = "",
  ["/etc/notes"] = "a\n",
  ["/usr/sbin/postfix"] = "",
  ["/usr/lib/postfix/sbin/master"] = "",
}

local function new()
  local fake = fake_core.new(FILES)
  for _, directory in ipairs { "/var/spool/postfix-out/active", "/var/lib/postfix-out", "/var/spool/postfix-old" } do
    while directory ~= "" do
      fake.directories[directory] = true
      directory = directory:match "^(.*)/"
    end
  end
  local messages = {}
  local host = postmulti.open {
    core = fake.core, report = function(_, text) messages[#messages + 1] = text end,
  }
  return fake, host, messages
end

local function refusal(func, ...)
  local ok, problem = pcall(func, ...)
  assert.is_false(ok)
  assert.is_true(postmulti.is_error(problem), tostring(problem))
  return problem
end

local changes = {
  init = function(host) host:init { wrapper = "another -p --" } end,
  create = function(host) host:create { name = "postfix-in", group = "mta" } end,
  import = function(host) host:import { config_directory = "/etc/postfix-old", name = "postfix-old" } end,
  deport = function(host) host:instance("out"):deport() end,
  destroy = function(host) host:instance("out"):destroy() end,
  enable = function(host) host:instance("out"):enable() end,
  assign = function(host) host:instance("out"):assign { name = "postfix-z", group = "g" } end,
  set = function(host) host:instance("out"):set { myhostname = "out.example.com" } end,
  services = function(host) host:instance("out"):set_fields("smtp/inet", { chroot = "y" }) end,
  ["new file"] = function(host) host:write_file("/etc/new", "text\n") end,
  ["changed file"] = function(host) host:write_file("/etc/notes", "b\n") end,
  ["removed file"] = function(host) host:remove_file "/etc/notes" end,
  ["removed, then written"] = function(host)
    host:transaction(function() host:remove_file "/etc/notes" host:write_file("/etc/notes", "c\n") end)
  end,
  directories = function(host) host:make_directory "/srv/a/b" end,
  ["several steps"] = function(host)
    host:transaction(function()
      host:create({ name = "postfix-a" }):enable()
      host:instance("out"):set { a = 1 }
      host:instance("out"):set { a = 2, b = 3 }
      host:instance("out"):destroy()
      host:create({ name = "postfix-b" }):destroy()
      host:write_file("/etc/new", "1\n")
      host:write_file("/etc/new", "2\n")
      host:remove_file "/etc/notes"
    end)
  end,
}

describe("undo", function()
  for name, change in pairs(changes) do
    it("takes back: " .. name, function()
      local fake, host = new()
      local before = fake_core.picture(fake)
      change(host)
      local after = fake_core.picture(fake)
      assert.are_not.same(before, after)
      local undone = host:undo()
      assert.are.equal(1, undone.number)
      assert.are.same(before, fake_core.picture(fake))
      -- and so that the same change can be made again
      change(host)
      assert.are.same(after, fake_core.picture(fake))
    end)

    it("is whole or absent, whichever call fails: " .. name, function()
      local point, fake, host, hit = 0
      repeat
        point = point + 1
        local messages
        fake, host, messages = new()
        local before = fake_core.picture(fake)
        change(host)
        local after = fake_core.picture(fake)
        fake.calls, fake.fail_at = {}, point
        messages[1] = nil
        local ok, problem = pcall(host.undo, host)
        hit, fake.fail_at = fake.calls[point], nil
        host:transaction(function() end) -- clears away what could not be
        local now = fake_core.picture(fake)
        if ok or problem.kind == "unsafe" then
          -- but for a file that could not be looked at, which is named
          local left = hit and hit:match "^read_file (/.*)" or ""
          if left ~= "" and now[left] ~= before[left] then
            assert.matches("please remove " .. left:gsub("%p", "%%%0") .. " by hand", messages[1])
            while left ~= "" do
              now[left], before[left], left = nil, nil, left:match "^(.*)/"
            end
          end
          assert.are.same(before, now)
        else
          assert.are.same(after, now)
        end
      until not hit
      assert.is_true(point > 3)
    end)
  end

  it("takes back one after the other", function()
    local fake, host = new()
    local pictures = {}
    for _, name in ipairs { "set", "create", "enable", "removed file", "assign" } do
      pictures[#pictures + 1] = fake_core.picture(fake)
      changes[name](host)
    end
    for index = #pictures, 1, -1 do
      host:undo()
      assert.are.same(pictures[index], fake_core.picture(fake))
    end
    assert.are.equal("not found", refusal(host.undo, host).kind)
  end)

  it("leaves everything when a file was changed since", function()
    local fake, host = new()
    changes.create(host)
    fake.files["/etc/postfix-in/main.cf"] = fake.files["/etc/postfix-in/main.cf"] .. "x = y\n"
    local now = fake_core.picture(fake)
    local problem = refusal(host.undo, host)
    assert.are.equal("changed", problem.kind)
    assert.are.equal("change 1 (create postfix-in) is not undone: /etc/postfix-in/main.cf was changed since",
      problem.message)
    assert.are.same(now, fake_core.picture(fake))
  end)

  it("leaves everything when a file is gone, or there again", function()
    local fake, host = new()
    changes.set(host)
    fake.files["/etc/postfix-out/main.cf"] = nil
    assert.matches("/etc/postfix%-out/main.cf is not there any more", refusal(host.undo, host).message)
    fake, host = new()
    changes["removed file"](host)
    fake.files["/etc/notes"] = "again"
    assert.matches("/etc/notes was removed by it, and is there again", refusal(host.undo, host).message)
    assert.are.equal("again", fake.files["/etc/notes"])
  end)

  it("leaves a directory into which something was put", function()
    local fake, host = new()
    changes.create(host)
    fake.files["/var/spool/postfix-in/active/message"] = ""
    assert.matches("/var/spool/postfix%-in/active/message was not there then", refusal(host.undo, host).message)
  end)

  it("leaves an instance that runs", function()
    local fake, host = new()
    changes.import(host)
    fake.locked["/var/spool/postfix-old/pid/master.pid"] = 77
    assert.matches("postfix%-old is running %(master process 77%); stop it first", refusal(host.undo, host).message)
  end)

  it("has the objects of the API tell the truth", function()
    local _, host = new()
    local out = host:instance "out"
    out:enable()
    host:undo()
    assert.is_false(out.enabled)
    changes.create(host)
    host:undo()
    assert.are.equal("not found", refusal(host.instance, host, "in").kind)
  end)

  it("changes nothing in a dry run", function()
    local fake, host = new()
    changes.create(host)
    local now = fake_core.picture(fake)
    local told = {}
    local trial = postmulti.open {
      core = fake.core, dry_run = true, report = function(_, text) told[#told + 1] = text end,
    }
    trial:undo()
    assert.are.same(now, fake_core.picture(fake))
    assert.matches("would change /etc/postfix/main.cf", told[1])
    assert.matches("would remove the file /etc/postfix%-in/", table.concat(told, "\n"))
    assert.is_truthy(fake.files[HISTORY .. "000001"])
  end)

  it("is no part of another transaction", function()
    local _, host = new()
    changes.set(host)
    local problem = refusal(host.transaction, host, function() host:undo() end)
    assert.are.equal("usage", problem.kind)
  end)

  it("passes over a change that is not readable any more", function()
    local fake, host = new()
    local before = fake_core.picture(fake)
    changes.set(host)
    fake.files[HISTORY .. "000002"] = "half a rec"
    assert.are.equal(1, host:undo().number)
    assert.are.same(before, fake_core.picture(fake))
  end)
end)

describe("the history", function()
  it("tells what was done, who did it and by what command", function()
    local _, host = new()
    changes.create(host)
    changes["changed file"](host)
    changes["several steps"](host)
    host:undo()
    local list = host:history()
    assert.are.same({ "create postfix-in" }, list[1].actions)
    assert.are.same({ "change /etc/notes" }, list[2].actions)
    assert.are.equal("create postfix-a, enable postfix-a, destroy postfix-out, create postfix-b, destroy postfix-b",
      table.concat(list[3].actions, ", "))
    assert.are.same({ true, 3, false, true }, {
      list[3].is_undone, list[4].undoes, list[4].is_undone, math.abs(list[1].time - os.time()) < 60,
    })
    assert.are.equal(4, #list)
  end)

  it("does not tell of what changed nothing", function()
    local fake, host = new()
    host:init { wrapper = "x" }
    host:instance("out"):set { multi_instance_name = "postfix-out" }
    host:transaction(function() host:instance("out"):set { multi_instance_name = "postfix-out" } end)
    assert.are.same({}, host:history())
    assert.is_nil(fake.files[HISTORY .. "journal"])
  end)

  it("is bounded", function()
    local fake, host = new()
    host.config = { history = 3 }
    for index = 1, 7 do
      host:instance("out"):set { a = index }
    end
    local numbers = {}
    for index, change in ipairs(host:history()) do
      numbers[index] = change.number
    end
    assert.are.same({ 5, 6, 7 }, numbers)
    host.config = { history = 0 }
    host:instance("out"):set { a = 8 }
    assert.is_nil(fake.files[HISTORY .. "000008"])
    assert.is_nil(fake.files[HISTORY .. "journal"])
  end)

  it("is missed by nobody who changes one file while there is no room for it", function()
    local fake, host, messages = new()
    local real = fake.core.append_file
    fake.core.append_file = function(path) return nil, path .. ": No space left on device", 28 end
    assert.is_true(host:instance("out"):enable())
    assert.matches("No space left on device %(the change is made all the same; %-%-undo will not know", messages[1])
    assert.are.equal("system", refusal(host.create, host, { name = "postfix-in" }).kind)
    fake.core.append_file = real
    assert.are.same({}, host:history())
  end)

  it("gives way where there is no room for the next change", function()
    local fake, host = new()
    for index = 1, 5 do
      host:instance("out"):set { a = index }
    end
    local real = fake.core.append_file
    fake.core.append_file = function(path, ...)
      if fake.files[HISTORY .. "000003"] then
        return nil, path .. ": No space left on device", 28
      end
      return real(path, ...)
    end
    host:create { name = "postfix-in" }
    local numbers = {}
    for index, change in ipairs(host:history()) do
      numbers[index] = change.number
    end
    assert.are.same({ 4, 5, 6 }, numbers)
  end)

  it("is root's", function()
    local fake = new()
    fake.core.effective_uid = function() return 1000 end
    local host = postmulti.open { core = fake.core }
    assert.are.equal("usage", refusal(host.history, host).kind)
    assert.are.equal("usage", refusal(host.undo, host).kind)
    assert.is_true(host:instance("out"):enable())
  end)

  it("tells of many actions in a few words", function()
    local history = require "postmulti.history"
    assert.are.equal("a, b, c, d", history.summary { actions = { "a", "b", "c", "d" } })
    assert.are.equal("a, b, c, d and 2 more", history.summary { actions = { "a", "b", "c", "d", "e", "f" } })
  end)

  it("is printed as lines and as JSON", function()
    local history = require "postmulti.history"
    local change = {
      number = 7, time = 0, user = "root", command = 'postmulti "x"', actions = { "create a", "enable a" },
      is_undone = true, records = {},
    }
    assert.matches("^     7  1970%-01%-0%d %d%d:%d0:00  root         create a, enable a %(undone%)\n$",
      history.line(change))
    assert.are.equal('{"actions":["create a","enable a"],"command":"postmulti \\"x\\"","number":7,'
      .. '"time":"1970-01-01T00:00:00Z","undone":true,"user":"root"}\n', history.json(change))
  end)
end)
