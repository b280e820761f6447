#define _GNU_SOURCE
#include "loader.h"

#include <errno.h>
#include <fcntl.h>
#include <lauxlib.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bind.h"
#include "buffer.h"
#include "fault.h"
#include "read_file.h"
#include "sys.h"
#include "thin.h"

#define BUFFER_TYPE "postmulti.loader.buffer"
/* lua.h declares lua_ident: version and copyright of the library that runs */
#define MAGIC "postmulti compiled Lua\n"


/* buffer_gc - release the memory; harmless twice */
static int buffer_gc(lua_State *L)
{
	buffer_free(luaL_checkudata(L, 1, BUFFER_TYPE));
	return 0;
}

/* push_buffer - push an empty buffer, to be released by the collector at the latest */
static struct buffer *push_buffer(lua_State *L)
{
	static const luaL_Reg functions[] = { { "__gc", buffer_gc }, { NULL, NULL } };
	struct buffer *buffer = lua_newuserdatauv(L, sizeof *buffer, 0);

	*buffer = (struct buffer)BUFFER_INIT;
	bind_metatable(L, BUFFER_TYPE, functions);
	lua_setmetatable(L, -2);
	return buffer;
}

/* is_trusted - may compiled Lua, which is not checked when it runs, be taken from this file? */
static bool is_trusted(const struct stat *st)
{
	return (st->st_uid == 0 || st->st_uid == geteuid()) && (st->st_mode & (S_IWGRP | S_IWOTH)) == 0;
}

/* skip - step over bytes that must come next; false: others do */
static bool skip(const char **at, const char *end, const void *data, size_t length)
{
	if ((size_t)(end - *at) < length || memcmp(*at, data, length) != 0)
		return false;
	*at += length;
	return true;
}

/* holds - is `text` all that is in a file? One look is enough: half of it is not */
static bool holds(const char *path, const char *text, size_t length)
{
	char *found = malloc(length + 1);
	ssize_t got = -1;
	int fd;

	if (found == NULL)
		return false;
	fd = sys->openat(AT_FDCWD, path, O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY, 0);
	if (fd >= 0) {
		got = sys->read(fd, found, length + 1);
		(void)sys->close(fd);
	}
	got = got == (ssize_t)length && memcmp(found, text, length) == 0;
	free(found);
	return got;
}

/* find_code - the compiled part of a file, if it was made by this library from what is in PATH now; or NULL */
static const char *find_code(const struct buffer *compiled, const char *path)
{
	const char *at = compiled->data, *end = at + compiled->length, *source;
	size_t length;

	if (!skip(&at, end, MAGIC, strlen(MAGIC)) || !skip(&at, end, lua_ident, strlen(lua_ident) + 1) ||
	    (size_t)(end - at) < sizeof length)
		return NULL;
	memcpy(&length, at, sizeof length);
	source = at + sizeof length;
	if ((size_t)(end - source) < length || !holds(path, source, length))
		return NULL;
	return source + length;
}

/* load_compiled - push the function in PATH from PATH.luac; false: it cannot be used, nothing is pushed. Raises where
 * it cannot be read for want of memory: what is tried in its place would fail for a reason that is not the true one */
static bool load_compiled(lua_State *L, const char *path)
{
	int top = lua_gettop(L);
	struct buffer *compiled = push_buffer(L);
	const char *name = lua_pushfstring(L, "%sc", path), *code = NULL;
	struct fault fault;
	struct stat st;
	bool loaded;

	if (read_file_at(AT_FDCWD, name, name, compiled, &st, &fault) == READ_FILE_OK)
		code = is_trusted(&st) ? find_code(compiled, path) : NULL;
	else if (fault.number == ENOMEM)
		(void)luaL_error(L, "%s", fault.text);
	loaded = code != NULL &&
		 luaL_loadbufferx(L, code, (size_t)(compiled->data + compiled->length - code), path, "b") == LUA_OK;
	buffer_free(compiled); /* not before the collector gets to it */
	if (loaded)
		lua_replace(L, top + 1);
	lua_settop(L, loaded ? top + 1 : top);
	return loaded;
}

/* loader_load - load(path) */
static int loader_load(lua_State *L)
{
	const char *path = luaL_checkstring(L, 1);

	if (load_compiled(L, path)) {
		lua_pushboolean(L, true);
		return 2;
	}
	if (luaL_loadfile(L, path) == LUA_OK) {
		lua_pushboolean(L, false);
		return 2;
	}
	lua_pushnil(L);
	lua_insert(L, -2);
	return 2;
}

/* add_code - lua_Writer: append to a buffer */
static int add_code(lua_State *L, const void *code, size_t size, void *buffer)
{
	(void)L;
	buffer_add(buffer, code, size);
	return buffer_failed(buffer);
}

/* add_function - append the function on the top of the stack, without the names of its locals */
static void add_function(lua_State *L, struct buffer *compiled)
{
	struct buffer *full = push_buffer(L);
	size_t before = compiled->length;

	lua_insert(L, -2);
	if (lua_dump(L, add_code, full, 0) != 0)
		luaL_error(L, "not enough memory");
	if (!thin(compiled, full->data, full->length)) {
		compiled->length = before;
		buffer_add(compiled, full->data, full->length);
	}
}

