#define _GNU_SOURCE
#include "main_cf.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define QUOTED_MAX 60 /* bytes of a file that a message shows */

/* main_cf_open - start to read a text */
void main_cf_open(struct main_cf_reader *reader, const char *text, size_t length)
{
	config_text_open(&reader->lines, text, length);
}

/* main_cf_close - release what reading took */
void main_cf_close(struct main_cf_reader *reader)
{
	config_text_close(&reader->lines);
}

/* name_end - where the name that starts at `start` ends */
static size_t name_end(const char *text, size_t start, size_t end)
{
	while (start < end && text[start] != '=' && !config_is_blank(text[start]))
		start++;
	return start;
}

/* split - the name and the value of a logical line */
static enum main_cf_item split(struct main_cf_setting *setting)
{
	const char *text = setting->text;
	size_t end = setting->text_length;
	size_t start = config_text_skip_blanks(text, 0, end);
	size_t behind = name_end(text, start, end);
	size_t equals = config_text_skip_blanks(text, behind, end);

	setting->name = text + start;
	setting->name_length = behind - start;
	if (behind == start)
		return MAIN_CF_NO_NAME;
	if (equals == end || text[equals] != '=')
		return MAIN_CF_NO_EQUALS;
	start = config_text_skip_blanks(text, equals + 1, end);
	setting->value = text + start;
	setting->value_length = config_text_trim_end(text, start, end) - start;
	return MAIN_CF_SETTING;
}

/* main_cf_next - the next logical line and what it says */
enum main_cf_item main_cf_next(struct main_cf_reader *reader, struct main_cf_setting *setting)
{
	struct config_entry entry;
	int found = config_text_entry(&reader->lines, &entry);

	if (found <= 0)
		return found < 0 ? MAIN_CF_NO_MEMORY : MAIN_CF_END;
	setting->text = entry.text;
	setting->text_length = strnlen(entry.text, entry.length);
	setting->line = entry.line;
	setting->nul = setting->text_length < entry.length;
	return entry.leading_blank ? MAIN_CF_DROPPED : split(setting);
}

/* add_quoted - append bytes of a file to a message: one line, not too long */
static void add_quoted(struct buffer *text, const char *data, size_t length)
{
	size_t shown = length;

	if (length > QUOTED_MAX) {
		shown = QUOTED_MAX;
		while (shown > 0 && ((unsigned char)data[shown] & 0xc0) == 0x80) /* not within a UTF-8 character */
			shown--;
	}
	buffer_add_char(text, '"');
	for (size_t i = 0; i < shown; i++) {
		unsigned char c = (unsigned char)data[i];

		if (config_is_blank(data[i]))
			buffer_add_char(text, ' ');
		else
			buffer_add(text, c < ' ' || c == 0x7f ? "?" : data + i, 1);
	}
	buffer_add_string(text, shown < length ? "...\"" : "\"");
}

/* add_place - append "PATH, line N: " to a message */
static void add_place(struct buffer *text, const char *path, size_t line)
{
	char number[32], *digit = number + sizeof number - 1;

	*digit = '\0';
	do
		*--digit = (char)('0' + line % 10);
	while ((line /= 10) > 0);
	if (path != NULL) {
		buffer_add_string(text, path);
		buffer_add_string(text, ", ");
	}
	buffer_add_string(text, "line ");
	buffer_add_string(text, digit);
	buffer_add_string(text, ": ");
}

/* finish_message - a message that was put together becomes the fault, and is released; -1 */
static int finish_message(struct buffer *text, struct fault *fault)
{
	if (buffer_failed(text))
		(void)fault_set(fault, ENOMEM, "out of memory");
	else
		(void)fault_set(fault, 0, "%s", text->data);
	buffer_free(text);
	return -1;
}

/* main_cf_malformed - why a line cannot be used, and what to do */
int main_cf_malformed(struct fault *fault, const char *path, enum main_cf_item item,
		      const struct main_cf_setting *setting)
{
	struct buffer text = BUFFER_INIT;

	add_place(&text, path, setting->line);
	buffer_add_string(&text, item == MAIN_CF_NO_NAME ? "no parameter name before '=' in "
							 : "no '=' after the parameter name in ");
	add_quoted(&text, setting->text, setting->text_length);
	buffer_add_string(&text, "; write NAME = VALUE, or put '#' before the line");
	return finish_message(&text, fault);
}

/* main_cf_remark_text - a remark in words */
void main_cf_remark_text(struct buffer *text, const char *path, size_t line, enum main_cf_remark remark,
			 const char *what, size_t length)
{
	static const char *const words[][2] = {
		[MAIN_CF_DUPLICATE] = { "the name is set before; this replaces the value ", "" },
		[MAIN_CF_CONTINUATION] = { "starts with a blank but continues nothing, is not used: ", "" },
		[MAIN_CF_NUL] = { "text after a NUL byte is not used, in ", "" },
		[MAIN_CF_MULTIPLE] = { "more than one entry for ", "; all are changed" },
	};

	add_place(text, path, line);
	buffer_add_string(text, words[remark][0]);
	add_quoted(text, what, length);
	buffer_add_string(text, words[remark][1]);
}

