-- trust.lua - a hook, a command and config.lua of the site are loaded only when nobody but root can have written them
--
-- Each case does something to a file of one of the three kinds, or to what is above it, and runs the command that
-- would load it. A refused one must not have been run, not even its first line; the command fails with one message
-- that names what is at fault, and nothing is changed. Between them the cases try owner, mode, parent, link and type.

local LOADED = "/run/sandbox/loaded"
local MARK = 'assert(io.open("' .. LOADED .. '", "w")):close()\n'

---@class TrustKind
---@field file string
---@field text string
---@field run string  a command that loads it

---@type table<string, TrustKind>
local kinds = {
  hook = { file = "/etc/postmulti/hooks.d/10-x.lua", run = "postmulti -e init",
    text = MARK .. "return { before_init = function() end }\n" },
  command = { file = "/etc/postmulti/commands.d/x.lua", run = "postmulti -e x",
    text = MARK .. 'return { summary = "x", run = function() end }\n' },
  config = { file = "/etc/postmulti/config.lua", run = "postmulti -e init", text = MARK .. "return {}\n" },
}

-- What is done ($F: the file, $D: its directory), and why it is refused; nil: it is loaded.
local WRITABLE, OWNER, SET_ID = "can be written by others", "belongs to user", "has a set%-id bit"

local cases = {
  -- mode
  { "644 root", "chmod 644 $F" },
  { "600 root", "chmod 600 $F" },
  { "444 root", "chmod 444 $F" },
  { "755 root", "chmod 755 $F" },
  { "000 root", "chmod 000 $F" },
  { "1644 root", "chmod 1644 $F" },
  { "664", "chmod 664 $F", WRITABLE },
  { "646", "chmod 646 $F", WRITABLE },
  { "666", "chmod 666 $F", WRITABLE },
  { "620", "chmod 620 $F", WRITABLE },
  { "602", "chmod 602 $F", WRITABLE },
  { "777", "chmod 777 $F", WRITABLE },
  { "4755", "chmod 4755 $F", SET_ID },
  { "2755", "chmod 2755 $F", SET_ID },
  { "6755", "chmod 6755 $F", SET_ID },
  { "an ACL that lets a user read", "setfacl -m u:nobody:r $F" },
  { "an ACL that lets a user write", "setfacl -m u:nobody:rw $F", WRITABLE },
  { "an ACL that lets a group write", "setfacl -m g:nogroup:rw $F", WRITABLE },
  -- owner
  { "644 of nobody", "chown nobody $F", OWNER },
  { "400 of nobody", "chmod 400 $F; chown nobody $F", OWNER },
  { "644 of the mail user", "chown postfix $F", OWNER },
  { "644 of a user without a name", "chown 54321 $F", OWNER },
  { "644 of the group nogroup", "chgrp nogroup $F" },
  { "664 of the group root", "chmod 664 $F; chgrp root $F", WRITABLE },
  -- parent
  { "directory 700", "chmod 700 $D" },
  { "directory 2755", "chmod 2755 $D" },
  { "directory 775", "chmod 775 $D", WRITABLE },
  { "directory 757", "chmod 757 $D", WRITABLE },
  { "directory 1777", "chmod 1777 $D", WRITABLE },
  { "directory 2775", "chmod 2775 $D", WRITABLE },
  { "directory of nobody", "chown nobody $D", OWNER },
  { "directory with an ACL", "setfacl -m u:nobody:rwx $D", WRITABLE },
  { "/etc/postmulti 777", "chmod 777 /etc/postmulti", WRITABLE },
  { "/etc/postmulti of nobody", "chown nobody /etc/postmulti", OWNER },
  { "/etc 775", "chmod 775 /etc", WRITABLE },
  { "/etc of nobody", "chown nobody /etc", OWNER },
  { "/ 777", "chmod 777 /", WRITABLE },
  { "/ of nobody", "chown nobody /", OWNER },
  -- link
  { "a link to a sound file", "mv $F /srv/trust/f; ln -s /srv/trust/f $F" },
  { "a link by a relative path", "mv $F /etc/postmulti/f; ln -s $(dirname $(realpath -m --relative-to=$D "
    .. "/etc/postmulti/f))/f $F" },
  { "a chain of links", "mv $F /srv/trust/f; ln -s f /srv/trust/g; ln -s /srv/trust/g $F" },
  { "a link to a file that others can write", "mv $F /srv/trust/f; chmod 666 /srv/trust/f; ln -s /srv/trust/f $F",
    "/srv/trust/f " .. WRITABLE },
  { "a link to a file of nobody", "mv $F /srv/trust/f; chown nobody /srv/trust/f; ln -s /srv/trust/f $F",
    "/srv/trust/f " .. OWNER },
  { "a link into /tmp", "mv $F /tmp/trust; ln -s /tmp/trust $F", "/tmp " .. WRITABLE },
  { "a link to a link in /tmp", "mv $F /srv/trust/f; ln -s /srv/trust/f /tmp/trust; ln -s /tmp/trust $F",
    "/tmp " .. WRITABLE },
  { "a link of nobody to a sound file", "mv $F /srv/trust/f; ln -s /srv/trust/f $F; chown -h nobody $F", OWNER },
  { "a link into a directory that others can write",
    "mkdir /srv/trust/d; mv $F /srv/trust/d/f; chmod 775 /srv/trust/d; ln -s /srv/trust/d/f $F",
    "/srv/trust/d " .. WRITABLE },
  { "a link to itself", "rm $F; ln -s x $D/y; ln -s y $D/x; ln -s x $F", "" },
  { "a link to nothing", "rm $F; ln -s /srv/trust/nothing $F", "a symbolic link to nothing", not_for = "config" },
  { "a link to a directory", "rm $F; ln -s /srv/trust $F", "is not a regular file" },
  { "the directory is a link to a sound one", "mv $D /srv/trust/d; ln -s /srv/trust/d $D" },
  { "the directory is a link to one that others can write",
    "mv $D /srv/trust/d; chmod 777 /srv/trust/d; ln -s /srv/trust/d $D", WRITABLE },
  { "the directory is a link to one of nobody", "mv $D /srv/trust/d; chown nobody /srv/trust/d; ln -s /srv/trust/d $D",
    OWNER },
  { "a hard link to it in /tmp", "ln $F /tmp/trust" },
  { "a hard link to a file of nobody", "mv $F /srv/trust/f; chown nobody /srv/trust/f; ln /srv/trust/f $F", OWNER },
  -- type
  { "a directory", "rm $F; mkdir $F", "is not a regular file" },
  { "a fifo that nobody writes", "rm $F; mkfifo -m 644 $F", "is not a regular file" },
  { "a socket",
    "rm $F; perl -MSocket -e 'socket(S,PF_UNIX,SOCK_STREAM,0); bind(S,sockaddr_un(shift))' $F; chmod 644 $F",
    "is not a regular file" },
  { "a character device", "rm $F; mknod -m 644 $F c 1 5", "is not a regular file" },
  { "a block device", "rm $F; mknod -m 644 $F b 7 250", "is not a regular file" },
  { "a file where its directory should be", "rm -r $D; echo x >$D", "", not_for = "config" },
}

