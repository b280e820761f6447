-- options - fuzz the command line; getopt_long(3) says what each word is
--
-- Input: the words, separated by NUL where there is one, by newlines otherwise. The site has a command "report" with
-- the options --since DATE and --brief.

local fuzz = require "fuzz"
local log = require "postmulti.log"
local options = require "postmulti.options"

local MAX_WORDS = 64

local REPORT = {
  summary = "list them", options = { since = { argument = "DATE", help = "from then on" }, brief = {} },
}

local function find(name)
  return name == "report" and REPORT or nil
end

local ACTIONS = {}
for _, action in ipairs(options.actions) do
  ACTIONS[action] = true
end

local NAMED = { g = "group", i = "name", G = "new_group", I = "new_name" }
local FLAGS = {
  a = "all", j = "json", v = "verbose", ["dry-run"] = "dry_run", ["no-hooks"] = "no_hooks",
  ["list-hooks"] = "list_hooks", help = "help", version = "version", history = "history", undo = "undo",
}

local function split(data)
  local words = {}
  local pattern = data:find("\0", 1, true) and "([^\0]*)\0" or "([^\n]*)\n"
  for word in (data .. (pattern:find "\0" and "\0" or "\n")):gmatch(pattern) do
    if #words < MAX_WORDS then
      words[#words + 1] = word
    end
  end
  return words
end

-- Follow getopt_long(3): what the options say, and whether and where they are refused for what they say.
local function expect(words)
  local want = { selectors = 0, modes = {} }
  local refused = false
  local outcome = fuzz.getopt(words, function(name, value)
    if FLAGS[name] then
      want.selectors = want.selectors + (name == "a" and not want.all and 1 or 0)
      want[FLAGS[name]] = true
    elseif name == "l" or name == "p" or name == "x" then
      want.modes[name] = true
    elseif name == "R" then
      want.reverse = not want.reverse
    elseif name == "c" then
      refused = value:byte() ~= 47
      local stop = #value
      while stop > 1 and value:byte(stop) == 47 do
        stop = stop - 1
      end
      -- "/" and "//" alike leave nothing but what is the root
      want.config_directory = not refused and value:sub(1, stop) or want.config_directory
    elseif name == "e" then
      refused = not ACTIONS[value] and value ~= "report"
      if not refused then
        want.two_actions = want.two_actions or want.action and want.action ~= value
        want.action, want.modes.e = value, true
        want.is_site = want.is_site or value == "report"
      end
      if want.is_site then
        return refused and "stop" or "site"
      end
    elseif name == "lock-timeout" then
      local number = value:match "^[%d.]+$" and not value:find "%..*%." and not value:find "%.$" and tonumber(value)
      refused = not number
      want.lock_timeout = number or want.lock_timeout
    elseif name == "since" or name == "brief" then
      want.site = want.site or {}
      want.site[name] = value or true
    else
      refused = (name == "G" or name == "I") and want[NAMED[name]] ~= nil
      if not refused then
        want[NAMED[name]] = value
        want.selectors = want.selectors + ((name == "g" or name == "i") and 1 or 0)
      end
    end
    return refused and "stop" or nil
  end)
  return want, outcome
end

local function same(a, b, what)
  if a ~= b then
    error(("%s: %s, not %s"):format(what, tostring(a), tostring(b)), 0)
  end
end

local SCALARS = {
  "all", "group", "name", "selectors", "action", "new_name", "new_group", "json", "reverse", "verbose",
  "config_directory", "lock_timeout", "dry_run", "no_hooks", "list_hooks", "help", "version",
  "history", "undo",
}

local function check_parsed(words, o, operands, mistake)
  local want, outcome = expect(words)
  if mistake then
    same(#operands, 0, "operands with a mistake")
    -- A command of the site has words of its own for what getopt refuses.
    local is_refused = mistake.getopt or o.command and outcome == "mistake"
    same(outcome, is_refused and "mistake" or "stopped", "outcome")
    assert(#mistake.message > 0)
    return
  end
  same(math.type(outcome), "integer", "outcome: " .. outcome)
  same(#operands, #words - outcome, "operands")
  for index, word in ipairs(operands) do
    same(word, words[outcome + index], "operand")
  end
  for _, name in ipairs(SCALARS) do
    same(o[name] or false, want[name] or false, name)
  end
  for _, mode in ipairs { "e", "l", "p", "x" } do
    same(o.modes[mode] or false, want.modes[mode] or false, mode)
  end
  same(o.two_actions or false, want.two_actions or false, "two actions")
  same(o.command ~= nil, want.is_site or false, "a command of the site")
  return want
end

-- What may be done when nothing is refused. Each is a sentence of postmulti(1).
local function check_combination(o, operands)
  local refusal = fuzz.call(options.check, o, operands)
  same(options.check(o, operands), refusal, "the same again")
  if refusal then
    assert(#refusal > 0 and not refusal:find "\n")
    return
  end
  local modes = (o.modes.e and 1 or 0) + (o.modes.l and 1 or 0) + (o.modes.p and 1 or 0) + (o.modes.x and 1 or 0)
  if o.undo or o.history then
    assert(not (o.undo and o.history) and #operands == 0, "--undo and --history stand alone")
    modes = modes + 1
  end
  same(modes, 1, "modes")
  assert(o.selectors <= 1, "selectors")
  assert(not o.modes.l or #operands == 0, "-l with a command")
  assert(not (o.modes.p or o.modes.x) or #operands > 0, "no command")
  assert(not o.reverse or o.modes.l or o.modes.x, "-R")
  assert(not o.json or o.modes.l or o.history, "-j")
  assert(not o.new_name and not o.new_group or o.action == "create" or o.action == "import" or o.action == "assign",
    "-I or -G")
  assert(o.action ~= "assign" or o.new_name or o.new_group, "assign nothing")
  assert(#operands == 0 or not o.modes.e or o.action == "create" or o.action == "import" or o.action == "report",
    "settings")
end

return function(data)
  local words = split(data)
  local o, operands, mistake = fuzz.call(options.parse, words, find)
  check_parsed(words, o, operands, mistake)
  if mistake then
    assert(not log.printable(mistake.message):find "%c")
  else
    check_combination(o, operands)
  end
end
