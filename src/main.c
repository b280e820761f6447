/*
 * postmulti-lua - Lua with postmulti.core inside
 *
 * The order of things: standard descriptors, signals, options; then one Lua
 * state, in which everything that may raise, opening the libraries included,
 * runs in one protected call.
 */
#define _GNU_SOURCE
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bind.h"
#include "build.h"
#include "interrupt.h"
#include "loader.h"
#include "pool.h"
#include "prompt.h"
#include "sys.h"

#define PROGRAM "postmulti-lua"

enum { DONE = -1 }; /* options that were the whole job */

struct host {
	int argc;
	char **argv;
	int script;      /* index of the script in argv, argc: none */
	int options_end; /* index of the first word after the options */
	bool interactive;
	bool has_chunk;
	bool lint; /* look at scripts, run none */
};

static const char version_text[] = PROGRAM " " BUILD_VERSION " (" LUA_RELEASE ")\n";

static const char help_text[] =
	"usage: " PROGRAM " [-i] [-e chunk]... [--] [script | -] [argument]...\n"
	"Run a Lua script with the modules of postmulti at hand.\n"
	"\n"
	"  -e chunk   run the chunk of Lua before the script\n"
	"  -i         read Lua from a prompt after that\n"
	"  -          read the script from standard input\n"
	"  --lint     look for mistakes in the files that follow, run nothing\n"
	"  --version  print the version\n"
	"  --help     print this text\n"
	"\n"
	"Without a script and chunk, Lua is read from standard input: by a prompt\n"
	"where it is a terminal. See " PROGRAM "(1) and postmulti(1).\n";

/* put_message - to standard error; control characters, which might steer a terminal, become '?', but for some */
static void put_message(const char *text, const char *layout)
{
	(void)fflush(stdout);
	for (; *text != '\0'; text++)
		(void)fputc(iscntrl((unsigned char)*text) && strchr(layout, *text) == NULL ? '?' : *text, stderr);
	(void)fputc('\n', stderr);
}

/* complain - a message of one line; always EXIT_FAILURE */
__attribute__((format(printf, 1, 2))) static int complain(const char *format, ...)
{
	char text[4096] = PROGRAM ": ";
	size_t length = strlen(text);
	va_list ap;

	va_start(ap, format);
	(void)vsnprintf(text + length, sizeof text - length, format, ap);
	va_end(ap);
	put_message(text, "");
	return EXIT_FAILURE;
}

/* open_standard_descriptors - a file opened later must not become standard output or error */
static int open_standard_descriptors(void)
{
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		if (fcntl(fd, F_GETFD) < 0 && errno == EBADF && sys->openat(AT_FDCWD, "/dev/null", O_RDWR, 0) != fd)
			return -1;
	return 0;
}

/* has_borrowed_rights - is the program set-uid or set-gid, so that its caller could have Lua of his run with them? */
static bool has_borrowed_rights(void)
{
	return getuid() != geteuid() || getgid() != getegid();
}

/* set_signals - a failed write is an error to be told, not a reason to die; children are waited for */
static void set_signals(void)
{
	interrupt_ignore_pipe();
	(void)signal(SIGXFSZ, SIG_IGN);
	(void)signal(SIGCHLD, SIG_DFL);
}

/* has_reader - is standard output anything but a pipe that nobody reads any more? */
static bool has_reader(void)
{
	struct pollfd out = { .fd = STDOUT_FILENO, .events = POLLOUT };

	return sys->poll(&out, 1, 0) < 0 || (out.revents & POLLERR) == 0;
}

/* check_output - at exit: what was printed but could not be written is a failure */
static void check_output(void)
{
	bool failed = ferror(stdout) != 0;

	errno = 0;
	if (fflush(stdout) == 0 && !failed)
		return;
	if (has_reader()) /* otherwise it has seen enough, and needs no message */
		(void)complain("standard output: %s", errno != 0 ? strerror(errno) : "write error");
	_exit(EXIT_FAILURE);
}

/* print_text - to standard output; DONE */
static int print_text(const char *text)
{
	(void)fputs(text, stdout);
	return DONE;
}

