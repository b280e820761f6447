/*
 * main_cf - the parameters of a main.cf: read them, edit the text
 *
 * The rules are postconf(5), "General format of the main.cf file", and, for
 * edits, postconf(1) -e, -X and -#; the lines are those of config_text.h.
 *
 * Reading:
 *
 *      struct main_cf_reader reader;
 *      struct main_cf_setting setting;
 *      main_cf_open(&reader, text, length);
 *      while ((item = main_cf_next(&reader, &setting)) > 0)
 *              switch (item) { ... }
 *      main_cf_close(&reader);
 *      if (item == MAIN_CF_NO_MEMORY) ...
 *
 * Reading goes on behind a malformed line, so that a caller may use the rest.
 * The last setting of a name wins; telling that is left to the caller.
 *
 * Editing is pure: text in, text out. It works by lines, on malformed texts
 * too. Comments, blank lines and settings that no edit names are copied byte
 * for byte. All entries of a name are changed alike. Differences from
 * postconf(1), on purpose: a line without its newline at the end gets one
 * before something is appended, and bytes after a NUL are kept.
 *
 * Before it is returned the new text is read back: it must give each value
 * that was asked for, and everything else as it was before.
 */
#ifndef POSTMULTI_MAIN_CF_H
#define POSTMULTI_MAIN_CF_H

#include "buffer.h"
#include "config_text.h"
#include "fault.h"

enum main_cf_item {
	MAIN_CF_NO_MEMORY = -1,
	MAIN_CF_END = 0,
	MAIN_CF_SETTING,
	MAIN_CF_DROPPED,   /* starts with a blank, Postfix passes over it */
	MAIN_CF_NO_EQUALS, /* malformed: no '=' after the name, or a blank in the name */
	MAIN_CF_NO_NAME,   /* malformed: nothing before the '=' */
};

/* What a logical line says; valid until the next call. */
struct main_cf_setting {
	const char *name; /* a setting's; name and value are not NUL-terminated */
	size_t name_length;
	const char *value; /* blanks at both ends gone, cut at a NUL */
	size_t value_length;
	const char *text; /* the logical line, cut at a NUL */
	size_t text_length;
	size_t line; /* its first physical line, from 1 */
	bool nul;    /* text after a NUL was cut */
};

struct main_cf_reader {
	struct config_reader lines;
};

void main_cf_open(struct main_cf_reader *reader, const char *text, size_t length);
enum main_cf_item main_cf_next(struct main_cf_reader *reader, struct main_cf_setting *setting);
void main_cf_close(struct main_cf_reader *reader);

/*
 * Fill in why a malformed line (MAIN_CF_NO_EQUALS, MAIN_CF_NO_NAME) cannot be
 * used: "PATH, line N: ..."; path may be NULL. Returns -1.
 */
int main_cf_malformed(struct fault *fault, const char *path, enum main_cf_item item,
		      const struct main_cf_setting *setting);

/* A remark: the text is usable, but somebody should look at it. */
enum main_cf_remark {
	MAIN_CF_DUPLICATE,    /* another value of the same name came earlier; `what` is that value */
	MAIN_CF_CONTINUATION, /* MAIN_CF_DROPPED; `what` is the line */
	MAIN_CF_NUL,          /* text after a NUL; `what` is the name */
	MAIN_CF_MULTIPLE,     /* an edit found its name more than once; `what` is the name */
};

/* Append the line "PATH, line N: ..." to text; path may be NULL. */
void main_cf_remark_text(struct buffer *text, const char *path, size_t line, enum main_cf_remark remark,
			 const char *what, size_t length);

enum main_cf_operation {
	MAIN_CF_SET,     /* name = value: postconf -e */
	MAIN_CF_REMOVE,  /* postconf -X */
	MAIN_CF_COMMENT, /* '#' before each of its lines: postconf -# */
};

struct main_cf_edit {
	enum main_cf_operation operation;
	const char *name;
	size_t name_length;
	const char *value; /* for MAIN_CF_SET; blanks at both ends do not count */
	size_t value_length;
	size_t multiple; /* result: line of the name's second entry in the old text, 0: none */
};

/*
 * Apply edits to a text and append the result to `out`, which is empty. Of two
 * edits of one name the last counts. 0: done; -1: fault is filled (a name or
 * value that no line can hold, out of memory, the check of the result failed)
 * and what `out` holds is of no use.
 */
int main_cf_apply(const char *text, size_t length, struct main_cf_edit *edits, size_t count, struct buffer *out,
		  struct fault *fault);

/* Append a value as postconf(1) prints it: runs of space, tab, CR and LF made one space, none at the ends. */
void main_cf_squeeze(struct buffer *out, const char *value, size_t length);

#endif
