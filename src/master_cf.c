#define _GNU_SOURCE
#include "master_cf.h"

#include <stdlib.h>
#include <string.h>

#include "config_text.h"

enum {
	LINE_WIDTH = 80, /* a folded line is shorter than this where words allow it */
};

#define FOLD "\n    "

/* words_free - release the words of a command */
static void words_free(struct master_words *words)
{
	for (size_t i = 0; i < words->count; i++)
		free(words->item[i]);
	free(words->item);
	*words = (struct master_words){ NULL, 0, 0, 0 };
}

/* words_reserve - room for more words; false: out of memory */
static bool words_reserve(struct master_words *words, size_t more)
{
	size_t capacity = words->capacity == 0 ? 8 : words->capacity;
	char **item;

	while (capacity < words->count + more)
		capacity *= 2;
	if (capacity == words->capacity)
		return true;
	item = realloc(words->item, capacity * sizeof *item);
	if (item == NULL)
		return false;
	words->item = item;
	words->capacity = capacity;
	return true;
}

/* words_add - append a copy of a word; false: out of memory */
static bool words_add(struct master_words *words, const char *text, size_t length)
{
	char *copy;

	if (!words_reserve(words, 1))
		return false;
	copy = strndup(text, length);
	if (copy == NULL)
		return false;
	words->item[words->count++] = copy;
	return true;
}

/* split_override - name=value, blanks around both gone; false: it is none */
static bool split_override(const char *text, size_t length, struct master_override *override)
{
	size_t start = config_text_skip_blanks(text, 0, length);
	size_t end = start;

	while (end < length && text[end] != '=' && !config_is_blank(text[end]))
		end++;
	override->name = text + start;
	override->name_length = end - start;
	end = config_text_skip_blanks(text, end, length);
	if (override->name_length == 0 || end == length || text[end] != '=')
		return false;
	start = config_text_skip_blanks(text, end + 1, length);
	end = config_text_trim_end(text, start, length);
	override->value = text + start;
	override->value_length = end - start;
	return true;
}

/* override_word - the word for name=value; NULL: out of memory */
static char *override_word(const struct master_override *override)
{
	char *word = malloc(override->name_length + override->value_length + 2);

	if (word != NULL) {
		memcpy(word, override->name, override->name_length);
		word[override->name_length] = '=';
		memcpy(word + override->name_length + 1, override->value, override->value_length);
		word[override->name_length + 1 + override->value_length] = '\0';
	}
	return word;
}

/* add_option_value - append what follows -o, without the blanks that braces allow around name and value */
static bool add_option_value(struct master_words *words, const char *text, size_t length, bool braced)
{
	struct master_override override;
	char *word;
	bool added;

	if (!braced || !split_override(text, length, &override))
		return words_add(words, text, length);
	word = override_word(&override);
	added = word != NULL && words_add(words, word, strlen(word));
	free(word);
	return added;
}

/* The words of a command that is being read. */
struct command_reader {
	const char *at, *end;
	enum master_brace brace; /* the first brace fault */
};

/* next_argument - the next word, braces taken off and their faults noted */
static bool next_argument(struct command_reader *reader, struct master_word *word, bool *braced)
{
	enum master_brace brace;

	if (!master_word_next(&reader->at, reader->end, word))
		return false;
	*braced = word->text[0] == '{';
	brace = master_word_strip(word);
	if (reader->brace == MASTER_BRACE_GOOD)
		reader->brace = brace;
	return true;
}

/* is_option - is it one, and not what ends them? */
static bool is_option(const struct master_word *word)
{
	return word->length > 1 && word->text[0] == '-' && !(word->length == 2 && word->text[1] == '-');
}

/* add_option - append an option word in normal form, with the value of its -o */
static bool add_option(struct master_words *words, struct command_reader *reader, const struct master_word *word,
		       bool braced)
{
	const char *o = memchr(word->text + 1, 'o', word->length - 1);
	struct master_word value;

	if (o == NULL)
		return words_add(words, word->text, word->length);
	if (o > word->text + 1 && !words_add(words, word->text, (size_t)(o - word->text)))
		return false;
	if (!words_add(words, "-o", 2))
		return false;
	value = (struct master_word){ o + 1, (size_t)(word->text + word->length - (o + 1)) };
	if (value.length == 0 && !next_argument(reader, &value, &braced))
		return true;
	return add_option_value(words, value.text, value.length, braced);
}

