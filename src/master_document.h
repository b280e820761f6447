/*
 * master_document - the text of a master.cf taken apart into its entries, which are changed and written again
 *
 *      struct master_document document = { .text = text, .path = path, .length = length };
 *      if (master_document_read(&document, &fault) < 0)
 *              ...
 *      ...document.item[i], as far as document.count...
 *      master_document_write(&document, &out, &fault);
 *      master_document_check(&document, &out, &fault);
 *      master_document_free(&document);
 *
 * Functions that return int: 0, or -1 with `fault` filled; fault.number is ENOMEM for lack of memory, otherwise 0.
 */
#ifndef POSTMULTI_MASTER_DOCUMENT_H
#define POSTMULTI_MASTER_DOCUMENT_H

#include "master_cf.h"

/*
 * What becomes of an entry:
 *
 *      rewritten  commented  removed   is written as
 *      no         no         no        its bytes
 *      no         yes        no        its lines, '#' before all but its comments and blank lines
 *      yes        no         no        the comments and blank lines inside it, then `service`; or the other way round
 *      yes        yes        no        the same, '#' before each line of `service`
 *      any        any        yes       the comments and blank lines inside it
 *
 * One that is commented or removed is out of reach of later edits.
 */
struct master_item {
	size_t gap;         /* start of the comments and blank lines before it */
	size_t start, end;  /* its bytes, continuations included; of one that was added: the text's length, both */
	size_t line;        /* 0: added */
	char *name, *type;  /* what selectors mean; NULL: it has none, or cannot be selected */
	bool rewritten, commented, removed;
	bool nul;           /* it holds a NUL */
	bool inside_after;  /* rewritten: what was inside it goes behind it */
	enum master_brace brace;
	struct master_service service; /* rewritten */
};

/* A text taken apart. */
struct master_document {
	const char *text, *path;
	size_t length;
	struct master_item *item;
	size_t count, capacity;
	size_t tail; /* start of the comments and blank lines behind the last entry */
};

/* Take the text apart. */
int master_document_read(struct master_document *document, struct fault *fault);
void master_document_free(struct master_document *document);
/* Room for one more entry, at the end; NULL: out of memory. */
struct master_item *master_document_add(struct master_document *document);

/* What selectors mean from now on; false: out of memory. */
bool master_item_identify(struct master_item *item, const char *name, size_t name_length, const char *type,
			  size_t type_length);
/* The entry is no longer to be selected. */
void master_item_forget(struct master_item *item);
/* Have the entry's service ready for a change; replacing: its command is about to be replaced. */
int master_item_open(const struct master_document *document, struct master_item *item, bool replacing,
		     struct fault *fault);

/* Append the new text. */
int master_document_write(const struct master_document *document, struct buffer *out, struct fault *fault);
/* Does the new text, read back, say what was meant? */
int master_document_check(const struct master_document *document, const struct buffer *out, struct fault *fault);

#endif
