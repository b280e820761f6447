-- damage.lua - one instance of three is damaged; the others must not suffer
--
-- After each kind of damage to postfix-b: -l lists the primary, a and c; -x runs in them; the exit status is 1 and a
-- message names what is damaged; enable of another one works; deport of the damaged one works; nothing takes a second.

local B = "/etc/postfix-b"
local MAIN = B .. "/main.cf"

---@class Damage
---@field [1] string      what it is
---@field [2] string      shell command that does it
---@field named string?   what a message must name, default main.cf; false: it is no damage for reading
---@field keeps boolean?  deport is refused: it is not known whether it runs

local kinds = {
  { "the directory is missing", "rm -r $B", named = "/etc/postfix%-b" },
  { "the directory is a file", "rm -r $B; echo x >$B", named = "/etc/postfix%-b" },
  { "the directory is a dangling link", "rm -r $B; ln -s /nowhere $B", named = "/etc/postfix%-b" },
  { "the directory is a link to itself", "rm -r $B; ln -s postfix-b $B", named = "/etc/postfix%-b" },
  { "the directory is a fifo", "rm -r $B; mkfifo $B", named = "/etc/postfix%-b" },
  { "the directory is empty", "rm $B/*" },
  { "main.cf is missing", "rm $M" },
  { "main.cf is a directory", "rm $M; mkdir $M" },
  { "main.cf is a fifo that nobody writes", "rm $M; mkfifo $M" },
  { "main.cf is a fifo that somebody writes slowly",
    "rm $M; mkfifo $M; (exec >$M; echo a; sleep 3) >/dev/null 2>&1 & echo $! >/run/sandbox/background" },
  { "main.cf is a character device without end", "rm $M; ln -s /dev/zero $M" },
  { "main.cf is a character device that is full", "rm $M; ln -s /dev/full $M" },
  { "main.cf is a terminal", "rm $M; ln -s /dev/tty $M" },
  { "main.cf is a block device", "rm $M; mknod $M b 7 250" },
  { "main.cf is a dangling link", "rm $M; ln -s nowhere $M" },
  { "main.cf is a link to itself", "rm $M; ln -s main.cf $M" },
  { "main.cf is a loop of two links", "rm $M; ln -s x $M; ln -s main.cf $B/x" },
  { "main.cf is a chain of 60 links",
    "cd $B; mv main.cf l0; for i in $(seq 60); do ln -s l$((i - 1)) l$i; done; ln -s l60 main.cf" },
  { "main.cf is a socket",
    "rm $M; perl -MSocket -e 'socket(S,PF_UNIX,SOCK_STREAM,0); bind(S,sockaddr_un(shift))' $M" },
  { "main.cf is beneath a path that is too long",
    "rm $M; n=$(printf '%0250d' 0); cd $B; for i in $(seq 17); do mkdir $n; cd $n; done; "
    .. "ln -s $n/$n/$n/$n/$n/$n/$n/$n/$n/$n/$n/$n/$n/$n/$n/$n $M 2>/dev/null || ln -s $n/$n/nothing $M" },
  { "main.cf is a memory file that cannot be read", "rm $M; ln -s /proc/self/mem $M" },
  { "main.cf is a file of /proc that blocks", "rm $M; ln -s /proc/kmsg $M" },
  { "a line without '='", "echo rubbish >>$M" },
  { "a line without a name", "echo '= value' >>$M" },
  { "a name with a blank in it", "echo 'my host = x' >>$M" },
  { "text is binary", "head -c 20000 /dev/urandom >$M; echo >>$M; echo rubbish >>$M" },
  { "one line of 60 MB", "printf 'x' >$M; head -c 60000000 /dev/zero | tr '\\0' x >>$M" },
  { "a sparse file of 1 GB", "truncate -s 1G $M" },
  { "a sparse file of 8 EB",
    "truncate -s 8388607T $M 2>/dev/null || truncate -s 15T $M 2>/dev/null || truncate -s 2G $M" },
  { "10,000 continuation lines without a value before", "{ echo rubbish; yes ' x' | head -10000; } >>$M" },
  { "multi_instance_enable is no boolean", "echo 'multi_instance_enable = maybe' >>$M" },
  { "multi_instance_enable is empty", "echo 'multi_instance_enable =' >>$M" },
  { "multi_instance_name has a blank", "echo 'multi_instance_name = postfix b' >>$M", named = false },
  { "a name that another instance has", "echo 'multi_instance_name = postfix-a' >>$M", named = "postfix%-a" },
  { "the name of itself in queue_directory, endlessly", "echo 'queue_directory = /x$queue_directory' >>$M" },
  { "two names that lead to each other", "printf 'q = $r\\nr = $q\\nqueue_directory = /v$q\\n' >>$M" },
  { "an expansion that would fill the memory",
    "{ echo 'a0 = xxxxxxxxxx'; for i in $(seq 40); do echo 'a'$i' = $a'$((i-1))'$a'$((i-1)); done; "
    .. "echo 'queue_directory = /$a40'; } >>$M" },
  { "a reference without its end", "echo 'queue_directory = /var/${x' >>$M" },
  { "a condition without its end", "echo 'queue_directory = /var/${x?{y}' >>$M" },
  { "the queue directory of another instance", "echo 'queue_directory = /var/spool/postfix-a' >>$M",
    named = "postfix%-a" },
  { "the data directory of the primary", "echo 'data_directory = /var/lib/postfix' >>$M", named = "/var/lib/postfix" },
  { "it is listed twice", "sed -i 's,^multi_instance_directories.*,& /etc/postfix-b,' /etc/postfix/main.cf",
    named = false },
  { "two entries are missing directories",
    "rm -r $B; sed -i 's,^multi_instance_directories.*,& /etc/postfix-none,' /etc/postfix/main.cf",
    named = "/etc/postfix%-none" },

  -- not damage: it can be read, and must be listed
  { "main.cf has mode 000 (root reads it)", "chmod 000 $M", named = false },
  { "main.cf is empty but for the directories",
    "printf 'queue_directory = /var/spool/postfix-b\\ndata_directory = /var/lib/postfix-b\\n' >$M", named = false },
  { "a NUL in a comment", "printf '# a\\0b\\n' >>$M", named = false },
  { "invalid UTF-8 in a value", "printf 'mail_name = \\377\\376\\n' >>$M", named = false },
  { "line ends are CR LF", "sed -i 's/$/\\r/' $M", named = "any" },
  { "no newline at the end", "printf 'mail_name = x' >>$M", named = false },
  { "10,000 continuation lines", "{ echo 'mail_name = x'; yes ' x' | head -10000; } >>$M", named = false },
  { "100,000 comments", "yes '# x' | head -100000 >>$M", named = false },
  { "100,000 names", "seq 100000 | sed 's/.*/n& = &/' >>$M", named = false },
  { "one value of 60 MB", "{ printf 'mail_name = '; head -c 60000000 /dev/zero | tr '\\0' x; echo; } >>$M",
    named = false },
  { "an expansion that doubles, 18 times, in each of the five that are looked at",
    "{ echo 'a0 ='; for i in $(seq 18); do echo 'a'$i' = $a'$((i-1))'$a'$((i-1)); done; "
    .. "for n in multi_instance_name multi_instance_group; do echo $n' = ${a18:postfix-b}$a18'; done; "
    .. "for n in queue data; do echo $n'_directory = /var/spool/postfix-b/'$n'$a18'; done; "
    .. "echo 'multi_instance_enable = no$a18'; } >>$M", named = false },
  { "master.cf is missing", "rm $B/master.cf", named = false },
  { "master.cf is rubbish", "echo rubbish >$B/master.cf", named = false },
  { "the queue directory is missing", "rm -r /var/spool/postfix-b", named = false },
  { "the data directory is missing", "rm -r /var/lib/postfix-b", named = false },
  { "the queue directory is a file", "rm -r /var/spool/postfix-b; echo x >/var/spool/postfix-b", named = false },
  { "the queue directory is a link to itself", "rm -r /var/spool/postfix-b; ln -s postfix-b /var/spool/postfix-b",
    named = false, keeps = true },
  { "a time of change in the future", "touch -d '+1 year' $M", named = false },
  { "it changes during the reading, renamed into place",
    "(for i in $(seq 400); do cp $M $B/n; mv $B/n $M; done) >/dev/null 2>&1 & echo $! >/run/sandbox/background",
    named = false, keeps = true },
  { "it changes during the reading, written in place",
    "cp $M /run/m; (for i in $(seq 200); do cat /run/m >$M; done) >/dev/null 2>&1 & "
    .. "echo $! >/run/sandbox/background", named = "any", keeps = true },
}

