#define _GNU_SOURCE
#include "prompt.h"

#include <lauxlib.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* push_editor - push the function readline.readline, or nil */
static void push_editor(lua_State *L)
{
	int top = lua_gettop(L);

	if (isatty(STDIN_FILENO)) {
		lua_getglobal(L, "require");
		lua_pushliteral(L, "readline");
		if (lua_pcall(L, 1, 1, 0) == LUA_OK && lua_istable(L, -1)) {
			lua_getfield(L, -1, "set_options");
			lua_createtable(L, 0, 1);
			lua_pushliteral(L, ""); /* no history file */
			lua_setfield(L, -2, "histfile");
			if (lua_pcall(L, 1, 0, 0) == LUA_OK && lua_getfield(L, top + 1, "readline") == LUA_TFUNCTION) {
				lua_replace(L, top + 1);
				lua_settop(L, top + 1);
				return;
			}
		}
	}
	lua_settop(L, top);
	lua_pushnil(L);
}

/* read_plain - push a line of standard input without its newline; false: the end */
static bool read_plain(lua_State *L, const char *prompt)
{
	luaL_Buffer line;
	int c;

	(void)fputs(prompt, stdout);
	(void)fflush(stdout);
	c = getchar();
	if (c == EOF)
		return false;
	luaL_buffinit(L, &line);
	for (; c != '\n' && c != EOF; c = getchar())
		luaL_addchar(&line, (char)c);
	luaL_pushresult(&line);
	return true;
}

/* read_line - push a line; false: the end, nothing pushed */
static bool read_line(lua_State *L, int editor, const char *prompt)
{
	if (lua_isnil(L, editor))
		return read_plain(L, prompt);
	(void)fflush(stdout);
	lua_pushvalue(L, editor);
	lua_pushstring(L, prompt);
	if (lua_pcall(L, 1, 1, 0) == LUA_OK && lua_type(L, -1) == LUA_TSTRING)
		return true;
	lua_pop(L, 1);
	return false;
}

/* load_expression - compile the line on top as an expression; true: the function is on top of it */
static bool load_expression(lua_State *L)
{
	const char *line = lua_tostring(L, -1);
	const char *text = lua_pushfstring(L, "return %s", *line == '=' ? line + 1 : line);
	int status = luaL_loadbuffer(L, text, lua_rawlen(L, -1), "=stdin");

	lua_remove(L, -2);
	if (status != LUA_OK)
		lua_pop(L, 1);
	return status == LUA_OK;
}

/* is_incomplete - does the message on top say that the text ended too early? */
static bool is_incomplete(lua_State *L)
{
	static const char mark[] = "<eof>";
	size_t length;
	const char *message = lua_tolstring(L, -1, &length);

	return message != NULL && length >= sizeof mark - 1 &&
	       strcmp(message + length - (sizeof mark - 1), mark) == 0;
}

/* load_statement - compile the line on top, with as many more as it takes; the result of luaL_loadbuffer */
static int load_statement(lua_State *L, int editor)
{
	for (;;) {
		size_t length;
		const char *text = lua_tolstring(L, -1, &length);
		int status = luaL_loadbuffer(L, text, length, "=stdin");

		if (status != LUA_ERRSYNTAX || !is_incomplete(L) || !read_line(L, editor, ">> "))
			return status;
		lua_remove(L, -2); /* the message */
		lua_pushfstring(L, "%s\n%s", lua_tostring(L, -2), lua_tostring(L, -1));
		lua_replace(L, -3);
		lua_pop(L, 1);
	}
}

/* print_results - hand all above the index to print() */
static void print_results(lua_State *L, int below)
{
	int count = lua_gettop(L) - below;

	if (count == 0)
		return;
	luaL_checkstack(L, LUA_MINSTACK, "too many results to print");
	lua_getglobal(L, "print");
	lua_insert(L, below + 1);
	if (lua_pcall(L, count, 0, 0) != LUA_OK)
		(void)fprintf(stderr, "print: %s\n", luaL_tolstring(L, -1, NULL));
}

/* answer - compile and run the line on top, print what comes of it */
static void answer(lua_State *L, int handler, int editor)
{
	int below = lua_gettop(L), status = LUA_OK;

	if (!load_expression(L))
		status = load_statement(L, editor);
	if (status == LUA_OK)
		status = lua_pcall(L, 0, LUA_MULTRET, handler);
	if (status == LUA_OK)
		print_results(L, below);
	else
		(void)fprintf(stderr, "%s\n", luaL_tolstring(L, -1, NULL));
	(void)fflush(stderr);
}

/* prompt_run - one answer per line */
void prompt_run(lua_State *L, int handler)
{
	int editor;

	push_editor(L);
	editor = lua_gettop(L);
	while (read_line(L, editor, "> ")) {
		answer(L, handler, editor);
		lua_settop(L, editor);
	}
	(void)fputc('\n', stdout);
	(void)fflush(stdout);
	lua_settop(L, editor - 1);
}
