/*
 * master_cf - fuzz the reader and the editor of master.cf
 *
 * Input: edits, one per line (an operation, a tab, the selector, a tab, the
 * value), a line "--", then the text. Each line of the text is also read as an
 * entry by itself: written and read again it must mean the same, or the editor
 * must refuse to change it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config_text.h"
#include "master_cf.h"
#include "master_edit.h"

#define MAX_EDITS 6

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

static void complain(const char *what)
{
	fprintf(stderr, "master_cf: %s\n", what);
	abort();
}

/* Does the editor refuse to change an entry? */
static bool is_refused(const char *line, size_t length, const struct master_service *service)
{
	bool is_no = strcmp(service->field[MASTER_CHROOT], "n") == 0;
	struct master_edit edit = {
		.operation = MASTER_SET_FIELD,
		.selector = "*/*/chroot",
		.selector_length = 10,
		.value = is_no ? "y" : "n",
		.value_length = 1,
	};
	struct buffer out = BUFFER_INIT;
	struct fault fault;
	bool refused = master_edit_apply(line, length, "master.cf", &edit, 1, &out, &fault) < 0;

	buffer_free(&out);
	return refused;
}

/* A physical line as an entry: to text and back. */
static void check_entry(const char *line, size_t length)
{
	struct master_service service = MASTER_SERVICE_INIT, again = MASTER_SERVICE_INIT;
	struct buffer text = BUFFER_INIT;
	enum master_brace brace;
	struct fault fault;

	if (config_is_blank(*line) || *line == '#')
		return;
	if (master_service_parse(&service, line, length, &brace, &fault) == 0 && brace == MASTER_BRACE_GOOD) {
		master_service_write(&service, MASTER_ONE_LINE, &text);
		/* "--o" is the options "--" and "-o", which no line can say one after the other */
		if ((master_service_parse(&again, text.data, text.length, &brace, &fault) < 0 ||
		     !master_service_equal(&service, &again)) &&
		    !is_refused(line, length, &service))
			complain("written and read again, it means something else, and an edit is not refused");
	}
	master_service_free(&service);
	master_service_free(&again);
	buffer_free(&text);
}

static size_t next_line(const char **text, size_t *length, const char **line)
{
	const char *end = memchr(*text, '\n', *length);
	size_t line_length = end == NULL ? *length : (size_t)(end - *text);

	*line = *text;
	*text += line_length + (end != NULL);
	*length -= line_length + (end != NULL);
	return line_length;
}

static size_t read_edits(const char **text, size_t *length, struct master_edit *edits)
{
	size_t count = 0;

	while (*length > 0) {
		const char *line, *tab;
		size_t line_length = next_line(text, length, &line);

		if (line_length == 2 && memcmp(line, "--", 2) == 0)
			break;
		if (line_length < 3 || count == MAX_EDITS)
			continue;
		edits[count] = (struct master_edit){
			.operation = (enum master_operation)((unsigned char)line[0] % (MASTER_REMOVE_OVERRIDE + 1)),
			.selector = line + 2,
			.selector_length = line_length - 2,
			.value = "",
		};
		tab = memchr(line + 2, '\t', line_length - 2);
		if (tab != NULL) {
			edits[count].selector_length = (size_t)(tab - line) - 2;
			edits[count].value = tab + 1;
			edits[count].value_length = line_length - (size_t)(tab + 1 - line);
		}
		count++;
	}
	return count;
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
	struct master_edit edits[MAX_EDITS];
	const char *text = (const char *)data, *rest;
	struct buffer out = BUFFER_INIT;
	struct fault fault;
	size_t count = read_edits(&text, &size, edits), left;

	if (master_edit_apply(text, size, "master.cf", edits, count, &out, &fault) == 0 && count == 0 &&
	    (out.length != size || (size > 0 && memcmp(out.data, text, size) != 0)))
		complain("no edit, but a change");
	buffer_free(&out);
	for (rest = text, left = size; left > 0;) {
		const char *line;
		size_t length = next_line(&rest, &left, &line);

		check_entry(line, length);
	}
	return 0;
}
