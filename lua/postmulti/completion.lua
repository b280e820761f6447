--- postmulti --complete WORD...: what the last of these words may become. For the completion of a shell; see
--- scripts/completion.bash, which leaves all knowledge to this module.
--
-- Words are printed one a line. A first line that starts with a blank is a note to the shell: " nospace", the word goes
-- on; " command N", the words from the Nth on are a command of its own. Whatever fails, there are just no words: a user
-- who presses a key has asked no question that an error could answer.

local options = require "postmulti.options"

local M = {}

M.LIMIT = 2 -- seconds that code of the site may take

-- The letters that go with a mode or an action; those of no mode yet are all of them.
local LETTERS = {
  l = "agijRvc", x = "agiRvc", p = "agivc", site = "agivc", create = "agiIGvc", import = "agiIGvc", assign = "iIGvc",
  init = "vc",
}
local ON_ONE = "ivc"
local LONG = {
  "--config-directory", "--dry-run", "--help", "--history", "--list-hooks", "--lock-timeout", "--no-hooks", "--undo",
  "--version",
}
-- Those that go with no mode.
local ALONE = { ["--history"] = true, ["--list-hooks"] = true, ["--undo"] = true }
-- What can be said once, and what excludes it: the name of the field that an option sets.
local SAID = {
  a = "selected", g = "selected", i = "selected", e = "mode", l = "mode", p = "mode", x = "mode", I = "new_name",
  G = "new_group", c = "config_directory", j = "json", v = "verbose", R = "reverse",
}

-- Commands of postfix(1) and postfix-tls(1).
local POSTFIX = {
  "abort", "check", "drain", "flush", "logrotate", "quick-stop", "reload", "set-permissions", "start", "status", "stop",
  "tls", "upgrade-configuration",
}
local POSTFIX_TLS = {
  "all-default-client", "all-default-server", "deploy-server-cert", "enable-client", "enable-server", "new-server-cert",
  "new-server-key", "output-server-csr", "output-server-tlsa",
}

---@class postmulti.Candidates
---@field words string[]
---@field note string|nil  for the shell

---@class postmulti.CompletionView  where names come from; what cannot be told is an empty list
---@field instances fun(o: postmulti.Options): postmulti.Instance[]
---@field commands fun(): string[]                                  names of the site's commands
---@field command fun(name: string): postmulti.SiteCommand|nil
---@field own fun(complete: any, o: postmulti.Options, operands: string[], word: string): string[]  words of the site
---@field directories fun(path: string): string[]                   names in a directory, of directories

