/*
 * lua - fuzz Lua code, guided by the lines that it runs
 *
 * The program's own name says what: build/fuzz/NAME runs tests/fuzz/NAME.lua,
 * from the top of the source tree. That file returns a function, which is
 * called with each input and raises an error when something does not hold.
 *
 * libFuzzer sees what the C code does, but not which way an interpreter goes
 * through a script. So a hook counts the steps from line to line of lua/ in
 * counters that libFuzzer takes for coverage.
 *
 * What the scripts get by require "fuzz":
 *
 *      call(f, ...)     calls f, counting its steps; without that, none are
 *      decode(text)     members of a JSON object whose values are strings, or
 *                       nil, reason; as strict as RFC 8259
 *      getopt(words, f) getopt_long(3) with the options of postmulti
 */
#include <getopt.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>

#include "bind.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

#define MAX_WORDS 64

static lua_State *state;

/* ------------------------------------------------------------------ memory */

/*
 * Pieces of the interpreter's memory. It is not what is tested, and AddressSanitizer would take as much time for each
 * piece as the script does for its work; larger ones, buffers for instance, come from malloc all the same.
 */
enum { PIECE = 16, PIECES = 16, SLAB = 1 << 18 };

static void *unused[PIECES + 1]; /* of each size, in PIECE bytes: a list */

static void *take_piece(size_t class)
{
	static char *slab;
	static size_t left;
	void *piece = unused[class];

	if (piece != NULL) {
		memcpy(&unused[class], piece, sizeof unused[class]);
		return piece;
	}
	if (left < class * PIECE) {
		slab = malloc(SLAB);
		left = slab == NULL ? 0 : SLAB;
		if (slab == NULL)
			return NULL;
	}
	left -= class * PIECE;
	return slab + left;
}

static void give_piece(void *piece, size_t class)
{
	memcpy(piece, &unused[class], sizeof unused[class]);
	unused[class] = piece;
}

/* A lua_Alloc. */
static void *allocate(void *context, void *old, size_t old_size, size_t size)
{
	size_t old_class = old == NULL ? 0 : (old_size + PIECE - 1) / PIECE, class = (size + PIECE - 1) / PIECE;
	void *new;

	(void)context;
	if (old != NULL && old_class > PIECES && class > PIECES)
		return realloc(old, size);
	if (old != NULL && old_class == class)
		return old;
	new = size == 0 ? NULL : class > PIECES ? malloc(size) : take_piece(class);
	if (size != 0 && new == NULL)
		return NULL;
	if (old != NULL && size != 0)
		memcpy(new, old, old_size < size ? old_size : size);
	if (old != NULL && old_class > PIECES)
		free(old);
	else if (old != NULL && old_class > 0)
		give_piece(old, old_class);
	return new;
}

/* ---------------------------------------------------------------- coverage */

#define COUNTERS 16384 /* a power of two */

__attribute__((section("__libfuzzer_extra_counters"))) static unsigned char counters[COUNTERS];

static uint32_t last_place;

/* A number for a file below lua/, the same in every run; 0: another file. */
static uint32_t file_number(const char *source)
{
	uint32_t hash = 2166136261u;

	if (strncmp(source, "@lua/", 5) != 0)
		return 0;
	while (*source != '\0')
		hash = (uint32_t)(((uint64_t)hash ^ (unsigned char)*source++) * 16777619u);
	return hash | 1;
}

/* Count the step to a line. */
static void on_line(lua_State *L, lua_Debug *ar)
{
	static const char *source; /* of the line before; loaded files stay where they are */
	static uint32_t file;
	uint32_t place;

	lua_getinfo(L, "S", ar);
	if (ar->source != source) {
		source = ar->source;
		file = file_number(source);
	}
	if (file == 0)
		return;
	place = (uint32_t)(((uint64_t)file + (uint32_t)ar->currentline) * 2654435761u) >> 8;
	counters[(place ^ last_place) % COUNTERS]++;
	last_place = place >> 1;
}

