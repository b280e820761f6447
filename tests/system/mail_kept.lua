-- mail_kept.lua - destroy and what lies in an instance's directories: mail is never lost, what is not known stays

local QUEUES = { "maildrop", "incoming", "active", "deferred", "hold", "corrupt", "saved" }
local QUEUE = "/var/spool/postfix-in"

local function picture(host)
  return host:sh("find /etc/postfix* /var/spool/postfix* /var/lib/postfix* -printf '%p %y %m %U:%G %s %l\n' | sort; "
    .. "find /etc/postfix* /var/spool/postfix-in -type f -exec md5sum {} + | sort").out
end

---Put messages into a queue, as deep in its hashed directories as asked for.
local function put(host, queue, depth, count)
  host:ok(([[cd %s/%s; i=0; while [ $i -lt %d ]; do i=$((i + 1)); p=$PWD/$(echo A B C D | cut -d' ' -f1-%d | tr ' ' /)
    [ %d -gt 0 ] || p=$PWD; mkdir -p $p; echo mail $i >$p/%s$i; done]]):format(QUEUE, queue, count, depth, depth,
    queue))
end

---destroy is refused with these numbers, and nothing has changed.
local function refused(host, numbers)
  local before = picture(host)
  local result = host:refused("postmulti -i in -e destroy", "there is mail in its queue: " .. numbers .. "\n$", 1)
  host:same(1, select(2, result.err:gsub("\n", "")), "lines")
  host:same(before, picture(host), "files")
end

---destroy with a delay by RULE of strace(1), while the shell text MEANWHILE runs.
local function during(host, rule, meanwhile)
  return host:sh(([[(%s) &
    strace -f -qqq -o /dev/null -e trace=renameat,unlinkat -e inject=%s postmulti -i in -e destroy
    s=$?; touch /run/sandbox/stop; wait; rm /run/sandbox/stop; exit $s]]):format(meanwhile, rule))
end

