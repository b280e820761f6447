-- core.expand: the forms of postconf(5), their errors, and the bounds

local core = require "postmulti.core"

local SETTINGS = {
  foo = "FOO", empty = "", hollow = "$empty", n9 = "9", n10 = "10", blank = "a  b", p1 = "$p2",
  p2 = "${p3?{$p3}}", p3 = "x",
}

local function expand(text, lookup)
  return core.expand(text, lookup or SETTINGS)
end

-- A chain of `count` parameters; the last is "X".
local function chain(count, form)
  local settings = {}
  for i = 1, count - 1 do
    settings["p" .. i] = form:format("p" .. i + 1)
  end
  settings["p" .. count] = "X"
  return settings
end

describe("core.expand", function()
  local forms = {
    { "", "" }, { "plain", "plain" }, { "a\0b$foo", "a\0bFOO" }, { "$foo.bar", "FOO.bar" }, { "${foo}bar", "FOObar" },
    { "$( foo )", "FOO" }, { "$foo?x", "FOO?x" }, { "$undef", "" }, { "$$foo", "$foo" }, { "$$$foo", "$FOO" },
    { "$$$$", "$$" }, { "$p1", "x" }, { "[$blank]", "[a  b]" }, { "${ }", "" }, { "${:x}", "x" }, { "${?x}", "" },
    { "${foo?yes:no}", "yes:no" }, { "${foo??x}", "?x" }, { "${empty:no}", "no" }, { "${foo:no}", "" },
    { "$(foo?a(b)c)", "a(b)c" }, { "${foo? text }", " text " }, { "${foo?{ yes }:{ no }}", " yes " },
    { "${empty? {yes} : {no} }", "no" }, { "${empty?{yes}: no }", " no " }, { "${foo?{yes}:}", "yes" },
    { "${hollow?yes}", "yes" }, { "${hollow:no}", "" }, { "${foo?${empty:deep}}", "deep" },
    { "${foo:{${}}}", "" }, { "${foo?a$$}b}", "a$b}" }, { "$(foo?a{b)c)", "a{bc)" },
    { "${{a} == {a}}", "true" }, { "[${{a} == {b}}]", "[]" }, { "${{a} == { a}?{eq}:{ne}}", "ne" },
    { "${{$hollow} == {}?{y}:{n}}", "y" }, { "${{9} < {10}?lt}", "lt" }, { "${{a9} < {a10}?{lt}:{ge}}", "ge" },
    { "${{ 9} < {10}?{lt}:{ge}}", "lt" }, { "${{010} == {10}?eq}", "eq" }, { "${{$n9}<{$n10}?lt}", "lt" },
    { "${{-1} < {-2}?lt}", "lt" }, { "${{} < {0}?lt}", "lt" }, { "${{a} != {b}:{x}}", "" }, { "${{b}>={a}}", "true" },
    { "${{9223372036854775807} > {9223372036854775806}?gt}", "gt" },
    { "${{9223372036854775808} > {a}?{gt}:{le}}", "le" },
    { "${{3.9} <level {3.10}?lt}", "lt" }, { "${{3} ==level {3.0.0}?eq}", "eq" }, { "${{3.1023}>=level{4}?ge}", "" },
    { "${{ +2} ==level {2}?eq}", "eq" }, { "${{\xff} > {z}?gt}", "gt" }, { "$(\t{a}\r==\r{a}?yes)", "yes" },
  }
  for _, case in ipairs(forms) do
    it(("expands %q"):format(case[1]), function()
      assert.are.equal(case[2], (expand(case[1])))
    end)
  end

  local errors = {
    "$", "a$", "$ foo", "$-x", "${}", "$()", "$\xc3\xa9", "${foo", "$(foo", "${foo)", "${foo?{yes}", "${foo-bar}",
    "${foo bar}", "${foo?{a}b}", "${foo?{a}?{b}}", "${foo?{a}:{b}c}", "${empty:{a}b}", "$(foo?{a)", "${{a} =~ {b}?{c}}",
    "${{a}}", "${{a} == b}", "${{a} == }", "${{a}==x{b}}", "${{a} == {a}x}", "${{x} <level {3}}",
    "${{3} <level {3.1024}}", "${{3.} <level {3}}", "${{-1} <level {3}}", "${{1.2.3.4} <level {3}}",
    "${{8796093022208} >level {1}}",
    "${{9223372036854775808} > {1}}", "${{$} == {a}}", "${foo{x}}", "${domain_to_ascii{x}}", "${domain_to_utf8{$foo}}",
  }
  for _, text in ipairs(errors) do
    it(("refuses %q"):format(text), function()
      local value, reason, errno = expand(text)
      assert.is_nil(value)
      assert.is_string(reason)
      assert.is_nil(reason:find "[%c\n]")
      assert.are.equal(0, errno)
    end)
  end

  it("names the expression and the parameter in errors", function()
    local _, reason = expand("x$a", { a = "b${c-d}e" })
    local want = [[in the value of "a": "${c-d}": only letters, digits and _ may stand in a name, at "c-d"]]
    assert.are.equal(want, reason)
    _, reason = expand "${foo"
    assert.are.equal([["${foo": the closing bracket is missing]], reason)
    _, reason = expand "${domain_to_ascii{x}}"
    assert.truthy(reason:find("functions are not supported", 1, true))
  end)

  it("lets 100 levels pass and no more", function()
    for _, form in ipairs { "$%s", "${undef:$%s}" } do
      local per_link = form == "$%s" and 1 or 2
      assert.are.equal("X", (expand("$p1", chain(100 // per_link, form))))
      local value, reason = expand("$p1", chain(100 // per_link + 1, form))
      assert.is_nil(value)
      assert.truthy(reason:find("nested too deeply", 1, true))
    end
    assert.are.equal("x", (expand(("${foo?"):rep(100) .. "x" .. ("}"):rep(100))))
    assert.is_nil((expand(("${foo?"):rep(101) .. "x" .. ("}"):rep(101))))
  end)

  it("counts the levels of operands on their own", function()
    assert.are.equal("true", (expand(("${{"):rep(150) .. "x" .. ("} != {y}}"):rep(150))))
  end)

  it("ends loops with the name of a parameter in them", function()
    for _, settings in ipairs {
      { a = "$a" }, { a = "$b", b = "x$a" }, { a = "${{$a} == {}}" },
      { a = "${{x} == {$b}}", b = "${{$a} == {$a}?$a}" },
    } do
      local value, reason = expand("$a", settings)
      assert.is_nil(value)
      assert.truthy(reason:find('the value of "[ab]" refers to itself'), reason)
    end
  end)

  it("defuses expansion bombs", function()
    local settings = { p60 = ("x"):rep(100) }
    for i = 1, 59 do
      settings["p" .. i] = ("$p%d$p%d"):format(i + 1, i + 1)
    end
    local value, reason = expand("$p1", settings)
    assert.is_nil(value)
    assert.truthy(reason:find("16 MB", 1, true))
    settings.p60 = ""
    value, reason = expand("$p1", settings)
    assert.is_nil(value)
    assert.truthy(reason:find("too much work", 1, true))
  end)

  it("bounds the text looked at", function()
    local settings = { a = "${foo:" .. ("x"):rep(1024 * 1024) .. "}", foo = "FOO" }
    local value, reason = expand(("$a"):rep(1000), settings)
    assert.is_nil(value)
    assert.truthy(reason:find("too much work", 1, true))
  end)

  it("takes a large value", function()
    local large = ("y"):rep(8 * 1024 * 1024)
    assert.are.equal(large .. "z", (expand("${a}z", { a = large })))
  end)

  it("asks a function once for each name", function()
    local asked = {}
    local value = expand("$a$b${a?$a}$c", function(name)
      asked[#asked + 1] = name
      return name ~= "c" and name .. name or nil
    end)
    assert.are.equal("aabbaa", value)
    assert.are.same({ "a", "b", "c" }, asked)
  end)

  it("honours __index of a table", function()
    local settings = setmetatable({}, { __index = function(_, name) return "<" .. name .. ">" end })
    assert.are.equal("<a><b>", (expand("$a$b", settings)))
  end)

  it("keeps what a function returns alive", function()
    local value = expand("$a", function(name)
      collectgarbage()
      return name == "z" and "end" or ("%s$%s"):format(name:rep(50), string.char(name:byte() + 1))
    end)
    assert.are.equal(25 * 50 + 3, #value)
  end)

  it("passes errors of the lookup through", function()
    local failure = {}
    local ok, err = pcall(core.expand, "x$a", function() error(failure) end)
    assert.is_false(ok)
    assert.are.equal(failure, err)
  end)

  it("raises for wrong arguments", function()
    assert.has_error(function() core.expand(nil, {}) end)
    assert.has_error(function() core.expand("x") end)
    assert.has_error(function() core.expand("x", "y") end)
    assert.has_error(function() core.expand("$x", { x = 1 }) end)
    assert.has_error(function() core.expand("$x", function() return {} end) end)
  end)

  it("gives its memory back", function()
    local text = ("$a"):rep(1000)
    local settings = { a = ("x"):rep(1000) }
    for _ = 1, 200 do
      expand(text, settings)
      pcall(core.expand, text .. "$b", function(name) return name == "a" and settings.a or error "no" end)
    end
    collectgarbage()
    collectgarbage()
    assert.is_true(collectgarbage "count" < 100 * 1024)
  end)
end)
