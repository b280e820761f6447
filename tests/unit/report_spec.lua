local log = require "postmulti.log"
local report = require "postmulti.report"

describe("the list", function()
  it("has columns of 15, 15 and 9, and cuts nothing", function()
    assert.are.equal("-               -               y         /etc/postfix\n",
      report.line { enabled = true, config_directory = "/etc/postfix" })
    assert.are.equal("postfix-with-a-long-name mta             n         /etc/x\n",
      report.line { name = "postfix-with-a-long-name", group = "mta", config_directory = "/etc/x" })
  end)

  it("as JSON has the whole group (stock 3.11: its first letter)", function()
    assert.are.equal('{"name": "-","group": "mta","enabled": "y","config_directory": "/etc/postfix"}\n',
      report.json { group = "mta", enabled = true, config_directory = "/etc/postfix" })
  end)

  it("as JSON escapes quotes, backslashes and control characters", function()
    local line = report.json { name = 'a"\\\b\f\n\r\t\1\127/é', enabled = false, config_directory = "/" }
    assert.are.equal([[{"name": "a\"\\\b\f\n\r\t\u0001\u007F/é","group": "-","enabled": "n","config_directory": "/"}]]
      .. "\n", line)
  end)
end)

describe("a message", function()
  it("holds no control characters and no broken UTF-8", function()
    assert.are.equal("a?b?é", log.printable "a\nb\27é")
    assert.are.equal("a??", log.printable "a\xc3\n")
    assert.are.equal(("é"):rep(2000), log.line(("é"):rep(2000)))
    assert.are.equal(("é"):rep(1500) .. " [...] " .. ("é"):rep(500), log.line(("é"):rep(20000)))
    assert.are.equal("a" .. ("é"):rep(1499) .. " [...] " .. ("é"):rep(500), log.line("a" .. ("é"):rep(20000)))
  end)
end)
