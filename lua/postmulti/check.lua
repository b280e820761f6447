-- postmulti.check - what the postmulti(1) process refuses in a value, by type of parameter: see postmulti.globals
--
-- Each check gets the evaluator of postmulti.primary, the parameter's name, its
-- value and the step with its limits; it returns nil, or what is wrong.

local errors = require "postmulti.errors"
local evaluation = require "postmulti.evaluation"

local check = {}


function check.boolean(_, _, value)
  return evaluation.to_boolean(value) == nil and "neither yes nor no" or nil
end

-- Text of the limits of a number.
local function range(limits)
  if limits.min > -0x80000000 and limits.max < 0x7fffffff then
    return ("from %d to %d"):format(limits.min, limits.max)
  elseif limits.min > -0x80000000 then
    return ("at least %d"):format(limits.min)
  end
  return limits.max < 0x7fffffff and ("at most %d"):format(limits.max) or "within the range of the type"
end

-- A decimal integer, or nil; without wrapping around.
local function to_integer(digits)
  local sign, magnitude = digits:match "^([+-]?)0*(%d+)$"
  return magnitude and math.tointeger(tonumber((sign == "-" and "-" or "") .. magnitude))
end

function check.number(_, _, value, limits)
  local number = to_integer(value)
  if not value:find "^[+-]?%d+$" then
    return "not a whole number"
  elseif not number or number < limits.min or number > limits.max then
    return "must be " .. range(limits)
  end
  return nil
end

local UNIT = { s = 1, m = 60, h = 3600, d = 86400, w = 604800 }

-- Seconds of a time, or nil. As in Postfix, the number may be missing ("s" is 0), and what follows the unit does not
-- count.
local function to_seconds(value)
  local digits, unit = value:match "^([+-]?%d*)(.?)"
  if not (UNIT[unit] or (unit == "" and digits ~= "")) then
    return nil
  end
  return (tonumber(digits) or 0.0) * (UNIT[unit] or 1.0)
end

function check.time(_, _, value, limits)
  local seconds = to_seconds(value)
  if not seconds or seconds < 0 or seconds > 0x7fffffff then
    return "not a time: a number and one of s m h d w"
  elseif seconds < limits.min or seconds > limits.max then
    return ("must be %s seconds"):format(range(limits))
  end
  return nil
end

local ENOMEM = 12

local function is_level(core, value)
  if value:find("$", 1, true) then
    return false
  end
  local answer, reason, errno = core.expand("${{$v} >=level {0}}", { v = value })
  if not answer and errno == ENOMEM then
    errors.throw("system", reason --[[@as string]], { errno = errno })
  end
  return answer ~= nil
end

-- The level is looked at first of all, and again by defaults such as that of smtputf8_enable.
function check.level(evaluator, name, value)
  local later = evaluator:value(name, evaluator:step "import_environment")
  if not is_level(evaluator.core, value) or not later or not is_level(evaluator.core, later) then
    return "not a compatibility level (N, N.N or N.N.N)"
  end
  return nil
end

local FACILITIES = " auth authpriv cron daemon ftp kern lpr mail news syslog user uucp local0 local1 local2 local3"
  .. " local4 local5 local6 local7 "

function check.facility(_, _, value)
  local is_known = not value:find " " and FACILITIES:find(" " .. value .. " ", 1, true)
  return not is_known and "not a syslog facility" or nil
end

function check.protocols(_, _, value)
  for _, word in ipairs(evaluation.split(value)) do
    if word ~= "all" and word ~= "ipv4" and word ~= "ipv6" then
      return "must be a list of all, ipv4, ipv6"
    end
  end
  return nil
end

function check.style(_, _, value)
  local words = evaluation.split(value)
  local is_known = #words == 1 and (words[1] == "class" or words[1] == "subnet" or words[1] == "host")
  return not is_known and "must be one of class, subnet, host" or nil
end

function check.maillog(evaluator, _, value)
  if value == "" then
    return nil
  end
  local prefixes, reason = evaluator:value "maillog_file_prefixes"
  if not prefixes then
    return reason
  end
  for _, prefix in ipairs(evaluation.split(prefixes)) do
    if value:sub(1, #prefix) == prefix then
      return nil
    end
  end
  return ("begins with none of maillog_file_prefixes (%s)"):format(prefixes)
end

-- Is this acceptable as a host or domain name? "1.2.3" is not.
local function is_hostname(value)
  if #value == 0 or #value > 255 or value:find "[^%w_.%-\x80-\xff]" or not value:find "[^%d.]" then
    return false
  end
  for label in (value .. "."):gmatch "([^.]*)%." do
    if #label == 0 or #label > 63 or label:find "^%-" or label:find "%-$" or label:find "[\x80-\xff]" then
      return false
    end
  end
  return true
end

function check.domain(evaluator, name, value)
  if not is_hostname(value) then
    return "not a valid host or domain name"
  end
  local other = name == "mydomain" and "myhostname" or "mydomain"
  if not evaluator.settings[other] then -- computed from this one
    local computed, reason = evaluator:value(other)
    if not computed then
      return reason
    elseif not is_hostname(computed) then
      return ("makes %s = %s, not a valid name"):format(other, computed)
    end
  end
  return nil
end

function check.origin(evaluator, _, value)
  if value == "" then
    return "must not be empty"
  elseif value:sub(1, 1) ~= "/" then
    return nil
  end
  local text, reason = evaluator.core.read_file(value)
  if not text then
    return reason
  end
  return text == "" and "the file is empty" or nil
end

function check.verp(evaluator)
  local pair, reason = evaluator:value "default_verp_delimiters"
  local filter = evaluator:value "verp_delimiter_filter"
  if not pair or not filter then
    return reason or "cannot be evaluated"
  elseif #pair ~= 2 then
    return "default_verp_delimiters must be two characters"
  end
  for character in pair:gmatch "." do
    if not filter:find(character, 1, true) then
      return ("default_verp_delimiters = %s: %s is not in verp_delimiter_filter = %s"):format(pair, character, filter)
    end
  end
  return nil
end

function check.account(evaluator, name, value)
  return require("postmulti.accounts").check(evaluator, name, value)
end

return check
