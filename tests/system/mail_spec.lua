-- No mail is lost or doubled while other instances come and go and all masters are told to reload.

local MESSAGES = 1000

describe("mail #system", function()
  local transcript, facts

  setup(function()
    assert(os.execute "make -s stage")
    local tree = (os.getenv "POSTMULTI_BUILD" or "build") .. "/stage"
    local pipe = assert(io.popen(("tests/support/sandbox -q -i %s sh tests/system/mail_session %d 2>&1 </dev/null")
      :format(tree, MESSAGES)))
    transcript = pipe:read "a"
    pipe:close()
    facts = {}
    for name, value in transcript:gmatch "(%a+) (%d+)\n" do
      facts[name] = tonumber(value)
    end
    assert(facts.left, "the session did not end:\n" .. transcript)
  end)

  it("arrives, each message once", function()
    assert.equal(0, facts.sent)
    assert.same({ MESSAGES, MESSAGES, MESSAGES, MESSAGES },
      { facts.files, facts.complete, facts.recipients, facts.deliveries }, transcript)
    assert.equal(0, facts.queued)
  end)

  it("went through the filter", function()
    assert.equal(MESSAGES, facts.filtered)
  end)

  it("went on while other instances were created, enabled, disabled and destroyed, and all were reloaded", function()
    assert.equal(0, facts.failed, transcript)
    assert.is_true(facts.rounds >= 2, transcript)
    assert.is_true(facts.reloads >= facts.rounds, transcript)
    assert.same({ 3, 0 }, { facts.instances, facts.left })
  end)
end)
