-- The examples, hooks and scripts of the site on a real Postfix, in the sandbox. Each group is one sandbox.

local play = require "tests.support.play"

-- Everything that may be changed, as one text: names, owners, modes, contents.
local PICTURE = "(find /etc/postfix* /var/spool/postfix* /var/lib/postfix* ! -type d -printf '%p %m %U %G\\n' | sort; "
  .. "find /etc/postfix* /var/spool/postfix* /var/lib/postfix* -type d -printf '%p %m %U %G\\n' | sort; "
  .. "cat /etc/postfix/main.cf /etc/postfix/master.cf; ls -A /run/postmulti)"

describe("example scripts #system", function()
  local r

  setup(function()
    r = play {
      { "border", "postmulti-lua examples/border-server.lua example.com '[hub.example.com]'" },
      { "border list", "postmulti -l" },
      { "border check", "postmulti -x postconf -x >/dev/null && postmulti -p check" },
      { "border filter", "postconf -c /etc/postfix-in -xh content_filter; postconf -c /etc/postfix-out -M" },
      { "start", "postfix start; sleep 0.5; postmulti -p status; echo status $?" },
      { "report", "postmulti-lua examples/queue-report.lua /tmp/q.json /tmp/q.prom && cat /tmp/q.json /tmp/q.prom" },
      { "relayhost", "postmulti-lua examples/relayhost-migration.lua '[hub.example.com]' '[new.example.com]:587'; "
        .. "postmulti -g mta -x postconf -h relayhost" },
      { "relayhost fails", "printf '#!/bin/sh\\n[ $MAIL_CONFIG != /etc/postfix-out ] || exit 1\\n' "
        .. ">/tmp/postfix; chmod 755 /tmp/postfix; "
        .. "mount --bind /tmp/postfix /usr/sbin/postfix; "
        .. "postmulti-lua examples/relayhost-migration.lua '[new.example.com]:587' '[third.example.com]'; s=$?; "
        .. "umount /usr/sbin/postfix; postconf -c /etc/postfix-out -h relayhost; "
        .. "exit $s" },
      { "certificate", "mkdir -p /etc/letsencrypt/live/a; touch /etc/letsencrypt/live/a/fullchain.pem; "
        .. "postconf -c /etc/postfix-in -e smtpd_tls_cert_file=/etc/letsencrypt/live/a/fullchain.pem; "
        .. "RENEWED_LINEAGE=/etc/letsencrypt/live/a postmulti-lua examples/tls-reload.lua" },
      { "stop", "postfix stop; postmulti -p status; exit 0" },
      { "clone", "echo 'x y' >/etc/postfix-in/transport; "
        .. "postconf -c /etc/postfix-in -e transport_maps=texthash:/etc/postfix-in/transport; "
        .. "postmulti-lua examples/clone.lua in postfix-in2 && postmulti -l && "
        .. "cmp /etc/postfix-in/master.cf /etc/postfix-in2/master.cf && "
        -- postconf of 3.10 takes /etc/postfix for config_directory while main.cf is fresh.
        .. "touch -d '10 seconds ago' /etc/postfix-in2/main.cf && "
        .. "postconf -c /etc/postfix-in2 -xh transport_maps myhostname queue_directory && cat "
        .. "/etc/postfix-in2/transport" },
      { "lint", "postmulti-lua --lint examples/border-server.lua examples/hooks/10-chroot.lua examples/clone.lua" },
    }
  end)

  it("border-server: the whole walk-through at once", function()
    assert.equal(0, r.border.status, r.border.text)
    assert.equal("init /etc/postfix\ncreate postfix-out\ncreate postfix-in\nenable postfix-out\nenable postfix-in\n",
      r.border.text)
    assert.matches("postfix%-out +mta +y +/etc/postfix%-out\npostfix%-in +mta +y +/etc/postfix%-in\n",
      r["border list"].text)
    assert.equal(0, r["border check"].status, r["border check"].text)
    assert.matches("^smtp:%[127.0.0.1%]:10024\n.*127.0.0.1:10026 +inet", r["border filter"].text)
    assert.matches("status 0\n$", r.start.text)
  end)

  it("queue-report: JSON and Prometheus", function()
    assert.equal(0, r.report.status, r.report.text)
    assert.matches('{"instance":"postfix%-out","running":true,"maildrop":0,', r.report.text)
    assert.matches('\npostfix_queue_messages{instance="postfix%-in",queue="deferred"} 0\n', r.report.text)
    assert.matches('\npostfix_up{instance="postfix%-in"} 1\n', r.report.text)
  end)

  it("relayhost-migration: all of them, or none", function()
    assert.matches("postfix%-out: relayhost = %[new.example.com%]:587\n", r.relayhost.text)
    assert.equal(0, r.relayhost.status)
    assert.equal(1, r["relayhost fails"].status)
    assert.matches("postfix%-out: ; nothing was changed\n%[new.example.com%]:587\n$", r["relayhost fails"].text)
  end)

  it("tls-reload: the instance concerned and no other", function()
    assert.equal("postfix-in: reloaded\n", r.certificate.text)
  end)

  it("clone: settings, services and tables of another instance", function()
    assert.equal(0, r.clone.status, r.clone.text)
    assert.matches("postfix%-in2 +mta +n", r.clone.text)
    assert.matches("\ntexthash:/etc/postfix%-in2/transport\nmx.example.com\n/var/spool/postfix%-in2\nx y\n$",
      r.clone.text)
    assert.equal("", r.lint.text)
  end)
end)

