#include "expand.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

/* A piece of somebody's text. */
struct span {
	const char *data;
	size_t length;
};

/* Whose value is being expanded, and for whom. */
struct origin {
	struct span name; /* of the parameter; empty: the caller's text */
	const struct origin *up;
};

struct expansion {
	struct buffer *result;
	size_t start; /* of our part of the result */
	expand_lookup lookup;
	void *context;
	size_t lookups; /* so far */
	size_t work;    /* bytes looked at so far */
	int depth;      /* levels open, operands included */
	struct fault *fault;
};

/* Where counting starts: the caller's text, and again in each operand. */
enum { TEXT_LEVEL = 0, OPERAND_LEVEL = 0 };

enum relation { EQUAL, NOT_EQUAL, LESS, LESS_EQUAL, GREATER_EQUAL, GREATER };

/* What a bracketed expression says, before any of it is expanded. */
struct expression {
	struct span whole; /* with its "$" and brackets, for messages */
	bool is_comparison;
	struct span name;        /* otherwise: the parameter */
	struct span left, right; /* the operands */
	enum relation relation;
	bool is_level;           /* the operator ends in "level" */
	bool has_then, has_else;
	struct span then_text, else_text;
};

static int expand_span(struct expansion *x, struct span text, int level, const struct origin *origin);

