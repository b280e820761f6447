#include "bind.h"

#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <unistd.h>
#include <stdlib.h>
#include <string.h>

#include "bind_box.h"
#include "bind_option.h"
#include "environment.h"
#include "interrupt.h"
#include "process.h"
#include "write_all.h"

extern char **environ;

/* plain_string - is the value at the index a string without a NUL? */
static bool plain_string(lua_State *L, int index)
{
	return lua_type(L, index) == LUA_TSTRING && strlen(lua_tostring(L, index)) == lua_rawlen(L, index);
}

/*
 * push_pointers - a NULL-ended array of the strings of the list at LIST
 * It is a userdata on top of the stack; the list must stay where it is as long
 * as the array is used. WHAT, for the error, is about argument ARG.
 */
static const char **push_pointers(lua_State *L, int list, int arg, const char *what)
{
	size_t count = lua_rawlen(L, list);
	const char **pointer;

	luaL_argcheck(L, count < INT_MAX / sizeof *pointer, arg, "too many strings");
	pointer = lua_newuserdatauv(L, (count + 1) * sizeof *pointer, 0);
	for (size_t i = 0; i < count; i++) {
		(void)lua_rawgeti(L, list, (lua_Integer)i + 1);
		if (!plain_string(L, -1))
			(void)luaL_argerror(L, arg, lua_pushfstring(L, "%s must be strings without NUL (item %d)",
								    what, (int)i + 1));
		pointer[i] = lua_tostring(L, -1);
		lua_pop(L, 1);
	}
	pointer[count] = NULL;
	return pointer;
}

