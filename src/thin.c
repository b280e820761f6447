#include "thin.h"

#include <lua.h>
#include <string.h>

#define DEEPEST 100 /* functions within functions */

/* Constants of a function, as they are marked. */
enum { NIL = 0x00, FALSE = 0x01, INTEGER = 0x03, SHORT_STRING = 0x04, TRUE = 0x11, FLOAT = 0x13, LONG_STRING = 0x14 };

/* A position in compiled Lua, and where it is copied to. */
struct walk {
	const char *at, *end;
	struct buffer *out;
	bool failed; /* it is not what we know */
};

/* have - are there that many bytes? */
static bool have(struct walk *walk, size_t size)
{
	if (walk->failed || (size_t)(walk->end - walk->at) < size)
		walk->failed = true;
	return !walk->failed;
}

/* copy - pass bytes on */
static void copy(struct walk *walk, size_t size)
{
	if (!have(walk, size))
		return;
	buffer_add(walk->out, walk->at, size);
	walk->at += size;
}

/* copy_items - pass on things of one size */
static void copy_items(struct walk *walk, size_t count, size_t size)
{
	if (size > 0 && count > (size_t)(walk->end - walk->at) / size)
		walk->failed = true;
	else
		copy(walk, count * size);
}

/* number - step over a number: seven bits a byte, the last one marked */
static size_t number(struct walk *walk)
{
	size_t value = 0;

	while (have(walk, 1) && value < (size_t)-1 >> 8) {
		unsigned char byte = (unsigned char)*walk->at++;

		value = value << 7 | (byte & 0x7f);
		if ((byte & 0x80) != 0)
			return value;
	}
	walk->failed = true;
	return 0;
}

/* copy_number - pass a number on */
static size_t copy_number(struct walk *walk)
{
	const char *start = walk->at;
	size_t value = number(walk);

	if (!walk->failed)
		buffer_add(walk->out, start, (size_t)(walk->at - start));
	return value;
}

/* copy_string - its size plus one, and the text; 0: there is none */
static void copy_string(struct walk *walk)
{
	size_t size = copy_number(walk);

	copy(walk, size > 0 ? size - 1 : 0);
}

/* drop_string - the same, not passed on */
static void drop_string(struct walk *walk)
{
	size_t size = number(walk);

	if (size > 0 && have(walk, size - 1))
		walk->at += size - 1;
}

/* copy_constants - values that a function uses */
static void copy_constants(struct walk *walk)
{
	for (size_t count = copy_number(walk); count > 0 && have(walk, 1); count--) {
		unsigned char type = (unsigned char)*walk->at;

		copy(walk, 1);
		switch (type) {
		case NIL:
		case FALSE:
		case TRUE:
			break;
		case INTEGER:
			copy(walk, sizeof(lua_Integer));
			break;
		case FLOAT:
			copy(walk, sizeof(lua_Number));
			break;
		case SHORT_STRING:
		case LONG_STRING:
			copy_string(walk);
			break;
		default:
			walk->failed = true;
		}
	}
}

/* copy_debug - lines, but no names */
static void copy_debug(struct walk *walk)
{
	copy_items(walk, copy_number(walk), 1);
	for (size_t count = copy_number(walk); count > 0 && !walk->failed; count--) {
		(void)copy_number(walk);
		(void)copy_number(walk);
	}
	for (size_t count = number(walk); count > 0 && !walk->failed; count--) { /* of locals, with where they live */
		drop_string(walk);
		(void)number(walk);
		(void)number(walk);
	}
	for (size_t count = number(walk); count > 0 && !walk->failed; count--) /* of upvalues */
		drop_string(walk);
	buffer_add(walk->out, "\x80\x80", 2); /* none, none */
}

/* copy_function - a function and those within it */
static void copy_function(struct walk *walk, int depth) /* NOLINT(misc-no-recursion): it stops at DEEPEST */
{
	enum { INSTRUCTION = 4, UPVALUE = 3 };

	if (depth > DEEPEST)
		walk->failed = true;
	copy_string(walk);       /* the source's name */
	(void)copy_number(walk); /* first line */
	(void)copy_number(walk); /* last line */
	copy(walk, 3);           /* parameters, whether there are more, stack */
	copy_items(walk, copy_number(walk), INSTRUCTION);
	copy_constants(walk);
	copy_items(walk, copy_number(walk), UPVALUE);
	for (size_t count = copy_number(walk); count > 0 && !walk->failed; count--)
		copy_function(walk, depth + 1);
	copy_debug(walk);
}

/* copy_header - that of Lua 5.4 on this machine */
static void copy_header(struct walk *walk)
{
	static const char start[] = LUA_SIGNATURE "\x54\x00\x19\x93\r\n\x1a\n\x04";
	enum { REST = 2 + sizeof(lua_Integer) + sizeof(lua_Number) };

	if (LUA_VERSION_NUM != 504 || !have(walk, sizeof start - 1) || memcmp(walk->at, start, sizeof start - 1) != 0)
		walk->failed = true;
	copy(walk, sizeof start - 1 + REST);
	copy(walk, 1); /* upvalues */
}

/* thin - see the header */
bool thin(struct buffer *out, const char *code, size_t length)
{
	struct walk walk = { .at = code, .end = code + length, .out = out };

	copy_header(&walk);
	copy_function(&walk, 0);
	return !walk.failed && walk.at == walk.end && !buffer_failed(out);
}
