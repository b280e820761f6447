-- Every kind of error that api.md promises of a function can be had from it.

local fake_core = require "tests.support.fake_core"
local errors = require "postmulti.errors"
local postmulti = require "postmulti"

local MAIN = [[
compatibility_level = 3.6
multi_instance_wrapper = ${command_directory}/postmulti -p --
multi_instance_enable = yes
multi_instance_directories = /etc/postfix-out /etc/postfix-on
]]

local function secondary(name, more)
  return ("multi_instance_name = postfix-%s\nqueue_directory = /var/spool/postfix-%s\n"
    .. "data_directory = /var/lib/postfix-%s\n%s"):format(name, name, name, more or "")
end

---@param files table<string, string|false>
local function open(files)
  local all = {
    ["/etc/postfix/main.cf"] = MAIN, ["/etc/postfix/master.cf"] = "",
    ["/etc/postfix/main.cf.proto"] = "", ["/etc/postfix/master.cf.proto"] = "smtp inet n - y - - smtpd\n",
    ["/etc/postfix/postfix-files"] = "",
    ["/etc/postfix-out/main.cf"] = secondary "out",
    ["/etc/postfix-out/master.cf"] = "smtp inet n - y - - smtpd\n",
    ["/etc/postfix-on/main.cf"] = secondary("on", "multi_instance_enable = yes\n"),
    ["/etc/postfix-on/master.cf"] = "",
    ["/usr/sbin/postfix"] = "", ["/var/lib/dpkg/status"] = "", ["/usr/lib/postfix/sbin/master"] = "",
    ["/var/spool/postfix/pid/master.pid"] = "", ["/var/spool/postfix-out/pid/master.pid"] = "",
    ["/var/spool/postfix-on/pid/master.pid"] = "",
  }
  for path, text in pairs(files or {}) do
    all[path] = text or nil
  end
  local fake = fake_core.new(all)
  return postmulti.open {
    core = fake.core, site_directory = "/etc/postmulti", share_directory = "/usr/share/postmulti",
  }, fake
end

local BROKEN_MASTER = { ["/etc/postfix-out/master.cf"] = "smtp inet {\n" }
local UNPREPARED = { ["/etc/postfix/main.cf"] = (MAIN:gsub("multi_instance_wrapper[^\n]*\n", "")) }
local BAD_HOOK = { ["/etc/postmulti/hooks.d/10-x.lua"] = "return {" }

---The instance that a case is about: postfix-out, gone after it was looked up.
local function gone(host, fake)
  local out = host:instance "out"
  fake.files["/etc/postfix/main.cf"] = MAIN:gsub("/etc/postfix%-out ", "")
  return out
end

---Have the next call of a core function be refused by the system.
local function refuse(fake, name)
  fake.core[name] = function() return nil, name .. ": Input/output error", 5 end
end

