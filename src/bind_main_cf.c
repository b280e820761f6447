/*
 * parse_main, read_parameters, read_plain, edit_main, squeeze: the contract is docs/core.lua.
 *
 * A path that is nil is left out of messages. Names and values are strings; a
 * number is taken as its decimal text.
 */
#include <errno.h>
#include <limits.h>
#include <string.h>

#include "bind.h"
#include "main_cf.h"
#include "read_file.h"

#define SCRATCH_TYPE "postmulti.scratch"
#define SCRATCH_KEEP (1024 * 1024) /* more memory than this is given back after use */
#define MANY 32                    /* settings that a file has without surprising */

/* Memory of the C core while a function runs; kept from call to call, as most files are of one size. */
struct scratch {
	struct buffer text;    /* of a file or a result */
	struct buffer message; /* of a remark */
	struct main_cf_reader reader;
};

static char scratch_key; /* in the registry: the scratch that is not in use */

/* scratch_gc - release the memory; harmless twice */
static int scratch_gc(lua_State *L)
{
	struct scratch *scratch = luaL_checkudata(L, 1, SCRATCH_TYPE);

	buffer_free(&scratch->text);
	buffer_free(&scratch->message);
	main_cf_close(&scratch->reader);
	return 0;
}

/* scratch_take - push the scratch; a finalizer that calls us again meanwhile finds none and makes its own */
static struct scratch *scratch_take(lua_State *L)
{
	static const luaL_Reg functions[] = { { "__gc", scratch_gc }, { NULL, NULL } };
	struct scratch *scratch;

	if (lua_rawgetp(L, LUA_REGISTRYINDEX, &scratch_key) == LUA_TUSERDATA) {
		scratch = lua_touserdata(L, -1);
		lua_pushnil(L);
		lua_rawsetp(L, LUA_REGISTRYINDEX, &scratch_key);
		return scratch;
	}
	lua_pop(L, 1);
	scratch = lua_newuserdatauv(L, sizeof *scratch, 0);
	scratch->text = scratch->message = (struct buffer)BUFFER_INIT;
	main_cf_open(&scratch->reader, "", 0);
	bind_metatable(L, SCRATCH_TYPE, functions);
	lua_setmetatable(L, -2);
	return scratch;
}

/* trim - give back a large or a failed buffer */
static void trim(struct buffer *b)
{
	if (b->capacity > SCRATCH_KEEP || buffer_failed(b))
		buffer_free(b);
}

/* scratch_give - done with the scratch at a stack index; without this it is only collected */
static void scratch_give(lua_State *L, int index)
{
	struct scratch *scratch = lua_touserdata(L, index);

	trim(&scratch->text);
	trim(&scratch->message);
	main_cf_close(&scratch->reader);
	lua_pushvalue(L, index);
	lua_rawsetp(L, LUA_REGISTRYINDEX, &scratch_key);
}

/* push_text - push what a buffer holds */
static void push_text(lua_State *L, const struct buffer *b)
{
	if (buffer_failed(b))
		luaL_error(L, "not enough memory");
	lua_pushlstring(L, b->data, b->length);
}

/* What a remark is about; the order is that of enum main_cf_remark. */
static const char *const remark_kind[] = {
	[MAIN_CF_DUPLICATE] = "duplicate",
	[MAIN_CF_CONTINUATION] = "continuation",
	[MAIN_CF_NUL] = "nul",
	[MAIN_CF_MULTIPLE] = "multiple",
};

/* add_remark - append a remark to the table at an index */
static void add_remark(lua_State *L, int remarks, struct scratch *scratch, const char *path, size_t line,
		       enum main_cf_remark remark, const char *what, size_t length)
{
	buffer_reset(&scratch->message);
	main_cf_remark_text(&scratch->message, path, line, remark, what, length);
	lua_createtable(L, 0, 3);
	lua_pushstring(L, remark_kind[remark]);
	lua_setfield(L, -2, "kind");
	lua_pushinteger(L, (lua_Integer)line);
	lua_setfield(L, -2, "line");
	push_text(L, &scratch->message);
	lua_setfield(L, -2, "text");
	lua_rawseti(L, remarks, (lua_Integer)lua_rawlen(L, remarks) + 1);
}

