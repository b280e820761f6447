#define _GNU_SOURCE
#include "pool.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define FIRST_SIZE (32 * 1024)  /* of the first chunk: what an interpreter needs, and a small script */
#define CHUNK_SIZE (64 * 1024) /* of the others */

#if defined(__SANITIZE_ADDRESS__)
#define SMALLEST_OF_MALLOC 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SMALLEST_OF_MALLOC 1
#endif
#endif
#ifndef SMALLEST_OF_MALLOC
#define SMALLEST_OF_MALLOC (POOL_LARGEST + 1)
#endif

/* is_small - is a piece of this size cut from a chunk? */
static inline bool is_small(size_t size)
{
	return size < SMALLEST_OF_MALLOC;
}

/* in_units - a size, rounded up */
static inline size_t in_units(size_t size)
{
	return (size + POOL_UNIT - 1) / POOL_UNIT;
}

/* release - keep a piece for the next one of its size */
static inline void release(struct pool *pool, void *piece, size_t size)
{
	void **list = &pool->free[in_units(size)];

	memcpy(piece, list, sizeof *list);
	*list = piece;
}

/* What is at the start of a chunk. */
struct pool_chunk {
	struct pool_chunk *next;
	size_t size;
};

/* add_chunk - have room for the largest of the small pieces; what is left of the chunk before is given to the lists */
static bool add_chunk(struct pool *pool)
{
	size_t size = pool->chunks == NULL ? FIRST_SIZE : CHUNK_SIZE, rest = (size_t)(pool->end - pool->at);
	/* All of it will be used: at once is half the work of page by page. */
	struct pool_chunk *chunk =
		mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

	if (chunk == MAP_FAILED)
		return false;
	if (rest > 0)
		release(pool, pool->at, rest);
	*chunk = (struct pool_chunk){ .next = pool->chunks, .size = size };
	pool->chunks = chunk;
	pool->at = (char *)(chunk + 1);
	pool->end = (char *)chunk + size;
	return true;
}

/* take - a small piece, or NULL */
static inline void *take(struct pool *pool, size_t size)
{
	size_t units = in_units(size);
	void *piece = pool->free[units];

	if (piece != NULL) {
		memcpy(&pool->free[units], piece, sizeof pool->free[units]);
		return piece;
	}
	if ((size_t)(pool->end - pool->at) < units * POOL_UNIT && !add_chunk(pool))
		return NULL;
	piece = pool->at;
	pool->at += units * POOL_UNIT;
	return piece;
}

/* move - a piece whose old or new size is small becomes another one */
static void *move(struct pool *pool, void *piece, size_t old_size, size_t size)
{
	void *moved = is_small(size) ? take(pool, size) : malloc(size);

	if (moved == NULL)
		return size < old_size ? piece : NULL; /* Lua wants shrinking to succeed */
	memcpy(moved, piece, old_size < size ? old_size : size);
	if (is_small(old_size))
		release(pool, piece, old_size);
	else
		free(piece);
	return moved;
}

/* pool_resize - see the header */
void *pool_resize(void *state, void *piece, size_t old_size, size_t size)
{
	struct pool *pool = state;

	if (piece == NULL) /* then the old size is a kind of object */
		return size == 0 ? NULL : is_small(size) ? take(pool, size) : malloc(size);
	if (size == 0) {
		if (is_small(old_size))
			release(pool, piece, old_size);
		else
			free(piece);
		return NULL;
	}
	if (!is_small(old_size) && !is_small(size))
		return realloc(piece, size);
	if (is_small(old_size) && is_small(size) && in_units(old_size) == in_units(size))
		return piece;
	return move(pool, piece, old_size, size);
}

/* pool_end - see the header */
void pool_end(struct pool *pool)
{
	while (pool->chunks != NULL) {
		struct pool_chunk *chunk = pool->chunks;

		pool->chunks = chunk->next;
		(void)munmap(chunk, chunk->size);
	}
}
