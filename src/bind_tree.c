#include "bind.h"

const luaL_Reg bind_tree[] = {
	{ NULL, NULL },
};
