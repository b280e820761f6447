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
