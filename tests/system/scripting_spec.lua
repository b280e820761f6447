-- Scripts and hooks as their authors meet them, on a real Postfix, in the sandbox.

local play = require "tests.support.play"

---A step that writes a hook, and then runs COMMAND.
local function hook(text, command)
  return ("mkdir -p /etc/postmulti/hooks.d; cat >/etc/postmulti/hooks.d/10-x.lua <<'END'\n%s\nEND\n%s"):format(text,
    command)
end

describe("postmulti, run for an instance by a hook or script, #system", function()
  local r

  setup(function()
    r = play {
      { "after_create", hook([[return { after_create = function(event)
          assert(event.instance:run { "postmulti", "-e", "enable", "-i", event.instance.name }.status == 0)
          assert(event.instance.enabled)
        end }]], "postmulti -e init; postmulti -e create -I postfix-a; postmulti -l") },
      { "after_disable", hook([[return { after_disable = function(event)
          event.instance:run { "postmulti", "-l", "-i", event.instance.name }
        end }]], "postmulti -e disable -i a") },
      { "before_postfix", hook([[return { before_postfix = function(event)
          event.instance:run { "postmulti", "-l", "-i", event.instance.name or "-" }
        end }]], "postmulti -i a -p check") },
      { "transaction", "rm /etc/postmulti/hooks.d/*; postmulti-lua -e 'local host = require \"postmulti\".open() "
        .. "host:transaction(function() host:instance(\"a\"):run { \"postmulti\", \"-i\", \"a\", \"-e\", \"enable\" } "
        .. "end) assert(host:instance(\"a\").enabled)'" },
      { "no transaction", "postmulti-lua -e 'local host = require \"postmulti\".open() "
        .. "os.exit(host:instance(\"a\"):run { \"postmulti\", \"-l\" }.status)'" },
      { "-x", "postmulti -i a -x postmulti -l" },
      { "a variable", "MAIL_CONFIG=/etc/postfix-a POSTMULTI_HOOKS_ACTIVE=\"x $$@etc-postfix-b\" postmulti -l; echo $?; "
        .. "MAIL_CONFIG=/etc/postfix-a POSTMULTI_HOOKS_ACTIVE=999999@etc-postfix postmulti -l; echo $?; "
        .. ": >/run/postmulti/etc-postfix.child-999999-00aa; MAIL_CONFIG=/etc/postfix-a "
        .. "POSTMULTI_LOCK_HOLDER=/run/postmulti/etc-postfix.child-999999-00aa postmulti -l; echo $?; "
        .. "rm /run/postmulti/*child*; MAIL_CONFIG=/etc/postfix-a "
        .. "POSTMULTI_LOCK_HOLDER=/run/postmulti/etc-postfix.child-$$-00aa postmulti -l; echo $?" },
      { "another primary", "cp -a /etc/postfix /etc/other; mkdir -p /etc/postmulti/hooks.d; "
        .. "cp -a /etc/postfix-a /etc/other-a; "
        .. "postconf -c /etc/other -e multi_instance_directories=/etc/other-a queue_directory=/var/spool/other "
        .. "data_directory=/var/lib/other; " .. hook([[return { after_enable = function(event)
          os.exit = nil
          assert(event.instance:run { "postmulti", "-l" }.status == 0, "refused")
        end }]], "postmulti -c /etc/other -e enable -i a") },
    }
  end)

  it("works where it is within the transaction or hook", function()
    assert.equal(0, r.after_create.status, r.after_create.text)
    assert.matches("postfix%-a +%- +y", r.after_create.text)
    for _, step in ipairs { "after_disable", "before_postfix" } do
      assert.equal(0, r[step].status, r[step].text)
      assert.matches("^postfix%-a +%- +n +/etc/postfix%-a\n", r[step].text)
    end
    assert.same({ text = "", status = 0 }, r.transaction)
  end)

  it("is refused elsewhere, as the stock command does", function()
    for _, step in ipairs { "no transaction", "-x" } do
      assert.equal(1, r[step].status)
      assert.matches("^postmulti: fatal: MAIL_CONFIG=/etc/postfix%-a: that is not the primary", r[step].text)
    end
  end)

  it("is refused when only the environment says that it is within one", function()
    assert.equal(4, select(2, r["a variable"].text:gsub("MAIL_CONFIG=/etc/postfix%-a: [^\n]*\n1\n", "")),
      r["a variable"].text)
  end)

  it("is refused within those of another primary", function()
    assert.equal(4, r["another primary"].status, r["another primary"].text)
    assert.matches("MAIL_CONFIG=/etc/other%-a: that is not the primary", r["another primary"].text)
  end)
end)

