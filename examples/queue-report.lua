#!/usr/bin/env postmulti-lua
-- queue-report.lua - how much mail waits in which instance, as JSON and as a text file for Prometheus' node exporter
--
-- Usage: queue-report.lua [FILE.json [FILE.prom]]          (without files: JSON to standard output)
-- From cron, as: queue-report.lua /var/lib/postmulti-report/queues.json /var/lib/node-exporter/postfix.prom

local postmulti = require "postmulti"
local json_file, prometheus_file = ...
local host = postmulti.open()
local QUEUES = { "maildrop", "incoming", "active", "deferred", "hold", "corrupt" }

local json, metrics = {}, {
  "# HELP postfix_queue_messages Messages in a queue.\n# TYPE postfix_queue_messages gauge\n",
  "# HELP postfix_up Whether the instance runs.\n# TYPE postfix_up gauge\n",
}
for instance in host:instances { damaged = false } do
  local counts, fields = instance:queue_counts(), {}
  local label = instance:label()
  for index, queue in ipairs(QUEUES) do
    fields[index] = ('"%s":%d'):format(queue, counts[queue])
    metrics[1] = metrics[1] .. ('postfix_queue_messages{instance="%s",queue="%s"} %d\n'):format(label, queue,
      counts[queue])
  end
  json[#json + 1] = ('{"instance":"%s","running":%s,%s}'):format(label, tostring(instance:is_running()),
    table.concat(fields, ","))
  metrics[2] = metrics[2] .. ('postfix_up{instance="%s"} %d\n'):format(label, instance:is_running() and 1 or 0)
end

-- Whole or not at all: a reader never finds half a file.
local text = "[" .. table.concat(json, ",\n") .. "]\n"
if json_file then
  host:write_file(json_file, text)
else
  io.write(text)
end
if prometheus_file then
  host:write_file(prometheus_file, table.concat(metrics))
end
