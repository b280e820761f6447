--- Compares what two commands made of the same scenario.
local M = {}

--- Parameters whose lines one edit appends together, in an order that Postfix
--- 3.7 to 3.10 take from a hash table with a random seed.
local TOGETHER = {}
for block, names in pairs {
  create = "authorized_submit_users master_service_disable command_directory daemon_directory data_directory "
    .. "html_directory mail_owner mailq_path manpage_directory newaliases_path queue_directory readme_directory "
    .. "sample_directory sendmail_path setgid_group shlib_directory meta_directory",
  identity = "multi_instance_name multi_instance_group",
  init = "multi_instance_wrapper multi_instance_enable",
  registry = "multi_instance_directories alternate_config_directories",
} do
  for name in names:gmatch "%S+" do
    TOGETHER[name] = block
  end
end

--- Programs whose words are not compared, only the level of what they say.
local OWN = { postmulti = true, ["postmulti-script"] = true, postconf = true, postfix = true, postlog = true }
local TOOLS = {}
for name in ("rmdir mkdir cp mv chown chgrp chmod find rm ln test touch cmp sed"):gmatch "%S+" do
  TOOLS[name] = true
end
--- Said or not, as the machine is quick or slow.
local WAITING = ": waiting for the Postfix mail system"
local LEVELS = { fatal = true, error = true, warning = true, panic = true }
local PRIORITY = { [2] = "fatal", [3] = "error", [4] = "warning", [6] = "note" }

