/*
 * lines - what the targets for main.cf and master.cf both check
 */
#ifndef POSTMULTI_FUZZ_LINES_H
#define POSTMULTI_FUZZ_LINES_H

#include <stdbool.h>
#include <string.h>

#include "buffer.h"
#include "config_text.h"

/* The same bytes? */
static inline bool same(const char *a, size_t a_length, const char *b, size_t b_length)
{
	return a_length == b_length && (a_length == 0 || memcmp(a, b, a_length) == 0);
}

/* Are the comments and blank lines of the old text in the new one, in their order? */
static inline bool keeps_comments(const char *text, size_t length, const struct buffer *out)
{
	struct config_reader before, after;
	struct config_line old, new;

	config_text_open(&before, text, length);
	config_text_open(&after, out->data, out->length);
	while (config_text_line(&before, &old)) {
		bool at_end = old.data[old.length - 1] != '\n'; /* a newline may have been supplied */
		bool found = false;

		if (old.kind != CONFIG_IGNORED)
			continue;
		while (!found && config_text_line(&after, &new))
			found = same(old.data, old.length, new.data, new.length - (at_end && new.length > old.length));
		if (!found)
			return false;
	}
	return true;
}

#endif
