-- evaluation - fuzz what a main.cf means, for a primary and for a secondary, through the whole of the C module
--
-- Input: a letter that says for whom, and the text of a main.cf. Whatever it says, its meaning or a reason of one line
-- comes back; nothing is raised.

local core = require "postmulti.core"
local evaluation = require "postmulti.evaluation"
local fuzz = require "fuzz"
local parameters = require "postmulti.parameters"
local primary = require "postmulti.primary"

local DIRECTORY = "/etc/postfix-x"

-- The text that is being tested; files are read from here, and no program is run.
local text

local hostile = setmetatable({}, { __index = core })

function hostile.read_file(path)
  if path == DIRECTORY .. "/main.cf" then
    return text
  end
  return nil, path .. ": No such file or directory", 2
end

function hostile.read_parameters(path, wanted)
  local list, remarks, _, line = core.parse_main(text, path)
  local settings, is_wanted = {}, {}
  for _, name in ipairs(wanted or {}) do
    is_wanted[name] = true
  end
  for _, setting in ipairs(list or {}) do
    if not wanted or is_wanted[setting.name] then
      settings[setting.name] = setting.value
    end
  end
  if not list then
    assert(math.type(line) == "integer")
    return nil, remarks, 0, "malformed", settings
  end
  return settings, remarks
end

function hostile.run()
  return nil, "not in this test"
end

function hostile.hostname()
  return "host.example.com"
end

local REASONS = { malformed = true, invalid = true, defaults = true }

local function check_reason(reason, kind)
  assert(type(reason) == "string" and #reason > 0 and not reason:find "[\n\r\0]", "the reason is not one line")
  assert(#reason < 2000, "the reason is long")
  assert(REASONS[kind], kind)
end

local STRINGS = { "multi_instance_directories", "queue_directory", "data_directory", "myhostname", "syslog_name" }

local function check_primary()
  local values, remarks, kind = fuzz.call(primary.read, hostile, DIRECTORY, evaluation.defaults(hostile))
  if not values then
    return check_reason(remarks, kind)
  end
  for _, name in ipairs(STRINGS) do
    assert(type(values[name]) == "string" and #values[name] <= 65536, name)
  end
  assert(type(values.multi_instance_enable) == "boolean")
  for _, directory in ipairs(values.secondaries) do
    assert(directory ~= "" and not directory:find "[, \t\r\n\0]", "not a word")
  end
end

local function check_values(values)
  for _, name in ipairs { "queue_directory", "data_directory", "multi_instance_name", "multi_instance_group" } do
    local value = values[name]
    assert(value == nil or not value:find "[\t\r\n\0]", "a value that is not squeezed")
  end
  assert(values.multi_instance_name ~= "" and values.multi_instance_group ~= "")
end

local function check_secondary()
  local values, reason, kind, partial = fuzz.call(parameters.secondary, hostile, DIRECTORY,
    evaluation.defaults(hostile))
  if values then
    check_values(values)
    assert(type(values.multi_instance_enable) == "boolean")
  else
    check_reason(reason, kind)
    check_values(partial or {})
  end
end

-- Settings as values to be looked up and expanded, as a script of the administrator's would.
local function check_settings()
  local list, remarks = core.parse_main(text, "main.cf")
  if not list then
    return check_reason(remarks, "malformed")
  end
  local settings = {}
  for _, setting in ipairs(list) do
    settings[setting.name] = setting.value
  end
  for index = 1, math.min(#list, 4) do
    local value = list[index].value
    local expanded, reason = core.expand(value, settings)
    assert(expanded or type(reason) == "string" and not reason:find "\n")
    assert(expanded or value:find("$", 1, true), "refused without an expression")
  end
end

-- The same text, read as a master.cf.
local function check_master()
  local services, reason = core.parse_master(text)
  if not services then
    assert(not reason:find "\n", "the reason is not one line")
    return
  end
  for _, service in ipairs(services) do
    assert(service.name ~= "" and #service.arguments > 0)
  end
end

local READERS = { p = check_primary, s = check_secondary, e = check_settings, m = check_master }
local LETTERS = { "p", "s", "e", "m" }

return function(data)
  local letter = data:sub(1, 1)
  text = data:sub(2);
  (READERS[letter] or READERS[LETTERS[(data:byte() or 0) % #LETTERS + 1]])()
end