/* call(f, ...) */
static int fuzz_call(lua_State *L)
{
	lua_sethook(L, on_line, LUA_MASKLINE, 0);
	lua_call(L, lua_gettop(L) - 1, LUA_MULTRET);
	lua_sethook(L, NULL, 0, 0);
	return lua_gettop(L);
}

/* -------------------------------------------------------------------- JSON */

struct json {
	const unsigned char *at, *end;
};

static bool json_take(struct json *json, const char *text)
{
	size_t length = strlen(text);

	if ((size_t)(json->end - json->at) < length || memcmp(json->at, text, length) != 0)
		return false;
	json->at += length;
	return true;
}

static void json_blanks(struct json *json)
{
	while (json->at < json->end && *json->at != '\0' && strchr(" \t\r\n", *json->at) != NULL)
		json->at++;
}

/* Append a code point as UTF-8. */
static void add_utf8(luaL_Buffer *b, unsigned long code)
{
	if (code < 0x80) {
		luaL_addchar(b, (char)code);
	} else if (code < 0x800) {
		luaL_addchar(b, (char)(0xc0 | code >> 6));
		luaL_addchar(b, (char)(0x80 | (code & 0x3f)));
	} else {
		luaL_addchar(b, (char)(0xe0 | code >> 12));
		luaL_addchar(b, (char)(0x80 | (code >> 6 & 0x3f)));
		luaL_addchar(b, (char)(0x80 | (code & 0x3f)));
	}
}

/* One character that is no escape: well-formed UTF-8 (RFC 3629), no control character. */
static const char *json_character(struct json *json, luaL_Buffer *b)
{
	static const struct {
		unsigned char first, last, low, high, more;
	} form[] = {
		{ 0x20, 0x7f, 0, 0, 0 },       { 0xc2, 0xdf, 0x80, 0xbf, 1 }, { 0xe0, 0xe0, 0xa0, 0xbf, 2 },
		{ 0xe1, 0xec, 0x80, 0xbf, 2 }, { 0xed, 0xed, 0x80, 0x9f, 2 }, { 0xee, 0xef, 0x80, 0xbf, 2 },
		{ 0xf0, 0xf0, 0x90, 0xbf, 3 }, { 0xf1, 0xf3, 0x80, 0xbf, 3 }, { 0xf4, 0xf4, 0x80, 0x8f, 3 },
	};
	const unsigned char *p = json->at;
	size_t i = 0;

	while (i < sizeof form / sizeof form[0] && (*p < form[i].first || *p > form[i].last))
		i++;
	if (i == sizeof form / sizeof form[0] || json->end - p <= form[i].more ||
	    (form[i].more > 0 && (p[1] < form[i].low || p[1] > form[i].high)))
		return "a byte that no string may hold";
	for (int n = 2; n <= form[i].more; n++)
		if ((p[n] & 0xc0) != 0x80)
			return "a broken character";
	luaL_addlstring(b, (const char *)p, form[i].more + 1u);
	json->at += form[i].more + 1;
	return NULL;
}

/* What follows a backslash; surrogates, which the program never writes, are refused. */
static const char *json_escape(struct json *json, luaL_Buffer *b)
{
	static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
	const char *found;
	char digits[5] = "", *rest;
	unsigned long code;

	if (json->at == json->end)
		return "an escape without its end";
	found = *json->at == '\0' ? NULL : strchr(from, *json->at);
	if (found != NULL) {
		luaL_addchar(b, to[found - from]);
		json->at++;
		return NULL;
	}
	if (*json->at != 'u' || json->end - json->at < 5)
		return "an unknown escape";
	memcpy(digits, json->at + 1, 4);
	code = strtoul(digits, &rest, 16);
	if (strspn(digits, "0123456789abcdefABCDEF") != 4 || (code >= 0xd800 && code <= 0xdfff))
		return "an unusable \\u";
	add_utf8(b, code);
	json->at += 5;
	return NULL;
}