describe("a hook that hangs #system", function()
  local r

  setup(function()
    local function stuck(body)
      return hook("return { time_limit = 1, after_create = function(event) " .. body .. " end }",
        "postmulti -e create -I postfix-h")
    end
    r = play {
      { "prepare", "postmulti -e init; cp /etc/postfix/main.cf /root/main.cf; mkfifo /root/fifo" },
      { "child", stuck "event.instance:run { 'sleep', '1000' }" },
      { "execute", stuck "os.execute 'sleep 1000; sleep 1000'" },
      { "popen", stuck "io.popen('sleep 1000'):read 'a'" },
      { "deaf child", stuck "os.execute 'trap \"\" TERM; sleep 1000 & wait; wait'" },
      { "children", "pgrep -x sleep" },
      { "pattern", stuck "string.find(('a'):rep(40), ('a?'):rep(40) .. ('a'):rep(40))" },
      { "undone", "ls -d /etc/postfix-h >/dev/null && postmulti --no-hooks -e create -I postfix-i && "
        .. "postmulti -l; ls -d /etc/postfix-h" },
    }
  end)

  it("is stopped with the programs that it waits for", function()
    for _, step in ipairs { "child", "execute", "popen", "deaf child" } do
      assert.equal("postmulti: fatal: create of postfix-h is undone, as a hook failed: "
        .. "/etc/postmulti/hooks.d/10-x.lua: after_create took longer than 1 s, and was stopped\n", r[step].text)
      assert.equal(4, r[step].status)
    end
    assert.same({ text = "", status = 1 }, r.children)
  end)

  it("where it cannot be stopped, ends the program, and the next one undoes what was begun", function()
    assert.equal(1, r.pattern.status)
    assert.matches("^postmulti: fatal: /etc/postmulti/hooks.d/10%-x.lua: after_create hangs in a call that cannot be "
      .. "stopped[^\n]*\n$", r.pattern.text)
    assert.matches("a command was interrupted[^\n]*\n%-[^\n]*\npostfix%-i [^\n]*\n"
      .. "ls: cannot access '/etc/postfix%-h'", r.undone.text)
  end)
end)

describe("code of the site that is not loaded #system", function()
  local r

  setup(function()
    r = play {
      { "prepare", "postmulti -e init; postmulti -e create -I postfix-a; mkdir -p /etc/postmulti/hooks.d; "
        .. "echo 'return {' >/etc/postmulti/config.lua" },
      { "listed", "postmulti -l && postmulti -x true && postmulti --no-hooks -i a -e enable && "
        .. "postmulti --no-hooks -p status" },
      { "refused", "postmulti -i a -e enable; postmulti --no-hooks -e create -I postfix-b" },
      { "hook", "rm /etc/postmulti/config.lua; echo 'return {}' >/etc/postmulti/hooks.d/10-x.lua; "
        .. "chown nobody /etc/postmulti/hooks.d/10-x.lua; postmulti -p start" },
      { "binary", "cd /etc/postmulti/hooks.d; rm 10-x.lua; printf '\\33Lua' >20-x.lua; postmulti -i a -e disable; "
        .. "rm 20-x.lua" },
      { "names", "cd /etc/postmulti/hooks.d; touch '10 x.lua' README x.lua~; postmulti --list-hooks" },
    }
  end)

  it("does not matter where nothing of it is wanted", function()
    assert.matches("^%-[^\n]*\npostfix%-a[^\n]*\n", r.listed.text)
    assert.not_matches("config.lua", r.listed.text)
    assert.equal(2, select(2, r.refused.text:gsub("fatal: /etc/postmulti/config.lua:2: unexpected symbol", "")))
  end)

  it("is told once, with its path", function()
    assert.same({ status = 1, text = "postmulti: fatal: /etc/postmulti/hooks.d/10-x.lua is not loaded: "
      .. "it belongs to user 65534, not to root\n" }, r.hook)
    assert.matches("^postmulti: fatal: /etc/postmulti/hooks.d/20%-x.lua: attempt to load a binary chunk", r.binary.text)
  end)

  it("for its name alone is shown by --list-hooks", function()
    assert.same({ status = 0, text = "postmulti: warning: /etc/postmulti/hooks.d/10 x.lua: no hook, for its name; "
      .. "use letters, digits, '_' and '-' before .lua\n" }, r.names)
  end)
end)

