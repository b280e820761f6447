local permissions = require "postmulti.permissions"

describe("a line of postfix-files", function()
  it("describes a private object", function()
    assert.are.same({
      base = "queue_directory", path = "maildrop", type = "directory", owner = "$mail_owner", group = "$setgid_group",
      mode = tonumber("730", 8), create = true, recursive = false, optional = false,
    }, permissions.parse_line "$queue_directory/maildrop:d:$mail_owner:$setgid_group:730:uc")
    local object = permissions.parse_line "$config_directory:d:root:-:755:u"
    assert.is_nil(object.path)
    assert.is_nil(object.group)
    object = permissions.parse_line "${config_directory}/access:f:root:-:644:p1"
    assert.are.equal("access", object.path)
    assert.is_true(object.optional)
    object = permissions.parse_line "$data_directory//:d:$mail_owner:-:0001700:uc"
    assert.is_nil(object.path)
    assert.are.equal(tonumber("1700", 8), object.mode)
    assert.are.equal("a//b", permissions.parse_line("$queue_directory//a//b//:d:root:-:755:uc").path)
  end)

  it("may concern no secondary", function()
    for _, line in ipairs {
      "", "# comment", "#$config_directory/x:f:root:-:644", "/absolute:f:root:-:644",
      "$daemon_directory/x:f:root:-:755",
      "$config_directory/install.cf:f:root:-:644:o", "$queue_directory/x:l:y", "$mailq_path:l:$sendmail_path",
    } do
      assert.is_nil(permissions.parse_line(line), line)
    end
  end)

  it("may not be understood", function()
    for _, line in ipairs {
      "$queue_directory/x:z:root:-:755", "$queue_directory/x:d::-:755", "$queue_directory/x:d:root:-:9",
      "$queue_directory/x:d:root:-:10000",
      "$queue_directory/x:d:root:-:755:uZ", "$queue_directory/../x:d:root:-:755", "$queue_directory/$y:d:root:-:755",
      "$queue_directory_x", "$queue_directory.x:d:root:-:755",
    } do
      local got = permissions.parse_line(line)
      assert.is_true(got == false or line == "$queue_directory_x" and got == nil, line)
    end
  end)
end)