/* Push a string; on failure return why, and push nothing that counts. */
static const char *json_string(lua_State *L, struct json *json)
{
	const char *reason = NULL;
	luaL_Buffer b;

	if (!json_take(json, "\""))
		return "no string where one is expected";
	luaL_buffinit(L, &b);
	while (reason == NULL && json->at < json->end && *json->at != '"')
		reason = json_take(json, "\\") ? json_escape(json, &b) : json_character(json, &b);
	luaL_pushresult(&b);
	if (reason == NULL && !json_take(json, "\""))
		reason = "a string without its end";
	return reason;
}

/* The members of an object into the table at the top of the stack. */
static const char *json_object(lua_State *L, struct json *json)
{
	const char *reason;
	int table = lua_gettop(L);

	json_blanks(json);
	if (!json_take(json, "{"))
		return "no object";
	do {
		json_blanks(json);
		if ((reason = json_string(L, json)) != NULL)
			return reason;
		lua_pushvalue(L, -1);
		if (lua_rawget(L, table) != LUA_TNIL)
			return "a member twice";
		lua_pop(L, 1);
		json_blanks(json);
		if (!json_take(json, ":"))
			return "no colon";
		json_blanks(json);
		if ((reason = json_string(L, json)) != NULL)
			return reason;
		lua_rawset(L, table);
		json_blanks(json);
	} while (json_take(json, ","));
	if (!json_take(json, "}"))
		return "an object without its end";
	json_blanks(json);
	return json->at == json->end ? NULL : "text behind the object";
}

static int fuzz_decode(lua_State *L)
{
	size_t length;
	const char *text = luaL_checklstring(L, 1, &length), *reason;
	struct json json = { (const unsigned char *)text, (const unsigned char *)text + length };

	lua_settop(L, 1);
	lua_newtable(L);
	reason = json_object(L, &json);
	lua_settop(L, 2);
	if (reason == NULL)
		return 1;
	lua_pushnil(L);
	lua_pushstring(L, reason);
	return 2;
}

/* ------------------------------------------------------------------ getopt */

static const struct option own_options[] = {
	{ "config-directory", required_argument, NULL, 'c' }, { "dry-run", no_argument, NULL, 1 },
	{ "list-hooks", no_argument, NULL, 2 },               { "lock-timeout", required_argument, NULL, 3 },
	{ "no-hooks", no_argument, NULL, 4 },                 { "help", no_argument, NULL, 5 },
	{ "version", no_argument, NULL, 6 },                  { "history", no_argument, NULL, 9 },
	{ "undo", no_argument, NULL, 10 },                    { NULL, 0, NULL, 0 },
};

/* The same with those of the site's command "report". */
static const struct option site_options[] = {
	{ "config-directory", required_argument, NULL, 'c' }, { "dry-run", no_argument, NULL, 1 },
	{ "list-hooks", no_argument, NULL, 2 },               { "lock-timeout", required_argument, NULL, 3 },
	{ "no-hooks", no_argument, NULL, 4 },                 { "help", no_argument, NULL, 5 },
	{ "version", no_argument, NULL, 6 },                  { "since", required_argument, NULL, 7 },
	{ "brief", no_argument, NULL, 8 },                    { "history", no_argument, NULL, 9 },
	{ "undo", no_argument, NULL, 10 },                    { NULL, 0, NULL, 0 },
};

/* Is a word like --name or --name=value one of these, spelt out? */
static bool is_spelt_out(const char *word, const struct option *options)
{
	size_t length = strcspn(word + 2, "=");

	for (; options->name != NULL; options++)
		if (strlen(options->name) == length && memcmp(options->name, word + 2, length) == 0)
			return true;
	return false;
}

/* The next option: its letter or number, '?', or -1. Abbreviations, which postmulti has not, are refused. */
static int next_option(int argc, char **argv, const struct option *options, int *index)
{
	int at = optind > 0 ? optind : 1;

	if (at < argc && strncmp(argv[at], "--", 2) == 0 && argv[at][2] != '\0' && !is_spelt_out(argv[at], options))
		return '?';
	*index = -1;
	return getopt_long(argc, argv, "+ac:e:g:G:i:I:jlpRvx", options, index);
}

