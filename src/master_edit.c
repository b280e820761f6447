#define _GNU_SOURCE
#include "master_edit.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "config_text.h"
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
struct item {
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
struct document {
	const char *text, *path;
	size_t length;
	struct item *item;
	size_t count, capacity;
	size_t tail; /* start of the comments and blank lines behind the last entry */
};

/* A selector taken apart. */
struct selector {
	const char *name, *type, *rest; /* rest: field or parameter */
	size_t name_length, type_length, rest_length;
};

/* no_memory - the fault for a failed allocation */
static int no_memory(struct fault *fault)
{
	return fault_set(fault, ENOMEM, "%s", strerror(ENOMEM));
}

/* refuse - put where and what in front of the reason that fault holds */
static int refuse(struct fault *fault, const struct document *document, const struct item *item,
		  const struct master_edit *edit)
{
	int shown = edit->selector_length > 200 ? 200 : (int)edit->selector_length;
	struct fault reason = *fault;

	if (reason.number == ENOMEM)
		return -1;
	if (item == NULL || item->line == 0)
		return fault_set(fault, reason.number, "%s: %.*s: %s", document->path, shown, edit->selector,
				 reason.text);
	return fault_set(fault, reason.number, "%s, line %zu: %.*s: %s", document->path, item->line, shown,
			 edit->selector, reason.text);
}

/* document_add - room for one more entry at the end; NULL: out of memory */
static struct item *document_add(struct document *document)
{
	if (document->count == document->capacity) {
		size_t capacity = document->capacity == 0 ? 64 : 2 * document->capacity;
		struct item *item = realloc(document->item, capacity * sizeof *item);

		if (item == NULL)
			return NULL;
		document->item = item;
		document->capacity = capacity;
	}
	document->item[document->count] = (struct item){
		.gap = document->length,
		.start = document->length,
		.end = document->length,
		.service = MASTER_SERVICE_INIT,
	};
	return &document->item[document->count++];
}

/* item_forget - a name that is no longer to be selected by */
static void item_forget(struct item *item)
{
	free(item->name);
	free(item->type);
	item->name = item->type = NULL;
}

/* item_identify - what selectors mean from now on; false: out of memory */
static bool item_identify(struct item *item, const char *name, size_t name_length, const char *type,
			  size_t type_length)
{
	item_forget(item);
	item->name = strndup(name, name_length);
	item->type = strndup(type, type_length);
	return item->name != NULL && item->type != NULL;
}

/* document_free - release everything */
static void document_free(struct document *document)
{
	for (size_t i = 0; i < document->count; i++) {
		item_forget(&document->item[i]);
		master_service_free(&document->item[i].service);
	}
	free(document->item);
}

/* document_entry - take in one logical line; false: out of memory */
static bool document_entry(struct document *document, const struct config_entry *entry)
{
	struct item *item = document_add(document);
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
	return item_identify(item, name.text, name.length, type.text, type.length);
}

/* document_read - take a text apart */
static int document_read(struct document *document, struct fault *fault)
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
	return found < 0 ? no_memory(fault) : 0;
}

/* reread - read an entry of the old text again; 1: found */
static int reread(const struct document *document, const struct item *item, struct config_reader *reader,
		  struct config_entry *entry)
{
	config_text_open(reader, document->text + item->start, item->end - item->start);
	return config_text_entry(reader, entry);
}

