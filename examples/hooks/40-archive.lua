-- 40-archive.lua - keep the configuration of an instance that is destroyed

local ARCHIVE = "/var/backups/postmulti"

local function file(event)
  return ("%s/%s.tar.gz"):format(ARCHIVE, event.instance:label():gsub("/", "-"))
end

return {
  summary = "archive the configuration before destroy",
  time_limit = 120,

  before_destroy = function(event)
    event.host:make_directory(ARCHIVE, { mode = tonumber("700", 8) })
    local exit = event.instance:run {
      "tar", "-czf", file(event), "-C", event.instance.config_directory, ".", capture = true,
    }
    if exit.status ~= 0 then error("the configuration cannot be archived: " .. exit.stderr) end
  end,

  -- An instance that is still there needs no archive.
  undo_destroy = function(event) event.host:remove_file(file(event)) end,
}
