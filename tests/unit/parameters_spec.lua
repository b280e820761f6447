-- postmulti.parameters on a fake core: files are Lua tables, nothing is read, no process is started

local real = require "postmulti.core"
local globals = require "postmulti.globals"
local parameters = require "postmulti.parameters"
local read_primary = require("postmulti.primary").read

local BUILD = {
  config_directory = "/etc/postfix", command_directory = "/usr/sbin", daemon_directory = "/usr/lib/postfix/sbin",
  data_directory = "/var/lib/postfix", mail_owner = "postfix", meta_directory = "/etc/postfix",
  queue_directory = "/var/spool/postfix", setgid_group = "postdrop", shlib_directory = "/usr/lib/postfix",
}

-- A core with the files { [path] = text } and what postconf -d prints (nil: it must not be asked).
local function fake_core(files, postconf, hostname)
  local core = {
    build = BUILD, expand = real.expand, squeeze = real.squeeze, parse_main = real.parse_main, asked = 0, read = 0,
  }
  function core.hostname() return hostname or "node" end
  function core.read_file(path)
    if files[path] then
      return files[path]
    end
    return nil, path .. ": No such file or directory", 2
  end
  function core.read_parameters(path, names)
    core.read = core.read + 1
    local text, reason, errno = core.read_file(path)
    if not text then
      return nil, reason, errno, "missing"
    end
    local settings, remarks = real.parse_main(text, path)
    local values, wanted = {}, {}
    for _, name in ipairs(names or {}) do
      wanted[name] = true
    end
    for _, setting in ipairs(settings or real.parse_main(text:gsub("garbage[^\n]*\n", ""), path)) do
      if not names or wanted[setting.name] then
        values[setting.name] = setting.value
      end
    end
    if not settings then
      return nil, remarks, 0, "malformed", values
    end
    return values, remarks
  end
  function core.run(argv, options)
    core.asked = core.asked + 1
    assert(postconf, "postconf must not be asked here")
    assert.are.same({ "/usr/sbin/postconf", "-d" }, argv)
    assert.are.equal("capture", options.stdout)
    assert.truthy(options.time_limit)
    return postconf
  end
  return core
end

local function secondary(text, postconf, hostname)
  local core = fake_core({ ["/etc/postfix-a/main.cf"] = text }, postconf, hostname)
  return parameters.secondary(core, "/etc/postfix-a", parameters.defaults(core))
end

local function primary(text, postconf, hostname)
  local core = fake_core({ ["/etc/postfix/main.cf"] = text }, postconf, hostname)
  return read_primary(core, "/etc/postfix")
end

local POSTCONF = { status = 0, stdout = [[
mail_version = 9.9
smtp_host_lookup = dns
relayhost =
soft_bounce = no
owner_request_special = yes
x = $mail_version-1
]] }

