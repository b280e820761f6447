local fake_core = require "tests.support.fake_core"
local options = require "postmulti.options"
local postmulti = require "postmulti"
local progress = require "postmulti.progress"
local site = require "postmulti.site"

local MAIN = [[
compatibility_level = 3.6
multi_instance_wrapper = ${command_directory}/postmulti -p --
multi_instance_enable = yes
multi_instance_directories = /etc/postfix-out
]]

local function open(files)
  local all = {
    ["/etc/postfix/main.cf"] = MAIN, ["/etc/postfix/master.cf"] = "",
    ["/etc/postfix/main.cf.proto"] = "", ["/etc/postfix/master.cf.proto"] = "smtp inet n - y - - smtpd\n",
    ["/etc/postfix/postfix-files"] = "",
    ["/etc/postfix-out/main.cf"] = "multi_instance_name = postfix-out\nqueue_directory = /var/spool/postfix-out\n"
      .. "data_directory = /var/lib/postfix-out\n",
    ["/etc/postfix-out/master.cf"] = "smtp inet n - y - - smtpd\n",
    ["/usr/sbin/postfix"] = "", ["/var/lib/dpkg/status"] = "", ["/usr/lib/postfix/sbin/master"] = "",
    ["/var/spool/postfix/pid/master.pid"] = "", ["/var/spool/postfix-out/pid/master.pid"] = "",
  }
  for path, text in pairs(files) do
    all["/etc/postmulti/" .. path] = text
  end
  local fake = fake_core.new(all)
  return fake, function()
    return postmulti.open {
      core = fake.core, site_directory = "/etc/postmulti", share_directory = "/usr/share/postmulti",
    }
  end
end

describe("config.lua", function()
  it("says where an instance goes, how it is called, and what it is like", function()
    local fake, host = open { ["config.lua"] = [[return {
      group = "mta", place = { all = true },
      directories = { config_directory = "/srv/{name}/etc", queue_directory = "/srv/{name}/queue" },
      settings = { smtp_tls_security_level = "may" },
      services = { { "field", "smtp/inet/chroot", "n" } },
    }]] }
    local new = host():create { name = "postfix-x" }
    assert.equal("mta", new.group)
    assert.equal("/srv/postfix-x/etc", new.config_directory)
    assert.equal("/srv/postfix-x/queue", new.queue_directory)
    assert.equal("/var/lib/postfix-x", new.data_directory)
    assert.equal("may", new:get "smtp_tls_security_level")
    assert.equal("n", new:service("smtp/inet").chroot)
    assert.matches("multi_instance_directories = /srv/postfix%-x/etc /etc/postfix%-out\n",
      fake.files["/etc/postfix/main.cf"])
  end)

  it("gives way to what the caller says", function()
    local _, host = open { ["config.lua"] = "return { group = 'mta', lock_timeout = 7 }" }
    assert.equal("g", host():create({ name = "postfix-x", group = "g" }).group)
    assert.equal(7, host().lock_timeout)
  end)

  for text, wanted in pairs {
    ["return { gruop = 'x' }"] = "'gruop' is no setting of config.lua; did you mean group",
    ["return { group = 1 }"] = "group must be a string, not a number",
    ["return { directories = { queue = 'x' } }"] = "'queue' is no directory of an instance",
    ["return { settings = { 1 } }"] = "settings: 1 = number is no setting",
    ["return { settings = { x = {} } }"] = "settings: x = table is no setting",
    ["return { settings = { ['a b'] = 1 } }"] = "settings: parameter name \"a b\": must not contain",
    ["return { settings = { queue_directory = '/x' } }"] = "queue_directory is different for each instance",
    ["return { services = { { 'x', 'y' } } }"] = "services: %(unknown operation",
    ["return { services = { 5 } }"] = "config.lua: services: ",
    ["return { place = { nme = 'x' } }"] = "'nme' is no field of a place; did you mean name",
    ["return { directories = { queue_directory = 'q/{name}' } }"] = "directories: .*specify an absolute path",
    ["return { group = 'a b' }"] = "group: group name 'a b'",
    ["return { hook_time_limit = 0 }"] = "hook_time_limit must be a number of seconds",
    ["return"] = "it returns nothing, not a table",
    ["x ="] = "config.lua:1: ",
  } do
    it("is refused: " .. text, function()
      local _, host = open { ["config.lua"] = text }
      local ok, problem = pcall(host)
      assert.is_false(ok)
      assert.equal("untrusted", problem.kind)
      assert.matches(wanted, problem.message)
    end)
  end
end)