/* parse_option - one option at argv[*at]; 0, DONE, or EXIT_FAILURE */
static int parse_option(struct host *host, int *at)
{
	const char *option = host->argv[*at];

	if (strcmp(option, "--version") == 0 || strcmp(option, "-v") == 0)
		return print_text(version_text);
	if (strcmp(option, "--help") == 0 || strcmp(option, "-h") == 0)
		return print_text(help_text);
	if (strcmp(option, "-i") == 0)
		host->interactive = true;
	else if (strcmp(option, "--lint") == 0)
		host->lint = true;
	else if (strncmp(option, "-e", 2) == 0) {
		host->has_chunk = true;
		if (option[2] == '\0' && host->argv[++*at] == NULL)
			return complain("option -e needs a chunk of Lua; see " PROGRAM " --help");
	} else
		return complain("unknown option %s; see " PROGRAM " --help", option);
	return 0;
}

/* parse_options - fill the host; 0, DONE, or EXIT_FAILURE */
static int parse_options(struct host *host)
{
	int at = 1;

	for (; at < host->argc && host->argv[at][0] == '-' && host->argv[at][1] != '\0'; at++) {
		int result;

		if (strcmp(host->argv[at], "--") == 0) {
			host->options_end = at++;
			host->script = at;
			return 0;
		}
		result = parse_option(host, &at);
		if (result != 0)
			return result;
	}
	host->options_end = at;
	host->script = at;
	return 0;
}

/* script_name - what a one-line message starts with */
static const char *script_name(const struct host *host)
{
	const char *path = host->script < host->argc ? host->argv[host->script] : PROGRAM;
	const char *slash = strrchr(path, '/');

	if (strcmp(path, "-") == 0)
		return PROGRAM;
	return slash != NULL && slash[1] != '\0' ? slash + 1 : path;
}

/* push_flat - "NAME: text" in one line: newlines, and the indentation after them, are made blanks */
static void push_flat(lua_State *L, const char *name, const char *text, size_t length)
{
	luaL_Buffer line;

	luaL_buffinitsize(L, &line, strlen(name) + 2 + length);
	luaL_addstring(&line, name);
	luaL_addstring(&line, ": ");
	for (size_t i = 0; i < length; i++)
		if (text[i] != '\t' || i == 0 || text[i - 1] != '\n')
			luaL_addchar(&line, text[i] == '\n' ? ' ' : text[i]);
	luaL_pushresult(&line);
}

/* push_line - the line of the error object at 1; false: it has no message */
static bool push_line(lua_State *L, const char *name)
{
	const char *text;
	size_t length;

	if (!luaL_callmeta(L, 1, "__tostring") && !(lua_istable(L, 1) && lua_getfield(L, 1, "message") != LUA_TNIL))
		return false;
	text = lua_tolstring(L, -1, &length);
	if (text == NULL)
		return false;
	push_flat(L, name, text, length);
	return true;
}

/* is_shortage - does an error say that there was no memory, for Lua or for somebody below it? */
static bool is_shortage(const char *text)
{
	return strstr(text, "not enough memory") != NULL || strstr(text, strerror(ENOMEM)) != NULL;
}

/* is_unloadable - is it about a module that could not be read or compiled? */
static bool is_unloadable(const char *text)
{
	static const char loading[] = "error loading module ";

	return strncmp(text, loading, sizeof loading - 1) == 0;
}

/* handle_message - expected failures are objects and get a line, a string is a bug and gets a traceback, unless
 * memory was wanting */
static int handle_message(lua_State *L)
{
	const struct host *host = lua_touserdata(L, lua_upvalueindex(1));

	if (lua_type(L, 1) != LUA_TSTRING && push_line(L, script_name(host)))
		return 1;
	if (lua_type(L, 1) == LUA_TSTRING && is_shortage(lua_tostring(L, 1))) {
		lua_pushliteral(L, PROGRAM ": not enough memory");
		return 1;
	}
	if (lua_type(L, 1) == LUA_TSTRING && is_unloadable(lua_tostring(L, 1))) {
		push_flat(L, PROGRAM, lua_tostring(L, 1), lua_rawlen(L, 1));
		return 1;
	}
	if (lua_type(L, 1) == LUA_TSTRING) {
		lua_pushfstring(L, PROGRAM ": %s", lua_tostring(L, 1));
		if (strstr(lua_tostring(L, 1), "\nstack traceback:\n") != NULL) /* the one of where it was raised */
			return 1;
	} else {
		lua_pushfstring(L, PROGRAM ": (error object is a %s value)", luaL_typename(L, 1));
	}
	luaL_traceback(L, L, lua_tostring(L, -1), 1);
	return 1;
}