local function check_time(host, result, what)
  if result.seconds > 1 then
    error(("%s took %.2f s"):format(what, result.seconds), 0)
  end
  host:lacks(result.err, "bug")
end

local function try(host, damage)
  local named = damage.named == nil and "/etc/postfix%-b/main%.cf" or damage.named
  host:with("a", "b", "c")
  host:ok(("B=%s M=%s; %s"):format(B, MAIN, damage[2]))

  local list = host:sh "postmulti -l"
  check_time(host, list, "-l")
  for _, one in ipairs { "/etc/postfix", "/etc/postfix-a", "/etc/postfix-c" } do
    host:matches(list.out .. list.err, "[yn] +" .. one:gsub("%-", "%%-") .. "\n")
  end
  local run = host:sh [[postmulti -x sh -c 'echo "in $config_directory"']]
  check_time(host, run, "-x")
  for _, one in ipairs { "/etc/postfix", "/etc/postfix-a", "/etc/postfix-c" } do
    host:matches(run.out, "in " .. one:gsub("%-", "%%-") .. "\n")
  end
  if named and named ~= "any" then
    host:same(1, list.status, "exit status of -l")
    host:same(1, run.status, "exit status of -x")
    host:matches(list.err, named)
    host:matches(run.err, named)
  elseif named == false then
    host:same(0, list.status, "exit status of -l (" .. list.err .. ")")
    host:matches(list.out, "/etc/postfix%-b\n")
  end

  local enable = host:ok "postmulti -i a -e enable"
  check_time(host, enable, "enable")
  host:matches(host:sh("postmulti -i a -l").out, "postfix%-a +%- +y ")
  local create = host:ok "postmulti -I postfix-new -e create"
  check_time(host, create, "create")

  if not damage.keeps then
    check_time(host, host:ok "postmulti -i /etc/postfix-b -e deport", "deport")
    host:lacks(host:read "/etc/postfix/main.cf", "\nmulti_instance_directories = /etc/postfix%-a /etc/postfix%-b")
    if damage[1] ~= "two entries are missing directories" then
      local clean = host:sh "postmulti -l"
      host:same(0, clean.status, "exit status of -l afterwards")
      host:same("", clean.err)
    end
  end
end

local cases = {}
for index, damage in ipairs(kinds) do
  cases[index] = { damage[1], function(host)
    try(host, damage)
  end }
end

cases[#cases + 1] = { "main.cf of a user who may not read it", function(host)
  host:with("a", "b", "c")
  host:ok "chmod 600 /etc/postfix-b/main.cf"
  local list = host:sh "setpriv --reuid=65534 --regid=65534 --clear-groups /usr/sbin/postmulti -l"
  host:same(1, list.status, "exit status")
  host:matches(list.out, "/etc/postfix%-a\n.*/etc/postfix%-c\n")
  host:matches(list.err, "/etc/postfix%-b/main.cf: Permission denied")
end }

cases[#cases + 1] = { "the directory of a user who may not enter it", function(host)
  host:with("a", "b", "c")
  host:ok "chmod 700 /etc/postfix-b"
  local list = host:sh "setpriv --reuid=65534 --regid=65534 --clear-groups /usr/sbin/postmulti -l"
  host:same(1, list.status, "exit status")
  host:matches(list.out, "/etc/postfix%-a\n.*/etc/postfix%-c\n")
  host:matches(list.err, "/etc/postfix%-b")
end }

return cases
