-- The reference pages say what the code has, and nothing else.

local hooks = require "postmulti.hooks"

local function read(path)
  local file = assert(io.open(path))
  local text = file:read "a"
  file:close()
  return text
end

---Add the public methods of a class, with their comments: those that are not marked as the library's own.
local function methods(found, path, class)
  local comment = {}
  for line in io.lines(path) do
    local name, parameters = line:match("^function " .. class .. "[:.]([%w_]+)(%b())")
    if name and not table.concat(comment, "\n"):find "%-%-%-@p[ar][ic][vk]a" and not name:find "^__" then
      found[name] = { comment = table.concat(comment, "\n"), parameters = parameters }
    end
    if line:find "^%-%-%-" then
      comment[#comment + 1] = line
    else
      comment = {}
    end
  end
  return found
end

local API, PAGE = read "docs/api.md", read "docs/man/postmulti-api.7"
local HOOKS = read "docs/man/postmulti-hooks.7"

for class, file in pairs { Host = "host", Instance = "instance" } do
  local found = methods(methods({}, "lua/postmulti/inventory.lua", class), "lua/postmulti/" .. file .. ".lua", class)

  describe("the methods of " .. file, function()
    it("are all in api.md and postmulti-api(7)", function()
      assert.is_truthy(next(found))
      for name in pairs(found) do
        assert.is_truthy(API:find("`" .. file .. ":" .. name .. "[(%s]"), name)
        assert.is_truthy(PAGE:find(file .. ":" .. name .. "[(%s\\]"), name)
      end
    end)

    it("are all that is there", function()
      for _, text in ipairs { API, PAGE } do
        for name in text:gmatch("%f[%w_]" .. file .. ":([%w_]+)") do
          assert.is_truthy(found[name], name)
        end
      end
    end)

    it("have a comment that names each parameter", function()
      for name, method in pairs(found) do
        assert.is_true(method.comment ~= "", name)
        for parameter in method.parameters:gmatch "[%w_.]+" do
          assert.is_truthy(method.comment:find("@param " .. parameter:gsub("%p", "%%%0") .. "[? ]"),
            name .. ": " .. parameter)
        end
      end
    end)
  end)
end

describe("the reference", function()
  it("has the functions of the module", function()
    for name in pairs(require "postmulti") do
      assert.is_truthy(API:find("`postmulti." .. name, 1, true), name)
    end
  end)

  it("has every kind of error", function()
    local count = 0
    for kind in read("lua/postmulti/errors.lua"):gmatch '%-%-%-| "([%w ]+)"' do
      count = count + 1
      assert.is_truthy(API:find("\n| `" .. kind .. "` |", 1, true), kind)
    end
    assert.is_true(count >= 12)
  end)

  it("has the options of open and the fields of a filter", function()
    local text = read "lua/postmulti/host.lua"
    for _, class in ipairs { "OpenOptions", "Filter", "Command", "CreateArgs" } do
      local fields = text:match("@class postmulti." .. class .. "[^\n]*\n(.-)\n\n") or ""
      for name in fields:gmatch "@field ([%w_]+)" do
        if name ~= "core" then
          assert.is_truthy(API:find(name, 1, true), name)
        end
      end
    end
  end)

  it("has the phases, the actions, the fields of an event, of a command, of config.lua", function()
    for _, list in ipairs { hooks.actions, hooks.fields } do
      for _, word in ipairs(list) do
        assert.is_truthy(HOOKS:find("%f[%w_]" .. word .. "%f[^%w_]"), word)
      end
    end
    local text = read "lua/postmulti/site.lua"
    for _, class in ipairs { "Config", "SiteCommand", "CommandContext" } do
      for name in text:match("@class postmulti." .. class .. "[^\n]*\n(.-)\n\n"):gmatch "@field ([%w_]+)" do
        assert.is_truthy(HOOKS:find("%f[%w_]" .. name .. "%f[^%w_]"), name)
      end
    end
  end)
end)
