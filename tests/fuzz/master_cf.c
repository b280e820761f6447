/*
 * master_cf - fuzz the reader and the editor of master.cf
 *
 * Input: edits, one per line (an operation, a tab, the selector, a tab, the
 * value), a line "--", then the text. A line of the text is also read as an
 * entry by itself: written and read again it must mean the same, or the editor
 * must refuse to change it. Comments stay in their order, and one edit applied
 * again changes nothing.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config_text.h"
#include "lines.h"
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

/* One line of a text as an entry; the length of the text says which. */
static void check_some_entry(const char *text, size_t size)
{
	size_t lines = 0, number;

	for (size_t i = 0; i < size; i++)
		lines += text[i] == '\n' || i + 1 == size;
	number = lines == 0 ? 0 : size % lines + 1;
	while (number-- > 0) {
		const char *line;
		size_t length = next_line(&text, &size, &line);

		if (number == 0)
			check_entry(line, length);
	}
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

static void apply_again(const struct buffer *text, struct master_edit *edit, struct buffer *out)
{
	struct fault fault;

	if (master_edit_apply(text->data, text->length, "master.cf", edit, 1, out, &fault) < 0)
		complain(fault.text);
}

/*
 * An edit that is applied again changes nothing. Once more is allowed: braces
 * that the first edit gave a value let the second drop the blanks around its "=".
 */
static void check_again(const struct buffer *first, struct master_edit *edit)
{
	struct buffer second = BUFFER_INIT, third = BUFFER_INIT;

	apply_again(first, edit, &second);
	if (!same(second.data, second.length, first->data, first->length)) {
		if (second.length >= first->length)
			complain("the same edit again makes another change");
		apply_again(&second, edit, &third);
		if (!same(third.data, third.length, second.data, second.length))
			complain("the same edit makes a change each time");
	}
	buffer_free(&second);
	buffer_free(&third);
}

/* Edit a text; what must hold of the result, whatever was asked for. */
static void check_edits(const char *text, size_t size, struct master_edit *edits, size_t count)
{
	struct buffer out = BUFFER_INIT;
	struct fault fault;

	if (master_edit_apply(text, size, "master.cf", edits, count, &out, &fault) == 0) {
		if (count == 0 && !same(out.data, out.length, text, size))
			complain("no edit, but a change");
		if (!keeps_comments(text, size, &out))
			complain("a comment or a blank line is lost");
		if (count == 1)
			check_again(&out, &edits[0]);
	}
	buffer_free(&out);
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
	struct master_edit edits[MAX_EDITS];
	const char *text = (const char *)data;
	size_t count = read_edits(&text, &size, edits);

	check_edits(text, size, edits, count);
	check_some_entry(text, size);
	return 0;
}
