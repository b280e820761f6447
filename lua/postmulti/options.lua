--- The command line of postmulti: getopt(3) as postmulti(1) uses it, and a few long options. Pure functions.

local M = {}

M.actions = { "create", "destroy", "import", "deport", "enable", "disable", "assign", "init" }

-- Option letters that take an argument; the others do not.
local WITH_ARGUMENT = { c = true, e = true, g = true, G = true, i = true, I = true }
local LETTERS = "aceGgIijlpRvx"

local LONG = {
  ["config-directory"] = { argument = true, letter = "c" },
  ["dry-run"] = {},
  history = {},
  ["list-hooks"] = {},
  ["lock-timeout"] = { argument = true },
  ["no-hooks"] = {},
  undo = {},
  help = {},
  version = {},
}

M.usage = "postmulti -l [-jRv] [-a | -g group | -i name]; "
  .. "postmulti -x|-p [-Rv] [-a | -g group | -i name] command...; "
  .. "postmulti -e action [-a | -g group | -i name] [-I name] [-G group] [parameter=value...]; "
  .. "postmulti --help tells more"

M.help = [[
Manage Postfix instances (postmulti(1)).

  postmulti -l [-a | -g GROUP | -i NAME] [-j] [-R]         list instances
  postmulti -x [-a | -g GROUP | -i NAME] [-R] COMMAND...   run a program for each
  postmulti -p [-a | -g GROUP | -i NAME] COMMAND...        run a postfix(1) command for each
  postmulti -e init
  postmulti -e create  [-a | -g GROUP | -i NAME] [-I NEWNAME] [-G GROUP] [PARAMETER=VALUE...]
  postmulti -e import  [-a | -g GROUP | -i NAME] [-I NEWNAME] [-G GROUP] [config_directory=PATH]
  postmulti -e assign  -i NAME [-I NEWNAME] [-G GROUP]
  postmulti -e enable | disable | deport | destroy  -i NAME

  postmulti --history [-j]                                 what was done, when and by whom
  postmulti --undo                                         take the last change back

  -a          all instances; with create and import: before the first secondary
  -g GROUP    the instances of a group
  -i NAME     one instance: its name, its name without "postfix-", its configuration directory, or - for the primary
  -I NAME     name of a new instance, or a new name ("-" clears it); it starts with "postfix-"
  -G GROUP    group of a new instance, or a new group ("-" clears it)
  -j          list as JSON, one object a line
  -R          in reverse order
  -v          make the Postfix programs that are run more verbose
  -c DIR, --config-directory DIR   manage the instances of the primary in DIR
  --lock-timeout SECONDS           wait that long for another command to finish (default 30)
  --dry-run   check everything, change nothing, tell what would be done
  --no-hooks  without the hooks of the site (postmulti-hooks(7))
  --list-hooks  tell which hooks there are, in their order
  --help, --version
]]