describe("twenty addresses #system", function()
  local r

  setup(function()
    r = play {
      { "init", "postmulti -e init; " .. PICTURE .. " >/tmp/before" },
      { "fails", "sed 's/local out = /if number == 17 then error \"no\" end local out = /' examples/per-address.lua "
        .. ">/root/seventeen.lua; postmulti-lua /root/seventeen.lua" },
      { "as before", PICTURE .. " >/tmp/after; cmp /tmp/before /tmp/after; ls -d /etc/postfix-* /var/spool/postfix-*" },
      { "interrupt", "sed 's/local out = /if number == 9 then host:run { \"sh\", \"-c\", "
        .. "\"kill -INT \" .. pid } end local out = /; "
        .. "s/^local postmulti.*/&\\nlocal pid = tostring(require(\"posix.unistd\").getpid())/' "
        .. "examples/per-address.lua "
        .. ">/root/interrupt.lua; postmulti-lua /root/interrupt.lua" },
      { "as before it", PICTURE .. " >/tmp/after; cmp /tmp/before /tmp/after; postmulti -l" },
      { "terminate", "postmulti-lua -e 'require(\"postmulti\").open():transaction(function() "
        .. "require(\"postmulti\").open():run { \"sleep\", \"50\" } end)' & p=$!; sleep 0.5; kill -TERM $p; "
        .. "wait $p; s=$?; "
        .. "pgrep -x sleep; exit $s" },
      { "dry", "sed 's/log = print/log = print, dry_run = true/' examples/per-address.lua >/root/dry.lua; "
        .. "postmulti-lua /root/dry.lua | tail -1; postmulti -l" },
      { "works", "postmulti-lua examples/per-address.lua" },
      { "list", "postmulti -l | wc -l; postconf -c /etc/postfix-out20 -h smtp_bind_address myhostname" },
    }
  end)

  it("less than 15 lines", function()
    local lines = 0
    for line in io.lines "examples/per-address.lua" do
      lines = lines + (line:find "^%s*%-%-" and 0 or line:find "^#!" and 0 or 1)
    end
    assert.is_true(lines < 15)
  end)

  it("an error at the seventeenth leaves the host byte for byte as before", function()
    assert.equal(1, r.fails.status)
    assert.matches("seventeen.lua:%d+: no", r.fails.text)
    assert.matches("^ls: cannot access '/etc/postfix%-%*'", r["as before"].text)
  end)

  it("Ctrl-C in the middle does, too", function()
    assert.equal(130, r.interrupt.status, r.interrupt.text)
    assert.matches("interrupted %(SIGINT%)", r.interrupt.text)
    assert.matches("^%- +%- +y +/etc/postfix\n$", r["as before it"].text)
  end)

  it("TERM stops the children", function()
    assert.equal(143, r.terminate.status, r.terminate.text)
    assert.not_matches("\n%d+\n$", r.terminate.text)
  end)

  it("a dry run makes none", function()
    assert.matches("would enable postfix%-out20\n%- +%- +y +/etc/postfix\n$", r.dry.text)
  end)

  it("works", function()
    assert.equal(0, r.works.status, r.works.text)
    assert.matches("instances: 20/20", r.works.text)
    assert.equal("21\n192.0.2.20\nout20.example.com\n", r.list.text)
  end)
end)

