local trust = require "postmulti.trust"

local NOBODY, CALLER = 65534, 1000

---A file system in a table: path = { type, mode in octal, uid, target of a link }.
local function view(objects, uid)
  local all = { ["/"] = { "directory", "755", 0 }, ["/etc"] = { "directory", "755", 0 },
    ["/etc/postmulti"] = { "directory", "755", 0 }, ["/etc/postmulti/hooks.d"] = { "directory", "755", 0 },
    ["/srv"] = { "directory", "755", 0 } }
  for path, object in pairs(objects) do
    all[path] = object
  end
  return {
    uid = uid or 0,
    stat = function(path)
      local object = all[path]
      if not object then
        return nil, path .. ": No such file or directory", 2
      end
      return { type = object[1], mode = tonumber(object[2], 8), uid = object[3] }
    end,
    readlink = function(path) return all[path][4] end,
  }
end

local HOOK = "/etc/postmulti/hooks.d/10-x.lua"

-- Owner by mode by caller, of the file itself.
local FILE = {}
for _, row in ipairs {
  { "644", 0, 0, nil }, { "600", 0, 0, nil }, { "755", 0, 0, nil }, { "444", 0, 0, nil }, { "000", 0, 0, nil },
  { "664", 0, 0, "written by others" }, { "646", 0, 0, "written by others" }, { "666", 0, 0, "written by others" },
  { "620", 0, 0, "written by others" }, { "602", 0, 0, "written by others" },
  { "4755", 0, 0, "set%-id" }, { "2755", 0, 0, "set%-id" }, { "6755", 0, 0, "set%-id" }, { "1644", 0, 0, nil },
  { "644", NOBODY, 0, "belongs to user 65534" }, { "600", NOBODY, 0, "belongs to user 65534" },
  { "644", CALLER, 0, "belongs to user 1000" }, { "644", CALLER, CALLER, nil }, { "644", 0, CALLER, nil },
  { "664", CALLER, CALLER, "written by others" }, { "644", NOBODY, CALLER, "not to root or you" },
  { "4644", CALLER, CALLER, "set%-id" },
} do
  FILE[#FILE + 1] = { mode = row[1], owner = row[2], caller = row[3], wanted = row[4] }
end

describe("trust in a file", function()
  for _, case in ipairs(FILE) do
    it(("mode %s of user %d, loaded by user %d"):format(case.mode, case.owner, case.caller), function()
      local reason = trust.refusal(view({ [HOOK] = { "file", case.mode, case.owner } }, case.caller), HOOK, "file")
      if case.wanted then
        assert.matches(case.wanted, reason)
        assert.matches("^" .. HOOK:gsub("%p", "%%%0"), reason)
      else
        assert.is_nil(reason)
      end
    end)
  end

  for _, kind in ipairs { "directory", "fifo", "socket", "block", "character" } do
    it("that is a " .. kind, function()
      local reason = trust.refusal(view { [HOOK] = { kind, "600", 0 } }, HOOK, "file")
      assert.matches("is not a regular file$", reason)
    end)
  end

  it("that is missing", function()
    local reason, missing = trust.refusal(view {}, HOOK, "file")
    assert.matches("No such file", reason)
    assert.is_true(missing)
  end)

  it("by a relative path", function()
    assert.matches("not an absolute path", trust.refusal(view {}, "hooks.d/10-x.lua", "file"))
  end)
end)

describe("trust in what is above a file", function()
  for _, row in ipairs {
    { "/", "777", 0, "^/ can be written" }, { "/", "755", NOBODY, "^/ belongs" },
    { "/etc", "775", 0, "^/etc can be written" }, { "/etc", "755", NOBODY, "^/etc belongs" },
    { "/etc", "1777", 0, "^/etc can be written by others than its owner %(mode 1777%)" },
    { "/etc/postmulti", "757", 0, "^/etc/postmulti can" }, { "/etc/postmulti", "700", 0, nil },
    { "/etc/postmulti/hooks.d", "2775", 0, "^/etc/postmulti/hooks.d can" },
    { "/etc/postmulti/hooks.d", "2755", 0, nil }, { "/etc/postmulti/hooks.d", "755", NOBODY, "hooks.d belongs" },
  } do
    it(("%s with mode %s of user %d"):format(row[1], row[2], row[3]), function()
      local reason = trust.refusal(view { [HOOK] = { "file", "644", 0 }, [row[1]] = { "directory", row[2], row[3] } },
        HOOK, "file")
      if row[4] then
        assert.matches(row[4], reason)
      else
        assert.is_nil(reason)
      end
    end)
  end

  it("a file where a directory must be", function()
    assert.matches("^/etc is not a directory", trust.refusal(view { ["/etc"] = { "file", "644", 0 } }, HOOK, "file"))
  end)
end)

describe("trust in what a link leads to", function()
  local function linked(target, objects)
    objects[HOOK] = objects[HOOK] or { "link", "777", 0, target }
    return (trust.refusal(view(objects), HOOK, "file"))
  end

  it("a sound file", function()
    assert.is_nil(linked("/srv/x.lua", { ["/srv/x.lua"] = { "file", "644", 0 } }))
    assert.is_nil(linked("../x.lua", { ["/etc/postmulti/x.lua"] = { "file", "644", 0 } }))
    assert.is_nil(linked("../../../../srv/./x.lua", { ["/srv/x.lua"] = { "file", "644", 0 } }))
  end)

  it("a file that others can write, or own", function()
    assert.matches("^/srv/x.lua can", linked("/srv/x.lua", { ["/srv/x.lua"] = { "file", "666", 0 } }))
    assert.matches("^/srv/x.lua belongs", linked("/srv/x.lua", { ["/srv/x.lua"] = { "file", "644", NOBODY } }))
  end)

  it("a file in a directory that others can write", function()
    local objects = { ["/tmp"] = { "directory", "1777", 0 }, ["/tmp/x.lua"] = { "file", "644", 0 } }
    assert.matches("^/tmp can", linked("/tmp/x.lua", objects))
  end)

  it("another link, which lies in a directory that others can write", function()
    local objects = { ["/tmp"] = { "directory", "1777", 0 }, ["/tmp/y"] = { "link", "777", 0, "/srv/x.lua" },
      ["/srv/x.lua"] = { "file", "644", 0 } }
    assert.matches("^/tmp can", linked("/tmp/y", objects))
  end)

  it("of somebody else", function()
    assert.matches("belongs to user 65534", linked(nil, { [HOOK] = { "link", "777", NOBODY, "/srv/x.lua" },
      ["/srv/x.lua"] = { "file", "644", 0 } }))
  end)

  it("through a directory that is a link", function()
    local objects = { ["/etc/postmulti/hooks.d"] = { "link", "777", 0, "/srv/hooks" },
      ["/srv/hooks"] = { "directory", "755", 0 }, ["/srv/hooks/10-x.lua"] = { "file", "644", 0 } }
    assert.is_nil(trust.refusal(view(objects), HOOK, "file"))
    objects["/srv/hooks"] = { "directory", "775", 0 }
    assert.matches("^/srv/hooks can", trust.refusal(view(objects), HOOK, "file"))
  end)

  it("nothing, or round in circles", function()
    assert.matches("No such file", linked("/srv/gone", {}))
    assert.matches("too many symbolic links", linked("/etc/postmulti/hooks.d/10-x.lua", {}))
  end)
end)