---@type { [1]: string, [2]: string, [3]: fun(host: postmulti.Host, fake: table), [4]: table? }[]
local CASES = {
  { "host:instance", "not found", function(host) host:instance "nowhere" end },
  { "host:create", "usage", function(host) host:create { name = "x" } end },
  { "host:create", "conflict", function(host) host:create { name = "postfix-out", config_directory = "/etc/y" } end },
  { "host:create", "refused", function(host) host:create { name = "postfix-y" } end, UNPREPARED },
  { "host:create", "not found", function(host) host:create { name = "postfix-y", place = { name = "no" } } end },
  { "host:import", "usage", function(host) host:import { name = "x" } end },
  { "host:import", "conflict", function(host) host:import { config_directory = "/etc/postfix-out" } end },
  { "host:import", "refused", function(host) host:import { config_directory = "/etc/y" } end, {
    ["/etc/postfix/main.cf"] = UNPREPARED["/etc/postfix/main.cf"],
    ["/etc/y/main.cf"] = secondary "y", ["/etc/y/master.cf"] = "", ["/var/spool/postfix-y/pid/master.pid"] = "",
  } },
  { "host:import", "not found", function(host)
    host:import { config_directory = "/etc/y", place = { name = "no" } }
  end, { ["/etc/y/main.cf"] = secondary "y", ["/etc/y/master.cf"] = "" } },
  { "host:import", "damaged", function(host) host:import { config_directory = "/etc/y" } end,
    { ["/etc/y/main.cf"] = "queue_directory = ${\n", ["/etc/y/master.cf"] = "" } },
  { "host:reload", "damaged", function(host, fake)
    fake.files["/etc/postfix/main.cf"] = nil
    host:reload()
  end },
  { "host:run", "system", function(host, fake)
    refuse(fake, "run")
    host:run { "x" }
  end },
  { "host:postfix", "not found", function(host) host:postfix({ "status" }, { name = "no" }) end },
  { "host:postfix", "untrusted", function(host) host:postfix { "status" } end, BAD_HOOK },
  { "host:list_hooks", "untrusted", function(host) host:list_hooks() end, BAD_HOOK },
  { "host:list_directory", "system", function(host) host:list_directory "/nowhere" end },
  { "host:read_file", "system", function(host, fake)
    refuse(fake, "read_file")
    host:read_file "/x"
  end },
  { "host:write_file", "system", function(host, fake)
    refuse(fake, "create_file")
    host:write_file("/x", "")
  end },
  { "host:remove_file", "system", function(host, fake)
    refuse(fake, "read_file")
    refuse(fake, "unlink")
    host:remove_file "/etc/postfix/master.cf"
  end },
  { "host:history", "usage", function(host, fake)
    fake.core.effective_uid = function() return 1000 end
    host:history()
  end },
  { "host:undo", "usage", function(host)
    host:transaction(function() host:undo() end)
  end },
  { "host:undo", "not found", function(host)
    host:undo()
  end },
  { "host:undo", "changed", function(host, fake)
    host:write_file("/etc/x", "1")
    fake.files["/etc/x"] = "2"
    host:undo()
  end },
  { "host:make_directory", "system", function(host, fake)
    refuse(fake, "make_path")
    host:make_directory "/x"
  end },
  { "host:exists", "system", function(host, fake)
    refuse(fake, "stat")
    host:exists "/x"
  end },
  { "instance:get", "damaged", function(host) host:instance("out"):get "x" end,
    { ["/etc/postfix-out/main.cf"] = secondary("out", "x = ${\n") } },
  { "instance:set", "usage", function(host) host:instance("out"):set { ["a b"] = 1 } end },
  { "instance:unset", "usage", function(host) host:instance("out"):unset "a b" end },
  { "instance:edit", "usage", function(host) host:instance("out"):edit { { "set", "a b", "c" } } end },
  { "instance:service", "usage", function(host) host:instance("out"):service "smtp" end },
  { "instance:service", "damaged", function(host) host:instance("out"):service "smtp/inet" end, BROKEN_MASTER },
  { "instance:services", "damaged", function(host) host:instance("out"):services() end, BROKEN_MASTER },
  { "instance:set_service", "usage", function(host) host:instance("out"):set_service "smtp" end },
  { "instance:remove_service", "usage", function(host) host:instance("out"):remove_service "smtp" end },
  { "instance:comment_service", "usage", function(host) host:instance("out"):comment_service "smtp" end },
  { "instance:set_fields", "usage", function(host) host:instance("out"):set_fields("smtp/inet", { x = 1 }) end },
  { "instance:set_fields", "not found", function(host) host:instance("out"):set_fields("no/inet", {}) end },
  { "instance:set_fields", "damaged", function(host) host:instance("out"):set_fields("smtp/inet", {}) end,
    BROKEN_MASTER },
  { "instance:override", "usage", function(host) host:instance("out"):override("smtp", {}) end },
  { "instance:override", "not found", function(host) host:instance("out"):override("no/inet", {}) end },
  { "instance:override", "damaged", function(host) host:instance("out"):override("smtp/inet", {}) end, BROKEN_MASTER },
  { "instance:remove_override", "usage", function(host) host:instance("out"):remove_override("smtp", "x") end },
  { "instance:edit_services", "usage", function(host)
    host:instance("out"):edit_services { { "field", "smtp/inet/x", "1" } }
  end },
  { "instance:copy_file", "system", function(host) host:instance("out"):copy_file("/nowhere", "x") end },
  { "instance:enable", "refused", function(host) host:instance("out"):enable() end, UNPREPARED },
  { "instance:enable", "not found", function(host, fake) gone(host, fake):enable() end },
  { "instance:disable", "refused", function(host) host:instance("on"):disable() end, UNPREPARED },
  { "instance:disable", "not found", function(host, fake) gone(host, fake):disable() end },
  { "instance:assign", "usage", function(host) host:instance("out"):assign { name = "x" } end },
  { "instance:assign", "conflict", function(host) host:instance("out"):assign { name = "postfix-on" } end },
  { "instance:assign", "refused", function(host) host:instance("out"):assign { group = "x" } end, UNPREPARED },
  { "instance:assign", "not found", function(host, fake) gone(host, fake):assign { group = "x" } end },
  { "instance:deport", "refused", function(host) host:instance("on"):deport() end },
  { "instance:deport", "not found", function(host, fake) gone(host, fake):deport() end },
  { "instance:destroy", "refused", function(host) host:instance("on"):destroy() end },
  { "instance:destroy", "not found", function(host, fake) gone(host, fake):destroy() end },
  { "instance:is_running", "system", function(host, fake)
    refuse(fake, "locked")
    host:instance("out"):is_running()
  end },
  { "instance:master_pid", "system", function(host, fake)
    refuse(fake, "locked")
    host:instance("out"):master_pid()
  end },
  { "instance:queue_counts", "system", function(host, fake)
    refuse(fake, "count_files")
    host:instance("out"):queue_counts()
  end },
  { "instance:run", "system", function(host, fake)
    refuse(fake, "run")
    host:instance("out"):run { "x" }
  end },
  { "instance:postfix", "system", function(host, fake)
    refuse(fake, "run")
    host:instance("out"):postfix { "status" }
  end },
  { "instance:postfix", "vetoed", function(host) host:instance("out"):postfix { "status" } end,
    { ["/etc/postmulti/hooks.d/10-x.lua"] = "return { before_postfix = function() error 'no' end }" } },
  { "instance:postfix", "hook", function(host) host:instance("out"):postfix { "status" } end,
    { ["/etc/postmulti/hooks.d/10-x.lua"] = "return { after_postfix = function() error 'no' end }" } },
}

