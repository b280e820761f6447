-- what another program has changed while it ran
local core = require "postmulti.core"
local watch = require "postmulti.watch"

describe("a watch", function()
  local directory

  local function path(name) return directory .. "/" .. name end

  local function write(name, text, age)
    local file = assert(io.open(path(name), "w"))
    file:write(text)
    file:close()
    if age then
      assert(core.run { "touch", "-d", ("-%d seconds"):format(age), path(name) })
    end
  end

  before_each(function()
    directory = os.tmpname()
    os.remove(directory)
    assert(core.make_path(directory))
    for index = 1, 4 do
      write("old" .. index, "text" .. index, 100)
      write("new" .. index, "text" .. index)
    end
  end)

  after_each(function()
    core.remove_tree(directory:match "^(.*)/", directory:match "[^/]+$")
  end)

  it("sees nothing where nothing was done", function()
    local one = watch.new(core, { path "old1", path "new1", path "none", path "old1" })
    assert.are.same({}, one:changed())
  end)

  it("sees what was written, made, removed and replaced, in the order given", function()
    local one = watch.new(core, { path "old2", path "old1", path "none", path "old3", path "old4", path "new1" })
    write("old1", "more text")
    write("none", "")
    os.remove(path "old3")
    assert(core.create_file(path "old4", "text4", { replace = true, times_from = path "old1" }))
    assert.are.same({ path "old1", path "none", path "old3", path "old4" }, one:changed())
  end)

  it("sees a fresh file rewritten in place within one tick of the clock, as long as before", function()
    local one = watch.new(core, { path "new1", path "new2" })
    assert(core.run { "cp", "-p", path "new2", path "reference" })
    write("new2", "TEXT2")
    assert(core.run { "touch", "-r", path "reference", path "new2" })
    assert.are.same({ path "new2" }, one:changed())
  end)
end)