/* is_blank - what may surround the parts of an expression */
static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* is_digit - independent of the locale */
static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* is_name - may this byte stand in a name that $ refers to? */
static bool is_name(char c)
{
	return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

/* take - cut the first bytes off a span */
static struct span take(struct span *from, size_t length)
{
	struct span taken = { from->data, length };

	from->data += length;
	from->length -= length;
	return taken;
}

/* take_while - cut off the first bytes that are of a kind */
static struct span take_while(struct span *from, bool (*is_kind)(char))
{
	size_t n = 0;

	while (n < from->length && is_kind(from->data[n]))
		n++;
	return take(from, n);
}

/* skip_blanks - cut off leading blanks */
static void skip_blanks(struct span *from)
{
	(void)take_while(from, is_blank);
}

/* starts_with - is this the first byte? */
static bool starts_with(struct span span, char c)
{
	return span.length > 0 && span.data[0] == c;
}

/* span_is - the same text? */
static bool span_is(struct span span, const char *text)
{
	return span.length == strlen(text) && memcmp(span.data, text, span.length) == 0;
}

/* printable - copy the beginning of a text so that it fits in a message */
static void printable(char *to, size_t size, struct span text)
{
	size_t n = 0;

	for (; n < text.length && n < size - 4; n++)
		to[n] = ((unsigned char)text.data[n] < ' ' || text.data[n] == 0x7f) ? '?' : text.data[n];
	if (n < text.length) {
		memcpy(to + n, "...", 3);
		n += 3;
	}
	to[n] = '\0';
}

/* refuse - report the expression, whose value it is in, and why */
static int refuse(const struct expansion *x, const struct origin *origin, struct span text, const char *why)
{
	char shown[100], name[100];

	printable(shown, sizeof shown, text);
	if (origin == NULL || origin->name.length == 0)
		return fault_set(x->fault, 0, "\"%s\": %s", shown, why);
	printable(name, sizeof name, origin->name);
	return fault_set(x->fault, 0, "in the value of \"%s\": \"%s\": %s", name, shown, why);
}

/* refuse_syntax - report a malformed expression, and where in it */
static int refuse_syntax(const struct expansion *x, const struct origin *origin, const struct expression *e,
			 struct span rest, const char *why)
{
	char shown[100], all[200];

	if (rest.length == 0)
		(void)snprintf(all, sizeof all, "%s, at its end", why);
	else {
		printable(shown, sizeof shown, rest);
		(void)snprintf(all, sizeof all, "%s, at \"%s\"", why, shown);
	}
	return refuse(x, origin, e->whole, all);
}

/* refuse_nesting - too deep; say so differently when a parameter leads back to itself */
static int refuse_nesting(const struct expansion *x, const struct origin *origin, struct span text)
{
	char name[100];

	for (const struct origin *a = origin; a != NULL; a = a->up)
		for (const struct origin *b = a->up; b != NULL && a->name.length > 0; b = b->up)
			if (a->name.length == b->name.length &&
			    memcmp(a->name.data, b->name.data, a->name.length) == 0) {
				printable(name, sizeof name, a->name);
				return fault_set(x->fault, 0, "the value of \"%s\" refers to itself", name);
			}
	return refuse(x, origin, text, "expressions are nested too deeply");
}

/* emit - append to the result, within its bound */
static int emit(struct expansion *x, const struct origin *origin, struct span text)
{
	if (x->result->length - x->start + text.length > EXPAND_RESULT)
		return refuse(x, origin, text, "the expanded value is longer than 16 MB");
	buffer_add(x->result, text.data, text.length);
	if (buffer_failed(x->result))
		return fault_memory(x->fault);
	return 0;
}

/* truncate_result - take back what was appended since */
static void truncate_result(struct expansion *x, size_t length)
{
	if (x->result->length > length) {
		x->result->length = length;
		x->result->data[length] = '\0';
	}
}

/* take_bracketed - cut off "{...}" or "(...)", return what is between; only this kind of bracket counts */
static bool take_bracketed(struct span *from, struct span *inside)
{
	char open = from->data[0], close = open == '{' ? '}' : ')';
	size_t nesting = 0;

	for (size_t n = 0; n < from->length; n++) {
		if (from->data[n] == open) {
			nesting++;
		} else if (from->data[n] == close && --nesting == 0) {
			*inside = (struct span){ from->data + 1, n - 1 };
			(void)take(from, n + 1);
			return true;
		}
	}
	return false;
}

/* take_braced - cut off "{...}", which must be there, and the blanks after it */
static int take_braced(const struct expansion *x, const struct origin *origin, const struct expression *e,
		       struct span *from, struct span *inside)
{
	if (!starts_with(*from, '{'))
		return refuse_syntax(x, origin, e, *from, "a comparison is written {a} == {b}");
	if (!take_bracketed(from, inside))
		return refuse_syntax(x, origin, e, *from, "\"{\" without its \"}\"");
	skip_blanks(from);
	return 0;
}

/* is_operator - bytes of which the operators consist */
static bool is_operator(char c)
{
	return c == '=' || c == '!' || c == '<' || c == '>';
}

/* parse_operator - "==", "<=level" and so on, and the blanks after it */
static int parse_operator(const struct expansion *x, const struct origin *origin, struct span *rest,
			  struct expression *e)
{
	static const struct {
		const char *text;
		enum relation relation;
	} known[] = {
		{ "==", EQUAL }, { "!=", NOT_EQUAL },     { "<", LESS },
		{ "<=", LESS_EQUAL }, { ">=", GREATER_EQUAL }, { ">", GREATER },
	};
	struct span all = *rest, word = take_while(rest, is_operator), suffix = take_while(rest, is_name);
	size_t n = 0;

	while (n < sizeof known / sizeof known[0] && !span_is(word, known[n].text))
		n++;
	if (n == sizeof known / sizeof known[0])
		return refuse_syntax(x, origin, e, all, "one of == != < <= >= > is missing");
	e->relation = known[n].relation;
	e->is_level = span_is(suffix, "level");
	if (suffix.length > 0 && !e->is_level)
		return refuse_syntax(x, origin, e, all, "only \"level\" may follow the operator");
	skip_blanks(rest);
	return 0;
}

/* parse_comparison - "{a} == {b}" and the blanks after it */
static int parse_comparison(const struct expansion *x, const struct origin *origin, struct span *rest,
			    struct expression *e)
{
	e->is_comparison = true;
	if (take_braced(x, origin, e, rest, &e->left) < 0 || parse_operator(x, origin, rest, e) < 0 ||
	    take_braced(x, origin, e, rest, &e->right) < 0)
		return -1;
	if (rest->length > 0 && !starts_with(*rest, '?') && !starts_with(*rest, ':'))
		return refuse_syntax(x, origin, e, *rest, "only \"?\" or \":\" may follow a comparison");
	return 0;
}

/* parse_name - "name" and the blanks after it; the name may be missing */
static int parse_name(const struct expansion *x, const struct origin *origin, struct span *rest, struct expression *e)
{
	struct span all = *rest;

	e->name = take_while(rest, is_name);
	if (starts_with(*rest, '{') && (span_is(e->name, "domain_to_ascii") || span_is(e->name, "domain_to_utf8")))
		return refuse(x, origin, e->whole, "functions are not supported");
	skip_blanks(rest);
	if (rest->length > 0 && !starts_with(*rest, '?') && !starts_with(*rest, ':'))
		return refuse_syntax(x, origin, e, all, "only letters, digits and _ may stand in a name");
	return 0;
}

/* parse_else - what follows the ":", to the end: "{text}" or text as it stands */
static int parse_else(const struct expansion *x, const struct origin *origin, struct span rest, struct expression *e)
{
	e->has_else = true;
	e->else_text = rest;
	skip_blanks(&rest);
	if (!starts_with(rest, '{'))
		return 0;
	if (take_braced(x, origin, e, &rest, &e->else_text) < 0)
		return -1;
	if (rest.length > 0)
		return refuse_syntax(x, origin, e, rest, "nothing may follow the last {text}");
	return 0;
}

/* parse_branches - "?text", ":text", "?{text}", "?{text}:{text}" or nothing */
static int parse_branches(const struct expansion *x, const struct origin *origin, struct span rest,
			  struct expression *e)
{
	if (rest.length == 0)
		return 0;
	if (take(&rest, 1).data[0] == ':')
		return parse_else(x, origin, rest, e);
	e->has_then = true;
	e->then_text = rest;
	skip_blanks(&rest);
	if (!starts_with(rest, '{'))
		return 0;
	if (take_braced(x, origin, e, &rest, &e->then_text) < 0)
		return -1;
	if (rest.length == 0)
		return 0;
	if (!starts_with(rest, ':'))
		return refuse_syntax(x, origin, e, rest, "only \":\" may follow the first {text}");
	(void)take(&rest, 1);
	return parse_else(x, origin, rest, e);
}

/* parse_bracketed - take the inside of ${...} or $(...) apart */
static int parse_bracketed(const struct expansion *x, const struct origin *origin, struct span inside,
			   struct expression *e)
{
	int rc;

	skip_blanks(&inside);
	if (starts_with(inside, '{'))
		rc = parse_comparison(x, origin, &inside, e);
	else
		rc = parse_name(x, origin, &inside, e);
	return rc < 0 ? rc : parse_branches(x, origin, inside, e);
}

/* look_up - raw value of a parameter; false: undefined */
static bool look_up(struct expansion *x, struct span name, struct span *value)
{
	x->lookups++;
	return x->lookup(x->context, name.data, name.length, &value->data, &value->length);
}

/* is_number - nothing but digits? */
static bool is_number(struct span span)
{
	for (size_t n = 0; n < span.length; n++)
		if (!is_digit(span.data[n]))
			return false;
	return span.length > 0;
}

/* parse_number - digits as a number no larger than `limit`; false: larger */
static bool parse_number(struct span digits, int64_t limit, int64_t *number)
{
	int64_t sum = 0;

	for (size_t n = 0; n < digits.length; n++) {
		int digit = digits.data[n] - '0';

		if (sum > (limit - digit) / 10)
			return false;
		sum = sum * 10 + digit;
	}
	*number = sum;
	return true;
}

/* is_level_blank - what strtol(3) skips */
static bool is_level_blank(char c)
{
	return is_blank(c) || c == '\f' || c == '\v';
}

/* parse_level_part - one number of a compatibility level; sign and leading blanks are let pass as Postfix does */
static bool parse_level_part(struct span *rest, int64_t limit, int64_t *number)
{
	struct span digits;
	bool is_negative;

	(void)take_while(rest, is_level_blank);
	is_negative = starts_with(*rest, '-');
	if (is_negative || starts_with(*rest, '+'))
		(void)take(rest, 1);
	digits = take_while(rest, is_digit);
	return digits.length > 0 && parse_number(digits, limit, number) && (!is_negative || *number == 0);
}

/* parse_level - N, N.N or N.N.N as one number that compares as the level does */
static bool parse_level(struct span text, int64_t *level)
{
	enum { PART_LIMIT = 1023 };
	const int64_t major_limit = INT64_MAX >> 20;
	int64_t major = 0, minor = 0, patch = 0;

	if (!parse_level_part(&text, major_limit, &major))
		return false;
	if (starts_with(text, '.')) {
		(void)take(&text, 1);
		if (!parse_level_part(&text, PART_LIMIT, &minor))
			return false;
	}
	if (starts_with(text, '.')) {
		(void)take(&text, 1);
		if (!parse_level_part(&text, PART_LIMIT, &patch))
			return false;
	}
	*level = major << 20 | minor << 10 | patch;
	return text.length == 0;
}

/* order_text - by bytes, the shorter first */
static int order_text(struct span a, struct span b)
{
	size_t common = a.length < b.length ? a.length : b.length;
	int order = common > 0 ? memcmp(a.data, b.data, common) : 0;

	return order != 0 ? order : (a.length > b.length) - (a.length < b.length);
}

/* order_operands - less than, equal to or greater than zero in *order */
static int order_operands(const struct expansion *x, const struct origin *origin, bool is_level, struct span left,
			  struct span right, int *order)
{
	int64_t a = 0, b = 0;

	if (is_level) {
		if (!parse_level(left, &a))
			return refuse(x, origin, left, "not a compatibility level (N, N.N or N.N.N)");
		if (!parse_level(right, &b))
			return refuse(x, origin, right, "not a compatibility level (N, N.N or N.N.N)");
	} else if (is_number(left) && is_number(right)) {
		if (!parse_number(left, INT64_MAX, &a))
			return refuse(x, origin, left, "the number is too large to be compared");
		if (!parse_number(right, INT64_MAX, &b))
			return refuse(x, origin, right, "the number is too large to be compared");
	} else {
		*order = order_text(left, right);
		return 0;
	}
	*order = (a > b) - (a < b);
	return 0;
}

/* holds - does the relation hold for operands in this order? */
static bool holds(enum relation relation, int order)
{
	switch (relation) {
	case EQUAL:
		return order == 0;
	case NOT_EQUAL:
		return order != 0;
	case LESS:
		return order < 0;
	case LESS_EQUAL:
		return order <= 0;
	case GREATER_EQUAL:
		return order >= 0;
	case GREATER:
		return order > 0;
	}
	return false;
}

/* compare - the truth of a comparison: 1, 0, or -1 for an error; the end of the result serves as scratch space */
static int compare(struct expansion *x, const struct expression *e, const struct origin *origin)
{
	size_t start = x->result->length, middle;
	int order = 0, rc;

	if (expand_span(x, e->left, OPERAND_LEVEL, origin) < 0)
		return -1;
	middle = x->result->length;
	if (expand_span(x, e->right, OPERAND_LEVEL, origin) < 0)
		return -1;
	rc = order_operands(x, origin, e->is_level, (struct span){ x->result->data + start, middle - start },
			    (struct span){ x->result->data + middle, x->result->length - middle }, &order);
	truncate_result(x, start);
	return rc < 0 ? rc : holds(e->relation, order);
}

/* expand_name - the value of a parameter, expanded */
static int expand_name(struct expansion *x, struct span name, struct span value, int level,
		       const struct origin *origin)
{
	struct origin here = { name, origin };

	return expand_span(x, value, level + 1, &here);
}

/* expand_expression - evaluate what was parsed */
static int expand_expression(struct expansion *x, const struct expression *e, int level, const struct origin *origin)
{
	static const struct span yes = { "true", 4 };
	struct span value = { NULL, 0 };
	int is_true;

	if (e->is_comparison)
		is_true = compare(x, e, origin);
	else
		is_true = look_up(x, e->name, &value) && value.length > 0;
	if (is_true < 0)
		return -1;
	if (is_true && e->has_then)
		return expand_span(x, e->then_text, level + 1, origin);
	if (!is_true && e->has_else)
		return expand_span(x, e->else_text, level + 1, origin);
	if (!is_true || e->has_then || e->has_else)
		return 0;
	if (e->is_comparison)
		return emit(x, origin, yes);
	return expand_name(x, e->name, value, level, origin);
}

/* expand_dollar - what begins with a "$" that is not followed by another */
static int expand_dollar(struct expansion *x, struct span *rest, int level, const struct origin *origin)
{
	struct span all = take(rest, 1), inside = { NULL, 0 };
	struct expression e = { 0 };

	all.length += rest->length;
	if (starts_with(*rest, '{') || starts_with(*rest, '(')) {
		if (!take_bracketed(rest, &inside))
			return refuse(x, origin, all, "the closing bracket is missing");
		if (inside.length == 0)
			return refuse(x, origin, all, "a parameter name is missing after \"$\"");
		e.whole = (struct span){ all.data, (size_t)(rest->data - all.data) };
		if (parse_bracketed(x, origin, inside, &e) < 0)
			return -1;
	} else {
		e.name = take_while(rest, is_name);
		if (e.name.length == 0)
			return refuse(x, origin, all, "a parameter name is missing after \"$\" (\"$$\" stands for one \"$\")");
	}
	return expand_expression(x, &e, level, origin);
}

/* expand_piece - the next literal text or expression */
static int expand_piece(struct expansion *x, struct span *rest, int level, const struct origin *origin)
{
	const char *dollar = memchr(rest->data, '$', rest->length);
	size_t literal = dollar != NULL ? (size_t)(dollar - rest->data) : rest->length;

	if (level > EXPAND_NESTING)
		return refuse_nesting(x, origin, *rest);
	if (x->lookups > EXPAND_LOOKUPS || x->work > EXPAND_WORK)
		return refuse(x, origin, *rest, "the expressions take too much work to evaluate");
	if (literal > 0)
		return emit(x, origin, take(rest, literal));
	if (rest->length > 1 && rest->data[1] == '$') {
		(void)take(rest, 1);
		return emit(x, origin, take(rest, 1));
	}
	return expand_dollar(x, rest, level, origin);
}

/* expand_span - expand a text piece by piece, from left to right */
static int expand_span(struct expansion *x, struct span text, int level, const struct origin *origin)
{
	int rc = 0;

	if (x->depth >= EXPAND_DEPTH)
		return refuse_nesting(x, origin, text);
	x->depth++;
	x->work += text.length;
	while (rc == 0 && text.length > 0)
		rc = expand_piece(x, &text, level, origin);
	x->depth--;
	return rc;
}

/* expand_text - expand a text and all that it refers to */
int expand_text(struct buffer *result, const char *text, size_t length, expand_lookup lookup, void *context,
		struct fault *fault)
{
	struct expansion x = {
		.result = result,
		.start = result->length,
		.lookup = lookup,
		.context = context,
		.fault = fault,
	};

	if (expand_span(&x, (struct span){ text, length }, TEXT_LEVEL, NULL) < 0) {
		truncate_result(&x, x.start);
		return -1;
	}
	return 0;
}
