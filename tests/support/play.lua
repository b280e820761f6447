--- Steps of a shell in one sandbox, with this build installed in the place of the stock command.

local STAGE = "build/examples-stage"

local staged
local function stage()
  if not staged then
    assert(os.execute("rm -rf " .. STAGE .. " && make -s install BINDIR=/usr/bin SBINDIR=/usr/sbin "
        .. "DESTDIR=$PWD/" .. STAGE
      .. " >/dev/null"))
    staged = true
  end
end

---Run named steps, each by the shell, one after the other in one sandbox.
---@param steps { [1]: string, [2]: string }[]
---@return table<string, { text: string, status: integer }>
local function play(steps)
  stage()
  local script = {}
  for _, step in ipairs(steps) do
    script[#script + 1] = ("echo '==<%s>=='\n(%s\n) 2>&1 </dev/null\necho \"==<end $?>==\"\n"):format(step[1], step[2])
  end
  local path = os.tmpname()
  local file = assert(io.open(path, "w"))
  file:write(table.concat(script))
  file:close()
  local pipe = assert(io.popen("tests/support/sandbox -q -i " .. STAGE .. " sh " .. path .. " 2>&1"))
  local text = pipe:read "a"
  pipe:close()
  os.remove(path)
  local results = {}
  for name, output, status in text:gmatch "==<([^>\n]*)>==\n(.-)==<end (%d+)>==\n" do
    -- What Debian's own script says when it copies files for chroot, since Postfix 3.9.
    output = ("\n" .. output):gsub("\nupdating /[^\n]+ => /[^\n]+", ""):sub(2)
    results[name] = { text = output, status = tonumber(status) }
  end
  for _, step in ipairs(steps) do
    assert(results[step[1]], step[1] .. ": not run:\n" .. text)
  end
  return results
end

return play