/* read_command - split a command into its words; false: out of memory */
static bool read_command(struct master_words *words, struct command_reader *reader)
{
	struct master_word word;
	bool braced = false, in_options = true;

	if (!master_word_next(&reader->at, reader->end, &word) || !words_add(words, word.text, word.length))
		return false;
	words->options = words->count;
	while (next_argument(reader, &word, &braced)) {
		in_options = in_options && is_option(&word);
		if (in_options ? !add_option(words, reader, &word, braced) : !words_add(words, word.text, word.length))
			return false;
		if (in_options)
			words->options = words->count;
	}
	return true;
}

/* read_fields - the seven fields before the command */
static int read_fields(struct master_service *service, const char **at, const char *end, struct fault *fault)
{
	struct master_word word;

	for (enum master_field field = MASTER_NAME; field < MASTER_COMMAND; field++) {
		if (!master_word_next(at, end, &word))
			return fault_set(fault, 0, "only %d of the %d fields of a service (%s is missing)", (int)field,
					 (int)MASTER_FIELDS, master_field_name(field));
		if (field != MASTER_NAME && master_field_check(field, word.text, word.length, fault) < 0)
			return -1;
		service->field[field] = strndup(word.text, word.length);
		if (service->field[field] == NULL)
			return fault_memory(fault);
	}
	return 0;
}

/* has_word - is there anything but separators? */
static bool has_word(const char *at, const char *end)
{
	struct master_word word;

	return master_word_next(&at, end, &word);
}

/* master_service_parse - read a logical line */
int master_service_parse(struct master_service *service, const char *text, size_t length, enum master_brace *brace,
			 struct fault *fault)
{
	const char *end = text + strnlen(text, length);
	struct master_service fresh = MASTER_SERVICE_INIT;
	struct command_reader reader = { text, end, MASTER_BRACE_GOOD };

	if (read_fields(&fresh, &reader.at, end, fault) < 0)
		goto failed;
	if (!has_word(reader.at, end)) {
		fault_set(fault, 0, "only %d of the %d fields of a service (%s is missing)", (int)MASTER_COMMAND,
			  (int)MASTER_FIELDS, master_field_name(MASTER_COMMAND));
		goto failed;
	}
	if (!read_command(&fresh.words, &reader)) {
		fault_memory(fault);
		goto failed;
	}
	*brace = reader.brace;
	*service = fresh;
	return 0;
failed:
	master_service_free(&fresh);
	return -1;
}

/* master_service_free - release an entry */
void master_service_free(struct master_service *service)
{
	for (enum master_field field = MASTER_NAME; field < MASTER_COMMAND; field++)
		free(service->field[field]);
	words_free(&service->words);
	*service = (struct master_service)MASTER_SERVICE_INIT;
}

/* is_override - do the words at `at` read "-o" and a value? */
static bool is_override(const struct master_words *words, size_t at)
{
	return at + 1 < words->options && strcmp(words->item[at], "-o") == 0;
}

/* same_override - is it the same setting, whatever the blanks around its parts? */
static bool same_override(const char *a, const char *b)
{
	struct master_override x, y;

	return split_override(a, strlen(a), &x) && split_override(b, strlen(b), &y) && x.name_length == y.name_length &&
	       memcmp(x.name, y.name, x.name_length) == 0 && x.value_length == y.value_length &&
	       memcmp(x.value, y.value, x.value_length) == 0;
}

/* words_equal - do two commands mean the same? */
static bool words_equal(const struct master_words *a, const struct master_words *b)
{
	if (a->count != b->count || a->options != b->options)
		return false;
	for (size_t i = 0; i < a->count; i++) {
		if (strcmp(a->item[i], b->item[i]) == 0)
			continue;
		if (i == 0 || !is_override(a, i - 1) || !same_override(a->item[i], b->item[i]))
			return false;
	}
	return true;
}

/* master_service_equal - do they mean the same to Postfix? */
bool master_service_equal(const struct master_service *a, const struct master_service *b)
{
	for (enum master_field field = MASTER_NAME; field < MASTER_COMMAND; field++) {
		if (strcmp(a->field[field], b->field[field]) != 0)
			return false;
	}
	return words_equal(&a->words, &b->words);
}

