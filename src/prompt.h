/*
 * prompt - read Lua from a terminal, run it, print what it gives
 *
 * As the prompt of lua(1): an expression is printed, "=" before it is allowed,
 * a statement may take several lines. The Lua module "readline", where it is
 * installed, edits the lines; they are remembered in memory only.
 */
#ifndef POSTMULTI_PROMPT_H
#define POSTMULTI_PROMPT_H

#include <lua.h>

/*
 * prompt_run - until the end of the input
 * HANDLER is the stack index of the message handler for what is run; the
 * message it makes is printed to standard error as it is. May raise (memory).
 */
void prompt_run(lua_State *L, int handler);

#endif
