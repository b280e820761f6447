-- The demonstration as a test: three instances on real Postfix, two messages through all of them.

local function play(options)
  local pipe = assert(io.popen("sh scripts/demo --no-build " .. options .. " 2>&1 </dev/null"))
  local transcript = pipe:read "a"
  local _, _, status = pipe:close()
  return transcript, status
end

---The output of the first command of the transcript that is COMMAND, from the place where TEXT is on.
local function output(transcript, command, text)
  local from = text and assert(transcript:find(text, 1, true), text .. ": not in the transcript") or 1
  local _, last = transcript:find("\n$ " .. command .. "\n", from, true)
  assert(last, command .. ": not in the transcript")
  local lines = {}
  for line in transcript:sub(last + 1):gmatch "([^\n]*)\n" do
    if line:sub(1, 4) ~= "    " then break end
    lines[#lines + 1] = line:sub(5)
  end
  return lines
end

describe("the walk-through #system", function()
  local transcript, status

  setup(function()
    transcript, status = play ""
    if status ~= 0 then print(transcript) end
  end)

  it("ends with success", function()
    assert.equal(0, status)
    assert.matches("\ndemo: passed: 2 messages sent, each arrived once through 3 instances[^\n]*\n$", transcript)
  end)

  it("lists what was created, disabled and in order", function()
    assert.same({
      "-               -               y         /etc/postfix",
      "postfix-out     mta             n         /etc/postfix-out",
      "postfix-in      mta             n         /etc/postfix-in",
    }, output(transcript, "postmulti -l", "== Two more instances"))
  end)

  it("lists what was enabled, and backwards", function()
    local list = output(transcript, "postmulti -l", "== Start")
    assert.same({
      "-               -               y         /etc/postfix",
      "postfix-out     mta             y         /etc/postfix-out",
      "postfix-in      mta             y         /etc/postfix-in",
    }, list)
    assert.same({ list[3], list[2], list[1] }, output(transcript, "postmulti -Rl"))
  end)

  it("starts and stops all instances through the wrapper", function()
    local started = table.concat(output(transcript, "postfix start"), "\n")
    assert.matches("postfix/%S+: starting.*postfix%-out/%S+: starting.*postfix%-in/%S+: starting", started)
    assert.matches("%(exit status 0%)$", started)
    local status_up = table.concat(output(transcript, "postmulti -p status", "== Start"), "\n")
    local _, running = status_up:gsub("is running: PID: %d+", "")
    assert.equal(3, running)
    local stopped = table.concat(output(transcript, "postfix stop"), "\n")
    assert.matches("postfix%-in/%S+: stopping.*postfix%-out/%S+: stopping.*postfix/%S+: stopping", stopped)
    local status_down = output(transcript, "postmulti -p status", "== Stop")
    assert.equal("(exit status 1)", status_down[#status_down])
  end)

  it("routes both messages through input, filter and output", function()
    local _, routed = transcript:gsub("by hub%.example%.com .-by mx%-out%.example%.com "
      .. ".-X%-Content%-Filter: passed.-by mx%.example%.com ", "")
    assert.equal(2, routed)
  end)

  it("keeps mail while the hub is down, and flush sends it", function()
    local queue = table.concat(output(transcript, "postmulti -g mta -x postqueue -p"), "\n")
    assert.matches("Connection refused", queue)
    assert.matches("\nMail queue is empty$", queue)
    assert.equal("(exit status 0)", output(transcript, "postfix flush")[1])
  end)

  it("leaves nothing", function()
    assert.same({ "-               -               y         /etc/postfix" },
      output(transcript, "postmulti -l", "== Remove"))
    assert.matches("Nothing is left of them", transcript)
    assert.matches("The machine's own files are as they were", transcript)
    assert.matches("byte for byte the stock command again", transcript)
  end)
end)

describe("the demonstration #system", function()
  it("refuses what it does not know", function()
    local text, status = play "--nonsense"
    assert.equal(2, status)
    assert.matches("^demo: usage: ", text)
  end)
end)
