-- postmulti.listing on a fake core: the plain list, and where the whole command takes over

local fake_core = require "tests.support.fake_core"
local errors = require "postmulti.errors"
local report = require "postmulti.report"

local function secondary(name)
  return ("multi_instance_name = postfix-%s\nqueue_directory = /q/%s\ndata_directory = /d/%s\n"):format(name, name,
    name)
end

local OWN = { "postmulti.core", "postmulti.cli", "postmulti.listing", "postmulti.log" }

describe("postmulti -l", function()
  local fake, printed, reported, loaded

  before_each(function()
    loaded = {}
    for _, name in ipairs(OWN) do
      loaded[name], package.loaded[name] = package.loaded[name], nil
    end
    fake = fake_core.new {
      ["/etc/postfix/main.cf"] = "multi_instance_enable = yes\nmulti_instance_directories = /etc/a /etc/b\n",
      ["/etc/a/main.cf"] = secondary "a", ["/etc/b/main.cf"] = secondary "b",
      ["/usr/sbin/postfix"] = "", ["/usr/lib/postfix/sbin/master"] = "",
    }
    printed, reported = {}, {}
    function fake.core.umask() return 18 end
    function fake.core.working_directory() return "/" end
    function fake.core.print(text)
      table.insert(printed, text)
      return true
    end
    package.loaded["postmulti.core"] = fake.core
    package.loaded["postmulti.log"] = {
      reporter = function()
        return function(level, message) table.insert(reported, level .. ": " .. message) end
      end,
    }
  end)

  after_each(function()
    for _, name in ipairs(OWN) do
      package.loaded[name] = loaded[name]
    end
  end)

  local function run(...)
    return require("postmulti.listing").main { [0] = "postmulti", ... }
  end

  local function rows(...)
    local text = {}
    for index, name in ipairs { ... } do
      text[index] = report.line(name == "primary" and { enabled = true, config_directory = "/etc/postfix" }
        or { name = "postfix-" .. name, config_directory = "/etc/" .. name })
    end
    return table.concat(text)
  end

  it("prints the list, and needs not the whole command", function()
    assert.equal(0, (run "-l"))
    assert.equal(rows("primary", "a", "b"), table.concat(printed))
    assert.same({}, reported)
    assert.is_nil(package.loaded["postmulti.cli"])
  end)

  it("leaves every other command line to it", function()
    assert.equal(0, (run("-l", "-R")))
    assert.equal(rows("b", "a", "primary"), table.concat(printed))
    assert.equal(1, (run "-x"))
    assert.equal("fatal: -p and -x need a command", reported[1])
  end)

  it("says what there is to be said, once, and lists the same", function()
    fake.files["/etc/postfix/main.cf"] = fake.files["/etc/postfix/main.cf"] .. "foo = 1\nfoo = 2\n"
    fake.files["/etc/a/main.cf"] = fake.files["/etc/a/main.cf"] .. "queue_directory = /q/a2\n"
    assert.equal(0, (run "-l"))
    assert.equal(rows("primary", "a", "b"), table.concat(printed))
    assert.equal(2, #reported)
    assert.matches("^warning: /etc/postfix/main%.cf, line 4: ", reported[1])
    assert.matches("^warning: /etc/a/main%.cf, line 4: ", reported[2])
  end)

  it("names a damaged instance and lists the others; no file is read again for it", function()
    fake.files["/etc/a/main.cf"] = "garbage\n"
    local read, reads = fake.core.read_parameters, {}
    function fake.core.read_parameters(path, wanted)
      reads[path] = (reads[path] or 0) + 1
      return read(path, wanted)
    end
    assert.equal(1, (run "-l"))
    assert.equal(rows("primary", "b"), table.concat(printed))
    assert.equal(1, #reported)
    assert.matches("^fatal: /etc/a/main%.cf, line 1: ", reported[1])
    assert.equal(1, reads["/etc/b/main.cf"])
  end)

  it("tells why the primary cannot be used", function()
    fake.files["/etc/postfix/main.cf"] = "queue_directory =\n"
    assert.equal(1, (run "-l"))
    assert.same({}, printed)
    assert.same({ "fatal: /etc/postfix/main.cf, line 1: queue_directory = : must not be empty" }, reported)
  end)

  it("ends at a signal, and does not begin again", function()
    local opened = 0
    function fake.core.read_plain()
      opened = opened + 1
      errors.throw("interrupted", "interrupted by signal 15")
    end
    assert.equal(1, (run "-l"))
    assert.equal(1, opened)
    assert.same({}, printed)
    assert.same({ "fatal: interrupted by signal 15" }, reported)
  end)

  it("tells once that the output cannot be written", function()
    function fake.core.print(text)
      table.insert(printed, text)
      return nil, "standard output: No space left on device", 28
    end
    assert.equal(1, (run "-l"))
    assert.equal(1, #printed)
    assert.same({ "fatal: standard output: No space left on device" }, reported)
  end)

  it("shows a bug with its traceback", function()
    local stderr, text = io.stderr, {}
    io.stderr = { write = function(_, ...) table.insert(text, table.concat { ... }) end } -- luacheck: ignore
    function fake.core.read_plain() error "oops" end
    local status = run "-l"
    io.stderr = stderr -- luacheck: ignore
    assert.equal(1, status)
    assert.matches("this is a bug in postmulti%-lua, .*oops\nstack traceback:.*inventory%.lua:%d+: in", text[1])
  end)

  it("is written in parts of a thousand rows, whole", function()
    local many = {}
    for index = 1, 2500 do
      many[index] = { name = "postfix-" .. index, config_directory = "/etc/" .. index, damage = index % 10 == 0 or nil }
    end
    assert.is_true(require("postmulti.listing").print(fake.core, many))
    local want = {}
    for _, one in ipairs(many) do
      want[#want + 1] = not one.damage and report.line(one) or nil
    end
    assert.equal(table.concat(want), table.concat(printed))
    assert.equal(3, #printed)
  end)
end)
