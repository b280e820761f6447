/*
 * pool_fault - the memory of the interpreter: pieces of all sizes, and none left
 *
 *      pool_fault [ROUNDS]
 *
 * Pieces are taken, resized and given back at random, each filled with a
 * pattern of its own that must still be there. Then the address space is
 * limited until nothing more is to be had: growing fails and leaves the piece
 * as it was, shrinking succeeds. (AddressSanitizer's malloc ends the program
 * then, so that it is left out.) Prints "N operations, N bad".
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "pool.h"

#define PIECES 500

static struct {
	unsigned char *data;
	size_t size;
	unsigned char mark;
} piece[PIECES];

static struct pool pool;
static long operations, bad;

/* complain - count what went wrong */
static void complain(const char *what)
{
	printf("operation %ld: %s\n", operations, what);
	bad++;
}

/* some_size - mostly small, around the limits of small pieces too */
static size_t some_size(void)
{
	switch (rand() % 8) {
	case 0:
		return 1 + (size_t)rand() % 5000;
	case 1:
		return POOL_LARGEST - 8 + (size_t)rand() % 16;
	default:
		return 1 + (size_t)rand() % 300;
	}
}

/* check - is a piece as it was left, as far as LENGTH? */
static void check(int i, size_t length)
{
	for (size_t n = 0; n < length; n++) {
		if (piece[i].data[n] != piece[i].mark) {
			complain("contents are lost");
			return;
		}
	}
	if ((uintptr_t)piece[i].data % POOL_UNIT != 0)
		complain("a piece is not aligned");
}

/* resize - a piece gets another size, 0: none; false: it could not */
static int resize(int i, size_t size)
{
	unsigned char *data;

	operations++;
	if (piece[i].data != NULL)
		check(i, piece[i].size);
	/* Of a new piece, the old size is a kind of object. */
	data = pool_resize(&pool, piece[i].data, piece[i].data != NULL ? piece[i].size : (size_t)(rand() % 9), size);
	if (size > 0 && data == NULL) {
		if (piece[i].data != NULL)
			check(i, piece[i].size);
		return 0;
	}
	if (size == 0 && data != NULL)
		complain("a piece of nothing");
	piece[i].data = data;
	if (size > 0)
		check(i, piece[i].size < size ? piece[i].size : size);
	piece[i].size = size;
	piece[i].mark = (unsigned char)rand();
	if (size > 0)
		memset(data, piece[i].mark, size);
	return 1;
}

/* give_back - all of it */
static void give_back(void)
{
	for (int i = 0; i < PIECES; i++)
		if (piece[i].data != NULL)
			(void)resize(i, 0);
	pool_end(&pool);
	pool = POOL_INIT;
}

/* starve - to the end of the memory, and what must still work there */
__attribute__((unused)) static void starve(void)
{
	const struct rlimit none = { .rlim_cur = 0, .rlim_max = RLIM_INFINITY };
	struct rlimit before;
	int taken = 0;

	if (getrlimit(RLIMIT_AS, &before) < 0 || setrlimit(RLIMIT_AS, &none) < 0) {
		complain("no limit");
		return;
	}
	for (int i = 0; i < PIECES; i++)
		if (piece[i].data == NULL)
			taken += resize(i, 1 << 20);
	for (size_t size = 1; size <= POOL_LARGEST; size++) /* what is left of small ones; they go with the pool */
		while (pool_resize(&pool, NULL, 0, size) != NULL)
			continue;
	if (taken > 0)
		complain("memory without end");
	for (int i = 0; i < PIECES; i++) {
		if (piece[i].data == NULL || piece[i].size < 2)
			continue;
		if (resize(i, 1 << 20))
			complain("memory without end");
		if (!resize(i, piece[i].size / 2))
			complain("shrinking failed");
	}
	(void)setrlimit(RLIMIT_AS, &before);
}

int main(int argc, char **argv)
{
	long rounds = argc > 1 ? strtol(argv[1], NULL, 10) : 200000;

	srand(1);
	for (int turn = 0; turn < 3; turn++) {
		for (long n = 0; n < rounds; n++)
			(void)resize(rand() % PIECES, rand() % 3 == 0 ? 0 : some_size());
#ifndef __SANITIZE_ADDRESS__
		starve();
#endif
		for (long n = 0; n < rounds / 10; n++)
			(void)resize(rand() % PIECES, rand() % 3 == 0 ? 0 : some_size());
		give_back();
	}
	printf("%ld operations, %ld bad\n", operations, bad);
	return bad > 0;
}
