/*
 * bind_option - options in a table argument of a function
 *
 * All of them raise an argument error that names the option when its value is
 * of the wrong type or out of range. ARG is the stack index of the table.
 */
#ifndef POSTMULTI_BIND_OPTION_H
#define POSTMULTI_BIND_OPTION_H

#include <lua.h>
#include <stdbool.h>

/* bind_string - a string argument without a NUL, not empty */
const char *bind_string(lua_State *L, int arg);

/* bind_options - make sure of a table at ARG, an empty one where nothing was given, with nothing above it */
void bind_options(lua_State *L, int arg);

/* bind_option_integer - from 0 to MOST; absent: the default */
lua_Integer bind_option_integer(lua_State *L, int arg, const char *name, lua_Integer most, lua_Integer absent);

/* bind_option_boolean - absent: false */
bool bind_option_boolean(lua_State *L, int arg, const char *name);

/* bind_option_choice - position in a NULL-ended list of words; absent: the default */
int bind_option_choice(lua_State *L, int arg, const char *name, const char *const words[], int absent);

/* bind_option_error - raise: "option 'NAME' must be WHAT" */
int bind_option_error(lua_State *L, int arg, const char *name, const char *what);

#endif
