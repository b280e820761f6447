--- postmulti-lua --lint: look for mistakes in scripts and hooks without running them.
--
-- What is found: syntax errors; globals that are neither Lua's nor set on purpose (read and written ones are taken from
-- the compiled code, so that names in comments and strings do not count); keys of hooks that are not known; fields of
-- this library's objects that are not known, where the text shows what an object is.

local nearest = require "postmulti.nearest"

local M = {}

---@class postmulti.Finding
---@field line integer
---@field text string

-- Compiled code (Lua 5.4) -------------------------------------------------------

local GETTABUP, SETTABUP = 11, 15

---A reader of string.dump's result.
local function reader(code)
  local at = 1
  local read = {}
  function read.take(format)
    local value
    value, at = string.unpack("=" .. format, code, at)
    return value
  end
  function read.skip(count) at = at + count end
  function read.size()
    local value = 0
    while true do
      local byte = read.take "B"
      value = value << 7 | byte & 0x7f
      if byte & 0x80 ~= 0 then
        return value
      end
    end
  end
  function read.text()
    local size = read.size()
    if size == 0 then
      return nil
    end
    local value = code:sub(at, at + size - 2)
    at = at + size - 1
    return value
  end
  return read
end

local read_function

---@return any[] constants  from 0
local function read_constants(read)
  local constants = {}
  for index = 0, read.size() - 1 do
    local kind = read.take "B"
    if kind == 0x13 then
      read.take "n"
    elseif kind == 0x03 then
      read.take "j"
    elseif kind == 0x04 or kind == 0x14 then
      constants[index] = read.text()
    end
  end
  return constants
end

---Line of each instruction, from the differences in the debug information.
local function read_lines(read, first)
  local differences, absolute, lines = {}, {}, {}
  for index = 0, read.size() - 1 do
    differences[index] = read.take "b"
  end
  for _ = 1, read.size() do
    local index = read.size()
    absolute[index] = read.size()
  end
  local line = first
  for index = 0, #differences do
    line = absolute[index] or line + (differences[index] or 0)
    lines[index] = line
  end
  return lines
end