/* add_line_remarks - the remarks on one logical line by itself */
static void add_line_remarks(lua_State *L, int remarks, struct scratch *scratch, const char *path,
			     enum main_cf_item item, const struct main_cf_setting *setting)
{
	if (item == MAIN_CF_DROPPED)
		add_remark(L, remarks, scratch, path, setting->line, MAIN_CF_CONTINUATION, setting->text,
			   setting->text_length);
	else if (item == MAIN_CF_SETTING && setting->nul)
		add_remark(L, remarks, scratch, path, setting->line, MAIN_CF_NUL, setting->name, setting->name_length);
}

/* store_value - values[name] = value with the name on the top of the stack, which is popped; a remark on a change */
static void store_value(lua_State *L, int values, int remarks, struct scratch *scratch, const char *path,
			const struct main_cf_setting *setting)
{
	lua_pushvalue(L, -1);
	if (lua_rawget(L, values) == LUA_TSTRING) {
		size_t length;
		const char *old = lua_tolstring(L, -1, &length);

		if (length != setting->value_length || memcmp(old, setting->value, length) != 0)
			add_remark(L, remarks, scratch, path, setting->line, MAIN_CF_DUPLICATE, old, length);
	}
	lua_pop(L, 1);
	lua_pushlstring(L, setting->value, setting->value_length);
	lua_rawset(L, values);
}

/* push_setting - push { name, value, line } */
static void push_setting(lua_State *L, const struct main_cf_setting *setting)
{
	lua_createtable(L, 0, 3);
	lua_pushlstring(L, setting->name, setting->name_length);
	lua_setfield(L, -2, "name");
	lua_pushlstring(L, setting->value, setting->value_length);
	lua_setfield(L, -2, "value");
	lua_pushinteger(L, (lua_Integer)setting->line);
	lua_setfield(L, -2, "line");
}

/* core_parse_main - settings and remarks of a text */
static int core_parse_main(lua_State *L)
{
	size_t length;
	const char *text = luaL_checklstring(L, 1, &length);
	const char *path = luaL_optstring(L, 2, NULL);
	enum { SCRATCH = 3, SETTINGS, REMARKS, VALUES };
	struct scratch *scratch;
	struct main_cf_setting setting;
	enum main_cf_item item;
	struct fault fault;

	lua_settop(L, 2);
	scratch = scratch_take(L);
	lua_newtable(L);
	lua_newtable(L);
	lua_newtable(L);
	main_cf_open(&scratch->reader, text, length);
	while ((item = main_cf_next(&scratch->reader, &setting)) > 0) {
		if (item == MAIN_CF_NO_EQUALS || item == MAIN_CF_NO_NAME) {
			(void)main_cf_malformed(&fault, path, item, &setting);
			scratch_give(L, SCRATCH);
			(void)bind_failure(L, &fault);
			lua_pushinteger(L, (lua_Integer)setting.line);
			return 4;
		}
		add_line_remarks(L, REMARKS, scratch, path, item, &setting);
		if (item == MAIN_CF_DROPPED)
			continue;
		lua_pushlstring(L, setting.name, setting.name_length);
		store_value(L, VALUES, REMARKS, scratch, path, &setting);
		push_setting(L, &setting);
		lua_rawseti(L, SETTINGS, (lua_Integer)lua_rawlen(L, SETTINGS) + 1);
	}
	scratch_give(L, SCRATCH);
	if (item == MAIN_CF_NO_MEMORY)
		return luaL_error(L, "not enough memory");
	lua_pop(L, 1);
	return 2;
}

/* A name that read_parameters looks for; the string stays on the stack at `index`. */
struct wanted {
	const char *name;
	size_t length;
	int index;
};

/* push_wanted - push the names of the list at an index, then the array of them; *count: how many */
static struct wanted *push_wanted(lua_State *L, int names, size_t *count)
{
	lua_Integer size = luaL_len(L, names);
	struct wanted *wanted;
	int first = lua_gettop(L) + 1;