---The help with the site's own commands.
---@param commands { name: string, summary: string }[]
---@return string
function M.full_help(commands)
  if #commands == 0 then
    return M.help
  end
  local lines = { M.help, "\nCommands of this site (postmulti -e NAME --help tells more):\n" }
  for _, command in ipairs(commands) do
    lines[#lines + 1] = ("  postmulti -e %-10s %s\n"):format(command.name, command.summary)
  end
  return table.concat(lines)
end

---The help of one of them.
---@param name string
---@param command postmulti.SiteCommand
---@return string
function M.command_help(name, command)
  local lines, options = { ("%s\n\n  postmulti [-a | -g GROUP | -i NAME] -e %s [OPTION...] [OPERAND...]\n"):format(
    command.summary, name) }, {}
  for option in pairs(command.options or {}) do
    options[#options + 1] = option
  end
  table.sort(options)
  lines[#lines + 1] = #options > 0 and "\n" or nil
  for _, option in ipairs(options) do
    local entry = command.options[option]
    lines[#lines + 1] = ("  %-22s %s\n"):format("--" .. option .. (entry.argument and " " .. entry.argument or ""),
      entry.help or "")
  end
  lines[#lines + 1] = command.help and "\n" .. command.help:gsub("\n*$", "\n") or nil
  return table.concat(lines)
end

---@class postmulti.Options
---@field all boolean?
---@field group string?       argument of -g
---@field name string?        argument of -i
---@field selectors integer   how many of -a, -g, -i were given
---@field action string?      argument of -e
---@field modes table<string, boolean>  of "e", "l", "p", "x"
---@field new_name string?    argument of -I
---@field new_group string?   argument of -G
---@field json boolean?
---@field reverse boolean?
---@field verbose boolean?
---@field config_directory string?
---@field lock_timeout number?
---@field dry_run boolean?
---@field no_hooks boolean?
---@field list_hooks boolean?
---@field history boolean?
---@field undo boolean?
---@field command postmulti.SiteCommand?  of the site, when the action is one
---@field command_options table<string, string|boolean>?
---@field help boolean?
---@field version boolean?

local function contains(list, word)
  for _, one in ipairs(list) do
    if one == word then
      return true
    end
  end
  return false
end

-- What each option does. A returned string refuses it.
local set = {
  a = function(o)
    o.selectors = o.selectors + (o.all and 0 or 1)
    o.all = true
  end,
  c = function(o, value)
    if value:sub(1, 1) ~= "/" then
      return ("configuration directory '%s': specify an absolute path"):format(value)
    end
    o.config_directory = #value > 1 and value:gsub("/+$", "") or value
  end,
  e = function(o, value)
    if not contains(M.actions, value) then
      o.command = o.find(value)
      if not o.command then
        return ("-e %s: no such action; specify one of %s"):format(value, table.concat(M.actions, ", "))
      end
      o.command_options = {}
    end
    if o.action and o.action ~= value then
      o.two_actions = true
    end
    o.action, o.modes.e = value, true
  end,
  g = function(o, value)
    o.selectors, o.group = o.selectors + 1, value
  end,
  G = function(o, value)
    if o.new_group then
      return "specify -G only once"
    end
    o.new_group = value
  end,
  i = function(o, value)
    o.selectors, o.name = o.selectors + 1, value
  end,
  I = function(o, value)
    if o.new_name then
      return "specify -I only once"
    end
    o.new_name = value
  end,
  j = function(o) o.json = true end,
  l = function(o) o.modes.l = true end,
  p = function(o) o.modes.p = true end,
  R = function(o) o.reverse = not o.reverse end,
  v = function(o) o.verbose = true end,
  x = function(o) o.modes.x = true end,
  ["dry-run"] = function(o) o.dry_run = true end,
  ["no-hooks"] = function(o) o.no_hooks = true end,
  ["list-hooks"] = function(o) o.list_hooks = true end,
  history = function(o) o.history = true end,
  undo = function(o) o.undo = true end,
  help = function(o) o.help = true end,
  version = function(o) o.version = true end,
  ["lock-timeout"] = function(o, value)
    local seconds = value:match "^%d+$" or value:match "^%d*%.%d+$"
    if not seconds then
      return ("--lock-timeout '%s': specify a number of seconds"):format(value)
    end
    o.lock_timeout = tonumber(seconds)
  end,
}

---Parse the command line. Parsing stops at the first operand, and at the first mistake.
---@param argv string[]
---@param find (fun(name: string): postmulti.SiteCommand|nil)?  the commands of the site; their options follow -e NAME
---@return postmulti.Options options
---@return string[] operands
---@return { message: string, getopt: string?, option: string? }|nil mistake  getopt: a line as getopt(3) prints it;
---  option: the one whose argument is missing
function M.parse(argv, find)
  local options = { selectors = 0, modes = {}, find = find or function() end }
  local index = 1

  local function argument(attached, option)
    if attached then
      return attached
    end
    index = index + 1
    if argv[index] == nil then
      return nil, { message = "usage: " .. M.usage, getopt = "option requires an argument -- '" .. option .. "'",
        option = option }
    end
    return argv[index]
  end

  local function apply(key, value)
    local refusal = set[key](options, value)
    return refusal and { message = refusal }
  end

  local function long(word)
    local name, value = word:match "^([^=]*)=(.*)$"
    name = name or word
    local own = options.command and options.command.options and options.command.options[name]
    local entry = LONG[name] or own
    if not entry or value and not entry.argument then
      return { message = "usage: " .. M.usage, getopt = "unrecognized option '--" .. word .. "'" }
    end
    if entry.argument then
      local mistake
      value, mistake = argument(value, name)
      if mistake then
        return mistake
      end
    end
    if entry == own then
      options.command_options[name] = value or true
      return nil
    end
    return apply(entry.letter or name, value)
  end

  local function short(cluster)
    local position = 1
    while position <= #cluster do
      local letter = cluster:sub(position, position)
      position = position + 1
      if not LETTERS:find(letter, 1, true) then
        return { message = "usage: " .. M.usage, getopt = "invalid option -- '" .. letter .. "'" }
      end
      local value, mistake
      if WITH_ARGUMENT[letter] then
        local attached = position <= #cluster and cluster:sub(position) or nil
        position = #cluster + 1
        value, mistake = argument(attached, letter)
      end
      mistake = mistake or apply(letter, value)
      if mistake then
        return mistake
      end
    end
  end

  while argv[index] do
    local word = argv[index]
    local mistake
    if word == "--" then
      index = index + 1
      break
    elseif word == "-" or word:sub(1, 1) ~= "-" then
      break
    elseif word:sub(1, 2) == "--" then
      mistake = long(word:sub(3))
    else
      mistake = short(word:sub(2))
    end
    if mistake then
      return options, {}, mistake
    end
    index = index + 1
  end
  return options, table.move(argv, index, #argv, 1, {}), nil
end

local NAMES_NEW = { create = true, import = true, assign = true }

---Refuse combinations that make no sense; in the order in which postmulti(1) looks.
---@param o postmulti.Options
---@param operands string[]
---@return string|nil refusal
function M.check(o, operands)
  local modes = 0
  for _ in pairs(o.modes) do
    modes = modes + 1
  end
  local iterates = o.modes.l or o.modes.p or o.modes.x
  local rules = {
    { o.selectors > 1, "specify no more than one of -a, -g, -i" },
    { (o.undo or o.history) and (o.undo and o.history or modes > 0 or o.selectors > 0 or #operands > 0 or o.reverse
        or o.new_name or o.new_group), "--undo and --history stand alone; postmulti --help tells more" },
    { not (o.undo or o.history) and (modes ~= 1 or o.two_actions), "specify exactly one of -e, -l, -p, -x" },
    { o.modes.l and #operands > 0, "-l takes no command" },
    { (o.modes.p or o.modes.x) and #operands == 0, "-p and -x need a command" },
    { o.reverse and (o.modes.p or o.modes.e), "-R cannot be used with -p or -e" },
    { iterates and (o.new_name or o.new_group), "a name (-I) or group (-G) is assigned with -e assign" },
    { o.action and not NAMES_NEW[o.action] and (o.new_name or o.new_group),
      ("-e %s assigns no name (-I) or group (-G)"):format(o.action) },
    { o.dry_run and (o.modes.l or o.history), "--dry-run is not for -l and --history, which change nothing" },
    { o.action == "assign" and not o.new_name and not o.new_group,
      "-e assign needs a new name (-I) or a new group (-G)" },
    { o.action and not o.command and o.action ~= "create" and o.action ~= "import" and #operands > 0,
      ("-e %s takes no parameter settings"):format(o.action) },
    { o.json and not (o.modes.l or o.history), "-j is for -l and --history" },
  }
  for _, rule in ipairs(rules) do
    if rule[1] then
      return rule[2]
    end
  end
end

---Does this letter take an argument?
---@param letter string
---@return boolean
function M.takes_argument(letter)
  return WITH_ARGUMENT[letter] or false
end

return M
