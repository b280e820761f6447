/*
 * lua_memory - each allocation of Lua fails once, or it and all that follow
 *
 *      lua_memory [STRIDE]             in the top directory; every STRIDEth allocation, default 23
 *
 * lua_memory.lua is loaded into a fresh interpreter, which counts the
 * allocations of one operation (arm() to disarm()). Then it is repeated with
 * the Nth growth refused. It must end with success or "not enough memory",
 * never in the panic function; what it was about must be as before or as after
 * once another command has run (the script looks); and closing the interpreter
 * must give back every byte. Prints "N faults, N bad".
 */
#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bind.h"

static struct {
	bool armed, persistent, hit;
	long at, count; /* fail at this growth; growths so far */
	long bytes, blocks;
} memory;

static long faults, bad;

static void *allocate(void *data, void *block, size_t old_size, size_t new_size)
{
	void *result;

	(void)data;
	if (new_size == 0) {
		memory.blocks -= block != NULL;
		memory.bytes -= block == NULL ? 0 : (long)old_size;
		free(block);
		return NULL;
	}
	if (memory.armed && (block == NULL || new_size > old_size)) {
		memory.count++;
		if (memory.at > 0 && (memory.count == memory.at || (memory.persistent && memory.count > memory.at))) {
			memory.hit = true;
			return NULL;
		}
	}
	result = realloc(block, new_size);
	if (result != NULL) {
		memory.blocks += block == NULL;
		memory.bytes += (long)new_size - (block == NULL ? 0 : (long)old_size);
	}
	return result;
}

static int arm(lua_State *L)
{
	(void)L;
	memory.armed = true;
	return 0;
}

static int disarm(lua_State *L)
{
	(void)L;
	memory.armed = false;
	return 0;
}

/* play - everything that may raise: libraries, the script, the operation named */
static int play(lua_State *L)
{
	const char *operation = lua_touserdata(L, 1);

	luaL_openlibs(L);
	lua_getfield(L, LUA_REGISTRYINDEX, LUA_PRELOAD_TABLE);
	lua_pushcfunction(L, luaopen_postmulti_core);
	lua_setfield(L, -2, "postmulti.core");
	lua_register(L, "arm", arm);
	lua_register(L, "disarm", disarm);
	if (luaL_loadfile(L, "tests/fault/lua_memory.lua") != LUA_OK)
		return lua_error(L);
	lua_pushstring(L, operation);
	lua_call(L, 1, 1);
	return 1;
}

static void complain(const char *operation, const char *what)
{
	bad++;
	if (bad < 20)
		fprintf(stderr, "%s, allocation %ld%s: %s\n", operation, memory.at, memory.persistent ? " and on" : "", what);
}

/* run - once; the script returns nil, or what is wrong */
static void run(const char *operation)
{
	lua_State *L;
	int status;

	memory.count = memory.bytes = memory.blocks = 0;
	memory.armed = memory.hit = false;
	L = lua_newstate(allocate, NULL);
	if (L == NULL) {
		fprintf(stderr, "lua_memory: no memory\n");
		exit(2);
	}
	lua_pushcfunction(L, play);
	lua_pushlightuserdata(L, (void *)(size_t)operation);
	status = lua_pcall(L, 1, 1, 0);
	memory.armed = false;
	faults += memory.hit;
	if (status != LUA_OK || !lua_isnil(L, -1)) {
		const char *text = luaL_tolstring(L, -1, NULL);

		complain(operation, text);
	}
	lua_close(L);
	if (memory.bytes != 0 || memory.blocks != 0)
		complain(operation, "memory is left");
}

int main(int argc, char **argv)
{
	static const char *const operation[] = { "list", "create", "batch", "destroy" };
	long stride = argc > 1 ? atol(argv[1]) : 23;

	for (size_t i = 0; i < sizeof operation / sizeof operation[0]; i++) {
		long count;

		memory.at = 0;
		run(operation[i]);
		count = memory.count;
		for (int persistent = 0; persistent < 2; persistent++) {
			memory.persistent = persistent;
			for (memory.at = 1 + (long)i; memory.at <= count; memory.at += stride)
				run(operation[i]);
		}
		printf("%s: %ld allocations\n", operation[i], count);
	}
	printf("%ld faults, %ld bad\n", faults, bad);
	return bad > 0;
}