/* set_command - put a command in the place of the one there is */
static int set_command(struct master_service *service, const char *value, size_t length, struct fault *fault)
{
	struct master_words fresh = { NULL, 0, 0, 0 };
	struct command_reader reader = { value, value + length, MASTER_BRACE_GOOD };

	if (!has_word(value, value + length))
		return fault_set(fault, 0, "command field \"\": must be a program and its arguments");
	if (!master_word_balanced(value, length))
		return fault_set(fault, 0, "command field: a { is not closed");
	if (!read_command(&fresh, &reader)) {
		words_free(&fresh);
		return fault_memory(fault);
	}
	if (reader.brace != MASTER_BRACE_GOOD) {
		words_free(&fresh);
		return fault_set(fault, 0, "command field: text follows the } of an argument");
	}
	words_free(&service->words);
	service->words = fresh;
	return 0;
}

/* master_service_set_field - set a field, the command too */
int master_service_set_field(struct master_service *service, enum master_field field, const char *value, size_t length,
			     struct fault *fault)
{
	char *copy;

	if (field == MASTER_COMMAND)
		return set_command(service, value, length, fault);
	if (master_field_check(field, value, length, fault) < 0)
		return -1;
	copy = strndup(value, length);
	if (copy == NULL)
		return fault_memory(fault);
	free(service->field[field]);
	service->field[field] = copy;
	return 0;
}

/* names_override - do the words at `at` set this name? */
static bool names_override(const struct master_words *words, size_t at, const char *name, size_t length)
{
	struct master_override override;

	return is_override(words, at) && split_override(words->item[at + 1], strlen(words->item[at + 1]), &override) &&
	       override.name_length == length && memcmp(override.name, name, length) == 0;
}

/* option_step - from an option word to the next option */
static size_t option_step(const struct master_words *words, size_t at)
{
	return is_override(words, at) ? 2 : 1;
}

/* words_insert - put "-o", word at a position; false: out of memory. On success it owns the word. */
static bool words_insert(struct master_words *words, size_t at, char *word)
{
	char *option = strdup("-o");

	if (option == NULL || !words_reserve(words, 2)) {
		free(option);
		return false;
	}
	memmove(words->item + at + 2, words->item + at, (words->count - at) * sizeof *words->item);
	words->item[at] = option;
	words->item[at + 1] = word;
	words->count += 2;
	words->options += 2;
	return true;
}

/* dangling - does the last option lack its value? */
static bool dangling(const struct master_words *words)
{
	size_t at = 1, last = 0;

	while (at < words->options) {
		last = at;
		at += option_step(words, at);
	}
	return last != 0 && last + 1 == words->options && strcmp(words->item[last], "-o") == 0;
}

/* replace_overrides - give every -o of that name a copy of word; -1: out of memory, else how many there were */
static int replace_overrides(struct master_words *words, const struct master_override *override)
{
	int found = 0;

	for (size_t at = 1; at < words->options; at += option_step(words, at)) {
		char *word;

		if (!names_override(words, at, override->name, override->name_length))
			continue;
		word = override_word(override);
		if (word == NULL)
			return -1;
		free(words->item[at + 1]);
		words->item[at + 1] = word;
		found = 1;
	}
	return found;
}

/* master_service_set_override - postconf -Pe */
int master_service_set_override(struct master_service *service, const char *name, size_t name_length, const char *value,
				size_t value_length, struct fault *fault)
{
	struct master_override override = { name, value, name_length, value_length };
	int found = replace_overrides(&service->words, &override);
	char *word;

	if (found < 0)
		return fault_memory(fault);
	if (found > 0)
		return 0;
	if (dangling(&service->words))
		return fault_set(fault, 0, "the command's last -o has no value, another -o would become it");
	word = override_word(&override);
	if (word == NULL || !words_insert(&service->words, service->words.options, word)) {
		free(word);
		return fault_memory(fault);
	}
	return 0;
}