-- Those that want a main.cf or master.cf that can be read.
for name, call in pairs {
  settings = function(one) one:settings() end,
  queue_counts = function(one) one:queue_counts() end, run = function(one) one:run { "x" } end,
  postfix = function(one) one:postfix { "x" } end, check = function(one) one:check() end,
} do
  CASES[#CASES + 1] = { "instance:" .. name, "damaged", function(host) call(host:instance "out") end,
    { ["/etc/postfix-out/main.cf"] = "\0 = {\n= x\n" } }
end
for name, call in pairs {
  remove_override = function(one) one:remove_override("smtp/inet", "x") end,
  edit_services = function(one) one:edit_services { { "field", "smtp/inet/chroot", "n" } } end,
} do
  CASES[#CASES + 1] = { "instance:" .. name, "damaged", function(host) call(host:instance "out") end, BROKEN_MASTER }
end

describe("an error", function()
  it("is one line, whatever it quotes", function()
    local problem = errors.new("usage", "no instance 'a\nb\r\27[2J\xff'", { instance = "/etc/x\ny" })
    assert.equal("no instance 'a?b??[2J?'", tostring(problem))
    assert.equal("/etc/x\ny", problem.instance)
  end)
end)

describe("the kind of error", function()
  for _, case in ipairs(CASES) do
    it(case[1] .. " raises: " .. case[2], function()
      local host, fake = open(case[4])
      local ok, problem = pcall(case[3], host, fake)
      assert.is_false(ok)
      assert.is_true(postmulti.is_error(problem), tostring(problem))
      assert.equal(case[2], problem.kind, problem.message)
      assert.not_matches("\n", problem.message)
    end)
  end

  it("has a case for each that the page promises", function()
    local covered = {}
    for _, case in ipairs(CASES) do
      covered[case[1] .. " " .. case[2]] = true
    end
    local file, missing = assert(io.open "docs/api.md"), {}
    for line in file:lines() do
      local name, promised = line:match "^| `([hi]%l+:[%w_]+)[^`]*` |.*|([^|]*)|$"
      for kind in (promised or ""):gmatch "`([%a ]+)`" do
        if not covered[name .. " " .. kind] then
          missing[#missing + 1] = name .. " " .. kind
        end
      end
    end
    file:close()
    assert.same({}, missing)
  end)
end)
