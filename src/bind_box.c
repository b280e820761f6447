#include "bind_box.h"

#include <lauxlib.h>

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
	struct buffer *box = lua_newuserdatauv(L, sizeof *box, 0);

	*box = (struct buffer)BUFFER_INIT;
	if (luaL_newmetatable(L, BOX_TYPE)) {
		lua_pushcfunction(L, box_free);
		lua_setfield(L, -2, "__gc");
		lua_pushcfunction(L, box_free);
		lua_setfield(L, -2, "__close");
	}
	lua_setmetatable(L, -2);
	return box;
}