describe("example hooks #system", function()
  local r

  setup(function()
    r = play {
      { "install", "mkdir -p /etc/postmulti/hooks.d && cp examples/hooks/*.lua /etc/postmulti/hooks.d/ && "
        .. "printf '#!/bin/sh\\ncat >>/tmp/notified\\n' >/etc/postmulti/notify && chmod 755 /etc/postmulti/notify && "
        .. "mkdir -p /etc/letsencrypt/live/a.example.com && touch /etc/letsencrypt/live/a.example.com/fullchain.pem && "
        .. "postmulti -e init && postmulti --list-hooks" },
      { "veto", "postmulti -e create -I postfix-a" },
      { "create", "postmulti -e create -I postfix-a -G g && ls /var/spool/postfix-a/etc && "
        .. "postconf -c /etc/postfix-a -h smtpd_tls_cert_file && cat /etc/rsyslog.d/20-postfix-a.conf "
        .. "/etc/logrotate.d/postfix-a" },
      { "fails", "echo 'return { after_create = function() error \"sorry\" end }' >/etc/postmulti/hooks.d/95-x.lua; "
        .. "postmulti -e create -I postfix-b -G g; s=$?; ls -d /etc/postfix-b /etc/rsyslog.d/20-postfix-b.conf "
        .. "/etc/logrotate.d/postfix-b; rm /etc/postmulti/hooks.d/95-x.lua; exit $s" },
      { "refresh", "postmulti -i a -e enable; postmulti -i a -e enable; echo nameserver 192.0.2.53 >/etc/resolv.conf; "
        .. "postmulti -i a -p start; cat /var/spool/postfix-a/etc/resolv.conf; postmulti -i a -p stop" },
      { "destroy", "postmulti -i a -e disable && postmulti -i a -e destroy; s=$?; "
        .. "tar -tzf /var/backups/postmulti/postfix-a.tar.gz; ls /etc/rsyslog.d /etc/logrotate.d | grep postfix-a; "
        .. "cat /tmp/notified; exit $s" },
      { "child", "mkdir -p /tmp/h && mv /etc/postmulti/hooks.d/* /tmp/h; echo 'return { after_create = function(event) "
        .. "assert(os.execute(\"postmulti -i \" .. event.instance.name .. \" -e enable\")) "
        .. "assert(event.instance.enabled) assert(io.popen(\"postmulti "
        .. "-l\"):read(\"a\"):find(event.instance.name, 1, true)) "
        .. "event.host:run { \"postmulti\", \"-e\", \"create\", \"-I\", \"postfix-z\" } "
        .. "assert(event.host:instance \"z\") "
        .. "end }' >/etc/postmulti/hooks.d/10-x.lua; postmulti -e create -I postfix-c && postmulti -l" },
      { "child undone", "echo 'return { after_create = function(event) if event.instance.name == \"postfix-d\" "
        .. "then error \"no\" end end }' >/etc/postmulti/hooks.d/20-x.lua; "
        .. "postmulti -i z -e destroy; cp /etc/postfix/main.cf /tmp/main.cf; postmulti -e create -I postfix-d; "
        .. "cmp /etc/postfix/main.cf /tmp/main.cf; ls -d /etc/postfix-d /etc/postfix-z /var/spool/postfix-d "
        .. "/var/spool/postfix-z; ls /run/postmulti; ls /var/lib/postmulti/etc-postfix/journal" },
      { "loop", "echo 'return { time_limit = 1, before_enable = function() os.execute \"sleep 20\" end }' "
        .. ">/etc/postmulti/hooks.d/20-x.lua; postmulti -i c -e disable; postmulti -i c -e enable" },
      { "nobody", "chown nobody /etc/postmulti/hooks.d/20-x.lua; postmulti -i c -e enable" },
      { "writable", "chown root /etc/postmulti/hooks.d/20-x.lua; chmod 777 /etc/postmulti; postmulti -i c -e enable" },
      { "switched off", "chmod 755 /etc/postmulti; postmulti --no-hooks -i c -e enable" },
    }
  end)

  it("are listed", function()
    assert.equal(0, r.install.status, r.install.text)
    assert.matches("00%-group.lua +site +/etc/postmulti/hooks.d/00%-group.lua: before_create\n", r.install.text)
  end)

  it("00-group vetoes", function()
    assert.equal(1, r.veto.status)
    assert.matches("create of postfix%-a is vetoed: .*every instance needs a group", r.veto.text)
  end)

  it("10-chroot, 20-tls and 30-logfiles prepare a new instance", function()
    assert.equal(0, r.create.status, r.create.text)
    assert.matches("hosts\n.*resolv.conf\nservices\n/etc/letsencrypt/live/a.example.com/fullchain.pem\n", r.create.text)
    assert.matches(':programname, startswith, "postfix%-a/" /var/log/postfix%-a.log\n& stop\n', r.create.text)
    assert.matches("/var/log/postfix%-a.log {\n", r.create.text)
  end)

  it("leave nothing of an instance whose creation is undone", function()
    assert.equal(4, r.fails.status)
    assert.matches("create of postfix%-b is undone, as a hook failed: .*95%-x.lua:1: sorry", r.fails.text)
    assert.equal(3, select(2, r.fails.text:gsub("cannot access", "")))
  end)

  it("10-chroot refreshes resolv.conf", function()
    assert.matches("nameserver 192.0.2.53\n", r.refresh.text)
  end)

  it("40-archive, 30-logfiles and 90-notify see an instance off", function()
    assert.equal(0, r.destroy.status, r.destroy.text)
    assert.matches("%./main.cf\n", r.destroy.text)
    assert.not_matches("20%-postfix%-a.conf", r.destroy.text)
    assert.matches("enable postfix%-a\ndisable postfix%-a\ndestroy postfix%-a\n$", r.destroy.text)
  end)

  it("may run postmulti themselves, and find what was done so far", function()
    assert.equal(0, r.child.status, r.child.text)
    assert.matches("postfix%-c +%- +y.*postfix%-z +%- +n", r.child.text)
  end)

  it("and what postmulti did for them is undone with the rest", function()
    assert.equal(5, select(2, r["child undone"].text:gsub("cannot access '/[ev]", "")), r["child undone"].text)
    assert.not_matches("differ", r["child undone"].text)
    assert.not_matches("%.child", r["child undone"].text)
  end)

  it("are stopped after their time, and refused when others could have written them", function()
    assert.matches("before_enable took longer than 1 s, and was stopped", r.loop.text)
    assert.matches("20%-x.lua is not loaded: it belongs to user 65534, not to root", r.nobody.text)
    assert.matches("/etc/postmulti can be written by others than its owner %(mode 0777%)", r.writable.text)
    assert.same({ 1, 1, 1, 0 },
      { r.loop.status, r.nobody.status, r.writable.status, r["switched off"].status })
  end)
end)

