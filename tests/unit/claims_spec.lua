local Claims = require "postmulti.claims"

local function instance(directory, name, queue, data)
  return { config_directory = directory, name = name, queue_directory = queue, data_directory = data }
end

describe("claims", function()
  it("are free, or somebody's", function()
    local claims = Claims.new()
    assert.is_nil(claims:claim("/usr/sbin", "/etc/postfix", "command_directory"))
    assert.is_nil(claims:claim("/usr/sbin", "/etc/postfix", "command_directory"))
    assert.are.equal("command_directory of /etc/postfix", claims:claim("/usr/sbin", "/etc/postfix", "daemon_directory"))
    assert.is_nil(claims:claim(nil, "/etc/postfix", "multi_instance_name"))
  end)

  it("put names and directories into one table, and are compared byte for byte", function()
    local claims = Claims.new()
    assert.is_nil(claims:claim_instance(instance("/a", "postfix-a", "/q/a", "/d/a")))
    assert.is_nil(claims:claim_instance(instance("/b", "postfix-b", "/q//a", "/d/b")))
    assert.are.equal("queue_directory = /d/a is also data_directory of /a",
      claims:claim_instance(instance("/c", "postfix-c", "/d/a", "/d/c")))
    assert.are.equal("data_directory = /x is also queue_directory of /e",
      claims:claim_instance(instance("/e", nil, "/x", "/x")))
  end)

  it("name the owner of a directory under another spelling", function()
    local claims = Claims.new()
    claims:claim_instance(instance("/a", "postfix-a", "/var/spool/postfix", "/d/a"))
    assert.are.equal("queue_directory of /a", claims:same_directory "/var//spool/../spool/postfix")
    assert.is_nil(claims:same_directory "/var/spool/postfix/x")
  end)

  it("end with their owner", function()
    local claims = Claims.new()
    claims:claim_instance(instance("/a", "postfix-a", "/q/a", "/d/a"))
    claims:release "/a"
    assert.is_nil(claims:claim_instance(instance("/b", "postfix-a", "/q/a", "/d/a")))
  end)
end)
