-- records - fuzz what Lua takes apart: journals, lists of directories, names, lines of postfix-files, selectors
--
-- Input: a letter that says which of them, and the text. Each has its own idea of what must hold.

local core = require "postmulti.core"
local fuzz = require "fuzz"
local journal = require "postmulti.journal"
local names = require "postmulti.names"
local permissions = require "postmulti.permissions"
local selection = require "postmulti.selection"

local FIELDS = { "op", "path", "text", "sum", "queue", "old" }

---The texts between the NULs of a text.
local function split(text)
  local parts = {}
  for part in (text .. "\0"):gmatch "([^\0]*)\0" do
    parts[#parts + 1] = part
  end
  return parts
end

---Call what may raise an error of the API, and nothing else.
local function try(func, ...)
  local ok, first, second = pcall(fuzz.call, func, ...)
  if not ok then
    assert(type(first) == "table" and first.kind and #first.message > 0, first)
    return nil, first.kind
  end
  return first, second
end

local function same(got, want, what)
  if got ~= want then
    error(("%s: %q, not %q"):format(what, tostring(got), tostring(want)), 0)
  end
end

local function same_record(got, want)
  for _, name in ipairs(FIELDS) do
    same(got[name], want[name], name)
  end
end

-- A journal: what was put down is read again; a part of it is nothing; and any line with a right checksum is read as
-- something that, put down, is read as the same.
local function check_journal(text)
  local parts, record = split(text), {}
  for index, name in ipairs(FIELDS) do
    -- "-" leaves a field out; the last holds the rest, NULs too
    local part = index < #FIELDS and parts[index] or index == #FIELDS and table.concat(parts, "\0", index) or nil
    record[name] = part ~= "-" and part or nil
  end
  local line = fuzz.call(journal.encode, core, record)
  assert(line:sub(-1) == "\n" and not line:sub(1, -2):find "[\n\0\r]", "not one line")
  same_record(fuzz.call(journal.decode, core, line:sub(1, -2)), record)
  local records = fuzz.call(journal.parse, core, "\n" .. line:sub(1, #line // 2) .. "\n" .. line .. text, 0)
  assert(record.op == nil or record.op == "rewind" or #records > 0, "a whole line does not count")
  for read in text:gmatch "[^\n]+" do
    fuzz.call(journal.decode, core, read)
    local fields = "\t" .. read
    local strange = fuzz.call(journal.decode, core, core.checksum(fields) .. fields)
    local again = journal.encode(core, strange):sub(1, -2)
    if again:find "\t" then
      same_record(journal.decode(core, again), strange)
    end
  end
end

-- multi_instance_directories: every byte is in a word or separates words; a list of the words is the same list.
local function check_list(text)
  local words = fuzz.call(names.split, text)
  local rest = table.concat(words)
  same(rest, (text:gsub("[, \t\r\n]", "")), "words")
  for _, word in ipairs(words) do
    assert(word ~= "" and not word:find "[, \t\r\n]", "not a word")
  end
  local again = names.split(table.concat(words, ", "))
  same(#again, #words, "the words again")
  for index, word in ipairs(words) do
    same(again[index], word, "the word again")
  end
end

-- Components, one by one, that are neither empty nor "." nor "..".
local function check_normal(text)
  local path = fuzz.call(names.normalize, text)
  same(path:byte(), 47, "first byte")
  same(names.normalize(path), path, "normalized again")
  for component in (path .. "/"):sub(2):gmatch "([^/]*)/" do
    assert(path == "/" or component ~= "", "an empty component")
    assert(component ~= "." and component ~= "..", "dots")
  end
  same(names.normalize("/x/../" .. text .. "//./"), path, "spelt in another way")
end

local NAME_BYTES = {}
for byte in ("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789!@%-_=+:./"):gmatch "." do
  NAME_BYTES[byte] = true
end

local function is_safe(text)
  for byte in text:gmatch "." do
    if not NAME_BYTES[byte] then
      return false
    end
  end
  return not text:find "[\n\0]"
end

local function check_name(text)
  local is_clear = text == "" or text == "-"
  local name, refusal = try(names.instance_name, text)
  local is_name = is_safe(text) and not text:find("/", 1, true) and text:find "^postfix%-" == 1
  same(name ~= nil or is_clear, is_clear or is_name, "instance name " .. tostring(refusal))
  local group
  group, refusal = try(names.group_name, text)
  same(group ~= nil or is_clear, is_clear or is_safe(text), "group name " .. tostring(refusal))
  assert((name == nil or name == text) and (group == nil or group == text))
end

-- What main.cf says after a value was written into it.
local function written(parameter, value)
  local text = assert(core.edit_main("# a\n", { { "set", parameter, value } }))
  local settings, remarks = assert(core.parse_main(text))
  same(#settings, 1, "settings")
  same(#remarks, 0, "remarks")
  same(core.expand(settings[1].value, {}), value, parameter)
end

-- A directory that is accepted can be written into main.cf, and a configuration directory into a list.
local function check_directory(text)
  for _, parameter in ipairs { "config_directory", "queue_directory" } do
    local path = try(names.directory, parameter, text)
    if path then
      assert(path:sub(1, 1) == "/" and path:sub(-1) ~= "/", "not a directory's name")
      same(path .. text:sub(#path + 1), text, "path")
      written(parameter, path)
      if parameter == "config_directory" then
        local words = names.split("/a " .. path .. ",/b")
        same(words[2], path, "in a list")
        same(#words, 3, "words in a list")
      end
    end
  end
  local sibling, refusal = try(names.sibling, "queue_directory", text, "postfix-a")
  same(sibling ~= nil, text:sub(1, 1) == "/", "sibling " .. tostring(refusal))
  if sibling then
    assert(sibling:sub(-10) == "/postfix-a", "another name")
    assert(sibling:sub(1, #text + 1) ~= text .. "/" or text:find "^/+$", "inside it")
  end
end

local function check_setting(text)
  local name, value = try(names.setting, text)
  if name then
    assert(name ~= "" and not name:find "[%s=]", "name")
    assert(not value:find "^%s" and not value:find "%s$", "value")
    local again, value_again = names.setting(name .. "=" .. value)
    same(again, name, "name again")
    same(value_again, value, "value again")
  end
end

-- A line of postfix-files is passed over, refused, or leads nowhere but beneath an instance's directory.
local function check_permissions(text)
  for line in text:gmatch "[^\n]+" do
    local object = fuzz.call(permissions.parse_line, line)
    if object then
      assert(object.base == "config_directory" or object.base == "queue_directory" or object.base == "data_directory")
      assert(object.type == "directory" or object.type == "file")
      assert(object.owner ~= "" and object.group ~= "")
      assert(object.mode >= 0 and object.mode <= tonumber("7777", 8), "mode")
      if object.path then
        assert(object.path ~= "" and object.path:sub(1, 1) ~= "/" and object.path:sub(-1) ~= "/", "path")
        assert(not object.path:find("$", 1, true) and not ("/" .. object.path .. "/"):find("/../", 1, true), "path")
      end
    else
      assert(object == nil or object == false)
    end
  end
end

-- Which instances a selector means. Three texts for each instance: name, group, directory.
local function check_selection(text)
  local parts, instances = split(text), {}
  local wanted = table.remove(parts, 1)
  for index = 1, #parts - 2, 3 do
    local name, group = parts[index], parts[index + 1]
    local is_damaged = group == "!"
    instances[#instances + 1] = {
      name = name ~= "" and name or nil, group = group ~= "" and group or nil, config_directory = parts[index + 2],
      is_primary = index == 1, damage = is_damaged and "damage" or nil, is_readable = not is_damaged,
    }
  end
  local by_name = fuzz.call(selection.select, instances, { name = wanted })
  local at = 0
  for _, instance in ipairs(by_name) do
    repeat at = at + 1 until instances[at] == instance or at > #instances
  end
  assert(at <= #instances, "not in order")
  local first = selection.find(instances, wanted)
  same(by_name[1], first, "the first")
  for _, instance in ipairs(selection.select(instances, { group = wanted })) do
    assert(instance.group == wanted or instance.damage, "another group")
  end
  for _, selector in ipairs { { name = wanted }, { group = wanted }, { all = true }, {} } do
    local place, refusal = try(selection.insertion_point, instances, selector)
    if place then
      assert(place >= math.min(2, #instances + 1) and place <= #instances + 1, "before the primary")
    else
      same(refusal, "not found", "refusal")
    end
  end
end

local KINDS = {
  j = check_journal, l = check_list, p = check_normal, n = check_name, d = check_directory, s = check_setting,
  f = check_permissions, i = check_selection,
}
local LETTERS = { "j", "l", "p", "n", "d", "s", "f", "i" }

return function(data)
  local letter = data:sub(1, 1)
  local check = KINDS[letter] or KINDS[LETTERS[(data:byte() or 0) % #LETTERS + 1]]
  check(data:sub(2))
end
