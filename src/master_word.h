/*
 * master_word - the words of a master.cf entry
 *
 * Words are separated by space, tab, CR and LF; form feed and vertical tab
 * belong to a word. Braces protect separators, in the middle of a word too; a
 * '}' without its '{' is an ordinary byte. A word in which a '{' stays open
 * goes on to the end of the entry. There are no quotes and no escapes
 * (master(5); what it leaves open was found by running postconf(1)).
 *
 *      const char *at = text;
 *      struct master_word word;
 *      while (master_word_next(&at, text + length, &word))
 *              switch (master_word_strip(&word)) { ... }
 *
 * Nothing here takes memory: a word points into the caller's text.
 */
#ifndef POSTMULTI_MASTER_WORD_H
#define POSTMULTI_MASTER_WORD_H

#include <stdbool.h>
#include <stddef.h>

#include "buffer.h"

struct master_word {
	const char *text;
	size_t length;
};

enum master_brace {
	MASTER_BRACE_GOOD, /* no braces around the word, or a pair that is gone now */
	MASTER_BRACE_OPEN, /* the '{' it starts with is never closed */
	MASTER_BRACE_REST, /* text follows the '}'; Postfix passes over it */
};

/* Does this byte end a word? */
static inline bool master_word_separator(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* The next word from *at on; false: there is none. */
bool master_word_next(const char **at, const char *end, struct master_word *word);

/* Take off the braces around a word, and the blanks inside them. A word that starts otherwise is left alone. */
enum master_brace master_word_strip(struct master_word *word);

/* Is every '{' closed? */
bool master_word_balanced(const char *text, size_t length);

enum master_style {
	MASTER_PLAIN_FIRST,  /* braces only where nothing else reads back */
	MASTER_BRACE_BLANKS, /* braces around a word with separators in it */
};

/*
 * Append a word so that reading it back gives the same word: plain where that
 * works, else in braces, in the order that `style` says. A word that no form
 * preserves is appended plain; who writes files reads the result back.
 */
void master_word_write(struct buffer *out, const char *text, size_t length, enum master_style style);

#endif
