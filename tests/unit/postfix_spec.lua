local postfix = require "postmulti.postfix"

local values = {
  postmulti_start_commands = "start",
  postmulti_stop_commands = "stop, abort drain\tquick-stop {x}",
  postmulti_control_commands = "reload flush stop",
}

local a = { config_directory = "/a", enabled = true }
local b = { config_directory = "/b", enabled = false }
local c = { config_directory = "/c", enabled = true }
local unknown = { config_directory = "/d", damage = "no main.cf" }

local function plan(class, ...)
  local result = {}
  for _, step in ipairs(postfix.plan({ a, b, c, unknown }, class, { ... })) do
    result[#result + 1] = step.instance.config_directory .. " " .. table.concat(step.operands, " ")
  end
  return result
end

describe("the class of a postfix command", function()
  for command, want in pairs {
    start = "start", stop = "stop", drain = "stop", ["{x}"] = "stop", reload = "control", status = "other",
    START = "other", ["-v"] = "other",
  } do
    it(command .. " is " .. want, function()
      assert.are.equal(want, postfix.class(values, command))
    end)
  end
end)

describe("the plan", function()
  it("starts in order; a disabled instance is checked instead, operands kept", function()
    assert.are.same({ "/a start x", "/b check x", "/c start x", "/d start x" }, plan("start", "start", "x"))
  end)
  it("stops in reverse order, disabled instances skipped", function()
    assert.are.same({ "/d stop", "/c stop", "/a stop" }, plan("stop", "stop"))
  end)
  it("controls in order, disabled instances skipped", function()
    assert.are.same({ "/a reload", "/c reload", "/d reload" }, plan("control", "reload"))
  end)
  it("does everything else for all", function()
    assert.are.same({ "/a status", "/b status", "/c status", "/d status" }, plan("other", "status"))
  end)
end)
