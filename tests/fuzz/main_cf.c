/*
 * main_cf - fuzz the reader and the editor of main.cf
 *
 * Input: edits, one per line ("=name value" sets, "-name" removes, "#name"
 * comments), a line "--", then the text. Besides not failing under the
 * sanitizers: what was set is read back, other names keep their values, and
 * the same edits again change nothing.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "main_cf.h"

#define MAX_EDITS 8

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

/* The last value of a name in a text; false: it is not set. */
static bool last_value(const char *text, size_t length, const char *name, size_t name_length, struct buffer *value)
{
	struct main_cf_reader reader;
	struct main_cf_setting setting;
	enum main_cf_item item;
	bool found = false;

	main_cf_open(&reader, text, length);
	while ((item = main_cf_next(&reader, &setting)) > MAIN_CF_END) {
		if (item != MAIN_CF_SETTING || setting.name_length != name_length ||
		    memcmp(setting.name, name, name_length) != 0)
			continue;
		found = true;
		buffer_free(value);
		buffer_add(value, setting.value, setting.value_length);
	}
	main_cf_close(&reader);
	return found;
}

static bool is_edited(const struct main_cf_edit *edits, size_t count, const char *name, size_t length)
{
	for (size_t i = 0; i < count; i++)
		if (edits[i].name_length == length && memcmp(edits[i].name, name, length) == 0)
			return true;
	return false;
}

static void complain(const char *what)
{
	fprintf(stderr, "main_cf: %s\n", what);
	abort();
}

/* Every setting of the old text that no edit names has its value in the new text. */
static void check_kept(const char *text, size_t length, const struct buffer *out, const struct main_cf_edit *edits,
		       size_t count)
{
	struct main_cf_reader reader;
	struct main_cf_setting setting;
	enum main_cf_item item;

	main_cf_open(&reader, text, length);
	while ((item = main_cf_next(&reader, &setting)) > MAIN_CF_END) {
		struct buffer before = BUFFER_INIT, after = BUFFER_INIT;

		if (item != MAIN_CF_SETTING || is_edited(edits, count, setting.name, setting.name_length))
			continue;
		if (!last_value(text, length, setting.name, setting.name_length, &before) ||
		    !last_value(out->data, out->length, setting.name, setting.name_length, &after) ||
		    before.length != after.length || memcmp(before.data, after.data, before.length) != 0)
			complain("another name has another value");
		buffer_free(&before);
		buffer_free(&after);
	}
	main_cf_close(&reader);
}

static size_t read_edits(const char **text, size_t *length, struct main_cf_edit *edits)
{
	size_t count = 0;

	while (*length > 0) {
		const char *line = *text, *end = memchr(line, '\n', *length), *space;
		size_t line_length = end == NULL ? *length : (size_t)(end - line);

		*text += line_length + (end != NULL);
		*length -= line_length + (end != NULL);
		if (line_length == 2 && memcmp(line, "--", 2) == 0)
			break;
		if (line_length == 0 || count == MAX_EDITS)
			continue;
		edits[count] = (struct main_cf_edit){
			.operation = *line == '-' ? MAIN_CF_REMOVE : *line == '#' ? MAIN_CF_COMMENT : MAIN_CF_SET,
			.name = line + 1,
			.name_length = line_length - 1,
			.value = "",
		};
		space = memchr(line, ' ', line_length);
		if (space != NULL && space > line && edits[count].operation == MAIN_CF_SET) {
			edits[count].name_length = (size_t)(space - line) - 1;
			edits[count].value = space + 1;
			edits[count].value_length = line_length - (size_t)(space + 1 - line);
		}
		count++;
	}
	return count;
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
	struct main_cf_edit edits[MAX_EDITS];
	const char *text = (const char *)data;
	struct buffer out = BUFFER_INIT, again = BUFFER_INIT;
	struct fault fault;
	size_t count = read_edits(&text, &size, edits);

	if (main_cf_apply(text, size, edits, count, &out, &fault) == 0) {
		if (count == 0 && (out.length != size || (size > 0 && memcmp(out.data, text, size) != 0)))
			complain("no edit, but a change");
		check_kept(text, size, &out, edits, count);
		if (main_cf_apply(out.data, out.length, edits, count, &again, &fault) < 0)
			complain(fault.text);
		if (again.length != out.length || (out.length > 0 && memcmp(again.data, out.data, out.length) != 0))
			complain("the same edits again make another change");
	}
	buffer_free(&out);
	buffer_free(&again);
	return 0;
}
