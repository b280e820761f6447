-- surprise.lua - nothing in the caller's surroundings surprises root
--
-- What is odd is in the name of each case. Three things may follow from it, and nothing else:
--   as ever    the round of commands below gives the output, exit statuses and files of a plain run;
--   refused    each command that changes something fails with one clear line and changes nothing, and succeeds once
--              the reason is gone;
--   either     the one or the other, for limits that are tried one after the other.

local POSTMULTI = "/usr/sbin/postmulti"
local PLACES = "/etc/postfix* /var/spool/postfix* /var/lib/postfix* /var/lib/postmulti/*/journal /etc/postmulti"

---Everything that a command may change or leave, but times, and the history.
local function picture(host)
  return host:sh(("find %s -printf '%%p %%y %%m %%U:%%G %%s %%l\\n' 2>/dev/null | "
    .. "sort; find %s -type f -exec md5sum {} + 2>/dev/null | sort"):format(PLACES, PLACES)).out
end

---Run a command as an argument of the shell text WRAP, where "$@" stands for it.
local function under(host, wrap, command)
  return host:sh(("wrap() {\n%s\n}\nwrap %s"):format(wrap, (command:gsub("postmulti", POSTMULTI, 1))))
end

---What differs between two pictures, in short.
local function difference(want, got)
  local lines, text = {}, {}
  for line in want:gmatch "[^\n]+" do
    lines[line] = true
  end
  for line in got:gmatch "[^\n]+" do
    text[#text + 1] = not lines[line] and "+ " .. line or nil
    lines[line] = nil
  end
  for line in pairs(lines) do
    text[#text + 1] = "- " .. line
  end
  return table.concat(text, "\n", 1, math.min(#text, 12))
end

local function same_picture(want, got, command)
  if want ~= got then
    error(("%s: the files differ\n%s"):format(command, difference(want, got)), 0)
  end
end

---One line of a program of ours that matches a pattern, or one of several, fit for a terminal.
local function one_line(result, pattern)
  local line = result.err:match "^(postmulti[^\n]*: [^\n]+)\n$"
  local matches = false
  for _, one in ipairs(type(pattern) == "table" and pattern or { pattern }) do
    matches = matches or line and line:find(one) ~= nil
  end
  if not matches or line:find "%c" then
    error(("%s\nexit status %d; wanted one line that matches %s, got:\n%s"):format(result.command, result.status,
      type(pattern) == "table" and table.concat(pattern, " or ") or pattern, result.err), 0)
  end
end

-- ------------------------------------------------------------------ as ever

-- One life, with all that is printed meanwhile.
local ROUND = {
  "postmulti -l",
  "postmulti -e init",
  "postmulti -I postfix-b -G out -e create",
  "postmulti -i b -e enable",
  "postmulti -g out -l",
  "postmulti -i b -I postfix-d -G far -e assign",
  [[postmulti -i d -x /bin/sh -c 'echo "$config_directory"; /usr/bin/id -u; umask']],
  "postmulti -i nobody -e enable",
  "postmulti -i d -x /bin/false",
  "postmulti -i d -e disable",
  "postmulti -i d -e deport",
  "postmulti -I postfix-b -e import config_directory=/etc/postfix-b",
  "postmulti -i b -e destroy",
}

---The round under WRAP. @return { status: integer, out: string, err: string, files: string }[]
local function round(host, wrap)
  local results = {}
  for index, command in ipairs(ROUND) do
    local result = under(host, wrap, command)
    result.files = picture(host)
    results[index] = result
  end
  return results
end

local plain -- the results of a round without anything odd

local function fresh(host)
  host:ok "rm -rf /etc/postfix* /var/spool/postfix* /var/lib/postfix* && cp -a /run/sandbox/saved/. /"
end

---@class AsEver  what may differ
---@field silent string?  "out": nothing is printed, "err": no message, "both"
---@field noise string?   pattern of what a child of postmulti says about it
---@field setup string?   done before; what it makes in the places above is in no comparison
---@field alone true?      not where a script of Postfix's package runs, too

local function as_ever(host, wrap, may)
  may = may or {}
  if not plain then
    host:with("a")
    plain = round(host, '"$@"')
    fresh(host)
  end
  host:with("a")
  if may.setup then
    host:ok(may.setup)
  end
  for index, got in ipairs(round(host, wrap)) do
    local want = plain[index]
    if got.status ~= want.status then
      error(("%s\nexit status %d, not %d\n%s"):format(got.command, got.status, want.status, got.err), 0)
    end
    local no_out = may.silent == "out" or may.silent == "both"
    local no_err = may.silent == "err" or may.silent == "both"
    host:same(no_out and "" or want.out, got.out, ROUND[index] .. ": standard output")
    local said = may.noise and got.err:gsub(may.noise, "") or got.err
    host:same(no_err and "" or want.err, said, ROUND[index] .. ": standard error")
    same_picture(want.files, got.files, ROUND[index])
  end
  host:same("", host:sh("ls /run/sandbox/trojan 2>/dev/null").out, "code of somebody else")
end

-- Modules and programs that say that they were run, in the working directory.
local TROJANS = [[
  mkdir -p /run/w/postmulti /run/w/posix; cd /run/w
  for f in postmulti.lua init.lua postmulti/init.lua postmulti/cli.lua postmulti/core.lua \
      postmulti/listing.lua postmulti/inventory.lua posix.lua posix/syslog.lua; do
    echo 'io.open("/run/sandbox/trojan", "w")' >$f; done
  for f in postconf postfix postlog id sh cc getent ls postmulti-lua; do
    printf '#!/bin/sh\ntouch /run/sandbox/trojan\n' >$f; chmod 755 $f; done
  echo rubbish >posix.so; mkdir -p lib; echo rubbish >lib/libc.so.6; echo rubbish >lib/liblua5.4.so.0 ]]

local function perl(program)
  return ("perl -MPOSIX -e '%s exec { $ARGV[0] } @ARGV; die' \"$@\""):format(program)
end

local ever = {
  { "umask 000", 'umask 000; "$@"' },
  { "umask 077", 'umask 077; "$@"' },
  { "umask 0777", 'umask 0777; "$@"' },

  { "standard input is closed", '"$@" <&-' },
  { "standard output is closed", '"$@" >&-', silent = "out" },
  { "standard error is closed", '"$@" 2>&-', silent = "err" },
  { "standard input and output are closed", '"$@" <&- >&-', silent = "out" },
  { "standard input and error are closed", '"$@" <&- 2>&-', silent = "err" },
  { "standard output and error are closed", '"$@" >&- 2>&-', silent = "both" },
  { "all standard descriptors are closed", '"$@" <&- >&- 2>&-', silent = "both" },
  { "more descriptors than usual are open", 'exec 3</ 4</ 5</ 6</ 7</ 8</ 9</; "$@"' },
  { "standard error is full", '"$@" 2>/dev/full', silent = "err" },
  { "standard error is a pipe without a reader", [[perl -e 'pipe(R, W); open(STDERR, ">&W"); close(R); close(W);
    exec @ARGV' "$@"]], silent = "err" },
  { "standard input is a directory", '"$@" </' },

  { "the environment is empty", 'env -i "$@"' },
  { "PATH is empty", 'PATH= "$@"' },
  { "PATH is not set", '(unset PATH; exec "$@")' },
  { "PATH begins with the working directory", 'cd /run/w; PATH=.:/run/w:$PATH "$@"', setup = TROJANS },
  { "PATH has an empty entry first", 'cd /run/w; PATH=:$PATH "$@"', setup = TROJANS },
  { "PATH is 100 KB long", [[PATH=$(printf '/%099999d' 0) "$@"]] },
  { "IFS is a letter", [[IFS=aeit; export IFS; "$@"]] },
  { "LUA_INIT, LUA_PATH and LUA_CPATH name other code", [[cd /run/w
    t='io.open("/run/sandbox/trojan", "w")'
    LUA_INIT=$t LUA_INIT_5_4=$t LUA_PATH='./?.lua;/run/w/?.lua' LUA_PATH_5_4='/run/w/?/init.lua;;' \
      LUA_CPATH=/run/w/?.so LUA_CPATH_5_4='./?.so;;' "$@"]], setup = TROJANS },
  { "LUA_INIT is a file that is not there", 'LUA_INIT=@/nowhere LUA_INIT_5_4=@/nowhere "$@"' },
  { "modules of the same names in the working directory", 'cd /run/w; "$@"', setup = TROJANS },
  { "LD_LIBRARY_PATH names a directory that is not there", 'LD_LIBRARY_PATH=/nowhere::/dev/null "$@"' },
  { "GLIBC_TUNABLES and MALLOC_ variables are rubbish",
    'GLIBC_TUNABLES=x=y:glibc.malloc.check=9 MALLOC_PERTURB_=165 MALLOC_ARENA_MAX=x MALLOC_TOP_PAD_=-1 "$@"',
    noise = "WARNING: ld%.so: [^\n]*\n" }, -- since glibc 2.41
  { "TMPDIR is not there", 'TMPDIR=/nowhere TMP=/nowhere TEMP=/nowhere "$@"' },
  { "TMPDIR is the configuration directory", 'TMPDIR=/etc/postfix "$@"' },
  { "a locale with decimal commas", 'LOCPATH=/run/locale LC_ALL=comma.UTF-8 LANG=comma.UTF-8 "$@"', setup = [[
    mkdir -p /run/locale; [ ! -f /usr/share/i18n/locales/de_DE ] ||
      localedef -i de_DE -f UTF-8 /run/locale/comma.UTF-8 ]] },
  { "a locale that does not exist", 'LC_ALL=xx_YY LANG=% LANGUAGE=../.. LC_NUMERIC=/etc/passwd "$@"' },
  { "TZ is a file that nobody else may read", 'TZ=:/etc/shadow "$@"' },
  { "TZ is a path upwards", 'TZ=../../../etc/passwd TZDIR=/etc "$@"' },
  { "TZ is 5000 digits", [[TZ=$(printf '%05000d' 1) "$@"]] },
  { "POSTMULTI_ variables are rubbish",
    'POSTMULTI_LOCK_HOLDER=/etc/passwd POSTMULTI_HOOKS=x POSTMULTI_BUILD=/x POSTMULTI_ACTIVE="a b" "$@"' },
  { "POSTMULTI_LOCK_HOLDER names a holder that is dead",
    'POSTMULTI_LOCK_HOLDER=/run/postmulti/etc-postfix.child-1-0000000000000000 "$@"' },
  { "POSTMULTI_LOCK_HOLDER is a path upwards",
    'POSTMULTI_LOCK_HOLDER=/run/postmulti/etc-postfix.child-1-../../../etc/passwd "$@"' },
  { "MAIL_CONFIG is the primary", 'MAIL_CONFIG=/etc/postfix "$@"' },
  { "MAIL_ variables are rubbish", 'MAIL_LOGTAG=$(printf "\\033") MAIL_VERBOSE=x MAIL_DEBUG=x "$@"' },
  { "HOME is not set", '(unset HOME; exec "$@")' },
  { "HOME is not there", 'HOME=/nowhere "$@"' },
  { "1 MB of environment", [[(x=$(head -c 130000 /dev/zero | tr '\0' x)
    for i in 1 2 3 4 5 6 7 8; do export V$i=$x; done; exec "$@")]] },
  { "shell functions in the environment", [[env 'BASH_FUNC_postconf%%=() { touch /run/sandbox/trojan; }' \
    'BASH_FUNC_test%%=() { touch /run/sandbox/trojan; }' BASH_ENV=/run/w/sh ENV=/run/w/sh SHELLOPTS=xtrace "$@"]],
    setup = TROJANS },
  { "POSIXLY_CORRECT", 'POSIXLY_CORRECT=1 "$@"' },
  { "a variable without a name, one twice, one without value", perl [[
    $path = shift; $e = pack("P", "=x") . pack("P", "A=1") . pack("P", "A=2") . pack("P", "B") . pack("Q", 0);
    $a = join("", map { pack("P", $_) } ($path, @ARGV)) . pack("Q", 0); syscall(59, $path, $a, $e);]] },

  { "argv[0] is empty", perl [[$p = shift; exec { $p } "", @ARGV;]] },
  { "argv[0] has a newline and an escape sequence", perl [[$p = shift; exec { $p } "\e[31m\nx", @ARGV;]] },

  { "SIGCHLD is ignored", perl [[$SIG{CHLD} = "IGNORE";]] },
  { "SIGHUP is ignored, as by nohup", perl [[$SIG{HUP} = "IGNORE";]] },
  { "SIGPIPE is ignored", perl [[$SIG{PIPE} = "IGNORE";]] },
  { "INT, TERM and QUIT are ignored", perl [[$SIG{$_} = "IGNORE" for qw(INT TERM QUIT);]] },
  { "all signals are blocked",
    perl [[my $all = POSIX::SigSet->new; $all->fillset; sigprocmask(SIG_BLOCK, $all);]] },
  { "a timer is running", perl [[alarm 60;]] },
  { "there is a child already", 'sleep 0.3 & exec "$@"' },

  { "the working directory is gone", 'mkdir -p /run/gone; cd /run/gone; rmdir /run/gone; "$@"',
    noise = "^sh: 0: getcwd%(%) failed: [^\n]*\n$" },
  { "the working directory is 5 KB deep",
    perl [[chdir "/run"; $n = "n" x 250; for (1 .. 20) { mkdir $n; chdir $n or die }]],
    noise = "^sh: 0: getcwd%(%) failed: [^\n]*\n$" },
  { "the working directory is the queue", 'cd /var/spool/postfix; "$@"' },

  { "/dev is empty", [[unshare -m sh -c 'mount -t tmpfs none /dev; exec "$@"' sh "$@"]] },
  { "/proc is not mounted", [[unshare -m sh -c 'umount -l /proc; exec "$@"' sh "$@"]] },
  { "/proc is not mounted, /dev is empty, no log",
    [[unshare -m sh -c 'umount -l /proc; mount -t tmpfs none /dev; exec "$@"' sh "$@"]] },
  { "/sys is not mounted", [[unshare -m sh -c 'umount -l /sys 2>/dev/null; exec "$@"' sh "$@"]] },
  { "/tmp is read-only", [[unshare -m sh -c 'mount -t tmpfs -o ro none /tmp; exec "$@"' sh "$@"]] },
  { "/run is empty", [[unshare -m sh -c '
    { mkdir -p /keep; mount --bind /run/sandbox /keep; mount -t tmpfs none /run; mkdir -p /run/sandbox
      mount --bind /keep /run/sandbox; } 2>/dev/null; exec "$@"' sh "$@"]] },
  { "nothing answers at /dev/log", [[unshare -m sh -c 'mount --bind /dev/null /dev/log; exec "$@"' sh "$@"]] },
  { "no name service", [[unshare -m sh -c 'mount --bind /dev/null /etc/nsswitch.conf 2>/dev/null
    exec "$@"' sh "$@"]], alone = true },
  { "no host name", ('unshare -u sh -c \'exec "$@"\' sh ' .. perl '$h = "(none)"; syscall(170, $h, 6);'),
    alone = true },

  { "files of 1970", '"$@"', setup = "find /etc/postfix* -exec touch -h -d @0 {} +" },
  { "files of 2038", '"$@"', setup = "find /etc/postfix* -exec touch -h -d @2147483647 {} +" },
  { "files of 2106", '"$@"', setup = "find /etc/postfix* -exec touch -h -d @4294967295 {} +" },
  { "files of 1901", '"$@"', setup = "find /etc/postfix* -exec touch -h -d @-2147483648 {} +" },

  { "no memory may be locked, no core written", 'prlimit --memlock=0 --core=0 "$@"' },
  { "the lowest priority", 'nice -n 19 "$@"' },
  { "12 descriptors", 'prlimit --nofile=12 "$@"' },
  { "64 KB of stack", 'prlimit --stack=65536 "$@"' },
}

-- ------------------------------------------------------------------ refused

-- Each is about an instance of its own, so that each can be done after the others, or not.
local CHANGES = {
  create = "postmulti -I postfix-b -e create",
  enable = "postmulti -i a -e enable",
  assign = "postmulti -i d -I postfix-z -G out -e assign",
  import = "postmulti -I postfix-c -e import",
  deport = "postmulti -i e -e deport",
  destroy = "postmulti -i f -e destroy",
}
local ORDER = { "create", "enable", "assign", "import", "deport", "destroy" }

local function prepare(host)
  host:with("a", "c", "d", "e", "f")
  host:ok "postmulti -i c -e deport"
end

local after -- the files after each of the changes, done in order

local function plain_changes(host)
  if not after then
    prepare(host)
    after = {}
    for _, name in ipairs(ORDER) do
      host:ok(CHANGES[name])
      after[name] = picture(host)
    end
    fresh(host)
  end
end

---@class Odd
---@field works string?    the changes that succeed all the same; "*": any of them may
---@field setup string?    before the changes
---@field instead string?  what to run in place of postmulti
---@field skip string?     pattern of warnings that come with the line
---@field refused integer? number of changes that were refused, counted here

-- What comes with a change of one file that the history will not have.
local UNKEPT = "^postmulti: warning: [^\n]* %(the change is made all the same; %-%-undo will not know it%)\n"

---Each change under WRAP, then without it.
local function refused(host, wrap, pattern, odd)
  plain_changes(host)
  prepare(host)
  host:ok(odd.setup or ":")
  for _, name in ipairs(ORDER) do
    local before = picture(host)
    local result = under(host, wrap, CHANGES[name])
    local works = odd.works == "*" and result.status == 0 or odd.works and odd.works:find(name, 1, true)
    if works then
      host:same(0, result.status, result.command .. "\n" .. result.err)
      host:same("", (result.err:gsub(UNKEPT, "")))
    else
      if result.status ~= 1 and not (odd.works == "*" and result.status == 127) then
        error(("%s\nexit status %d\n%s"):format(result.command, result.status, result.err), 0)
      end
      if result.status == 1 then
        result.err = result.err:gsub(odd.skip or UNKEPT, "")
        one_line(result, pattern)
      end
      same_picture(before, picture(host), result.command)
      host:ok((CHANGES[name]:gsub("postmulti", POSTMULTI, 1)))
      odd.refused = (odd.refused or 0) + 1
    end
    same_picture(after[name], picture(host), CHANGES[name])
  end
end

---Each change under each of several limits: WRAP is a format. The last must let all of them succeed, the first none.
local function either(host, wrap, limits, pattern, odd)
  for index, limit in ipairs(limits) do
    fresh(host)
    odd.works, odd.refused = "*", 0
    refused(host, (wrap:gsub("LIMIT", tostring(limit))), pattern, odd)
    if index == 1 and odd.refused == 0 and not odd.may_work or index == #limits and odd.refused > 0 then
      error(("limit %s: %d changes were refused"):format(limit, odd.refused), 0)
    end
  end
end

local function mounted(script)
  return ([[unshare -m sh -c '%s
    exec "$@"' sh "$@"]]):format(script)
end

local function read_only(path)
  return mounted(("mount --bind %s %s; mount -o remount,bind,ro %s"):format(path, path, path))
end

---Do something, run the command, take it back.
local function around(before, wrap, behind)
  return ("%s\n%s; s=$?\n%s\nreturn $s"):format(before, wrap, behind)
end

local NOBODY = 'setpriv --reuid=65534 --regid=65534 --clear-groups "$@"'

---Refused in all but a few changes, for one reason.
---@class Refusal: Odd
---@field [1] string  what is odd
---@field [2] string  shell text around "$@"
---@field [3] string  pattern of the message
local refusals = {
  { "MAIL_CONFIG is empty", 'MAIL_CONFIG= "$@"', "MAIL_CONFIG=: that is not the primary instance" },
  { "MAIL_CONFIG ends in a slash", 'MAIL_CONFIG=/etc/postfix/ "$@"', "MAIL_CONFIG=/etc/postfix/: " },
  { "MAIL_CONFIG is relative", 'cd /; MAIL_CONFIG=etc/postfix "$@"', "MAIL_CONFIG=etc/postfix: " },
  { "MAIL_CONFIG is a secondary", 'MAIL_CONFIG=/etc/postfix-a "$@"', "MAIL_CONFIG=/etc/postfix%-a: " },
  { "MAIL_CONFIG has an escape sequence", [[MAIL_CONFIG=$(printf '/\033[31m\nx') "$@"]], "MAIL_CONFIG=/%?%[31m%?x: " },

  { "/etc is read-only", read_only "/etc", "/etc/postfix[^ ]*: Read%-only file system" },
  { "/var/lib is read-only", read_only "/var/lib", "/var/lib/postmulti[%l/-]*: Read%-only file system",
    works = "enable assign deport" },
  { "/run is read-only", mounted "rm -rf /run/postmulti; mount --bind /run /run; mount -o remount,bind,ro /run",
    "/run/postmulti: Read%-only file system" },
  { "the whole file system is read-only", mounted "mount --bind / /; mount -o remount,bind,ro /",
    "Read%-only file system" },
  { "an immutable main.cf of the primary",
    around("chattr +i /etc/postfix/main.cf", '"$@"', "chattr -i /etc/postfix/main.cf"),
    "/etc/postfix/main.cf: Operation not permitted", works = "enable assign" },
  { "an immutable main.cf of the secondaries",
    around("chattr +i /etc/postfix-[acde]/main.cf", '"$@"', "chattr -i /etc/postfix-[acde]/main.cf"),
    "/etc/postfix%-[a-f]/main.cf: Operation not permitted", works = "create import deport destroy" },
  { "/dev/null is not there, and standard input is closed", mounted "mount -t tmpfs none /dev; exec <&-",
    "/dev/null: No such file or directory" },

  { "a user who is not root", NOBODY, "Permission denied" },
  { "a user who may not read the primary's main.cf",
    around("chmod 600 /etc/postfix/main.cf", NOBODY, "chmod 644 /etc/postfix/main.cf"),
    "/etc/postfix/main.cf: Permission denied" },
  { "a user in whose set-uid copy of the program the command runs", around(
    "mount -o remount,suid,exec /run; install -m 4755 /usr/local/bin/postmulti-lua /run/program",
    'setpriv --reuid=65534 --regid=65534 --clear-groups /run/program "$@"', "rm /run/program"),
    "cannot run set%-uid" },
}

---Output by pipes, so that a limit on files does not touch it.
local PIPED = [[{ { %s; echo $? >/run/sandbox/status; } 2>&1 >&3 3>&- | cat >&2; } 3>&1 | cat
  return $(cat /run/sandbox/status)]]

---Limits under which each change is either refused or done.
---@class Limit
---@field [1] string    what is limited
---@field [2] string    shell text with LIMIT
---@field [3] integer[] the limits; no change gets through the first, all do through the last
---@field [4] string    pattern of the message
local limits = {
  { "few descriptors", 'prlimit --nofile=LIMIT "$@"', { 3, 4, 5, 6, 8, 10, 12, 16 },
    "Too many open files" },
  { "files may not grow", PIPED:format 'prlimit --fsize=LIMIT "$@"',
    { 0, 100, 5000, 28000, 40000 }, ": File too large" },
  { "little memory", 'prlimit --as=LIMIT "$@"', { 3000000, 4500000, 5000000, 5500000, 6000000, 7000000, 16000000 },
    { "[Mm]emory", "failed to map" } },
  { "little data", 'prlimit --data=LIMIT "$@"', { 100000, 300000, 500000, 600000, 800000, 1500000, 4000000 },
    { "[Mm]emory", "failed to map" }, skip = "postmulti: warning: /etc/postfix%-%l/main.cf: Cannot allocate memory\n" },
}

-- --------------------------------------------------------------- small disks

---A file system of its own at PATH, with what is there now.
local function with_disk(host, path, options, func)
  host:ok(("mkdir -p /run/disk %s; mount -t tmpfs -o mode=755,%s none /run/disk; cp -a %s/. /run/disk; "
    .. "mount --move /run/disk %s"):format(path, options, path, path))
  local ok, problem = pcall(func)
  host:ok("umount " .. path)
  if not ok then
    error(problem, 0)
  end
end

---All but LIMIT KB of the file system are used while the command runs.
local function full(path)
  return around(([[free=$(df --output=avail -k %s | tail -n 1)
    head -c $(((free - LIMIT) * 1024)) /dev/zero >%s/full]]):format(path, path), '"$@"', "rm " .. path .. "/full")
end

---All but LIMIT inodes are used while the command runs.
local function crowded(path)
  return around(([[free=$(df --output=iavail %s | tail -n 1); mkdir %s/full; cd %s/full
    seq $((free - LIMIT - 1)) | xargs -r touch; cd /]]):format(path, path, path), '"$@"', "rm -r " .. path .. "/full")
end

---@class Disk
---@field [1] string    what is full
---@field [2] string    where
---@field [3] string    options of the mount
---@field [4] fun(path: string): string
---@field [5] integer[] what is left
---@field [6] string    pattern of the message
---@field may_work true? nothing may be refused
local disks = {
  { "/etc has no room", "/etc", "size=24m", full, { 0, 8, 32, 40, 128 }, "/etc/postfix" },
  { "/etc has no inodes", "/etc", "size=24m,nr_inodes=6000", crowded, { 0, 1, 3, 6 }, "/etc/postfix" },
  { "/var/spool has no inodes", "/var/spool", "nr_inodes=1000", crowded, { 0, 1, 9, 40 }, "/var/spool/postfix" },
  { "/var/lib/postmulti has no room", "/var/lib/postmulti", "size=1m", full, { 0, 4, 32, 128 },
    "/var/lib/postmulti" },
  -- the history gives way
  { "/var/lib/postmulti has no inodes", "/var/lib/postmulti", "nr_inodes=40", crowded, { 0, 1, 2, 6 },
    "/var/lib/postmulti", may_work = true },
}

-- ------------------------------------------------------------ cases by hand

---Many instances with long names: their list is larger than a pipe.
local function many(host)
  host:with()
  host:ok [[cd /etc; n=0; dirs=
    while [ $n -lt 1000 ]; do
      n=$((n + 1)); d=/etc/postfix-$(printf '%0100d' $n); mkdir $d; dirs="$dirs $d"
      echo "multi_instance_name = postfix-$n" >$d/main.cf
      echo "queue_directory = /var/spool/postfix-$n" >>$d/main.cf
      echo "data_directory = /var/lib/postfix-$n" >>$d/main.cf
    done; echo "multi_instance_directories =$dirs" >>/etc/postfix/main.cf]]
end

local cases = {
  { "private files: 0640 root:postfix is kept by every action, and no copy is more open", function(host)
    host:with("a")
    local files = "/etc/postfix/main.cf /etc/postfix-a/main.cf"
    host:ok(("chgrp postfix %s; chmod 640 %s"):format(files, files))
    for _, words in ipairs { "-i a -e enable", "-i a -I postfix-b -G out -e assign", "-i b -e disable",
      "-i b -e deport", "-I postfix-b -e import config_directory=/etc/postfix-a",
      "-I postfix-c -e create", "-i c -e destroy",
      "-i - -e disable", "-e init" } do
      host:ok("umask 0; strace -f -qqq -e trace=openat -o /run/sandbox/trace postmulti " .. words)
      host:same("root:postfix 640 regular file\nroot:postfix 640 regular file", host:modes(files))
      -- all that holds a copy is made with 0600; wider only before it takes the name, and never than the original
      for line in host:read("/run/sandbox/trace"):gmatch "[^\n]+" do
        if line:find '%.tmp"' and line:find "O_CREAT" then
          host:matches(line, ", 0600%)")
        end
      end
    end
  end },

  { "private files: the journal and the lock, while a transaction is at work", function(host)
    host:with("a")
    host:ok "chmod 600 /etc/postfix/main.cf; mkdir -p -m 755 /etc/postmulti/hooks.d"
    host:write("/etc/postmulti/hooks.d/10-look.lua", [[return { after_create = function(event)
      event.instance:run { "sh", "-c",
        "find /var/lib/postmulti /run/postmulti -printf '%m %y %p\n' >/run/sandbox/seen" }
    end }]])
    host:ok "chmod 644 /etc/postmulti/hooks.d/10-look.lua; umask 0; postmulti -I postfix-b -e create"
    local seen = host:read "/run/sandbox/seen"
    host:matches(seen, "700 d /var/lib/postmulti/etc%-postfix\n")
    host:matches(seen, "600 f /var/lib/postmulti/etc%-postfix/journal")
    host:matches(seen, "600 f /var/lib/postmulti/etc%-postfix/0")
    host:matches(seen, "700 d /run/postmulti\n")
    host:lacks(seen:gsub("7[05][05] d", ""), "%f[%d][1-7]?[67][1-7][0-7] f")
    host:lacks(seen, "%f[%d]6[1-7][0-7] f")
  end },

  { "a private prototype gives the same instance as another one, as stock's does", function(host)
    host:with()
    host:ok "chmod 600 /etc/postfix/main.cf.proto /etc/postfix/master.cf.proto"
    host:ok "umask 077; postmulti -I postfix-b -e create"
    host:same("root:root 755 directory\nroot:root 644 regular file\nroot:root 644 regular file",
      host:modes "/etc/postfix-b /etc/postfix-b/main.cf /etc/postfix-b/master.cf")
  end },

  { "a reader that has seen enough: the end of any other program, without a word", function(host)
    many(host)
    local result = host:sh "{ postmulti -l; echo $? >&2; } | head -n 1"
    host:matches(result.out, "^%-[^\n]*/etc/postfix\n$")
    host:same("141\n", result.err, "exit status of a program that SIGPIPE ends, as stock's")
    result = host:sh "{ postmulti -l; echo $? >&2; } | sleep 0.1"
    host:same("141\n", result.err)
    result = host:sh "{ postmulti --help; echo $? >&2; } | true"
    host:matches(result.err, "^%d+\n$")
  end },

  { "a reader that has seen enough, and SIGPIPE is ignored: one line", function(host)
    many(host)
    local result = host:sh "trap '' PIPE; { postmulti -l; echo $? >&2; } | head -n 1"
    host:same("postmulti: fatal: standard output: Broken pipe\n1\n", result.err)
  end },

  { "a slow reader: nothing is lost", function(host)
    many(host)
    local whole = host:ok("postmulti -l").out
    host:same(whole, host:ok("postmulti -l | { sleep 0.5; cat; }").out)
    host:same(1001, select(2, whole:gsub("\n", "\n")), "lines")
  end },

  { "a pipe that does not block and is full: nothing is lost (stock: cut, exit status 1)", function(host)
    many(host)
    local result = host:ok [[perl -e 'use Fcntl; pipe R, W; fcntl W, F_SETFL, O_NONBLOCK | O_WRONLY;
      if (!fork) { open STDOUT, ">&W"; exec "postmulti", "-l" } close W; select undef, undef, undef, 0.5;
      $n = 0; while (sysread R, $b, 65536) { $n += length $b } wait; print "$n $?"']]
    host:same(("%d 0"):format(#host:ok("postmulti -l").out), result.out)
  end },

  { "nobody reads: TERM and INT end it at once", function(host)
    many(host)
    for _, signal in ipairs { "TERM", "INT" } do
      local result = host:sh(([[perl -e 'pipe R, W; if (!($p = fork)) { open STDOUT, ">&W"; exec "postmulti", "-l" }
        select undef, undef, undef, 0.7; kill "%s", $p; $SIG{ALRM} = sub { kill "KILL", $p }; alarm 3;
        waitpid $p, 0; print $? & 127']]):format(signal))
      host:same(signal == "TERM" and "15" or "2", result.out, "signal")
    end
  end },

  { "standard output is full: one line", function(host)
    host:with()
    for _, command in ipairs { "-l", "-j -l", "--help", "--version" } do
      local result = host:sh("postmulti " .. command .. " >/dev/full")
      host:same(1, result.status, command)
      one_line(result, "standard output: No space left on device")
    end
  end },

  { "a name of the program with an escape sequence is shown without", function(host)
    host:with()
    host:ok [[ln -s /usr/sbin/postmulti "$(printf '/run/postmulti\033[31m\nx')"]]
    for _, words in ipairs { "-i nobody -e enable", "-Z", "-l x" } do
      local result = host:sh("/run/postmulti?* " .. words)
      host:same(1, result.status)
      host:lacks(result.err:gsub("\n", ""), "%c")
      host:matches(result.err, "^postmulti%?%[31m%?x: ")
    end
  end },

  { "words with escape sequences are shown without", function(host)
    host:with("a")
    host:ok [[printf 'x\033]0;evil\007 y\n' >>/etc/postfix-a/main.cf]]
    for _, words in ipairs { "-i '$E' -e enable", "-I '$E' -e create", "-I postfix-b -G '$E' -e create", "-e '$E'",
      "-I postfix-b -e create 'config_directory=/etc/$E'", "-I postfix-b -e create '$E=x'", "'-$E'", "'--$E'", "-l",
      "-c '/$E' -l", "-i - -x '/$E'", "--lock-timeout '$E' -l", "-i - -p '$E'" } do
      local result = host:sh("postmulti " .. words:gsub("%$E", "\27[31m\7"))
      if result.status == 0 then
        error(words .. ": succeeded", 0)
      end
      host:lacks(result.err:gsub("\n", ""), "%c")
    end
    local result = host:sh "/usr/local/bin/postmulti-lua '\27[31m'"
    host:same("postmulti-lua: cannot open ?[31m: No such file or directory\n", result.err)
  end },

  { "10,000 operands, one of 100 KB: passed on whole, refused in one line of bounded length", function(host)
    host:with("a")
    host:same("10000 100000", host:say [[postmulti -i a -x sh -c 'shift 9999; echo "$((9999 + $#)) ${#1}"' sh \
      $(seq 9999) "$(head -c 100000 /dev/zero | tr '\0' x)"]])
    for _, words in ipairs { "-l $(seq 10000)", "-I postfix-b -e create $(seq 10000)", "-i $X -e enable",
      "-I postfix-$X -e create", "-I postfix-b -e create config_directory=/etc/$X", "-$X", "--$X", "-e $X",
      "-x /$X" } do
      local before = picture(host)
      local result = host:sh("X=$(head -c 100000 /dev/zero | tr '\\0' x); postmulti " .. words)
      host:same(1, result.status, words)
      if #result.err > 8000 then
        error(("%s: %d bytes of message"):format(words, #result.err), 0)
      end
      host:matches(result.err, "^postmulti: ")
      same_picture(before, picture(host), words)
    end
  end },

  { "no argument list at all", function(host)
    host:with()
    for _, program in ipairs { POSTMULTI, "/usr/local/bin/postmulti-lua" } do
      local result = host:sh(("perl -e 'my $p = \"%s\"; my $z = pack(\"Q\", 0); syscall(59, $p, $z, $z); die'"):format(
        program))
      host:lacks(result.err, "traceback")
      host:same(program == POSTMULTI and 1 or 0, result.status, program .. ": " .. result.err)
    end
  end },

  { "odd names of directories work for a whole life", function(host)
    host:with "b" -- the settings that stay are there before
    host:ok "postmulti -i b -e deport; postmulti -I postfix-b -e import; postmulti -i b -e destroy"
    for _, name in ipairs { "-x", "a'b", 'a"b', "a;b", "a&b", "a*b", "a?[b]", "a\\b", "a%sb", "\195\169t\195\169",
      "#a", "a=b", "~a", "!a", "(a)", "a|b<c>d", "`a", "a{b}", ("n"):rep(200) } do
      local quoted = "'" .. name:gsub("'", "'\\''") .. "'"
      local before = picture(host)
      host:ok(("n=%s; postmulti -I postfix-b -e create config_directory=/etc/postfix$n "
        .. "queue_directory=/var/spool/postfix$n data_directory=/var/lib/postfix$n"):format(quoted))
      host:same("/etc/postfix /etc/postfix" .. name, host:listed())
      host:ok "postmulti -i b -e enable"
      host:same("/etc/postfix" .. name, host:say "postmulti -i b -x printenv config_directory")
      host:ok "postmulti -i b -e disable; postmulti -i b -e deport"
      host:ok(("postmulti -e import config_directory=/etc/postfix%s"):format(quoted))
      host:ok("postmulti -i /etc/postfix" .. quoted .. " -e destroy")
      same_picture(before, picture(host), name)
    end
  end },

  { "names of directories that Postfix's lists cannot hold are refused", function(host)
    host:with()
    for _, name in ipairs { "a,b", "a b", "a\nb", "a\tb", "a$b", "a${b}", "a\27b", "a\127b" } do
      local before = picture(host)
      for _, parameter in ipairs { "config_directory=/etc/postfix", "queue_directory=/var/spool/postfix",
        "data_directory=/var/lib/postfix" } do
        if name == "a,b" and not parameter:find "config" then
          break -- that is no list
        end
        local result = host:sh(("postmulti -I postfix-b -e create '%s%s'"):format(parameter, name))
        host:same(1, result.status, name)
        one_line(result, parameter:match "^[^=]*")
      end
      same_picture(before, picture(host), name)
    end
  end },

  { "an ordinary user lists and runs as root does", function(host)
    host:with("a")
    for _, command in ipairs { "-l", "-i a -l", "-x sh -c 'echo $config_directory'" } do
      local user = host:ok("setpriv --reuid=65534 --regid=65534 --clear-groups postmulti " .. command)
      host:same(host:ok("postmulti " .. command).out, user.out)
      host:same("", user.err)
    end
  end },

  { "no more processes may be started: one line for each instance", function(host)
    host:with("a")
    local result = host:sh "prlimit --nproc=1 setpriv --reuid=65534 --regid=65534 --clear-groups postmulti -x true"
    host:same(1, result.status)
    host:same(("postmulti: fatal: true: Resource temporarily unavailable\n"):rep(2), result.err)
  end },

  { "a lock that is held, /proc not mounted: one line, in time", function(host)
    host:with("a")
    local result = host:sh(": >/etc/postfix-a/main.cf.tmp; flock -F /etc/postfix-a/main.cf.tmp sleep 8 & sleep 0.3; "
      .. "unshare -m sh -c 'umount -l /proc; exec postmulti --lock-timeout 1 -i a -e enable'; s=$?; kill $!; exit $s")
    host:same(1, result.status)
    one_line(result, "main%.cf")
    host:same(true, result.seconds < 4, "in time")
  end },

  { "the queue is on a read-only file system: not created; destroyed but for the queue, which is named",
    function(host)
      host:with "a"
      local before, wrap = picture(host), read_only "/var/spool"
      local result = under(host, wrap, CHANGES.create)
      host:same(1, result.status)
      host:matches(result.err, "postmulti: fatal: /var/spool/postfix%-b[^\n]*: Read%-only file system\n$")
      same_picture(before, picture(host), "create")
      host:ok(CHANGES.create)
      result = under(host, wrap, "postmulti -i a -e destroy")
      host:same(0, result.status, result.err)
      one_line(result, "/var/spool/postfix%-a: please verify its contents and remove it by hand %([^\n]*Read%-only")
      host:same("", host:sh("ls -d /etc/postfix-a /var/lib/postfix-a 2>/dev/null").out)
      host:ok "ls -d /var/spool/postfix-a/deferred"
    end },

  { "the program is set-uid: nobody's Lua runs as root", function(host)
    host:ok "mount -o remount,suid,exec /run; install -m 4755 /usr/local/bin/postmulti-lua /run/program"
    host:ok "install -m 2755 /usr/local/bin/postmulti-lua /run/group"
    for _, program in ipairs { "/run/program", "/run/group" } do
      local result = host:sh("setpriv --reuid=65534 --regid=65534 --clear-groups " .. program .. " -e 'print(1)'")
      host:same(1, result.status)
      host:same("", result.out)
      one_line(result, "set%-uid")
    end
  end },
}

-- Since 3.9.1 Debian's create and import end with a script of the package. That has its own trouble, which is told,
-- with no host name and with few resources: so there what is marked as `alone` is left out, and limits are.
local script = io.open "/usr/lib/postfix/syncfiles.pl"
if script then
  script:close()
  limits = {}
  for index = #ever, 1, -1 do
    if ever[index].alone then
      table.remove(ever, index)
    end
  end
end

for _, row in ipairs(ever) do
  cases[#cases + 1] = { row[1] .. ": as ever", function(host)
    as_ever(host, row[2], row)
  end }
end
for _, row in ipairs(refusals) do
  cases[#cases + 1] = { row[1] .. ": refused in one line", function(host)
    refused(host, row[2], row[3], row)
  end }
end
for _, row in ipairs(limits) do
  cases[#cases + 1] = { row[1] .. ": refused in one line, or done", function(host)
    either(host, row[2], row[3], row[4], row)
  end }
end
for _, row in ipairs(disks) do
  cases[#cases + 1] = { row[1] .. ": refused in one line that names the file, or done", function(host)
    plain_changes(host)
    with_disk(host, row[2], row[3], function()
      either(host, row[4](row[2]), row[5], row[6], { may_work = row.may_work })
    end)
  end }
end

return cases