--- lines - text as a list; a missing final newline is a line of its own
local function lines(text)
  local list = {}
  for line in text:gmatch "([^\n]*)\n" do
    list[#list + 1] = line
  end
  if text ~= "" and text:sub(-1) ~= "\n" then
    -- the greedy dot finds the last newline without trying each byte
    list[#list + 1] = text:match "^.*\n(.*)$" or text
    list[#list + 1] = "(no newline at end of file)"
  end
  return list
end

--- level_names - a set of levels in words
local function level_names(set)
  local list = {}
  for _, name in ipairs { "panic", "fatal", "error", "warning" } do
    if set[name] then
      list[#list + 1] = name
    end
  end
  return list[1] and table.concat(list, " ") or set.note and "note" or "none"
end

--- glob_pattern - a Lua pattern for text in which * stands for anything
local function glob_pattern(glob)
  return "^" .. glob:gsub("[^%w%s*]", "%%%0"):gsub("%*", ".*") .. "$"
end

--- reasons_load - the rows of reasons.txt
local function reasons_load()
  local rows = {}
  local path = package.searchpath("compare", package.path):gsub("compare%.lua$", "reasons.txt")
  for line in io.lines(path) do
    local id, stock, ours = line:match "^([%w-]+) | (.-) | (.+)$"
    if id then
      rows[#rows + 1] = { id = id, patterns = { glob_pattern(stock), glob_pattern(ours) } }
    end
  end
  return rows
end
local REASONS = reasons_load()

--- reason_read - which error was reported; "unknown" when it is none of reasons.txt
local function reason_read(outcome)
  local reason
  for _, line in ipairs(lines(outcome.stderr)) do
    local text = not reason and line:match "^%S*postmulti[%w-]*: fatal: (.*)$"
    for _, row in ipairs(text and REASONS or {}) do
      if text:find(row.patterns[1]) or text:find(row.patterns[2]) then
        reason = row.id
        break
      end
    end
  end
  return reason or "unknown"
end

--- messages_read - levels of our command's kind of message, and the lines of other programs
---@param outcome table
---@return string levels
---@return string[] others
local function messages_read(outcome)
  local levels, others, usage = {}, {}, false
  for _, line in ipairs(lines(outcome.stderr)) do
    local tag, rest = line:match "^([^%s:]+): (.*)$"
    local program = tag and tag:match "([^/]+)/?$"
    local level = rest and rest:match "^(%a+): "
    usage = usage or line:find "[Uu]sage:" ~= nil
    if program and (TOOLS[program] or program == "postmulti-script" and rest:find "^%d+: ") then
      levels[outcome.status == 0 and "warning" or "fatal"] = true
    elseif program and OWN[program] then
      levels[LEVELS[level] and level or "note"] = true
    elseif line ~= "(no newline at end of file)" and not line:find(WAITING, 1, true) then
      others[#others + 1] = (line:gsub("PID: %d+", "PID: N"):gsub("%[%d+%]", "[N]"))
    end
  end
  return level_names(levels), usage and {} or others
end

--- log_read - levels of what our command wrote to the mail log, under its own name
local function log_read(outcome)
  local levels = {}
  for priority, tag in outcome.log:gmatch "<(%d+)>%a+ +%d+ [%d:]+ ([^%s%[:]+)" do
    local program = tag:match "([^/]+)$"
    priority = math.tointeger(priority)
    if program == "postmulti" or program == "postmulti-script" then
      levels[priority // 8 == 2 and PRIORITY[priority % 8] or "panic"] = true
    end
  end
  return level_names(levels)
end

--- name_of - the parameter that a plain line sets
local function name_of(line)
  return line:match "^([%w_]+) = "
end

--- appended_blocks - runs of lines at the end of a changed file that one edit may have put in any order
---@return string[][] blocks each a list of names, in the file's order
local function appended_blocks(text, before)
  local known, list, blocks = {}, lines(text), {}
  for _, line in ipairs(lines(before)) do
    known[name_of(line) or line] = true
  end
  local at = #list
  while at > 0 do
    local name = name_of(list[at])
    local kind = name and not known[name] and TOGETHER[name]
    if not kind then
      break
    end
    local last = blocks[#blocks]
    if not last or last.kind ~= kind then
      last = { kind = kind }
      blocks[#blocks + 1] = last
    end
    table.insert(last, 1, name)
    at = at - 1
  end
  return blocks
end

--- block_sort - sort the lines of a block where the block is found as it was appended
local function block_sort(list, block)
  for start = 1, #list - #block + 1 do
    local here = true
    for offset, name in ipairs(block) do
      here = here and name_of(list[start + offset - 1]) == name
    end
    if here then
      local part = table.move(list, start, start + #block - 1, 1, {})
      table.sort(part)
      table.move(part, 1, #part, start, list)
      return
    end
  end
end

--- texts_of - a state's texts by path
local function texts_of(state)
  local texts = {}
  for _, item in ipairs(state.texts) do
    texts[item[1]] = item[2]
  end
  return texts
end

--- trees_read - each step's tree as lines in which the random order is settled
---@param result table of play.lua
---@return string[][] for step 0 (before) and up
local function trees_read(result)
  local blocks, before = {}, texts_of(result.before)
  local prototype = before["/etc/postfix/main.cf.proto"] or ""
  local trees = {}
  for number = 0, #result.steps do
    local state = number == 0 and result.before or result.steps[number].tree
    local now, list = texts_of(state), table.move(state.entries, 1, #state.entries, 1, {})
    for _, item in ipairs(state.texts) do
      local path, text = item[1], item[2]
      if number > 0 and text ~= before[path] then
        blocks[path] = before[path] and blocks[path] or {}
        for _, block in ipairs(appended_blocks(text, before[path] or prototype)) do
          table.insert(blocks[path], block)
        end
      end
      local content = lines(text)
      for _, block in ipairs(blocks[path] or {}) do
        block_sort(content, block)
      end
      for _, line in ipairs(content) do
        list[#list + 1] = path .. ": " .. line
      end
    end
    trees[number], before = list, now
  end
  return trees
end

--- diff - what only one of two lists has, as "-line" and "+line"
local function diff(stock, ours)
  local a, b = table.concat(stock, "\n"), table.concat(ours, "\n")
  if a == b and #stock == #ours then
    return {}
  end
  local names = { os.tmpname(), os.tmpname() }
  for number, text in ipairs { a, b } do
    local handle = assert(io.open(names[number], "wb"))
    handle:write(text, number == 1 and #stock > 0 and "\n" or number == 2 and #ours > 0 and "\n" or "")
    handle:close()
  end
  local found = {}
  local pipe = assert(io.popen(("diff -a %s %s"):format(names[1], names[2])))
  for line in pipe:lines() do
    local side, text = line:match "^([<>]) (.*)$"
    if side then
      found[#found + 1] = (side == "<" and "-" or "+") .. text
    end
  end
  pipe:close()
  os.remove(names[1])
  os.remove(names[2])
  return found
end

--- glob_matches - whether a line is what a declared difference describes
local function glob_matches(difference, line)
  return line:sub(1, 1) == difference.side and line:sub(2):find(glob_pattern(difference.glob)) ~= nil
end

--- read - a side's result in the form that is compared
local function read(result)
  local trees, steps = trees_read(result), {}
  for number, outcome in ipairs(result.steps) do
    local levels, others = messages_read(outcome)
    steps[number] = {
      status = tostring(outcome.status),
      messages = levels,
      reason = reason_read(outcome),
      log = log_read(outcome),
      stdout = lines(outcome.stdout),
      script = others,
      tree = trees[number],
    }
  end
  return steps
end

--- compare_step - complaints about one step
---@param step Step
---@param stock table
---@param ours table
---@param settled table lines of trees already accepted (changed here)
---@return string[] complaints
---@return string[] met IDs of declared differences that are there
local function compare_step(step, stock, ours, settled)
  local complaints, met = {}, {}
  local compared = { "status", "messages", "log" }
  if stock.reason ~= "unknown" and ours.messages:find "fatal" then
    compared[#compared + 1] = "reason"
  end
  for _, field in ipairs(compared) do
    local expected
    for _, difference in ipairs(step.differences) do
      if difference.field == field then
        expected = difference
      end
    end
    local found = stock[field] .. " -> " .. ours[field]
    if expected then
      if expected.stock .. " -> " .. expected.ours == found then
        met[#met + 1] = expected.id
      else
        complaints[#complaints + 1] = ("%s: %s, but %s declares %s -> %s"):format(
          field, found, expected.id, expected.stock, expected.ours)
      end
    elseif stock[field] ~= ours[field] then
      complaints[#complaints + 1] = field .. ": " .. found
    end
  end
  for _, field in ipairs { "stdout", "script", "tree" } do
    local used, present = {}, {}
    for _, line in ipairs(diff(stock[field], ours[field])) do
      local accepted = field == "tree" and settled[line]
      for _, difference in ipairs(step.differences) do
        if difference.field == field and glob_matches(difference, line) then
          accepted, used[difference] = true, true
        end
      end
      present[line] = accepted
      if not accepted then
        complaints[#complaints + 1] = field .. ": " .. line
        present[line] = true -- said once is enough
      end
    end
    if field == "tree" then
      for line in pairs(settled) do
        settled[line] = nil
      end
      for line in pairs(present) do
        settled[line] = true
      end
    end
    for _, difference in ipairs(step.differences) do
      if difference.field == field then
        if used[difference] then
          met[#met + 1] = difference.id
        else
          complaints[#complaints + 1] = ("%s: %s declares %s%s, which is not there"):format(
            field, difference.id, difference.side, difference.glob)
        end
      end
    end
  end
  return complaints, met
end

--- M.compare - what is different without being declared, and what is declared
---@param scenario Scenario
---@param stock_result table of play.lua
---@param ours_result table
---@param undeclared boolean? true: nothing may differ, declarations do not count
---@return { step: integer, complaints: string[] }[]
---@return table<string, boolean> met IDs
function M.compare(scenario, stock_result, ours_result, undeclared)
  local stock, ours = read(stock_result), read(ours_result)
  local troubles, ids, settled = {}, {}, {}
  for number, step in ipairs(scenario.steps) do
    local judged = undeclared and { differences = {} } or step
    local complaints, met = compare_step(judged, stock[number], ours[number], settled)
    if step.must and stock[number].status ~= "0" then
      table.insert(complaints, 1, "must succeed with the stock command, but status is " .. stock[number].status)
    end
    for _, id in ipairs(met) do
      ids[id] = true
    end
    if complaints[1] then
      troubles[#troubles + 1] = { step = number, complaints = complaints }
    end
  end
  return troubles, ids
end

return M