---@param globals { name: string, line: integer, writes: boolean }[]
function read_function(read, globals)
  read.text()
  local first = read.size()
  read.size()
  read.skip(3)
  local code = {}
  for index = 0, read.size() - 1 do
    code[index] = read.take "I4"
  end
  local constants = read_constants(read)
  local upvalues = read.size()
  read.skip(3 * upvalues)
  for _ = 1, read.size() do
    read_function(read, globals)
  end
  local lines = read_lines(read, first)
  for _ = 1, read.size() do
    read.text()
    read.size()
    read.size()
  end
  local names = {}
  for index = 0, read.size() - 1 do
    names[index] = read.text()
  end
  for index = 0, #code do
    local word = code[index] or 0
    local operation, a, b, c = word & 0x7f, word >> 7 & 0xff, word >> 16 & 0xff, word >> 24 & 0xff
    if operation == GETTABUP and names[b] == "_ENV" then
      globals[#globals + 1] = { name = constants[c], line = lines[index], writes = false }
    elseif operation == SETTABUP and names[a] == "_ENV" then
      globals[#globals + 1] = { name = constants[b], line = lines[index], writes = true }
    end
  end
end

---The globals that a compiled chunk reads and writes.
---@param chunk function
---@return { name: string, line: integer, writes: boolean }[]
function M.globals(chunk)
  local read = reader(string.dump(chunk))
  read.skip(4 + 1 + 1 + 6 + 3 + 8 + 8)  -- signature, version, format, check bytes, sizes, an integer, a number
  read.skip(1)                          -- number of upvalues
  local globals = {}
  read_function(read, globals)
  return globals
end

-- Text ------------------------------------------------------------------------

---Words and signs of a text, without comments; a string counts as one sign.
---@param text string
---@return { text: string, line: integer, is_name: boolean }[]
function M.tokens(text)
  local tokens, at, line = {}, 1, 1
  local function take(last)
    local _, count = text:sub(at, last):gsub("\n", "")
    line, at = line + count, last + 1
  end
  while at <= #text do
    local long = text:match("^%-%-%[(=*)%[", at) or text:match("^%[(=*)%[", at)
    local first = text:sub(at, at)
    if long then
      local is_comment = first == "-"
      local _, last = text:find("]" .. long .. "]", at, true)
      if not is_comment then
        tokens[#tokens + 1] = { text = '""', line = line, is_name = false }
      end
      take(last or #text)
    elseif text:find("^%-%-", at) then
      take((text:find("\n", at, true) or #text + 1) - 1)
    elseif first == '"' or first == "'" then
      local last = at + 1
      while last <= #text and text:sub(last, last) ~= first do
        last = last + (text:sub(last, last) == "\\" and 2 or 1)
      end
      tokens[#tokens + 1] = { text = text:sub(at, last), line = line, is_name = false }
      take(last)
    elseif first:find "%s" then
      take(at)
    else
      local word = text:match("^[%a_][%w_]*", at)
      local token = word or text:match("^%d[%w.]*", at) or text:match("^%.%.%.?", at) or first
      tokens[#tokens + 1] = { text = token, line = line, is_name = word ~= nil }
      take(at + #token - 1)
    end
  end
  return tokens
end

-- Fields of objects that are no methods.
local FIELDS = {
  host = { "config_directory", "parameters", "primary", "dry_run", "site_directory", "share_directory", "config",
    "lock_timeout", "core", "defaults", "report", "log", "verbose" },
  instance = { "host", "config_directory", "name", "group", "enabled", "queue_directory", "data_directory",
    "is_primary", "is_readable", "damage" },
}

---What each kind of object has.
---@return table<string, string[]>
local function known_fields()
  local known = { event = require("postmulti.hooks").fields, postmulti = {} }
  for kind, list in pairs(FIELDS) do
    known[kind] = table.move(list, 1, #list, 1, {})
    for name in pairs(require("postmulti." .. kind).methods) do
      if name:sub(1, 2) ~= "__" then
        table.insert(known[kind], name)
      end
    end
  end
  for name in pairs(require "postmulti") do
    table.insert(known.postmulti, name)
  end
  for _, list in pairs(known) do
    table.sort(list)
  end
  return known
end

-- What a field or method of an object is, where that is an object, too.
local LEADS = {
  postmulti = { open = "host" },
  host = { primary = "instance", create = "instance", import = "instance", instance = "instance" },
  instance = { host = "host" },
  event = { host = "host", instance = "instance", primary = "instance" },
}

local function contains(list, word)
  for _, one in ipairs(list) do
    if one == word then
      return true
    end
  end
  return false
end

-- Functions that take a table, and what its fields are: see postmulti.arguments.
local TAKES = {
  postmulti = { open = "open" },
  host = { instances = "instances", create = "create", import = "import", run = "run", init = "init" },
  instance = { assign = "assign", run = "run", postfix = "postfix" },
}

---Complain of fields of the table that begins at a token, or after it in parentheses.
local function check_table(tokens, index, what, findings)
  local known = require("postmulti.arguments").known[what]
  local names = {}
  for name in pairs(known) do
    names[#names + 1] = name
  end
  table.sort(names)
  local at = tokens[index] and tokens[index].text == "(" and index + 1 or index
  local depth = 0
  while tokens[at] do
    local text = tokens[at].text
    if text == "{" or text == "(" or text == "[" or text == "function" then
      depth = depth + 1
    elseif text == "}" or text == ")" or text == "]" then
      depth = depth - 1
    end
    -- A function in the table may hold anything.
    if depth == 0 or text == "function" then
      return
    end
    local previous, after = tokens[at - 1].text, tokens[at + 1]
    if depth == 1 and tokens[at].is_name and after and after.text == "=" and (previous == "{" or previous == ","
      or previous == ";") and not known[text] then
      findings[#findings + 1] = { line = tokens[at].line, text = ("%s has no field '%s'%s"):format(what, text,
        nearest.hint(text, names)) }
    end
    at = at + 1
  end
end

---Follow NAME.field:method from a token on, and complain of what is not known.
---@return string|nil kind  of the last object
local function follow(tokens, index, kind, known, findings)
  local at = index
  while kind do
    local sign, field = tokens[at + 1], tokens[at + 2]
    if not sign or not field or not field.is_name or (sign.text ~= "." and sign.text ~= ":") then
      return kind
    end
    if not contains(known[kind], field.text) then
      findings[#findings + 1] = { line = field.line, text = ("%s has no field '%s'%s"):format(
        kind == "postmulti" and "the module postmulti" or "an object of kind " .. kind, field.text,
        nearest.hint(field.text, known[kind])) }
      return nil
    end
    local takes = TAKES[kind] and TAKES[kind][field.text]
    if takes then
      check_table(tokens, at + 3, takes, findings)
    end
    kind, at = LEADS[kind][field.text], at + 2
  end
end

---Complain of unknown fields.
local function check_fields(tokens, findings)
  local known = known_fields()
  local kinds = {}
  local function text(index)
    return tokens[index] and tokens[index].text
  end
  for index, token in ipairs(tokens) do
    local previous = text(index - 1)
    if token.text == "function" then
      -- A parameter called event is one; any other hides an outer name.
      local at = index + 1
      while text(at) and text(at) ~= "(" do at = at + 1 end
      while text(at) and text(at) ~= ")" do
        at = at + 1
        if tokens[at] and tokens[at].is_name then
          kinds[tokens[at].text] = tokens[at].text == "event" and "event" or nil
        end
      end
    elseif token.is_name and previous == "local" and text(index + 1) == "=" then
      local kind
      if text(index + 2) == "require" then
        local in_parentheses = text(index + 3) == "("
        local module = text(index + (in_parentheses and 4 or 3))
        if module and module:sub(2, -2) == "postmulti" then
          kind = follow(tokens, index + (in_parentheses and 5 or 3), "postmulti", known, findings)
        end
      elseif kinds[text(index + 2)] then
        kind = follow(tokens, index + 2, kinds[text(index + 2)], known, {})
      end
      kinds[token.text] = kind
    elseif token.is_name and text(index + 1) == "in" and previous == "for" and kinds[text(index + 2)] == "host"
      and text(index + 4) == "instances" then
      kinds[token.text] = "instance"
    elseif token.is_name and kinds[token.text] and previous ~= "." and previous ~= ":" and previous ~= "local" then
      follow(tokens, index, kinds[token.text], known, findings)
    end
  end
end

---Complain of keys that look like hooks and are none.
local function check_keys(tokens, findings)
  local keys = require("postmulti.hooks").keys
  for index, token in ipairs(tokens) do
    local after = tokens[index + 1]
    if token.is_name and after and after.text == "=" and token.text:find "^%a+_%a+$"
      and not contains(keys, token.text) then
      local prefix = nearest.word(token.text:match "^%a+", { "before", "after", "undo" })
      local near = nearest.word(token.text, keys)
      if prefix and near and nearest.distance(token.text, near) <= 2 then
        findings[#findings + 1] = { line = token.line, text = ("'%s' is no hook; did you mean %s?"):format(token.text,
          near) }
      elseif token.text:find "^before_" or token.text:find "^after_" or token.text:find "^undo_" then
        findings[#findings + 1] = { line = token.line, text = ("'%s' is no hook"):format(token.text) }
      end
    end
  end
end

---All findings in a text.
---@param text string
---@param name string  of the file
---@return postmulti.Finding[]
function M.check(text, name)
  text = text:gsub("^#[^\n]*", "", 1)
  local chunk, problem = load(text, "@" .. name, "t", {})
  if not chunk then
    local line, why = problem:match ":(%d+): (.*)$"
    return { { line = tonumber(line) or 1, text = why or problem } }
  end
  local findings, tokens = {}, M.tokens(text)
  local own = {}
  local globals = M.globals(chunk)
  for _, one in ipairs(globals) do
    if one.writes and _G[one.name] == nil then
      own[one.name] = true
      findings[#findings + 1] = { line = one.line, text = ("the global '%s' is set; say 'local %s'"):format(one.name,
        one.name) }
    end
  end
  local standard = {}
  for global in pairs(_G) do
    standard[#standard + 1] = global
  end
  table.sort(standard)
  for _, one in ipairs(globals) do
    if not one.writes and one.name ~= "arg" and _G[one.name] == nil and not own[one.name] then
      findings[#findings + 1] = { line = one.line, text = ("there is no global '%s'%s"):format(one.name,
        nearest.hint(one.name, standard)) }
    end
  end
  check_keys(tokens, findings)
  check_fields(tokens, findings)
  table.sort(findings, function(a, b)
    return a.line ~= b.line and a.line < b.line or a.line == b.line and a.text < b.text
  end)
  return findings
end

---postmulti-lua --lint FILE...
---@param files string[]  from 0 or 1
---@return integer status  0: nothing found
function M.main(files)
  local core = require "postmulti.core"
  local status = 0
  if not files[0] or files[1] == "--lint" then
    io.stderr:write "postmulti-lua: --lint needs a file\n"
    return 1
  end
  for index = 0, #files do
    local text, reason = core.read_file(files[index])
    if not text then
      io.stderr:write("postmulti-lua: ", reason, "\n")
      status = 1
    end
    for _, finding in ipairs(text and M.check(text, files[index]) or {}) do
      io.stdout:write(("%s:%d: %s\n"):format(files[index], finding.line, finding.text))
      status = 1
    end
  end
  return status
end

return M
