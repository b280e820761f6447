#define _GNU_SOURCE
#include "master_document.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "config_text.h"

/* master_document_add - room for one more entry at the end; NULL: out of memory */
struct master_item *master_document_add(struct master_document *document)
{
	if (document->count == document->capacity) {
		size_t capacity = document->capacity == 0 ? 64 : 2 * document->capacity;
		struct master_item *item = realloc(document->item, capacity * sizeof *item);

		if (item == NULL)
			return NULL;
		document->item = item;
		document->capacity = capacity;
	}
	document->item[document->count] = (struct master_item){
		.gap = document->length,
		.start = document->length,
		.end = document->length,
		.service = MASTER_SERVICE_INIT,
	};
	return &document->item[document->count++];
}

/* master_item_forget - a name that is no longer to be selected by */
void master_item_forget(struct master_item *item)
{
	free(item->name);
	free(item->type);
	item->name = item->type = NULL;
}

/* master_item_identify - what selectors mean from now on; false: out of memory */
bool master_item_identify(struct master_item *item, const char *name, size_t name_length, const char *type,
			  size_t type_length)
{
	master_item_forget(item);
	item->name = strndup(name, name_length);
	item->type = strndup(type, type_length);
	return item->name != NULL && item->type != NULL;
}

/* master_document_free - release everything */
void master_document_free(struct master_document *document)
{
	for (size_t i = 0; i < document->count; i++) {
		master_item_forget(&document->item[i]);
		master_service_free(&document->item[i].service);
	}
	free(document->item);
}

/* document_entry - take in one logical line; false: out of memory */
static bool document_entry(struct master_document *document, const struct config_entry *entry)
{
	struct master_item *item = master_document_add(document);
	size_t length = strnlen(entry->text, entry->length);
	const char *at = entry->text;
	struct master_word name, type;

	if (item == NULL)
		return false;
	item->gap = document->tail;
	item->start = entry->start;
	item->end = document->tail = entry->end;
	item->line = entry->line;
	item->nul = length < entry->length;
	/* Postfix does not see an entry that starts with a blank; so do selectors. */
	if (entry->leading_blank || !master_word_next(&at, entry->text + length, &name) ||
	    !master_word_next(&at, entry->text + length, &type))
		return true;
	return master_item_identify(item, name.text, name.length, type.text, type.length);
}

/* master_document_read - take a text apart */
int master_document_read(struct master_document *document, struct fault *fault)
{
	struct config_reader reader;
	struct config_entry entry;
	int found;

	config_text_open(&reader, document->text, document->length);
	while ((found = config_text_entry(&reader, &entry)) > 0) {
		if (!document_entry(document, &entry)) {
			found = -1;
			break;
		}
	}
	config_text_close(&reader);
	return found < 0 ? fault_memory(fault) : 0;
}

/* reread - read an entry of the old text again; 1: found */
static int reread(const struct master_document *document, const struct master_item *item, struct config_reader *reader,
		  struct config_entry *entry)
{
	config_text_open(reader, document->text + item->start, item->end - item->start);
	return config_text_entry(reader, entry);
}

/* master_item_open - have the entry's service ready for a change; replacing: its command is about to be replaced */
int master_item_open(const struct master_document *document, struct master_item *item, bool replacing,
		     struct fault *fault)
{
	struct config_reader reader;
	struct config_entry entry;

	if (!item->rewritten) {
		int result;

		if (item->nul)
			return fault_set(fault, 0, "the entry holds a NUL byte, what follows it would be lost");
		if (reread(document, item, &reader, &entry) <= 0)
			result = fault_memory(fault);
		else
			result = master_service_parse(&item->service, entry.text, entry.length, &item->brace, fault);
		config_text_close(&reader);
		if (result < 0)
			return -1;
		item->rewritten = true;
	}
	if (replacing)
		item->brace = MASTER_BRACE_GOOD;
	if (item->brace == MASTER_BRACE_OPEN)
		return fault_set(fault, 0, "a { in the entry's command is not closed");
	if (item->brace == MASTER_BRACE_REST)
		return fault_set(fault, 0, "text that Postfix does not see follows a } in the entry's command");
	return 0;
}

/* write_inside - the comments and blank lines inside an entry, or, commented, all its lines */
static void write_inside(const struct master_document *document, const struct master_item *item, bool commented,
			 struct buffer *out)
{
	struct config_reader reader;
	struct config_line line;

	config_text_open(&reader, document->text + item->start, item->end - item->start);
	while (config_text_line(&reader, &line)) {
		if (line.kind != CONFIG_IGNORED && !commented)
			continue;
		if (line.kind != CONFIG_IGNORED)
			buffer_add_char(out, '#');
		buffer_add(out, line.data, line.length);
	}
}

