--- Plays one scenario inside a sandbox and writes what happened, as a Lua table.
--
--     lua5.4 play.lua DIRECTORY FILE INDEX
--
-- DIRECTORY is tests/compat. The result is a list, one entry for each step:
-- status, stdout, stderr, log, tree; before is the tree at the start.
local directory, file, index = arg[1], arg[2], tonumber(arg[3])
package.path = directory .. "/?.lua"
local scenario = require("scenario").read(file)[index]

local TREES = "/etc/postfix /etc/postfix?* /var/spool/postfix /var/spool/postfix?* /var/lib/postfix /var/lib/postfix?*"
local TIME_LIMIT = 60 -- seconds, for a step
local WORK = "/run/sandbox"

--- contents - a whole file, or nil
local function contents(path)
  local handle = io.open(path, "rb")
  if not handle then
    return nil
  end
  local text = handle:read "a"
  handle:close()
  return text
end

--- tree_entries - every file as {path, "MODE OWNER GROUP TYPE", target, type}, sorted by path
local function tree_entries()
  local listing = io.popen(("find %s %s ! -name prng_exch -printf '%s' 2>/dev/null"):format(
    TREES, scenario.watch, [=[%p\0%04m %u %g %y\0%l\0]=]))
  local entries, seen = {}, {}
  for path, what, target in listing:read("a"):gmatch "(%Z*)%z(%Z*)%z(%Z*)%z" do
    if not seen[path] then
      seen[path] = true
      entries[#entries + 1] = { path = path, what = what, target = target, type = what:sub(-1) }
    end
  end
  listing:close()
  table.sort(entries, function(a, b) return a.path < b.path end)
  return entries
end

--- tree_state - entries, and the text of each .cf file
local function tree_state()
  local state = { entries = {}, texts = {} }
  for _, entry in ipairs(tree_entries()) do
    local link = entry.target ~= "" and " -> " .. entry.target or ""
    state.entries[#state.entries + 1] = ("%s %s%s"):format(entry.what, entry.path, link)
    if entry.type == "f" and entry.path:find "%.cf$" then
      state.texts[#state.texts + 1] = { entry.path, contents(entry.path) }
    end
  end
  return state
end

--- log_text - what the log has beyond a position; the text and the new position
local function log_text(position)
  local text = contents(WORK .. "/log") or ""
  return text:sub(position + 1), #text
end

--- run - one step; the exit status
local function run(step)
  local script = assert(io.open(WORK .. "/step", "wb"))
  script:write("cd /root || exit 99\n. ", directory, "/prelude.sh\n", step.text, "\n")
  script:close()
  local _, _, status = os.execute(
    ("cd %s && tools/ptyrun -s /dev/log -t %d -o stdout -e stderr sh %s/step"):format(WORK, TIME_LIMIT, WORK)
  )
  return status
end

--- dump - a value as Lua text
local function dump(value)
  if type(value) ~= "table" then
    return ("%q"):format(value)
  end
  local parts = {}
  for key, item in pairs(value) do
    parts[#parts + 1] = ("[%q]=%s"):format(key, dump(item))
  end
  return "{" .. table.concat(parts, ",") .. "}"
end

local result = { before = tree_state(), steps = {} }
local position = #(contents(WORK .. "/log") or "")
for number, step in ipairs(scenario.steps) do
  local outcome = { status = run(step) }
  outcome.stdout = contents(WORK .. "/stdout")
  outcome.stderr = contents(WORK .. "/stderr")
  outcome.log, position = log_text(position)
  outcome.tree = tree_state()
  result.steps[number] = outcome
end
io.write("return ", dump(result), "\n")
