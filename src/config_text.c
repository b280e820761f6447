#define _GNU_SOURCE
#include "config_text.h"

#include <string.h>

/* config_text_open - stand at the start of a text */
void config_text_open(struct config_reader *reader, const char *text, size_t length)
{
	*reader = (struct config_reader){
		.text = text,
		.next = text,
		.end = text + length,
		.number = 1,
		.joined = BUFFER_INIT,
	};
}

/* classify - what kind of line is it? */
static inline enum config_kind classify(const char *data, size_t length)
{
	if (data[0] == '#')
		return CONFIG_IGNORED;
	if (!config_is_blank(data[0]))
		return CONFIG_START;
	for (size_t i = 1; i < length; i++) {
		if (data[i] == '#')
			return CONFIG_IGNORED;
		if (!config_is_blank(data[i]))
			return CONFIG_CONTINUATION;
	}
	return CONFIG_IGNORED;
}

/* next_line - config_text_line, in line for the scan of whole files */
static inline bool next_line(struct config_reader *reader, struct config_line *line)
{
	const char *newline;

	if (reader->next == reader->end)
		return false;
	newline = memchr(reader->next, '\n', (size_t)(reader->end - reader->next));
	line->data = reader->next;
	reader->next = newline == NULL ? reader->end : newline + 1;
	line->length = (size_t)(reader->next - line->data);
	line->number = reader->number++;
	line->kind = classify(line->data, line->length);
	return true;
}

/* config_text_line - the next physical line */
bool config_text_line(struct config_reader *reader, struct config_line *line)
{
	return next_line(reader, line);
}

/* Bytes that are compared at one go: what every 64-bit machine has registers for. */
typedef unsigned char block __attribute__((vector_size(16)));

/* add_lanes - the sum of a block's bytes */
static size_t add_lanes(block counts)
{
	size_t sum = 0;

	for (size_t i = 0; i < sizeof counts; i++)
		sum += counts[i];
	return sum;
}

/* other_line - in a block: newlines, counted per lane, and whether one starts another kind of line */
static inline block other_line(const char *p, block *counts)
{
	block here, next, newline;

	memcpy(&here, p, sizeof here);
	memcpy(&next, p + 1, sizeof next);
	newline = (block)(here == '\n');
	*counts -= newline; /* a lane that compares true is -1 */
	return newline & (block)(next != '#') & (block)(next != '\n');
}

/* skip_blocks - from within a comment, pass over strides in which no other kind of line starts; counts *lines */
static const char *skip_blocks(const char *p, const char *end, size_t *lines)
{
	enum { STRIDE = 4 * sizeof(block) };

	while ((size_t)(end - p) > STRIDE) {
		block counts = { 0 };
		bool found = false;

		/* As many as a lane can count. */
		for (int room = 255 / 4; room > 0 && (size_t)(end - p) > STRIDE; room--, p += STRIDE) {
			block before = counts;
			block other = other_line(p, &counts) | other_line(p + sizeof(block), &counts) |
				      other_line(p + 2 * sizeof(block), &counts) |
				      other_line(p + 3 * sizeof(block), &counts);
			unsigned long long any[sizeof(block) / sizeof(unsigned long long)];

			memcpy(any, &other, sizeof any);
			found = (any[0] | any[1]) != 0;
			if (found) {
				counts = before;
				break;
			}
		}
		*lines += add_lanes(counts);
		if (found)
			break;
	}
	return p;
}

/* skip_comments - most of a main.cf is comments: pass over lines that start with '#' and empty ones, quickly */
static void skip_comments(struct config_reader *reader)
{
	const char *p = reader->next;

	if (p == reader->end || (*p != '#' && *p != '\n'))
		return;
	p = skip_blocks(p, reader->end, &reader->number);
	while (p < reader->end) {
		const char *newline = memchr(p, '\n', (size_t)(reader->end - p));

		reader->number++;
		p = newline == NULL ? reader->end : newline + 1;
		if (p < reader->end && *p != '#' && *p != '\n')
			break;
	}
	reader->next = p;
}

/* content_length - the length of a line without its newline */
static size_t content_length(const struct config_line *line)
{
	return line->length - (line->data[line->length - 1] == '\n');
}

/* join - append a continuation to an entry */
static void join(struct config_reader *reader, struct config_entry *entry, const struct config_line *line)
{
	struct buffer *joined = &reader->joined;

	if (entry->text != joined->data) {
		buffer_reset(joined);
		buffer_add(joined, entry->text, entry->length);
	}
	buffer_add(joined, line->data, content_length(line));
	entry->text = joined->data;
	entry->length = joined->length;
}

/* config_text_entry - the next logical line */
int config_text_entry(struct config_reader *reader, struct config_entry *entry)
{
	struct config_line line;

	do {
		skip_comments(reader);
		if (!next_line(reader, &line))
			return 0;
	} while (line.kind == CONFIG_IGNORED);
	entry->text = line.data;
	entry->length = content_length(&line);
	entry->line = line.number;
	entry->start = (size_t)(line.data - reader->text);
	entry->end = entry->start + line.length;
	entry->leading_blank = line.kind == CONFIG_CONTINUATION;
	for (;;) {
		skip_comments(reader);
		if (!next_line(reader, &line))
			break;
		if (line.kind == CONFIG_START) {
			reader->next = line.data;
			reader->number = line.number;
			break;
		}
		if (line.kind == CONFIG_CONTINUATION) {
			join(reader, entry, &line);
			entry->end = (size_t)(reader->next - reader->text);
		}
	}
	return buffer_failed(&reader->joined) ? -1 : 1;
}

/* config_text_close - release what reading entries took */
void config_text_close(struct config_reader *reader)
{
	buffer_free(&reader->joined);
}

/* config_text_skip_blanks - the first position that is no blank, or end */
size_t config_text_skip_blanks(const char *text, size_t start, size_t end)
{
	while (start < end && config_is_blank(text[start]))
		start++;
	return start;
}

/* config_text_trim_end - the end without the blanks before it */
size_t config_text_trim_end(const char *text, size_t start, size_t end)
{
	while (end > start && config_is_blank(text[end - 1]))
		end--;
	return end;
}