/* compare_pointers - strcmp(3) */
static int compare_pointers(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* push_change - "NAME=value" or "NAME" for the variable at -2, its value at -1 */
static void push_change(lua_State *L, int arg)
{
	const char *name = lua_type(L, -2) == LUA_TSTRING ? lua_tostring(L, -2) : NULL;
	bool unset = lua_isboolean(L, -1) && !lua_toboolean(L, -1);

	if (name == NULL || !plain_string(L, -2) || *name == '\0' || strchr(name, '=') != NULL)
		(void)luaL_argerror(L, arg, "names of environment variables must be strings without NUL and \"=\"");
	if (unset)
		lua_pushstring(L, name);
	else if (plain_string(L, -1))
		lua_pushfstring(L, "%s=%s", name, lua_tostring(L, -1));
	else
		(void)luaL_argerror(L, arg, lua_pushfstring(L, "environment variable '%s' must be a string "
							    "without NUL, or false", name));
}

/* push_changes - two values: a list of the changes of `environment`, and the sorted array of them; NULL: none */
static const char **push_changes(lua_State *L, int options)
{
	const char **change = NULL;
	lua_Integer count = 0;
	int type = lua_getfield(L, options, "environment"), list;

	if (type == LUA_TNIL) {
		lua_pushnil(L);
		return NULL;
	}
	if (type != LUA_TTABLE)
		(void)bind_option_error(L, options, "environment", "a table");
	lua_newtable(L);
	list = lua_gettop(L);
	for (lua_pushnil(L); lua_next(L, list - 1) != 0; lua_pop(L, 1)) {
		push_change(L, options);
		lua_rawseti(L, list, ++count);
	}
	lua_remove(L, list - 1);
	change = push_pointers(L, list - 1, options, "changes of the environment");
	qsort(change, (size_t)count, sizeof *change, compare_pointers);
	return change;
}

/* push_keep - two values: the list `keep_environment`, and the array of it; NULL: none */
static const char **push_keep(lua_State *L, int options)
{
	int type = lua_getfield(L, options, "keep_environment");

	if (type == LUA_TNIL) {
		lua_pushnil(L);
		return NULL;
	}
	if (type != LUA_TTABLE)
		(void)bind_option_error(L, options, "keep_environment", "a table");
	return push_pointers(L, lua_gettop(L), options, "names of environment variables");
}

/* push_environment - all that the program's environment consists of */
static const char *const *push_environment(lua_State *L, int options)
{
	const char **change = push_changes(L, options), **keep = push_keep(L, options);
	struct buffer *block = bind_box(L);

	if (environment_merge(environ, (const char *const *)keep, (const char *const *)change, block) < 0)
		(void)luaL_error(L, "not enough memory");
	return (const void *)block->data;
}

/* push_text - a string option, with its size where it may hold NULs; NULL: absent */
static const char *push_text(lua_State *L, int options, const char *name, size_t *size)
{
	int type = lua_getfield(L, options, name);

	if (type == LUA_TNIL)
		return NULL;
	if (type != LUA_TSTRING || (size == NULL && (!plain_string(L, -1) || lua_rawlen(L, -1) == 0)))
		(void)bind_option_error(L, options, name, size == NULL ? "a string without NUL" : "a string");
	return lua_tolstring(L, -1, size);
}

/* option_seconds - a time limit; 0: none */
static double option_seconds(lua_State *L, int options, const char *name)
{
	double seconds = 0;

	if (lua_getfield(L, options, name) != LUA_TNIL) {
		if (lua_type(L, -1) == LUA_TNUMBER)
			seconds = lua_tonumber(L, -1);
		if (!(seconds > 0 && isfinite(seconds)))
			(void)bind_option_error(L, options, name, "a number of seconds above 0");
	}
	lua_pop(L, 1);
	return seconds;
}

/* read_streams - where the standard descriptors go */
static void read_streams(lua_State *L, int options, struct process_request *request)
{
	static const char *const in[] = { "inherit", "null", NULL };
	static const char *const out[] = { "inherit", "null", "capture", NULL };
	static const char *const err[] = { "inherit", "null", "capture", "stdout", NULL };

	request->in = (enum process_stream)bind_option_choice(L, options, "stdin", in, PROCESS_INHERIT);
	request->out = (enum process_stream)bind_option_choice(L, options, "stdout", out, PROCESS_INHERIT);
	request->err = (enum process_stream)bind_option_choice(L, options, "stderr", err, PROCESS_INHERIT);
	request->time_limit = option_seconds(L, options, "time_limit");
	luaL_argcheck(L, request->input == NULL || lua_getfield(L, options, "stdin") == LUA_TNIL, options,
		      "'input' and 'stdin' exclude each other");
}

/* push_exit - how it ended */
static void push_exit(lua_State *L, const struct process_request *request, const struct process_exit *done,
		      struct buffer *out, struct buffer *err)
{
	lua_createtable(L, 0, 4);
	if (done->signal != 0)
		lua_pushinteger(L, done->signal);
	else
		lua_pushinteger(L, done->status);
	lua_setfield(L, -2, done->signal != 0 ? "signal" : "status");
	if (done->timed_out) {
		lua_pushboolean(L, true);
		lua_setfield(L, -2, "timed_out");
	}
	if (done->truncated) {
		lua_pushboolean(L, true);
		lua_setfield(L, -2, "truncated");
	}
	if (request->out == PROCESS_CAPTURE) {
		lua_pushlstring(L, out->data, out->length);
		lua_setfield(L, -2, "stdout");
	}
	if (request->err == PROCESS_CAPTURE) {
		lua_pushlstring(L, err->data, err->length);
		lua_setfield(L, -2, "stderr");
	}
	buffer_free(out);
	buffer_free(err);
}

/* core.run(argv, options) */
static int bind_run(lua_State *L)
{
	struct process_request request = { 0 };
	struct buffer *out, *err;
	struct process_exit done;
	struct fault fault;

	luaL_checktype(L, 1, LUA_TTABLE);
	luaL_argcheck(L, lua_rawlen(L, 1) > 0, 1, "no program given");
	bind_options(L, 2);
	request.argv = (const char *const *)push_pointers(L, 1, 1, "arguments");
	request.environment = push_environment(L, 2);
	request.directory = push_text(L, 2, "directory", NULL);
	request.input = push_text(L, 2, "input", &request.input_size);
	read_streams(L, 2, &request);
	out = bind_box(L);
	err = bind_box(L);
	/* What Lua has written so far comes before what the program writes. */
	(void)fflush(NULL);
	if (process_run(&request, &done, out, err, &fault) < 0)
		return bind_failure(L, &fault);
	push_exit(L, &request, &done, out, err);
	return 1;
}

/* core.print(text) */
static int bind_print(lua_State *L)
{
	size_t length;
	const char *text = luaL_checklstring(L, 1, &length);
	struct fault fault;

	/* What Lua has written so far comes first. */
	(void)fflush(stdout);
	if (write_output(STDOUT_FILENO, text, length, "standard output", &fault) < 0) {
		if (fault.number == EPIPE)
			interrupt_broken_pipe();
		return bind_failure(L, &fault);
	}
	lua_pushboolean(L, 1);
	return 1;
}

const luaL_Reg bind_process[] = {
	{ "print", bind_print },
	{ "run", bind_run },
	{ NULL, NULL },
};
