-- Completion by bash, typed at a terminal, in the sandbox.

local play = require "tests.support.play"

---A step in which LINES are typed, each ended by a line feed, in a bash at a terminal; "<TAB>" is that key.
local function typed(lines)
  local keys = {}
  for index, line in ipairs(lines) do
    keys[index] = ("printf '%%b\\n' '%s'; sleep 0.4"):format(line:gsub("<TAB>", "\\t"):gsub("'", "'\\''"))
  end
  return ("{ sleep 0.4; %s; printf 'exit\\n'; } | script -qec 'bash --noprofile --rcfile /root/rc -i' /dev/null "
    .. "| tr -d '\\r'"):format(table.concat(keys, "; "))
end

-- What is completed is shown by echo in place of the command: a function of that name.
local RC = [[
PS1='> '
bind 'set enable-bracketed-paste off'
bind 'set bell-style none'
source %s
]]

local COMMAND = [[
return {
  summary = "late mail", complete = { "one", "other thing" },
  options = { least = { argument = "N", complete = function(context)
    local words = {}
    for index, instance in ipairs(context.instances) do words[index] = "over-" .. instance:label() end
    return words
  end } },
  run = print,
}
]]

describe("completion by bash #system", function()
  local r

  setup(function()
    r = play {
      { "instances", "postmulti -e init; postmulti -e create -I postfix-out -G mta; "
        .. "postmulti -e create -I 'postfix-q!x' -G slow config_directory=/etc/q queue_directory=/var/spool/q "
        .. "data_directory=/var/lib/q; mkdir -p /etc/postmulti/commands.d; cat >/etc/postmulti/commands.d/late.lua "
        .. "<<'END'\n" .. COMMAND .. "END\ncat >/root/rc <<'END'\n"
        .. RC:format "/usr/local/share/bash-completion/completions/postmulti" .. "END\ncp /root/rc /root/rc2" },
      { "typed", typed {
        "postmulti -i ou<TAB>-e en<TAB>#1", "postmulti -lg s<TAB>#2", "postmulti -l -i q<TAB>#3",
        "postmulti -l -i \"q<TAB> #4",
        "postmulti -e create queue_directory=/va<TAB>spo<TAB>x #5",
        "postmulti --lock-timeout=1 --dry<TAB>-x unam<TAB>#6",
        "postmulti -p sta<TAB>#7", "postmulti -e la<TAB>--least=over-p<TAB>#8", "postmulti -e late oth<TAB>#9",
        "postmulti -l --config-directory=/etc/q<TAB>#10", "postmulti -e 'en<TAB> #11",
        "postmulti-lua --li<TAB>/etc/postmulti/comm<TAB>la<TAB>#12", "postmulti -x cat /etc/hostn<TAB>#13",
        "postmulti -l -i /etc/postfix-<TAB>#14",
      } },
      { "untrusted", "chmod 777 /etc/postmulti/commands.d/late.lua; postmulti --complete -e ''; "
        .. "postmulti --complete -e late ''; postmulti --complete -i q" },
      { "broken", "mv /etc/postmulti/commands.d /tmp; echo 'error \"x\"' >/etc/postmulti/config.lua; "
        .. "postmulti --complete -i ou; echo '=' >>/etc/postfix/main.cf; postmulti --complete -i ''; "
        .. "postmulti --complete; [ ! -s /run/sandbox/log ] || grep fatal /run/sandbox/log" },
      { "as a user", "setpriv --reuid nobody --clear-groups postmulti --complete -e en" },
    }
  end)

  it("knows options, actions, instances, groups, commands, directories and the site's own", function()
    local lines = {}
    for line, number in (r.typed.text .. "\n"):gmatch "> ([^\n]*)#(%d+)\n" do
      lines[tonumber(number)] = line
    end
    assert.same({
      "postmulti -i out -e enable ", "postmulti -lg slow ", "postmulti -l -i q\\!x ", "postmulti -l -i \"q!x\"  ",
      "postmulti -e create queue_directory=/var/spool/x ", "postmulti --lock-timeout=1 --dry-run -x uname ",
      "postmulti -p sta", "postmulti -e late --least=over-postfix-", "postmulti -e late other\\ thing ",
      "postmulti -l --config-directory=/etc/q/", "postmulti -e 'enable'  ",
      "postmulti-lua --lint /etc/postmulti/commands.d/late.lua ", "postmulti -x cat /etc/hostname ",
      "postmulti -l -i /etc/postfix-out ",
    }, lines, r.typed.text)
  end)

  it("offers nothing of a file that others could have written, and never complains", function()
    assert.same({ text = "assign\ncreate\ndeport\ndestroy\ndisable\nenable\nimport\ninit\nq!x\n", status = 0 },
      r.untrusted)
    assert.same({ text = "out\n", status = 0 }, { text = r.broken.text:match "^(.-\n)%-", status = r.broken.status })
  end)

  it("works for any user", function()
    assert.same({ text = "enable\n", status = 0 }, r["as a user"])
  end)
end)

describe("installation #system", function()
  it("puts the completion where bash-completion looks, and uninstall leaves nothing", function()
    local top = os.tmpname()
    os.remove(top)
    local make = "make -s DESTDIR=" .. top .. " PREFIX=/opt/p "
    local function files()
      local pipe = assert(io.popen("find " .. top .. " ! -type d -printf '%P\n' | sort"))
      local text = pipe:read "a"
      pipe:close()
      return text
    end
    assert(os.execute(make .. "install"))
    local text = files()
    for _, name in ipairs { "postmulti", "postmulti-lua" } do
      assert.is_truthy(text:find("opt/p/share/bash-completion/completions/" .. name .. "\n", 1, true), text)
    end
    assert(os.execute(make .. "uninstall"))
    assert.equal("", files())
    os.execute("rmdir " .. top .. " 2>/dev/null || rm -rf " .. top)
  end)
end)
