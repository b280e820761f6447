/*
 * main_cf - fuzz the reader and the editor of main.cf
 *
 * Input: edits, one per line ("=name value" sets, "-name" removes, "#name"
 * comments), a line "--", then the text. Besides not failing under the
 * sanitizers: what was set is read back, what was removed is gone, other names
 * keep their values, comments stay in their order, the same edits again change
 * nothing, and what is said about a line is one line.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lines.h"
#include "main_cf.h"

#define MAX_EDITS 8
#define MAX_MESSAGES 4 /* per text: that many lines are spoken about */
#define SLOTS 512

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

static void complain(const char *what)
{
	fprintf(stderr, "main_cf: %s\n", what);
	abort();
}

/* A name and its last value: positions in the bytes of the table. */
struct row {
	size_t name, name_length, value, value_length;
	uint16_t next; /* of the same slot, as a number from 1 */
};

/* The last value of each name; the memory is kept from one text to the next. */
struct table {
	struct buffer bytes;
	struct row *row;
	size_t count, capacity;
	uint16_t slot[SLOTS]; /* number of a row from 1, 0: empty */
};

static size_t slot_of(const char *name, size_t length)
{
	uint32_t hash = 2166136261u;

	for (size_t i = 0; i < length; i++)
		hash = (uint32_t)(((uint64_t)hash ^ (unsigned char)name[i]) * 16777619u);
	return hash % SLOTS;
}

static struct row *find(const struct table *table, const char *name, size_t length)
{
	for (size_t number = table->slot[slot_of(name, length)]; number != 0; number = table->row[number - 1].next) {
		struct row *row = &table->row[number - 1];

		if (same(table->bytes.data + row->name, row->name_length, name, length))
			return row;
	}
	return NULL;
}

static void put(struct table *table, const struct main_cf_setting *setting)
{
	struct row *row = find(table, setting->name, setting->name_length);
	uint16_t *slot = &table->slot[slot_of(setting->name, setting->name_length)];

	if (row == NULL) {
		if (table->count == table->capacity) {
			table->capacity = 2 * table->capacity + 64;
			table->row = realloc(table->row, table->capacity * sizeof *table->row);
			if (table->row == NULL || table->capacity > UINT16_MAX)
				complain("the text is too large for this test");
		}
		row = &table->row[table->count++];
		row->name = table->bytes.length;
		row->name_length = setting->name_length;
		buffer_add(&table->bytes, setting->name, setting->name_length);
		row->next = *slot;
		*slot = (uint16_t)table->count;
	}
	row->value = table->bytes.length;
	row->value_length = setting->value_length;
	buffer_add(&table->bytes, setting->value, setting->value_length);
}

/* What the program would say about a line must be one line. */
static void check_message(enum main_cf_item item, const struct main_cf_setting *setting)
{
	static struct buffer message = BUFFER_INIT;
	struct fault fault;

	buffer_reset(&message);
	if (item == MAIN_CF_NO_EQUALS || item == MAIN_CF_NO_NAME) {
		(void)main_cf_malformed(&fault, "main.cf", item, setting);
		buffer_add_string(&message, fault.text);
	} else if (item == MAIN_CF_DROPPED) {
		main_cf_remark_text(&message, "main.cf", setting->line, MAIN_CF_CONTINUATION, setting->text,
				    setting->text_length);
	} else {
		main_cf_remark_text(&message, NULL, setting->line, MAIN_CF_NUL, setting->name, setting->name_length);
	}
	for (size_t i = 0; i < message.length; i++)
		if ((unsigned char)message.data[i] < ' ' || message.data[i] == 0x7f)
			complain("a message holds a control character");
}

