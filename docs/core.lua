---@meta postmulti.core
-- The contract between C and Lua: what `require "postmulti.core"` offers.
-- This file is read by LuaLS and by people; no program loads it.
--
-- Two kinds of error. Wrong use (a bad argument) raises. What a file or the
-- system refuses returns nil, message, errno: one line that names the file and
-- the reason; errno is 0 where no system call was the reason.
-- Numbers of seconds may be fractions. Modes are integers (tonumber("755", 8)).

---@class postmulti.core
---@field version string              version of this build
---@field build table<string, string> fixed at build time: config_directory (the primary), sysconf_directory
---  (/etc/postmulti), share_directory (PREFIX/share/postmulti), and the installed Postfix's compiled-in
---  command_directory daemon_directory data_directory mail_owner meta_directory queue_directory
---  setgid_group shlib_directory
local core = {}

------------------------------------------------------------------ main.cf text

---One parameter setting as it stands in a file.
---@class postmulti.Setting
---@field name string
---@field value string   newlines joined, blanks at both ends gone, inner blanks kept, cut at a NUL; not expanded
---@field line integer   first physical line of the logical line, from 1

---A remark on a file that can still be used.
---@class postmulti.Remark
---@field kind "duplicate"|"continuation"|"nul"|"multiple"|"unmatched"|"braces"  overriding an earlier entry with another value; a logical line
---  that starts with a blank; text after a NUL; an edited name with several entries
---@field line integer
---@field text string    one line, names the file when `path` was given: "PATH, line N: ..."

---Parse the text of a main.cf.
---@param text string
---@param path string?  for messages
---@return postmulti.Setting[]|nil settings  file order, duplicates included; nil: malformed
---@return postmulti.Remark[]|string remarks or the reason
---@return integer? errno  0
---@return integer? line   of the malformed line
function core.parse_main(text, path) end

---Read parameters of a main.cf from disk. Never blocks (not on a fifo either), takes no lock, and never
---returns half a file: a file that changes under the read is read again.
---@param path string
---@param names string[]|nil  the names wanted, nil: all that the file sets
---@return table<string, string>|nil values  name to raw value, last setting wins; names not set are absent
---@return postmulti.Remark[]|string remarks or the reason; of duplicates only those of the names wanted
---@return integer? errno
---@return "missing"|"unreadable"|"malformed"|"changing"|"too large"|"not a file"|nil kind
---@return table<string, string>|nil partial  for "malformed": what the well-formed lines say
function core.read_parameters(path, names) end

---Read parameters of a main.cf that has nothing special, as most: the short cut of read_parameters, for many files. Where
---there is anything to say about the file or one of the values - it cannot be read, there would be a remark, a name is
---set twice, a value has a "$" or a blank or more than one line - the answer is false, and read_parameters has the rest.
---@param directory string
---@param suffix string  what is put behind it, to make a path
---@param ... string     names, at most 8
---@return boolean is_plain
---@return string|nil ...  the values of the names, in their order; nil: not set
function core.read_plain(directory, suffix, ...) end

---Have the disk fetch many files ahead of their being read one by one. Only what is not in memory is fetched, nothing is
---remembered, nothing fails: without it reading gives the same, later.
---@param list string[]
---@param suffix string  what is put behind each, to make a path
---@return { [any]: any }  a handle, for <close>: closing waits for the reads under way and drops the rest
function core.prefetch(list, suffix) end

---Edit the text of a main.cf; pure. Same resulting text as postconf(1) -e, -X and -#, its defects apart: a missing final
---newline is supplied, bytes after a NUL are kept. Appended settings come sorted by name (as postconf since 3.11).
---@param text string
---@param edits { [1]: "set"|"remove"|"comment", [2]: string, [3]: string? }[]  operation, name, value (for set).
---  The last edit of a name wins.
---@param path string?
---@return string|nil text
---@return postmulti.Remark[]|string remarks  ("multiple entries" is kind "multiple"), or the reason
---@return integer? errno
function core.edit_main(text, edits, path) end

---------------------------------------------------------------- master.cf text

---@class postmulti.Service
---@field name string
---@field type string
---@field private string
---@field unprivileged string
---@field chroot string
---@field wakeup string
---@field process_limit string
---@field command string    program and all its arguments as postconf -M shows them, on one line
---@field arguments string[] the words of the command: program, then arguments, {} resolved
---@field overrides { [1]: string, [2]: string }[]  name, value of each -o, in file order
---@field line integer

