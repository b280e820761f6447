/* prefetch: the contract is docs/core.lua. */
#include <stdbool.h>

#include "bind.h"
#include "prefetch.h"

#define PREFETCH_TYPE "postmulti.prefetch"
#define SAMPLES 4 /* files that are looked at to find out */

/* handle_end - wait and release; harmless twice */
static int handle_end(lua_State *L)
{
	struct prefetch **handle = luaL_checkudata(L, 1, PREFETCH_TYPE);

	prefetch_end(*handle);
	*handle = NULL;
	return 0;
}

enum { LIST = 1, SUFFIX = 2, HANDLE = 3 }; /* the stack of core_prefetch */

/* push_path - push the path of a file of the list */
static const char *push_path(lua_State *L, lua_Integer index)
{
	const char *name;

	(void)lua_geti(L, LIST, index);
	name = luaL_checkstring(L, -1);
	name = lua_pushfstring(L, "%s%s", name, lua_tostring(L, SUFFIX));
	lua_remove(L, -2);
	return name;
}

/* is_worth_while - are some of the files cold? */
static bool is_worth_while(lua_State *L, lua_Integer count)
{
	for (lua_Integer i = 1; count > 0 && i <= SAMPLES; i++) {
		bool cold = prefetch_is_cold(push_path(L, i * (count - 1) / SAMPLES + 1));

		lua_pop(L, 1);
		if (cold)
			return true;
	}
	return false;
}

/* start - have all of them fetched, into the handle */
static void start(lua_State *L, struct prefetch **handle, lua_Integer count)
{
	const char *text;
	luaL_Buffer names;
	size_t length;

	luaL_buffinit(L, &names);
	for (lua_Integer i = 1; i <= count; i++) {
		(void)push_path(L, i);
		luaL_addvalue(&names);
		luaL_addchar(&names, '\0');
	}
	luaL_pushresult(&names);
	text = lua_tolstring(L, -1, &length);
	*handle = prefetch_start(text, length, (size_t)count);
}

/* core_prefetch - have files fetched that will be read one by one */
static int core_prefetch(lua_State *L)
{
	struct prefetch **handle;
	lua_Integer count;

	luaL_checktype(L, LIST, LUA_TTABLE);
	(void)luaL_checkstring(L, SUFFIX);
	lua_settop(L, SUFFIX);
	count = luaL_len(L, LIST);
	handle = lua_newuserdatauv(L, sizeof *handle, 0);
	*handle = NULL;
	luaL_setmetatable(L, PREFETCH_TYPE);
	if (is_worth_while(L, count))
		start(L, handle, count);
	lua_settop(L, HANDLE);
	return 1;
}

const luaL_Reg bind_prefetch[] = {
	{ "prefetch", core_prefetch },
	{ NULL, NULL },
};

/* bind_prefetch_types - the metatable of the handle */
void bind_prefetch_types(lua_State *L)
{
	static const luaL_Reg methods[] = {
		{ "__gc", handle_end },
		{ "__close", handle_end },
		{ NULL, NULL },
	};

	bind_metatable(L, PREFETCH_TYPE, methods);
	lua_pop(L, 1);
}
