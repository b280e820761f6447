-- The reference pages say what the code has, and nothing else: names, types, kinds of errors.

local arguments = require "postmulti.arguments"
local hooks = require "postmulti.hooks"

local function read(path)
  local file = assert(io.open(path))
  local text = file:read "a"
  file:close()
  return text
end

---The body of a function that begins after a line: up to "end" at the margin.
local function body_after(lines, index)
  local found = {}
  for at = index + 1, #lines do
    if lines[at] == "end" then
      break
    end
    found[#found + 1] = lines[at]
  end
  return table.concat(found, "\n")
end

---Add the public functions of a class, with their comments: those that are not marked as the library's own.
local function functions(found, path, class)
  local comment, lines = {}, {}
  for line in io.lines(path) do
    lines[#lines + 1] = line
  end
  for index, line in ipairs(lines) do
    local name, parameters = line:match("^function " .. class .. "[:.]([%w_]+)(%b())")
    local text = table.concat(comment, "\n")
    if name and not text:find "%-%-%-@p[ar][ic][vk]a" and not name:find "^__" then
      found[name] = { comment = text, parameters = parameters, body = body_after(lines, index) }
    end
    if line:find "^%-%-%-" then
      comment[#comment + 1] = line
    else
      comment = {}
    end
  end
  return found
end

---The fields of a class, and their types as the page has them.
local function fields(path, class)
  local found = {}
  local text = read(path):match("@class postmulti%." .. class .. "%f[%W][^\n]*\n(.-)\n[^-]")
  for name, kind in (text .. "\n"):gmatch "%-%-%-@field ([%w_]+) ([^\n]+)" do
    kind = kind:gsub("^%((fun%b()).*", "%1"):gsub("^fun.*", "function"):gsub("^integer", "number")
    if kind:find "^postmulti%.Kind" then
      kind = "string"
    elseif kind:find "^postmulti%." or kind:find "^table" or kind:find "^%S-%[%]" then
      kind = "table"
    end
    found[name] = kind:match "^%a+"
  end
  return found
end

local API, HOOKS = read "docs/api.md", read "docs/man/postmulti-hooks.7"

---The rows of a table of fields, which follows a line of the page.
local function rows(after)
  local from = assert(select(2, API:find(after, 1, true)), after)
  local found = {}
  local text = API:sub(from + 1):match "\n\n| | | |\n|%-%-%-|%-%-%-|%-%-%-|\n(.-)\n\n"
  for name, kind in (text .. "\n"):gmatch "| `([%w_]+)` | (%a+) |[^\n]*\n" do
    found[name] = kind
  end
  return found
end

---The row of a function: what is said of errors.
local function row(file, name)
  for line in API:gmatch "[^\n]+" do
    local found, cells = line:match("^| `" .. file .. "[:.]([%w_]+)[^`]*` |(.*)|$")
    if found == name then
      return cells, cells:match "|([^|]*)$"
    end
  end
end

local function kinds(text, pattern)
  local found = {}
  for kind in text:gmatch(pattern) do
    found[#found + 1] = kind
  end
  table.sort(found)
  return found
end

for file, class in pairs { host = "Host", instance = "Instance", postmulti = "M" } do
  local found = functions({}, "lua/postmulti/" .. (file == "postmulti" and "init" or file) .. ".lua", class)
  if file ~= "postmulti" then
    functions(found, "lua/postmulti/inventory.lua", class)
  end

  describe("the functions of " .. file, function()
    it("are all in api.md, with the kinds of their errors", function()
      assert.is_truthy(next(found))
      for name, one in pairs(found) do
        local cells, errors = row(file, name)
        assert.is_truthy(cells, name)
        assert.same(kinds(one.comment:match "%-%-%-Raises ([^\n]+)" or "", '"([%a ]+)"'),
          kinds(errors or "", "`([%a ]+)`"), name)
      end
    end)

    it("are all that is there", function()
      for name in API:gmatch("%f[%w_]" .. file .. ":([%w_]+)") do
        assert.is_truthy(found[name], name)
      end
      for name in API:gmatch("| `" .. file .. "%.([%w_]+)[%(`]") do
        assert.is_truthy(found[name] or require("postmulti")[name], name)
      end
    end)

    it("have annotations: what they do, each parameter with its type, what they return", function()
      for name, one in pairs(found) do
        assert.is_truthy(one.comment:find "^%-%-%-[^@]", name .. ": what it does")
        for parameter in one.parameters:gmatch "[%w_.]+" do
          assert.is_truthy(one.comment:find("@param " .. parameter:gsub("%p", "%%%0") .. "%?? %S"),
            name .. ": " .. parameter)
        end
        if one.body:find "%f[%w]return [^\n]" then
          assert.is_truthy(one.comment:find "@return %S", name .. ": @return")
        else
          assert.is_nil(one.comment:find "@return", name .. ": it returns nothing")
        end
      end
    end)

    it("raise kinds of errors that there are", function()
      local known = read "lua/postmulti/errors.lua"
      for name, one in pairs(found) do
        for _, kind in ipairs(kinds(one.comment:match "%-%-%-Raises ([^\n]+)" or "", '"([%a ]+)"')) do
          assert.is_truthy(known:find('---| "' .. kind .. '"', 1, true), name .. ": " .. kind)
        end
      end
    end)
  end)
end

describe("the reference", function()
  it("has the functions of the module", function()
    for name in pairs(require "postmulti") do
      assert.is_truthy(API:find("`postmulti." .. name, 1, true), name)
    end
  end)

  it("has every kind of error, and no other", function()
    local known = {}
    for kind in read("lua/postmulti/errors.lua"):gmatch '%-%-%-| "([%w ]+)"' do
      known[kind] = true
      assert.is_truthy(API:find("\n| `" .. kind .. "` |", 1, true), kind)
    end
    for kind in API:match("| kind | |\n(.-)\n\n"):gmatch "| `([^`]+)` |" do
      assert.is_true(known[kind], kind)
    end
  end)

  for class, place in pairs {
    OpenOptions = { "inventory.lua", "The options of `open`, none of which must be given:", { core = true } },
    Filter = { "host.lua", "A filter has any of these:", {} },
    CreateArgs = { "host.lua", "The arguments of `create`, and but for the queue and data directory of `import`:", {} },
    Instance = { "inventory.lua", "object or program, is in its fields once the host has read it.", {} },
    Command = { "host.lua", "Beside the list it may have:", {} },
    Exit = { "../../docs/core.lua", "The result:", {} },
    Error = { "errors.lua", "`tostring` gives the message.", {} },
  } do
    it("has the fields of " .. class .. " with their types", function()
      local wanted = fields("lua/postmulti/" .. place[1], class)
      for name in pairs(place[3]) do
        wanted[name] = nil
      end
      assert.same(wanted, rows(place[2]))
    end)
  end

  it("and the check of arguments has the same", function()
    for what, class in pairs { open = "OpenOptions", instances = "Filter", create = "CreateArgs", run = "Command" } do
      local file = what == "open" and "inventory" or "host"
      assert.same(fields("lua/postmulti/" .. file .. ".lua", class), arguments.known[what], what)
    end
  end)

  it("has the phases, the actions, the fields of an event, of a command, of config.lua", function()
    for _, list in ipairs { hooks.actions, hooks.fields } do
      for _, word in ipairs(list) do
        assert.is_truthy(HOOKS:find("%f[%w_]" .. word .. "%f[^%w_]"), word)
      end
    end
    for _, class in ipairs { "Config", "SiteCommand", "CommandOption", "WordsContext", "CommandContext" } do
      for name in pairs(fields("lua/postmulti/site.lua", class)) do
        assert.is_truthy(HOOKS:find("%f[%w_]" .. name .. "%f[^%w_]"), name)
      end
    end
  end)

  it("tells of hooks what there is, and no more", function()
    local known = { Ar = true }
    for _, key in ipairs(hooks.keys) do
      known[key] = true
    end
    for key in HOOKS:gmatch "%f[%w_][bau][enf][ftd]%l*_%l+" do
      assert.is_true(known[key], key)
    end
    for name in HOOKS:gmatch "event%.(%l+)" do
      assert.is_truthy(table.concat(hooks.fields, " "):find(name, 1, true), name)
    end
    local methods = functions(functions({}, "lua/postmulti/host.lua", "Host"), "lua/postmulti/inventory.lua", "Host")
    functions(methods, "lua/postmulti/instance.lua", "Instance")
    for name in HOOKS:gmatch "[%w_]+:([%l_]+)%f[%W]" do
      assert.is_truthy(methods[name], name)
    end
  end)
end)

describe("the manual page of the API", function()
  it("says what api.md says", function()
    local pipe = assert(io.popen "build/postmulti-lua scripts/manual docs/api.md")
    local page = pipe:read "a"
    assert.is_true(pipe:close())
    local words = page:gsub("\\e", "\\"):gsub("\\&", ""):gsub("\\%(dq", '"'):gsub("\\ ", " "):gsub("%s+", " ")
    local function require_words(text)
      text = text:gsub("`", ""):gsub("%s+", " "):gsub("^ ", ""):gsub(" $", "")
      assert.is_truthy(words:find(text, 1, true), text)
    end
    local count = 0
    for paragraph in (API:gsub("^.-%-%->\n# [^\n]*\n", "") .. "\n"):gmatch "(.-)\n\n" do
      count = count + 1
      if paragraph:find "^\n?|" then
        for cell in paragraph:gsub("^.-\n|[-|]+\n", ""):gmatch "|%s*([^|\n]+)" do
          require_words(cell:gsub("`, `", ", "))
        end
      elseif not paragraph:find "^#" and not paragraph:find "```" then
        require_words(paragraph)
      end
    end
    assert.is_true(count > 30)
    for block in API:gmatch "```lua\n(.-)```" do
      for line in block:gmatch "[^\n]+" do
        require_words(line)
      end
    end
  end)
end)