---Remarks are of kind "continuation", "nul" and "braces": a { of an argument that is not closed, or text after its },
---which Postfix passes over.
---@param text string
---@param path string?
---@return postmulti.Service[]|nil services
---@return postmulti.Remark[]|string remarks or the reason
---@return integer? errno
---@return integer? line
function core.parse_master(text, path) end

---Edit the text of a master.cf; pure. As postconf -M -F -P with -e -X -#, stock's defects (docs/differences.md) apart.
---Each edit is { operation, selector, value }:
---  "service", "smtp/inet", "smtp inet n - y - - smtpd"   add or replace       (-Me)
---  "remove-service", "smtp/inet"                                              (-MX)
---  "comment-service", "smtp/inet"                                             (-M#)
---  "field", "smtp/inet/chroot", "n"                                           (-Fe)
---  "override", "smtp/inet/syslog_name", "x"                                   (-Pe)
---  "remove-override", "smtp/inet/syslog_name"                                 (-PX)
---Edits are applied in order; consecutive "field" edits select by the names and types from before the first of them.
---"*" as name or type selects any (not for "service"). A name may hold slashes. A value may hold blanks, no newline.
---An entry that cannot be rewritten without loss (a NUL, broken braces) is refused. The result is read back first.
---@param text string
---@param edits { [1]: string, [2]: string, [3]: string? }[]
---@param path string?
---@return string|nil text
---@return postmulti.Remark[]|string remarks  (an edit without a match is kind "unmatched"), or the reason
---@return integer? errno
function core.edit_master(text, edits, path) end

------------------------------------------------------------------- expansion

---Expand $name, recursively (postconf(5), "The general format of the main.cf file").
---@param text string
---@param lookup table<string, string>|fun(name: string): string|nil  raw value of a parameter; nil: undefined. It is
---  expanded in its turn. An error it raises passes through.
---@return string|nil value
---@return string? reason
---@return integer? errno  0
function core.expand(text, lookup) end

---Squeeze runs of blanks (space, tab, CR, LF) to one space and trim the ends, as postconf(1) prints a value.
---@param value string
---@return string
function core.squeeze(value) end

------------------------------------------------------------ file transaction

---@class postmulti.Edit  a file held for editing, with the lock that postconf -e takes
---@field text string     what the file held when the lock was got
---@field path string     the file itself, links resolved
local edit = {}

---Begin to edit PATH: PATH.tmp is created and locked as postconf -e does it, then PATH is read.
---A symbolic link is resolved first; the edit is made beside its target.
---@param path string
---@param options { timeout: number? }?  seconds to wait for the lock, default 30
---@return postmulti.Edit|nil
---@return string? reason   for a lock that is held: names the holder's process
---@return integer? errno   EWOULDBLOCK for a lock that stayed held
function core.edit(path, options) end

---Put TEXT in the file's place: mode, owner, ACL and extended attributes kept, file and directory synced.
---A text equal to the old one writes nothing. The handle is closed in every case. Refused (EAGAIN) when somebody
---who takes no lock has changed the file since it was read.
---@param text string
---@return "changed"|"unchanged"|nil outcome
---@return string? reason
---@return integer? errno
---@return boolean? installed  true: the new text is in place, but it is not known to be on disk
function edit:commit(text) end

---Give up: nothing is changed, PATH.tmp is gone, the lock released. Harmless after commit, and what `<close>` does.
function edit:rollback() end

---Create PATH with TEXT by the same protocol; refuses (EEXIST) when it exists, unless `replace`.
---@param path string
---@param text string
---@param options { mode: integer?, replace: boolean?, timeout: number?, times_from: string?, sync_later: boolean? }?
---  mode default 0644; times_from: a file whose access and modification times are copied; sync_later: the caller syncs
---  the directory, the file itself is synced here
---  A symbolic link at PATH is what is there: it is not followed, and `replace` replaces it.
---@return true|nil
---@return string? reason
---@return integer? errno
---@return boolean? installed  true: the file is in place, but it is not known to be on disk
function core.create_file(path, text, options) end

---Add TEXT to the end of PATH, which is made with mode 0600 when it is missing: all of it or, after a failure, nothing.
---Processes that do this at the same time wait for each other. A link at PATH is not followed. The directory is not synced.
---@param path string
---@param text string
---@param options { sync_later: boolean? }?
---@return integer|nil at  where in the file it begins, in bytes
---@return string? reason
---@return integer? errno
function core.append_file(path, text, options) end

---64 bits of a text as 16 digits (FNV-1a), to tell whether it is still the same.
---@param text string
---@return string
function core.checksum(text) end

---@class postmulti.Lock
local lock = {}

---Take an exclusive flock(2) on a directory or file that exists (or is created with mode 0600 with `create`).
---@param path string
---@param options { timeout: number?, create: boolean? }?
---@return postmulti.Lock|nil
---@return string? reason  names the holder's process
---@return integer? errno  EWOULDBLOCK: still held at the end of the wait
function core.lock(path, options) end
function lock:release() end

---Is PATH locked by another process (flock, as Postfix's master holds its pid/master.pid)? Waits for nothing.
---@param path string
---@return boolean|nil locked  false too when there is no such file
---@return integer|string|nil pid  of the holder, where it can be told; or the reason
---@return integer? errno
function core.locked(path) end

----------------------------------------------------------- files, directories

---@class postmulti.Stat
---@field type "directory"|"file"|"link"|"fifo"|"socket"|"block"|"character"
---@field mode integer   permission bits, set-id and sticky bits too
---@field uid integer
---@field gid integer
---@field size integer
---@field links integer
---@field device integer
---@field inode integer
---@field mtime number

---@param path string
---@param follow boolean?  follow a final symbolic link, default true
---@return postmulti.Stat|nil
---@return string? reason
---@return integer? errno
function core.stat(path, follow) end

---Read a whole regular file (at most 64 MB). Never blocks, and never gives half of a file that is being rewritten: one
---that changes is waited for, a second at most, and then refused.
---@param path string
---@return string|nil text
---@return string? reason
---@return integer? errno
function core.read_file(path) end

---Names in a directory, sorted by byte, without "." and "..".
---@param path string
---@return { name: string, type: string }[]|nil
---@return string? reason
---@return integer? errno
function core.list(path) end

---The absolute path without links, "." and ".." of something that exists.
---@param path string
---@return string|nil
---@return string? reason
---@return integer? errno
function core.real_path(path) end

---Make a directory and the parents it lacks. An existing directory is left as it is. The umask has no influence;
---a set-gid bit inherited from the parent is kept. New directories and those that hold them are synced, unless sync_later.
---On failure what was made is removed again.
---@param path string  absolute; at most 128 directories are made in one call
---@param options { mode: integer?, parents_mode: integer?, uid: integer?, gid: integer?, sync_later: boolean? }?
---  modes default 0755. Only the last one gets uid and gid.
---@return string[]|nil created  paths without "." and empty components, outermost first; empty: it existed
---@return string? reason
---@return integer? errno
function core.make_path(path, options) end

---Give owner, group and mode to BASE, or to NAME beneath it, as postfix(1) set-permissions does: BASE may be a link,
---below it no link is followed and no mount point crossed. Of a directory the set-uid and set-gid bits that it has are kept.
---Owner first, then mode. Nothing is synced: sync BASE when all is done. A directory that `create` made and that could
---not be given its owner and mode is removed again. Refused (EPERM): another owner for something that is no directory,
---has several hard links and lies in a directory that others can write, as everything does below a `recursive` one.
---@param base string
---@param name string|nil  relative path without "..", nil: BASE itself
---@param options { type: "directory"|"file", uid: integer?, gid: integer?, mode: integer?, create: boolean?, recursive: boolean? }
---  create: make the directory when it is missing; recursive: owner and group of everything below, mode of the directories below
---@return "created"|"changed"|"unchanged"|nil
---@return string? reason
---@return integer? errno
function core.set_permissions(base, name, options) end

---Count the regular files in a directory beneath BASE, at any depth; no link followed, mount points crossed.
---@param base string
---@param name string
---@return integer|nil count  0 when the directory is missing
---@return string? reason
---@return integer? errno
function core.count_files(base, name) end

---Remove one file, socket, fifo or link. @return true|nil, reason, errno (ENOENT when it was not there)
---@param path string
---@return true|nil
---@return string? reason
---@return integer? errno
function core.unlink(path) end

---Remove an empty directory.
---@param path string
---@return true|nil
---@return string? reason
---@return integer? errno
function core.rmdir(path) end

---Remove NAME beneath BASE with everything in it, by descriptors: no link followed, no mount point crossed. What cannot
---be removed is left and the rest goes on.
---@param base string
---@param name string  relative, one or more components, none ".."; a link or file is removed itself
---@param options { keep: (fun(relative: string, type: string): boolean)? }?  keep: true for what must stay, a directory
---  with all that is in it; asked for everything below NAME (path from there), not for NAME. An error it
---  raises passes through
---@return integer|nil removed  objects removed
---@return string? reason  the first thing that could not be removed
---@return integer? errno  ENOENT: there is no NAME
function core.remove_tree(base, name, options) end

---rename(2).
---@param from string
---@param to string
---@return true|nil
---@return string? reason
---@return integer? errno
function core.rename(from, to) end

---fsync a directory or file; of a list, several at a time: one that is not there is passed over then, and after a failure
---the others are synced all the same.
---@param path string|string[]
---@return true|nil
---@return string? reason   of the first that cannot be synced
---@return integer? errno
function core.sync(path) end

----------------------------------------------------------------- this process

---Set the file mode creation mask. @return the old one
---@param mask integer
---@return integer
function core.umask(mask) end

---@return integer uid  effective user id
function core.effective_uid() end

---@return string|nil
---@return string? reason  it was removed, for one
---@return integer? errno
function core.working_directory() end

---Node name (uname -n).
---@return string
function core.hostname() end

---Write TEXT to standard output, all of it, without a buffer in between. A pipe that does not block is waited for. When
---nobody reads any more, that is a signal as those below, unless SIGPIPE was ignored from the start.
---@param text string
---@return true|nil
---@return string? reason
---@return integer? errno
function core.print(text) end

---HUP, INT and TERM: in the program postmulti-lua, but at its prompt, they are raised as a postmulti.Error of kind
---"interrupted", between two instructions of the main thread; and core.run stops what it runs (TERM, KILL two seconds
---later), core.lock and core.edit stop waiting. Elsewhere nothing of this is so, and these two do nothing.
---Hold: a signal waits until the hold ends.
---@param hold boolean
function core.hold_interrupts(hold) end

---Raise the error now, if a signal has come and is not held.
function core.check_interrupt() end

---Unless this is called again within so many seconds: write TEXT, a line, to standard error and end the program at once,
---with status 1 and as if it were killed. 0: nobody watches.
---@param seconds number
---@param text string?
function core.watchdog(seconds, text) end

-------------------------------------------------------------------- processes

---@class postmulti.Exit
---@field status integer|nil  exit status, nil when killed
---@field signal integer|nil
---@field timed_out boolean|nil
---@field truncated boolean|nil  a captured stream had more than 64 MB, the rest is dropped
---@field stdout string|nil   when captured
---@field stderr string|nil   when captured

---Run a program and wait for it. No shell. Its descriptors are 0, 1, 2 only, signals have their default actions (HUP,
---INT and QUIT stay ignored where they are) and none is blocked. What Lua has written is flushed first. Capture ends
---with the program; what it left in the background with its output open is read for one second more at most.
---@param argv string[]  argv[1] is looked up in PATH of the new environment when it has no slash; a file without "#!"
---  is run by /bin/sh as execvp(3) does it
---@param options { environment: table<string, string|false>?, keep_environment: string[]?, directory: string?, stdin: ("inherit"|"null")?, stdout: ("inherit"|"null"|"capture")?, stderr: ("inherit"|"null"|"capture"|"stdout")?, time_limit: number?, input: string? }?
---  environment: NAME = value sets, NAME = false unsets; keep_environment: only these names are taken over from the
---  caller, nil: all (new names are added sorted); input: written to its standard input, not together with stdin;
---  time_limit: seconds, then TERM, and KILL two seconds later, to its
---  process group (it gets one of its own only with a time limit)
---@return postmulti.Exit|nil  nil: it could not be started
---@return string? reason  "NAME: No such file or directory"
---@return integer? errno
function core.run(argv, options) end

return core
