local fake_core = require "tests.support.fake_core"
local postmulti = require "postmulti"

local MAIN = [[
compatibility_level = 3.6
multi_instance_wrapper = ${command_directory}/postmulti -p --
multi_instance_enable = yes
multi_instance_directories = /etc/postfix-out
]]

local POSTFIX_FILES = [[
# comment
$config_directory:d:root:-:755:u
$data_directory:d:root:-:700:uc
$queue_directory:d:root:-:755:uc
$queue_directory/active:d:root:-:700:ucr
$queue_directory/maildrop:d:root:root:730:uc
$config_directory/main.cf:f:root:-:644:p
$config_directory/master.cf:f:root:-:644:p
]]

local function secondary(name, group, more)
  return ("multi_instance_name = postfix-%s\nmulti_instance_group = %s\nqueue_directory = /var/spool/postfix-%s\n"
    .. "data_directory = /var/lib/postfix-%s\n%s"):format(name, group or "", name, name, more or "")
end

local function new_fake(files)
  local all = {
    ["/etc/postfix/main.cf"] = MAIN,
    ["/etc/postfix/master.cf"] = "",
    ["/etc/postfix/main.cf.proto"] = "#queue_directory = x\nmail_owner = postfix\nsendmail_path =\n",
    ["/etc/postfix/master.cf.proto"] = "# master\n",
    ["/etc/postfix/postfix-files"] = POSTFIX_FILES,
    ["/etc/postfix-out/main.cf"] = secondary("out", "mta"),
    ["/etc/postfix-out/master.cf"] = "",
    ["/usr/sbin/postfix"] = "",
    ["/var/lib/dpkg/status"] = "",
    ["/usr/lib/postfix/sbin/master"] = "",
    ["/var/spool/postfix/pid/master.pid"] = "",
    ["/var/spool/postfix-out/pid/master.pid"] = "",
  }
  for path, text in pairs(files or {}) do
    all[path] = text or nil
  end
  return fake_core.new(all)
end