/* loader_compile - compile(path, name) */
static int loader_compile(lua_State *L)
{
	const char *path = luaL_checkstring(L, 1), *name = luaL_checkstring(L, 2);
	const char *chunk = lua_pushfstring(L, "@%s", name);
	struct buffer *source = push_buffer(L), *compiled = push_buffer(L);
	struct fault fault;

	if (read_file(path, source, &fault) != READ_FILE_OK) {
		lua_pushnil(L);
		lua_pushstring(L, fault.text);
		return 2;
	}
	if (luaL_loadbufferx(L, source->data, source->length, chunk, "t") != LUA_OK) {
		lua_pushnil(L);
		lua_insert(L, -2);
		return 2;
	}
	buffer_add(compiled, MAGIC, strlen(MAGIC));
	buffer_add(compiled, lua_ident, strlen(lua_ident) + 1);
	buffer_add(compiled, &source->length, sizeof source->length);
	buffer_add(compiled, source->data, source->length);
	add_function(L, compiled);
	if (buffer_failed(compiled))
		return luaL_error(L, "not enough memory");
	lua_pushlstring(L, compiled->data, compiled->length);
	return 1;
}

/* The upvalues of search(). */
enum {
	PACKAGE = lua_upvalueindex(1),   /* the library */
	DIRECTORY = lua_upvalueindex(2), /* of modules that may be compiled, with a slash */
	FIRST = lua_upvalueindex(3),     /* the templates that look there */
};

/* load_plain - push the function in the module NAME's file PATH, or raise */
static void load_plain(lua_State *L, const char *name, const char *path)
{
	if (luaL_loadfile(L, path) != LUA_OK)
		(void)luaL_error(L, "error loading module '%s' from file '%s':\n\t%s", name, path, lua_tostring(L, -1));
}

/* is_file - is there a regular file? */
static bool is_file(const char *path)
{
	struct stat st;

	return sys->fstatat(AT_FDCWD, path, &st, 0) == 0 && S_ISREG(st.st_mode);
}

/* load_from - load the module NAME from PATH, which is on top, if it is there; pushes the function below the path */
static bool load_from(lua_State *L, const char *name, const char *path)
{
	if (!load_compiled(L, path)) {
		if (!is_file(path))
			return false;
		load_plain(L, name, path);
	}
	lua_insert(L, -2);
	return true;
}

/* load_first - load NAME from the first templates of the search path, if it is there; pushes function and path.
 * package.searchpath would take a file for missing that cannot be opened for another reason */
static bool load_first(lua_State *L, const char *name)
{
	static const char *const rest[] = { ".lua", LUA_DIRSEP "init.lua" };
	const char *first = lua_tostring(L, FIRST), *path;

	lua_getfield(L, PACKAGE, "path");
	path = lua_tostring(L, -1);
	if (path != NULL && strncmp(path, first, strlen(first)) == 0) {
		const char *relative = luaL_gsub(L, name, ".", LUA_DIRSEP);

		for (int i = 0; i < 2; i++) {
			path = lua_pushfstring(L, "%s%s%s", lua_tostring(L, DIRECTORY), relative, rest[i]);
			if (load_from(L, name, path))
				return true;
			lua_pop(L, 1);
		}
		lua_pop(L, 1);
	}
	lua_pop(L, 1);
	return false;
}

/* search - a searcher for `require`: what the standard one for Lua files does, but for how files are loaded */
static int search(lua_State *L)
{
	const char *name = luaL_checkstring(L, 1), *path, *directory = lua_tostring(L, DIRECTORY);

	if (load_first(L, name))
		return 2;
	lua_getfield(L, PACKAGE, "searchpath");
	lua_pushvalue(L, 1);
	lua_getfield(L, PACKAGE, "path");
	lua_call(L, 2, 2);
	path = lua_tostring(L, -2);
	if (path == NULL)
		return 1; /* where it was looked for */
	lua_pop(L, 1);
	if (strncmp(path, directory, strlen(directory)) != 0 || !load_compiled(L, path))
		load_plain(L, name, path);
	lua_insert(L, -2);
	return 2;
}

/* loader_install - take the place of the standard searcher for Lua files */
void loader_install(lua_State *L, const char *directory)
{
	lua_getglobal(L, "package");
	lua_getfield(L, -1, "searchers");
	lua_pushvalue(L, -2);
	lua_pushfstring(L, "%s/", directory);
	lua_pushfstring(L, "%s/?.lua" LUA_PATH_SEP "%s/?/init.lua", directory, directory);
	lua_pushcclosure(L, search, 3);
	lua_rawseti(L, -2, 2);
	lua_pop(L, 2);
}

static const luaL_Reg functions[] = {
	{ "compile", loader_compile },
	{ "load", loader_load },
	{ NULL, NULL },
};

/* luaopen_postmulti_loader - the module of Lua */
int luaopen_postmulti_loader(lua_State *L)
{
	luaL_newlib(L, functions);
	return 1;
}
