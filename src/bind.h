/*
 * bind - what the files that bind the C core to Lua share
 *
 * postmulti.core is one Lua module made of the tables below, one per
 * bind_*.c file. The contract with Lua, both sides, is docs/core.lua.
 *
 * Two kinds of error: wrong use (a bad argument) raises; what the system or a
 * file refuses returns  nil, message, errno  through bind_failure(). errno is
 * 0 where no system call was the reason.
 *
 * Nothing that must be released by hand is held across a call that can raise:
 * give it to a userdata with __gc first.
 */
#ifndef POSTMULTI_BIND_H
#define POSTMULTI_BIND_H

#include <lauxlib.h>
#include <lua.h>

#include "fault.h"

/* bind_failure - push nil, the text, the number; returns 3 for `return` */
int bind_failure(lua_State *L, const struct fault *fault);

/*
 * bind_metatable - push the metatable of a type, with its functions
 * Also where memory ran out when it was made: one that lacks its __gc would
 * have objects that are never released.
 */
void bind_metatable(lua_State *L, const char *type, const luaL_Reg *functions);

/* Functions of postmulti.core, by file; each ends in {NULL, NULL}. */
extern const luaL_Reg bind_main_cf[];
extern const luaL_Reg bind_master_cf[];
extern const luaL_Reg bind_expand[];
extern const luaL_Reg bind_transaction[];
extern const luaL_Reg bind_tree[];
extern const luaL_Reg bind_process[];
extern const luaL_Reg bind_prefetch[];
extern const luaL_Reg bind_interrupt[];

/* Make the metatables of a file's handles, where it has any. */
void bind_transaction_types(lua_State *L);
void bind_expand_types(lua_State *L);
void bind_prefetch_types(lua_State *L);

/* For the host program: HUP, INT and TERM are raised as errors in this state. 0, or -1 with errno. */
int bind_interrupt_install(lua_State *L);

__attribute__((visibility("default"))) int luaopen_postmulti_core(lua_State *L);

#endif
