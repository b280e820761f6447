-- No mail is lost or doubled while other instances come and go and masters are told to reload.

---Play a session; what it counted, and all that it printed.
---@param messages integer
---@param reloaded "others"|"all"
---@return table<string, integer> facts
---@return string transcript
local function play(messages, reloaded)
  assert(os.execute "make -s stage")
  local tree = (os.getenv "POSTMULTI_BUILD" or "build") .. "/stage"
  local pipe = assert(io.popen(("tests/support/sandbox -q -i %s sh tests/system/mail_session %d %s 2>&1 </dev/null")
    :format(tree, messages, reloaded)))
  local transcript = pipe:read "a"
  pipe:close()
  local facts = {}
  for name, value in transcript:gmatch "(%a+) (%d+)\n" do
    facts[name] = tonumber(value)
  end
  assert(facts.left, "the session did not end:\n" .. transcript)
  return facts, transcript
end

---What holds for each session.
local function check(facts, transcript, messages)
  assert.equal(0, facts.sent, transcript)
  assert.equal(messages, facts.recipients, transcript)
  assert.same({ facts.deliveries, facts.deliveries, facts.deliveries },
    { facts.files, facts.complete, facts.filtered }, transcript)
  assert.equal(0, facts.queued, transcript)
  assert.equal(0, facts.failed, transcript)
  assert.is_true(facts.rounds >= 2, transcript)
  assert.same({ 3, 0 }, { facts.instances, facts.left }, transcript)
end

describe("mail #system", function()
  it("arrives, each message once, while others are created, started, reloaded, stopped and destroyed", function()
    local facts, transcript = play(1000, "others")
    check(facts, transcript, 1000)
    assert.equal(1000, facts.deliveries, transcript)
    assert.is_true(facts.reloads >= facts.rounds, transcript)
  end)

  it("arrives, and comes twice only where Postfix took it up twice, while its own instances are reloaded", function()
    local facts, transcript = play(300, "all")
    check(facts, transcript, 300)
    assert.is_true(facts.reloads >= 3 * facts.rounds, transcript)
    assert.equal(0, facts.unexplained, transcript)
  end)
end)