	luaL_argcheck(L, size >= 0 && size < INT_MAX / 2, names, "too many names");
	luaL_checkstack(L, (int)size + LUA_MINSTACK, "too many names");
	for (lua_Integer i = 1; i <= size; i++)
		if (lua_geti(L, names, i) != LUA_TSTRING)
			luaL_argerror(L, names, "a list of strings expected");
	wanted = lua_newuserdatauv(L, ((size_t)size + 1) * sizeof *wanted, 0);
	for (int i = 0; i < (int)size; i++) {
		wanted[i].index = first + i;
		wanted[i].name = lua_tolstring(L, first + i, &wanted[i].length);
	}
	*count = (size_t)size;
	return wanted;
}

/* push_name - push the name of a setting if it is wanted, one of the pushed strings where there is a list */
static bool push_name(lua_State *L, const struct main_cf_setting *setting, const struct wanted *wanted, size_t count)
{
	if (wanted == NULL) {
		lua_pushlstring(L, setting->name, setting->name_length);
		return true;
	}
	for (size_t i = 0; i < count; i++) {
		if (wanted[i].length == setting->name_length &&
		    memcmp(wanted[i].name, setting->name, setting->name_length) == 0) {
			lua_pushvalue(L, wanted[i].index);
			return true;
		}
	}
	return false;
}

/* read_failure - nil, reason, errno, kind */
static int read_failure(lua_State *L, const struct fault *fault, enum read_file_kind kind)
{
	static const char *const name[] = {
		[READ_FILE_MISSING] = "missing",     [READ_FILE_UNREADABLE] = "unreadable",
		[READ_FILE_CHANGING] = "changing",   [READ_FILE_TOO_LARGE] = "too large",
		[READ_FILE_NOT_A_FILE] = "not a file",
	};

	(void)bind_failure(L, fault);
	lua_pushstring(L, name[kind]);
	return 4;
}

/* core_read_parameters - values of a file by name */
static int core_read_parameters(lua_State *L)
{
	const char *path = luaL_checkstring(L, 1);
	enum { NAMES = 2, SCRATCH, VALUES, REMARKS };
	const struct wanted *wanted = NULL;
	struct scratch *scratch;
	struct main_cf_setting setting;
	enum read_file_kind kind;
	enum main_cf_item item;
	size_t count = 0;
	struct fault fault;
	bool malformed = false;

	if (!lua_isnoneornil(L, NAMES))
		luaL_checktype(L, NAMES, LUA_TTABLE);
	lua_settop(L, NAMES);
	scratch = scratch_take(L);
	lua_createtable(L, 0, lua_isnil(L, NAMES) ? MANY : 0);
	lua_newtable(L);
	if (!lua_isnil(L, NAMES))
		wanted = push_wanted(L, NAMES, &count);
	kind = read_file(path, &scratch->text, &fault);
	if (kind != READ_FILE_OK) {
		scratch_give(L, SCRATCH);
		return read_failure(L, &fault, kind);
	}
	main_cf_open(&scratch->reader, scratch->text.data, scratch->text.length);
	while ((item = main_cf_next(&scratch->reader, &setting)) > 0) {
		if (item == MAIN_CF_NO_EQUALS || item == MAIN_CF_NO_NAME) {
			if (!malformed)
				(void)main_cf_malformed(&fault, path, item, &setting);
			malformed = true;
			continue;
		}
		add_line_remarks(L, REMARKS, scratch, path, item, &setting);
		if (item == MAIN_CF_SETTING && push_name(L, &setting, wanted, count))
			store_value(L, VALUES, REMARKS, scratch, path, &setting);
	}
	scratch_give(L, SCRATCH);
	if (item == MAIN_CF_NO_MEMORY) {
		(void)fault_set(&fault, ENOMEM, "%s: %s", path, strerror(ENOMEM));
		return read_failure(L, &fault, READ_FILE_UNREADABLE);
	}
	if (malformed) {
		(void)bind_failure(L, &fault);
		lua_pushliteral(L, "malformed");
		lua_pushvalue(L, VALUES);
		return 5;
	}
	lua_pushvalue(L, VALUES);
	lua_pushvalue(L, REMARKS);
	return 2;
}

