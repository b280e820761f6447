/*
 * master_edit - change the text of a master.cf
 *
 * Pure: text in, text out. The result is that of postconf(1) -M, -F and -P
 * with -e, -X and -#, its defects apart (docs/differences.md). Entries that no
 * edit selects are copied byte for byte, malformed ones too; so are comments
 * and blank lines. Those inside an entry whose fields or parameters change go
 * before it, those inside an entry that is replaced go behind it. An entry
 * that changes is laid out anew.
 *
 * Edits are applied in order. Among consecutive field edits, as in one run of
 * postconf -F, selectors mean the names and types from before the first.
 *
 * Before it is returned the new text is read back: it must give the services
 * that were meant, and every other entry as it was.
 */
#ifndef POSTMULTI_MASTER_EDIT_H
#define POSTMULTI_MASTER_EDIT_H

#include <stdbool.h>
#include <stddef.h>

#include "buffer.h"
#include "fault.h"

enum master_operation {
	MASTER_SET_SERVICE,     /* postconf -Me; selector name/type, value: the entry */
	MASTER_REMOVE_SERVICE,  /* -MX; name/type */
	MASTER_COMMENT_SERVICE, /* -M#; name/type */
	MASTER_SET_FIELD,       /* -Fe; name/type/field, value */
	MASTER_SET_OVERRIDE,    /* -Pe; name/type/parameter, value */
	MASTER_REMOVE_OVERRIDE, /* -PX; name/type/parameter */
};

/*
 * "*" as a name or a type selects any, except for MASTER_SET_SERVICE, which
 * names one service. A name may hold slashes: the last components are type
 * and field or parameter. Blanks at both ends of a value do not count.
 */
struct master_edit {
	enum master_operation operation;
	const char *selector, *value;
	size_t selector_length, value_length;
	bool unmatched; /* result: there was no such service (not for MASTER_SET_SERVICE, which adds it) */
};

/*
 * Apply edits to a text and append the result to `out`, which is empty. `path`
 * is for messages and may be NULL. 0: done; -1: fault is filled (an edit that
 * makes no sense, an entry that cannot be changed without loss, out of memory,
 * the check of the result failed) and what `out` holds is of no use.
 */
int master_edit_apply(const char *text, size_t length, const char *path, struct master_edit *edits, size_t count,
		      struct buffer *out, struct fault *fault);

#endif
