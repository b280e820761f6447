/*
 * buffer - bytes that grow
 *
 *      struct buffer b = BUFFER_INIT;
 *      buffer_add(&b, "name", 4);
 *      buffer_add_string(&b, " = ");
 *      if (buffer_failed(&b)) ...out of memory...
 *      buffer_free(&b);
 *
 * The contents always end in a NUL that `length` does not count; they may hold
 * NULs. An allocation that fails is remembered: later additions do nothing, so
 * that one test of buffer_failed() after a series is enough. Freeing a buffer
 * twice, or one that was never filled, does nothing.
 */
#ifndef POSTMULTI_BUFFER_H
#define POSTMULTI_BUFFER_H

#include <stdbool.h>
#include <stddef.h>

struct buffer {
	char *data;      /* never NULL; "" before the first byte */
	size_t length;   /* bytes held */
	size_t capacity; /* bytes allocated, 0 before the first */
	bool failed;     /* an allocation failed */
};

extern char buffer_empty[];

#define BUFFER_INIT { buffer_empty, 0, 0, false }

void buffer_add(struct buffer *b, const void *data, size_t size);
void buffer_add_char(struct buffer *b, char c);
void buffer_add_string(struct buffer *b, const char *string);
/* Room for `size` more bytes without another allocation; false: out of memory. */
bool buffer_reserve(struct buffer *b, size_t size);
/* Empty it, keep its memory. */
void buffer_reset(struct buffer *b);
bool buffer_failed(const struct buffer *b);
void buffer_free(struct buffer *b);

#endif
