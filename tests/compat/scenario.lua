--- The form of the files in tests/compat/scenarios.
--
-- A file is a group of scenarios, named after the file:
--
--     # a comment
--     == title of a scenario      (file 07-create.txt: group create)
--     covers: 7, 8                section numbers of the command's description
--     watch: /srv /etc/other*     further trees to compare (shell patterns)
--     releases: before 3.11       only with such a Postfix (or: from 3.11, only 3.10)
--     ! three                     a step that must succeed with the stock command
--     $ postmulti -l -i out       a step that may fail
--     | more text of the step
--     ~ D-name status: 1 -> 0     a deliberate difference in the step above
--
-- Steps are run by sh, in order, each in a shell of its own, in /root, with
-- prelude.sh at hand. All of a scenario's steps share one sandbox.
--
-- After a step are compared: standard output, exit status, level of the
-- messages on standard error and in the log, what Postfix's own scripts say,
-- and the trees. A deliberate difference names a row of docs/differences.md and
-- what it consists in:
--
--     ~ ID status: 1 -> 0         also messages: and log:, whose values are
--     ~ ID messages: fatal -> none    none, note, or of fatal, error, warning;
--     ~ ID reason: usage -> json-without-l    and reason: (see reasons.txt)
--     ~ ID tree: -GLOB            a line that only stock has (+ only ours);
--     ~ ID stdout: +GLOB          also script:; * stands for anything
--
--     ~ ID (from 3.10) tree: -GLOB    likewise
--
-- A declared difference must be met, and nothing else may differ. Lines of a
-- tree are `MODE OWNER GROUP TYPE PATH [-> TARGET]` and `PATH: TEXT`; once a
-- difference of a tree is accepted it is expected from then on.
local M = {}

---@class Difference
---@field id string
---@field releases string the Postfix releases that show it; "" for all
---@field field string status, messages, log, tree, stdout or script
---@field stock string? what stock gives (status, messages, log)
---@field ours string?
---@field side string? "-" or "+" (tree, stdout, script)
---@field glob string?

---@class Step
---@field text string
---@field must boolean
---@field line integer
---@field differences Difference[]

---@class Scenario
---@field group string
---@field title string
---@field file string
---@field index integer
---@field covers string
---@field watch string
---@field releases string
---@field steps Step[]

local VALUES = { status = true, messages = true, log = true, reason = true }
local LINES = { tree = true, stdout = true, script = true }

--- parse_difference - the text after "~ "; nil when it has no sense
local function parse_difference(text)
  local id, releases, field, rest = text:match "^(D%-[%w-]+) %((%l+ %d+%.%d+)%) (%a+): (.*)$"
  if not id then
    id, field, rest = text:match "^(D%-[%w-]+) (%a+): (.*)$"
  end
  if not id then
    return nil
  elseif VALUES[field] then
    local stock, ours = rest:match "^(%S.-) %-> (%S.*)$"
    return stock and { id = id, releases = releases or "", field = field, stock = stock, ours = ours }
  elseif LINES[field] then
    local side, glob = rest:match "^([-+])(.+)$"
    return side and { id = id, releases = releases or "", field = field, side = side, glob = glob }
  end
end

--- M.applies - whether a scenario or a difference is meant for a release, such as "3.7.11"
---@param what Scenario|Difference
---@param release string
---@return boolean
function M.applies(what, release)
  local word, major, minor = what.releases:match "^(%l+) (%d+)%.(%d+)$"
  local here_major, here_minor = release:match "^(%d+)%.(%d+)"
  if not word then
    return true
  end
  if word == "only" then
    return here_major == major and here_minor == minor
  end
  local older = tonumber(here_major) * 1000 + tonumber(here_minor) < tonumber(major) * 1000 + tonumber(minor)
  return older == (word == "before")
end

--- M.read - all scenarios of a file
---@param path string
---@return Scenario[]
function M.read(path)
  local group = path:match "([^/%d-][^/]*)%.txt$"
  local list, scenario, step = {}, nil, nil
  local number = 0
  for line in io.lines(path) do
    number = number + 1
    local mark, text = line:match "^([!$|~]) ?(.*)$"
    local title, key, value = line:match "^== (.+)$", line:match "^(%l+): (.*)$"
    if title then
      scenario = { group = group, title = title, file = path, index = #list + 1, steps = {} }
      scenario.covers, scenario.watch, scenario.releases = "", "", ""
      list[#list + 1] = scenario
    elseif mark == "!" or mark == "$" then
      step = { text = text, must = mark == "!", line = number, differences = {} }
      scenario.steps[#scenario.steps + 1] = step
    elseif mark == "|" then
      step.text = step.text .. "\n" .. text
    elseif mark == "~" then
      local difference = parse_difference(text)
      assert(difference, ("%s:%d: no difference can be read from this"):format(path, number))
      step.differences[#step.differences + 1] = difference
    elseif key == "covers" or key == "watch" or key == "releases" then
      scenario[key] = value
    else
      assert(line == "" or line:sub(1, 1) == "#", ("%s:%d: what is this?"):format(path, number))
    end
  end
  return list
end

return M