/* write_service - an entry in its new layout; commented: with '#' before each of its lines */
static void write_service(const struct master_item *item, struct buffer *out)
{
	struct buffer text = BUFFER_INIT;

	if (!item->commented) {
		master_service_write(&item->service, MASTER_FOLDED, out);
		buffer_add_char(out, '\n');
		return;
	}
	master_service_write(&item->service, MASTER_FOLDED, &text);
	buffer_add_char(out, '#');
	for (size_t i = 0; i < text.length; i++) {
		buffer_add_char(out, text.data[i]);
		if (text.data[i] == '\n')
			buffer_add_char(out, '#');
	}
	buffer_add_char(out, '\n');
	out->failed = out->failed || buffer_failed(&text);
	buffer_free(&text);
}

/* write_item - an entry, as the table in the header says */
static void write_item(const struct master_document *document, const struct master_item *item, struct buffer *out)
{
	if (item->removed) {
		write_inside(document, item, false, out);
	} else if (item->rewritten) {
		if (!item->inside_after)
			write_inside(document, item, false, out);
		write_service(item, out);
		if (item->inside_after)
			write_inside(document, item, false, out);
	} else if (item->commented) {
		write_inside(document, item, true, out);
	} else {
		buffer_add(out, document->text + item->start, item->end - item->start);
	}
}

/* master_document_write - the new text */
int master_document_write(const struct master_document *document, struct buffer *out, struct fault *fault)
{
	bool tail_written = false;

	for (size_t i = 0; i <= document->count; i++) {
		const struct master_item *item = i < document->count ? &document->item[i] : NULL;

		if (!tail_written && (item == NULL || item->line == 0)) {
			buffer_add(out, document->text + document->tail, document->length - document->tail);
			tail_written = true;
		}
		if (item == NULL)
			break;
		if (item->line != 0)
			buffer_add(out, document->text + item->gap, item->start - item->gap);
		else if (!item->removed && out->length > 0 && out->data[out->length - 1] != '\n')
			buffer_add_char(out, '\n'); /* else the entry would go on the last line */
		write_item(document, item, out);
	}
	return buffer_failed(out) ? fault_memory(fault) : 0;
}

/* same_service - does an entry of the new text read as the service that was meant? -1: out of memory */
static int same_service(const struct master_item *item, const struct config_entry *entry, struct fault *fault)
{
	struct master_service service = MASTER_SERVICE_INIT;
	enum master_brace brace;
	int same;

	if (entry->leading_blank)
		return 0;
	if (master_service_parse(&service, entry->text, entry->length, &brace, fault) < 0)
		return fault->number == ENOMEM ? -1 : 0;
	same = brace == MASTER_BRACE_GOOD && master_service_equal(&item->service, &service);
	master_service_free(&service);
	return same;
}

/* same_entry - is an entry of the new text what it should be? -1: out of memory */
static int same_entry(const struct master_document *document, const struct master_item *item,
		      const struct config_entry *entry, struct fault *fault)
{
	struct config_reader reader;
	struct config_entry old;
	int same;

	if (item->rewritten)
		return same_service(item, entry, fault);
	same = reread(document, item, &reader, &old);
	if (same > 0)
		same = old.leading_blank == entry->leading_blank && old.length == entry->length &&
		       memcmp(old.text, entry->text, old.length) == 0;
	else
		same = fault_memory(fault);
	config_text_close(&reader);
	return same;
}

/* differs - the fault for a result that does not read back as it was meant */
static int differs(const struct master_document *document, const struct master_item *item, struct fault *fault)
{
	if (item == NULL)
		return fault_set(fault, 0, "%s: the edited text would read back with one entry too many",
				 document->path);
	if (item->line == 0)
		return fault_set(fault, 0, "%s: service %s/%s cannot be written so that it reads back the same",
				 document->path, item->name, item->type);
	return fault_set(fault, 0, "%s, line %zu: the entry cannot be written so that it reads back the same",
			 document->path, item->line);
}

/* master_document_check - does the new text say what was meant? */
int master_document_check(const struct master_document *document, const struct buffer *out, struct fault *fault)
{
	struct config_reader reader;
	struct config_entry entry;
	int found = 0, same = 1;

	config_text_open(&reader, out->data, out->length);
	for (size_t i = 0; i < document->count && same > 0; i++) {
		const struct master_item *item = &document->item[i];

		if (item->removed || item->commented)
			continue;
		found = config_text_entry(&reader, &entry);
		same = found > 0 ? same_entry(document, item, &entry, fault) : found;
		if (same == 0)
			same = differs(document, item, fault);
	}
	if (same > 0 && (found = config_text_entry(&reader, &entry)) > 0)
		same = differs(document, NULL, fault);
	config_text_close(&reader);
	if (found < 0)
		return fault_memory(fault);
	return same > 0 ? 0 : -1;
}