describe("a place that config.lua wants and that is nowhere", function()
  it("is told as such", function()
    local _, host = open { ["config.lua"] = "return { place = { name = 'gone' } }" }
    local found = host()
    local ok, problem = pcall(found.create, found, { name = "postfix-x" })
    assert.is_false(ok)
    assert.equal("no secondary instance matches the place that /etc/postmulti/config.lua wants: name 'gone'",
      problem.message)
    assert.equal("postfix-x", found:create({ name = "postfix-x", place = { all = true } }).name)
  end)
end)

describe("commands.d", function()
  local HELLO = [[return {
    summary = 'greets', help = 'At length.', options = { days = { argument = 'N', help = 'of days' }, all = {} },
    run = function(c) return c.options.days == '3' end }]]

  it("adds an action with options of its own", function()
    local _, host = open { ["commands.d/hello.lua"] = HELLO }
    local found = host()
    local function find(name)
      local file = site.commands(found, options.actions)[name]
      return file and site.command(found, file)
    end
    for _, argv in ipairs { { "-g", "mta", "-e", "hello", "--days", "3", "x" }, { "-e", "hello", "--days=3", "x" } } do
      local o, operands, mistake = options.parse(argv, find)
      assert.is_nil(mistake)
      assert.same({ days = "3" }, o.command_options)
      assert.same({ "x" }, operands)
      assert.is_nil(options.check(o, operands))
      assert.is_true(o.command.run { options = o.command_options })
    end
    local _, _, mistake = options.parse({ "--days", "3", "-e", "hello" }, find)
    assert.equal("unrecognized option '--days'", mistake.getopt)
    assert.matches("no such action", select(3, options.parse({ "-e", "hallo" }, find)).message)
    local help = options.command_help("hello", find "hello")
    assert.matches("greets\n.*%-%-days N +of days\n\nAt length.\n$", help)
    assert.matches("postmulti %-e hello +greets\n$", options.full_help { { name = "hello", summary = "greets" } })
  end)

  it("cannot shadow an action of postmulti", function()
    local _, host = open { ["commands.d/create.lua"] = HELLO }
    local ok, problem = pcall(site.commands, host(), options.actions)
    assert.is_false(ok)
    assert.matches("create is an action of postmulti itself", problem.message)
  end)

  for text, wanted in pairs {
    ["return { summary = 's' }"] = "lacks 'run'", ["return { run = print }"] = "lacks 'summary'",
    ["return { summary = 's', rnu = print }"] = "'rnu' is no field of a command; did you mean run",
    ["return { summary = 's', run = print, options = { D = {} } }"] = "small letters",
    ["return { summary = 's', run = print, options = { day = { arg = 'N' } } }"] = "'arg' is no field of an option",
  } do
    it("is refused: " .. text, function()
      local _, host = open { ["commands.d/hello.lua"] = text }
      local found = host()
      local ok, problem = pcall(site.command, found, site.commands(found, options.actions).hello)
      assert.is_false(ok)
      assert.matches(wanted, problem.message)
    end)
  end
end)

describe("settings", function()
  local function refused(method, ...)
    local _, host = open {}
    local out = host():instance "out"
    local ok, problem = pcall(out[method], out, ...)
    assert.is_false(ok)
    return problem
  end

  it("are strings, numbers and booleans; anything else is a mistake that is told where it was made", function()
    for _, method in ipairs { "set_fields", "override" } do
      assert.matches("site_spec.lua:%d+: the value of x must be a string, a number or a boolean, not a table",
        select(2, pcall(function()
          local _, host = open {}
          local out = host():instance "out"
          out[method](out, "smtp/inet", { x = {} })
          return true
        end)))
    end
    assert.matches("the name of a setting must be a string, not a number", refused("set", { "x" }))
    assert.matches("the value of x must be", refused("set", { x = print }))
  end)

  it("that are refused tell whether the request or the file is to blame", function()
    local problem = refused("set", { ["a b"] = 1 })
    assert.same({ "usage", "/etc/postfix-out" }, { problem.kind, problem.instance })
    for _, method in ipairs { "set_fields", "override" } do
      problem = refused(method, "none/inet", { chroot = "n" })
      assert.same({ "not found", "/etc/postfix-out", "/etc/postfix-out/master.cf: there is no service none/inet" },
        { problem.kind, problem.instance, problem.message })
    end
    assert.equal("usage", refused("set_fields", "smtp/inet", { bogus = "n" }).kind)
    local fake, host = open {}
    fake.files["/etc/postfix-out/master.cf"] = "smtp inet {\n"
    local out = host():instance "out"
    local ok
    ok, problem = pcall(out.set_fields, out, "smtp/inet", { chroot = "n" })
    assert.same({ false, "damaged" }, { ok, problem.kind })
  end)
end)

