-- json - fuzz the list of postmulti -l, as JSON and as text
--
-- Input: a byte of flags (1: no name, 2: no group, 4: enabled, 8: as text, 16: as a message), the lengths of name and
-- group, a byte each, then name, group and directory.

local fuzz = require "fuzz"
local log = require "postmulti.log"
local report = require "postmulti.report"

---What a reader of the JSON must get: the text itself where that is UTF-8; otherwise what is UTF-8 in it.
local function check_text(want, got)
  if utf8.len(want) then
    assert(got == want, "another text")
  else
    assert(utf8.len(got), "not UTF-8")
    local ascii = want:gsub("[\128-\255]+", "")
    assert(got:gsub("[\128-\255]+", "") == ascii, "ASCII is lost")
  end
end

local function check_json(instance)
  local line = fuzz.call(report.json, instance)
  assert(line:sub(-1) == "\n" and not line:sub(1, -2):find "%c", "not one line")
  local object = assert(fuzz.decode(line))
  check_text(instance.name or "-", object.name)
  check_text(instance.group or "-", object.group)
  check_text(instance.config_directory, object.config_directory)
  assert(object.enabled == (instance.enabled and "y" or "n"), "enabled")
end

-- A parameter's value holds no NUL, and the columns are bytes wide.
local function check_line(instance)
  local line = fuzz.call(report.line, instance)
  local name, group = instance.name or "-", instance.group or "-"
  local from = math.max(15, #name) + 2
  assert(line:sub(1, #name) == name, "name")
  assert(line:sub(from, from + #group - 1) == group, "group")
  from = from + math.max(15, #group) + 1
  assert(line:sub(from, from) == (instance.enabled and "y" or "n"), "enabled")
  assert(line:sub(from + 10) == instance.config_directory .. "\n", "directory")
end

local function check_message(text)
  local shown = fuzz.call(log.printable, text)
  assert(#shown == #text and utf8.len(shown) and not shown:find "%c", "not printable")
end

return function(data)
  local flags, name, group = data:byte(1) or 0, data:byte(2) or 0, data:byte(3) or 0
  local instance = {
    name = flags & 1 == 0 and data:sub(4, 3 + name) or nil,
    group = flags & 2 == 0 and data:sub(4 + name, 3 + name + group) or nil,
    enabled = flags & 4 ~= 0,
    config_directory = data:sub(4 + name + group),
  }
  if flags & 16 ~= 0 then
    check_message(data)
  elseif flags & 8 == 0 then
    check_json(instance)
  elseif not data:find("\0", 4, true) then
    check_line(instance)
  end
end