describe("parameters.secondary", function()
  it("reads a plain file in one go", function()
    local core = fake_core { ["/a/main.cf"] = [[
queue_directory = /q
data_directory = /d
multi_instance_name = postfix-a
multi_instance_group = g
multi_instance_enable = YES
]] }
    local got, remarks = parameters.secondary(core, "/a", parameters.defaults(core))
    assert.are.same({
      queue_directory = "/q", data_directory = "/d", multi_instance_name = "postfix-a", multi_instance_group = "g",
      multi_instance_enable = true,
    }, got)
    assert.are.same({}, remarks)
    assert.are.equal(1, core.read)
  end)

  it("knows the defaults; an empty name or group is none", function()
    local want = {
      queue_directory = "/var/spool/postfix", data_directory = "/var/lib/postfix", multi_instance_enable = false,
    }
    assert.are.same(want, (secondary ""))
    assert.are.same(want, (secondary "multi_instance_name =\nmulti_instance_group = $none\nnone =\n"))
  end)

  local expressions = {
    { "$multi_instance_group-$foo", "g-bar" }, { "$mail_name", "Postfix" }, { "$process_name", "postconf" },
    { "$config_directory", "/etc/postfix-a" }, { "$queue_directory", "/var/spool/postfix" },
    { "${mail_owner}.$setgid_group", "postfix.postdrop" }, { "a \t b  $foo ", "a b bar" }, { "$$foo", "$foo" },
    { "$myhostname", "node.localdomain" }, { "$mydomain", "localdomain" }, { "$syslog_name", "" },
  }
  for _, case in ipairs(expressions) do
    it(("expands %q without a process"):format(case[1]), function()
      local got = secondary(("multi_instance_name = %s\nmulti_instance_group = g\nfoo = bar\n"):format(
        case[1] == "$syslog_name" and "x" or case[1]))
      assert.are.equal(case[1] == "$syslog_name" and "x" or case[2], got.multi_instance_name)
    end)
  end

  local hostnames = {
    { "mydomain = x.y\n", "x.y|node.x.y" }, { "mydomain =\n", "|node." },
    { "mydomain = d$mail_name\n", "dPostfix|node.d" },
    { "myhostname = a.b.c\n", "b.c|a.b.c" }, { "myhostname = h.$mail_name\n", "|h.Postfix" },
    { "myhostname = $mydomain\n", "localdomain|localdomain" }, { "mydomain = $myhostname\n", "node.|node." },
    { "myhostname = $$a.b$$c.d\n", "b.d|$a.b$c.d" }, { "mydomain = x$myhostname\nmyhostname = q.w\n", "xq.w|q.w" },
    { "myhostname = $foo\nfoo = $bar.z\nbar = 1\n", "z|1.z" },
  }
  for _, case in ipairs(hostnames) do
    it(("computes mydomain and myhostname for %q"):format(case[1]), function()
      local got = secondary("multi_instance_name = $mydomain|$myhostname\n" .. case[1], POSTCONF)
      assert.are.equal(case[2], got.multi_instance_name)
    end)
  end

  it("takes a host name with a dot as it is", function()
    local got = secondary("multi_instance_name = $mydomain|$myhostname\n", nil, "n.example.test")
    assert.are.equal("example.test|n.example.test", got.multi_instance_name)
  end)

  it("asks postconf once for all that differs between releases", function()
    local core = fake_core({
      ["/a/main.cf"] = "multi_instance_group = g$smtp_host_lookup$x\n",
      ["/b/main.cf"] = "multi_instance_group = ${relayhost:no}$nonsense$mail_version\n",
    }, POSTCONF)
    local defaults = parameters.defaults(core)
    assert.are.equal("gdns9.9-1", parameters.secondary(core, "/a", defaults).multi_instance_group)
    assert.are.equal("no9.9", parameters.secondary(core, "/b", defaults).multi_instance_group)
    assert.are.equal(1, core.asked)
  end)

  it("says so when postconf cannot be asked", function()
    local got, reason, kind, partial = secondary("multi_instance_group = $mail_version\nqueue_directory = /q\n",
      { status = 1, stdout = "" })
    assert.is_nil(got)
    assert.are.equal("defaults", kind)
    assert.truthy(reason:find("postconf -d: failed", 1, true))
    assert.are.equal("/q", partial.queue_directory)
    assert.is_nil(partial.multi_instance_group)
  end)

  it("refuses a boolean that is none, and tells the rest", function()
    for _, value in ipairs { "maybe", "", "true", "1" } do
      local text = ("# x\nmulti_instance_enable = %s\nqueue_directory = /q\n"):format(value)
      local got, reason, kind, partial = secondary(text)
      local want = ("/etc/postfix-a/main.cf, line 2: multi_instance_enable = %s: neither yes nor no"):format(value)
      assert.is_nil(got)
      assert.are.equal("invalid", kind)
      assert.are.equal(want, reason)
      assert.are.equal("/q", partial.queue_directory)
      assert.is_nil(partial.multi_instance_enable)
    end
  end)

  it("refuses an expression that is malformed, and tells the rest", function()
    local got, reason, kind, partial = secondary "queue_directory = /q$a\na = ${\nmulti_instance_name = n\n"
    assert.is_nil(got)
    assert.are.equal("invalid", kind)
    assert.truthy(reason:find("/etc/postfix-a/main.cf, line 1: queue_directory = /q$a: in the value of \"a\"", 1, true))
    assert.are.equal("n", partial.multi_instance_name)
    assert.is_nil(partial.queue_directory)
  end)

  it("shows long and odd values on one line", function()
    local _, reason = secondary("multi_instance_enable = a\rb" .. ("x"):rep(5000) .. "\n")
    assert.truthy(reason:find("multi_instance_enable = a?b", 1, true) or reason:find("= a b", 1, true), reason)
    assert.is_true(#reason < 400)
  end)

  it("knows no parameters that Postfix does not have", function()
    local core = fake_core({ ["/a/main.cf"] = "multi_instance_name = [$share_directory]\n" }, POSTCONF)
    core.build = setmetatable({ share_directory = "/wrong" }, { __index = BUILD })
    assert.are.equal("[]", parameters.secondary(core, "/a", parameters.defaults(core)).multi_instance_name)
  end)

  it("does not mind a malformed expression that it does not need", function()
    assert.truthy((secondary "myorigin = ${\nmulti_instance_name = $foo\nfoo = x\n"))
  end)

  it("passes on why a file cannot be read", function()
    local core = fake_core {}
    local got, reason, kind, partial = parameters.secondary(core, "/none", parameters.defaults(core))
    assert.is_nil(got)
    assert.are.equal("/none/main.cf: No such file or directory", reason)
    assert.are.equal("missing", kind)
    assert.is_nil(partial)
  end)

  it("tells what the well-formed lines of a malformed file say", function()
    local got, _, kind, partial = secondary "multi_instance_name = a$foo\ngarbage\nfoo = b\n"
    assert.is_nil(got)
    assert.are.equal("malformed", kind)
    assert.are.equal("ab", partial.multi_instance_name)
    assert.are.equal("/var/spool/postfix", partial.queue_directory)
  end)
end)

describe("primary.read", function()
  it("knows the defaults", function()
    local got, remarks = primary ""
    assert.are.same({
      alternate_config_directories = "", command_directory = "/usr/sbin", config_directory = "/etc/postfix",
      daemon_directory = "/usr/lib/postfix/sbin", data_directory = "/var/lib/postfix", mail_owner = "postfix",
      maillog_file = "", meta_directory = "/etc/postfix", multi_instance_directories = "",
      multi_instance_enable = false,
      multi_instance_wrapper = "", myhostname = "node.localdomain", postlog_service_name = "postlog",
      postmulti_control_commands = "reload flush", postmulti_start_commands = "start",
      postmulti_stop_commands = "stop abort drain quick-stop", queue_directory = "/var/spool/postfix", secondaries = {},
      setgid_group = "postdrop", settings = {}, shlib_directory = "/usr/lib/postfix", syslog_facility = "mail",
      syslog_name = "postfix",
    }, got)
    assert.are.same({}, remarks)
  end)

  it("sees only the defaults evaluated before", function()
    local got = primary [[
multi_instance_group = g$smtp_host_lookup
multi_instance_name = n[$syslog_facility][$config_directory][$mydomain][$queue_directory][$foo][$process_name]
multi_instance_directories = /e$mail_name/x, $foo
queue_directory = /q[$meta_directory][$shlib_directory][$mydomain]
data_directory = /d[$daemon_directory][$command_directory][$data]
syslog_name = s[$mydomain][$mail_name][$mail_owner]
multi_instance_wrapper = ${command_directory}/postmulti -p --
postmulti_stop_commands = $postmulti_start_commands $postmulti_control_commands
foo = bar $mail_name
data =
]]
    assert.are.equal("g", got.multi_instance_group)
    assert.are.equal("n[mail][/etc/postfix][][/q[][][]][bar ][]", got.multi_instance_name)
    assert.are.same({ "/e/x", "bar" }, got.secondaries)
    assert.are.equal("/q[/etc/postfix][][localdomain]", got.queue_directory)
    assert.are.equal("/d[/usr/lib/postfix/sbin][][]", got.data_directory)
    assert.are.equal("s[localdomain][Postfix][]", got.syslog_name)
    assert.are.equal("/usr/sbin/postmulti -p --", got.multi_instance_wrapper)
    assert.are.equal("start ", got.postmulti_stop_commands)
  end)

  it("keeps blanks", function()
    assert.are.equal("a  b", primary("multi_instance_name = a  b\n").multi_instance_name)
  end)

  it("tags the log with the primary's name", function()
    assert.are.equal("postfix-m", primary("multi_instance_name = postfix-m\n").syslog_name)
    assert.are.equal("tag--x", primary("syslog_name = tag-${process_name}-x\n").syslog_name)
  end)

  it("computes myhostname and mydomain", function()
    assert.are.equal("node.aa", primary("mydomain = aa$mail_name\n").myhostname)
    local got = primary "syslog_name = [$mydomain][$myhostname]\nmyhostname = aa.b$mail_name\n"
    assert.are.equal("[b][aa.bPostfix]", got.syslog_name)
    assert.is_nil((primary "myhostname = aa.$mail_name\n"))
  end)

  it("asks postconf for what differs between releases, if it is visible", function()
    assert.are.equal("v9.9", primary("multi_instance_name = v$mail_version\n", POSTCONF).multi_instance_name)
    assert.are.equal("-", primary("multi_instance_name = $smtp_host_lookup-$max_use\n").multi_instance_name)
  end)

  local refused = {
    "compatibility_level = x", "compatibility_level =", "compatibility_level = 3.6.", "compatibility_level = 3.",
    "compatibility_level = $$x",
    "syslog_facility = console", "syslog_facility = mail news", "syslog_facility =", "inet_protocols = IPv4",
    "inet_protocols = ipv4 x", "inet_protocols = ipv5", "myhostname = a..b.c", "myhostname = a.b.c-",
    "mydomain = a.b.c-", "mynetworks_style = HOST", "mynetworks_style = class, host", "soft_bounce = 1",
    "multi_instance_enable = maybe", "multi_instance_enable =", "queue_directory =", "queue_directory = $nothing",
    "syslog_name =", "max_use = 0", "max_use = -5", "max_use = 5k", "max_use = 0x10", "max_use = 5 0", "max_use =",
    "max_use = 2147483648", "tcp_windowsize = -2147483649", "line_length_limit = 511",
    "delay_logging_resolution_limit = 7", "message_size_limit = 9223372036854775808", "max_idle = 0", "max_idle = s",
    "max_idle = 1x", "max_idle = 1.5h", "max_idle = 1 s", "max_idle =", "max_idle = -1", "max_idle = 1W",
    "max_idle = 2147483648", "max_idle = 3551w", "in_flow_delay = 11", "in_flow_delay = 100d",
    "myhostname = a..b", "myhostname = .a", "myhostname = a.", "myhostname = -a", "myhostname = a-.b",
    "myhostname = a b",
    "myhostname = 1.2.3.4", "myhostname = a1.2", "myhostname = \xc3\xa9.x", "myhostname =", "mydomain = 1",
    "mydomain = -a", "myhostname = " .. ("a"):rep(64), "myhostname = " .. ("aaaaaaaaa."):rep(25) .. "aaaaaa",
    "mydomain = $myhostname", "myhostname = x.$mydomain", "mydomain = $mydomain",
    "maillog_file = /opt/x", "maillog_file = /va", "maillog_file = /x\nmaillog_file_prefixes = ,",
    "maillog_file = /x\nmaillog_file_prefixes = a\rb\n\tc", "myorigin = /no\rfile\n " .. ("x"):rep(3000),
    "maillog_file_prefixes =", "default_verp_delimiters = xx", "default_verp_delimiters = +",
    "verp_delimiter_filter = ab", "myorigin = /nofile", "myorigin =", "multi_instance_name = ${",
    "queue_directory = $a\na = $a", "multi_instance_wrapper = ${foo-}", "mail_name = $(x",
  }
  for _, text in ipairs(refused) do
    it(("refuses %q"):format(text), function()
      local got, reason, kind = primary(text .. "\n")
      assert.is_nil(got)
      assert.are.equal("invalid", kind)
      assert.truthy(reason:find("^/etc/postfix/main%.cf, line %d: "), reason)
      assert.is_nil(reason:find "%c")
      assert.is_true(#reason < 1000)
    end)
  end

  it("refuses what leaves the default of syslog_name empty", function()
    local got, reason = primary "multi_instance_name = ${myorigin:$myorigin}$none$foo\nnone =\nfoo = $none\n"
    assert.is_nil(got)
    assert.are.equal("/etc/postfix/main.cf: syslog_name = : must not be empty", reason)
  end)

  local accepted = {
    "compatibility_level = 3.6", "compatibility_level = 3", "compatibility_level = 3.10", "inet_protocols = all",
    "myhostname = mail.example.com", "mydomain = b.example.com",
    "syslog_facility = local7", "inet_protocols = ipv4, ipv6", "inet_protocols = ,",
    "mynetworks_style = subnet,", "soft_bounce = YES", "max_use = +5", "max_use = 007", "max_use = 2147483647",
    "tcp_windowsize = -5", "message_size_limit = -5", "lmdb_map_size = 9223372036854775807", "max_idle = 1",
    "max_idle = 1w", "max_idle = 1m1s", "max_idle = 1m 1s", "max_idle = 1m, 1s", "max_idle = 1s1", "max_idle = 1s/x",
    "in_flow_delay = 0",
    "myhostname = a_b", "myhostname = 1a", "myhostname = A.B", "mydomain = a1.2", "myhostname = 123.com",
    "myhostname = " .. ("a"):rep(63), "myhostname = " .. ("aaaaaaaaa."):rep(25) .. "aaaaa", "maillog_file =",
    "maillog_file = /varx", "maillog_file = /opt/x\nmaillog_file_prefixes = /foo,/opt", "default_verp_delimiters = ==",
    "verp_delimiter_filter = ab\ndefault_verp_delimiters = ab", "foo = ${", "smtp_mx_address_limit = x",
    "queue_directory = relative", "helpful_warnings = $soft_bounce",
    "strict_8bitmime = $owner_request_special", "max_use = ${max_idle:3}",
  }
  for _, text in ipairs(accepted) do
    it(("accepts %q"):format(text), function()
      local got, reason = primary(text .. "\n", POSTCONF)
      assert.truthy(got, reason)
    end)
  end

  it("returns the remarks on the file", function()
    local got, remarks = primary "foo = 1\nfoo = 2\n"
    assert.truthy(got)
    assert.are.equal("duplicate", remarks[1].kind)
  end)

  it("passes on why the file cannot be read", function()
    local got, reason, kind = read_primary(fake_core {}, "/etc/postfix")
    assert.is_nil(got)
    assert.are.equal("/etc/postfix/main.cf: No such file or directory", reason)
    assert.are.equal("missing", kind)
  end)

  describe("with the accounts of the system", function()
    local users = {
      root = { pw_name = "root", pw_uid = 0, pw_gid = 0 }, postfix = { pw_name = "postfix", pw_uid = 102,
      pw_gid = 105 },
      g0 = { pw_name = "g0", pw_uid = 900, pw_gid = 0 }, same = { pw_name = "same", pw_uid = 102, pw_gid = 901 },
      nobody = { pw_name = "nobody", pw_uid = 65534, pw_gid = 65534 }, ug = { pw_name = "ug", pw_uid = 905,
      pw_gid = 907 },
    }
    local groups = {
      root = { gr_name = "root", gr_gid = 0 }, postdrop = { gr_name = "postdrop", gr_gid = 106 },
      postfix = { gr_name = "postfix", gr_gid = 105 }, sameg = { gr_name = "sameg", gr_gid = 106 },
      gnone = { gr_name = "gnone", gr_gid = 907 }, nogroup = { gr_name = "nogroup", gr_gid = 65534 },
    }
    local ids = { [102] = users.postfix, [900] = users.g0, [905] = users.ug, [65534] = users.nobody }
    local gids = { [106] = groups.postdrop, [105] = groups.postfix, [907] = groups.gnone, [65534] = groups.nogroup }
    local before = {}

    setup(function()
      before.pwd, before.grp = package.loaded["posix.pwd"], package.loaded["posix.grp"]
      package.loaded["posix.pwd"] = {
        getpwnam = function(name) return users[name] end, getpwuid = function(uid) return ids[uid] end,
      }
      package.loaded["posix.grp"] = {
        getgrnam = function(name) return groups[name] end, getgrgid = function(gid) return gids[gid] end,
      }
    end)
    teardown(function()
      package.loaded["posix.pwd"], package.loaded["posix.grp"] = before.pwd, before.grp
    end)

    for _, text in ipairs {
      "mail_owner = root", "mail_owner = g0", "mail_owner = same", "mail_owner = nosuch", "mail_owner = nobody",
      "mail_owner =", "default_privs = root", "default_privs = postfix", "default_privs = same", "setgid_group = root",
      "setgid_group = postfix", "setgid_group = sameg", "setgid_group = nosuch", "setgid_group = nogroup",
      "setgid_group = gnone\nmail_owner = ug",
    } do
      it(("refuses %q"):format(text), function()
        local got, reason, kind = primary(text .. "\n")
        assert.is_nil(got)
        assert.are.equal("invalid", kind)
        assert.truthy(reason:find("^/etc/postfix/main%.cf, line %d: "), reason)
      end)
    end
    for _, text in ipairs { "mail_owner = postfix", "mail_owner = ug", "default_privs = ug", "setgid_group = gnone" } do
      it(("accepts %q"):format(text), function()
        local got, reason = primary(text .. "\n")
        assert.truthy(got, reason)
      end)
    end
  end)
end)

describe("parameters.get", function()
  local TEXT = "foo = a  $mail_name\nrelayhost = [$foo]\nluser_relay = $user@x\nbad = ${\n"
  local function get(name, options, postconf)
    local core = fake_core({ ["/a/main.cf"] = TEXT }, postconf)
    return parameters.get(core, "/a", name, options)
  end

  it("prints values as postconf -h and -hx", function()
    assert.are.equal("a $mail_name", (get "foo"))
    assert.are.equal("[a Postfix]", (get("relayhost", { expand = true })))
    assert.are.equal("$user@x", (get("luser_relay", { expand = true })))
    assert.are.equal("${", (get "bad"))
    assert.are.equal("/a", (get "config_directory"))
    assert.are.equal("postconf", (get "process_name"))
    assert.are.equal("$mail_version-1", (get("x", nil, POSTCONF)))
    assert.are.equal("9.9-1", (get("x", { expand = true }, POSTCONF)))
    assert.are.equal("", (get("multi_instance_name")))
    assert.are.equal("node.localdomain", (get("myorigin", { expand = true })))
  end)

  it("tells what is unknown, malformed, unreadable or not to be had", function()
    local value, reason, kind = get("nonsense", nil, POSTCONF)
    assert.are.same({ nil, "/a/main.cf: unknown parameter nonsense", "unknown" }, { value, reason, kind })
    value, reason, kind = get("bad", { expand = true })
    assert.is_nil(value)
    assert.truthy(reason:find("^/a/main%.cf, line 4: bad = "))
    assert.are.equal("invalid", kind)
    assert.are.equal("defaults", select(3, get("mail_version", nil, { status = 1, stdout = "" })))
    assert.are.equal("missing", select(3, parameters.get(fake_core {}, "/b", "foo")))
  end)
end)

describe("postmulti.globals", function()
  it("lists each parameter once, in the order of the steps", function()
    local seen, last = {}, 0
    for _, step in ipairs(globals.steps) do
      assert.is_true(step[1] >= last)
      last = step[1]
      for index = 3, #step do
        assert.is_nil(seen[step[index]], step[index])
        seen[step[index]] = true
      end
    end
  end)
end)
