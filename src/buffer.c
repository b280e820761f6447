#include "buffer.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

char buffer_empty[1] = "";

/* buffer_reserve - make room for more bytes and the final NUL */
bool buffer_reserve(struct buffer *b, size_t size)
{
	size_t want;
	char *data;

	if (b->failed)
		return false;
	if (size > SIZE_MAX / 2 - b->length - 1) {
		b->failed = true;
		return false;
	}
	want = b->length + size + 1;
	if (want <= b->capacity)
		return true;
	if (want < b->capacity * 2)
		want = b->capacity * 2;
	if (want < 64)
		want = 64;
	data = realloc(b->capacity > 0 ? b->data : NULL, want);
	if (data == NULL) {
		b->failed = true;
		return false;
	}
	data[b->length] = '\0';
	b->data = data;
	b->capacity = want;
	return true;
}

/* buffer_add - append bytes */
void buffer_add(struct buffer *b, const void *data, size_t size)
{
	if (size == 0 || !buffer_reserve(b, size))
		return;
	memcpy(b->data + b->length, data, size);
	b->length += size;
	b->data[b->length] = '\0';
}

/* buffer_add_char - append one byte */
void buffer_add_char(struct buffer *b, char c)
{
	buffer_add(b, &c, 1);
}

/* buffer_add_string - append a C string */
void buffer_add_string(struct buffer *b, const char *string)
{
	buffer_add(b, string, strlen(string));
}

/* buffer_reset - forget the contents, keep the memory */
void buffer_reset(struct buffer *b)
{
	b->length = 0;
	if (b->capacity > 0)
		b->data[0] = '\0';
}

/* buffer_failed - did an addition run out of memory? */
bool buffer_failed(const struct buffer *b)
{
	return b->failed;
}

/* buffer_free - release the memory; the buffer is as new */
void buffer_free(struct buffer *b)
{
	if (b->capacity > 0)
		free(b->data);
	*b = (struct buffer)BUFFER_INIT;
}
