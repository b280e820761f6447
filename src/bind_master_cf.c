#include "bind.h"

#include <stdlib.h>
#include <string.h>

#include "config_text.h"
#include "master_cf.h"
#include "master_edit.h"

#define SCRATCH_TYPE "postmulti.master_cf"

/* What C holds while Lua may raise. */
struct scratch {
	struct config_reader reader;
	struct master_service service;
	struct buffer buffer;
};

/* scratch_gc - release what C holds */
static int scratch_gc(lua_State *L)
{
	struct scratch *scratch = luaL_checkudata(L, 1, SCRATCH_TYPE);

	config_text_close(&scratch->reader);
	master_service_free(&scratch->service);
	buffer_free(&scratch->buffer);
	return 0;
}

/* push_scratch - a collected place for what is from malloc */
static struct scratch *push_scratch(lua_State *L)
{
	static const luaL_Reg functions[] = { { "__gc", scratch_gc }, { NULL, NULL } };
	struct scratch *scratch = lua_newuserdatauv(L, sizeof *scratch, 0);

	config_text_open(&scratch->reader, "", 0);
	scratch->service = (struct master_service)MASTER_SERVICE_INIT;
	scratch->buffer = (struct buffer)BUFFER_INIT;
	bind_metatable(L, SCRATCH_TYPE, functions);
	lua_setmetatable(L, -2);
	return scratch;
}

/* push_buffer - a buffer's contents; raises when it could not hold them */
static void push_buffer(lua_State *L, const struct buffer *buffer)
{
	if (buffer_failed(buffer))
		luaL_error(L, "not enough memory");
	lua_pushlstring(L, buffer->data, buffer->length);
}

/* add_remark - append { kind, line, text } to the table at `remarks`; the text is on the stack and popped */
static void add_remark(lua_State *L, int remarks, const char *kind, size_t line)
{
	lua_createtable(L, 0, 3);
	lua_insert(L, -2);
	lua_setfield(L, -2, "text");
	lua_pushstring(L, kind);
	lua_setfield(L, -2, "kind");
	lua_pushinteger(L, (lua_Integer)line);
	lua_setfield(L, -2, "line");
	lua_rawseti(L, remarks, (lua_Integer)lua_rawlen(L, remarks) + 1);
}

/* remark - append a remark on a line */
static void remark(lua_State *L, int remarks, const char *path, const char *kind, size_t line, const char *what)
{
	lua_pushfstring(L, "%s, line %I: %s", path, (lua_Integer)line, what);
	add_remark(L, remarks, kind, line);
}

/* push_arguments - the words of the command */
static void push_arguments(lua_State *L, const struct master_words *words)
{
	lua_createtable(L, (int)words->count, 0);
	for (size_t i = 0; i < words->count; i++) {
		lua_pushstring(L, words->item[i]);
		lua_rawseti(L, -2, (lua_Integer)i + 1);
	}
}

/* push_overrides - { name, value } of each -o */
static void push_overrides(lua_State *L, const struct master_service *service)
{
	struct master_override override;
	size_t position = 0;

	lua_newtable(L);
	while (master_service_next_override(service, &position, &override)) {
		lua_createtable(L, 2, 0);
		lua_pushlstring(L, override.name, override.name_length);
		lua_rawseti(L, -2, 1);
		lua_pushlstring(L, override.value, override.value_length);
		lua_rawseti(L, -2, 2);
		lua_rawseti(L, -2, (lua_Integer)lua_rawlen(L, -2) + 1);
	}
}

/* push_service - one postmulti.Service */
static void push_service(lua_State *L, struct scratch *scratch, size_t line)
{
	static const struct {
		const char *key;
		enum master_field field;
	} row[] = {
		{ "name", MASTER_NAME },     { "type", MASTER_TYPE },     { "private", MASTER_PRIVATE },
		{ "chroot", MASTER_CHROOT }, { "wakeup", MASTER_WAKEUP }, { "process_limit", MASTER_PROCESS_LIMIT },
		{ "unprivileged", MASTER_UNPRIVILEGED },
	};

	lua_createtable(L, 0, 11);
	for (size_t i = 0; i < sizeof row / sizeof row[0]; i++) {
		lua_pushstring(L, scratch->service.field[row[i].field]);
		lua_setfield(L, -2, row[i].key);
	}
	buffer_reset(&scratch->buffer);
	master_service_write_command(&scratch->service, &scratch->buffer);
	push_buffer(L, &scratch->buffer);
	lua_setfield(L, -2, "command");
	push_arguments(L, &scratch->service.words);
	lua_setfield(L, -2, "arguments");
	push_overrides(L, &scratch->service);
	lua_setfield(L, -2, "overrides");
	lua_pushinteger(L, (lua_Integer)line);
	lua_setfield(L, -2, "line");
}

/* remark_entry - what is odd about an entry that can be used */
static void remark_entry(lua_State *L, int remarks, const char *path, const struct config_entry *entry,
			 enum master_brace brace)
{
	if (memchr(entry->text, '\0', entry->length) != NULL)
		remark(L, remarks, path, "nul", entry->line, "text after a NUL byte is not read");
	if (brace == MASTER_BRACE_OPEN)
		remark(L, remarks, path, "braces", entry->line, "an argument's { is not closed");
	if (brace == MASTER_BRACE_REST)
		remark(L, remarks, path, "braces", entry->line, "text after the } of an argument is not read");
}

