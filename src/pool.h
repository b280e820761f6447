/*
 * pool - memory for Lua's many small objects
 *
 *      lua_State *L = lua_newstate(pool_resize, &pool);
 *
 * Most of what Lua allocates is smaller than 256 bytes, and Lua says how large
 * a piece was when it gives it back. So small pieces are cut from large chunks
 * and kept in one list per size once they are free: a few instructions instead
 * of malloc's hundred, and no head before each piece. Larger ones are malloc's.
 * A chunk goes back to the system with the whole pool.
 *
 * Built with AddressSanitizer, everything is malloc's.
 */
#ifndef POSTMULTI_POOL_H
#define POSTMULTI_POOL_H

#include <stddef.h>

enum {
	POOL_UNIT = 8,    /* sizes are rounded up to it, pieces aligned to it */
	POOL_LARGEST = 256 /* of a small piece */
};

struct pool_chunk;

struct pool {
	void *free[POOL_LARGEST / POOL_UNIT + 1]; /* by size in units: pieces that were given back */
	char *at, *end;                           /* what is left of the newest chunk */
	struct pool_chunk *chunks;                /* all of them */
};

#define POOL_INIT ((struct pool){ .chunks = NULL })

/* pool_resize - a lua_Alloc; POOL is a struct pool */
void *pool_resize(void *pool, void *piece, size_t old_size, size_t size);

/* pool_end - give back all small pieces */
void pool_end(struct pool *pool);

#endif
