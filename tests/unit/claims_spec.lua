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

  it("of one instance may not be the same either", function()
    local values = {
      multi_instance_name = "/n", config_directory = "/c", queue_directory = "/q", data_directory = "/d",
    }
    local order = { "multi_instance_name", "config_directory", "queue_directory", "data_directory" }
    for first = 1, 3 do
      for second = first + 1, 4 do
        local own = {}
        for index, parameter in ipairs(order) do
          own[index] = index == second and values[order[first]] or values[parameter]
        end
        assert.are.equal(("%s = %s is also %s of %s"):format(order[second], own[first], order[first], own[2]),
          Claims.new():claim_instance(instance(own[2], own[1], own[3], own[4])))
      end
    end
  end)

  it("are held against every later one, by whichever parameter", function()
    for number, mine in ipairs { "postfix-a", "/a", "/q/a", "/d/a" } do
      for position = 1, 4 do
        local claims = Claims.new()
        assert.is_nil(claims:claim_instance(instance("/a", "postfix-a", "/q/a", "/d/a")))
        local other = { "postfix-b", "/b", "/q/b", "/d/b" }
        other[position] = mine
        local conflict = claims:claim_instance(instance(other[2], other[1], other[3], other[4]))
        if number == 2 and position == 2 then
          assert.is_nil(conflict) -- the instance itself, again
        else
          assert.matches(" = " .. mine:gsub("%p", "%%%0") .. " is also %S+ of /a$", conflict)
        end
        assert.is_nil(claims:claim_instance(instance("/c", "postfix-c", "/q/c", "/d/c")))
      end
    end
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
