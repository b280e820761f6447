#include "bind_option.h"

#include <lauxlib.h>
#include <string.h>

/* bind_string - C strings end at a NUL, so none may be inside */
const char *bind_string(lua_State *L, int arg)
{
	size_t length;
	const char *string;

	luaL_checktype(L, arg, LUA_TSTRING);
	string = lua_tolstring(L, arg, &length);
	luaL_argcheck(L, strlen(string) == length, arg, "string has a NUL in it");
	luaL_argcheck(L, length > 0, arg, "string is empty");
	return string;
}

/* bind_options - a table or nothing */
void bind_options(lua_State *L, int arg)
{
	if (lua_isnoneornil(L, arg)) {
		lua_settop(L, arg - 1);
		lua_newtable(L);
	}
	luaL_checktype(L, arg, LUA_TTABLE);
	lua_settop(L, arg);
}

/* bind_option_error - the one wording for all options */
int bind_option_error(lua_State *L, int arg, const char *name, const char *what)
{
	return luaL_argerror(L, arg, lua_pushfstring(L, "option '%s' must be %s", name, what));
}

/* bind_option_integer - a number that is an integer; no strings */
lua_Integer bind_option_integer(lua_State *L, int arg, const char *name, lua_Integer most, lua_Integer absent)
{
	lua_Integer value = absent;
	int is_integer = 1;

	if (lua_getfield(L, arg, name) != LUA_TNIL) {
		value = lua_tointegerx(L, -1, &is_integer);
		if (!is_integer || lua_type(L, -1) != LUA_TNUMBER || value < 0 || value > most)
			(void)bind_option_error(L, arg, name,
						lua_pushfstring(L, "an integer from 0 to %I", (LUAI_UACINT)most));
	}
	lua_pop(L, 1);
	return value;
}

/* bind_option_boolean - true or false, nothing like it */
bool bind_option_boolean(lua_State *L, int arg, const char *name)
{
	int type = lua_getfield(L, arg, name);
	bool value = lua_toboolean(L, -1);

	if (type != LUA_TNIL && type != LUA_TBOOLEAN)
		(void)bind_option_error(L, arg, name, "a boolean");
	lua_pop(L, 1);
	return value;
}

/* bind_option_choice - one of some words */
int bind_option_choice(lua_State *L, int arg, const char *name, const char *const words[], int absent)
{
	int found = -1, type = lua_getfield(L, arg, name);

	if (type == LUA_TNIL)
		found = absent;
	for (int i = 0; type == LUA_TSTRING && words[i] != NULL; i++)
		if (strcmp(words[i], lua_tostring(L, -1)) == 0)
			found = i;
	if (found < 0) {
		luaL_Buffer list;

		luaL_buffinit(L, &list);
		for (int i = 0; words[i] != NULL; i++) {
			luaL_addstring(&list, i == 0 ? "\"" : ", \"");
			luaL_addstring(&list, words[i]);
			luaL_addchar(&list, '"');
		}
		luaL_pushresult(&list);
		(void)bind_option_error(L, arg, name, lua_pushfstring(L, "one of %s", lua_tostring(L, -1)));
	}
	lua_pop(L, 1);
	return found;
}