/* Read a text; where `speak` is set its odd lines are spoken about. */
static void read_table(struct table *table, const char *text, size_t length, bool speak)
{
	static struct buffer squeezed = BUFFER_INIT;
	struct main_cf_reader reader;
	struct main_cf_setting setting;
	enum main_cf_item item;
	int messages = speak ? MAX_MESSAGES : 0;

	buffer_reset(&table->bytes);
	table->count = 0;
	memset(table->slot, 0, sizeof table->slot);
	main_cf_open(&reader, text, length);
	while ((item = main_cf_next(&reader, &setting)) > MAIN_CF_END) {
		if ((item != MAIN_CF_SETTING || setting.nul) && messages-- > 0)
			check_message(item, &setting);
		if (item != MAIN_CF_SETTING)
			continue;
		put(table, &setting);
		buffer_reset(&squeezed);
		main_cf_squeeze(&squeezed, setting.value, setting.value_length);
		if (squeezed.length > setting.value_length || strpbrk(squeezed.data, "\t\r\n") != NULL)
			complain("a squeezed value has grown, or holds a blank that is none");
	}
	main_cf_close(&reader);
}

/* The edit that counts for a name: the last one. */
static const struct main_cf_edit *edit_of(const struct main_cf_edit *edits, size_t count, const char *name,
					  size_t length)
{
	while (count-- > 0)
		if (same(edits[count].name, edits[count].name_length, name, length))
			return &edits[count];
	return NULL;
}

/* Every name that an edit is for says what was asked. */
static void check_edited(const struct table *after, const struct main_cf_edit *edits, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		const struct main_cf_edit *edit = edit_of(edits, count, edits[i].name, edits[i].name_length);
		const struct row *row = find(after, edit->name, edit->name_length);
		size_t start = config_text_skip_blanks(edit->value, 0, edit->value_length);
		size_t end = config_text_trim_end(edit->value, start, edit->value_length);

		if (edit->operation != MAIN_CF_SET && row != NULL)
			complain("a name that was removed is still set");
		if (edit->operation == MAIN_CF_SET &&
		    (row == NULL || !same(after->bytes.data + row->value, row->value_length, edit->value + start,
					  end - start)))
			complain("a name that was set has another value");
	}
}

/* Every other name has the value that it had, and no new one came. */
static void check_kept(const struct table *before, const struct table *after, const struct main_cf_edit *edits,
		       size_t count)
{
	size_t kept = 0, left = 0;

	for (size_t i = 0; i < before->count; i++) {
		const struct row *old = &before->row[i], *new;

		if (edit_of(edits, count, before->bytes.data + old->name, old->name_length) != NULL)
			continue;
		kept++;
		new = find(after, before->bytes.data + old->name, old->name_length);
		if (new == NULL || !same(before->bytes.data + old->value, old->value_length,
					 after->bytes.data + new->value, new->value_length))
			complain("another name has another value");
	}
	for (size_t i = 0; i < after->count; i++)
		left += edit_of(edits, count, after->bytes.data + after->row[i].name, after->row[i].name_length) ==
			NULL;
	if (left != kept)
		complain("a name has come that nobody set");
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
	static struct table before = { .bytes = BUFFER_INIT }, after = { .bytes = BUFFER_INIT };
	struct main_cf_edit edits[MAX_EDITS];
	const char *text = (const char *)data;
	struct buffer out = BUFFER_INIT, again = BUFFER_INIT;
	struct fault fault;
	size_t count = read_edits(&text, &size, edits);

	read_table(&before, text, size, true);
	if (main_cf_apply(text, size, edits, count, &out, &fault) == 0) {
		if (count == 0 && !same(out.data, out.length, text, size))
			complain("no edit, but a change");
		read_table(&after, out.data, out.length, false);
		check_edited(&after, edits, count);
		check_kept(&before, &after, edits, count);
		if (!keeps_comments(text, size, &out))
			complain("a comment or a blank line is lost");
		if (main_cf_apply(out.data, out.length, edits, count, &again, &fault) < 0)
			complain(fault.text);
		if (!same(again.data, again.length, out.data, out.length))
			complain("the same edits again make another change");
	}
	buffer_free(&out);
	buffer_free(&again);
	return 0;
}