describe("services", function()
  it("are edited by their names", function()
    local fake, host = open {}
    local out = host():instance "out"
    assert.is_true(out:set_service "smtps inet n - y - - smtpd")
    assert.is_false(out:set_service "smtps inet n - y - - smtpd")
    assert.is_true(out:override("smtps/inet", { smtpd_tls_wrappermode = true, syslog_name = "postfix/smtps" }))
    assert.same({ { "smtpd_tls_wrappermode", "yes" }, { "syslog_name", "postfix/smtps" } },
      out:service("smtps/inet").overrides)
    assert.is_true(out:remove_override("smtps/inet", "syslog_name"))
    assert.equal(1, #out:service("smtps/inet").overrides)
    assert.is_true(out:set_fields("smtp/inet", { chroot = "n", process_limit = 5 }))
    assert.equal("5", out:service("smtp/inet").process_limit)
    assert.is_true(out:comment_service "smtp/inet")
    assert.is_nil(out:service "smtp/inet")
    assert.is_true(out:remove_service "smtps/inet")
    assert.matches("^#smtp inet n %- n %- 5 smtpd", (fake.files["/etc/postfix-out/master.cf"]:gsub(" +", " ")))
    assert.has_error(function() out:service "smtp" end)
    assert.has_error(function() out:set_service "smtp" end)
  end)

  it("and queues are counted", function()
    local fake, host = open {}
    fake.files["/var/spool/postfix-out/deferred/A/A1"] = "mail"
    fake.files["/var/spool/postfix-out/hold/B1"] = "mail"
    local counts = host():instance("out"):queue_counts()
    assert.same({ 1, 1, 0, 2 }, { counts.deferred, counts.hold, counts.active, counts.total })
    fake.locked["/var/spool/postfix-out/pid/master.pid"] = 77
    assert.equal(77, host():instance("out"):master_pid())
    assert.equal("postfix-out", host():instances({ running = true })().name)
  end)
end)

describe("progress", function()
  local function run(is_terminal, list)
    local text = {}
    local out = { write = function(_, ...) text[#text + 1] = table.concat { ... } end }
    for _ in postmulti.each(list, "create", { out = out, is_terminal = is_terminal }) do end
    return table.concat(text)
  end

  it("is a bar on a terminal", function()
    assert.equal("create [############............] 5/10 about 0:10 left", progress.bar("create", 5, 10, 10))
    assert.matches("\rcreate %[#+%] 3/3\27%[K\n$", run(true, { "a", "b", "c" }))
  end)

  it("is lines elsewhere, ten at the most", function()
    local list = {}
    for index = 1, 200 do list[index] = "i" .. index end
    local text = run(false, list)
    assert.equal(10, select(2, text:gsub("\n", "")))
    assert.matches("create: 200/200 i200\n$", text)
    assert.equal("", run(false, {}))
  end)

  it("takes what host:instances gives, and names the instances", function()
    local _, host = open {}
    assert.equal("create: 1/2 /etc/postfix\ncreate: 2/2 postfix-out\n", run(false, host():instances()))
    assert.equal("create: 1/2 7\ncreate: 2/2\n", run(false, { 7, {} }))
  end)

  it("tells what it wants where it was asked", function()
    assert.matches("site_spec.lua:%d+: each: a list is wanted, or an iterator, not a nil",
      select(2, pcall(function() postmulti.each(nil, "x") return 1 end)))
    assert.matches("site_spec.lua:%d+: progress: a number is wanted, and a title",
      select(2, pcall(function() postmulti.each({ 1 }) return 1 end)))
  end)
end)
