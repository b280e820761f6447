#include "bind_box.h"

#include <lauxlib.h>

#include "bind.h"

static const char BOX_TYPE[] = "postmulti.box";

/* box_free - __gc and __close */
static int box_free(lua_State *L)
{
	buffer_free(lua_touserdata(L, 1));
	return 0;
}

/* bind_box - born empty, so that it can be collected at any time */
struct buffer *bind_box(lua_State *L)
{
	static const luaL_Reg functions[] = { { "__gc", box_free }, { "__close", box_free }, { NULL, NULL } };
	struct buffer *box = lua_newuserdatauv(L, sizeof *box, 0);

	*box = (struct buffer)BUFFER_INIT;
	bind_metatable(L, BOX_TYPE, functions);
	lua_setmetatable(L, -2);
	return box;
}
