/*
 * bind_box - a buffer that Lua owns
 *
 *      struct buffer *text = bind_box(L);      (pushes one value)
 *      if (tree_read_file(path, text, &fault) < 0) return bind_failure(L, &fault);
 *      lua_pushlstring(L, text->data, text->length);
 *      buffer_free(text);                      (now, rather than when collected)
 *
 * Whatever raises in between, the memory is released by the garbage collector.
 */
#ifndef POSTMULTI_BIND_BOX_H
#define POSTMULTI_BIND_BOX_H

#include <lua.h>

#include "buffer.h"

/* bind_box - push a new empty one; may raise (memory) */
struct buffer *bind_box(lua_State *L);

#endif