-- Of the other two kinds one of each sort is enough: the way is the same.
local ALSO = { ["644 root"] = true, ["664"] = true, ["4755"] = true, ["644 of nobody"] = true, ["directory 775"] = true,
  ["/etc 775"] = true, ["a link to a sound file"] = true, ["a link into /tmp"] = true,
  ["a fifo that nobody writes"] = true, ["a directory"] = true, ["an ACL that lets a user write"] = true }

local function try(host, kind, case)
  local directory = kind.file:match "^(.*)/"
  host:ok(("rm -rf /srv/trust /tmp/trust %s; mkdir -p %s /srv/trust"):format(LOADED, directory))
  host:write(kind.file, kind.text)
  host:ok "chmod 755 / /etc /srv /srv/trust; chown 0:0 / /etc /srv /srv/trust"
  local before = host:read "/etc/postfix/main.cf"
  host:ok(("F=%s; D=%s; %s"):format(kind.file, directory, case[2]))
  local result = host:sh(kind.run)
  local loaded = host:sh("test -e " .. LOADED).status == 0
  host:ok "chmod 755 / /etc; chown 0:0 / /etc; rm -rf /srv/trust /tmp/trust"
  if not case[3] then
    host:same(0, result.status, "exit status (" .. result.err .. ")")
    host:same(true, loaded, "was it loaded")
    return
  end
  host:same(false, loaded, "was it loaded")
  host:same(1, result.status, "exit status (" .. result.err .. ")")
  host:matches(result.err, "^postmulti: fatal: [^\n]*" .. case[3] .. "[^\n]*\n$")
  host:matches(result.err, "/etc/postmulti")
  host:same(before, host:read "/etc/postfix/main.cf", "main.cf")
end

local list = {}
for _, name in ipairs { "hook", "command", "config" } do
  for _, case in ipairs(cases) do
    if case.not_for ~= name and (name == "hook" or ALSO[case[1]]) then
      list[#list + 1] = { ("%s: %s (%s)"):format(name, case[1], case[3] and "refused" or "loaded"), function(host)
        try(host, kinds[name], case)
      end }
    end
  end
end
return list
