#define _GNU_SOURCE
#include "master_word.h"

#include <string.h>

#include "config_text.h"

/* master_word_next - split off a word, braces observed */
bool master_word_next(const char **at, const char *end, struct master_word *word)
{
	const char *p = *at;
	size_t level = 0;

	while (p < end && master_word_separator(*p))
		p++;
	word->text = p;
	for (; p < end && (level > 0 || !master_word_separator(*p)); p++) {
		if (*p == '{')
			level++;
		else if (*p == '}' && level > 0)
			level--;
	}
	word->length = (size_t)(p - word->text);
	*at = p;
	return word->length > 0;
}

/* closing - position of the '}' that closes the '{' a text starts with, or its length */
static size_t closing(const char *text, size_t length)
{
	size_t level = 0;

	for (size_t i = 0; i < length; i++) {
		if (text[i] == '{')
			level++;
		else if (text[i] == '}' && --level == 0)
			return i;
	}
	return length;
}

/* master_word_strip - what the braces hold */
enum master_brace master_word_strip(struct master_word *word)
{
	enum master_brace result = MASTER_BRACE_GOOD;
	size_t start, end;

	if (word->length == 0 || word->text[0] != '{')
		return result;
	end = closing(word->text, word->length);
	if (end == word->length)
		result = MASTER_BRACE_OPEN;
	else if (end + 1 < word->length)
		result = MASTER_BRACE_REST;
	start = config_text_skip_blanks(word->text, 1, end);
	end = config_text_trim_end(word->text, start, end);
	word->text += start;
	word->length = end - start;
	return result;
}

/* master_word_balanced - does no '{' stay open? */
bool master_word_balanced(const char *text, size_t length)
{
	size_t level = 0;

	for (size_t i = 0; i < length; i++) {
		if (text[i] == '{')
			level++;
		else if (text[i] == '}' && level > 0)
			level--;
	}
	return level == 0;
}

/* reads_back - does a written form give the one word it stands for? */
static bool reads_back(const char *form, size_t form_length, const char *text, size_t length)
{
	const char *at = form;
	struct master_word word;

	return master_word_next(&at, form + form_length, &word) && word.text == form && word.length == form_length &&
	       master_word_strip(&word) == MASTER_BRACE_GOOD && word.length == length &&
	       memcmp(word.text, text, length) == 0;
}

/* write_braced - append a word in braces; false, and nothing appended: it would not read back */
static bool write_braced(struct buffer *out, const char *text, size_t length)
{
	size_t start = out->length;

	buffer_add_char(out, '{');
	buffer_add(out, text, length);
	buffer_add_char(out, '}');
	if (buffer_failed(out) || reads_back(out->data + start, out->length - start, text, length))
		return true;
	out->length = start;
	out->data[start] = '\0';
	return false;
}

/* has_separator - would it fall apart without braces? */
static bool has_separator(const char *text, size_t length)
{
	for (size_t i = 0; i < length; i++) {
		if (master_word_separator(text[i]))
			return true;
	}
	return false;
}

/* master_word_write - append a word in a form that reads back */
void master_word_write(struct buffer *out, const char *text, size_t length, enum master_style style)
{
	bool plain = reads_back(text, length, text, length);
	bool braces = !plain || (style == MASTER_BRACE_BLANKS && has_separator(text, length));

	if (!braces || !write_braced(out, text, length))
		buffer_add(out, text, length);
}
