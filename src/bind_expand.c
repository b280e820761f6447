#include "bind.h"

const luaL_Reg bind_expand[] = {
	{ NULL, NULL },
};

void bind_expand_types(lua_State *L)
{
	(void)L;
}
