/*
 * bind_expand - core.expand(text, lookup)
 *
 * The lookup may be a table or a function. Whatever it gives is kept in a
 * table of its own until the end, so that C may point into the strings; each
 * name is asked for once. Both may run Lua code and raise, therefore the
 * result buffer belongs to a userdata.
 */
#include "bind.h"

#include <stdbool.h>

#include "buffer.h"
#include "expand.h"

#define RESULT_TYPE "postmulti.expand"

/* Stack positions in core_expand */
enum { TEXT = 1, LOOKUP, RESULT, SEEN, NAME, VALUE };

/* result_gc - release the buffer */
static int result_gc(lua_State *L)
{
	buffer_free(luaL_checkudata(L, 1, RESULT_TYPE));
	return 0;
}

/* push_result - push an empty buffer that the collector releases */
static struct buffer *push_result(lua_State *L)
{
	struct buffer *result = lua_newuserdatauv(L, sizeof *result, 0);

	*result = (struct buffer)BUFFER_INIT;
	luaL_setmetatable(L, RESULT_TYPE);
	return result;
}

/* ask_lookup - put into SEEN what the caller's lookup says of the name at NAME; may raise */
static void ask_lookup(lua_State *L)
{
	if (lua_isfunction(L, LOOKUP)) {
		lua_pushvalue(L, LOOKUP);
		lua_pushvalue(L, NAME);
		lua_call(L, 1, 1);
	} else {
		lua_pushvalue(L, NAME);
		lua_gettable(L, LOOKUP);
	}
	if (lua_isnil(L, VALUE)) {
		lua_pop(L, 1);
		lua_pushboolean(L, 0);
	} else if (lua_type(L, VALUE) != LUA_TSTRING) {
		luaL_error(L, "lookup of '%s': a string or nil expected, got %s", lua_tostring(L, NAME),
			   luaL_typename(L, VALUE));
	}
	lua_pushvalue(L, NAME);
	lua_pushvalue(L, VALUE);
	lua_rawset(L, SEEN);
}

/* lookup_name - the expand_lookup that stands before the Lua one; may raise */
static bool lookup_name(void *context, const char *name, size_t length, const char **value, size_t *size)
{
	lua_State *L = context;

	lua_pushlstring(L, name, length);
	lua_pushvalue(L, NAME);
	if (lua_rawget(L, SEEN) == LUA_TNIL) {
		lua_pop(L, 1);
		ask_lookup(L);
	}
	*value = lua_tolstring(L, VALUE, size); /* NULL for false; SEEN keeps the string */
	lua_settop(L, SEEN);
	return *value != NULL;
}

/* core_expand - core.expand(text, lookup) */
static int core_expand(lua_State *L)
{
	size_t length;
	const char *text = luaL_checklstring(L, TEXT, &length);
	struct buffer *result;
	struct fault fault;

	luaL_argexpected(L, lua_istable(L, LOOKUP) || lua_isfunction(L, LOOKUP), LOOKUP, "table or function");
	lua_settop(L, LOOKUP);
	result = push_result(L);
	lua_newtable(L);
	if (expand_text(result, text, length, lookup_name, L, &fault) < 0)
		return bind_failure(L, &fault);
	lua_pushlstring(L, result->data, result->length);
	buffer_free(result);
	return 1;
}

const luaL_Reg bind_expand[] = {
	{ "expand", core_expand },
	{ NULL, NULL },
};

void bind_expand_types(lua_State *L)
{
	luaL_newmetatable(L, RESULT_TYPE);
	lua_pushcfunction(L, result_gc);
	lua_setfield(L, -2, "__gc");
	lua_pop(L, 1);
}
