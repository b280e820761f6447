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
		if (!next_line(reader, &line))
			return 0;
	} while (line.kind == CONFIG_IGNORED);
	entry->text = line.data;
	entry->length = content_length(&line);
	entry->line = line.number;
	entry->start = (size_t)(line.data - reader->text);
	entry->end = entry->start + line.length;
	entry->leading_blank = line.kind == CONFIG_CONTINUATION;
	while (next_line(reader, &line)) {
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