---The blocks of Lua in a page.
local function blocks(path, pattern)
  local file = assert(io.open(path))
  local text, found = file:read "a", {}
  file:close()
  for block in text:gmatch(pattern) do
    found[#found + 1] = block:gsub("\\e", "\\"):gsub("\\&", "")
  end
  return found
end

describe("every example of the documentation #system", function()
  local r, count = nil, 0

  setup(function()
    local steps = {}
    local function add(path, pattern, command)
      for index, block in ipairs(blocks(path, pattern)) do
        count = count + 1
        steps[#steps + 1] = { path .. " " .. index, ("cat >/root/example.lua <<'END'\n%s\nEND\n%s"):format(block,
          command) }
      end
    end
    add("docs/api.md", "```lua\n(.-)```", "postmulti-lua --lint /root/example.lua && postmulti-lua /root/example.lua; "
      .. "s=$?; for i in $(postmulti -l | sed '1d;s/ .*//'); do postmulti -i $i -e disable; "
      .. "postmulti -i $i -e destroy; done; exit $s")
    add("docs/man/postmulti-hooks.7", "%.Bd %-literal %-offset indent\n(return.-)%.Ed",
      "postmulti -e init; postmulti-lua --lint /root/example.lua || exit; mkdir -p /etc/postmulti/hooks.d "
      .. "/etc/postmulti/commands.d; if grep -q summary /root/example.lua; then cp /root/example.lua "
      .. "/etc/postmulti/commands.d/late.lua; postmulti -e late --least 0; else cp /root/example.lua "
      .. "/etc/postmulti/hooks.d/10-x.lua; ! postmulti -e create -I postfix-h && postmulti -e create -I "
        .. "postfix-h -G g; "
      .. "fi")
    r = play(steps)
  end)

  it("runs", function()
    assert.is_true(count >= 8)
    for name, result in pairs(r) do
      assert.equal(0, result.status, name .. ": " .. result.text)
    end
  end)
end)

