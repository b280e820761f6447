local lint = require "postmulti.lint"

local function check(text)
  local lines = {}
  for index, finding in ipairs(lint.check(text, "x.lua")) do
    lines[index] = finding.line .. ": " .. finding.text
  end
  return lines
end

describe("lint", function()
  it("finds nothing in sound code", function()
    assert.same({}, check [==[#!/usr/bin/env postmulti-lua
      local postmulti = require "postmulti"
      local host = postmulti.open()
      -- undefined = true  --[[ host:creat() ]]
      local s = "host:creat()" .. [[ host:creat() ]] .. 'it\'s'
      host:transaction(function()
        local new = host:create { name = "postfix-x" .. #arg .. s }
        new:set { myhostname = "x" }
        for inst in host:instances { enabled = true } do print(inst.name, inst:get "x", inst:queue_counts().total) end
      end)
      local t = { before = 1, afterwards = nil } t.name = 1
      return { before_create = function(event) event.instance:enable() end }]==])
  end)

  for text, wanted in pairs {
    ["local x = = 1"] = "1: unexpected symbol near '='",
    ["\nlocal function f() count = 1 end return f"] = "2: the global 'count' is set; say 'local count'",
    ["\n\nprnt(1)"] = "3: there is no global 'prnt'; did you mean print?",
    ["return { befor_create = 1 }"] = "1: 'befor_create' is no hook; did you mean before_create?",
    ["return { undo_sleep = 1 }"] = "1: 'undo_sleep' is no hook",
    ["local p = require 'postmulti' p.opne()"] = "1: the module postmulti has no field 'opne'; did you mean open?",
    ["local h = require('postmulti').open() h:creat {}"] =
      "1: an object of kind host has no field 'creat'; did you mean create?",
    ["local h = require 'postmulti'.opne() h:create {}"] =
      "1: the module postmulti has no field 'opne'; did you mean open?",
    ["local p = require 'postmulti' local h = p.open() h:creat {}"] =
      "1: an object of kind host has no field 'creat'; did you mean create?",
    ["local p = require 'postmulti' local h = p.open() h.primary:enabel()"] =
      "1: an object of kind instance has no field 'enabel'; did you mean enable?",
    ["return { after_create = function(event) print(event.instanse) end }"] =
      "1: an object of kind event has no field 'instanse'; did you mean instance?",
    ["local p = require 'postmulti' local h = p.open { dryrun = true, log = print }"] =
      "1: open has no field 'dryrun'; did you mean dry_run?",
    ["local p = require 'postmulti' local h = p.open() h:create {\n name = print { gruop = 1 },\n gruop = 'x' }"] =
      "3: create has no field 'gruop'; did you mean group?",
    ["local p = require 'postmulti' local h = p.open() for i in h:instances({ runing = true }) do print(i) end"] =
      "1: instances has no field 'runing'; did you mean running?",
    ["return { after_create = function(event) event.instance:run { 'x', '=', timeout = 5 } end }"] =
      "1: run has no field 'timeout'; did you mean time_limit?",
    ["return { after_create = function(event) event.instance:assign { grp = 'x' } end }"] =
      "1: assign has no field 'grp'; did you mean group?",
    ["local p = require 'postmulti' local h = p.open() for i in h:instances() do print(i.nam) end"] =
      "1: an object of kind instance has no field 'nam'; did you mean name?",
  } do
    it("finds: " .. text, function()
      assert.same({ wanted }, check(text))
    end)
  end

  it("counts lines through loops, functions and long gaps", function()
    local text = ("local t = {}\n"):rep(100) .. "for i = 1, 3 do\n\n\n if t[i] then\n undefined_one(i)\n end\n end\n"
      .. ("\n"):rep(500) .. "undefined_two()"
    assert.same({ "105: there is no global 'undefined_one'", "608: there is no global 'undefined_two'" }, check(text))
  end)

  it("is content with the programs of this project", function()
    local pipe = assert(io.popen "ls examples/*.lua examples/*/*.lua lua/postmulti/*.lua")
    for path in pipe:lines() do
      local file = assert(io.open(path))
      assert.same({}, check(file:read "a"), path)
      file:close()
    end
    pipe:close()
  end)
end)

describe("the nearest word", function()
  local nearest = require "postmulti.nearest"
  for word, wanted in pairs {
    crate = "create", careate = "create", time = "time_limit", timeout = "time_limit", queue = "queue_directory",
    x = false, xy = false, ab = "abc", zzzzzz = false,
  } do
    it("of " .. word, function()
      local known = { "abc", "create", "destroy", "queue_directory", "time_limit", "_G" }
      assert.equal(wanted, nearest.word(word, known) or false)
    end)
  end
end)
