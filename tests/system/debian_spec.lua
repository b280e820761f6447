-- What Debian's own package does with postmulti, by its real scripts: once with the stock command, once with ours.

local function start(words)
  return assert(io.popen("tests/support/sandbox -q " .. words .. " sh \"$PWD\"/tests/system/debian_session 2>&1 "
    .. "</dev/null"))
end

---Wait for a session. @return table<string, string[]>  the lines of each section
local function sections_of(pipe)
  local transcript = pipe:read "a"
  pipe:close()
  local sections, name = {}, nil
  for line in transcript:gmatch "([^\n]*)\n" do
    local title = line:match "^== (.+)$"
    if title then
      name = title
      sections[name] = {}
    elseif name then
      table.insert(sections[name], line)
    end
  end
  assert(sections["end"], "the session did not end:\n" .. transcript)
  return sections
end

---The lines of a section that are not a message of the command, which up to Postfix 3.10 stock keeps to itself.
local function without_messages(lines)
  local kept = {}
  for _, line in ipairs(lines) do
    if not line:find "^postmulti: " then
      kept[#kept + 1] = line
    end
  end
  return kept
end

local function count(lines, pattern)
  local found = 0
  for _, line in ipairs(lines) do
    if line:find(pattern) then found = found + 1 end
  end
  return found
end

---Lines of stopped or running instances; primary, in, off, out.
local function states(lines)
  local found = {}
  for _, line in ipairs(lines) do
    found[#found + 1] = line:match "^/etc/postfix[-%a]*: (%a+)$"
  end
  return table.concat(found, " ")
end

describe("Debian's package #system", function()
  local stock, ours, has_generator

  setup(function()
    assert(os.execute "make -s stage")
    local session, our_session = start "", start("-i " .. (os.getenv "POSTMULTI_BUILD" or "build") .. "/stage")
    stock, ours = sections_of(session), sections_of(our_session)
    has_generator = stock.generator[1] ~= "(none)"
  end)

  local function same(section)
    assert.same(without_messages(stock[section]), without_messages(ours[section]))
  end

  it("finds the same instances", function()
    same "furnish"
    assert.equal(1, count(ours.furnish, "^postfix%-in      mta             y         /etc/postfix%-in$"))
  end)

  it("makes a unit for each instance by its systemd generator", function()
    if not has_generator then return pending "no generator in this release" end
    same "generator"
    assert.equal(0, count(ours.generator, "exit status [^0]"))
    for _, name in ipairs { "-", "postfix-in", "postfix-off", "postfix-out" } do
      assert.equal(1, count(ours.generator, "/postfix@" .. name:gsub("%-", "%%-") .. "%.service "), name)
    end
  end)

  it("starts the instances by the commands of its units, and copies the files for chroot", function()
    same "unit start"
    local disabled = has_generator and "stopped" or "running"
    assert.equal("running running " .. disabled .. " running", states(ours["unit start"]))
    assert.is_true(count(ours["unit start"], "^/var/spool/postfix%-in/etc/services f 644 root:root") == 1)
    same "unit start, again"
    assert.is_true(count(ours["unit start, again"], "exit status 1") >= 3)
  end)

  it("reloads them", function()
    same "unit reload"
    for _, name in ipairs { "", "-in", "-out" } do
      assert.equal(1, count(ours["unit reload"], "^/etc/postfix" .. name:gsub("%-", "%%-") .. ": reloaded$"), name)
    end
  end)

  it("stops them; a stopped one, and one disabled meanwhile, is a failure as with stock", function()
    same "unit stop"
    assert.equal("stopped stopped stopped stopped", states(ours["unit stop"]))
    same "unit stop, disabled meanwhile"
  end)

  it("starts, stops and reloads them by its init script", function()
    same "init script"
    if ours["init script"][1] == "(none)" then return pending "no init script in this release" end
    assert.is_true(count(ours["init script"], "^/etc/postfix%-in: running$") >= 3)
    assert.is_true(count(ours["init script"], "^/etc/postfix%-in: stopped$") >= 3)
    assert.equal(2, count(ours["init script"], "^/etc/postfix%-out: postfix%-out/master reloaded$"))
  end)

  it("is told of interfaces and name servers by its hooks", function()
    same "hooks"
    local ran = count(ours.hooks, "^%$ /")
    assert.is_true(ran >= 5)
    assert.equal(ran, count(ours.hooks, "exit status 0"))
    assert.equal(ran, count(ours.hooks, "^/etc/postfix%-in: running$"))
  end)

  it("is configured, restarted and removed by its maintainer scripts", function()
    same "package"
    assert.equal(0, count(ours.package, "exit status [^0]"))
  end)

  it("is destroyed without a rest: stock leaves sockets, locks and the files for chroot", function()
    assert.equal(6, count(ours.destroy, "exit status 0") - 1)
    assert.equal(0, count(ours.destroy, "^postmulti: "))
    assert.same({ "-               -               y         /etc/postfix" }, { ours.destroy[#ours.destroy - 1] })
    assert.same({}, ours.remains)
    assert.is_true(#stock.remains > 0)
  end)
end)
