/*
 * thin - compiled Lua without the names of local variables
 *
 * They are a third of what there is to load, and nothing but messages about
 * mistakes in the code itself knows them: those then say "local '?'". The line
 * numbers stay.
 *
 * The form is that of Lua 5.4, header included; where it turns out to be
 * another one, nothing is left out.
 */
#ifndef POSTMULTI_THIN_H
#define POSTMULTI_THIN_H

#include <stdbool.h>
#include <stddef.h>

#include "buffer.h"

/* thin - append what lua_dump() made, without those names; false: it cannot be read, or there is no memory */
bool thin(struct buffer *out, const char *code, size_t length);

#endif
