local core = require "postmulti.core"
local system = require "system"

---Names and values of a list of settings as one string: "a=1 b=2".
local function flat(settings)
  local list = {}
  for i, setting in ipairs(settings) do list[i] = ("%s=%s@%d"):format(setting.name, setting.value, setting.line) end
  return table.concat(list, "|")
end

local function parsed(text) return flat(assert(core.parse_main(text))) end

local function remarks_of(text, path)
  local _, remarks = assert(core.parse_main(text, path))
  return remarks
end

describe("parse_main", function()
  it("reads names, values and line numbers", function()
    assert.equal("a=1@1|b=x, y@3|empty=@4", parsed "a = 1\n\nb=x, y\nempty =\n")
    assert.equal("", parsed "")
    assert.equal("a=1@1", parsed "a = 1")
  end)

  it("takes the first '=' only, and any other byte in a name", function()
    assert.equal("a.b-c=x = y@1", parsed "a.b-c = x = y\n")
    assert.equal("é$=\\\"'@1", parsed "é$=\\\"'\n")
    assert.equal("a==@1", parsed "a==\n")
  end)

  it("joins continuation lines and keeps their blanks", function()
    assert.equal("a=x,  y\tz@1|b=1@4", parsed "a = x,\n  y\n\tz\nb = 1\n")
    assert.equal("a=1@1", parsed "a\n = 1\n")
  end)

  it("passes over comments and blank lines within a value", function()
    assert.equal("b=x,  y  z@2", parsed "#top\nb = x,\n  y\n# note\n\n  \t\n   # indented\n\f#\n  z\n")
    assert.equal("a=b # not a comment@1", parsed "a = b # not a comment\n")
  end)

  it("takes CR, form feed and vertical tab for blanks", function()
    assert.equal("a=1\r 2@1", parsed "a = 1\r\n\r\n 2\r\n")
    assert.equal("a=1@1|b=2@2", parsed "a\v=\f1\f\nb =2\v\n")
  end)

  it("drops a logical line that starts with a blank and says so", function()
    assert.equal("c=3@4", parsed "# top\n  a = 1\n  b = 2\nc = 3\n")
    local remarks = remarks_of("# top\n  a = 1\n  b = 2\nc = 3\n", "/x/main.cf")
    assert.equal(1, #remarks)
    assert.equal("continuation", remarks[1].kind)
    assert.equal(2, remarks[1].line)
    assert.matches("^/x/main%.cf, line 2: .*\"  a = 1  b = 2\"", remarks[1].text)
    assert.matches("^line 2: ", remarks_of(" a = 1\n\n b\n")[1].text:gsub("line 1", "line 2"))
  end)

  it("cuts a logical line at a NUL and says so", function()
    assert.equal("a=1@1|b=2@3", parsed "a = 1\0junk\n more\nb = 2\n")
    local remarks = remarks_of "x = 1\na = 1 \0junk\n"
    assert.equal(1, #remarks)
    assert.equal("nul", remarks[1].kind)
    assert.equal(2, remarks[1].line)
    assert.matches('^line 2: .*"a"', remarks[1].text)
  end)

  it("keeps duplicates and remarks on those that differ", function()
    assert.equal("a=1@1|a=1@2|a=2@3", parsed "a = 1\na =  1\na = 2\n")
    local remarks = remarks_of("a = 1\na =  1\na = 2\na = 3\n", "main.cf")
    assert.equal(2, #remarks)
    assert.equal("duplicate", remarks[1].kind)
    assert.equal(3, remarks[1].line)
    assert.matches('^main%.cf, line 3: .*"1"$', remarks[1].text)
    assert.matches('"2"$', remarks[2].text)
  end)

  for text, line in pairs {
    ["garbage\n"] = 1, ["a = 1\n\nmy host = x\n"] = 3, ["= x\n"] = 1, ["a = 1\n=\n"] = 2,
    ["relayhost\n  x = a\n"] = 1, ["a\0 = 1\n"] = 1, ["\0\n"] = 1, ["#c\n\0x = 1"] = 2,
  } do
    it(("refuses %q"):format(text), function()
      local settings, reason, errno, at = core.parse_main(text, "/x/main.cf")
      assert.is_nil(settings)
      assert.equal(0, errno)
      assert.equal(line, at)
      assert.matches("^/x/main%.cf, line " .. line .. ": no .*NAME = VALUE", reason)
    end)
  end

  it("shows of a bad line what fits, on one line", function()
    local _, reason = core.parse_main("a" .. ("é"):rep(200) .. "\27[2J\n", "p")
    assert.truthy(utf8.len(reason))
    assert.is_true(#reason < 250)
    _, reason = core.parse_main "bad\27[2J\tx\n"
    assert.matches('"bad%?%[2J x"', reason)
  end)

  it("has no limit of length", function()
    local long = ("x"):rep(2000000)
    assert.equal(long .. " y", core.parse_main("a = " .. long .. "\n y\n")[1].value)
    assert.equal(5000, #assert(core.parse_main(("n = 1\n"):rep(5000))))
  end)

  it("raises on wrong use", function()
    assert.has_error(function() core.parse_main() end)
    assert.has_error(function() core.parse_main {} end)
    assert.has_error(function() core.parse_main("", {}) end)
  end)
end)

local function edited(text, ...) return assert(core.edit_main(text, { ... })) end
local function set(name, value) return { "set", name, value } end

describe("edit_main", function()
  it("replaces a setting and its continuation lines, comments stay", function()
    assert.equal("a = 1\nb = 3\n# note\n\nc = 2\n", edited("a = 1\nb = x,\n  y\n# note\n\n  z\nc = 2\n", set("b", "3")))
  end)

  it("replaces all entries of a name and remarks on them", function()
    local text, remarks = core.edit_main("b = 1\na = 1\nb = 2\nb = 4\n", { set("b", "3") }, "main.cf")
    assert.equal("b = 3\na = 1\nb = 3\nb = 3\n", text)
    assert.equal(1, #remarks)
    assert.equal("multiple", remarks[1].kind)
    assert.equal(3, remarks[1].line)
    assert.matches('^main%.cf, line 3: .*"b"', remarks[1].text)
  end)

  it("takes a line without '=' for an entry of its first word", function()
    assert.equal("b = 3\nc = 1\n", edited("b\nc = 1\n", set("b", "3")))
    assert.equal("= x\nb = 3\n", edited("= x\nb what = ever\n", set("b", "3")))
  end)

  it("does not touch lines that start with a blank and continue nothing", function()
    assert.equal("  b = 1\nc = 2\nb = 3\n", edited("  b = 1\nc = 2\n", set("b", "3")))
    assert.equal("\fb = 2\nb = 3\n", edited("\fb = 2\n", set("b", "3")))
  end)

  it("appends sorted by name, an empty value with a blank behind '='", function()
    assert.equal("a = 1\nb = 2\nbb = \nc = 3\n", edited("a = 1\n", set("c", "3"), set("bb", ""), set("b", "2")))
    assert.equal("b = \n", edited("", set("b", "")))
  end)

  it("does not use commented-out lines again", function()
    assert.equal("#b = 1\nb = 3\n", edited("#b = 1\n", set("b", "3")))
  end)

  it("supplies a missing newline before it appends, and only then", function()
    assert.equal("b = 2\nc = 9\n", edited("b = 2", set("c", "9")))
    assert.equal("# end\nc = 9\n", edited("# end", set("c", "9")))
    assert.equal("b = 9\n", edited("b = 2", set("b", "9")))
    assert.equal("b = 2", edited("a = 1\nb = 2", { "remove", "a" }))
    assert.equal("#b = 2", edited("b = 2", { "comment", "b" }))
  end)

  it("removes and comments out", function()
    local text = "a = 1\nb = x,\n  y\n#cc\n\n  z\nc = 3\n"
    assert.equal("a = 1\n#cc\n\nc = 3\n", edited(text, { "remove", "b" }))
    assert.equal("a = 1\n#b = x,\n#  y\n#cc\n\n#  z\nc = 3\n", edited(text, { "comment", "b" }))
    assert.equal(text, edited(text, { "remove", "absent" }, { "comment", "absent" }))
  end)

  it("lets the last edit of a name win", function()
    assert.equal("b = 3\n", edited("", set("b", "1"), { "remove", "b" }, set("b", "3")))
    assert.equal("", edited("b = 0\n", set("b", "1"), { "remove", "b" }))
  end)

  it("trims blanks at both ends of a value and keeps the rest", function()
    assert.equal("a = x \t\r y  z #\n", edited("", set("a", "\f x \t\r y  z # \v\r ")))
  end)

  it("keeps line ends of lines it does not touch", function()
    assert.equal("a=1\r\nb = 3\nc=3\r\n", edited("a=1\r\nb=2\r\nc=3\r\n", set("b", "3")))
  end)

  it("keeps bytes after a NUL", function()
    assert.equal("b = 2\0junk\nc = 4\n", edited("b = 2\0junk\nc = 3\n", set("c", "4")))
    assert.equal("b = 2\0junk\nc = 3\nd = 1\n", edited("b = 2\0junk\nc = 3\n", set("d", "1")))
    assert.equal("b = 5\nc = 3\n", edited("b\0 = 2\0junk\nc = 3\n", set("b", "5")))
  end)

  it("works on a file that no reader accepts", function()
    assert.equal("garbage\n= x\na = 2\n", edited("garbage\n= x\na = 1\n", set("a", "2")))
  end)

  it("applies many edits", function()
    local edits, want = {}, {}
    for i = 3000, 1, -1 do edits[#edits + 1] = set(("n%04d"):format(i), tostring(i)) end
    for i = 1, 3000 do want[i] = ("n%04d = %d\n"):format(i, i) end
    assert.equal(table.concat(want), (core.edit_main("", edits)))
  end)

  it("changes nothing without edits", function()
    for _, text in ipairs { "", "\n", "a", "x\n y\0", "#\n\r" } do assert.equal(text, edited(text)) end
  end)

  for what, edit in pairs {
    ["an empty name"] = set("", "x"), ["a comment"] = set("#a", "x"), ["'=' in a name"] = set("a=b", "x"),
    ["a blank in a name"] = set("a b", "x"), ["a blank before a name"] = { "remove", " a" },
    ["a newline in a name"] = { "comment", "a\nb" }, ["a NUL in a name"] = set("a\0", "x"),
    ["a newline in a value"] = set("a", "x\ny"), ["a newline at the end"] = set("a", "x\n"),
    ["a NUL in a value"] = set("a", "x\0"), ["a CR in a name"] = set("a\r", "x"),
  } do
    it("refuses " .. what, function()
      local text, reason, errno = core.edit_main("a = 1\n", { set("ok", "1"), edit }, "main.cf")
      assert.is_nil(text)
      assert.equal(0, errno)
      assert.matches("must not", reason)
    end)
  end

  it("raises on wrong use", function()
    for _, edits in ipairs { { "set" }, { {} }, { { "set" } }, { { "set", "a" } }, { { "set", "a", true } },
      { { "bogus", "a" } } } do
      assert.has_error(function() core.edit_main("", edits) end)
    end
    assert.has_error(function() core.edit_main("", nil) end)
    assert.has_error(function() core.edit_main(nil, {}) end)
  end)
end)

describe("squeeze", function()
  for value, want in pairs {
    [""] = "", [" \t\r\n"] = "", ["a"] = "a",
    ["  a\t\tb \r\n c  "] = "a b c", ["a\f b\v"] = "a\f b\v", ['" x  "'] = '" x "',
  } do
    it(("makes %q of %q"):format(want, value), function() assert.equal(want, core.squeeze(value)) end)
  end
end)

describe("read_parameters", function()
  local directory, path

  local function write(text, age)
    local file = assert(io.open(path, "wb"))
    file:write(text)
    file:close()
    os.execute(("touch -d '%s seconds' %s"):format(age or "-10", path))
  end

  before_each(function()
    local pipe = io.popen "mktemp -d"
    directory = pipe:read "l"
    pipe:close()
    path = directory .. "/main.cf"
  end)

  after_each(function() os.execute("rm -rf " .. directory) end)

  it("gives the names wanted, the last setting of each", function()
    write "a = 1\nb = x,\n  y\na = 2\nempty =\nz = 9\n"
    local values, remarks = core.read_parameters(path, { "a", "b", "empty", "absent" })
    assert.same({ a = "2", b = "x,  y", empty = "" }, values)
    assert.equal("duplicate", remarks[1].kind)
    assert.matches("^" .. path:gsub("%p", "%%%0") .. ", line 4: ", remarks[1].text)
    assert.same({}, (core.read_parameters(path, {})))
  end)

  it("gives all names without a list", function()
    write "a = 1\nb = 2\nb = 2\n  lead\n"
    local values, remarks = core.read_parameters(path)
    assert.same({ a = "1", b = "2  lead" }, values)
    assert.equal(1, #remarks)
  end)

  it("gives what well-formed lines say of a malformed file", function()
    write "a = 1\ngarbage\nb = 2\n= 3\n"
    local values, reason, errno, kind, partial = core.read_parameters(path, { "a", "b" })
    assert.is_nil(values)
    assert.matches("main%.cf, line 2: ", reason)
    assert.equal(0, errno)
    assert.equal("malformed", kind)
    assert.same({ a = "1", b = "2" }, partial)
  end)

  it("reads an empty file, an old one and one just written", function()
    write ""
    assert.same({}, (core.read_parameters(path)))
    write("a = 1\n", "+0")
    assert.same({ a = "1" }, (core.read_parameters(path)))
    write("", "+0")
    assert.same({}, (core.read_parameters(path)))
  end)

  it("does not wait for a time in the future", function()
    write("a = 1\n", "+90000")
    local start = system.monotime()
    for _ = 1, 100 do assert.same({ a = "1" }, (core.read_parameters(path))) end
    assert.is_true(system.monotime() - start < 10)
  end)

  local function refused(target)
    local values, reason, errno, kind = core.read_parameters(target)
    assert.is_nil(values)
    assert.equal(target, reason:sub(1, #target))
    return kind, errno
  end

  it("tells why it cannot read", function()
    assert.equal("missing", (refused(path)))
    assert.equal("missing", (refused(path .. "/below")))
    assert.equal(2, select(2, refused(path)))
    os.execute("mkfifo " .. path)
    assert.equal("not a file", (refused(path)))
    assert.equal("not a file", (refused(directory)))
    assert.equal("not a file", (refused "/dev/null"))
    os.execute(("rm %s; ln -s main.cf %s"):format(path, path))
    assert.equal("unreadable", (refused(path)))
    os.execute(("rm %s; truncate -s 65M %s"):format(path, path))
    assert.equal("too large", (refused(path)))
  end)

  it("never gives half of a file that is rewritten in place, slowly", function()
    local readers = {
      function() return core.read_parameters(path, { "a", "b" }) end,
      function()
        local a, b = core.read_file(path):match "^a = (.)\nb = (.)\n$"
        return { a = a, b = b }
      end,
    }
    for _, case in ipairs { { "", ">" }, { "", "1<>" }, { "rm " .. path .. "; ", ">" } } do
      for _, reader in ipairs(readers) do
        write "a = 1\nb = 1\n"
        os.execute "sleep 0.1"
        local writer = io.popen(("%s{ printf 'a = 2\\n'; echo half >&3; sleep 0.3; printf 'b = 2\\n'; } 3>&1 %s%s")
          :format(case[1], case[2], path))
        assert.equal("half", writer:read "l")
        assert.same({ a = "2", b = "2" }, (reader()))
        writer:close()
      end
    end
  end)

  it("never gives half of a file that is renamed into place again and again", function()
    write "a = 1\nb = 1\n"
    local writer = io.popen(([[
      for i in $(seq 60); do printf 'a = %%s\nb = %%s\n' $i $i >%s/new; mv %s/new %s; done]]):format(directory,
      directory, path))
    local seen, last = 0, nil
    repeat
      local values = assert(core.read_parameters(path, { "a", "b" }))
      assert.equal(values.a, values.b)
      if values.a ~= last then seen, last = seen + 1, values.a end
    until values.a == "60"
    writer:close()
    assert.is_true(seen > 2)
  end)

  it("keeps nothing from one file to the next", function()
    write(("# comment\n"):rep(300000) .. "a = 1\n")
    assert.same({ a = "1" }, (core.read_parameters(path)))
    write "b = 2\n"
    assert.same({ b = "2" }, (core.read_parameters(path)))
  end)

  it("may be called by a finalizer during a call", function()
    write "a = 1\n c\nb = 2\n d\n"
    collectgarbage "generational"
    for _ = 1, 200 do
      setmetatable({}, { __gc = function() core.parse_main "x = 1\n 2\n" core.squeeze "a b" end })
      assert.same({ a = "1 c", b = "2 d" }, (core.read_parameters(path)))
    end
    collectgarbage "incremental"
  end)

  describe("and its short cut, read_plain,", function()
    local function plain(...)
      return table.pack(core.read_plain(directory, "/main.cf", ...))
    end

    it("gives the values in the order of the names", function()
      write "# x\na = 1\nother = $x\n y\nother = z\nempty =\n\n# y\nb=/q/b"
      assert.same({ true, "/q/b", "1", nil, "", n = 5 }, plain("b", "a", "absent", "empty"))
      assert.same({ true, n = 1 }, plain())
      write("a = 1\n", "+0")
      assert.same({ true, "1", n = 2 }, plain "a")
      write ""
      assert.same({ true, nil, n = 2 }, plain "a")
    end)

    it("leaves to read_parameters whatever there is something to say about", function()
      for _, text in ipairs {
        "a = $x\n", "a = x$\n", "a = x y\n", "a = x\ty\n", "a = x,\n y\n", "a =\n x\n", "a = 1\na = 2\n",
        "a = 1\na = 1\n", "a = 1\ngarbage\n", "a = 1\n= 2\n", " b = 2\na = 1\n", "a = 1\0b\n",
        "b = 1\0b\na = 1\n",
      } do
        write(text)
        assert.same({ false, n = 1 }, plain "a", text)
      end
      os.execute("rm " .. path)
      assert.same({ false, n = 1 }, plain "a")
      os.execute("mkfifo " .. path)
      assert.same({ false, n = 1 }, plain "a")
    end)

    it("says the same as read_parameters, whatever is in the file", function()
      local seen = 0
      local pieces = {
        "a = 1\n", "b=2\n", "# c\n", "\n", " x\n", "a = $b\n", "b = x y\n", "c =\n", "a=\n", "\t\n", "b = 3",
      }
      for round = 1, 300 do
        local text = {}
        for index = 1, round % 6 do
          text[index] = pieces[math.random(#pieces)]
        end
        write(table.concat(text))
        local is_plain, a, b = core.read_plain(directory, "/main.cf", "a", "b")
        if is_plain then
          seen = seen + 1
          local values, remarks = core.read_parameters(path, { "a", "b" })
          assert.same({ a = a, b = b }, values, table.concat(text))
          assert.same({}, remarks)
        end
      end
      assert.is_true(seen > 50)
    end)

    it("raises on wrong use", function()
      assert.has_error(function() core.read_plain() end)
      assert.has_error(function() core.read_plain(directory) end)
      assert.has_error(function() core.read_plain(directory, "/main.cf", {}) end)
      assert.has_error(function() core.read_plain(directory, "", "1", "2", "3", "4", "5", "6", "7", "8", "9") end)
    end)
  end)

  it("raises on wrong use", function()
    assert.has_error(function() core.read_parameters() end)
    assert.has_error(function() core.read_parameters(path, "a") end)
    assert.has_error(function() core.read_parameters(path, { 1 }) end)
  end)
end)

-- Each is read, and edited, in a process of its own, which tells the most memory that it had.
describe("a huge main.cf", function()
  local SCRIPT = [[
    local core = require "postmulti.core"
    local function most()
      for line in io.lines "/proc/self/status" do
        local kilobytes = line:match "^VmHWM:%s*(%d+)"
        if kilobytes then
          return tonumber(kilobytes)
        end
      end
    end
    local text = load("return " .. arg[1])()
    collectgarbage()
    local before = most()
    local list, remarks = assert(core.parse_main(text))
    local count, length = #list, #list[#list].value
    list = nil
    collectgarbage()
    local edited = assert(core.edit_main(text, { { "set", "zz", "1" }, { "remove", "none" } }))
    assert(edited == text .. "zz = 1\n")
    print(count, length, #remarks, most() - before)
  ]]

  local cases = {
    { "100,000 names", "(function() local t = {} for i = 1, 100000 do t[i] = ('n%d = $n%d\\n'):format(i, i) end "
      .. "return table.concat(t) end)()", "100000 8 0", 40 },
    { "a value of 60 MB", "'a = ' .. ('x'):rep(60 << 20) .. '\\n'", "1 62914560 0", 200 },
    { "10,000 continuation lines", "'a = x\\n' .. (' x\\n'):rep(10000)", "1 20001 0", 1 },
    { "20,000,000 continuation lines", "'a = x\\n' .. (' x\\n'):rep(20000000)", "1 40000001 0", 200 },
    { "10,000 lines that are dropped", "(' x\\n'):rep(10000) .. '#\\na = x\\n'", "1 1 1", 1 },
    { "a name set 100,000 times", "('a = x\\na = y\\n'):rep(50000)", "100000 1 99999", 80 },
  }
  for _, case in ipairs(cases) do
    it(("of %s takes no more memory than it must"):format(case[1]), function()
      local file = os.tmpname()
      local handle = assert(io.open(file, "w"))
      handle:write(SCRIPT)
      handle:close()
      local result = core.run({ "lua5.4", file, case[2] }, { stdout = "capture" })
      os.remove(file)
      assert.are.equal(0, result.status)
      local got, kilobytes = result.stdout:match "^(%d+\t%d+\t%d+)\t(%d+)\n$"
      assert.are.equal(case[3], (got:gsub("\t", " ")))
      -- AddressSanitizer keeps for a while what was given back.
      if not os.getenv "ASAN_OPTIONS" then
        assert.is_true(tonumber(kilobytes) <= case[4] * 1024, kilobytes)
      end
    end)
  end
end)