describe("children of hooks and the lock #system", function()
  local r

  setup(function()
    local hook = "cat >/etc/postmulti/hooks.d/10-x.lua <<'END'\n%s\nEND\n"
    r = play {
      { "parallel", "mkdir -p /etc/postmulti/hooks.d; postmulti -e init\n" .. hook:format [[
return { after_create = function(event)
  local command = "postmulti -e enable -i " .. event.instance.name
  os.execute(command .. "; (sleep 0.1; " .. command .. ") &")
end }]] .. "for i in 1 2 3 4 5 6; do postmulti -e create -I postfix-p$i & done; wait; sleep 0.5; "
        .. "postmulti -l | grep -c ' y  '; ls /run/postmulti" },
      { "broken command", "mkdir /etc/postmulti/commands.d; echo 'return {' >/etc/postmulti/commands.d/x.lua; "
        .. "postmulti --help; s=$?; echo 'return { summary = \"x\", run = function() error \"oops\" end }' "
        .. ">/etc/postmulti/commands.d/x.lua; postmulti -e x; echo $?; rm /etc/postmulti/commands.d/x.lua; exit $s" },
      { "forged", ": >/run/postmulti/etc-postfix.child-1-00aa; postmulti-lua -e '"
        .. "require(\"postmulti\").open():transaction(function() "
        .. "os.execute(\"POSTMULTI_LOCK_HOLDER=/run/postmulti/etc-postfix.child-1-00aa "
        .. "postmulti --lock-timeout 0.2 -i p1 -e disable\") end)'" },
      { "killed", hook:format [[
return { after_create = function()
  os.execute("postmulti --no-hooks -e create -I postfix-n; kill -9 " .. require("posix.unistd").getpid())
end }]] .. "cp /etc/postfix/main.cf /tmp/m; postmulti -e create -I postfix-k; ls -d /etc/postfix-k /etc/postfix-n; "
        .. "postmulti --no-hooks -i p1 -e disable; cmp /tmp/m /etc/postfix/main.cf; "
        .. "ls /run/postmulti; ls -d /etc/postfix-k /etc/postfix-n /var/lib/postmulti/etc-postfix/journal" },
    }
  end)

  it("may be many, and in the background", function()
    assert.equal("7\netc-postfix.lock\n", r.parallel.text)
  end)

  it("(a command that cannot be loaded does not hide the help)", function()
    assert.equal(1, r["broken command"].status)
    assert.matches("%-%-version\n.*fatal: /etc/postmulti/commands.d/x.lua:2: ", r["broken command"].text)
    assert.matches("%-e x failed: /etc/postmulti/commands.d/x.lua:1: oops\n1\n$", r["broken command"].text)
  end)

  it("cannot pass the lock with a name of somebody else's", function()
    assert.matches("locked by process %d+ %(postmulti%-lua%)", r.forged.text)
  end)

  it("are undone with a command that was killed", function()
    assert.matches("/etc/postfix%-k\n/etc/postfix%-n\npostmulti: warning: a command was interrupted[^\n]*\n"
      .. "etc%-postfix.lock\n", r.killed.text)
    assert.equal(3, select(2, r.killed.text:gsub("cannot access", "")), r.killed.text)
    assert.not_matches("differ", r.killed.text)
  end)
end)
