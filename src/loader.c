#define _GNU_SOURCE
#include "loader.h"

#include <fcntl.h>
#include <lauxlib.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include "buffer.h"
#include "fault.h"
#include "read_file.h"

#define FILES_TYPE "postmulti.loader.files"
/* lua.h declares lua_ident: version and copyright of the library that runs */
#define MAGIC "postmulti compiled Lua\n"


/* What is held while a module is loaded: its text and its compiled form. */
struct files {
	struct buffer source, compiled;
};

/* files_gc - release the memory; harmless twice */
static int files_gc(lua_State *L)
{
	struct files *files = luaL_checkudata(L, 1, FILES_TYPE);

	buffer_free(&files->source);
	buffer_free(&files->compiled);
	return 0;
}

/* push_files - push an empty pair */
static struct files *push_files(lua_State *L)
{
	struct files *files = lua_newuserdatauv(L, sizeof *files, 0);

	files->source = files->compiled = (struct buffer)BUFFER_INIT;
	if (luaL_newmetatable(L, FILES_TYPE)) {
		lua_pushcfunction(L, files_gc);
		lua_setfield(L, -2, "__gc");
	}
	lua_setmetatable(L, -2);
	return files;
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

/* find_code - the compiled part, if it belongs to the source and to this library; NULL: it does not */
static const char *find_code(const struct files *files)
{
	const char *at = files->compiled.data, *end = at + files->compiled.length;
	size_t length = files->source.length;

	if (!skip(&at, end, MAGIC, strlen(MAGIC)) || !skip(&at, end, lua_ident, strlen(lua_ident) + 1) ||
	    !skip(&at, end, &length, sizeof length) || !skip(&at, end, files->source.data, length))
		return NULL;
	return at;
}

/* load_compiled - push the function in PATH from PATH.luac; false: it cannot be used, nothing is pushed */
static bool load_compiled(lua_State *L, const char *path)
{
	struct files *files = push_files(L);
	const char *compiled = lua_pushfstring(L, "%sc", path), *code;
	struct fault fault;
	struct stat st;
	bool loaded = false;
	int top = lua_gettop(L);

	if (read_file_at(AT_FDCWD, compiled, compiled, &files->compiled, &st, &fault) == READ_FILE_OK &&
	    is_trusted(&st) && read_file(path, &files->source, &fault) == READ_FILE_OK) {
		code = find_code(files);
		loaded = code != NULL &&
			 luaL_loadbufferx(L, code, (size_t)(files->compiled.data + files->compiled.length - code),
					  path, "b") == LUA_OK;
	}
	if (loaded) { /* not before the collector gets to it */
		buffer_free(&files->source);
		buffer_free(&files->compiled);
		lua_replace(L, top - 1);
	}
	lua_settop(L, loaded ? top - 1 : top - 2);
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

/* loader_compile - compile(path, name) */
static int loader_compile(lua_State *L)
{
	const char *path = luaL_checkstring(L, 1), *name = luaL_checkstring(L, 2);
	const char *chunk = lua_pushfstring(L, "@%s", name);
	struct files *files = push_files(L);
	struct buffer *source = &files->source, *compiled = &files->compiled;
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
	if (lua_dump(L, add_code, compiled, 0) != 0 || buffer_failed(compiled))
		return luaL_error(L, "not enough memory");
	lua_pushlstring(L, compiled->data, compiled->length);
	return 1;
}

/*
 * search - a searcher for `require`: what the standard one for Lua files does,
 * but for how the file is loaded. Upvalues: the table package, the directory
 */
static int search(lua_State *L)
{
	const char *name = luaL_checkstring(L, 1), *path, *directory;

	lua_getfield(L, lua_upvalueindex(1), "searchpath");
	lua_pushvalue(L, 1);
	lua_getfield(L, lua_upvalueindex(1), "path");
	lua_call(L, 2, 2);
	path = lua_tostring(L, -2);
	if (path == NULL)
		return 1; /* where it was looked for */
	lua_pop(L, 1);
	directory = lua_tostring(L, lua_upvalueindex(2));
	if ((strncmp(path, directory, strlen(directory)) != 0 || !load_compiled(L, path)) &&
	    luaL_loadfile(L, path) != LUA_OK)
		return luaL_error(L, "error loading module '%s' from file '%s':\n\t%s", name, path, lua_tostring(L, -1));
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
	lua_pushcclosure(L, search, 2);
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