#define PLAIN_MAX 8 /* names that read_plain takes */

/* A value that read_plain looks for, and what is found of it. */
struct plain {
	const char *name, *value; /* value: NULL, not set */
	size_t name_length, value_length;
};

/* is_plain - is a value what it says: no expression, no blank, all of it in one line of `text`? */
static bool is_plain(const struct buffer *text, const struct main_cf_setting *setting)
{
	if (setting->value < text->data || setting->value > text->data + text->length) /* it is joined from lines */
		return false;
	for (size_t i = 0; i < setting->value_length; i++)
		if (setting->value[i] == '$' || config_is_blank(setting->value[i]))
			return false;
	return true;
}

/* keep_plain - note the value of a setting, if it is wanted; false: it is not plain, or there is another one */
static bool keep_plain(const struct buffer *text, const struct main_cf_setting *setting, struct plain *wanted,
		       int count)
{
	for (int i = 0; i < count; i++) {
		if (wanted[i].name_length != setting->name_length ||
		    memcmp(wanted[i].name, setting->name, setting->name_length) != 0)
			continue;
		if (wanted[i].value != NULL || !is_plain(text, setting))
			return false;
		wanted[i].value = setting->value;
		wanted[i].value_length = setting->value_length;
		return true;
	}
	return true;
}

/* read_plain - fill in the values of a file; false: there is something to say about it or them */
static bool read_plain(struct scratch *scratch, struct plain *wanted, int count)
{
	const char *path = scratch->message.data;
	struct main_cf_setting setting;
	enum main_cf_item item;
	struct fault fault;

	if (buffer_failed(&scratch->message) || read_file(path, &scratch->text, &fault) != READ_FILE_OK)
		return false;
	main_cf_open(&scratch->reader, scratch->text.data, scratch->text.length);
	while ((item = main_cf_next(&scratch->reader, &setting)) == MAIN_CF_SETTING && !setting.nul)
		if (!keep_plain(&scratch->text, &setting, wanted, count))
			return false;
	return item == MAIN_CF_END;
}

/* core_read_plain - the values of a file that has nothing special */
static int core_read_plain(lua_State *L)
{
	enum { DIRECTORY = 1, SUFFIX = 2 };
	const char *directory = luaL_checkstring(L, DIRECTORY), *suffix = luaL_checkstring(L, SUFFIX);
	struct plain wanted[PLAIN_MAX];
	int count = lua_gettop(L) - SUFFIX;
	struct scratch *scratch;
	bool plain;

	luaL_argcheck(L, count <= PLAIN_MAX, SUFFIX + PLAIN_MAX + 1, "too many names");
	for (int i = 0; i < count; i++) {
		wanted[i].name = luaL_checklstring(L, SUFFIX + 1 + i, &wanted[i].name_length);
		wanted[i].value = NULL;
	}
	scratch = scratch_take(L);
	buffer_reset(&scratch->message);
	buffer_add_string(&scratch->message, directory);
	buffer_add_string(&scratch->message, suffix);
	plain = read_plain(scratch, wanted, count);
	lua_pushboolean(L, plain);
	for (int i = 0; plain && i < count; i++) {
		if (wanted[i].value != NULL)
			lua_pushlstring(L, wanted[i].value, wanted[i].value_length);
		else
			lua_pushnil(L);
	}
	scratch_give(L, SUFFIX + count + 1);
	return plain ? 1 + count : 1;
}

/* check_operation - the operation that the string on the top of the stack names; popped */
static enum main_cf_operation check_operation(lua_State *L, lua_Integer row)
{
	static const char *const name[] = {
		[MAIN_CF_SET] = "set", [MAIN_CF_REMOVE] = "remove", [MAIN_CF_COMMENT] = "comment"
	};
	const char *got = lua_tostring(L, -1);

	for (size_t i = 0; got != NULL && i < sizeof name / sizeof name[0]; i++) {
		if (strcmp(got, name[i]) == 0) {
			lua_pop(L, 1);
			return (enum main_cf_operation)i;
		}
	}
	luaL_error(L, "edit %I: operation must be \"set\", \"remove\" or \"comment\"", (LUAI_UACINT)row);
	return MAIN_CF_SET;
}

