local options = require "postmulti.options"

local function parse(...)
  return options.parse { ... }
end

local function mistake(...)
  local _, _, problem = parse(...)
  return problem
end

local function refusal(...)
  local o, operands, problem = parse(...)
  return problem and problem.message or options.check(o, operands)
end

describe("parse", function()
  it("takes letters in clusters and arguments attached or apart", function()
    local o, operands = parse("-aRl")
    assert.is_true(o.all and o.reverse and o.modes.l)
    assert.are.same({}, operands)
    assert.are.equal("mm", parse("-lg", "mm").group)
    o = parse("-ecreate", "-Ipostfix-q", "-Gmm")
    assert.are.same({ "create", "postfix-q", "mm" }, { o.action, o.new_name, o.new_group })
  end)

  it("stops at the first operand, at - and behind --", function()
    local _, operands = parse("-e", "create", "a=b", "-I", "x")
    assert.are.same({ "a=b", "-I", "x" }, operands)
    _, operands = parse("-l", "-", "-R")
    assert.are.same({ "-", "-R" }, operands)
    _, operands = parse("-p", "--", "-v", "status")
    assert.are.same({ "-v", "status" }, operands)
  end)

  it("lets -R toggle and -a repeat", function()
    local o = parse("-lRR", "-a", "-a")
    assert.is_false(o.reverse)
    assert.are.equal(1, o.selectors)
  end)

  it("names a bad option as getopt does", function()
    assert.are.equal("invalid option -- 'Z'", mistake("-Z").getopt)
    assert.are.equal("option requires an argument -- 'g'", mistake("-l", "-g").getopt)
    assert.are.equal("unrecognized option '--list'", mistake("--list").getopt)
    assert.are.equal("unrecognized option '--help=x'", mistake("--help=x").getopt)
  end)

  it("refuses at once a bad action and a second -G or -I, even after an empty one", function()
    assert.matches("no such action", mistake("-e", "Create").message)
    assert.matches("%-G only once", mistake("-G", "-", "-G", "a").message)
    assert.matches("%-I only once", mistake("-I", "", "-I", "a").message)
  end)

  it("names what is near, of the site's, too", function()
    assert.equal("-e creat: no such action; did you mean create; specify one of create, destroy, import, deport, "
      .. "enable, disable, assign, init", mistake("-e", "creat").message)
    local _, _, problem = options.parse({ "-e", "sya" }, function() return nil, { "say" } end)
    assert.matches("did you mean say; specify one of .*, init, say$", problem.message)
    local say = { options = { how = { argument = "WORD" } } }
    _, _, problem = options.parse({ "-e", "say", "--hwo" }, function() return say end)
    assert.matches("^%-e say: there is no option %-%-hwo; did you mean %-%-how; ", problem.message)
    _, _, problem = options.parse({ "-e", "say", "--how" }, function() return say end)
    assert.equal("-e say: --how needs a value, WORD", problem.message)
  end)

  it("knows long options", function()
    assert.is_true(parse("--help").help)
    assert.is_true(parse("--version").version)
    assert.are.equal("/etc/p", parse("--config-directory=/etc/p/").config_directory)
    assert.are.equal("/etc/p", parse("-c", "/etc/p").config_directory)
    assert.are.equal("/", parse("-c", "/").config_directory)
    assert.are.equal("/", parse("-c", "//").config_directory)
    assert.are.equal(1.5, parse("--lock-timeout", "1.5").lock_timeout)
    assert.matches("number of seconds", mistake("--lock-timeout=x").message)
    assert.matches("absolute", mistake("-c", "etc").message)
  end)
end)

describe("check", function()
  local cases = {
    { "no more than one", "-a", "-g", "x", "-l" },
    { "no more than one", "-i", "a", "-i", "a", "-l" },
    { "exactly one" },
    { "exactly one", "-l", "-x" },
    { "exactly one", "-e", "create", "-e", "init" },
    { "exactly one", "-" },
    { "takes no command", "-l", "x" },
    { "need a command", "-p", "--" },
    { "%-R cannot", "-R", "-p", "status" },
    { "assigned with", "-l", "-I", "x" },
    { "enable assigns no name", "-e", "enable", "-I", "x" },
    { "needs a new name", "-e", "assign", "-i", "x" },
    { "takes no parameter settings", "-e", "enable", "a=b" },
    { "%-j is for", "-x", "-j", "true" },
  }
  for _, case in ipairs(cases) do
    it(table.concat(case, " ", 2), function()
      assert.matches(case[1], refusal(table.unpack(case, 2)))
    end)
  end

  it("reports the first that applies", function()
    assert.matches("no more than one", refusal("-a", "-g", "x", "-l", "-p"))
    assert.matches("takes no command", refusal("-lj", "-I", "a", "x"))
  end)

  it("lets through what makes sense", function()
    assert.is_nil(refusal("-RRp", "status"))
    assert.is_nil(refusal("-e", "create", "-e", "create", "-I", "x"))
    assert.is_nil(refusal("-l", "--"))
  end)
end)
