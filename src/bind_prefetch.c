/* prefetch: the contract is docs/core.lua. */
#include <limits.h>

#include "bind.h"
#include "prefetch.h"

#define PREFETCH_TYPE "postmulti.prefetch"

/* handle_end - wait and release; harmless twice */
static int handle_end(lua_State *L)
{
	struct prefetch **handle = luaL_checkudata(L, 1, PREFETCH_TYPE);

	prefetch_end(*handle);
	*handle = NULL;
	return 0;
}

/* core_prefetch - have files fetched that will be read one by one */
static int core_prefetch(lua_State *L)
{
	enum { LIST = 1, SUFFIX = 2, HANDLE = 3 };
	size_t length;
	struct prefetch **handle;
	luaL_Buffer names;
	lua_Integer count;

	luaL_checktype(L, LIST, LUA_TTABLE);
	(void)luaL_checkstring(L, SUFFIX);
	lua_settop(L, SUFFIX);
	count = luaL_len(L, LIST);
	handle = lua_newuserdatauv(L, sizeof *handle, 0);
	*handle = NULL;
	luaL_setmetatable(L, PREFETCH_TYPE);
	luaL_buffinit(L, &names);
	for (lua_Integer i = 1; i <= count; i++) {
		const char *name;

		(void)lua_geti(L, LIST, i);
		name = luaL_checkstring(L, -1);
		lua_pushfstring(L, "%s%s", name, lua_tostring(L, SUFFIX));
		lua_remove(L, -2);
		luaL_addvalue(&names);
		luaL_addchar(&names, '\0');
	}
	luaL_pushresult(&names);
	*handle = prefetch_start(lua_tolstring(L, -1, &length), lua_rawlen(L, -1), (size_t)count);
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

	if (luaL_newmetatable(L, PREFETCH_TYPE))
		luaL_setfuncs(L, methods, 0);
	lua_pop(L, 1);
}
