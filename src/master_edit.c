#define _GNU_SOURCE
#include "master_edit.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "config_text.h"
#include "master_document.h"

/* A selector taken apart. */
struct selector {
	const char *name, *type, *rest; /* rest: field or parameter */
	size_t name_length, type_length, rest_length;
};

/* refuse - put where and what in front of the reason that fault holds */
static int refuse(struct fault *fault, const struct master_document *document, const struct master_item *item,
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
static bool item_matches(const struct master_item *item, const struct selector *selector)
{
	return item->name != NULL && component_matches(selector->name, selector->name_length, item->name) &&
	       component_matches(selector->type, selector->type_length, item->type);
}

/* is_service - is it the entry of that name and type, literally? */
static bool is_service(const struct master_item *item, const struct master_service *service)
{
	return item->name != NULL && strcmp(item->name, service->field[MASTER_NAME]) == 0 &&
	       strcmp(item->type, service->field[MASTER_TYPE]) == 0;
}

/* item_replace - put a service in the entry's place; the item owns it afterwards */
static int item_replace(struct master_item *item, struct master_service *service, struct fault *fault)
{
	if (!item->rewritten)
		item->inside_after = true;
	master_service_free(&item->service);
	item->service = *service;
	*service = (struct master_service)MASTER_SERVICE_INIT;
	item->rewritten = true;
	item->brace = MASTER_BRACE_GOOD;
	if (!master_item_identify(item, item->service.field[MASTER_NAME], strlen(item->service.field[MASTER_NAME]),
			   item->service.field[MASTER_TYPE], strlen(item->service.field[MASTER_TYPE])))
		return fault_memory(fault);
	return 0;
}

/* item_remove - it is gone */
static void item_remove(struct master_item *item)
{
	item->removed = true;
	master_item_forget(item);
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
static int replace_first(struct master_document *document, const struct selector *selector,
			 struct master_service *service, struct fault *fault)
{
	struct master_item *first = NULL;

	for (size_t i = 0; i < document->count; i++) {
		struct master_item *item = &document->item[i];

		if (!item_matches(item, selector) && !is_service(item, service))
			continue;
		if (first == NULL)
			first = item;
		else
			item_remove(item);
	}
	if (first == NULL)
		first = master_document_add(document);
	return first == NULL ? fault_memory(fault) : item_replace(first, service, fault);
}

/* set_service - replace or add a service */
static int set_service(struct master_document *document, const struct master_edit *edit,
		       const struct selector *selector, struct fault *fault)
{
	struct master_service service = MASTER_SERVICE_INIT;
	int result = parse_new(edit, selector, &service, fault);

	if (result == 0)
		result = replace_first(document, selector, &service, fault);
	master_service_free(&service);
	return result;
}

/* item_edit - apply an edit to an entry that it selects */
static int item_edit(const struct master_document *document, struct master_item *item, const struct master_edit *edit,
		     const struct selector *selector, struct fault *fault)
{
	enum master_field field = MASTER_FIELDS;

	switch (edit->operation) {
	case MASTER_REMOVE_SERVICE:
		item_remove(item);
		return 0;
	case MASTER_COMMENT_SERVICE:
		item->commented = true;
		master_item_forget(item);
		return 0;
	case MASTER_SET_FIELD:
		field = master_field_find(selector->rest, selector->rest_length);
		if (master_item_open(document, item, field == MASTER_COMMAND, fault) < 0)
			return -1;
		return master_service_set_field(&item->service, field, edit->value, edit->value_length, fault);
	case MASTER_SET_OVERRIDE:
		if (master_item_open(document, item, false, fault) < 0)
			return -1;
		return master_service_set_override(&item->service, selector->rest, selector->rest_length, edit->value,
						   edit->value_length, fault);
	case MASTER_REMOVE_OVERRIDE:
		if (master_item_open(document, item, false, fault) < 0)
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
static int document_edit(struct master_document *document, struct master_edit *edit, struct fault *fault)
{
	struct selector selector;
	bool matched = false;

	if (selector_split(&selector, edit, fault) < 0 || check_edit(edit, &selector, fault) < 0)
		return refuse(fault, document, NULL, edit);
	trim_value(edit);
	if (edit->operation == MASTER_SET_SERVICE)
		return set_service(document, edit, &selector, fault) < 0 ? refuse(fault, document, NULL, edit) : 0;
	for (size_t i = 0; i < document->count; i++) {
		struct master_item *item = &document->item[i];

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
static int document_identify(struct master_document *document, struct fault *fault)
{
	for (size_t i = 0; i < document->count; i++) {
		struct master_item *item = &document->item[i];
		char *const *field = item->service.field;

		if (item->rewritten && item->name != NULL &&
		    !master_item_identify(item, field[MASTER_NAME], strlen(field[MASTER_NAME]), field[MASTER_TYPE],
				   strlen(field[MASTER_TYPE])))
			return fault_memory(fault);
	}
	return 0;
}

/* document_edit_all - apply edits in order */
static int document_edit_all(struct master_document *document, struct master_edit *edits, size_t count,
			     struct fault *fault)
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

/* master_edit_apply - the edited text */
int master_edit_apply(const char *text, size_t length, const char *path, struct master_edit *edits, size_t count,
		      struct buffer *out, struct fault *fault)
{
	struct master_document document = { .text = text, .path = path == NULL ? "master.cf" : path, .length = length };
	int result = master_document_read(&document, fault);

	if (result == 0)
		result = document_edit_all(&document, edits, count, fault);
	if (result == 0)
		result = master_document_write(&document, out, fault);
	if (result == 0)
		result = master_document_check(&document, out, fault);
	master_document_free(&document);
	return result;
}
