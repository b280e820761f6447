#!/usr/bin/env postmulti-lua
-- queue-report.lua - how much mail waits in which instance, as JSON and as a text file for Prometheus' node exporter
--
-- Usage: queue-report.lua [FILE.json [FILE.prom]]          (absolute paths; without files: JSON to standard output)
-- From cron, as: queue-report.lua /var/lib/postmulti-report/queues.json /var/lib/node-exporter/postfix.prom
-- An instance that cannot be looked at is in the report with the reason, and makes the exit status 1.

local postmulti = require "postmulti"
local json_file, prometheus_file = ...
local host = postmulti.open()
local rows, is_well = {}, true

for instance in host:instances() do
  local row = { instance = instance:label() }
  local ok, problem = pcall(function()
    row.queues, row.running = instance:queue_counts(), instance:is_running()
  end)
  if not ok then
    row.error, is_well = tostring(problem), false
  end
  rows[#rows + 1] = row
end

local function prometheus()
  local messages = { "# HELP postfix_queue_messages Messages in a queue.\n# TYPE postfix_queue_messages gauge\n" }
  local up = { "# HELP postfix_up Whether the instance runs.\n# TYPE postfix_up gauge\n" }
  for _, row in ipairs(rows) do
    for _, queue in ipairs(row.queues and { "maildrop", "incoming", "active", "deferred", "hold", "corrupt" } or {}) do
      messages[#messages + 1] = ('postfix_queue_messages{instance="%s",queue="%s"} %d\n'):format(row.instance, queue,
        row.queues[queue])
    end
    up[#up + 1] = ('postfix_up{instance="%s"} %d\n'):format(row.instance, row.running and 1 or 0)
  end
  return table.concat(messages) .. table.concat(up)
end

-- Whole or not at all: a reader never finds half a file.
local text = postmulti.json(rows) .. "\n"
if json_file then
  host:write_file(json_file, text)
else
  io.write(text)
end
if prometheus_file then
  host:write_file(prometheus_file, prometheus())
end
os.exit(is_well)
