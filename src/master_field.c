#include "master_field.h"

#include <string.h>

#include "config_text.h"
#include "master_word.h"

static bool is_service_name(const char *value, size_t length);
static bool is_service_type(const char *value, size_t length);
static bool is_flag(const char *value, size_t length);
static bool is_wakeup(const char *value, size_t length);
static bool is_limit(const char *value, size_t length);

/* Where the display puts the start of each field, and what a field may hold. */
static const struct field_rule {
	const char *name;
	size_t column;
	bool (*accepts)(const char *value, size_t length);
	const char *allowed;
} rules[MASTER_FIELDS] = {
	[MASTER_NAME] = { "service", 0, is_service_name, "one word that does not start with '#' or a blank" },
	[MASTER_TYPE] = { "type", 11, is_service_type, "inet, unix, fifo, pass or unix-dgram" },
	[MASTER_PRIVATE] = { "private", 17, is_flag, "y, n or -" },
	[MASTER_UNPRIVILEGED] = { "unprivileged", 25, is_flag, "y, n or -" },
	[MASTER_CHROOT] = { "chroot", 33, is_flag, "y, n or -" },
	[MASTER_WAKEUP] = { "wakeup", 41, is_wakeup, "seconds, perhaps with ? behind them, or -" },
	[MASTER_PROCESS_LIMIT] = { "process_limit", 49, is_limit, "a number or -" },
	[MASTER_COMMAND] = { "command", 57, NULL, NULL },
};

/* same_bytes - are a text and a string equal? */
static bool same_bytes(const char *text, size_t length, const char *string)
{
	return strlen(string) == length && memcmp(text, string, length) == 0;
}

/* is_service_name - a word that can stand first in a line */
static bool is_service_name(const char *value, size_t length)
{
	const char *at = value;
	struct master_word word;

	return length > 0 && value[0] != '#' && !config_is_blank(value[0]) &&
	       master_word_next(&at, value + length, &word) && word.length == length &&
	       master_word_balanced(value, length);
}

/* is_service_type - one of the kinds of sockets */
static bool is_service_type(const char *value, size_t length)
{
	static const char *const types[] = { "inet", "unix", "fifo", "pass", "unix-dgram" };

	for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
		if (same_bytes(value, length, types[i]))
			return true;
	}
	return false;
}

/* is_flag - yes, no, default */
static bool is_flag(const char *value, size_t length)
{
	return length == 1 && (value[0] == 'y' || value[0] == 'n' || value[0] == '-');
}

/* all_digits - nothing but digits? */
static bool all_digits(const char *value, size_t length)
{
	for (size_t i = 0; i < length; i++) {
		if (value[i] < '0' || value[i] > '9')
			return false;
	}
	return true;
}

/* is_wakeup - seconds, or default; a '?' alone is what postconf lets pass too */
static bool is_wakeup(const char *value, size_t length)
{
	if (length > 0 && value[length - 1] == '?')
		return all_digits(value, length - 1);
	return is_limit(value, length);
}

/* is_limit - a number, or default */
static bool is_limit(const char *value, size_t length)
{
	return same_bytes(value, length, "-") || (length > 0 && all_digits(value, length));
}

/* master_field_name - as in postconf -F */
const char *master_field_name(enum master_field field)
{
	return rules[field].name;
}

/* master_field_column - where the display puts it */
size_t master_field_column(enum master_field field)
{
	return rules[field].column;
}

/* master_field_find - by name */
enum master_field master_field_find(const char *name, size_t length)
{
	enum master_field field = MASTER_NAME;

	while (field < MASTER_FIELDS && !same_bytes(name, length, rules[field].name))
		field++;
	return field;
}

/* master_field_check - may the field hold this? */
int master_field_check(enum master_field field, const char *value, size_t length, struct fault *fault)
{
	if (rules[field].accepts(value, length))
		return 0;
	return fault_set(fault, 0, "%s field \"%.*s\": must be %s", rules[field].name, length > 80 ? 80 : (int)length,
			 value, rules[field].allowed);
}