/* An edit in the course of main_cf_apply(); the rows are sorted by name, each name once. */
struct plan {
	struct main_cf_edit *edit;
	size_t value_start, value_end; /* without blanks at both ends */
	size_t found;                  /* entries in the old text */
	size_t right;                  /* entries in the new text that say what is wanted */
};

/* compare_names - order of two names by byte */
static int compare_names(const char *a, size_t a_length, const char *b, size_t b_length)
{
	int order = memcmp(a, b, a_length < b_length ? a_length : b_length);

	return order != 0 ? order : (a_length > b_length) - (a_length < b_length);
}

/* compare_plans - by name, and of the same name the later request first */
static int compare_plans(const void *left, const void *right)
{
	const struct main_cf_edit *a = ((const struct plan *)left)->edit, *b = ((const struct plan *)right)->edit;
	int order = compare_names(a->name, a->name_length, b->name, b->name_length);

	return order != 0 ? order : (a < b) - (a > b);
}

/* find_plan - what is asked for a name, or NULL */
static struct plan *find_plan(struct plan *plan, size_t count, const char *name, size_t length)
{
	size_t low = 0, high = count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = compare_names(name, length, plan[middle].edit->name, plan[middle].edit->name_length);

		if (order == 0)
			return &plan[middle];
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return NULL;
}

/* refuse - fill in why a name or a value cannot stand in a main.cf */
static int refuse(struct fault *fault, const char *what, const char *data, size_t length, const char *reason)
{
	struct buffer text = BUFFER_INIT;

	buffer_add_string(&text, what);
	buffer_add_char(&text, ' ');
	add_quoted(&text, data, length);
	buffer_add_string(&text, ": ");
	buffer_add_string(&text, reason);
	return finish_message(&text, fault);
}

/* check_edit - can a line of a main.cf hold it? */
static int check_edit(const struct main_cf_edit *edit, struct fault *fault)
{
	const char *name = edit->name;
	size_t length = edit->name_length;

	if (length == 0)
		return fault_set(fault, 0, "a parameter name must not be empty");
	if (name[0] == '#')
		return refuse(fault, "parameter name", name, length, "must not start with '#', that makes a comment");
	if (name_end(name, 0, length) < length || memchr(name, '\0', length) != NULL)
		return refuse(fault, "parameter name", name, length, "must not contain a blank, newline, '=' or NUL");
	if (edit->operation != MAIN_CF_SET)
		return 0;
	if (memchr(edit->value, '\n', edit->value_length) != NULL)
		return refuse(fault, "value of", name, length, "must not contain a newline");
	if (memchr(edit->value, '\0', edit->value_length) != NULL)
		return refuse(fault, "value of", name, length, "must not contain a NUL byte");
	return 0;
}

/* make_plan - check the edits, sort them, keep the last of each name; the rows kept, -1: refused */
static ptrdiff_t make_plan(struct plan *plan, struct main_cf_edit *edits, size_t count, struct fault *fault)
{
	size_t kept = 0;

	for (size_t i = 0; i < count; i++) {
		struct main_cf_edit *edit = &edits[i];

		edit->multiple = 0;
		if (check_edit(edit, fault) < 0)
			return -1;
		plan[i] = (struct plan){ .edit = edit };
		if (edit->operation != MAIN_CF_SET)
			continue;
		plan[i].value_start = config_text_skip_blanks(edit->value, 0, edit->value_length);
		plan[i].value_end = config_text_trim_end(edit->value, plan[i].value_start, edit->value_length);
	}
	qsort(plan, count, sizeof *plan, compare_plans);
	for (size_t i = 0; i < count; i++) {
		const struct main_cf_edit *edit = plan[i].edit;

		if (kept == 0 || compare_names(plan[kept - 1].edit->name, plan[kept - 1].edit->name_length, edit->name,
					       edit->name_length) != 0)
			plan[kept++] = plan[i];
	}
	return (ptrdiff_t)kept;
}

/* add_setting - append the line of a plan */
static void add_setting(struct buffer *out, const struct plan *plan)
{
	buffer_add(out, plan->edit->name, plan->edit->name_length);
	buffer_add(out, " = ", 3);
	if (plan->value_end > plan->value_start)
		buffer_add(out, plan->edit->value + plan->value_start, plan->value_end - plan->value_start);
	buffer_add_char(out, '\n');
}

/* rewrite_line - append what becomes of a line that belongs to a planned entry */
static void rewrite_line(struct buffer *out, const struct plan *plan, const struct config_line *line)
{
	switch (plan->edit->operation) {
	case MAIN_CF_SET:
		if (line->kind == CONFIG_START)
			add_setting(out, plan);
		break;
	case MAIN_CF_REMOVE:
		break;
	case MAIN_CF_COMMENT:
		buffer_add_char(out, '#');
		buffer_add(out, line->data, line->length);
		break;
	}
}