describe("a command of the site #system", function()
  local r

  setup(function()
    local command = "cat >/etc/postmulti/commands.d/say.lua <<'END'\n" .. [[
return {
  summary = "say it", options = { how = { argument = "WORD" } },
  run = function(context)
    if context.options.how == "object" then error { message = "sorry" }
    elseif context.options.how == "text" then error "oops"
    elseif context.options.how == "level" then context.report("loud", "x")
    elseif context.options.how == "number" then return 7
    elseif context.options.how == "false" then return false
    elseif context.options.how == "make" then context.host:create { name = "postfix-a" } end
  end,
}
END
]]
    local steps = { { "prepare", "postmulti -e init; mkdir -p /etc/postmulti/commands.d\n" .. command } }
    for _, how in ipairs { "object", "text", "level", "number", "false", "well" } do
      steps[#steps + 1] = { how, "postmulti -e say --how " .. how }
    end
    steps[#steps + 1] = { "dry", "postmulti --dry-run -e say --how make; postmulti -l" }
    steps[#steps + 1] = { "option", "postmulti -e say --hwo x" }
    steps[#steps + 1] = { "value", "postmulti -e say --how" }
    steps[#steps + 1] = { "name", "postmulti -e sya" }
    r = play(steps)
  end)

  it("tells in one line what is wrong, and where", function()
    local start = "postmulti: fatal: -e say failed: "
    assert.equal(start .. "sorry\n", r.object.text)
    assert.equal(start .. "/etc/postmulti/commands.d/say.lua:5: oops\n", r.text.text)
    assert.equal(start .. "/etc/postmulti/commands.d/say.lua:6: report: 'loud' is no level; "
      .. "say info, warning or error\n", r.level.text)
    start = "postmulti: fatal: -e "
    assert.equal(start .. "say: there is no option --hwo; did you mean --how; postmulti -e say --help tells which "
      .. "there are\n", r.option.text)
    assert.equal(start .. "say: --how needs a value, WORD\n", r.value.text)
    assert.equal(start .. "sya: no such action; did you mean say; specify one of create, destroy, import, deport, "
      .. "enable, disable, assign, init, say\n", r.name.text)
  end)

  it("has an exit status of its own", function()
    local statuses = {}
    for index, how in ipairs { "object", "text", "number", "false", "well" } do
      statuses[index] = r[how].status
    end
    assert.same({ 1, 1, 7, 1, 0 }, statuses)
  end)

  it("changes nothing in a dry run", function()
    assert.matches("would make the file /etc/postfix%-a/main.cf\n.*\n%- +%- +y +/etc/postfix\n$", r.dry.text)
  end)
end)

describe("a command that a script starts in a transaction #system", function()
  local r

  setup(function()
    local script = "cat >/root/x.lua <<'END'\n" .. [[
local host = require "postmulti".open()
host:transaction(function()
  host:create { name = "postfix-b" }
  %s
end)
END
postmulti-lua /root/x.lua; postmulti -l]]
    r = play {
      { "prepare", "postmulti -e init; postmulti -e create -I postfix-a" },
      { "alone", script:format('os.execute "postmulti --lock-timeout 0.5 -i a -e enable"') },
      { "again", "postmulti -e destroy -i b" },
      { "helped", script:format 'host:run { "postmulti", "-i", "b", "-e", "enable" }' },
    }
  end)

  it("is told why it waits for the lock", function()
    assert.matches("^postmulti: warning: the host is locked by process %d+, which has started this one[^\n]*host:run\n"
      .. "postmulti: fatal: [^\n]* process %d+[^\n]*\n%- +%- +y +/etc/postfix\npostfix%-a +%- +n [^\n]*\n"
      .. "postfix%-b +%- +n [^\n]*\n$", r.alone.text)
  end)

  it("works within it, if started by host:run", function()
    assert.matches("postfix%-b +%- +y ", r.helped.text)
  end)
end)

describe("Ctrl-C at any time #system", function()
  -- As when the signal comes after the lock was taken, and before the variable that keeps it is set.
  it("in the moment in which a file is opened does not keep it locked against the way back", function()
    local r = play {
      { "prepare", "postmulti -e init; postmulti -e create -I postfix-a; cp /etc/postfix-a/main.cf /root/before" },
      { "undone", "cat >/root/x.lua <<'END'\n" .. [[
local host = require "postmulti".open { lock_timeout = 1, report = print }
local a = host:instance "a"
print(pcall(host.transaction, host, function()
  a:set { x = 1 }
  host.core.edit("/etc/postfix-a/main.cf", { timeout = 1 })
  error("stop", 0)
end))
host:transaction(function()
  print(pcall(host.transaction, host, function()
    a:set { y = 1 }
    host.core.edit("/etc/postfix-a/main.cf", { timeout = 1 })
    error("part", 0)
  end))
end)
END
postmulti-lua /root/x.lua; ls /etc/postfix-a; cmp /root/before /etc/postfix-a/main.cf]] },
    }
    assert.matches("^false\tstop\n.*\nfalse\tpart\n.*\nmain.cf\nmaster.cf\n$", r.undone.text)
    assert.not_matches("locked", r.undone.text)
    assert.equal(0, r.undone.status)
  end)

  it("leaves the host as it was", function()
    local r = play { { "many", [[
      picture() {
        find /etc/postfix* /var/spool/postfix* /var/lib/postfix* -printf '%p %y %m %U:%G %l\n' | sort
        find /etc/postfix* -type f -exec md5sum {} + | sort
        ls -A /run/postmulti /var/lib/postmulti 2>/dev/null
      }
      postmulti -e init; postmulti -e create -I postfix-a; picture >/root/before
      for delay in 0.01 0.02 0.03 0.04 0.05 0.06 0.09 0.14; do
        env --default-signal=INT postmulti-lua examples/per-address.lua >/dev/null 2>&1 & job=$!
        sleep $delay; kill -INT $job 2>/dev/null; wait $job; echo "status $?"
        for number in $(seq 20); do
          [ ! -d /etc/postfix-out$number ] ||
            { postmulti -i out$number -e disable; postmulti -i out$number -e destroy; }
        done
        picture >/root/after; diff /root/before /root/after
      done]] } }
    local statuses = {}
    local rest = r.many.text:gsub("status (%d+)\n", function(status)
      statuses[#statuses + 1] = status
      return ""
    end)
    assert.equal("", rest)
    assert.equal(8, #statuses)
    assert.is_true(select(2, table.concat(statuses, " "):gsub("130", "")) >= 3, table.concat(statuses, " "))
  end)
end)

describe("a script #system", function()
  it("that does not say who is told gets warnings, and what a dry run would do, on standard error", function()
    local r = play {
      { "warned", "postmulti -e init; cat >/root/s.lua <<'END'\n"
        .. "require 'postmulti'.open { dry_run = true }:create { name = 'postfix-a' }\nEND\n"
        .. "postmulti-lua /root/s.lua" },
    }
    assert.equal(0, r.warned.status)
    assert.matches("s.lua: would make the file /etc/postfix%-a/main.cf\n", r.warned.text)
    r = play {
      { "warned", "postmulti -e init; postmulti -e create -I postfix-a; "
        .. "echo 'multi_instance_group = twice' >>/etc/postfix-a/main.cf; "
        .. "echo 'multi_instance_group = again' >>/etc/postfix-a/main.cf; "
        .. "echo 'for i in require \"postmulti\".open():instances() do print(i.group) end' >/root/s.lua; "
        .. "postmulti-lua /root/s.lua" },
    }
    assert.matches("s.lua: warning: /etc/postfix%-a/main.cf, line %d+: the name is set before", r.warned.text)
    assert.matches("again\n$", r.warned.text)
  end)
end)
