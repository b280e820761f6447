local completion = require "postmulti.completion"

local INSTANCES = {
  { config_directory = "/etc/postfix", is_primary = true },
  { config_directory = "/etc/postfix-out", name = "postfix-out", group = "mta" },
  { config_directory = "/etc/postfix-in", name = "postfix-in", group = "mta" },
  { config_directory = "/etc/postfix-in:2", name = "postfix-in:2", group = "slow" },
  { config_directory = "/etc/broken", damage = "it is" },
}
local LATE = { options = { least = { argument = "N", complete = { "10", "100" } }, all = {} }, complete = { "x", "y" } }

local asked
local VIEW = {
  instances = function(o)
    asked = o.config_directory
    return o.config_directory ~= "/none" and INSTANCES or {}
  end,
  commands = function() return { "late" } end,
  command = function(name) return name == "late" and LATE or nil end,
  own = function(words) return words or {} end,
  directories = function(path)
    return path == "/" and { "etc", "srv" } or path == "/etc" and { "postfix", "postmulti" } or {}
  end,
}

---"word word", and the note in front.
local function answer(...)
  local found = completion.candidates({ ... }, VIEW)
  return (found.note and "(" .. found.note .. ") " or "") .. table.concat(found.words, " ")
end

describe("what a word may become:", function()
  for line, wanted in pairs {
    ["-l -"] = "--config-directory --help --lock-timeout --no-hooks --version -R -a -c -g -i -j -v",
    ["-e enable -i out -"] = "--config-directory --dry-run --help --lock-timeout --no-hooks --version -c -v",
    ["-x -a -"] = "--config-directory --dry-run --help --lock-timeout --no-hooks --version -R -c -v",
    ["--li"] = "--list-hooks",
    ["-l "] = "--config-directory --help --lock-timeout --no-hooks --version -R -a -c -g -i -j -v",
    ["-i "] = "- broken postfix-in postfix-in:2 postfix-out",
    ["-i postfix-i"] = "postfix-in postfix-in:2",
    ["-i in"] = "in in:2",
    ["-i br"] = "broken",
    ["-i /etc/postfix-"] = "/etc/postfix-in /etc/postfix-in:2 /etc/postfix-out",
    ["-io"] = "-iout",
    ["-Rgm"] = "-Rgmta",
    ["-g "] = "mta slow",
    ["-e create -G s"] = "slow",
    ["-e create -I "] = "(nospace) postfix-",
    ["-e "] = "assign create deport destroy disable enable import init late",
    ["-e en"] = "enable",
    ["-e create "] = "(nospace) config_directory= data_directory= queue_directory=",
    ["-e create data_directory=/srv/x q"] = "(nospace) queue_directory=",
    ["-e create config_directory="] = "(nospace) config_directory=/",
    ["-e create config_directory=/et"] = "(nospace) config_directory=/etc/",
    ["-e create config_directory=/etc/postm"] = "(nospace) config_directory=/etc/postmulti/",
    ["-e create nonsense=/"] = "(nospace) ",
    ["-e import "] = "(nospace) config_directory=",
    ["-c /etc/postf"] = "(nospace) /etc/postfix/",
    ["--config-directory=/etc/postf"] = "(nospace) --config-directory=/etc/postfix/",
    ["--lock-timeout "] = "",
    ["-x "] = "(command 2) ",
    ["-x -a -- ls "] = "(command 4) ",
    ["-a -x postconf -n -"] = "(command 3) ",
    ["-x -"] = "--config-directory --dry-run --help --lock-timeout --no-hooks --version -R -a -c -g -i -v",
    ["-p sta"] = "start status",
    ["-p tls n"] = "new-server-cert new-server-key",
    ["-p start x"] = "",
    ["-e late --l"] = "--least --lock-timeout",
    ["-e late --least "] = "10 100",
    ["-e late --least=10"] = "--least=10 --least=100",
    ["-e late --all "] = "x y",
    ["-e late x "] = "x y",
    ["-e enable "] = "--config-directory --dry-run --help --lock-timeout --no-hooks --version -c -i -v",
    ["-e enable -i out x"] = "",
    ["-e nonsense "] = "",
    ["-Z "] = "",
    ["-c /none -i "] = "",
  } do
    it(line, function()
      local words = {}
      for word in (line .. " "):gmatch "(%S*) " do
        words[#words + 1] = word
      end
      assert.equal(wanted, answer(table.unpack(words)))
    end)
  end

  it("of the primary that -c names", function()
    answer("-c", "/srv/primary/", "-i", "")
    assert.equal("/srv/primary", asked)
  end)

  it("all letters and long options are known to the command", function()
    for option in answer("-"):gmatch "%S+" do
      local _, _, mistake = require("postmulti.options").parse { option, "x" }
      assert.not_matches("invalid option", mistake and mistake.getopt or "")
      assert.not_matches("unrecognized", mistake and mistake.getopt or "")
    end
    for name in require("postmulti.options").help:gmatch "%-%-[%l-]+" do
      assert.matches(name:gsub("%-", "%%-"), answer "-")
    end
    for letter in require("postmulti.options").help:gmatch "\n  (%-%a) " do
      assert.matches(letter:gsub("%-", "%%-") .. "%f[ %z]", answer "-")
    end
  end)
end)