/* append_missing - the settings that the old text did not have */
static void append_missing(struct buffer *out, const struct plan *plan, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (plan[i].edit->operation != MAIN_CF_SET || plan[i].found > 0)
			continue;
		if (out->length > 0 && out->data[out->length - 1] != '\n')
			buffer_add_char(out, '\n');
		add_setting(out, &plan[i]);
	}
}

/* rewrite - append the new text, line by line */
static void rewrite(const char *text, size_t length, struct plan *plan, size_t count, struct buffer *out)
{
	struct config_reader reader;
	struct config_line line;
	struct plan *current = NULL; /* of the entry that the line belongs to */

	config_text_open(&reader, text, length);
	while (config_text_line(&reader, &line)) {
		if (line.kind == CONFIG_START) {
			size_t key = strnlen(line.data, name_end(line.data, 0, line.length));

			current = find_plan(plan, count, line.data, key);
			if (current != NULL && ++current->found == 2)
				current->edit->multiple = line.number;
		}
		if (current == NULL || line.kind == CONFIG_IGNORED)
			buffer_add(out, line.data, line.length);
		else
			rewrite_line(out, current, &line);
	}
	append_missing(out, plan, count);
}

/* is_as_asked - does a line of the new text say what its plan wants? */
static bool is_as_asked(const struct plan *plan, enum main_cf_item item, const struct main_cf_setting *setting)
{
	size_t length = plan->value_end - plan->value_start;

	return plan->edit->operation == MAIN_CF_SET && item == MAIN_CF_SETTING && setting->value_length == length &&
	       (length == 0 || memcmp(setting->value, plan->edit->value + plan->value_start, length) == 0);
}

/* next_unplanned - the next logical line that no plan names; as main_cf_next().
 * Those passed over are checked where `wrong` is given */
static enum main_cf_item next_unplanned(struct main_cf_reader *reader, struct main_cf_setting *setting,
					struct plan *plan, size_t count, bool *wrong)
{
	enum main_cf_item item;

	while ((item = main_cf_next(reader, setting)) > 0 && item != MAIN_CF_DROPPED) {
		struct plan *planned = find_plan(plan, count, setting->name, setting->name_length);

		if (planned == NULL)
			break;
		if (wrong == NULL)
			continue;
		if (is_as_asked(planned, item, setting))
			planned->right++;
		else
			*wrong = true;
	}
	return item;
}

/* is_complete - does the new text have every setting as often as it should? */
static bool is_complete(const struct plan *plan, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		bool set = plan[i].edit->operation == MAIN_CF_SET;
		size_t want = !set ? 0 : plan[i].found > 0 ? plan[i].found : 1;

		if (plan[i].right != want)
			return false;
	}
	return true;
}

/* check_result - read both texts: what was asked for is there, and all else is as before */
static int check_result(const char *text, size_t length, const struct buffer *out, struct plan *plan, size_t count,
			struct fault *fault)
{
	struct main_cf_reader before, after;
	struct main_cf_setting old = { .text = "" }, new = { .text = "" };
	enum main_cf_item item, other;
	bool wrong = false;

	main_cf_open(&before, text, length);
	main_cf_open(&after, out->data, out->length);
	do {
		item = next_unplanned(&before, &old, plan, count, NULL);
		other = next_unplanned(&after, &new, plan, count, &wrong);
		if (item != other)
			wrong = true;
		else if (item > 0)
			wrong = wrong || old.nul != new.nul || old.text_length != new.text_length ||
				memcmp(old.text, new.text, old.text_length) != 0;
	} while (item > 0 && !wrong);
	main_cf_close(&before);
	main_cf_close(&after);
	if (item < 0 || other < 0)
		return fault_set(fault, ENOMEM, "out of memory");
	if (wrong || !is_complete(plan, count))
		return fault_set(fault, 0, "the edited text does not read back as intended, nothing is changed");
	return 0;
}

/* main_cf_apply - apply edits to a text */
int main_cf_apply(const char *text, size_t length, struct main_cf_edit *edits, size_t count, struct buffer *out,
		  struct fault *fault)
{
	struct plan *plan = calloc(count + 1, sizeof *plan);
	ptrdiff_t kept;
	int result = -1;

	if (plan == NULL)
		return fault_set(fault, ENOMEM, "out of memory");
	kept = make_plan(plan, edits, count, fault);
	if (kept >= 0) {
		rewrite(text, length, plan, (size_t)kept, out);
		if (buffer_failed(out))
			(void)fault_set(fault, ENOMEM, "out of memory");
		else
			result = check_result(text, length, out, plan, (size_t)kept, fault);
	}
	free(plan);
	return result;
}

/* main_cf_squeeze - a value as postconf(1) prints it */
void main_cf_squeeze(struct buffer *out, const char *value, size_t length)
{
	bool gap = false;
	size_t first = out->length;

	for (size_t i = 0; i < length; i++) {
		if (value[i] == ' ' || value[i] == '\t' || value[i] == '\r' || value[i] == '\n') {
			gap = out->length > first;
			continue;
		}
		if (gap)
			buffer_add_char(out, ' ');
		gap = false;
		buffer_add_char(out, value[i]);
	}
}