/*
 * getopt(words, seen): calls seen(name, value) for each option in turn; when
 * that returns "stop" there is no more, and with "site" the options of the
 * site's command count from then on. Returns "stopped", "mistake", or the number
 * of words that the options took.
 */
static int fuzz_getopt(lua_State *L)
{
	static char program[] = "postmulti";
	char *argv[MAX_WORDS + 2];
	const struct option *options = own_options;
	int argc = 1, option, index;

	luaL_checktype(L, 1, LUA_TTABLE);
	argv[0] = program;
	for (; argc <= MAX_WORDS && lua_rawgeti(L, 1, argc) == LUA_TSTRING; argc++) {
		/* The table keeps it; getopt changes nothing in it. */
		argv[argc] = (char *)(uintptr_t)lua_tostring(L, -1);
		lua_pop(L, 1);
	}
	argv[argc] = NULL;
	opterr = 0;
	optind = 0; /* from the start again */
	lua_settop(L, 2);
	while ((option = next_option(argc, argv, options, &index)) != -1 && option != '?') {
		const char *answer;
		char letter[2] = { (char)option, '\0' };

		lua_pushvalue(L, 2);
		lua_pushstring(L, index < 0 || option == 'c' ? letter : options[index].name);
		lua_pushstring(L, optarg);
		lua_call(L, 2, 1);
		answer = lua_tostring(L, -1);
		if (answer != NULL && strcmp(answer, "site") == 0)
			options = site_options;
		if (answer != NULL && strcmp(answer, "stop") == 0)
			break;
		lua_pop(L, 1);
	}
	if (option == -1)
		lua_pushinteger(L, optind - 1);
	else
		lua_pushstring(L, option == '?' ? "mistake" : "stopped");
	return 1;
}

/* -------------------------------------------------------------------- runs */

static const luaL_Reg tools[] = {
	{ "call", fuzz_call },
	{ "decode", fuzz_decode },
	{ "getopt", fuzz_getopt },
	{ NULL, NULL },
};

static int open_tools(lua_State *L)
{
	luaL_newlib(L, tools);
	return 1;
}

static int add_traceback(lua_State *L)
{
	luaL_traceback(L, L, luaL_tolstring(L, 1, NULL), 1);
	return 1;
}

static void fail(const char *what)
{
	fprintf(stderr, "lua: %s\n", what);
	abort();
}

/* Load the script; its function stays on the stack, above the message handler. */
int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	const char *program = (*argv)[0], *slash = strrchr(program, '/');
	char path[200];

	(void)argc;
	(void)snprintf(path, sizeof path, "tests/fuzz/%s.lua", slash == NULL ? program : slash + 1);
	state = lua_newstate(allocate, NULL);
	if (state == NULL)
		fail("not enough memory");
	luaL_openlibs(state);
	luaL_requiref(state, "postmulti.core", luaopen_postmulti_core, 0);
	luaL_requiref(state, "fuzz", open_tools, 0);
	if (luaL_dostring(state, "package.path, package.cpath = 'lua/?.lua;lua/?/init.lua', ''"))
		fail(lua_tostring(state, -1));
	lua_settop(state, 0);
	lua_pushcfunction(state, add_traceback);
	if (luaL_loadfile(state, path) != LUA_OK || lua_pcall(state, 0, 1, 1) != LUA_OK)
		fail(lua_tostring(state, -1));
	return 0;
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
	last_place = 0;
	lua_sethook(state, NULL, 0, 0); /* an error may have left it */
	lua_settop(state, 2);
	lua_pushvalue(state, 2);
	lua_pushlstring(state, (const char *)data, size);
	if (lua_pcall(state, 1, 0, 1) != LUA_OK)
		fail(lua_tostring(state, -1));
	return 0;
}
