/*
 * config_text - the lines of a main.cf or master.cf, nothing lost
 *
 * Both files have the same lines (postconf(5), master(5)): a line that starts
 * with a non-blank starts a logical line; a line that starts with a blank
 * continues it; an empty or all-blank line, and one whose first non-blank is
 * '#', is ignored wherever it stands and ends nothing. A blank is space, tab,
 * CR, LF, form feed or vertical tab. There is no escape and no length limit.
 *
 * Physical lines, for an editor that copies what it does not change:
 *
 *      struct config_reader reader;
 *      struct config_line line;
 *      config_text_open(&reader, text, length);
 *      while (config_text_line(&reader, &line))
 *              ...line.data, line.length (newline included), line.kind...
 *
 * The lines, laid end to end, are the text, byte for byte.
 *
 * Logical lines, for a parser:
 *
 *      struct config_entry entry;
 *      config_text_open(&reader, text, length);
 *      while ((found = config_text_entry(&reader, &entry)) > 0)
 *              ...entry.text, entry.length: joined; entry.line...
 *      config_text_close(&reader);
 *      if (found < 0) ...out of memory...
 *
 * After config_text_entry() the reader stands at the next logical line, or at
 * the end: the ignored lines between two entries are passed over. entry.end
 * tells where they start.
 *
 * The text belongs to the caller and must stay while the reader is used. NULs
 * are ordinary bytes here; what they mean is the caller's business.
 */
#ifndef POSTMULTI_CONFIG_TEXT_H
#define POSTMULTI_CONFIG_TEXT_H

#include <stdbool.h>
#include <stddef.h>

#include "buffer.h"

enum config_kind {
	CONFIG_IGNORED,      /* blank line or comment */
	CONFIG_START,        /* starts a logical line */
	CONFIG_CONTINUATION, /* continues one, or starts one that is to be dropped */
};

/* A physical line. */
struct config_line {
	const char *data; /* in the caller's text */
	size_t length;    /* with its newline, where it has one */
	size_t number;    /* from 1 */
	enum config_kind kind;
};

/* A logical line. */
struct config_entry {
	const char *text;   /* newlines gone, blanks kept; valid until the next call */
	size_t length;      /* of text */
	size_t line;        /* its first physical line, from 1 */
	size_t start, end;  /* byte range in the caller's text: first line to last continuation and all between */
	bool leading_blank; /* starts with a blank: Postfix drops it with a warning */
};

/* Where a reader stands. */
struct config_reader {
	const char *text, *next, *end;
	size_t number;        /* of the line at `next` */
	struct buffer joined; /* of an entry with several lines */
};

/* Is it a blank, as Postfix sees it? (isspace(3) of the C locale) */
static inline bool config_is_blank(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

/* Stand at the start of a text. Takes no memory. */
void config_text_open(struct config_reader *reader, const char *text, size_t length);

/* The next physical line; false at the end. */
bool config_text_line(struct config_reader *reader, struct config_line *line);

/* The next logical line. 1: found, 0: no more, -1: out of memory. */
int config_text_entry(struct config_reader *reader, struct config_entry *entry);

/* Release what reading entries took. Needed after config_text_entry(), harmless otherwise and twice. */
void config_text_close(struct config_reader *reader);

/* The end without the blanks before it, not below start: trims the end of a value. */
size_t config_text_trim_end(const char *text, size_t start, size_t end);

/* The first position from start on that is no blank, or end. */
size_t config_text_skip_blanks(const char *text, size_t start, size_t end);

#endif
