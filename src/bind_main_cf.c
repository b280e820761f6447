#include "bind.h"

const luaL_Reg bind_main_cf[] = {
	{ NULL, NULL },
};
