#include "bind.h"

#include <signal.h>
#include <string.h>

#include "interrupt.h"
#include "watchdog.h"

#define ERROR_TYPE "postmulti.Error" /* what postmulti.errors knows its values by */

static lua_State *interrupted_state; /* for the signal handler */

/* error_text - __tostring of the error */
static int error_text(lua_State *L)
{
	lua_getfield(L, 1, "message");
	return 1;
}

/* signal_name - of those that interrupt */
static const char *signal_name(int number)
{
	return number == SIGINT ? "SIGINT" : number == SIGTERM ? "SIGTERM" : number == SIGPIPE ? "SIGPIPE" : "SIGHUP";
}

/* raise_pending - raise an error for a signal that came */
static void raise_pending(lua_State *L)
{
	static const luaL_Reg functions[] = { { "__tostring", error_text }, { NULL, NULL } };
	int number = interrupt_take();

	if (number == 0)
		return;
	luaL_checkstack(L, 4, NULL);
	lua_createtable(L, 0, 3);
	lua_pushliteral(L, "interrupted");
	lua_setfield(L, -2, "kind");
	lua_pushfstring(L, "interrupted (%s)", signal_name(number));
	lua_setfield(L, -2, "message");
	lua_pushinteger(L, number);
	lua_setfield(L, -2, "signal");
	bind_metatable(L, ERROR_TYPE, functions);
	lua_setmetatable(L, -2);
	(void)lua_error(L);
}

/* stop - the hook that the signal handler has set */
static void stop(lua_State *L, lua_Debug *ar)
{
	(void)ar;
	lua_sethook(L, NULL, 0, 0);
	raise_pending(L);
}

/* notify - the one thing that Lua allows in a signal handler */
static void notify(void)
{
	lua_sethook(interrupted_state, stop, LUA_MASKCALL | LUA_MASKRET | LUA_MASKLINE | LUA_MASKCOUNT, 1);
}

/* bind_interrupt_install - for the host program: HUP, INT and TERM become errors in this state */
int bind_interrupt_install(lua_State *L)
{
	interrupted_state = L;
	return interrupt_install(notify);
}

/* core.hold_interrupts(hold) */
static int core_hold_interrupts(lua_State *L)
{
	interrupt_hold(lua_toboolean(L, 1));
	return 0;
}

/* core.check_interrupt() */
static int core_check_interrupt(lua_State *L)
{
	raise_pending(L);
	return 0;
}

/* core.watchdog(seconds[, text]) */
static int core_watchdog(lua_State *L)
{
	double seconds = luaL_checknumber(L, 1);

	watchdog_set(seconds, seconds > 0 ? luaL_checkstring(L, 2) : NULL);
	return 0;
}

const luaL_Reg bind_interrupt[] = {
	{ "hold_interrupts", core_hold_interrupts },
	{ "check_interrupt", core_check_interrupt },
	{ "watchdog", core_watchdog },
	{ NULL, NULL },
};