local function starting(list, word)
  local found = {}
  for _, one in ipairs(list) do
    if one:sub(1, #word) == word then
      found[#found + 1] = one
    end
  end
  return found
end

---Without duplicates, in order.
local function sorted(set)
  local list = {}
  for one in pairs(set) do
    list[#list + 1] = one
  end
  table.sort(list)
  return list
end

---Names; short ones and directories when the word shows that they are meant.
local function instance_names(view, o, word)
  local full, short, directories = {}, {}, {}
  local prefix = require("postmulti.names").prefix
  for _, one in ipairs(view.instances(o)) do
    local name = one.name or not one.is_primary and one.config_directory:match "[^/]+$" or "-"
    full[name], directories[one.config_directory] = true, true
    short[name:sub(1, #prefix) == prefix and name:sub(#prefix + 1) or name] = true
  end
  if word:sub(1, 1) == "/" then
    return starting(sorted(directories), word)
  end
  local found = starting(sorted(full), word)
  return #found > 0 and found or starting(sorted(short), word)
end

local function group_names(view, o, word)
  local groups = {}
  for _, one in ipairs(view.instances(o)) do
    groups[one.group or false] = true
  end
  groups[false] = nil
  return starting(sorted(groups), word)
end

---Directories that PATH may become.
local function directory_names(view, path)
  local above = path:match "^(/.*)/[^/]*$" or path:sub(1, 1) == "/" and ""
  if not above then
    return starting({ "/" }, path)
  end
  local found = {}
  for _, name in ipairs(view.directories(above ~= "" and above or "/")) do
    found[#found + 1] = above .. "/" .. name .. "/"
  end
  table.sort(found)
  return starting(found, path)
end

-- What the argument of an option may be.
local ARGUMENT = {
  e = function(view, _, word)
    local names = table.move(options.actions, 1, #options.actions, 1, {})
    table.move(view.commands(), 1, #view.commands(), #names + 1, names)
    table.sort(names)
    return { words = starting(names, word) }
  end,
  i = function(view, o, word) return { words = instance_names(view, o, word) } end,
  g = function(view, o, word) return { words = group_names(view, o, word) } end,
  G = function(view, o, word) return { words = group_names(view, o, word) } end,
  I = function(_, _, word)
    return { words = starting({ require("postmulti.names").prefix }, word), note = "nospace" }
  end,
  c = function(view, _, word) return { words = directory_names(view, word), note = "nospace" } end,
}
ARGUMENT["config-directory"] = ARGUMENT.c

---The argument of an option, with what is before it in the same word.
local function argument(view, o, option, word, before)
  local own = o.command and o.command.options and o.command.options[option]
  local answer
  if own then
    answer = { words = starting(view.own(own.complete, o, {}, word), word) }
  else
    answer = ARGUMENT[option] and ARGUMENT[option](view, o, word) or { words = {} }
  end
  for index, one in ipairs(answer.words) do
    answer.words[index] = before .. one
  end
  return answer
end

local function mode_of(o)
  return o.command and "site" or o.action or o.modes.l and "l" or o.modes.x and "x" or o.modes.p and "p"
end

---The options that can still be given.
local function option_words(o)
  local mode, words = mode_of(o), {}
  local said = { selected = o.selectors > 0, mode = mode, new_name = o.new_name, new_group = o.new_group,
    config_directory = o.config_directory, json = o.json, verbose = o.verbose, reverse = o.reverse }
  local letters = not mode and "aceGgIijlpRvx" or LETTERS[mode] or ON_ONE
  for letter in letters:gmatch "." do
    if not said[SAID[letter]] then
      words[#words + 1] = "-" .. letter
    end
  end
  for _, word in ipairs(LONG) do
    if (word ~= "--dry-run" or mode ~= "l") and (not ALONE[word] or not mode)
      and (word ~= "--config-directory" or not o.config_directory) then
      words[#words + 1] = word
    end
  end
  for name in pairs(o.command and o.command.options or {}) do
    words[#words + 1] = "--" .. name
  end
  table.sort(words)
  return words
end

---Settings that create and import take.
local function setting(view, action, word)
  local name, value = word:match "^([%a_]+)=(.*)$"
  local allowed = require("postmulti.command." .. action).operands
  if not name then
    local words = {}
    for parameter in pairs(allowed) do
      words[#words + 1] = parameter .. "="
    end
    table.sort(words)
    return { words = starting(words, word), note = "nospace" }
  end
  local words = {}
  for index, path in ipairs(allowed[name] and directory_names(view, value) or {}) do
    words[index] = name .. "=" .. path
  end
  return { words = words, note = "nospace" }
end

---An operand. AT is the place of the first one in the line.
local function operand(view, o, operands, word, at)
  if o.command then
    return { words = starting(view.own(o.command.complete, o, operands, word), word) }
  elseif o.action == "create" or o.action == "import" then
    return setting(view, o.action, word)
  elseif o.modes.x then
    return { words = {}, note = "command " .. at }
  elseif o.modes.p then
    return { words = starting(#operands == 0 and POSTFIX or #operands == 1 and operands[1] == "tls" and POSTFIX_TLS
      or {}, word) }
  end
  return { words = {} }
end

---The argument that is attached to a cluster of letters, as in -Rgmta; nil: there is none.
local function attached(view, o, word)
  for position = 2, #word do
    local letter = word:sub(position, position)
    if options.takes_argument(letter) then
      return position < #word and argument(view, o, letter, word:sub(position + 1), word:sub(1, position)) or nil
    end
  end
end

---What the last word may become.
---@param words string[]  of the line without the command itself; the last one is unfinished
---@param view postmulti.CompletionView
---@return postmulti.Candidates
function M.candidates(words, view)
  local before = table.move(words, 1, #words - 1, 1, {})
  local word = words[#words] or ""
  local o, operands, mistake = options.parse(before, view.command)
  if mistake then
    return mistake.option and argument(view, o, mistake.option, word, "") or { words = {} }
  end
  if #operands > 0 or before[#before] == "--" then
    return operand(view, o, operands, word, #before - #operands + 1)
  end
  local long, value = word:match "^%-%-([^=]+)=(.*)$"
  if long then
    return argument(view, o, long, value, "--" .. long .. "=")
  elseif word:sub(1, 1) == "-" then
    return attached(view, o, word) or { words = starting(option_words(o), word) }
  end
  local answer = operand(view, o, {}, word, #words)
  if word == "" and #answer.words == 0 and not answer.note then
    answer.words = option_words(o)
  end
  return answer
end

-- The view of the system ------------------------------------------------------

---What FUNC returns; an empty list when it fails or returns no list.
local function list_of(func)
  local ok, list = pcall(func)
  return ok and type(list) == "table" and list or {}
end

---@param core postmulti.core
---@return postmulti.CompletionView
local function system_view(core)
  local site = require "postmulti.site"
  local hosts = {}
  ---Without config.lua: it says nothing that is wanted here.
  local function host(directory)
    directory = directory or core.build.config_directory
    hosts[directory] = hosts[directory] or require("postmulti").open {
      config_directory = directory, hooks = false, config = {}, dry_run = true,
    }
    return hosts[directory]
  end
  local function commands()
    local files, names = site.commands(host(), options.actions)
    return names, files
  end
  return {
    instances = function(o) return list_of(function() return host(o.config_directory):load() end) end,
    commands = function() return list_of(commands) end,
    command = function(name)
      local ok, command = pcall(function()
        local _, files = commands()
        return files[name] and site.command(host(), files[name], M.LIMIT)
      end)
      return ok and command or nil
    end,
    own = function(complete, o, operands, word)
      local words = list_of(function()
        if type(complete) ~= "function" then
          return complete
        end
        local here = host(o.config_directory)
        local selected = require("postmulti.selection").select(here:load(), { group = o.group, name = o.name })
        local _, result = require("postmulti.guard").call(core, M.LIMIT, "completion", complete, {
          host = here, instances = selected,
          options = o.command_options, operands = operands, word = word, name = o.action,
        })
        return result
      end)
      local found = {}
      for _, one in ipairs(words) do
        found[#found + 1] = tostring(one)
      end
      return found
    end,
    directories = function(path)
      local names = {}
      for _, entry in ipairs(core.list(path) or {}) do
        local stat = entry.type ~= "file" and core.stat(path .. "/" .. entry.name)
        names[#names + 1] = stat and stat.type == "directory" and entry.name or nil
      end
      return names
    end,
  }
end

---@param words string[]
---@param core postmulti.core
---@return integer status  always 0
function M.main(words, core)
  local ok, answer = pcall(function() return M.candidates(words, system_view(core)) end)
  if ok then
    local lines = { answer.note and " " .. answer.note or nil }
    for _, word in ipairs(answer.words) do
      lines[#lines + 1] = not word:find "%c" and word ~= "" and word or nil
    end
    lines[#lines + 1] = ""
    core.print(table.concat(lines, "\n"))
  end
  return 0
end

return M