/* has_template - is an entry in a search path, which ends with a separator where it is not empty? */
static bool has_template(const char *path, const char *entry, size_t length)
{
	for (; *path != '\0'; path += strcspn(path, LUA_PATH_SEP) + 1)
		if (strcspn(path, LUA_PATH_SEP) == length && memcmp(path, entry, length) == 0)
			return true;
	return false;
}

/* add_templates - append the absolute entries of a search path that are not there yet, each with a separator */
static void add_templates(char *path, const char *entries)
{
	char *end = path + strlen(path);

	for (size_t length; *entries != '\0'; entries += length + (entries[length] != '\0')) {
		length = strcspn(entries, LUA_PATH_SEP);
		if (*entries != '/' || has_template(path, entries, length))
			continue;
		memcpy(end, entries, length);
		end += length;
		memcpy(end, LUA_PATH_SEP, sizeof LUA_PATH_SEP);
		end += sizeof LUA_PATH_SEP - 1;
	}
}

/* set_path - package.FIELD: ours, then the absolute entries of Lua's compiled-in one */
static void set_path(lua_State *L, int package, const char *field, const char *ours)
{
	const char *theirs = lua_getfield(L, package, field) == LUA_TSTRING ? lua_tostring(L, -1) : "";
	char *path = lua_newuserdatauv(L, strlen(ours) + strlen(theirs) + 3, 0);
	size_t length;

	*path = '\0';
	add_templates(path, ours);
	add_templates(path, theirs);
	length = strlen(path);
	lua_pushlstring(L, path, length > 0 ? length - (sizeof LUA_PATH_SEP - 1) : 0);
	lua_setfield(L, package, field);
	lua_pop(L, 2);
}

/* open_libraries - the standard ones and our own; LUA_PATH and LUA_CPATH are not heeded */
static void open_libraries(lua_State *L)
{
	lua_pushboolean(L, 1);
	lua_setfield(L, LUA_REGISTRYINDEX, "LUA_NOENV");
	luaL_openlibs(L);
	lua_getglobal(L, "package");
	set_path(L, lua_gettop(L), "path", BUILD_LUADIR "/?.lua;" BUILD_LUADIR "/?/init.lua");
	set_path(L, lua_gettop(L), "cpath", BUILD_LUACDIR "/?.so");
	lua_getfield(L, -1, "preload");
	lua_pushcfunction(L, luaopen_postmulti_core);
	lua_setfield(L, -2, "postmulti.core");
	lua_pushcfunction(L, luaopen_postmulti_loader);
	lua_setfield(L, -2, "postmulti.loader");
	lua_pop(L, 2);
	loader_install(L, BUILD_LUADIR);
}

/* set_arg - the global table `arg`, as lua(1) has it */
static void set_arg(lua_State *L, const struct host *host)
{
	int script = host->script < host->argc ? host->script : 0;

	lua_createtable(L, host->argc - script, script + 1);
	for (int i = 0; i < host->argc; i++) {
		lua_pushstring(L, host->argv[i]);
		lua_rawseti(L, -2, i - script);
	}
	lua_setglobal(L, "arg");
}

/* call - run the function below ARGUMENTS values, report what fails; is it well? */
static bool call(lua_State *L, int handler, int arguments)
{
	pid_t self = getpid();
	int status = lua_pcall(L, arguments, 0, handler);

	if (getpid() != self) /* forked in Lua and fell through: leave the parent's business alone */
		_exit(EXIT_FAILURE);
	if (status == LUA_OK)
		return true;
	/* Where memory has run out the handler was not asked. */
	if (status == LUA_ERRMEM)
		(void)complain("%s", lua_tostring(L, -1));
	else
		put_message(lua_tostring(L, -1), "\n\t");
	lua_pop(L, 1);
	return false;
}

/* run_loaded - run what was compiled, or tell why it was not */
static bool run_loaded(lua_State *L, int status, int handler, int arguments)
{
	if (status == LUA_OK)
		return call(L, handler, arguments);
	(void)complain("%s", lua_tostring(L, -1));
	return false;
}

/* run_chunks - every -e, in order */
static bool run_chunks(lua_State *L, const struct host *host, int handler)
{
	for (int at = 1; at < host->options_end; at++) {
		const char *option = host->argv[at], *chunk = option + 2;

		if (strncmp(option, "-e", 2) != 0)
			continue;
		if (*chunk == '\0')
			chunk = host->argv[++at];
		if (!run_loaded(L, luaL_loadbuffer(L, chunk, strlen(chunk), "=(command line)"), handler, 0))
			return false;
	}
	return true;
}