/* push_string - push field `field` of the table at an index as a string that stays on the stack */
static const char *push_string(lua_State *L, int row, int field, size_t *length, const char *what)
{
	const char *string;

	(void)lua_geti(L, row, field);
	string = lua_tolstring(L, -1, length);
	if (string == NULL)
		luaL_error(L, "edit: %s must be a string, not %s", what, luaL_typename(L, -1));
	return string;
}

/* push_edits - push the strings of the list of edits at an index, then the array made of it */
static struct main_cf_edit *push_edits(lua_State *L, int list, size_t *count)
{
	lua_Integer size;
	struct main_cf_edit *edits;

	luaL_checktype(L, list, LUA_TTABLE);
	size = luaL_len(L, list);
	luaL_argcheck(L, size >= 0 && size < INT_MAX / 4, list, "too many edits");
	luaL_checkstack(L, 3 * (int)size + LUA_MINSTACK, "too many edits");
	edits = lua_newuserdatauv(L, ((size_t)size + 1) * sizeof *edits, 0);
	for (lua_Integer i = 1; i <= size; i++) {
		struct main_cf_edit *edit = &edits[i - 1];
		int row;

		if (lua_geti(L, list, i) != LUA_TTABLE)
			luaL_error(L, "edit %I: a table expected", (LUAI_UACINT)i);
		row = lua_gettop(L);
		*edit = (struct main_cf_edit){ .value = "" };
		(void)lua_geti(L, row, 1);
		edit->operation = check_operation(L, i);
		edit->name = push_string(L, row, 2, &edit->name_length, "a name");
		if (edit->operation == MAIN_CF_SET)
			edit->value = push_string(L, row, 3, &edit->value_length, "the value of \"set\"");
	}
	*count = (size_t)size;
	return edits;
}

/* core_edit_main - the text after some edits */
static int core_edit_main(lua_State *L)
{
	size_t length, count;
	const char *text = luaL_checklstring(L, 1, &length);
	const char *path = luaL_optstring(L, 3, NULL);
	enum { EDITS = 2, SCRATCH = 4, REMARKS };
	struct scratch *scratch;
	struct main_cf_edit *edits;
	struct fault fault;

	lua_settop(L, 3);
	scratch = scratch_take(L);
	lua_newtable(L);
	edits = push_edits(L, EDITS, &count);
	buffer_reset(&scratch->text);
	if (main_cf_apply(text, length, edits, count, &scratch->text, &fault) < 0) {
		scratch_give(L, SCRATCH);
		return bind_failure(L, &fault);
	}
	for (size_t i = 0; i < count; i++)
		if (edits[i].multiple > 0)
			add_remark(L, REMARKS, scratch, path, edits[i].multiple, MAIN_CF_MULTIPLE, edits[i].name,
				   edits[i].name_length);
	push_text(L, &scratch->text);
	lua_pushvalue(L, REMARKS);
	scratch_give(L, SCRATCH);
	return 2;
}

/* is_squeezed - does a value have no blank at all, as most? */
static bool is_squeezed(const char *value, size_t length)
{
	for (size_t i = 0; i < length; i++)
		if (value[i] == ' ' || (value[i] >= '\t' && value[i] <= '\r'))
			return false;
	return true;
}

/* core_squeeze - a value as postconf prints it */
static int core_squeeze(lua_State *L)
{
	size_t length;
	const char *value = luaL_checklstring(L, 1, &length);
	struct scratch *scratch;

	lua_settop(L, 1);
	if (is_squeezed(value, length))
		return 1;
	scratch = scratch_take(L);
	buffer_reset(&scratch->text);
	main_cf_squeeze(&scratch->text, value, length);
	push_text(L, &scratch->text);
	scratch_give(L, 2);
	return 1;
}

const luaL_Reg bind_main_cf[] = {
	{ "parse_main", core_parse_main },
	{ "read_parameters", core_read_parameters },
	{ "read_plain", core_read_plain },
	{ "edit_main", core_edit_main },
	{ "squeeze", core_squeeze },
	{ NULL, NULL },
};