local function open(fake)
  local messages = {}
  local host = postmulti.open {
    core = fake.core,
    report = function(level, text) messages[#messages + 1] = level .. ": " .. text end,
  }
  return host, messages
end

local function refusal(func, ...)
  local ok, problem = pcall(func, ...)
  assert.is_false(ok)
  assert.is_true(postmulti.is_error(problem), tostring(problem))
  return problem
end

describe("a host", function()
  it("lists the primary and its secondaries, with no lock and no change", function()
    local fake = new_fake()
    local host = open(fake)
    local seen = {}
    for instance in host:instances() do
      seen[#seen + 1] = instance:label()
    end
    assert.are.same({ "/etc/postfix", "postfix-out" }, seen)
    assert.are.same({}, fake.calls)
  end)

  it("keeps a damaged instance as a record with its reason", function()
    local fake = new_fake { ["/etc/postfix/main.cf"] = MAIN:gsub("%-out", "-out /etc/postfix-gone") }
    local host = open(fake)
    local bad = host:instance "gone"
    assert.matches("/etc/postfix%-gone/main.cf: No such file", bad.damage)
    assert.are.equal("damaged", refusal(bad.run, bad, { "true" }).kind)
    assert.is_nil(host:instance("out").damage)
  end)

  it("marks the second of two that claim the same directory", function()
    local fake = new_fake {
      ["/etc/postfix/main.cf"] = MAIN:gsub("%-out", "-out /etc/postfix-b"),
      ["/etc/postfix-b/main.cf"] = secondary("b"):gsub("spool/postfix%-b", "spool/postfix-out"),
    }
    local host = open(fake)
    assert.matches("queue_directory of /etc/postfix%-out", host:instance("b").damage)
  end)
end)

describe("create", function()
  it("makes files and directories, then enters the instance in the table", function()
    local fake = new_fake()
    local host = open(fake)
    local new = host:create { name = "postfix-in", group = "mta" }
    assert.are.equal("postfix-in", new.name)
    assert.are.equal("mta", new.group)
    assert.is_false(new.enabled)
    assert.are.equal("#queue_directory = x\n#mail_owner = postfix\n#sendmail_path =\n"
      .. "authorized_submit_users = \ndata_directory = /var/lib/postfix-in\nmaster_service_disable = inet\n"
      .. "queue_directory = /var/spool/postfix-in\nmulti_instance_group = mta\nmulti_instance_name = postfix-in\n",
      fake.files["/etc/postfix-in/main.cf"])
    assert.are.equal("# master\n", fake.files["/etc/postfix-in/master.cf"])
    assert.is_true(fake.directories["/var/spool/postfix-in/maildrop"])
    assert.matches("multi_instance_directories = /etc/postfix%-out /etc/postfix%-in\n",
      fake.files["/etc/postfix/main.cf"])
    assert.matches("^commit /etc/postfix/main.cf", fake.calls[#fake.calls])
    assert.are.equal(0, fake.held)
  end)

  it("leaves everything as it was, whichever call fails", function()
    local point, unread = 0, 0
    local fake
    repeat
      point = point + 1
      fake = new_fake()
      local before = fake_core.picture(fake)
      local host = open(fake)
      fake.fail_at = point
      local ok, problem = pcall(host.create, host, { name = "postfix-in" })
      assert.are.equal(0, fake.held or 0)
      if not ok then
        assert.is_true(postmulti.is_error(problem), tostring(problem))
        assert.are.same(before, fake_core.picture(fake))
      elseif fake.calls[point] then
        -- The one that can be done without: Postfix's program does what the unreadable list says.
        assert.are.equal("read_file /etc/postfix/postfix-files", fake.calls[point])
        assert.are.equal("run /usr/sbin/postfix -c /etc/postfix-in set-permissions", fake.calls[#fake.calls])
        unread = unread + 1
      end
    until not fake.calls[point]
    assert.are.equal(1, unread)
    assert.is_true(point > 12)
  end)

  it("says of a removed file that it may come back, when its directory cannot be synced", function()
    local fake = new_fake()
    function fake.core.sync(path) return nil, path .. ": Input/output error", 5 end
    local host = open(fake)
    host:write_file("/etc/postfix/transport", "x\n")
    local ok, problem = pcall(host.remove_file, host, "/etc/postfix/transport")
    assert.is_false(ok)
    assert.are.equal("unsafe", problem.kind)
    assert.matches("^/etc/postfix/: Input/output error", problem.message)
    assert.is_nil(fake.files["/etc/postfix/transport"])
  end)

  it("writes nothing where a file has the text already", function()
    local fake = new_fake()
    local host = open(fake)
    assert.is_true(host:write_file("/etc/postfix/transport", "x\n"))
    local count = #fake.calls
    assert.is_false(host:write_file("/etc/postfix/transport", "x\n"))
    assert.not_matches("create_file", table.concat(fake.calls, "\n", count + 1))
  end)

  it("refuses names and directories that are taken, whatever their spelling", function()
    local fake = new_fake()
    local host = open(fake)
    local before = fake_core.picture(fake)
    for _, args in ipairs {
      { name = "postfix-out", config_directory = "/etc/postfix-z" },
      { name = "postfix-z", queue_directory = "/var/spool/postfix-out" },
      { name = "postfix-z", queue_directory = "/var/spool/../spool/postfix" },
      { name = "postfix-z", data_directory = "/var/spool/postfix-z" },
      { name = "postfix-z", data_directory = "/usr/sbin" },
      { name = "postfix-z", config_directory = "/etc//postfix-out" },
    } do
      assert.are.equal("conflict", refusal(host.create, host, args).kind)
      assert.are.same(before, fake_core.picture(fake))
    end
  end)

  it("does not overwrite a main.cf that stands alone (stock: replaced without a word)", function()
    local fake = new_fake { ["/etc/postfix-in/main.cf"] = "# mine\n" }
    local host = open(fake)
    assert.matches("without a master.cf", refusal(host.create, host, { name = "postfix-in" }).message)
    assert.are.equal("# mine\n", fake.files["/etc/postfix-in/main.cf"])
  end)

  it("refuses directories that an existing main.cf contradicts (stock: ignores them)", function()
    local fake = new_fake { ["/etc/postfix-in/main.cf"] = secondary "in", ["/etc/postfix-in/master.cf"] = "" }
    local host = open(fake)
    local args = { name = "postfix-in", queue_directory = "/var/spool/elsewhere" }
    assert.are.equal("refused", refusal(host.create, host, args).kind)
    args.queue_directory = nil
    assert.are.equal("/var/spool/postfix-in", host:create(args).queue_directory)
  end)

  it("runs the script by which Debian's set-permissions ends, once the instance is in the table", function()
    local files = { ["/usr/lib/postfix/configure-instance.sh"] = "", ["/usr/lib/postfix/syncfiles.pl"] = "" }
    local fake = new_fake(files)
    open(fake):create { name = "postfix-new" }
    assert.equal("run /usr/lib/postfix/configure-instance.sh", fake.calls[#fake.calls])
    assert.equal("/etc/postfix-new", fake.environment.MAIL_CONFIG)
    assert.equal("/var/spool/postfix-new", fake.environment.queue_directory)
    assert.matches("/etc/postfix%-new\n", fake.files["/etc/postfix/main.cf"])

    fake = new_fake(files)
    fake.exits["/usr/lib/postfix/configure-instance.sh"] = 1
    local host = open(fake)
    assert.matches("is registered", refusal(function() host:create { name = "postfix-new" } end).message)
    assert.is_truthy(host:instance "new")
  end)

  it("leaves the script of that name of earlier packages alone", function()
    local fake = new_fake { ["/usr/lib/postfix/configure-instance.sh"] = "" }
    open(fake):create { name = "postfix-new" }
    for _, call in ipairs(fake.calls) do
      assert.not_matches("^run ", call)
    end
  end)

  it("wants init first", function()
    local fake = new_fake { ["/etc/postfix/main.cf"] = "compatibility_level = 3.6\n" }
    local host = open(fake)
    assert.matches("postmulti %-e init", refusal(host.create, host, { name = "postfix-in" }).message)
    host:init()
    host:create { name = "postfix-in" }
    assert.is_truthy(fake.files["/etc/postfix-in/main.cf"])
  end)
end)

describe("a transaction", function()
  it("writes the primary once for any number of actions", function()
    local fake = new_fake()
    local host = open(fake)
    host:transaction(function()
      for index = 1, 5 do
        host:create({ name = "postfix-t" .. index }):enable()
      end
    end)
    local commits = 0
    for _, call in ipairs(fake.calls) do
      commits = commits + (call == "commit /etc/postfix/main.cf" and 1 or 0)
    end
    assert.are.equal(1, commits)
    assert.matches("/etc/postfix%-out /etc/postfix%-t1 .* /etc/postfix%-t5\n", fake.files["/etc/postfix/main.cf"])
    assert.is_true(host:instance("t5").enabled)
  end)

  it("undoes everything when the function raises, in reverse", function()
    local fake = new_fake()
    local before = fake_core.picture(fake)
    local host = open(fake)
    local ok, problem = pcall(host.transaction, host, function()
      host:create { name = "postfix-t1" }
      host:instance("out"):set { myhostname = "out.example.com" }
      host:instance("out"):assign { name = "postfix-other" }
      error "seventeenth"
    end)
    assert.is_false(ok)
    assert.matches("seventeenth", problem)
    assert.are.same(before, fake_core.picture(fake))
    assert.are.equal("postfix-out", host:instance("out").name)
  end)

  it("does not write a list that another program changed meanwhile", function()
    local fake = new_fake()
    local host = open(fake)
    local problem = refusal(host.transaction, host, function()
      host:create { name = "postfix-t1" }
      fake.files["/etc/postfix/main.cf"] = MAIN:gsub("%-out", "-out /etc/postfix-new")
    end)
    assert.are.equal("changed", problem.kind)
    assert.is_nil(fake.files["/etc/postfix-t1/main.cf"])
    assert.matches("/etc/postfix%-out /etc/postfix%-new\n", fake.files["/etc/postfix/main.cf"])
  end)
end)

describe("enable, disable, assign", function()
  it("write when there is something to write", function()
    local fake = new_fake()
    local host = open(fake)
    local out = host:instance "out"
    assert.is_true(out:enable())
    assert.matches("multi_instance_enable = yes\n$", fake.files["/etc/postfix-out/main.cf"])
    assert.is_false(host:instance("out"):enable())
    assert.is_true(out:assign { name = "postfix-x", group = "-" })
    assert.matches("multi_instance_group = \n", fake.files["/etc/postfix-out/main.cf"])
    assert.is_false(host:instance("x"):assign { name = "postfix-x" })
  end)

  it("take no name that another has", function()
    local fake = new_fake { ["/etc/postfix/main.cf"] = MAIN .. "multi_instance_name = postfix-main\n" }
    local host = open(fake)
    assert.are.equal("conflict", refusal(function() host:instance("out"):assign { name = "postfix-main" } end).kind)
  end)

  it("work while the primary is disabled (stock: only init does)", function()
    local fake = new_fake()
    local host = open(fake)
    host.primary:disable()
    assert.is_true(host:instance("out"):enable())
    assert.is_true(host.primary:enable())
  end)
end)

describe("deport and destroy", function()
  it("refuse the primary, an enabled and a running instance", function()
    local fake = new_fake()
    local host = open(fake)
    assert.matches("primary", refusal(function() host.primary:destroy() end).message)
    host:instance("out"):enable()
    assert.matches("disable it first", refusal(function() host:instance("out"):deport() end).message)
    host:instance("out"):disable()
    fake.locked["/var/spool/postfix-out/pid/master.pid"] = 77
    assert.matches("running %(master process 77%)", refusal(function() host:instance("out"):deport() end).message)
  end)

  it("see an instance that runs although its queue_directory was changed (stock: destroyed)", function()
    local fake = new_fake()
    fake.locked["/var/lib/postfix-out/master.lock"] = 78
    local host = open(fake)
    assert.matches("running", refusal(function() host:instance("out"):destroy() end).message)
  end)

  it("refuse to destroy mail, and say how much is where (stock: exit 0, mail orphaned)", function()
    local fake = new_fake {
      ["/var/spool/postfix-out/deferred/A/A123"] = "mail", ["/var/spool/postfix-out/hold/B1"] = "mail",
    }
    local host = open(fake)
    assert.matches("1 in deferred, 1 in hold", refusal(function() host:instance("out"):destroy() end).message)
    assert.is_truthy(fake.files["/etc/postfix-out/main.cf"])
  end)

  it("refuse to destroy a directory that another instance has under another name", function()
    local fake = new_fake {
      ["/etc/postfix/main.cf"] = MAIN:gsub("%-out", "-out /etc/postfix-b"),
      ["/etc/postfix-b/main.cf"] = secondary("b"):gsub("/var/spool/postfix%-b", "/var/spool/../spool/postfix-out"),
    }
    local stat = fake.core.stat
    function fake.core.stat(path, follow)
      return stat(path:gsub("/spool/%.%.", ""), follow)
    end
    local host = open(fake)
    assert.matches("same directory", refusal(function() host:instance("b"):destroy() end).message)
    assert.is_truthy(fake.files["/etc/postfix-b/main.cf"])
  end)

  it("deport keeps the files and permits the directory to users of the queue", function()
    local fake = new_fake()
    local host = open(fake)
    host:instance("out"):deport()
    assert.matches("multi_instance_directories = \n", fake.files["/etc/postfix/main.cf"])
    assert.matches("alternate_config_directories = /etc/postfix%-out\n", fake.files["/etc/postfix/main.cf"])
    assert.is_truthy(fake.files["/etc/postfix-out/main.cf"])
    host:import { config_directory = "/etc/postfix-out" }
    assert.matches("alternate_config_directories = \n", fake.files["/etc/postfix/main.cf"])
  end)

  it("destroy removes what Postfix made and keeps what it does not know", function()
    local fake = new_fake {
      ["/var/lib/postfix-out/master.lock"] = "", ["/var/lib/postfix-out/smtpd_scache.db"] = "",
      ["/etc/postfix-out/transport"] = "mine",
    }
    local host, messages = open(fake)
    host:instance("out"):destroy()
    assert.is_nil(fake.directories["/var/lib/postfix-out"])
    assert.is_nil(fake.directories["/var/spool/postfix-out"])
    assert.are.equal("mine", fake.files["/etc/postfix-out/transport"])
    assert.is_nil(fake.files["/etc/postfix-out/main.cf"])
    assert.matches("^warning: /etc/postfix%-out: ", messages[1])
    assert.is_nil(messages[2])
  end)

  it("destroy removes what a check of Postfix 3.11 and Debian's copies for chroot have left", function()
    local queue = "/var/spool/postfix-out/"
    local fake = new_fake {
      ["/etc/postfix-out/check-alias-maps-migration-done"] = "",
      ["/etc/hosts"] = "a", [queue .. "etc/hosts"] = "a", [queue .. "etc/ssl/certs/0123abcd.0"] = "",
      [queue .. "lib/libnss_mdns.so.2"] = "", [queue .. "usr/lib/zoneinfo/localtime"] = "",
    }
    local host, messages = open(fake)
    host:instance("out"):destroy()
    assert.same({}, messages)
    assert.is_nil(fake.directories["/etc/postfix-out"])
    assert.is_nil(fake.directories["/var/spool/postfix-out"])
  end)

  it("destroy keeps what looks like a copy for chroot and is none", function()
    local fake = new_fake { ["/var/spool/postfix-out/etc/mine"] = "mine" }
    local host, messages = open(fake)
    host:instance("out"):destroy()
    assert.equal("mine", fake.files["/var/spool/postfix-out/etc/mine"])
    assert.matches("^warning: /var/spool/postfix%-out: ", messages[1])
  end)

  it("deport a damaged instance", function()
    local fake = new_fake { ["/etc/postfix/main.cf"] = MAIN:gsub("%-out", "-out /etc/postfix-gone") }
    local host = open(fake)
    host:instance("gone"):deport()
    assert.matches("multi_instance_directories = /etc/postfix%-out\n", fake.files["/etc/postfix/main.cf"])
  end)
end)

describe("running", function()
  it("gives a program the instance's environment", function()
    local fake = new_fake()
    local host = open(fake)
    host:instance("out"):run { "printenv", "config_directory" }
    local environment = fake.environment
    assert.are.equal("/etc/postfix-out", environment.MAIL_CONFIG)
    assert.are.equal("/var/spool/postfix-out", environment.queue_directory)
    assert.are.equal("no", environment.multi_instance_enable)
    assert.are.equal("postfix", environment.MAIL_LOGTAG)
    assert.is_false(environment.POSTLOG_SERVICE)
    assert.matches("^/usr/sbin:", environment.PATH)
  end)

  it("gives postfix(1) MAIL_CONFIG and the operands behind --", function()
    local fake = new_fake()
    local host = open(fake)
    host.primary:postfix { "status" }
    assert.are.equal("run /usr/sbin/postfix -- status", fake.calls[#fake.calls])
    assert.are.equal("/etc/postfix", fake.environment.MAIL_CONFIG)
    assert.is_nil(fake.environment.queue_directory)
  end)
end)