local cases = {
  { "messages in several queues: each is counted", function(host)
    host:with "in"
    for index, queue in ipairs(QUEUES) do
      put(host, queue, index % 3, index)
    end
    refused(host, "1 in maildrop, 2 in incoming, 3 in active, 4 in deferred, 5 in hold, 6 in corrupt, 7 in saved")
  end },

  { "10,000 messages are counted within a second", function(host)
    host:with "in"
    host:ok(("cd %s/deferred; for d in 0 1 2 3 4 5 6 7 8 9; do mkdir -p $d/$d; "
      .. "(cd $d/$d && seq -f %%g_$d 1000 | xargs touch); done"):format(QUEUE))
    host:same(true, host:refused("postmulti -i in -e destroy", "10000 in deferred").seconds < 1, "in time")
  end },

  { "logs of bounces, sockets and empty hashed directories are no mail", function(host)
    host:with "in"
    host:ok(("cd %s; mkdir -p deferred/A/B hold/C; mkfifo public/x"):format(QUEUE))
    host:ok [[perl -MSocket -e 'socket(S, PF_UNIX, SOCK_STREAM, 0);
      bind(S, sockaddr_un("/var/spool/postfix-in/private/x"))']]
    host:ok "postmulti -i in -e destroy"
    host:same("", host:sh("ls -d /etc/postfix-in /var/spool/postfix-in /var/lib/postfix-in 2>/dev/null").out)
  end },

  { "a queue that cannot be read: refused", function(host)
    host:with "in"
    host:ok(("rmdir %s/deferred; ln -s /var/spool/postfix %s/deferred"):format(QUEUE, QUEUE))
    local before = picture(host)
    host:refused("postmulti -i in -e destroy", "whether there is mail in its queue cannot be told: .*deferred")
    host:same(before, picture(host))
  end },

  { "running is asked from the lock on master.pid or master.lock: not from a number in the file", function(host)
    host:with "in"
    for _, file in ipairs { QUEUE .. "/pid/master.pid", "/var/lib/postfix-in/master.lock" } do
      local before = picture(host)
      host:refused(("echo 1 >%s; flock -F %s sleep 20 & p=$!; sleep 0.2; postmulti -i in -e destroy; s=$?; kill $p; "
        .. "wait; rm %s; exit $s"):format(file, file, file), "is running %(master process %d+%)")
      host:same(before, picture(host))
    end
    -- a number of a process that lives, but no lock
    host:ok(("echo 1 >%s/pid/master.pid; postmulti -i in -e destroy"):format(QUEUE))
    host:same("", host:sh("ls -d /etc/postfix-in /var/spool/postfix-in /var/lib/postfix-in 2>/dev/null").out)
  end },

  { "Debian's copies for chroot are removed, and what is none of them is kept and named", function(host)
    host:with "in"
    host:ok(([[cd %s; mkdir -p etc/ssl lib/x usr/lib/zoneinfo dev; cp /etc/hosts /etc/services etc; touch etc/mine
      cp /etc/localtime usr/lib/zoneinfo; touch lib/libnss_files.so.2; mknod dev/urandom c 1 9]]):format(QUEUE))
    local result = host:ok "postmulti -i in -e destroy"
    host:same("/etc/mine\n", host:ok(("cd %s; find -type f -o -type c | cut -c2-"):format(QUEUE)).out)
    host:matches(result.err, "^postmulti: warning: /var/spool/postfix%-in: please verify its contents")
    host:same("/etc/postfix", host:listed())
    host:ok(("rm -r %s; postmulti -I postfix-in -e create; cp --parents /etc/hosts %s"):format(QUEUE, QUEUE))
    host:ok "postmulti -i in -e destroy"
    host:same("", host:sh("ls -d /etc/postfix-in /var/spool/postfix-in /var/lib/postfix-in 2>/dev/null").out)
  end },

  { "unknown files in each directory are kept, each directory is named, exit status 0 as stock's", function(host)
    for _, place in ipairs { "/etc/postfix-in", "/var/spool/postfix-in", "/var/spool/postfix-in/private",
      "/var/lib/postfix-in", "/var/spool/postfix-in/defer", "/var/spool/postfix-in/etc" } do
      host:with "in"
      host:ok(("mkdir -p %s; echo mine >%s/mine"):format(place, place))
      local result = host:ok "postmulti -i in -e destroy"
      host:same("mine\n", host:read(place .. "/mine"), place)
      host:matches(result.err, "^postmulti: warning: " .. place:match("^/%w+/[^/]+"):gsub("%-", "%%-"))
      host:same(1, select(2, result.err:gsub("\n", "")), "lines")
      host:same("/etc/postfix", host:listed())
      host:ok "rm -r /etc/postfix-in /var/spool/postfix-in /var/lib/postfix-in 2>/dev/null; true"
    end
  end },

  { "a message submitted meanwhile by Postfix's own programs is in the queue, or its sender was told", function(host)
    local acknowledged, refusals, destroyed = 0, 0, 0
    for round = 1, 12 do
      host:with "in"
      host:ok "postconf -c /etc/postfix-in -e authorized_submit_users=static:anyone"
      host:ok "rm -f /run/sandbox/sent"
      -- The pause before the first message meets another moment in each round. When its queue directory is gone
      -- postdrop(1) tries again every ten seconds, for ever: it is stopped, and takes nothing then.
      local result = host:sh(([[
        (sleep 0.0%d; n=0; while [ ! -e /run/sandbox/stop ]; do
           echo "Subject: $n" | MAIL_CONFIG=/etc/postfix-in sendmail -i root@example.com 2>/dev/null && n=$((n + 1))
         done; echo $n >/run/sandbox/sent) &
        strace -f -qqq -o /dev/null -e trace=renameat -e inject=renameat:delay_enter=30000 postmulti -i in -e destroy
        s=$?; sleep 0.05; touch /run/sandbox/stop; sleep 0.5; pkill -x postdrop; wait; rm /run/sandbox/stop
        exit $s]]):format(round % 10))
      host:same(true, result.status < 124, "it ended by itself: exit status " .. result.status)
      local sent = tonumber(host:read "/run/sandbox/sent")
      local kept = tonumber(host:say "ls /var/spool/postfix-in/maildrop 2>/dev/null | wc -l")
      if kept < sent then
        error(("%d messages were taken, %d are there\n%s"):format(sent, kept, result.err), 0)
      elseif result.status == 0 and kept > 0 then
        host:matches(result.err, "/var/spool/postfix%-in: there is mail in its queue: %d+ in maildrop")
        destroyed = destroyed + 1
      elseif result.status ~= 0 then
        host:matches(result.err, "there is mail in its queue")
        refusals = refusals + 1
      end
      acknowledged = acknowledged + sent
      host:ok "rm -rf /var/spool/postfix-in/maildrop/*; postmulti -i in -e destroy 2>/dev/null; true"
      host:ok "rm -rf /etc/postfix-in /var/spool/postfix-in /var/lib/postfix-in"
    end
    host:same(true, acknowledged > 0, "a message was submitted")
    host:same(true, destroyed > 0, "a message came behind the check")
  end },

  { "files appear in maildrop at every moment of the removal: all of them stay", function(host)
    local met = 0
    for number = 1, 40 do
      host:with "in"
      local result = during(host, ("unlinkat:delay_enter=40000:when=%d"):format(number), [[
        cd /var/spool/postfix-in/maildrop
        while [ ! -e /etc/postfix/main.cf.tmp ] && [ ! -e /run/sandbox/stop ]; do :; done
        n=0; while [ ! -e /run/sandbox/stop ]; do
          { echo x >$n; } 2>/dev/null && n=$((n + 1)); sleep 0.01; done; echo $n >/run/sandbox/sent]])
      host:same(0, result.status, result.err)
      local sent = tonumber(host:read "/run/sandbox/sent")
      host:same(sent, tonumber(host:say "ls /var/spool/postfix-in/maildrop 2>/dev/null | wc -l"), "files")
      if sent > 0 then
        met = met + 1
        host:matches(result.err, "/var/spool/postfix%-in: there is mail in its queue: %d+ in maildrop")
      end
      host:ok "rm -rf /etc/postfix-in /var/spool/postfix-in /var/lib/postfix-in"
    end
    host:same(true, met >= 5, "moments met: " .. met)
  end },
}

for _, queue in ipairs(QUEUES) do
  table.insert(cases, 1, { ("a message in %s, in hashed directories, too: refused with the number"):format(queue),
    function(host)
    host:with "in"
    for depth = 0, 4 do
      put(host, queue, depth, depth + 1)
      refused(host, ("%d in %s"):format(depth + 1, queue))
      host:ok(("rm -r %s/%s/*"):format(QUEUE, queue))
    end
    host:ok "postmulti -i in -e destroy"
    host:same("", host:sh("ls -d /etc/postfix-in /var/spool/postfix-in /var/lib/postfix-in 2>/dev/null").out)
  end })

  table.insert(cases, { ("a message that comes to %s between the check and the removal stays and is named"):format(
    queue), function(host)
    host:with "in"
    local path = QUEUE .. "/" .. queue .. (queue == "deferred" and "/A/B" or "")
    -- the first rename is that of the journal: behind the check, before the first change
    local result = during(host, "renameat:delay_enter=500000:when=1",
      ("sleep 0.25; mkdir -p %s; echo precious >%s/message"):format(path, path))
    host:same(0, result.status, result.err)
    host:same("precious\n", host:read(path .. "/message"))
    host:matches(result.err, "/var/spool/postfix%-in: there is mail in its queue: 1 in " .. queue .. "; please verify")
    host:same("/etc/postfix", host:listed())
  end })
end

return cases
