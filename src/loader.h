/*
 * loader - load installed Lua modules, compiled where that is the same thing
 *
 * Beside an installed NAME.lua, `make install` puts NAME.luac: a head, the text
 * of NAME.lua, and what Lua compiled from it, with line numbers but without the
 * names of local variables (see thin.h). It is used for one purpose, that a
 * program starts sooner, and only while
 *
 *   - NAME.lua holds that very text, byte for byte: an edit takes effect at
 *     once, whatever the times of the files;
 *   - it was made by the Lua library that runs now;
 *   - it is a regular file of root or of the caller that nobody else can write.
 *
 * Otherwise, and when there is none, NAME.lua is compiled as ever.
 *
 * In Lua: require "postmulti.loader" (of the host program only)
 *
 *      compile(path, name)  the text of PATH.luac, NAME being what messages
 *                           call the source; nil and a reason when it does not compile
 *      load(path)           the function in PATH, and whether it was loaded
 *                           compiled; nil and a reason; raises for want of memory
 */
#ifndef POSTMULTI_LOADER_H
#define POSTMULTI_LOADER_H

#include <lua.h>

/* loader_install - let `require` load what lies in DIRECTORY this way; the library `package` is open */
void loader_install(lua_State *L, const char *directory);

/* luaopen_postmulti_loader - the functions above */
int luaopen_postmulti_loader(lua_State *L);

#endif