/* malformed - nil, reason, 0, line */
static int malformed(lua_State *L, const char *path, size_t line, const struct fault *reason)
{
	struct fault fault;

	if (reason->number != 0)
		return bind_failure(L, reason);
	fault_set(&fault, 0, "%s, line %zu: %s", path, line, reason->text);
	lua_pushinteger(L, (lua_Integer)line);
	lua_insert(L, 1);
	bind_failure(L, &fault);
	lua_pushvalue(L, 1);
	return 4;
}

/* core.parse_master(text, path) */
static int parse_master(lua_State *L)
{
	size_t length;
	const char *text = luaL_checklstring(L, 1, &length);
	const char *path = luaL_optstring(L, 2, "master.cf");
	struct scratch *scratch;
	struct config_entry entry;
	enum master_brace brace;
	struct fault fault;
	int found;

	lua_settop(L, 2);
	scratch = push_scratch(L);
	lua_newtable(L); /* 4: services */
	lua_newtable(L); /* 5: remarks */
	config_text_open(&scratch->reader, text, length);
	while ((found = config_text_entry(&scratch->reader, &entry)) > 0) {
		if (entry.leading_blank) {
			remark(L, 5, path, "continuation", entry.line,
			       "an entry must not start with a blank; this one is not read");
			continue;
		}
		if (master_service_parse(&scratch->service, entry.text, entry.length, &brace, &fault) < 0)
			return malformed(L, path, entry.line, &fault);
		remark_entry(L, 5, path, &entry, brace);
		push_service(L, scratch, entry.line);
		lua_rawseti(L, 4, (lua_Integer)lua_rawlen(L, 4) + 1);
		master_service_free(&scratch->service);
	}
	if (found < 0)
		return luaL_error(L, "not enough memory");
	return 2;
}

/* check_operation - by name, and whether it has a value */
static enum master_operation check_operation(lua_State *L, int index, bool *has_value)
{
	static const struct {
		const char *name;
		enum master_operation operation;
		bool has_value;
	} row[] = {
		{ "service", MASTER_SET_SERVICE, true },
		{ "remove-service", MASTER_REMOVE_SERVICE, false },
		{ "comment-service", MASTER_COMMENT_SERVICE, false },
		{ "field", MASTER_SET_FIELD, true },
		{ "override", MASTER_SET_OVERRIDE, true },
		{ "remove-override", MASTER_REMOVE_OVERRIDE, false },
	};
	const char *name = lua_type(L, index) == LUA_TSTRING ? lua_tostring(L, index) : "";

	for (size_t i = 0; i < sizeof row / sizeof row[0]; i++) {
		if (strcmp(name, row[i].name) == 0) {
			*has_value = row[i].has_value;
			return row[i].operation;
		}
	}
	luaL_argerror(L, 2, lua_pushfstring(L, "unknown operation \"%s\"", name));
	return MASTER_SET_SERVICE;
}

/* check_text - a string of an edit; its table, an argument, keeps it */
static const char *check_text(lua_State *L, int index, size_t *length, const char *what)
{
	if (lua_type(L, index) != LUA_TSTRING)
		luaL_argerror(L, 2, lua_pushfstring(L, "an edit's %s must be a string", what));
	return lua_tolstring(L, index, length);
}

/* check_edit - { operation, selector, value }, edit number i of argument 2 */
static void check_edit(lua_State *L, lua_Integer i, struct master_edit *edit)
{
	int top = lua_gettop(L);
	bool has_value = false;

	lua_rawgeti(L, 2, i);
	luaL_argcheck(L, lua_istable(L, -1), 2, "an edit must be a table");
	for (int part = 1; part <= 3; part++)
		lua_rawgeti(L, top + 1, part);
	*edit = (struct master_edit){ .operation = check_operation(L, top + 2, &has_value), .value = "" };
	edit->selector = check_text(L, top + 3, &edit->selector_length, "selector");
	if (has_value)
		edit->value = check_text(L, top + 4, &edit->value_length, "value");
	lua_settop(L, top);
}

/* remark_unmatched - an edit for which there was no service */
static void remark_unmatched(lua_State *L, int remarks, const char *path, const struct master_edit *edit)
{
	lua_pushfstring(L, "%s: no service matches ", path);
	lua_pushlstring(L, edit->selector, edit->selector_length);
	lua_concat(L, 2);
	add_remark(L, remarks, "unmatched", 0);
}

/* core.edit_master(text, edits, path) */
static int edit_master(lua_State *L)
{
	size_t length;
	const char *text = luaL_checklstring(L, 1, &length);
	const char *path = luaL_optstring(L, 3, "master.cf");
	struct scratch *scratch;
	struct master_edit *edits;
	struct fault fault;
	size_t count;

	luaL_checktype(L, 2, LUA_TTABLE);
	lua_settop(L, 3);
	count = lua_rawlen(L, 2);
	scratch = push_scratch(L);
	edits = lua_newuserdatauv(L, count * sizeof *edits + 1, 0);
	for (size_t i = 0; i < count; i++)
		check_edit(L, (lua_Integer)i + 1, &edits[i]);
	if (master_edit_apply(text, length, path, edits, count, &scratch->buffer, &fault) < 0)
		return bind_failure(L, &fault);
	push_buffer(L, &scratch->buffer);
	lua_newtable(L);
	for (size_t i = 0; i < count; i++) {
		if (edits[i].unmatched)
			remark_unmatched(L, 7, path, &edits[i]);
	}
	return 2;
}

const luaL_Reg bind_master_cf[] = {
	{ "parse_master", parse_master },
	{ "edit_master", edit_master },
	{ NULL, NULL },
};
