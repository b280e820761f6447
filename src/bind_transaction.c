/*
 * edit, create_file, lock, locked and their handles: the contract is docs/core.lua.
 *
 * An option that is nil or absent has its default: timeout 30 s, mode 0644, and
 * false. A timeout of 0 or less asks once. edit.text and edit.path stay readable
 * after the edit has ended.
 */
#include <string.h>

#include "bind.h"
#include "lock.h"
#include "transaction.h"

#define EDIT_TYPE "postmulti.Edit"
#define LOCK_TYPE "postmulti.Lock"
#define DEFAULT_WAIT_MS 30000
#define LONGEST_WAIT_S 1000000.0
#define MODE_BITS 07777

enum { EDIT_TEXT = 1, EDIT_PATH, EDIT_VALUES = EDIT_PATH }; /* user values of an edit */

/* push_option - push a field of the options table at an index, nil without a table; its type */
static int push_option(lua_State *L, int options, const char *name)
{
	if (lua_isnoneornil(L, options)) {
		lua_pushnil(L);
		return LUA_TNIL;
	}
	luaL_checktype(L, options, LUA_TTABLE);
	return lua_getfield(L, options, name);
}

/* option_wait - the option `timeout` in milliseconds */
static long option_wait(lua_State *L, int options)
{
	long wait = DEFAULT_WAIT_MS;

	if (push_option(L, options, "timeout") != LUA_TNIL) {
		lua_Number seconds = lua_tonumber(L, -1);

		luaL_argcheck(L, lua_type(L, -1) == LUA_TNUMBER, options, "timeout must be a number");
		wait = seconds > LONGEST_WAIT_S ? (long)(LONGEST_WAIT_S * 1000)
						: seconds > 0 ? (long)(seconds * 1000) : 0;
	}
	lua_pop(L, 1);
	return wait;
}

/* option_flag - an option that is true or false */
static bool option_flag(lua_State *L, int options, const char *name)
{
	bool flag;

	(void)push_option(L, options, name);
	flag = lua_toboolean(L, -1);
	lua_pop(L, 1);
	return flag;
}

/* option_mode - the option `mode` */
static mode_t option_mode(lua_State *L, int options)
{
	lua_Integer mode = 0644;
	int is_integer = 1;

	if (push_option(L, options, "mode") != LUA_TNIL)
		mode = lua_tointegerx(L, -1, &is_integer);
	luaL_argcheck(L, is_integer && mode >= 0 && mode <= MODE_BITS, options, "mode must be an integer, 0 to 07777");
	lua_pop(L, 1);
	return (mode_t)mode;
}

/* check_path - a path without a NUL */
static const char *check_path(lua_State *L, int index)
{
	size_t length;
	const char *path = luaL_checklstring(L, index, &length);

	luaL_argcheck(L, length > 0 && strlen(path) == length, index, "a path must not be empty or contain a NUL");
	return path;
}

/* edit_rollback - edit:rollback(), and what __gc and __close do */
static int edit_rollback(lua_State *L)
{
	transaction_rollback(luaL_checkudata(L, 1, EDIT_TYPE));
	return 0;
}

/* failure_installed - nil, reason, errno, and true when the text is in place all the same */
static int failure_installed(lua_State *L, const struct fault *fault, enum transaction_outcome outcome)
{
	int results = bind_failure(L, fault);

	if (outcome != TRANSACTION_UNSYNCED)
		return results;
	lua_pushboolean(L, true);
	return results + 1;
}

/* edit_commit - edit:commit(text) */
static int edit_commit(lua_State *L)
{
	struct transaction *t = luaL_checkudata(L, 1, EDIT_TYPE);
	size_t length;
	const char *text = luaL_checklstring(L, 2, &length);
	enum transaction_outcome outcome;
	struct fault fault;

	/* Before the work: once it is done nothing may raise. */
	lua_pushliteral(L, "unchanged");
	lua_pushliteral(L, "changed");
	outcome = transaction_commit(t, text, length, &fault);
	if (outcome == TRANSACTION_FAILED || outcome == TRANSACTION_UNSYNCED)
		return failure_installed(L, &fault, outcome);
	if (outcome == TRANSACTION_UNCHANGED)
		lua_pop(L, 1);
	return 1;
}

/* edit_index - edit.text, edit.path, and the methods in the first upvalue */
static int edit_index(lua_State *L)
{
	const char *key = luaL_checkstring(L, 2);

	if (strcmp(key, "text") == 0)
		lua_getiuservalue(L, 1, EDIT_TEXT);
	else if (strcmp(key, "path") == 0)
		lua_getiuservalue(L, 1, EDIT_PATH);
	else
		lua_getfield(L, lua_upvalueindex(1), key);
	return 1;
}

