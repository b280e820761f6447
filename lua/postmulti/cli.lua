--- The command postmulti: options in, exit status out. Everything it does, it does through the public API.

local errors = require "postmulti.errors"
local options = require "postmulti.options"
local postmulti = require "postmulti"
local selection = require "postmulti.selection"

local M = {}

---Exit statuses.
M.status = {
  ok = 0,
  failure = 1,  -- as the stock command: nothing changed, or a child failed
  unsafe = 3,   -- changed, but not known to be on disk
  hook = 4,     -- an after_* hook failed: create was undone, any other action is done
}

local SIGPIPE = 13

-- Kinds of errors that leave the action done.
local WARNING = { unsafe = true }

---@class postmulti.Invocation
---@field program string
---@field path string               as it was called
---@field options postmulti.Options
---@field operands string[]
---@field host postmulti.Host
---@field report fun(level: string, message: string)
---@field status integer?           that a command of the site wants

---Report instances that cannot be used. @return boolean any
local function report_damage(run, level, except)
  local any = false
  for _, instance in ipairs(run.host:load()) do
    if instance.damage and instance.config_directory ~= except then
      run.report(level, instance.damage)
      any = true
    end
  end
  return any
end

---Do FUNC for each, naming those that cannot be used. @return boolean ok
local function for_each(run, instances, func)
  local ok = true
  for _, instance in ipairs(instances) do
    if instance.damage then
      run.report("fatal", instance.damage)
      ok = false
    else
      ok = func(instance) and ok
    end
  end
  return ok
end

