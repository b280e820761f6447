/*
 * expand_bomb - texts made to keep the expansion busy, or to fill the memory
 *
 * Each is expanded once, and what it costs is counted, not timed: names looked
 * up, bytes that the looked-up values hold, the memory of the result, which is
 * all that expand.c takes, and the depth of the stack. Whatever the text, each
 * stays below its bound, and what is refused is refused for the reason expected
 * and leaves the caller's buffer as it was.
 *
 *      make core
 *      cc -std=c11 -Isrc -Ibuild -o build/expand_bomb tests/fault/expand_bomb.c \
 *              src/{expand,buffer,fault}.c
 *      build/expand_bomb         (prints "N passed, N failed", status 1 where one failed)
 */
#define _GNU_SOURCE
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "expand.h"

#define STACK_BOUND ((size_t)1024 * 1024) /* a sanitizer's frames are several times as large as others */
#define MANY 100000
#define MB ((size_t)1024 * 1024)

/* A text, and the values of the names p0, p1 and so on that it leads to. */
struct bomb {
	const char *name;
	struct buffer text;
	struct buffer value[2]; /* of each but the last, of the last; "#" stands for the next number */
	size_t links;           /* number of the last */
	bool is_loop;           /* what follows the last is p0 */
	const char *refusal;    /* part of the reason; NULL: it is accepted */
	size_t length;          /* of the result, where it is accepted */
};

/* What one costs, and the values as they were handed out. */
struct cost {
	const struct bomb *bomb;
	char *value[256];
	size_t lookups, bytes;
	uintptr_t lowest;
};

static long passed, failed;

/* format_value - a value with the number of the next name in place of each "#" */
static char *format_value(const struct bomb *bomb, size_t number)
{
	const struct buffer *form = &bomb->value[number >= bomb->links];
	size_t next = bomb->is_loop && number >= bomb->links ? 0 : number + 1;
	struct buffer value = BUFFER_INIT;
	char digits[24];

	(void)snprintf(digits, sizeof digits, "%zu", next);
	buffer_reserve(&value, form->length);
	for (size_t i = 0; i < form->length; i++) {
		if (form->data[i] == '#')
			buffer_add_string(&value, digits);
		else
			buffer_add_char(&value, form->data[i]);
	}
	return value.data;
}

/* find - an expand_lookup that counts */
static bool find(void *context, const char *name, size_t length, const char **value, size_t *size)
{
	struct cost *cost = context;
	char digits[8] = "";
	size_t number;

	cost->lookups++;
	if ((uintptr_t)digits < cost->lowest)
		cost->lowest = (uintptr_t)digits;
	if (length < 2 || length > sizeof digits || name[0] != 'p')
		return false;
	memcpy(digits, name + 1, length - 1);
	number = strtoul(digits, NULL, 10);
	if (number >= sizeof cost->value / sizeof cost->value[0])
		return false;
	if (cost->value[number] == NULL)
		cost->value[number] = format_value(cost->bomb, number);
	*value = cost->value[number];
	*size = strlen(*value);
	cost->bytes += *size;
	return true;
}

/* complain - say what is wrong with one */
static bool complain(const struct bomb *bomb, const char *what, size_t number)
{
	(void)printf("%s: %s: %zu\n", bomb->name, what, number);
	return false;
}

/* is_bounded - did it cost no more than it may? */
static bool is_bounded(const struct bomb *bomb, const struct cost *cost, const struct buffer *result, uintptr_t top)
{
	bool good = true;

	/* One text is looked at to its end before the bound is asked for. */
	if (cost->lookups > EXPAND_LOOKUPS + 1)
		good = complain(bomb, "names looked up", cost->lookups);
	if (cost->bytes > EXPAND_WORK + 32 * MB)
		good = complain(bomb, "bytes of values", cost->bytes);
	if (result->capacity > 2 * EXPAND_RESULT + 64)
		good = complain(bomb, "bytes of memory", result->capacity);
	if (cost->lowest < top && top - cost->lowest > STACK_BOUND)
		good = complain(bomb, "bytes of stack", top - cost->lowest);
	return good;
}