/* item_open - have the entry's service ready for a change; replacing: its command is about to be replaced */
static int item_open(const struct document *document, struct item *item, bool replacing, struct fault *fault)
{
	struct config_reader reader;
	struct config_entry entry;

	if (!item->rewritten) {
		int result;

		if (item->nul)
			return fault_set(fault, 0, "the entry holds a NUL byte, what follows it would be lost");
		if (reread(document, item, &reader, &entry) <= 0)
			result = no_memory(fault);
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

/* split_last - cut the last /component off a text; false: there is none, or an empty one */
static bool split_last(const char *text, size_t *length, const char **last, size_t *last_length)
{
	const char *slash = memrchr(text, '/', *length);

	if (slash == NULL)
		return false;
	*last = slash + 1;
	*last_length = *length - (size_t)(slash + 1 - text);
	*length = (size_t)(slash - text);
	return *length > 0 && *last_length > 0;
}

/* selector_split - name/type or name/type/rest */
static int selector_split(struct selector *selector, const struct master_edit *edit, struct fault *fault)
{
	bool with_rest = edit->operation >= MASTER_SET_FIELD;
	size_t length = edit->selector_length;

	*selector = (struct selector){ .name = edit->selector };
	if (with_rest && !split_last(edit->selector, &length, &selector->rest, &selector->rest_length))
		return fault_set(fault, 0, "must be service/type/%s",
				 edit->operation == MASTER_SET_FIELD ? "field" : "parameter");
	if (!split_last(edit->selector, &length, &selector->type, &selector->type_length))
		return fault_set(fault, 0, with_rest ? "must be service/type/%s" : "must be service/type",
				 edit->operation == MASTER_SET_FIELD ? "field" : "parameter");
	selector->name_length = length;
	return 0;
}

/* component_matches - is the pattern "*", or the text? */
static bool component_matches(const char *pattern, size_t length, const char *text)
{
	if (pattern == NULL)
		return false;
	if (length == 1 && pattern[0] == '*')
		return true;
	return strlen(text) == length && memcmp(text, pattern, length) == 0;
}

/* item_matches - does a selector mean this entry? */
static bool item_matches(const struct item *item, const struct selector *selector)
{
	return item->name != NULL && component_matches(selector->name, selector->name_length, item->name) &&
	       component_matches(selector->type, selector->type_length, item->type);
}

/* is_service - is it the entry of that name and type, literally? */
static bool is_service(const struct item *item, const struct master_service *service)
{
	return item->name != NULL && strcmp(item->name, service->field[MASTER_NAME]) == 0 &&
	       strcmp(item->type, service->field[MASTER_TYPE]) == 0;
}

/* item_replace - put a service in the entry's place; the item owns it afterwards */
static int item_replace(struct item *item, struct master_service *service, struct fault *fault)
{
	if (!item->rewritten)
		item->inside_after = true;
	master_service_free(&item->service);
	item->service = *service;
	*service = (struct master_service)MASTER_SERVICE_INIT;
	item->rewritten = true;
	item->brace = MASTER_BRACE_GOOD;
	if (!item_identify(item, item->service.field[MASTER_NAME], strlen(item->service.field[MASTER_NAME]),
			   item->service.field[MASTER_TYPE], strlen(item->service.field[MASTER_TYPE])))
		return no_memory(fault);
	return 0;
}

/* item_remove - it is gone */
static void item_remove(struct item *item)
{
	item->removed = true;
	item_forget(item);
}

/* parse_new - the entry that an edit gives */
static int parse_new(const struct master_edit *edit, const struct selector *selector, struct master_service *service,
		     struct fault *fault)
{
	enum master_brace brace;
	const char *name;

	if ((selector->name_length == 1 && selector->name[0] == '*') ||
	    (selector->type_length == 1 && selector->type[0] == '*'))
		return fault_set(fault, 0, "an entry replaces one service, not all that \"*\" matches");
	if (master_field_check(MASTER_TYPE, selector->type, selector->type_length, fault) < 0 ||
	    master_service_parse(service, edit->value, edit->value_length, &brace, fault) < 0)
		return -1;
	name = service->field[MASTER_NAME];
	if (master_field_check(MASTER_NAME, name, strlen(name), fault) < 0)
		return -1;
	if (brace == MASTER_BRACE_REST)
		return fault_set(fault, 0, "command field: text follows the } of an argument");
	if (!master_word_balanced(edit->value, edit->value_length))
		return fault_set(fault, 0, "command field: a { is not closed");
	return 0;
}

/* replace_first - put a service in the place of the first entry that the selector or it names, drop the others */
static int replace_first(struct document *document, const struct selector *selector, struct master_service *service,
			 struct fault *fault)
{
	struct item *first = NULL;

	for (size_t i = 0; i < document->count; i++) {
		struct item *item = &document->item[i];

		if (!item_matches(item, selector) && !is_service(item, service))
			continue;
		if (first == NULL)
			first = item;
		else
			item_remove(item);
	}
	if (first == NULL)
		first = document_add(document);
	return first == NULL ? no_memory(fault) : item_replace(first, service, fault);
}

/* set_service - replace or add a service */
static int set_service(struct document *document, const struct master_edit *edit, const struct selector *selector,
		       struct fault *fault)
{
	struct master_service service = MASTER_SERVICE_INIT;
	int result = parse_new(edit, selector, &service, fault);

	if (result == 0)
		result = replace_first(document, selector, &service, fault);
	master_service_free(&service);
	return result;
}

/* item_edit - apply an edit to an entry that it selects */
static int item_edit(const struct document *document, struct item *item, const struct master_edit *edit,
		     const struct selector *selector, struct fault *fault)
{
	enum master_field field = MASTER_FIELDS;

	switch (edit->operation) {
	case MASTER_REMOVE_SERVICE:
		item_remove(item);
		return 0;
	case MASTER_COMMENT_SERVICE:
		item->commented = true;
		item_forget(item);
		return 0;
	case MASTER_SET_FIELD:
		field = master_field_find(selector->rest, selector->rest_length);
		if (item_open(document, item, field == MASTER_COMMAND, fault) < 0)
			return -1;
		return master_service_set_field(&item->service, field, edit->value, edit->value_length, fault);
	case MASTER_SET_OVERRIDE:
		if (item_open(document, item, false, fault) < 0)
			return -1;
		return master_service_set_override(&item->service, selector->rest, selector->rest_length, edit->value,
						   edit->value_length, fault);
	case MASTER_REMOVE_OVERRIDE:
		if (item_open(document, item, false, fault) < 0)
			return -1;
		master_service_remove_override(&item->service, selector->rest, selector->rest_length);
		return 0;
	case MASTER_SET_SERVICE:
		break;
	}
	return fault_set(fault, EINVAL, "%s", strerror(EINVAL));
}

/* check_parameter - can an -o hold this? */
static int check_parameter(const struct master_edit *edit, const struct selector *selector, struct fault *fault)
{
	if (selector->rest_length == 1 && selector->rest[0] == '*')
		return fault_set(fault, 0, "\"*\" is no parameter");
	if (edit->operation == MASTER_REMOVE_OVERRIDE)
		return 0;
	for (size_t i = 0; i < selector->rest_length; i++) {
		if (config_is_blank(selector->rest[i]) || selector->rest[i] == '=')
			return fault_set(fault, 0, "a parameter name holds no blank and no '='");
	}
	if (!master_word_balanced(edit->value, edit->value_length))
		return fault_set(fault, 0, "a { in the value is not closed");
	return 0;
}

/* check_edit - what can be told about an edit before entries are looked at */
static int check_edit(const struct master_edit *edit, const struct selector *selector, struct fault *fault)
{
	if (memchr(edit->selector, '\n', edit->selector_length) != NULL ||
	    memchr(edit->selector, '\0', edit->selector_length) != NULL)
		return fault_set(fault, 0, "a selector holds no newline and no NUL");
	if (edit->value_length > 0 && (memchr(edit->value, '\n', edit->value_length) != NULL ||
				       memchr(edit->value, '\0', edit->value_length) != NULL))
		return fault_set(fault, 0, "a value holds no newline and no NUL");
	if (edit->operation == MASTER_SET_FIELD &&
	    master_field_find(selector->rest, selector->rest_length) == MASTER_FIELDS)
		return fault_set(fault, 0, "\"%.*s\" is no field of a service",
				 selector->rest_length > 80 ? 80 : (int)selector->rest_length, selector->rest);
	if (edit->operation == MASTER_SET_OVERRIDE || edit->operation == MASTER_REMOVE_OVERRIDE)
		return check_parameter(edit, selector, fault);
	return 0;
}

/* trim_value - take the blanks off both ends of an edit's value */
static void trim_value(struct master_edit *edit)
{
	size_t start, end;

	if (edit->value_length == 0)
		return;
	start = config_text_skip_blanks(edit->value, 0, edit->value_length);
	end = config_text_trim_end(edit->value, start, edit->value_length);
	edit->value += start;
	edit->value_length = end - start;
}

/* document_edit - apply one edit */
static int document_edit(struct document *document, struct master_edit *edit, struct fault *fault)
{
	struct selector selector;
	bool matched = false;

	if (selector_split(&selector, edit, fault) < 0 || check_edit(edit, &selector, fault) < 0)
		return refuse(fault, document, NULL, edit);
	trim_value(edit);
	if (edit->operation == MASTER_SET_SERVICE)
		return set_service(document, edit, &selector, fault) < 0 ? refuse(fault, document, NULL, edit) : 0;
	for (size_t i = 0; i < document->count; i++) {
		struct item *item = &document->item[i];

		if (!item_matches(item, &selector))
			continue;
		matched = true;
		if (item_edit(document, item, edit, &selector, fault) < 0)
			return refuse(fault, document, item, edit);
	}
	edit->unmatched = !matched;
	return 0;
}

/* document_identify - after a series of field edits: selectors mean the new names and types */
static int document_identify(struct document *document, struct fault *fault)
{
	for (size_t i = 0; i < document->count; i++) {
		struct item *item = &document->item[i];
		char *const *field = item->service.field;

		if (item->rewritten && item->name != NULL &&
		    !item_identify(item, field[MASTER_NAME], strlen(field[MASTER_NAME]), field[MASTER_TYPE],
				   strlen(field[MASTER_TYPE])))
			return no_memory(fault);
	}
	return 0;
}

/* document_edit_all - apply edits in order */
static int document_edit_all(struct document *document, struct master_edit *edits, size_t count, struct fault *fault)
{
	for (size_t i = 0; i < count; i++) {
		bool series_ends = i > 0 && edits[i - 1].operation == MASTER_SET_FIELD &&
				   edits[i].operation != MASTER_SET_FIELD;

		edits[i].unmatched = false;
		if (series_ends && document_identify(document, fault) < 0)
			return -1;
		if (document_edit(document, &edits[i], fault) < 0)
			return -1;
	}
	return 0;
}

/* write_inside - the comments and blank lines inside an entry, or, commented, all its lines */
static void write_inside(const struct document *document, const struct item *item, bool commented, struct buffer *out)
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
static void write_service(const struct item *item, struct buffer *out)
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

/* write_item - an entry, as the table at the top says */
static void write_item(const struct document *document, const struct item *item, struct buffer *out)
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

/* document_write - the new text */
static int document_write(const struct document *document, struct buffer *out, struct fault *fault)
{
	bool tail_written = false;

	for (size_t i = 0; i <= document->count; i++) {
		const struct item *item = i < document->count ? &document->item[i] : NULL;

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
	return buffer_failed(out) ? no_memory(fault) : 0;
}

/* same_service - does an entry of the new text read as the service that was meant? -1: out of memory */
static int same_service(const struct item *item, const struct config_entry *entry, struct fault *fault)
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
static int same_entry(const struct document *document, const struct item *item, const struct config_entry *entry,
		      struct fault *fault)
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
		same = no_memory(fault);
	config_text_close(&reader);
	return same;
}

/* differs - the fault for a result that does not read back as it was meant */
static int differs(const struct document *document, const struct item *item, struct fault *fault)
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

/* document_check - does the new text say what was meant? */
static int document_check(const struct document *document, const struct buffer *out, struct fault *fault)
{
	struct config_reader reader;
	struct config_entry entry;
	int found = 0, same = 1;

	config_text_open(&reader, out->data, out->length);
	for (size_t i = 0; i < document->count && same > 0; i++) {
		const struct item *item = &document->item[i];

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
		return no_memory(fault);
	return same > 0 ? 0 : -1;
}

/* master_edit_apply - the edited text */
int master_edit_apply(const char *text, size_t length, const char *path, struct master_edit *edits, size_t count,
		      struct buffer *out, struct fault *fault)
{
	struct document document = { .text = text, .path = path == NULL ? "master.cf" : path, .length = length };
	int result = document_read(&document, fault);

	if (result == 0)
		result = document_edit_all(&document, edits, count, fault);
	if (result == 0)
		result = document_write(&document, out, fault);
	if (result == 0)
		result = document_check(&document, out, fault);
	document_free(&document);
	return result;
}
