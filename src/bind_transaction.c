#include "bind.h"

const luaL_Reg bind_transaction[] = {
	{ NULL, NULL },
};

void bind_transaction_types(lua_State *L)
{
	(void)L;
}
