-- hazards.lua - what the stock command does badly is in the name of each case, what ours does is in its assertions
--
-- H: postmulti; C: the files that it edits; P: permissions, processes, packages. The stock outcomes are of Postfix 3.7.

local function parallel(host, format, count)
  local words = {}
  for index = 1, count do
    words[index] = format:gsub("%%", tostring(index)) .. " & p" .. index .. "=$!"
  end
  for index = 1, count do
    words[#words + 1] = ("wait $p%d; echo %d $? >>/run/sandbox/statuses"):format(index, index)
  end
  host:sh("rm -f /run/sandbox/statuses\n" .. table.concat(words, "\n"))
  local _, good = host:read("/run/sandbox/statuses"):gsub("%d+ 0\n", "")
  return good
end

---Start a secondary: only an enabled one is started.
local function start(host, name)
  host:ok(("postmulti -i %s -e enable; postmulti -i %s -p start; postmulti -i %s -e disable"):format(name, name, name))
end

---Everything in some directories, but times.
local function picture(host, paths)
  return host:sh("find " .. paths .. " -printf '%p %y %m %U:%G %s %l\n' | sort; find " .. paths
    .. " -type f -exec md5sum {} + | sort").out
end

return {
  { "H1: four creates at once leave one registered", function(host)
    host:with()
    host:same(4, parallel(host, "postmulti -I postfix-c% -e create", 4), "successes")
    local _, count = host:listed():gsub("/etc/postfix%-c%d", "")
    host:same(4, count, "instances")
  end },

  { "H2: one name given to two instances at once, and every command fails from then on", function(host)
    host:with("a", "b")
    local good = parallel(host, "postmulti -i $(echo ab | cut -c%) -I postfix-z -e assign", 2)
    host:same(1, good, "successes")
    host:ok "postmulti -l"
  end },

  { "H3: a damaged secondary keeps the primary from being started, and cannot be deported", function(host)
    host:with("in")
    host:ok "rm /etc/postfix-in/main.cf"
    host:ok "postmulti -i - -p start"
    host:ok "postmulti -i - -p status"
    host:ok "postfix -c /etc/postfix stop"
    host:ok "postmulti -i /etc/postfix-in -e deport"
    host:same("/etc/postfix", host:listed())
  end },

  { "H4: destroy with mail in the queue, exit status 0, the mail orphaned", function(host)
    host:with("in")
    host:ok "echo m >/var/spool/postfix-in/maildrop/1; mkdir -p /var/spool/postfix-in/deferred/A/B"
    host:ok "echo m >/var/spool/postfix-in/deferred/A/B/2; echo m >/var/spool/postfix-in/deferred/3"
    local before = picture(host, "/etc/postfix* /var/spool/postfix-in")
    host:refused("postmulti -i in -e destroy", "1 in maildrop, 2 in deferred")
    host:same(before, picture(host, "/etc/postfix* /var/spool/postfix-in"))
  end },

  { "H4b: mail in hold, active, incoming, corrupt or saved is orphaned, too", function(host)
    host:with("in")
    for _, queue in ipairs { "hold", "active", "incoming", "corrupt", "saved" } do
      host:ok("echo m >/var/spool/postfix-in/" .. queue .. "/1")
      host:refused("postmulti -i in -e destroy", "1 in " .. queue)
      host:ok("rm /var/spool/postfix-in/" .. queue .. "/1")
    end
    host:ok "postmulti -i in -e destroy"
    host:same("/etc/postfix", host:listed())
  end },

  { "H5: destroy of a running instance whose queue_directory was changed", function(host)
    host:with("in")
    start(host, "in")
    host:ok "cp -a /var/spool/postfix-in /var/spool/postfix-other; rm -f /var/spool/postfix-other/pid/*"
    host:ok "postconf -c /etc/postfix-in -e queue_directory=/var/spool/postfix-other"
    host:refused("postmulti -i in -e destroy", "is running")
    host:matches(host:listed(), "/etc/postfix%-in")
    host:ok "postconf -c /etc/postfix-in -e queue_directory=/var/spool/postfix-in; postfix -c /etc/postfix-in stop"
  end },

  { "H6: a main.cf that Postfix cannot use reads as stopped, and deport goes ahead", function(host)
    host:with("in")
    start(host, "in")
    host:ok "sed -i 's/^master_service_disable.*/default_process_limit = many/' /etc/postfix-in/main.cf"
    host:refused("postmulti -i in -e deport", "is running")
    host:refused("postmulti -i in -e destroy", "is running")
    host:ok "sed -i '/^default_process_limit/d' /etc/postfix-in/main.cf; postfix -c /etc/postfix-in stop"
  end },

  { "H7: create replaces a main.cf that stands alone", function(host)
    host:with()
    host:ok "mkdir /etc/postfix-in; echo '# mine' >/etc/postfix-in/main.cf"
    host:refused("postmulti -I postfix-in -e create", "/etc/postfix%-in/main.cf exists")
    host:same("# mine\n", host:read "/etc/postfix-in/main.cf")
  end },

  { "H8: create ignores the directories given when main.cf and master.cf exist", function(host)
    host:with("in")
    host:ok "postmulti -i in -e deport"
    host:refused("postmulti -I postfix-in -e create queue_directory=/var/spool/else", "queue_directory")
    host:same("/etc/postfix", host:listed())
  end },

  { "H9: a create that was killed leaves half an instance, which create refuses from then on", function(host)
    host:with()
    for _, call in ipairs { "mkdirat", "renameat", "fchown", "unlinkat" } do
      for when = 1, 7, 3 do
        host:sh(("strace -f -qqq -o /dev/null -e trace=%s -e inject=%s:signal=KILL:when=%d "
          .. "postmulti -I postfix-in -e create"):format(call, call, when))
        -- as before, or as after; the same again does it
        if not host:listed():find "postfix%-in" then
          host:ok "postmulti -I postfix-in -e create"
        end
        host:ok "postfix -c /etc/postfix-in check"
        host:ok "postmulti -i in -e destroy"
        host:same("", host:sh("ls -d /etc/postfix-in /var/spool/postfix-in /var/lib/postfix-in "
          .. "/var/lib/postmulti/etc-postfix/journal /etc/postfix*/*.tmp 2>/dev/null").out, "left")
      end
    end
  end },

  { "H10: a blank in a path, and other directories are touched", function(host)
    host:with()
    local before = picture(host, "/etc/postfix*")
    host:refused("postmulti -I postfix-a -e create 'config_directory=/etc/postfix a'", "config_directory")
    host:same(before, picture(host, "/etc/postfix*"))
  end },

  { "H11: a comma in a path is registered as two directories, and every command fails", function(host)
    host:with()
    host:refused("postmulti -I postfix-c -e create config_directory=/etc/postfix-c,x", "config_directory")
    host:same("/etc/postfix", host:listed())
  end },

  { "H12: values of the primary are copied with references that mean nothing in the secondary", function(host)
    host:with()
    host:append("/etc/postfix/main.cf", "mydaemons = /usr/lib/postfix/sbin\ndaemon_directory = $mydaemons\n")
    host:ok "postmulti -I postfix-in -e create"
    host:same("/usr/lib/postfix/sbin", host:say "postconf -c /etc/postfix-in -xh daemon_directory")
    host:ok "postfix -c /etc/postfix-in check"
  end },

  { "H13: another spelling of a directory, and two instances share a queue", function(host)
    host:with()
    for _, path in ipairs { "/var/spool/../spool/postfix", "/var//spool/postfix", "/var/spool/postfix/" } do
      host:refused("postmulti -I postfix-in -e create queue_directory=" .. path, "queue_directory")
    end
    host:ok "ln -s /var/spool/postfix /var/spool/same"
    host:refused("postmulti -I postfix-in -e create queue_directory=/var/spool/same", "same directory")
    host:ok "rm /var/spool/same"
    host:same("/etc/postfix", host:listed())
  end },

  { "H14: a primary's queue_directory with a final slash, and the new queue lies within it", function(host)
    host:with()
    host:append("/etc/postfix/main.cf", "queue_directory = /var/spool/postfix/\n")
    host:ok "postmulti -I postfix-in -e create"
    host:same("/var/spool/postfix-in", host:say "postconf -c /etc/postfix-in -h queue_directory")
  end },

  { "H15: init glues its line to a last line without newline", function(host)
    host:append("/etc/postfix/main.cf", "maillog_file = /var/log/postfix.log")
    host:ok "postmulti -e init"
    host:matches(host:read "/etc/postfix/main.cf", "\nmaillog_file = /var/log/postfix.log\n")
    host:matches(host:read "/etc/postfix/main.cf", "\nmulti_instance_wrapper = ")
  end },

  { "H16: mode 0640 and group of main.cf become 0644 root:root", function(host)
    host:with("in")
    host:ok "chgrp postfix /etc/postfix-in/main.cf; chmod 640 /etc/postfix-in/main.cf"
    host:ok "postmulti -i in -e enable; postmulti -i in -G out -e assign; postmulti -i in -e disable"
    host:same("root:postfix 640 regular file", host:modes "/etc/postfix-in/main.cf")
    host:ok "postmulti -i in -e deport; postmulti -I postfix-new -e import config_directory=/etc/postfix-in"
    host:same("root:postfix 640 regular file", host:modes "/etc/postfix-in/main.cf")
  end },

  { "H17: a main.cf that is a link becomes a file, and its target stale", function(host)
    host:with("in")
    host:ok "mv /etc/postfix-in/main.cf /etc/postfix-in.cf; ln -s ../postfix-in.cf /etc/postfix-in/main.cf"
    host:ok "postmulti -i in -e enable"
    host:same("../postfix-in.cf", host:say "readlink /etc/postfix-in/main.cf")
    host:matches(host:read "/etc/postfix-in.cf", "multi_instance_enable = yes\n")
  end },

  { "H18: import replaces references in main.cf by values, 15 lines", function(host)
    host:with("in")
    host:ok "postmulti -i in -e deport"
    host:ok "postconf -c /etc/postfix-in -e 'queue_directory = /var/spool/$multi_instance_name'"
    local before = host:read "/etc/postfix-in/main.cf"
    host:ok "postmulti -I postfix-in -e import"
    host:same(before, host:read "/etc/postfix-in/main.cf", "main.cf")
  end },

  { "H19: with the primary disabled every command but init fails", function(host)
    host:with("in")
    host:ok "postmulti -i - -e disable"
    host:ok "postmulti -l"
    host:ok "postmulti -i - -e enable"
  end },

  { "H20: a secondary that is disabled but runs is passed over in silence", function(host)
    host:with("in")
    start(host, "in")
    host:sh "postmulti -i in -p stop"
    -- whatever stop does, a running one is neither deported nor destroyed
    if host:sh("postmulti -i in -p status").status == 0 then
      host:refused("postmulti -i in -e destroy", "is running")
      host:ok "postfix -c /etc/postfix-in stop"
    end
  end },

  { "H21: no message when standard error is a file", function(host)
    host:refused("postmulti -i nobody -e enable", "^postmulti: fatal: .*nobody")
    host:refused("postmulti -e create", "^postmulti: fatal: ")
  end },

  { "H22: the exit status tells nothing", function(host)
    host:with("in")
    -- 3: changed, but not known to be on disk (the directory could not be synced)
    local result = host:sh("strace -f -qqq -o /dev/null -e trace=fsync -e inject=fsync:error=EIO:when=2 "
      .. "postmulti -i in -e enable")
    host:same(3, result.status, "exit status")
    host:matches(result.err, "may not survive")
    host:matches(host:say "postmulti -l", "postfix%-in +%- +y ")
    result = host:sh("strace -f -qqq -o /dev/null -e trace=fsync -e inject=fsync:error=EIO:when=1 "
      .. "postmulti -i in -e disable")
    host:same(1, result.status, "exit status")
    host:matches(host:say "postmulti -l", "postfix%-in +%- +y ")
  end },

  { "H23: multi_instance_directories twice in main.cf", function(host)
    host:with("in")
    host:append("/etc/postfix/main.cf", "multi_instance_directories = /etc/postfix-in\n")
    host:ok "postmulti -I postfix-out -e create"
    host:same("/etc/postfix /etc/postfix-in /etc/postfix-out", host:listed())
    host:matches(host:sh("postmulti -l").err .. host:say "postconf -h multi_instance_directories",
      "/etc/postfix%-in /etc/postfix%-out")
  end },

  { "H24: parents of the data directory that the mail user cannot enter", function(host)
    host:with()
    host:ok "postmulti -I postfix-in -e create data_directory=/var/lib/postfix-a/b/c"
    host:same("root:root 755 directory", host:modes "/var/lib/postfix-a")
    host:same("root:root 755 directory", host:modes "/var/lib/postfix-a/b")
    host:same("postfix:root 700 directory", host:modes "/var/lib/postfix-a/b/c")
  end },

  { "H25: $name in multi_instance_directories keeps set-gid programs from working", function(host)
    host:with()
    host:append("/etc/postfix/main.cf", "mydirs = /etc/postfix-x\nmulti_instance_directories = $mydirs\n")
    host:ok "mkdir /etc/postfix-x; echo 'multi_instance_name = postfix-x' >/etc/postfix-x/main.cf"
    host:ok "echo 'queue_directory = /var/spool/postfix-x' >>/etc/postfix-x/main.cf"
    host:ok "echo 'data_directory = /var/lib/postfix-x' >>/etc/postfix-x/main.cf"
    host:same("/etc/postfix /etc/postfix-x", host:listed())
    host:ok "postmulti -I postfix-in -e create"
    host:matches(host:read "/etc/postfix/main.cf", "\nmulti_instance_directories = /etc/postfix%-x /etc/postfix%-in\n")
  end },

  { "C1: a line glued to a last line without newline", function(host)
    host:with()
    host:append("/etc/postfix/main.cf", "relayhost = b")
    local result = host:script 'host.primary:set { biff = "yes", zzz_mine = "9" }'
    host:same(0, result.status, result.err)
    host:matches(host:read "/etc/postfix/main.cf", "\nrelayhost = b\nzzz_mine = 9\n$")
  end },

  { "C2: a line swallowed by a comment without newline", function(host)
    host:with()
    host:append("/etc/postfix/main.cf", "# end")
    host:same(0, host:script('host.primary:set { zzz_mine = "9" }').status)
    host:matches(host:read "/etc/postfix/main.cf", "\n# end\nzzz_mine = 9\n$")
  end },

  { "C3: what follows a NUL is lost, lines are glued", function(host)
    host:with()
    host:append("/etc/postfix/main.cf", "yyy_mine = 2\0x\nxxx_mine = 3\n")
    host:same(0, host:script('host.primary:set { zzz_mine = "9" }').status)
    host:matches(host:read "/etc/postfix/main.cf", "\nyyy_mine = 2\0x\nxxx_mine = 3\nzzz_mine = 9\n$")
  end },

  { "C4: mode, owner, ACL and attributes of a file are lost", function(host)
    host:with()
    host:ok "chown postfix:mail /etc/postfix/main.cf; chmod 640 /etc/postfix/main.cf"
    local has_attributes = host:sh("setfattr -n trusted.note -v kept /etc/postfix/main.cf").status == 0
    host:same(0, host:script('host.primary:set { zzz_mine = "9" }').status)
    host:same("postfix:mail 640 regular file", host:modes "/etc/postfix/main.cf")
    if has_attributes then
      host:matches(host:say "getfattr -n trusted.note /etc/postfix/main.cf 2>/dev/null", "kept")
    end
  end },

  { "C5: a linked file is replaced, the file it leads to goes stale", function(host)
    host:with()
    host:ok "mv /etc/postfix/main.cf /etc/postfix-real.cf; ln -s ../postfix-real.cf /etc/postfix/main.cf"
    host:same(0, host:script('host.primary:set { zzz_mine = "9" }').status)
    host:same("../postfix-real.cf", host:say "readlink /etc/postfix/main.cf")
    host:matches(host:read "/etc/postfix-real.cf", "\nzzz_mine = 9\n")
  end },

  { "C6: a link at main.cf.tmp, and its target is overwritten", function(host)
    host:with()
    host:ok "echo victim >/etc/postfix-victim; chmod 600 /etc/postfix-victim"
    host:ok "ln -s ../postfix-victim /etc/postfix/main.cf.tmp"
    host:script 'host.primary:set { zzz_mine = "9" }'
    host:same("victim\n", host:read "/etc/postfix-victim")
    host:same("root:root 600 regular file", host:modes "/etc/postfix-victim")
    host:matches(host:modes "/etc/postfix/main.cf", "regular file$")
  end },

  { "C7: a lock that somebody holds is waited for without end and without a word", function(host)
    host:with()
    host:write("/run/sandbox/script.lua", 'local host = require("postmulti").open { lock_timeout = 1 }\n'
      .. 'host.primary:set { zzz_mine = "9" }\n')
    local result = host:sh(": >/etc/postfix/main.cf.tmp; flock -F /etc/postfix/main.cf.tmp sleep 8 & sleep 0.3; "
      .. "/usr/local/bin/postmulti-lua /run/sandbox/script.lua; s=$?; kill $!; exit $s")
    host:same(true, result.status ~= 0, "refused")
    host:same(true, result.seconds < 4, "in time: " .. result.seconds)
    host:matches(result.err, "process %d+")
    host:lacks(host:read "/etc/postfix/main.cf", "zzz_mine")
  end },

  { "C8: one name removed twice ends in a crash", function(host)
    host:with()
    host:append("/etc/postfix/main.cf", "zzz_mine = 9\n")
    local result = host:script 'host.primary:unset("zzz_mine", "zzz_mine")'
    host:same(0, result.status, result.err)
    host:lacks(host:read "/etc/postfix/main.cf", "zzz_mine")
  end },

  { "C9: a list that is read by one command and written by another loses updates", function(host)
    host:with()
    host:write("/run/sandbox/add.lua", [[
      local host = require("postmulti").open()
      host:transaction(function()
        local list = host.primary:get("zzz_list", { expand = false }) or ""
        host.primary:set { zzz_list = list .. " /x" .. os.getenv "N" }
      end)]])
    host:same(8, parallel(host, "N=% /usr/local/bin/postmulti-lua /run/sandbox/add.lua", 8), "successes")
    local _, count = host:read("/etc/postfix/main.cf"):match("zzz_list =([^\n]*)"):gsub("/x%d", "")
    host:same(8, count, "entries")
  end },

  { "C10: comments within a value that is replaced stay, at the wrong place", function(host)
    host:with()
    host:append("/etc/postfix/main.cf", "zzz_mine = 1\n# about 2\n  2\nyyy_mine = 3\n")
    host:same(0, host:script('host.primary:set { zzz_mine = "9" }').status)
    -- as postconf -e does it: the comment is kept, nothing of the old value is
    host:matches(host:read "/etc/postfix/main.cf", "\nzzz_mine = 9\n")
    host:matches(host:read "/etc/postfix/main.cf", "\n# about 2\n")
    host:lacks(host:read "/etc/postfix/main.cf", "\n  2\n")
  end },

  { "C11: a file is written although nothing changes", function(host)
    host:with("in")
    host:ok "postmulti -i in -e enable"
    local before = host:say "stat -c '%i %y' /etc/postfix-in/main.cf /etc/postfix/main.cf"
    host:ok "postmulti -i in -e enable; postmulti -i in -I postfix-in -e assign; postmulti -e init"
    host:same(before, host:say "stat -c '%i %y' /etc/postfix-in/main.cf /etc/postfix/main.cf")
  end },

  { "C12: the directory is not synced, so that a power cut may bring the old file back", function(host)
    host:with("in")
    host:ok "strace -y -e trace=renameat,fsync -o /run/sandbox/trace postmulti -i in -e enable"
    host:matches(host:read "/run/sandbox/trace", "fsync%(%d+</etc/postfix%-in/main.cf.tmp>.*renameat.*"
      .. "fsync%(%d+</etc/postfix%-in>%)")
  end },

  { "C13: an entry that is there twice is set twice, and stays", function(host)
    host:with("in")
    host:append("/etc/postfix-in/main.cf", "multi_instance_enable = no\nmulti_instance_enable = no\n")
    host:ok "postmulti -i in -e enable"
    host:same("yes", host:say "postconf -c /etc/postfix-in -h multi_instance_enable 2>/dev/null")
  end },

  { "C14: a name that does not exist, exit status 0 and a warning at most", function(host)
    host:with()
    local result = host:script 'io.write(tostring(host.primary:get "no_such_parameter"))'
    host:same("nil", result.out)
    host:refused("postmulti -i nosuch -x true", "no instance matches")
  end },

  { "C15: -oname=value in master.cf is changed by an edit of something else", function(host)
    host:with("in")
    host:append("/etc/postfix-in/master.cf", "mine unix - - n - - smtp\n  -osyslog_name=mine -o smtp_helo_timeout=5\n")
    local result = host:script 'host:instance("in"):edit_services { { "field", "pickup/unix/chroot", "n" } }'
    host:same(0, result.status, result.err)
    host:matches(host:read "/etc/postfix-in/master.cf",
      "\nmine unix %- %- n %- %- smtp\n  %-osyslog_name=mine %-o smtp_helo_timeout=5\n")
  end },

  { "P1: a list with commas, and shared files are given away", function(host)
    host:with("in")
    local text = host:read("/etc/postfix/main.cf")
    host:write("/etc/postfix/main.cf", (text:gsub("(multi_instance_directories = )[^\n]*",
      "%1/etc/postfix-in,/etc/postfix-b")))
    host:ok "cp -a /etc/postfix-in /etc/postfix-b; sed -i 's/postfix-in/postfix-b/' /etc/postfix-b/main.cf"
    host:ok "touch /usr/share/postfix/mark; chown daemon /usr/sbin/postqueue"
    host:ok "postmulti -I postfix-c -e create"
    host:same("daemon:postdrop", host:say "stat -c %U:%G /usr/sbin/postqueue")
    host:same("/etc/postfix /etc/postfix-in /etc/postfix-b /etc/postfix-c", host:listed())
  end },

  { "P2: a reference in the list, and shared files are given away", function(host)
    host:with("in")
    host:append("/etc/postfix/main.cf", "mydirs = /etc/postfix-in\nmulti_instance_directories = $mydirs\n")
    host:ok "chown daemon /usr/sbin/postqueue"
    host:ok "postmulti -I postfix-c -e create"
    host:same("daemon", host:say "stat -c %U /usr/sbin/postqueue")
  end },

  { "P3: permissions of an instance that is not registered yet touch shared files", function(host)
    host:with("in")
    host:ok "postmulti -i in -e deport; chown daemon /usr/sbin/postqueue"
    host:ok "postmulti -I postfix-in -e import"
    host:same("daemon", host:say "stat -c %U /usr/sbin/postqueue")
  end },

  { "P4: setting permissions rewrites main.cf", function(host)
    host:with("in")
    host:ok "postmulti -i in -e deport"
    host:append("/etc/postfix-in/main.cf", "zzz_mine = $myhostname\n")
    local before = host:say "md5sum /etc/postfix-in/main.cf"
    host:ok "postmulti -e import config_directory=/etc/postfix-in"
    host:same(before, host:say "md5sum /etc/postfix-in/main.cf")
  end },

  { "P5: a private main.cf (0600) is readable by all after import", function(host)
    host:with("in")
    host:ok "postmulti -i in -e deport; chmod 600 /etc/postfix-in/main.cf"
    host:ok "postmulti -I postfix-in -G out -e import"
    host:same("root:root 600 regular file", host:modes "/etc/postfix-in/main.cf")
  end },

  { "P6: a directory with a blank, and permissions go to other objects", function(host)
    host:with()
    host:ok "mkdir '/var/spool/postfix in' /var/spool/postfix_; touch in"
    host:refused("postmulti -I postfix-in -e create 'queue_directory=/var/spool/postfix in'", "queue_directory")
    host:same("", host:sh("ls -d /etc/postfix-in 2>/dev/null").out)
    host:ok "rm -f in"
  end },

  { "P7: a value that a shell evaluates", function(host)
    host:with()
    for _, path in ipairs { "/etc/$(touch${IFS}/run/sandbox/evil)", "/etc/`id>/run/sandbox/evil`", "/etc/a;b" } do
      host:sh("rm -f /run/sandbox/evil; postmulti -I postfix-in -e create 'config_directory=" .. path .. "'")
      host:same("", host:sh("ls /run/sandbox/evil 2>/dev/null").out, path)
    end
    host:ok "postmulti -l"
  end },

  { "P8: permissions that fail half-way leave a registered instance", function(host)
    host:with()
    local before = picture(host, "/etc/postfix* /var/spool/postfix* /var/lib/postfix*")
    host:refused("strace -f -qqq -o /dev/null -e trace=fchown -e inject=fchown:error=EPERM:when=6 "
      .. "postmulti -I postfix-in -e create", "Operation not permitted")
    host:same(before, picture(host, "/etc/postfix* /var/spool/postfix* /var/lib/postfix*"))
  end },

  { "P9: import of a file whose queue is not mounted is registered and unusable", function(host)
    host:with("in")
    host:ok "postmulti -i in -e deport; mv /var/spool/postfix-in /var/spool/postfix-away"
    host:refused("postmulti -I postfix-in -e import", "/var/spool/postfix%-in")
    host:same("/etc/postfix", host:listed())
  end },

  { "P10: check with warnings ends with 0", function(host)
    host:with("in")
    host:ok "chown daemon /etc/postfix-in/main.cf"
    -- Postfix's own program, and its status; what it says is not lost
    local result = host:sh "postmulti -i in -p check"
    host:matches(result.err .. result.out .. host:read "/run/sandbox/log", "postfix%-in/main.cf")
  end },

  { "P11: one damaged instance, and the unit of the primary fails: nothing is started", function(host)
    host:with("in", "out")
    host:ok "postmulti -i in -e enable; postmulti -i out -e enable; echo rubbish >>/etc/postfix-in/main.cf"
    local result = host:sh "postmulti -p start"
    host:same(1, result.status, "exit status")
    host:matches(result.err, "/etc/postfix%-in/main.cf")
    host:ok "postfix -c /etc/postfix status; postfix -c /etc/postfix-out status"
    host:sh "postfix -c /etc/postfix stop; postfix -c /etc/postfix-out stop"
  end },

  { "P12: missing parents of the data directory are 0700: the mail user is locked out", function(host)
    host:with("in")
    host:ok "postmulti -i in -e deport; postconf -c /etc/postfix-in -e data_directory=/var/lib/postfix-x/y"
    host:ok "postmulti -I postfix-in -e import"
    host:same("root:root 755 directory", host:modes "/var/lib/postfix-x")
    host:same("postfix:root 700 directory", host:modes "/var/lib/postfix-x/y")
  end },

  { "P13: disabled but running at shutdown: no matching instance, it goes on", function(host)
    host:with("in")
    start(host, "in")
    host:ok "postmulti -i in -p status"
    host:refused("postmulti -i in -e deport", "is running %(master process %d+%)")
    host:ok "postfix -c /etc/postfix-in stop"
    host:ok "postmulti -i in -e deport"
  end },

  { "P14: a link in the queue, and its target is given away", function(host)
    host:with("in")
    host:ok "postmulti -i in -e deport; mkdir /var/spool/postfix-victim; rmdir /var/spool/postfix-in/private"
    host:ok "ln -s ../postfix-victim /var/spool/postfix-in/private"
    host:refused("postmulti -I postfix-in -e import", "/var/spool/postfix%-in/private")
    host:same("root:root 755 directory", host:modes "/var/spool/postfix-victim")
    host:same("/etc/postfix", host:listed())
  end },
}
