local names = require "postmulti.names"

local function refusal(func, ...)
  local ok, problem = pcall(func, ...)
  assert.is_false(ok)
  assert.are.equal("usage", problem.kind)
  return problem.message
end

describe("an instance name", function()
  it("starts with postfix- and may hold letters, digits and some punctuation", function()
    for _, name in ipairs { "postfix-", "postfix-out", "postfix-A1!@%-_=+:." } do
      assert.are.equal(name, names.instance_name(name))
    end
  end)

  it("is cleared by - and by nothing", function()
    assert.is_nil(names.instance_name "-")
    assert.is_nil(names.instance_name "")
  end)

  it("is refused with the reason that applies first: characters, slash, prefix", function()
    assert.matches("use only letters", refusal(names.instance_name, "o/ut x"))
    assert.matches("'/' is not allowed", refusal(names.instance_name, "out/x"))
    assert.matches("must start with 'postfix%-'", refusal(names.instance_name, "out"))
    for _, name in ipairs { "postfix-a b", "postfix-é", "postfix-a,b", "postfix-$x", "postfix-~", "postfix-a\n" } do
      assert.matches("use only letters", refusal(names.instance_name, name))
    end
  end)
end)

describe("a group name", function()
  it("may hold a slash and needs no prefix", function()
    assert.are.equal("mta/eu", names.group_name "mta/eu")
    assert.is_nil(names.group_name "-")
    assert.matches("use only", refusal(names.group_name, "a b"))
  end)
end)

describe("a directory", function()
  it("loses its trailing slashes and nothing else", function()
    assert.are.equal("/etc/postfix-x", names.directory("config_directory", "/etc/postfix-x///"))
    assert.are.equal("/etc//-x/'q\"", names.directory("config_directory", "/etc//-x/'q\"/"))
  end)

  it("is refused when it is relative, the root, or cannot be written in main.cf", function()
    assert.matches("absolute", refusal(names.directory, "config_directory", "etc/x"))
    assert.matches("absolute", refusal(names.directory, "config_directory", ""))
    assert.matches("root directory", refusal(names.directory, "config_directory", "///"))
    assert.matches("a comma", refusal(names.directory, "config_directory", "/etc/x,y"))
    assert.are.equal("/var/x,y", names.directory("queue_directory", "/var/x,y"))
    assert.matches("a blank", refusal(names.directory, "queue_directory", "/etc/x y"))
    assert.matches("a blank", refusal(names.directory, "config_directory", "/etc/x y"))
    assert.matches("a blank", refusal(names.directory, "config_directory", "/etc/x\ny"))
    assert.matches("'%$'", refusal(names.directory, "config_directory", "/etc/$x"))
    assert.matches("control character", refusal(names.directory, "config_directory", "/etc/x\1"))
  end)
end)

describe("a setting", function()
  it("is split at the first =, blanks around it dropped", function()
    assert.are.same({ "config_directory", "/x=y" }, { names.setting " config_directory = /x=y " })
    assert.are.same({ "a", "" }, { names.setting "a=" })
  end)

  it("needs a name and an =", function()
    for _, operand in ipairs { "a", "=x", "", "a b = c" } do
      assert.matches("parameter=value", refusal(names.setting, operand))
    end
  end)
end)

describe("the sibling of a directory", function()
  it("takes the place of its last component", function()
    for primary, want in pairs {
      ["/var/spool/postfix"] = "/var/spool/postfix-o",
      ["/var/spool/postfix//"] = "/var/spool/postfix-o",
      ["//q"] = "/postfix-o",
      ["/"] = "/postfix-o",
      ["//"] = "/postfix-o",
      ["/var//spool//postfix"] = "/var//spool/postfix-o",
      ["/var/spool/."] = "/var/spool/postfix-o",
    } do
      assert.are.equal(want, names.sibling("queue_directory", primary, "postfix-o"))
    end
  end)

  it("is never inside it (stock: /q and /var/spool/postfix/ nest)", function()
    assert.are.equal("/postfix-o", names.sibling("queue_directory", "/q", "postfix-o"))
    assert.are.equal("/var/spool/postfix-o", names.sibling("queue_directory", "/var/spool/postfix/", "postfix-o"))
  end)

  it("needs an absolute primary value", function()
    assert.matches("not an absolute path", refusal(names.sibling, "queue_directory", "relative", "postfix-o"))
  end)
end)

describe("normalize", function()
  it("drops what two spellings may differ in", function()
    assert.are.equal("/a/c", names.normalize "//a/./b/../c/")
    assert.are.equal("/", names.normalize "/../..")
  end)
end)

describe("split", function()
  it("separates on commas and blanks; empty elements vanish", function()
    assert.are.same({ "/a", "/b", "{", "/c" }, names.split " /a,\t/b ,, {\r\n/c ")
    assert.are.same({}, names.split ", ,")
  end)
end)
