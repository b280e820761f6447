local selection = require "postmulti.selection"

local function instance(fields)
  fields.is_readable = fields.is_readable ~= false
  return fields
end

local primary = instance { config_directory = "/etc/postfix", is_primary = true }
local main = instance { config_directory = "/etc/postfix", is_primary = true, name = "postfix-main" }
local out = instance { config_directory = "/etc/postfix-out", name = "postfix-out", group = "mta" }
local odd = instance { config_directory = "/etc/o", name = "odd" }
local nameless = instance { config_directory = "/etc/postfix-n", group = "mta" }
local broken = instance { config_directory = "/etc/postfix-b", damage = "no main.cf", is_readable = false }

describe("-i", function()
  local cases = {
    { primary, "-", true }, { primary, "/etc/postfix", true }, { primary, "postfix", false },
    { main, "-", true }, { main, "main", true }, { main, "postfix-main", true }, { main, "/etc/postfix", true },
    { out, "out", true }, { out, "postfix-out", true }, { out, "/etc/postfix-out", true },
    { out, "/etc/postfix-out/", false }, { out, "OUT", false }, { out, "", false }, { out, "-", false },
    { odd, "odd", true }, { odd, "postfix-odd", false },
    { nameless, "postfix-n", false }, { nameless, "/etc/postfix-n", true },
    { instance { config_directory = "/x", name = "postfix-" }, "", true },
    { instance { config_directory = "/x", name = "-" }, "-", true },
  }
  for _, case in ipairs(cases) do
    it(("%s %s %s"):format(case[2], case[3] and "means" or "does not mean", case[1].name or case[1].config_directory),
      function()
        assert.are.equal(case[3], selection.is_named(case[1], case[2]))
      end)
  end

  it("finds a damaged instance by its directory's name when nothing else matches", function()
    assert.are.equal(broken, (selection.find({ primary, out, broken }, "b")))
    assert.are.equal(broken, (selection.find({ primary, out, broken }, "postfix-b")))
    local b = instance { config_directory = "/c", name = "postfix-b" }
    assert.are.equal(b, (selection.find({ primary, broken, b }, "b")))
    assert.is_nil(selection.find({ primary, nameless }, "n"))
  end)
end)

describe("select", function()
  local all = { primary, out, odd, nameless, broken }

  it("gives everything without a selector", function()
    assert.are.same(all, selection.select(all, {}))
  end)

  it("gives a group exactly, and what may belong to it", function()
    assert.are.same({ out, nameless, broken }, selection.select(all, { group = "mta" }))
    assert.are.same({ broken }, selection.select(all, { group = "" }))
  end)

  it("gives all that a name means", function()
    assert.are.same({ out }, selection.select(all, { name = "out" }))
    assert.are.same({}, selection.select(all, { name = "nobody" }))
  end)
end)

describe("the place of a new instance", function()
  local all = { primary, odd, out, nameless }

  it("is the end, the front, before a group, before an instance", function()
    assert.are.equal(5, selection.insertion_point(all, {}))
    assert.are.equal(2, selection.insertion_point(all, { all = true }))
    assert.are.equal(2, selection.insertion_point({ primary }, { all = true }))
    assert.are.equal(3, selection.insertion_point(all, { group = "mta" }))
    assert.are.equal(3, selection.insertion_point(all, { name = "out" }))
  end)

  it("is never before the primary", function()
    for _, selector in ipairs { { name = "-" }, { name = "/etc/postfix" }, { group = "none" } } do
      local ok, problem = pcall(selection.insertion_point, all, selector)
      assert.is_false(ok)
      assert.are.equal("not found", problem.kind)
    end
  end)
end)
