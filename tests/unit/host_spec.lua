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
  it("asks for what is missing first", function()
    local host = open(new_fake())
    for _ = 1, 5 do
      assert.are.equal("specify the instance's name (-I postfix-name), or config_directory=/path",
        refusal(host.create, host, {}).message)
    end
  end)

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
    -- everything is synced before the primary is written; what comes after that is the history
    assert.matches("^sync .*/etc/postfix%-in .*/var/spool/postfix%-in/maildrop", fake.calls[#fake.calls - 4])
    assert.matches("^commit /etc/postfix/main.cf", fake.calls[#fake.calls - 1])
    assert.matches("^rename /var/lib/postmulti/etc%-postfix/journal", fake.calls[#fake.calls])
    assert.are.equal(0, fake.held)
  end)

  it("leaves everything as it was, whichever call fails", function()
    local point, unread, kept = 0, 0, 0
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
      elseif fake.calls[point] and fake.calls[point]:find "^rename" then
        kept = kept + 1 -- done, and the history lacks it
      elseif fake.calls[point] then
        -- The one that can be done without: Postfix's program does what the unreadable list says.
        assert.are.equal("read_file /etc/postfix/postfix-files", fake.calls[point])
        assert.are.equal("run /usr/sbin/postfix -c /etc/postfix-in set-permissions", fake.calls[#fake.calls - 1])
        unread = unread + 1
      end
    until not fake.calls[point]
    assert.are.equal(1, unread)
    assert.are.equal(1, kept)
    assert.is_true(point > 12)
  end)

  it("does not remove a file whose directory cannot be synced: it might come back", function()
    local fake = new_fake()
    local host = open(fake)
    host:write_file("/etc/postfix/transport", "x\n")
    function fake.core.sync() return nil, "/etc/postfix: Input/output error", 5 end
    local problem = refusal(host.remove_file, host, "/etc/postfix/transport")
    assert.are.equal("system", problem.kind)
    assert.matches("^/etc/postfix: Input/output error", problem.message)
    assert.are.equal("x\n", fake.files["/etc/postfix/transport"])
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
    assert.equal("run /usr/lib/postfix/configure-instance.sh", fake.calls[#fake.calls - 1])
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

  it("runs the script that fills a chroot with nothing of the caller's environment", function()
    local fake = new_fake {
      ["/usr/lib/postfix/configure-instance.sh"] = "", ["/usr/lib/postfix/syncfiles.pl"] = "",
      ["/etc/postfix-in/main.cf"] = secondary "in", ["/etc/postfix-in/master.cf"] = "",
      ["/var/spool/postfix-in/pid/master.pid"] = "", ["/var/lib/postfix-in/master.lock"] = "",
    }
    local argv, options
    fake.core.run = function(...)
      argv, options = ...
      return { status = 0 }
    end
    open(fake):import { name = "postfix-in" }
    assert.same({ "/usr/lib/postfix/configure-instance.sh" }, argv)
    assert.same({ "TZ" }, options.keep_environment)
    assert.equal("/", options.directory)
    assert.equal("/usr/sbin:/usr/sbin:/usr/bin:/sbin:/bin", options.environment.PATH)
    assert.equal("/", options.environment.HOME)
    assert.equal("/etc/postfix-in", options.environment.MAIL_CONFIG)
  end)

  it("leaves the chroot of an instance whose import is undone as it was", function()
    for _, kept in ipairs { true, false } do
      local copy = "/var/spool/postfix-in/etc/hosts"
      local fake = new_fake {
        ["/usr/lib/postfix/configure-instance.sh"] = "", ["/usr/lib/postfix/syncfiles.pl"] = "",
        ["/etc/postfix-in/main.cf"] = secondary "in", ["/etc/postfix-in/master.cf"] = "",
        ["/etc/hosts"] = "a", [copy] = kept and "a" or nil, ["/var/spool/postfix-in/pid/master.pid"] = "",
        ["/var/lib/postfix-in/master.lock"] = "",
      }
      local host = open(fake)
      refusal(host.transaction, host, function()
        host:import { name = "postfix-in" }
        fake.files[copy], fake.directories["/var/spool/postfix-in/etc"] = "a", true
        host:instance("nowhere"):enable()
      end)
      assert.equal(kept and "a" or nil, fake.files[copy])
    end
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

describe("the object of an instance", function()
  it("stays true, whoever changes the instance", function()
    local fake = new_fake()
    local host = open(fake)
    local primary, out = host.primary, host:instance "out"
    local new = host:create { name = "postfix-x" }
    out:assign { name = "postfix-y", group = "g" }
    out:enable()
    assert.same({ "postfix-y", "g", true }, { out.name, out.group, out.enabled })
    new:set { multi_instance_group = "h", queue_directory = "/q" }
    assert.same({ "h", "/q" }, { new.group, new.queue_directory })
    new:unset "multi_instance_group"
    assert.is_nil(new.group)
    primary:set { multi_instance_group = "p" }
    assert.equal("p", primary.group)
    fake.files["/etc/postfix-x/main.cf"] = fake.files["/etc/postfix-x/main.cf"] .. "multi_instance_enable = yes\n"
    host:reload()
    assert.equal(new, host:instance "x")
    assert.is_true(new.enabled)
    assert.equal(primary, host.primary)
    assert.equal(out, host:instance "y")
  end)

  it("is what it was when a transaction is undone", function()
    local host = open(new_fake())
    local late
    assert.is_false(pcall(host.transaction, host, function()
      late = host:instance "out"
      late:enable()
      late:assign { group = "g" }
      assert.same({ true, "g" }, { late.enabled, late.group })
      error "no"
    end))
    assert.same({ false, "mta" }, { late.enabled, late.group })
    assert.equal(late, host:instance "out")
    late:enable()
    assert.is_true(late.enabled)
  end)

  it("prints as its label", function()
    local host = open(new_fake())
    assert.same({ "host /etc/postfix", "/etc/postfix", "postfix-out" },
      { tostring(host), tostring(host.primary), tostring(host:instance "out") })
  end)
end)

describe("postfix for many", function()
  local function runs(fake)
    local found = {}
    for _, call in ipairs(fake.calls) do
      found[#found + 1] = call:match "^run .*postfix %-%- (.*)$"
    end
    return table.concat(found, ",")
  end

  it("goes by the kind of the command, as postmulti -p", function()
    for command, wanted in pairs { start = "start,check", stop = "stop", status = "status,status" } do
      local fake = new_fake()
      local ok, exits = open(fake):postfix { command, capture = true }
      assert.is_true(ok)
      assert.equal(wanted, runs(fake))
      assert.equal("/etc/postfix", exits[1].instance.config_directory)
      assert.equal(0, exits[#exits].exit.status)
    end
  end)

  it("takes a filter, and goes on where one fails", function()
    local fake = new_fake { ["/etc/postfix/main.cf"] = MAIN:gsub("%-out", "-gone /etc/postfix-out") }
    local host, messages = open(fake)
    local ok, exits = host:postfix({ "status" }, { match = function(one) return not one.is_primary end })
    assert.is_false(ok)
    assert.same({ 1, "postfix-out" }, { #exits, exits[1].instance.name })
    assert.matches("warning: /etc/postfix%-gone/main.cf: No such file", messages[1])
    assert.equal("not found", refusal(host.postfix, host, { "stop" }, { name = "out" }).kind)
  end)
end)

describe("json", function()
  for wanted, value in pairs {
    ['{"a":[1,2.5,"x\\"\\n"],"b":{"c":true},"d":[]}'] = { d = {}, b = { c = true }, a = { 1, 2.5, 'x"\n' } },
    ['"\\u001B"'] = "\27", ["[[],[]]"] = { {}, {} },
  } do
    it("writes " .. wanted, function() assert.equal(wanted, postmulti.json(value)) end)
  end

  it("refuses what JSON has not got", function()
    local loop = {}
    loop[1] = loop
    for wanted, value in pairs {
      ["a function"] = print, ["itself"] = loop, ["bounds"] = 0 / 0, ["strings"] = { [{}] = 1 },
    } do
      local ok, problem = pcall(postmulti.json, value)
      assert.is_false(ok)
      assert.matches(wanted, problem)
    end
  end)
end)

describe("paths of files", function()
  it("must be absolute", function()
    local host = open(new_fake())
    for _, method in ipairs { "write_file", "remove_file", "make_directory" } do
      assert.matches(method .. ": an absolute path is wanted, not x/y", select(2, pcall(host[method], host, "x/y", "")))
    end
  end)
end)

describe("numbers", function()
  it("may be arguments and values of the environment", function()
    local fake = new_fake()
    local host = open(fake)
    host:run { "kill", 5, -1.5, environment = { N = 7 } }
    assert.matches("^run kill 5 %-1.5$", fake.calls[#fake.calls])
    assert.equal("7", fake.environment.N)
  end)
end)

describe("a field that no function knows", function()
  local host = open(new_fake())
  local out = host:instance "out"
  for wanted, call in pairs {
    ["open: there is no field 'dryrun'; did you mean dry_run?"] = function() postmulti.open { dryrun = true } end,
    ["open: lock_timeout must be a number, not a string"] = function() postmulti.open { lock_timeout = "5" } end,
    ["create: there is no field 'gruop'; did you mean group?"] = function()
      host:create { name = "postfix-x", gruop = "g" }
    end,
    ["create: name must be a string, not a number"] = function() host:create { name = 5 } end,
    ["create: a table is wanted, not a string"] = function() host:create "postfix-x" end,
    ["place: there is no field 'nam'; did you mean name?"] = function()
      host:create { name = "postfix-x", place = { nam = "out" } }
    end,
    ["import: there is no field 'queue_directory'"] = function()
      host:import { config_directory = "/etc/x", queue_directory = "/q" }
    end,
    ["instances: there is no field 'runing'; did you mean running?"] = function() host:instances { runing = true } end,
    ["instances: enabled must be a boolean, not a string"] = function() host:instances { enabled = "yes" } end,
    ["assign: there is no field 'nmae'; did you mean name?"] = function() out:assign { nmae = "postfix-y" } end,
    ["run: there is no field 'timelimit'; did you mean time_limit?"] = function() out:run { "true", timelimit = 1 } end,
    ["run: capture must be a boolean, not a string"] = function() host:run { "true", capture = "yes" } end,
    ["run: a list is wanted, with a program first"] = function() out:run { capture = true } end,
    ["get: the name of a parameter is wanted, not a nil"] = function() out:get() end,
    ["a table of settings is wanted, not a string"] = function() out:set "x = y" end,
    ["instance: a name is wanted, not a nil"] = function() host:instance() end,
    ["an instance has no field 'nmae'; did you mean name?"] = function() print(out.nmae) end,
    ["an instance has no field 'enabel'; did you mean enable?"] = function() out:enabel() end,
    ["get: there is no field 'expanded'; did you mean expand?"] = function() out:get("x", { expanded = true }) end,
    ["write_file: there is no field 'perm'"] = function() host:write_file("/x", "", { perm = 1 }) end,
    ["make_directory: there is no field 'mod'; did you mean mode?"] = function()
      host:make_directory("/x", { mod = 1 })
    end,
  } do
    it("is told where it was written: " .. wanted, function()
      local line = debug.getinfo(call, "S").linedefined
      local ok, problem = pcall(call)
      assert.is_false(ok)
      assert.equal("string", type(problem))
      local at, text = problem:match "host_spec.lua:(%d+): (.*)$"
      assert.equal(wanted, text, problem)
      assert.is_true(tonumber(at) - line <= 1)
    end)
  end
end)