/* run_script - FILE (NULL: standard input) with the words after it as arguments */
static bool run_script(lua_State *L, const struct host *host, const char *file, int handler)
{
	int count = 0, status = luaL_loadfile(L, file);

	if (!host->has_chunk) /* the first thing to run */
		(void)lua_gc(L, LUA_GCRESTART);
	if (status == LUA_OK && host->script < host->argc) {
		count = host->argc - host->script - 1;
		luaL_checkstack(L, count + 3, "too many arguments to the script");
		for (int i = host->script + 1; i < host->argc; i++)
			lua_pushstring(L, host->argv[i]);
	}
	return run_loaded(L, status, handler, count);
}

/* run_lint - postmulti.lint.main(arg); is all well? */
static bool run_lint(lua_State *L, int handler)
{
	static const char chunk[] = "os.exit(require('postmulti.lint').main(arg))";

	return run_loaded(L, luaL_loadbuffer(L, chunk, sizeof chunk - 1, "=--lint"), handler, 0);
}

/* run - in protected mode: all that the options ask for; pushes whether it went well */
static int run(lua_State *L)
{
	struct host *host = lua_touserdata(L, 1);
	bool well, has_prompt, has_script = host->script < host->argc;
	const char *file = has_script ? host->argv[host->script] : NULL;
	int handler;

	(void)lua_gc(L, LUA_GCSTOP); /* what is opened and loaded stays */
	open_libraries(L);
	set_arg(L, host);
	lua_pushlightuserdata(L, host);
	lua_pushcclosure(L, handle_message, 1);
	handler = lua_gettop(L);
	has_prompt = host->interactive || (!has_script && !host->has_chunk && isatty(STDIN_FILENO));
	if (host->lint || host->has_chunk || has_prompt)
		(void)lua_gc(L, LUA_GCRESTART);
	if (host->lint) {
		lua_pushboolean(L, run_lint(L, handler));
		return 1;
	}
	if (!has_prompt && bind_interrupt_install(L) < 0)
		return luaL_error(L, "signals: %s", strerror(errno));
	well = run_chunks(L, host, handler);
	if (well && has_script)
		well = run_script(L, host, strcmp(file, "-") == 0 ? NULL : file, handler);
	if (has_prompt) {
		(void)fputs(version_text, stdout);
		prompt_run(L, handler);
	} else if (well && !has_script && !host->has_chunk)
		well = run_script(L, host, NULL, handler);
	lua_pushboolean(L, well);
	return 1;
}

/* What warn() of a script does: as with lua(1), nothing until it says "@on". */
struct warnings {
	bool on;
	bool within; /* a message that is not at its end */
};

/* warn - a lua_WarnFunction: pieces of a message, or one that controls */
static void warn(void *state, const char *piece, int more)
{
	struct warnings *warnings = state;

	if (!warnings->within && !more && *piece == '@') {
		if (strcmp(piece, "@on") == 0 || strcmp(piece, "@off") == 0)
			warnings->on = piece[2] == 'n';
		return;
	}
	if (warnings->on)
		(void)fprintf(stderr, "%s%s%s", warnings->within ? "" : "Lua warning: ", piece, more ? "" : "\n");
	warnings->within = more;
}

/* main - exit status 0, 1 for any failure, or what the script gives to os.exit */
int main(int argc, char **argv)
{
	struct host host = { .argc = argc, .argv = argv, .script = argc };
	struct warnings warnings = { .on = false };
	struct pool pool = POOL_INIT;
	lua_State *L;
	int result;

	if (open_standard_descriptors() < 0)
		return complain("/dev/null: %s", strerror(errno));
	if (has_borrowed_rights())
		return complain("cannot run set-uid or set-gid: whoever calls it would run Lua with these rights");
	set_signals();
	if (atexit(interrupt_end) != 0 || atexit(check_output) != 0)
		return complain("not enough memory");
	result = parse_options(&host);
	if (result != 0)
		return result == DONE ? EXIT_SUCCESS : result;
	L = lua_newstate(pool_resize, &pool);
	if (L == NULL)
		return complain("not enough memory");
	lua_setwarnf(L, warn, &warnings);
	lua_pushcfunction(L, run);
	lua_pushlightuserdata(L, &host);
	if (lua_pcall(L, 1, 1, 0) != LUA_OK)
		result = complain("%s", lua_tostring(L, -1));
	else
		result = lua_toboolean(L, -1) ? EXIT_SUCCESS : EXIT_FAILURE;
	lua_close(L);
	pool_end(&pool);
	return result;
}
