-- 40-archive.lua - keep the configuration of an instance that is destroyed

local ARCHIVE = "/var/backups/postmulti"

local files = {} -- by configuration directory

return {
  summary = "archive the configuration before destroy",
  time_limit = 120,

  before_destroy = function(event)
    local instance = event.instance
    local file = ("%s/%s-%s.tar.gz"):format(ARCHIVE, (instance:label():gsub("/", "-")), os.date "%Y%m%d-%H%M%S")
    event.host:make_directory(ARCHIVE, { mode = tonumber("700", 8) })
    files[instance.config_directory] = file
    local exit = instance:run { "tar", "-czf", file, "-C", instance.config_directory, ".", capture = true }
    if exit.status ~= 0 then error("the configuration cannot be archived: " .. exit.stderr) end
  end,

  -- An instance that is still there needs no archive.
  undo_destroy = function(event) event.host:remove_file(files[event.instance.config_directory]) end,
}
