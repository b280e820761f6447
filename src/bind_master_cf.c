#include "bind.h"

const luaL_Reg bind_master_cf[] = {
	{ NULL, NULL },
};
