#!/usr/bin/env lua5.4
-- content-filter.lua - an SMTP proxy that marks every message that passes
--
-- Usage: content-filter.lua LISTEN-ADDRESS LISTEN-PORT NEXT-ADDRESS NEXT-PORT
--
-- The place of a virus scanner between two Postfix instances (the after-queue
-- filter of FILTER_README). Commands and replies pass through one at a time, so
-- that the next instance's answer to a message is the one that the client gets:
-- nothing is accepted here that was not accepted there. Needs luaposix.

local socket = require "posix.sys.socket"
local unistd = require "posix.unistd"
local signal = require "posix.signal"

local MARK = "X-Content-Filter: passed\r\n"
-- What the next instance may offer and a proxy of lines cannot keep.
local WITHHELD = { STARTTLS = true, CHUNKING = true, BINARYMIME = true }

---A connected socket read by lines; each line keeps its end.
local function reader(fd)
  local buffer = ""
  return function()
    while not buffer:find("\n", 1, true) do
      local data, message = socket.recv(fd, 65536)
      if not data or data == "" then error(message or "connection closed", 0) end
      buffer = buffer .. data
    end
    local line, rest = buffer:match "^(.-\n)(.*)$"
    buffer = rest
    return line
  end
end

local function send(fd, data)
  while data ~= "" do
    local count, message = socket.send(fd, data)
    if not count then error(message, 0) end
    data = data:sub(count + 1)
  end
end

---Pass on one reply, without the offers that are withheld; returns its status code.
local function pass_reply(read, client)
  local lines = {}
  local line
  repeat
    line = read()
    if not WITHHELD[line:match "^250[- ](%a+)"] then lines[#lines + 1] = line end
  until line:sub(4, 4) ~= "-"
  lines[#lines] = lines[#lines]:gsub("^(%d%d%d)-", "%1 ")
  send(client, table.concat(lines))
  return line:sub(1, 3)
end

local function proxy(client, next_hop)
  local from_client, from_next = reader(client), reader(next_hop)
  pass_reply(from_next, client)
  local command
  repeat
    local line = from_client()
    command = line:match("^%a*"):upper()
    send(next_hop, line)
    if pass_reply(from_next, client) == "354" and command == "DATA" then
      send(next_hop, MARK)
      repeat
        line = from_client()
        send(next_hop, line)
      until line == ".\r\n"
      pass_reply(from_next, client)
    end
  until command == "QUIT"
end

local function address(host, port)
  return { family = socket.AF_INET, addr = host, port = assert(math.tointeger(tonumber(port)), "bad port") }
end

local function open_socket()
  return assert(socket.socket(socket.AF_INET, socket.SOCK_STREAM, 0))
end

assert(#arg == 4, "usage: content-filter.lua LISTEN-ADDRESS LISTEN-PORT NEXT-ADDRESS NEXT-PORT")
signal.signal(signal.SIGCHLD, signal.SIG_IGN)  -- no zombies
local listener = open_socket()
assert(socket.setsockopt(listener, socket.SOL_SOCKET, socket.SO_REUSEADDR, 1))
assert(socket.bind(listener, address(arg[1], arg[2])))
assert(socket.listen(listener, 20))
while true do
  local client = socket.accept(listener)
  if client then
    if unistd.fork() == 0 then
      unistd.close(listener)
      local next_hop = open_socket()
      local done, message = socket.connect(next_hop, address(arg[3], arg[4]))
      if done then done, message = pcall(proxy, client, next_hop) end
      if not done then pcall(send, client, "421 4.3.0 content filter: " .. tostring(message) .. "\r\n") end
      unistd._exit(done and 0 or 1)
    end
    unistd.close(client)
  end
end