/* master_service_remove_override - postconf -PX */
void master_service_remove_override(struct master_service *service, const char *name, size_t name_length)
{
	struct master_words *words = &service->words;
	size_t at = 1;

	while (at < words->options) {
		if (!names_override(words, at, name, name_length)) {
			at += option_step(words, at);
			continue;
		}
		free(words->item[at]);
		free(words->item[at + 1]);
		memmove(words->item + at, words->item + at + 2, (words->count - at - 2) * sizeof *words->item);
		words->count -= 2;
		words->options -= 2;
	}
}

/* master_service_next_override - walk over the -o name=value */
bool master_service_next_override(const struct master_service *service, size_t *position,
				  struct master_override *override)
{
	const struct master_words *words = &service->words;
	size_t at = *position == 0 ? 1 : *position;

	while (at < words->options) {
		size_t value = at + 1;
		bool found = is_override(words, at);

		at += option_step(words, at);
		*position = at;
		if (found && split_override(words->item[value], strlen(words->item[value]), override))
			return true;
	}
	return false;
}

/* write_word - append word number i of the command as an entry holds it */
static void write_word(const struct master_words *words, size_t i, bool value, struct buffer *out)
{
	enum master_style style = value || i > words->options ? MASTER_BRACE_BLANKS : MASTER_PLAIN_FIRST;

	if (i == 0)
		buffer_add_string(out, words->item[0]);
	else
		master_word_write(out, words->item[i], strlen(words->item[i]), style);
}

/* starts_comment - would the words from `start` on, at the start of a line, be taken for a comment or a blank line? */
static bool starts_comment(const struct buffer *out, size_t start)
{
	size_t at = config_text_skip_blanks(out->data, start, out->length);

	return at == out->length || out->data[at] == '#';
}

/* Where a folding writer stands. */
struct folder {
	struct buffer *out;
	struct buffer word; /* the next word, as it is written */
	size_t measure;     /* its length as postconf counts it: without braces */
	size_t line_start;  /* in out */
	bool after_override;
	enum master_layout layout;
};

/* fold_word - append a blank or a line break, and the word */
static void fold_word(struct folder *folder, bool own_line)
{
	struct buffer *out = folder->out, *word = &folder->word;
	size_t width = out->length - folder->line_start + 1 + folder->measure;

	if (folder->layout == MASTER_FOLDED && (own_line || folder->after_override || width >= LINE_WIDTH) &&
	    !starts_comment(word, 0)) {
		buffer_add_string(out, FOLD);
		folder->line_start = out->length - strlen(FOLD) + 1;
	} else {
		buffer_add_char(out, ' ');
	}
	buffer_add(out, word->data, word->length);
	folder->after_override = own_line;
	buffer_reset(word);
}

/* write_command - append the words of a command; the program stays where the fields end */
static void write_command(const struct master_words *words, enum master_layout layout, struct buffer *out,
			  size_t line_start)
{
	struct folder folder = { out, BUFFER_INIT, 0, line_start, false, layout };

	write_word(words, 0, false, out);
	for (size_t i = 1; i < words->count; i++) {
		bool override = is_override(words, i);

		folder.measure = strlen(words->item[i]);
		write_word(words, i, false, &folder.word);
		if (override) {
			buffer_add_char(&folder.word, ' ');
			write_word(words, ++i, true, &folder.word);
		}
		fold_word(&folder, override);
	}
	if (buffer_failed(&folder.word))
		out->failed = true;
	buffer_free(&folder.word);
}

/* write_column - blanks up to the column of a field, one at least */
static void write_column(enum master_field field, size_t line_start, struct buffer *out)
{
	static const char blanks[] = "                ";
	size_t column = out->length - line_start;
	size_t start = master_field_column(field);
	size_t pad = column < start ? start - column : (size_t)(field != MASTER_NAME);

	buffer_add(out, blanks, pad);
}

/* master_service_write - append the entry */
void master_service_write(const struct master_service *service, enum master_layout layout, struct buffer *out)
{
	size_t line_start = out->length;

	for (enum master_field field = MASTER_NAME; field < MASTER_COMMAND; field++) {
		write_column(field, line_start, out);
		buffer_add_string(out, service->field[field]);
	}
	write_column(MASTER_COMMAND, line_start, out);
	write_command(&service->words, layout, out, line_start);
}

/* master_service_write_command - append the command alone */
void master_service_write_command(const struct master_service *service, struct buffer *out)
{
	write_command(&service->words, MASTER_ONE_LINE, out, out->length);
}