/* is_expected - is the outcome the one that the table says? */
static bool is_expected(const struct bomb *bomb, int outcome, const struct buffer *result, const struct fault *fault)
{
	if (outcome == 0 && bomb->refusal != NULL)
		return complain(bomb, "not refused, length", result->length);
	if (outcome < 0 && (bomb->refusal == NULL || strstr(fault->text, bomb->refusal) == NULL)) {
		(void)printf("%s: %s\n", bomb->name, fault->text);
		return false;
	}
	if (outcome < 0 && (result->length != 4 || strcmp(result->data, "kept") != 0))
		return complain(bomb, "the buffer was not left alone, length", result->length);
	return outcome < 0 || result->length == 4 + bomb->length ||
	       complain(bomb, "length of the result", result->length);
}

/* explode - expand one; its memory is released */
static void explode(struct bomb *bomb)
{
	struct cost cost = { .bomb = bomb, .lowest = UINTPTR_MAX };
	struct buffer result = BUFFER_INIT;
	struct fault fault;
	int outcome;
	bool good;

	buffer_add_string(&result, "kept");
	outcome = expand_text(&result, bomb->text.data, bomb->text.length, find, &cost, &fault);
	good = is_bounded(bomb, &cost, &result, (uintptr_t)&cost);
	good = is_expected(bomb, outcome, &result, &fault) && good;
	passed += good;
	failed += !good;
	(void)printf("%-42s %8zu names %10zu bytes %9zu memory %7zu stack\n", bomb->name, cost.lookups, cost.bytes,
		     result.capacity, cost.lookups == 0 ? 0 : (size_t)((uintptr_t)&cost - cost.lowest));
	for (size_t i = 0; i < sizeof cost.value / sizeof cost.value[0]; i++)
		free(cost.value[i]);
	buffer_free(&result);
	buffer_free(&bomb->text);
	buffer_free(&bomb->value[0]);
	buffer_free(&bomb->value[1]);
}

/* repeat - a text many times */
static struct buffer repeat(const char *text, size_t times)
{
	struct buffer all = BUFFER_INIT;

	for (size_t i = 0; i < times; i++)
		buffer_add_string(&all, text);
	return all;
}

/* nest - an opening and a closing text many times around another */
static struct buffer nest(const char *open, const char *inner, const char *close, size_t times)
{
	struct buffer all = repeat(open, times), ends = repeat(close, times);

	buffer_add_string(&all, inner);
	buffer_add(&all, ends.data, ends.length);
	buffer_free(&ends);
	return all;
}

/* once - a text as it is */
static struct buffer once(const char *text)
{
	return repeat(text, 1);
}

#define WORK "too much work"
#define LONG "longer than 16 MB"
#define DEEP "nested too deeply"
#define SELF "refers to itself"