local function reversed(list)
  local result = {}
  for index = #list, 1, -1 do
    result[#result + 1] = list[index]
  end
  return result
end

---The instances that -a, -g, -i and -R ask for. Those that cannot be used are named even if nobody asked for them.
local function selected(run)
  local o = run.options
  local all = run.host:load()
  local list = selection.select(all, { group = o.group, name = o.name })
  if list ~= all then
    local is_selected = {}
    for _, instance in ipairs(list) do
      is_selected[instance] = true
    end
    for _, instance in ipairs(all) do
      if instance.damage and not is_selected[instance] then
        run.report("warning", instance.damage, true)
      end
    end
  end
  return o.reverse and reversed(list) or list
end

---postmulti -l
local function list(run)
  local instances = selected(run)
  errors.check(require("postmulti.listing").print(run.host.core, instances, run.options.json))
  return for_each(run, instances, function() return true end)
end

---Run a child; a program that cannot be started is reported, and the next instance goes on.
local function child(run, func, command)
  local ok, result = pcall(func, command)
  if not ok then
    if not errors.is(result) or result.kind == "interrupted" then
      error(result, 0)
    end
    run.report("fatal", result.message)
    if result.kind ~= "hook" then
      return false
    end
    run.hook_failed = true
    result = result.result
  end
  return result.status == 0
end

local function require_match(instances)
  if #instances == 0 then
    errors.raise("not found", "no instance matches; postmulti -l lists them all")
  end
end

---postmulti -x
local function execute(run)
  local instances = selected(run)
  require_match(instances)
  return for_each(run, instances, function(instance)
    return child(run, function(command) return instance:run(command) end, run.operands)
  end)
end

---postmulti -p
local function postfix(run)
  local o = run.options
  selected(run) -- names those that cannot be used
  return (run.host:postfix(run.operands, { group = o.group, name = o.name }, function(_, problem)
    run.report("fatal", problem.message)
    run.hook_failed = run.hook_failed or problem.kind == "hook"
  end))
end

---The settings given as operands of create and import.
local function settings(run, action)
  local names = require "postmulti.names"
  local allowed = require("postmulti.command." .. action).operands
  local args = {}
  for _, operand in ipairs(run.operands) do
    local name, value = names.setting(operand)
    if not allowed[name] then
      errors.raise("usage", "%s cannot be given with -e %s", name, action)
    end
    args[name] = names.directory(name, value)
  end
  return args
end

---postmulti -e create, -e import
local function enter(run, action)
  local o = run.options
  local names = require "postmulti.names"
  -- Names come before the operands when both are wrong.
  if o.new_name then
    names.instance_name(o.new_name)
  end
  if o.new_group then
    names.group_name(o.new_group)
  end
  local args = settings(run, action)
  args.name, args.group = o.new_name, o.new_group
  args.place = { all = o.all, group = o.group, name = o.name }
  run.host[action](run.host, args)
end

local LEVELS = { info = true, warning = true, error = true }

---postmulti -e NAME of the site
local function command_of_site(run)
  local o = run.options
  local instances = {}
  report_damage(run, "warning")
  for _, instance in ipairs(selected(run)) do
    instances[#instances + 1] = not instance.damage and instance or nil
  end
  if o.group or o.name then
    require_match(instances)
  end
  local ok, result = xpcall(o.command.run, function(problem)
    return type(problem) ~= "string" and problem or debug.traceback(problem, 2)
  end, {
    host = run.host, instances = instances, options = o.command_options, operands = run.operands, name = o.action,
    report = function(level, message)
      if not LEVELS[level] then
        error(("report: '%s' is no level; say info, warning or error"):format(tostring(level)), 2)
      end
      run.report(level, tostring(message))
    end,
  })
  if not ok then
    if errors.is(result) then
      error(result, 0)
    end
    errors.throw("refused", ("-e %s failed: %s"):format(o.action, require("postmulti.site").line(result)))
  end
  if math.type(result) == "integer" then
    run.status = result & 0xff
  end
  return result ~= false
end

---postmulti --list-hooks
local function list_hooks(run)
  local rows = {}
  local hooks, others = run.host:list_hooks()
  for index, hook in ipairs(hooks) do
    rows[index] = ("%-20s %-8s %s: %s\n"):format(hook.name, hook.origin, hook.path,
      hook.is_off and "(switched off)" or table.concat(hook.functions, " "))
  end
  errors.check(run.host.core.print(table.concat(rows)))
  for _, path in ipairs(others) do
    run.report("warning", path .. ": no hook, for its name; use letters, digits, '_' and '-' before .lua", true)
  end
  return true
end

---postmulti --history
local function show_history(run)
  local history = require "postmulti.history"
  local format = run.options.json and history.json or history.line
  local rows = {}
  for index, change in ipairs(run.host:history()) do
    rows[index] = format(change)
  end
  errors.check(run.host.core.print(table.concat(rows)))
  return true
end

---postmulti --undo
local function undo(run)
  require "postmulti.log" -- now, so that nothing can fail any more when it is done
  local change = run.host:undo()
  run.report("info", ("change %d %s undone: %s"):format(change.number, run.host.dry_run and "would be" or "is",
    require("postmulti.history").summary(change)), true)
  return true
end

---An action on instances, under the lock: so they are read once.
local function act(run)
  local o, host = run.options, run.host
  host:load()
  if o.action == "create" or o.action == "import" then
    report_damage(run, "warning")
    return enter(run, o.action)
  end
  if o.all or o.group or not o.name then
    errors.raise("usage", "-e %s works on one instance; select it with -i name", o.action)
  end
  local instance = host:instance(o.name)
  report_damage(run, "warning", instance.config_directory)
  instance[o.action](instance, { name = o.new_name, group = o.new_group })
end

---postmulti -e
local function edit(run)
  local o, host = run.options, run.host
  local command = require("postmulti.command." .. o.action)
  if o.action == "init" then
    host:init { wrapper = command.wrapper(run.path, o.config_directory, host.parameters.command_directory) }
  else
    host:transaction(function() act(run) end, host:is_single(o.action))
  end
  return true
end

---The environment must not say that another configuration is meant. In a child of a transaction or hook it says which
---instance the child was run for, as it does for every program that is run so.
local function check_mail_config(run)
  local value = os.getenv "MAIL_CONFIG"
  if value and not run.options.config_directory and value ~= run.host.config_directory
    and not require("postmulti.nesting").is_within(run.host) then
    errors.raise("usage", "MAIL_CONFIG=%s: that is not the primary instance (%s); unset it, or use -c %s", value,
      run.host.config_directory, value ~= "" and value or "DIR")
  end
end

---Go on with what postmulti.listing began.
local function take_over(run, begun)
  run.host = begun.host
  for _, remark in ipairs(begun.remarks) do
    run.report(table.unpack(remark, 1, remark.n))
  end
  if begun.problem then
    error(begun.problem, 0)
  end
  run.host.report = run.report
end

---Is config.lua needed? Where nothing of it is, one that cannot be loaded does no harm.
---@param o postmulti.Options
---@return boolean
local function wants_config(o)
  return o.action == "create" or o.action == "import" or not (o.modes.l or o.modes.x or o.no_hooks)
end

---The whole command. @return boolean ok
local function run_command(run, mistake, begun)
  local o = run.options
  if begun then
    take_over(run, begun)
  else
    run.host = postmulti.open {
      config_directory = o.config_directory,
      lock_timeout = o.lock_timeout,
      verbose = o.verbose,
      report = run.report,
      dry_run = o.dry_run,
      hooks = not o.no_hooks,
      config = not wants_config(o) and {} or nil,
    }
  end
  collectgarbage "restart"
  collectgarbage("incremental", 120) -- memory is dearer than the time to collect it
  check_mail_config(run)
  if mistake then
    if mistake.getopt then
      io.stderr:write(run.program, ": ", require("postmulti.log").line(mistake.getopt), "\n")
    end
    errors.raise("usage", "%s", mistake.message)
  end
  if o.list_hooks then
    return list_hooks(run)
  end
  local refusal = options.check(o, run.operands)
  if refusal then
    errors.raise("usage", "%s", refusal)
  end
  if o.history then
    return show_history(run)
  elseif o.undo then
    return undo(run)
  end
  run.host:check_shared_directories()
  if o.modes.l then
    return list(run)
  elseif o.modes.x then
    return execute(run)
  elseif o.modes.p then
    return postfix(run)
  elseif o.command then
    return command_of_site(run)
  end
  return edit(run)
end

---The absolute path of the command as it was called.
local function absolute(core, path)
  if path:sub(1, 1) == "/" then
    return path
  end
  return require("postmulti.names").normalize(core.working_directory() .. "/" .. path)
end

---The line to report for what is not a bug, but a system without memory or descriptors, or half an installation: a
---traceback that begins with a module that could not be loaded, and Lua's own complaint, which comes without one.
---@param traced any
---@return string|nil
local function shortage(traced)
  local text = tostring(traced)
  if text:find("not enough memory", 1, true) or text:find("Cannot allocate memory", 1, true) then
    return "not enough memory"
  end
  local first, rest = text:gsub("^[^:\n]+:%d+: ", ""):match "^([^\n]*)\n?([^\n]*)"
  if first:find "^error loading module" then
    return first .. " " .. rest:match "^%s*(.-)$"
  end
  local module = first:match "^module '(.-)' not found:"
  if not module then
    return nil
  end
  -- Lua takes a file for missing that it cannot open.
  for path in text:gmatch "\n\tno file '(/[^'\n]*)'" do
    if require("postmulti.core").stat(path) then
      return ("the Lua module %s cannot be read from %s, perhaps for want of memory"):format(module, path)
    end
  end
  return "the Lua module " .. module .. " cannot be found or read; install postmulti-lua again"
end

---The commands of the site, for a host that is not open yet. Most runs ask for none.
local function site_commands(run, core)
  local place = {
    core = core, site_directory = core.build.sysconf_directory, share_directory = core.build.share_directory,
    spawn = function(_, ...) return run.host:spawn(...) end,
    begin_background = function() return run.host:begin_background() end,
  }
  return {
    find = function(name)
      local site = require "postmulti.site"
      local files, names = site.commands(place, options.actions)
      if not files[name] then
        return nil, names
      end
      return site.command(place, files[name])
    end,
    list = function()
      local site = require "postmulti.site"
      local files, names = site.commands(place, options.actions)
      for index, name in ipairs(names) do
        names[index] = { name = name, summary = site.command(place, files[name]).summary }
      end
      return names
    end,
  }
end

---Print what --help or --version asks for. @return boolean ok
local function print_help(run, core, commands)
  local o = run.options
  if o.version and not o.help then
    return errors.check(core.print(("postmulti (postmulti-lua) %s\n"):format(core.version)))
  elseif o.command then
    return errors.check(core.print(options.command_help(o.action, o.command)))
  end
  local listed, found = pcall(commands.list)
  errors.check(core.print(options.full_help(listed and found or {})))
  if not listed then
    error(found, 0)
  end
  return true
end

---@param argv string[]  [0] is the command itself
---@param begun postmulti.Begun?  by postmulti.listing
---@return integer status
function M.main(argv, begun)
  local core = require "postmulti.core"
  core.umask(tonumber("22", 8))
  if argv[1] == "--complete" then
    return require("postmulti.completion").main(table.move(argv, 2, #argv, 1, {}), core)
  end
  local program = argv[0]:match "[^/]+$" or argv[0]
  if program:find "[^\32-\126]" then
    program = require("postmulti.log").line(program)
  end
  local run = { path = absolute(core, argv[0]), program = program }
  local reporter
  run.report = function(...) -- most runs have nothing to say
    reporter = reporter or require("postmulti.log").reporter(run.program, function() return run.host end)
    return reporter(...)
  end
  local ok, result = xpcall(function()
    local commands = site_commands(run, core)
    local o, operands, mistake = options.parse(argv, commands.find)
    run.options, run.operands = o, operands
    if not mistake and (o.help or o.version) then
      return print_help(run, core, commands)
    end
    return run_command(run, mistake, begun)
  end, function(problem)
    local traced = errors.is(problem) or tostring(problem):find("\nstack traceback:", 1, true)
    return traced and problem or debug.traceback(tostring(problem), 2)
  end)
  if ok then
    return run.status or not result and M.status.failure or run.hook_failed and M.status.hook or M.status.ok
  end
  if errors.is(result) then
    local warns = WARNING[result.kind]
    if result.signal == SIGPIPE then
      return M.status.failure -- whoever reads the output has seen enough; the process ends by that signal
    end
    run.report(warns and "warning" or "fatal", result.message)
    return M.status[result.kind] or M.status.failure
  end
  local missing = shortage(result)
  if missing then
    run.report("fatal", missing)
  else
    io.stderr:write(run.program, ": fatal: this is a bug in postmulti-lua, please report it: ", result, "\n")
  end
  return M.status.failure
end

return M
