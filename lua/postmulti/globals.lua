-- postmulti.globals - what the stock postmulti(1) process knows of the primary, and when
--
-- Postfix's own program evaluates the parameters of the primary one after the
-- other, and a $name in a value sees what main.cf sets, and of the built-in
-- defaults only those evaluated before. Everything else is empty:
-- "multi_instance_group = g$smtp_host_lookup" is the group "g". A value that
-- the process evaluates and cannot accept stops it, whatever it was asked to do.
--
-- The tables were found by observing Postfix 3.7.11, with
-- tests/compat/probe_globals, which finds them again for another release: each
-- parameter whose value can be seen (in the output, in the environment of -x,
-- in a message) was set to an expression that asks for every built-in name.

local M = {}

---One step of the start: parameters of one type that see the defaults of all steps with a lower number.
---@class postmulti.Step
---@field [1] integer  number of the step
---@field [2] string   type, see the checks in postmulti.parameters
---@field [3] string   name of a parameter; further ones follow
---@field min integer?
---@field max integer?

---@type postmulti.Step[]
M.steps = {
  { 0, "level", "compatibility_level" },
  { 1, "text", "mail_version" },
  { 1, "string", "config_directory" },
  { 1, "facility", "syslog_facility" },
  { 2, "protocols", "inet_protocols" },
  { 3, "string", "multi_instance_directories", "multi_instance_group", "multi_instance_name" },
  { 3, "text", "maillog_file_compressor", "maillog_file_prefixes", "maillog_file_rotate_suffix",
    "postlog_service_name" },
  { 3, "maillog", "maillog_file" },
  { 4, "boolean", "daemon_table_open_error_is_fatal", "dns_ncache_ttl_fix_enable", "enable_idna2003_compatibility",
    "respectful_logging", "smtputf8_enable" },
  { 4, "string", "dnssec_probe", "known_tcp_ports" },
  { 5, "domain", "mydomain", "myhostname" },
  { 6, "text", "mail_name" },
  { 7, "text", "syslog_name" },
  { 8, "account", "mail_owner" },
  { 9, "account", "setgid_group" },
  { 10, "string", "mydestination" },
  { 10, "origin", "myorigin" },
  { 11, "text", "daemon_directory" },
  { 11, "string", "relayhost" },
  { 12, "text", "data_directory" },
  { 13, "text", "command_directory" },
  { 14, "text", "meta_directory" },
  { 15, "text", "queue_directory" },
  { 16, "text", "shlib_directory" },
  { 17, "text", "address_verify_service_name", "bounce_service_name", "cleanup_service_name", "default_database_type",
    "defer_service_name", "double_bounce_sender", "error_service_name", "flush_service_name", "hash_queue_names",
    "info_log_address_format", "mail_release_date", "pickup_service_name", "process_id_directory",
    "proxymap_service_name", "proxywrite_service_name", "queue_service_name", "rewrite_service_name",
    "showq_service_name", "smtputf8_autodetect_classes", "trace_service_name" },
  { 17, "string", "alias_database", "alternate_config_directories", "debug_peer_list",
    "default_delivery_status_filter", "export_environment", "fast_flush_domains", "import_environment",
    "inet_interfaces", "internal_mail_filter_classes", "message_drop_headers", "multi_instance_wrapper",
    "parent_domain_matches_subdomains", "proxy_interfaces", "recipient_delimiter", "relay_domains" },
  { 17, "number", "berkeley_db_create_buffer_size", "berkeley_db_read_buffer_size", "debug_peer_level",
    "default_process_limit", "deliver_lock_attempts", "fork_attempts", "hash_queue_depth",
    "header_address_token_limit", "header_size_limit", "max_use", "mime_boundary_length_limit", "mime_nesting_limit",
    min = 1, max = 0x7fffffff },
  { 17, "number", "dont_remove", "fault_injection_code", "tcp_windowsize", min = -0x80000000, max = 0x7fffffff },
  { 17, "number", "delay_logging_resolution_limit", min = -0x80000000, max = 6 },
  { 17, "number", "line_length_limit", min = 512, max = 0x7fffffff },
  { 17, "number", "lmdb_map_size", min = 1, max = math.maxinteger },
  { 17, "number", "message_size_limit", min = math.mininteger, max = math.maxinteger },
  { 17, "account", "default_privs" },
  { 17, "verp", "default_verp_delimiters", "verp_delimiter_filter" },
  { 17, "style", "mynetworks_style" },
  { 17, "boolean", "disable_dns_lookups", "soft_bounce" },
  { 18, "boolean", "address_verify_negative_cache", "backwards_bounce_logfile_compatibility",
    "disable_mime_input_processing", "disable_mime_output_conversion", "helpful_warnings", "owner_request_special",
    "send_cyrus_sasl_authzid", "strict_7bit_headers", "strict_8bitmime", "strict_8bitmime_body",
    "strict_mime_encoding_domain" },
  { 19, "boolean", "multi_instance_enable" },
  { 20, "boolean", "enable_long_queue_ids", "enable_original_recipient", "strict_smtputf8" },
  { 20, "time", "application_event_drain_time", "daemon_timeout", "deliver_lock_delay", "fork_delay", "ipc_idle",
    "ipc_timeout", "ipc_ttl", "max_idle", "stale_lock_time", "trigger_timeout", min = 1, max = 0x7fffffff },
  { 20, "time", "in_flow_delay", min = 0, max = 10 },
  { 20, "string", "mynetworks" },
  { 21, "string", "postmulti_start_commands" },
  { 22, "string", "postmulti_stop_commands" },
  { 23, "string", "postmulti_control_commands" },
}

---Parameters whose default was fixed when Postfix was built; core.build has them.
---@type table<string, true>
M.built = {
  command_directory = true, daemon_directory = true, data_directory = true, mail_owner = true, meta_directory = true,
  queue_directory = true, setgid_group = true, shlib_directory = true,
}

---Built-in defaults that are the same in every release.
---@type table<string, string>
M.defaults = {
  alternate_config_directories = "",
  compatibility_level = "0",
  default_privs = "nobody",
  default_verp_delimiters = "+=",
  inet_protocols = "all",
  mail_name = "Postfix",
  maillog_file = "",
  maillog_file_prefixes = "/var, /dev/stdout",
  multi_instance_directories = "",
  multi_instance_enable = "no",
  multi_instance_group = "",
  multi_instance_name = "",
  multi_instance_wrapper = "",
  mydestination = "$myhostname, localhost.$mydomain, localhost",
  myorigin = "$myhostname",
  postlog_service_name = "postlog",
  postmulti_control_commands = "reload flush",
  postmulti_start_commands = "start",
  postmulti_stop_commands = "stop abort drain quick-stop",
  process_id_directory = "pid",
  syslog_facility = "mail",
  syslog_name = "${multi_instance_name?{$multi_instance_name}:{postfix}}",
  verp_delimiter_filter = "-=+",
}

---Parameters whose value postconf(1) -x leaves as it is: the program that uses them expands them in its own way.
---@type table<string, true>
M.raw = {
  command_execution_directory = true, default_rbl_reply = true, forward_path = true, luser_relay = true,
  mailbox_command = true, postscreen_expansion_filter = true, postscreen_reject_footer = true,
  smtpd_expansion_filter = true, smtpd_reject_footer = true,
}

return M
