std = "lua54"
max_line_length = 120
files["tests"] = { std = "+busted" }
files["docs/core.lua"] = { ignore = { "211", "212", "241", "231", "241", "631" } }