int main(void)
{
	struct buffer large = repeat("x", MB);
	struct bomb bomb[] = {
		{ "a chain that doubles, of text",
		  once("$p0"), { once("$p#$p#"), repeat("x", 100) }, 60, false, LONG, 0 },
		{ "a chain that doubles, of nothing",
		  once("$p0"), { once("$p#$p#"), once("") }, 60, false, WORK, 0 },
		{ "a chain that doubles, within the bounds",
		  once("$p0"), { once("$p#$p#"), repeat("x", 60) }, 18, false, NULL, (size_t)60 << 18 },
		{ "a chain with a hundred branches",
		  once("$p0"), { repeat("$p#", 100), once("") }, 98, false, WORK, 0 },
		{ "a chain of 100",
		  once("$p0"), { once("$p#"), once("x") }, 99, false, NULL, 1 },
		{ "a chain of 101",
		  once("$p0"), { once("$p#"), once("x") }, 100, false, DEEP, 0 },
		{ "conditions that double",
		  once("$p0"), { once("${p#?$p#$p#}${q:$p#}"), once("x") }, 49, false, WORK, 0 },
		{ "operands that double",
		  once("$p0"), { once("${{$p#$p#} == {$p#$p#}?x}"), once("y") }, 60, false, WORK, 0 },
		{ "operands of 8 MB each",
		  once("${{$p0} == {$p0}}"), { once(""), repeat("x", 8 * MB) }, 0, false, NULL, 4 },
		{ "operands of 9 MB each",
		  once("${{$p0} == {$p0}}"), { once(""), repeat("x", 9 * MB) }, 0, false, LONG, 0 },
		{ "operands one after the other",
		  repeat("${{$p0} != {$p0}}", 100), { once(""), repeat("x", 7 * MB) }, 0, false, WORK, 0 },
		{ "a loop of one",
		  once("$p0"), { once(""), once("x$p#") }, 0, true, SELF, 0 },
		{ "a loop of two",
		  once("$p0"), { once("$p#"), once("$p#") }, 1, true, SELF, 0 },
		{ "a loop of 200",
		  once("$p0"), { once("$p#"), once("$p#") }, 199, true, DEEP, 0 },
		{ "a loop that doubles",
		  once("$p0"), { once("$p#$p#"), once("$p#$p#") }, 1, true, SELF, 0 },
		{ "a loop through a condition",
		  once("$p0"), { once(""), once("${p#?$p#}") }, 0, true, SELF, 0 },
		{ "a loop through the operand of a comparison",
		  once("$p0"), { once(""), once("${{$p#} == {x}?y}") }, 0, true, SELF, 0 },
		{ "a loop through both operands",
		  once("$p0"), { once("${{x} == {$p#}}"), once("${{$p#} == {$p#}?$p#}") }, 1, true, SELF, 0 },
		{ "conditions, 100 deep",
		  nest("${p0?", "x", "}", 100), { once(""), once("x") }, 0, false, NULL, 1 },
		{ "conditions, 101 deep",
		  nest("${p0?", "x", "}", 101), { once(""), once("x") }, 0, false, DEEP, 0 },
		{ "conditions, 100,000 deep",
		  nest("${p0?", "x", "}", MANY), { once(""), once("x") }, 0, false, DEEP, 0 },
		{ "conditions in braces, 100,000 deep",
		  nest("${p0?{", "x", "}}", MANY), { once(""), once("x") }, 0, false, DEEP, 0 },
		{ "alternatives, 100,000 deep",
		  nest("${q:", "x", "}", MANY), { once(""), once("x") }, 0, false, DEEP, 0 },
		{ "operands, 500 deep",
		  nest("${{", "x", "} != {y}}", 499), { once(""), once("x") }, 0, false, NULL, 4 },
		{ "operands, 501 deep",
		  nest("${{", "x", "} != {y}}", 501), { once(""), once("x") }, 0, false, DEEP, 0 },
		{ "operands, 100,000 deep",
		  nest("${{", "x", "} != {y}}", MANY), { once(""), once("x") }, 0, false, WORK, 0 },
		{ "100,000 brackets that stay open",
		  repeat("${p0?", MANY), { once(""), once("x") }, 0, false, "closing bracket is missing", 0 },
		{ "1,000,000 names",
		  repeat("$p0", 1000 * 1000), { once(""), once("") }, 0, false, NULL, 0 },
		{ "1,100,000 names",
		  repeat("$p0", 1100 * 1000), { once(""), once("") }, 0, false, WORK, 0 },
		{ "1 MB of text, not taken, 1,000 times",
		  repeat("$p0", 1000), { nest("${p1:", large.data, "}", 1), once("x") }, 1, false, WORK, 0 },
		{ "16 MB of text in one value",
		  once("$p0"), { once(""), repeat("x", 16 * MB) }, 0, false, NULL, 16 * MB },
		{ "17 MB of text in one value",
		  once("$p0"), { once(""), repeat("x", 17 * MB) }, 0, false, LONG, 0 },
		{ "40 MB of dollars",
		  repeat("$$", 20 * MB), { once(""), once("x") }, 0, false, LONG, 0 },
	};

	for (size_t i = 0; i < sizeof bomb / sizeof bomb[0]; i++)
		explode(&bomb[i]);
	buffer_free(&large);
	(void)printf("%ld passed, %ld failed\n", passed, failed);
	return failed != 0;
}
