#!/usr/bin/env postmulti-lua
-- clone.lua - a new instance with the settings and services of another, its tables included
--
-- Usage: clone.lua INSTANCE NEW-NAME

local postmulti = require "postmulti"
local from, name = ...
if not name then error { message = "usage: clone.lua INSTANCE NEW-NAME" } end

-- What makes an instance itself, and must not be copied.
local OWN = {
  multi_instance_name = true, multi_instance_enable = true, queue_directory = true, data_directory = true,
  multi_instance_directories = true, multi_instance_wrapper = true, alternate_config_directories = true,
}

local host = postmulti.open { log = print }
local source = host:instance(from)
source:check()

host:transaction(function()
  local new = host:create { name = name, group = source.group }
  local settings = {}
  for parameter, value in pairs(source:settings()) do
    if not OWN[parameter] then
      -- Files beside the other's main.cf are looked for beside the new one's.
      settings[parameter] = value:gsub(source.config_directory:gsub("%p", "%%%0") .. "/", "$config_directory/")
    end
  end
  new:set(settings)
  new:copy_file(source.config_directory .. "/master.cf", "master.cf")
  for _, entry in ipairs(host:list_directory(source.config_directory)) do
    if entry.type == "file" and entry.name ~= "main.cf" and entry.name ~= "master.cf" then
      new:copy_file(source.config_directory .. "/" .. entry.name, entry.name)
    end
  end
end)