/* keep_values - in protected mode: give the edit at 1 its user values */
static int keep_values(lua_State *L)
{
	const struct transaction *t = lua_touserdata(L, 1);

	lua_pushlstring(L, t->text.data, t->text.length);
	lua_setiuservalue(L, 1, EDIT_TEXT);
	lua_pushstring(L, t->path);
	lua_setiuservalue(L, 1, EDIT_PATH);
	return 0;
}

/* core_edit - begin to edit a file */
static int core_edit(lua_State *L)
{
	const char *path = check_path(L, 1);
	long wait = option_wait(L, 2);
	struct transaction *t = lua_newuserdatauv(L, sizeof *t, EDIT_VALUES);
	struct fault fault;

	*t = (struct transaction)TRANSACTION_INIT;
	luaL_setmetatable(L, EDIT_TYPE);
	if (transaction_begin(t, path, wait, &fault) < 0)
		return bind_failure(L, &fault);
	lua_pushcfunction(L, keep_values);
	lua_pushvalue(L, -2);
	if (lua_pcall(L, 1, 0, 0) != LUA_OK) {
		transaction_rollback(t); /* rather than when it is collected: it holds a lock */
		return lua_error(L);
	}
	return 1;
}

/* core_create_file - make a file */
static int core_create_file(lua_State *L)
{
	const char *path = check_path(L, 1);
	size_t length;
	const char *text = luaL_checklstring(L, 2, &length);
	struct transaction_file how = {
		.mode = option_mode(L, 3),
		.replace = option_flag(L, 3, "replace"),
		.wait_ms = option_wait(L, 3),
		.sync_later = option_flag(L, 3, "sync_later"),
	};
	enum transaction_outcome outcome;
	struct fault fault;

	if (push_option(L, 3, "times_from") != LUA_TNIL)
		how.times_from = check_path(L, lua_gettop(L)); /* stays on the stack */
	outcome = transaction_create(path, text, length, &how, &fault);
	if (outcome != TRANSACTION_CHANGED)
		return failure_installed(L, &fault, outcome);
	lua_pushboolean(L, true);
	return 1;
}

/* lock_release_handle - lock:release(), and what __gc and __close do */
static int lock_release_handle(lua_State *L)
{
	int *fd = luaL_checkudata(L, 1, LOCK_TYPE);

	lock_release(*fd);
	*fd = -1;
	return 0;
}

/* core_lock - take a lock on a file or directory */
static int core_lock(lua_State *L)
{
	const char *path = check_path(L, 1);
	long wait = option_wait(L, 2);
	enum lock_create create = option_flag(L, 2, "create") ? LOCK_CREATE : LOCK_EXISTING;
	int *fd = lua_newuserdatauv(L, sizeof *fd, 0);
	struct fault fault;

	*fd = -1;
	luaL_setmetatable(L, LOCK_TYPE);
	*fd = lock_take(path, create, wait, &fault);
	return *fd < 0 ? bind_failure(L, &fault) : 1;
}

/* core_locked - does another process hold a lock on a file? */
static int core_locked(lua_State *L)
{
	const char *path = check_path(L, 1);
	struct fault fault;
	pid_t holder;
	int locked = lock_probe(path, &holder, &fault);

	if (locked < 0)
		return bind_failure(L, &fault);
	lua_pushboolean(L, locked);
	if (holder == 0)
		return 1;
	lua_pushinteger(L, holder);
	return 2;
}

static const luaL_Reg edit_methods[] = {
	{ "commit", edit_commit },
	{ "rollback", edit_rollback },
	{ NULL, NULL },
};

static const luaL_Reg edit_meta[] = {
	{ "__gc", edit_rollback },
	{ "__close", edit_rollback },
	{ NULL, NULL },
};

static const luaL_Reg lock_methods[] = {
	{ "release", lock_release_handle },
	{ NULL, NULL },
};

static const luaL_Reg lock_meta[] = {
	{ "__gc", lock_release_handle },
	{ "__close", lock_release_handle },
	{ NULL, NULL },
};

const luaL_Reg bind_transaction[] = {
	{ "edit", core_edit },
	{ "create_file", core_create_file },
	{ "lock", core_lock },
	{ "locked", core_locked },
	{ NULL, NULL },
};

/* bind_transaction_types - the metatables of edits and locks */
void bind_transaction_types(lua_State *L)
{
	luaL_newmetatable(L, EDIT_TYPE);
	luaL_setfuncs(L, edit_meta, 0);
	luaL_newlib(L, edit_methods);
	lua_pushcclosure(L, edit_index, 1);
	lua_setfield(L, -2, "__index");
	luaL_newmetatable(L, LOCK_TYPE);
	luaL_setfuncs(L, lock_meta, 0);
	luaL_newlib(L, lock_methods);
	lua_setfield(L, -2, "__index");
	lua_pop(L, 2);
}
