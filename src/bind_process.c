#include "bind.h"

const luaL_Reg bind_process[] = {
	{ NULL, NULL },
};
