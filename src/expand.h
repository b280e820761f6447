/*
 * expand - replace the $name expressions of a parameter value
 *
 * The forms and their meaning are those of postconf(5), "The general format
 * of the main.cf file": $name, $(name), ${name}, $$, ${name?text},
 * ${name:text}, ${name?{text}:{text}} and ${{a} == {b}?...}, with the
 * operators == != < <= >= > and the same followed by "level".
 *
 *      struct buffer value = BUFFER_INIT;
 *      if (expand_text(&value, text, length, lookup, context, &fault) < 0)
 *              ...fault.text says which expression, and why...
 *      buffer_free(&value);
 *
 * The result is appended to the caller's buffer; after a failure the buffer
 * is as long as it was. A name that the lookup does not know is empty.
 * ${name?...} and ${name:...} look at the value of the name before expansion.
 * The branch that is not taken is not examined.
 *
 * Bounds. Text and values may be nested EXPAND_NESTING deep, as in Postfix;
 * the operands of a comparison have a count of their own, and everything
 * together may be EXPAND_DEPTH deep. Result, lookups and bytes looked at are
 * bounded too, so that no file can keep this busy for long or use up the
 * memory.
 *
 * Errors: a malformed expression, a parameter that refers to itself, a bound
 * exceeded (number 0), or no memory (ENOMEM). ${domain_to_ascii{...}} and
 * ${domain_to_utf8{...}} of Postfix 3.11 are refused.
 */
#ifndef POSTMULTI_EXPAND_H
#define POSTMULTI_EXPAND_H

#include <stdbool.h>
#include <stddef.h>

#include "buffer.h"
#include "fault.h"

#define EXPAND_NESTING 100 /* as Postfix has it */
#define EXPAND_DEPTH 500   /* operands within operands included */
#ifndef EXPAND_RESULT /* a test that wants to meet the bounds often has smaller ones */
#define EXPAND_RESULT ((size_t)16 * 1024 * 1024) /* bytes of result, operands included */
#define EXPAND_LOOKUPS ((size_t)1000 * 1000)     /* names looked up */
#define EXPAND_WORK ((size_t)256 * 1024 * 1024)  /* bytes of text looked at */
#endif

/*
 * Finds the raw value of a parameter; false: undefined. What *value points to
 * must stay in place until expand_text() returns. The name may be empty and
 * does not end in a NUL.
 */
typedef bool (*expand_lookup)(void *context, const char *name, size_t length, const char **value, size_t *size);

/* Returns 0, or -1 with `fault` filled in. */
int expand_text(struct buffer *result, const char *text, size_t length, expand_lookup lookup, void *context,
		struct fault *fault);

#endif
