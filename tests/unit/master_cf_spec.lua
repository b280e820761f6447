local core = require "postmulti.core"

local function apply(text, ...)
  return core.edit_master(text, { ... }, "D/master.cf")
end

local function parse_one(command)
  local services = assert(core.parse_master("foo unix - - n - - " .. command .. "\n"))
  assert.equal(1, #services)
  return services[1]
end

describe("parse_master", function()
  it("gives the eight fields, the words and the overrides", function()
    local services, remarks = core.parse_master [[
# a comment
smtp	inet  n  -  y  60?  100  smtpd
  -v -o { myhostname = a  b }
# inside

	-o empty= one {two three}
]]
    assert.same({}, remarks)
    assert.same({ {
      name = "smtp", type = "inet", private = "n", unprivileged = "-", chroot = "y", wakeup = "60?",
      process_limit = "100", command = "smtpd -v -o {myhostname=a  b} -o empty= one {two three}",
      arguments = { "smtpd", "-v", "-o", "myhostname=a  b", "-o", "empty=", "one", "two three" },
      overrides = { { "myhostname", "a  b" }, { "empty", "" } }, line = 2,
    } }, services)
  end)

  it("keeps braces that a word needs and drops those it does not", function()
    for given, want in pairs {
      ["x {a}"] = "x a", ["x {a b}"] = "x {a b}", ["x {}"] = "x {}", ["x {{a}}"] = "x {{a}}",
      ["x a={b c}"] = "x a={b c}", ["x y a={b c}"] = "x y {a={b c}}", ["x }a y"] = "x }a y",
      ["x -o {a=b}"] = "x -o a=b", ["x {-v w} y"] = "x {-v w} y", ["{x y} z"] = "{x y} z",
    } do
      local service = parse_one(given)
      assert.equal(want, service.command)
      assert.same(service.arguments, parse_one(service.command).arguments)
    end
  end)

  it("reads options as getopt does", function()
    assert.same({ "x", "-v", "-o", "a=b" }, parse_one("x -voa=b").arguments)
    assert.same({ "x", "-v", "-o", "foo=bar" }, parse_one("x -vofoo=bar").arguments)
    assert.same({ { "a", "b c" } }, parse_one("x {-o a = b c}").overrides)
    for _, stop in ipairs { "--", "-", "{}", "y" } do
      assert.same({}, parse_one("x " .. stop .. " -o a=b").overrides)
    end
    assert.same({ { "a", "1" }, { "a", "2" } }, parse_one("x -o a=1 -o n -o =v -o {b c=d} -o a=2 -o").overrides)
  end)

  it("remarks on what is not read", function()
    local services, remarks = core.parse_master(
      " lost unix - - - - - x\na unix - - - - - x\0y\nb unix - - - - - x {y\nc unix - - - - - x {y}z\n", "D/master.cf")
    assert.equal(3, #services)
    assert.same({ "x", "y" }, services[3].arguments)
    local got = {}
    for i, remark in ipairs(remarks) do
      got[i] = remark.kind .. " " .. remark.line
      assert.matches("^D/master.cf, line " .. remark.line .. ": %S", remark.text)
    end
    assert.same({ "continuation 1", "nul 2", "braces 3", "braces 4" }, got)
  end)

  it("refuses a malformed entry, with file, line and field", function()
    for entry, want in pairs {
      ["x"] = "type", ["x unix - - -"] = "wakeup", ["x unix - - - - -"] = "command", ["x bogus - - - - - y"] = "type",
      ["x inet Y - - - - y"] = "private", ["x inet - 1 - - - y"] = "unprivileged", ["x inet - - ? - - y"] = "chroot",
      ["x inet - - - 5?? - y"] = "wakeup", ["x inet - - - - 5? y"] = "process_limit",
    } do
      local services, reason, errno, line = core.parse_master("\n# c\n" .. entry .. "\n", "D/master.cf")
      assert.is_nil(services)
      assert.equal(0, errno)
      assert.equal(3, line)
      assert.matches("^D/master.cf, line 3: .*" .. want, reason)
    end
  end)

  it("takes an empty text, and insists on a string", function()
    assert.same({}, (core.parse_master ""))
    assert.same({}, (core.parse_master "# only a comment"))
    assert.has_error(function() core.parse_master(nil) end)
    assert.has_error(function() core.parse_master({}) end)
  end)
end)

describe("edit_master", function()
  local text = "# top\nfoo unix - - n - - smtpd\n  -o a=b\n# inside\n  -o c=d\n# behind\n\n" ..
    "bar inet n - n - - x\r\n\ty\r\n# end"

  it("gives back a text that no edit touches byte for byte", function()
    for _, given in ipairs { "", "\n", text, text .. "\0", "\fx\n y", "split\n\n  unix\n", "x\0y unix\nz" } do
      assert.equal(given, (apply(given)))
      local got, remarks = apply(given, { "remove-service", "absent/unix" })
      assert.equal(given, got)
      assert.equal("unmatched", remarks[1].kind)
      assert.matches("absent/unix", remarks[1].text, 1, true)
    end
  end)

  it("changes a field, comments inside before it, those behind it behind", function()
    assert.equal("# top\n# inside\n" ..
      "foo        unix  -       -       y       -       -       smtpd\n    -o a=b\n    -o c=d\n" ..
      "# behind\n\nbar inet n - n - - x\r\n\ty\r\n# end", (apply(text, { "field", "foo/unix/chroot", "y" })))
  end)

  it("uses the old names within a series of field edits, the new ones after it", function()
    local got, remarks = apply("foo unix - - n - - x\n", { "field", "foo/unix/service", "bar" },
      { "field", "foo/unix/chroot", "y" }, { "override", "bar/unix/a", "b" })
    assert.same({}, remarks)
    assert.equal("bar        unix  -       -       y       -       -       x\n    -o a=b\n", got)
  end)

  it("sets, adds and removes overrides", function()
    local got = apply("foo unix - - n - - smtpd -o a=1 -v -o a=2 x\n", { "override", "foo/unix/a", "3" },
      { "override", "*/*/b", " p  q " }, { "override", "foo/unix/e", "" }, { "remove-override", "foo/*/e" })
    assert.equal("foo        unix  -       -       n       -       -       smtpd\n    -o a=3\n    -v\n    -o a=3\n" ..
      "    -o {b=p  q}\n    x\n", got)
    assert.equal("foo        unix  -       -       n       -       -       smtpd -v\n    -o {b=p  q}\n    x\n",
      (apply(got, { "remove-override", "foo/unix/a" })))
  end)

  it("replaces a service in its place and drops its other entries", function()
    local got = apply("a unix - - - - - 1\n# c\n 2\n# d\nb unix - - - - - 1\na unix - - - - - 3\n",
      { "service", "a/unix", "a unix - - n - - new  {x}" })
    assert.equal("a          unix  -       -       n       -       -       new x\n# c\n# d\nb unix - - - - - 1\n", got)
  end)

  it("appends a service, on a line of its own", function()
    local new = "z          unix  -       -       n       -       -       x\n"
    for _, given in ipairs { "a unix - - - - - 1", "a unix - - - - - 1\n", "a unix - - - - - 1\n# no newline", "" } do
      assert.equal((given:gsub("[^\n]$", "%0\n")) .. new, (apply(given, { "service", "z/unix", "z unix - - n - - x" })))
    end
    assert.equal("", (apply("", { "service", "z/unix", "z unix - - n - - x" }, { "remove-service", "z/unix" })))
  end)

  it("removes and comments out, comments and blank lines stay", function()
    assert.equal("# top\n# inside\n# behind\n\nbar inet n - n - - x\r\n\ty\r\n# end",
      (apply(text, { "remove-service", "foo/unix" })))
    assert.equal("# top\n#foo unix - - n - - smtpd\n#  -o a=b\n# inside\n#  -o c=d\n# behind\n\n" ..
      "#bar inet n - n - - x\r\n#\ty\r\n# end", (apply(text, { "comment-service", "*/*" })))
    assert.equal("#foo        unix  -       -       y       -       -       x\n#    -o a=b\n",
      (apply("foo unix - - n - - x -o a=b", { "field", "foo/unix/chroot", "y" }, { "comment-service", "foo/unix" })))
  end)

  it("reaches services with a slash in their names, and malformed entries for removal", function()
    assert.equal("", (apply("private/x unix - - - - - y\n", { "remove-service", "private/x/unix" })))
    assert.equal("b unix - - - - - y\n", (apply("a bogus\nb unix - - - - - y\n", { "remove-service", "a/bogus" })))
  end)

  it("does not let a word become a comment", function()
    assert.equal("foo        unix  -       -       y       -       -       x\n    -o a=b #c d\n",
      (apply("foo unix - - n - - x -o a=b #c d\n", { "field", "foo/unix/chroot", "y" })))
  end)

  it("folds below 80 columns", function()
    local word = ("w"):rep(16)
    local got = apply(("foo unix - - n - - %s z\n"):format((word .. " "):rep(8)), { "field", "foo/unix/chroot", "n" })
    for line in got:gmatch "[^\n]+" do assert.is_true(#line < 80) end
    assert.equal(3, select(2, got:gsub("\n", "")))
  end)

  it("refuses what would do damage, names file, line and selector, and returns no text", function()
    local entry = "# c\nfoo unix - - n - - smtpd x\n"
    for _, case in ipairs {
      { entry, "field", "foo/unix/chroot", "maybe", "line 2: foo/unix/chroot: chroot field \"maybe\"" },
      { entry, "field", "foo/unix/chroot", "", "line 2: foo/unix/chroot: chroot field" },
      { entry, "field", "foo/unix/type", "bogus", "inet, unix, fifo, pass or unix-dgram" },
      { entry, "field", "foo/unix/private", "Y", "y, n or -" },
      { entry, "field", "foo/unix/wakeup", "1??", "wakeup" },
      { entry, "field", "foo/unix/process_limit", "5?", "process_limit" },
      { entry, "field", "foo/unix/command", " ", "command" },
      { entry, "field", "foo/unix/command", "x {a", "not closed" },
      { entry, "field", "foo/unix/command", "x {a}b", "follows" },
      { entry, "field", "foo/unix/command", "a\nb", "newline" },
      { entry, "field", "foo/unix/command", "a\0b", "NUL" },
      { entry, "field", "foo/unix/service", "#a", "service" },
      { entry, "field", "foo/unix/service", "a b", "service" },
      { entry, "field", "foo/unix/name", "a", "no field" },
      { entry, "field", "chroot", "y", "service/type/field" },
      { entry, "override", "foo/unix/a", "{b", "not closed" },
      { entry, "override", "foo/unix/*", "b", "parameter" },
      { entry, "override", "foo/unix/a b", "b", "parameter" },
      { entry, "remove-override", "/unix/a", nil, "service/type/parameter" },
      { entry, "remove-service", "foo", nil, "service/type" },
      { entry, "remove-service", "foo/", nil, "service/type" },
      { entry, "service", "*/unix", "foo unix - - n - - x", "one service" },
      { entry, "service", "foo/bogus", "foo unix - - n - - x", "type" },
      { entry, "service", "foo/unix", "foo unix - - n - -", "command is missing" },
      { entry, "service", "foo/unix", "#foo unix - - n - - x", "service" },
      { entry, "service", "foo/unix", "foo unix - - n - - x {a", "not closed" },
      { entry, "service", "foo/unix", "foo unix - - n - - x {a}b", "follows" },
      { "foo unix - - n - - x {a\n", "field", "foo/unix/chroot", "y", "line 1" },
      { "foo unix - - n - - x {a}b\n", "field", "foo/unix/chroot", "y", "line 1" },
      { "foo unix - - n - - x\0y\n", "field", "foo/unix/chroot", "y", "NUL" },
      { "foo unix - - n - - x -o\n", "override", "foo/unix/a", "b", "no value" },
      { "foo unix - - n\n", "field", "foo/unix/chroot", "y", "line 1" },
      { "foo unix - - n - - x y{a\n", "override", "foo/unix/a", "b", nil },
    } do
      local got, reason, errno = apply(case[1], { case[2], case[3], case[4] })
      if case[5] then
        assert.is_nil(got, case[3] .. " = " .. tostring(case[4]))
        assert.equal(0, errno)
        assert.matches("^D/master.cf", reason)
        assert.truthy(reason:find(case[5], 1, true), reason)
        assert.falsy(reason:find("\n", 1, true))
      else
        assert.is_string(got, reason)
      end
    end
  end)

  it("repairs broken braces by a new command", function()
    assert.equal("foo        unix  -       -       n       -       -       x {a b}\n",
      (apply("foo unix - - n - - x {a\n", { "field", "foo/unix/command", "x {a b}" })))
  end)

  it("raises on wrong use", function()
    for _, edits in ipairs {
      false, { "field" }, { { "chown", "a/unix" } }, { { "field", "a/unix/chroot" } }, { { "field", 1, "x" } },
      { { "remove-service" } }, { {} },
    } do
      assert.has_error(function() core.edit_master("", edits) end)
    end
    assert.has_error(function() core.edit_master(nil, {}) end)
  end)

  it("reads back what it wrote, whatever the words", function()
    math.randomseed(7)
    local pieces = { "a", "{", "}", " ", "-", "o", "=", "#", "\t", "\f", "v", "-o ", "{a b}", "{}", "\r" }
    local written = 0
    for _ = 1, 3000 do
      local words = {}
      for i = 1, math.random(12) do words[i] = pieces[math.random(#pieces)] end
      local given = "# c\nfoo unix - - n - - x " .. table.concat(words) .. "\n# d\nbar unix - - n - - y\n"
      local before = assert(core.parse_master(given))
      local got = apply(given, { "field", "foo/unix/wakeup", "5" })
      if got then
        local after = assert(core.parse_master(got))
        written = written + 1
        assert.equal(2, #after)
        assert.same(before[1].arguments, after[1].arguments)
        assert.same(before[1].overrides, after[1].overrides)
        assert.equal("5", after[1].wakeup)
        assert.equal(got, (apply(got, { "field", "foo/unix/wakeup", "5" })))
      end
    end
    assert.is_true(written > 1500)
  end)
end)
