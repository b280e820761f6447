#include "bind.h"

#include <stdbool.h>

#include "build.h"

/* bind_metatable - complete, if its last function is there */
void bind_metatable(lua_State *L, const char *type, const luaL_Reg *functions)
{
	const luaL_Reg *last = functions;
	bool is_complete;

	while (last[1].name != NULL)
		last++;
	(void)luaL_newmetatable(L, type);
	is_complete = lua_getfield(L, -1, last->name) != LUA_TNIL;
	lua_pop(L, 1);
	if (!is_complete)
		luaL_setfuncs(L, functions, 0);
}

/* bind_failure - the one shape in which a refusal reaches Lua */
int bind_failure(lua_State *L, const struct fault *fault)
{
	luaL_pushfail(L);
	lua_pushstring(L, fault->text);
	lua_pushinteger(L, fault->number);
	return 3;
}

/* push_build - what was fixed when the program was built */
static void push_build(lua_State *L)
{
	static const struct {
		const char *name, *value;
	} row[] = {
		{ "config_directory", BUILD_CONFIG_DIRECTORY },
		{ "sysconf_directory", BUILD_SYSCONFDIR "/postmulti" },
		{ "share_directory", BUILD_SHAREDIR },
		{ "command_directory", BUILD_COMMAND_DIRECTORY },
		{ "daemon_directory", BUILD_DAEMON_DIRECTORY },
		{ "data_directory", BUILD_DATA_DIRECTORY },
		{ "mail_owner", BUILD_MAIL_OWNER },
		{ "meta_directory", BUILD_META_DIRECTORY },
		{ "queue_directory", BUILD_QUEUE_DIRECTORY },
		{ "setgid_group", BUILD_SETGID_GROUP },
		{ "shlib_directory", BUILD_SHLIB_DIRECTORY },
	};

	lua_createtable(L, 0, sizeof row / sizeof row[0]);
	for (size_t i = 0; i < sizeof row / sizeof row[0]; i++) {
		lua_pushstring(L, row[i].value);
		lua_setfield(L, -2, row[i].name);
	}
}

/* luaopen_postmulti_core - require "postmulti.core" */
int luaopen_postmulti_core(lua_State *L)
{
	lua_createtable(L, 0, 64); /* about as many as there are */
	luaL_setfuncs(L, bind_main_cf, 0);
	luaL_setfuncs(L, bind_master_cf, 0);
	luaL_setfuncs(L, bind_expand, 0);
	luaL_setfuncs(L, bind_transaction, 0);
	luaL_setfuncs(L, bind_tree, 0);
	luaL_setfuncs(L, bind_process, 0);
	luaL_setfuncs(L, bind_prefetch, 0);
	luaL_setfuncs(L, bind_interrupt, 0);
	bind_transaction_types(L);
	bind_expand_types(L);
	bind_prefetch_types(L);
	lua_pushstring(L, BUILD_VERSION);
	lua_setfield(L, -2, "version");
	push_build(L);
	lua_setfield(L, -2, "build");
	return 1;
}
