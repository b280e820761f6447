/*
 * expand - fuzz the expansion of $name
 *
 * Input: a text, then lines "name=value" that it may refer to. It must end
 * within its bounds, which are smaller here than in the program (Makefile),
 * and leave the buffer alone when it fails.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "expand.h"

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

struct table {
	const char *text;
	size_t length;
	size_t lookups; /* so far */
};

static bool find(void *context, const char *name, size_t length, const char **value, size_t *size)
{
	struct table *table = context;
	const char *line = table->text, *end = line + table->length;

	table->lookups++;
	while (line < end) {
		const char *stop = memchr(line, '\n', (size_t)(end - line));

		if (stop == NULL)
			stop = end;
		if ((size_t)(stop - line) > length && memcmp(line, name, length) == 0 && line[length] == '=') {
			*value = line + length + 1;
			*size = (size_t)(stop - *value);
			return true;
		}
		line = stop + 1;
	}
	return false;
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
	const char *text = (const char *)data, *end = size > 0 ? memchr(text, '\n', size) : NULL;
	size_t length = end == NULL ? size : (size_t)(end - text);
	struct table table = { end == NULL ? text : end + 1, end == NULL ? 0 : size - length - 1, 0 };
	struct buffer result = BUFFER_INIT;
	struct fault fault;
	int outcome;

	buffer_add(&result, "before", 6);
	outcome = expand_text(&result, text, length, find, &table, &fault);
	if (result.length < 6 || memcmp(result.data, "before", 6) != 0 || (outcome < 0 && result.length != 6) ||
	    result.length > 6 + EXPAND_RESULT || table.lookups > EXPAND_LOOKUPS + 1) {
		fprintf(stderr, "expand: the result or the work is out of bounds\n");
		abort();
	}
	if (outcome < 0 && (fault.text[0] == '\0' || strpbrk(fault.text, "\t\r\n") != NULL)) {
		fprintf(stderr, "expand: the message is not one line\n");
		abort();
	}
	buffer_free(&result);
	return 0;
}
