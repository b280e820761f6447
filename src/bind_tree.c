#define _GNU_SOURCE
#include "bind.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "append.h"
#include "beneath.h"
#include "bind_box.h"
#include "bind_option.h"
#include "checksum.h"
#include "permissions.h"
#include "scan.h"
#include "sync.h"
#include "sys.h"
#include "tree.h"
#include "tree_remove.h"

/* check_name - a path that beneath_clean() takes */
static const char *check_name(lua_State *L, int arg)
{
	const char *name = bind_string(L, arg);

	luaL_argcheck(L, beneath_valid(name), arg, "not a relative path without \"..\"");
	return name;
}

/* option_id - a user or group id from the table at ARG; absent: -1, leave as it is */
static unsigned option_id(lua_State *L, int arg, const char *name)
{
	return (unsigned)bind_option_integer(L, arg, name, UINT_MAX - 1, UINT_MAX);
}

/* set_integer - a field of the table on top */
static void set_integer(lua_State *L, const char *name, lua_Integer value)
{
	lua_pushinteger(L, value);
	lua_setfield(L, -2, name);
}

/* core.stat(path, follow) */
static int bind_stat(lua_State *L)
{
	const char *path = bind_string(L, 1);
	enum tree_links links = TREE_FOLLOW;
	struct fault fault;
	struct stat st;

	if (!lua_isnoneornil(L, 2)) {
		luaL_checktype(L, 2, LUA_TBOOLEAN);
		links = lua_toboolean(L, 2) ? TREE_FOLLOW : TREE_DONT_FOLLOW;
	}
	if (tree_stat(path, links, &st, &fault) < 0)
		return bind_failure(L, &fault);
	lua_createtable(L, 0, 9);
	lua_pushstring(L, scan_type_name(scan_type(st.st_mode)));
	lua_setfield(L, -2, "type");
	set_integer(L, "mode", st.st_mode & 07777);
	set_integer(L, "uid", st.st_uid);
	set_integer(L, "gid", st.st_gid);
	set_integer(L, "size", st.st_size);
	set_integer(L, "links", (lua_Integer)st.st_nlink);
	set_integer(L, "device", (lua_Integer)st.st_dev);
	set_integer(L, "inode", (lua_Integer)st.st_ino);
	lua_pushnumber(L, (lua_Number)st.st_mtim.tv_sec + (lua_Number)st.st_mtim.tv_nsec / 1e9);
	lua_setfield(L, -2, "mtime");
	return 1;
}

/* core.read_file(path) */
static int bind_read_file(lua_State *L)
{
	const char *path = bind_string(L, 1);
	struct buffer *text = bind_box(L);
	struct fault fault;

	if (tree_read_file(path, text, &fault) < 0)
		return bind_failure(L, &fault);
	lua_pushlstring(L, text->data, text->length);
	buffer_free(text);
	return 1;
}

/* core.list(path) */
static int bind_list(lua_State *L)
{
	const char *path = bind_string(L, 1);
	struct buffer *text = bind_box(L), *index = bind_box(L);
	const char *const *record;
	struct fault fault;
	size_t count;

	if (tree_list(path, text, index, &fault) < 0)
		return bind_failure(L, &fault);
	record = (const void *)index->data;
	count = index->length / sizeof *record;
	lua_createtable(L, count < INT_MAX ? (int)count : 0, 0);
	for (size_t i = 0; i < count; i++) {
		lua_createtable(L, 0, 2);
		lua_pushstring(L, record[i] + 1);
		lua_setfield(L, -2, "name");
		lua_pushstring(L, scan_type_name((unsigned char)record[i][0]));
		lua_setfield(L, -2, "type");
		lua_rawseti(L, -2, (lua_Integer)i + 1);
	}
	buffer_free(index);
	buffer_free(text);
	return 1;
}

/* core.real_path(path) */
static int bind_real_path(lua_State *L)
{
	const char *path = bind_string(L, 1);
	struct buffer *real = bind_box(L);
	struct fault fault;

	if (tree_real_path(path, real, &fault) < 0)
		return bind_failure(L, &fault);
	lua_pushstring(L, real->data);
	buffer_free(real);
	return 1;
}

/* list_strings - in protected mode: a list of what the buffer at 1 holds, each string with its NUL */
static int list_strings(lua_State *L)
{
	const struct buffer *strings = lua_touserdata(L, 1);
	lua_Integer count = 0;

	lua_newtable(L);
	for (size_t at = 0; at < strings->length; at += strlen(strings->data + at) + 1) {
		lua_pushstring(L, strings->data + at);
		lua_rawseti(L, -2, ++count);
	}
	return 1;
}

/* unmake - remove directories just made, innermost first */
static void unmake(const struct buffer *created)
{
	struct fault fault;

	for (size_t at = created->length; at > 0;) {
		at--;
		while (at > 0 && created->data[at - 1] != '\0')
			at--;
		(void)tree_rmdir(created->data + at, &fault);
	}
}

/* core.make_path(path, options) */
static int bind_make_path(lua_State *L)
{
	const char *path = bind_string(L, 1);
	struct buffer *created;
	struct tree_make make;
	struct fault fault;

	luaL_argcheck(L, *path == '/', 1, "not an absolute path");
	bind_options(L, 2);
	make.mode = (mode_t)bind_option_integer(L, 2, "mode", 07777, 0755);
	make.parents_mode = (mode_t)bind_option_integer(L, 2, "parents_mode", 07777, 0755);
	make.uid = option_id(L, 2, "uid");
	make.gid = option_id(L, 2, "gid");
	make.sync_later = bind_option_boolean(L, 2, "sync_later");
	created = bind_box(L);
	if (tree_make_path(path, &make, created, &fault) < 0)
		return bind_failure(L, &fault);
	lua_pushcfunction(L, list_strings);
	lua_pushvalue(L, -2);
	if (lua_pcall(L, 1, 1, 0) != LUA_OK) {
		unmake(created); /* nobody would know of them */
		return lua_error(L);
	}
	buffer_free(created);
	return 1;
}

/* core.set_permissions(base, name, options) */
static int bind_set_permissions(lua_State *L)
{
	static const char *const type[] = { "directory", "file", NULL };
	const char *base = bind_string(L, 1), *name = lua_isnil(L, 2) ? NULL : check_name(L, 2);
	struct permissions want;
	struct fault fault;
	lua_Integer mode;
	int done;

	luaL_checktype(L, 3, LUA_TTABLE);
	lua_settop(L, 3);
	want.directory = bind_option_choice(L, 3, "type", type, -1) == 0;
	want.uid = option_id(L, 3, "uid");
	want.gid = option_id(L, 3, "gid");
	mode = bind_option_integer(L, 3, "mode", 07777, -1);
	want.set_mode = mode >= 0;
	want.mode = mode >= 0 ? (mode_t)mode : 0;
	want.create = bind_option_boolean(L, 3, "create");
	want.recursive = bind_option_boolean(L, 3, "recursive");
	luaL_argcheck(L, want.directory || !(want.create || want.recursive), 3,
		      "'create' and 'recursive' are for directories");
	luaL_argcheck(L, name != NULL || !want.create, 3, "'create' needs a name beneath the base");
	/* Before the work, in the order of the outcomes: once it is done nothing may raise. */
	lua_pushliteral(L, "unchanged");
	lua_pushliteral(L, "changed");
	lua_pushliteral(L, "created");
	done = permissions_set(base, name, &want, &fault);
	if (done < 0)
		return bind_failure(L, &fault);
	lua_pushvalue(L, done - PERMISSIONS_CREATED - 1);
	return 1;
}

/* core.count_files(base, name) */
static int bind_count_files(lua_State *L)
{
	struct fault fault;
	long count = tree_count_files(bind_string(L, 1), check_name(L, 2), &fault);

	if (count < 0)
		return bind_failure(L, &fault);
	lua_pushinteger(L, count);
	return 1;
}

/* on_path - a function of one path that gives true */
static int on_path(lua_State *L, int (*function)(const char *path, struct fault *fault))
{
	struct fault fault;

	if (function(bind_string(L, 1), &fault) < 0)
		return bind_failure(L, &fault);
	lua_pushboolean(L, true);
	return 1;
}

/* core.unlink(path) */
static int bind_unlink(lua_State *L)
{
	return on_path(L, tree_unlink);
}

/* core.rmdir(path) */
static int bind_rmdir(lua_State *L)
{
	return on_path(L, tree_rmdir);
}

/* core.rename(from, to) */
static int bind_rename(lua_State *L)
{
	struct fault fault;

	if (tree_rename(bind_string(L, 1), bind_string(L, 2), &fault) < 0)
		return bind_failure(L, &fault);
	lua_pushboolean(L, true);
	return 1;
}

/* sync_list - core.sync(paths) */
static int sync_list(lua_State *L)
{
	size_t count = lua_rawlen(L, 1);
	const char **paths = lua_newuserdatauv(L, (count + 1) * sizeof *paths, 0);
	struct fault fault;

	for (size_t i = 0; i < count; i++) {
		(void)lua_rawgeti(L, 1, (lua_Integer)i + 1);
		luaL_argcheck(L, lua_type(L, -1) == LUA_TSTRING, 1, "a list of paths is expected");
		paths[i] = lua_tostring(L, -1); /* the list keeps it */
		lua_pop(L, 1);
	}
	if (sync_paths(paths, count, &fault) < 0)
		return bind_failure(L, &fault);
	lua_pushboolean(L, true);
	return 1;
}

/* core.sync(path or paths) */
static int bind_sync(lua_State *L)
{
	return lua_istable(L, 1) ? sync_list(L) : on_path(L, sync_path);
}

/* core.append_file(path, text, options) */
static int bind_append_file(lua_State *L)
{
	const char *path = bind_string(L, 1);
	size_t length;
	const char *text = luaL_checklstring(L, 2, &length);
	enum append_sync sync;
	struct fault fault;
	off_t at;

	bind_options(L, 3);
	sync = bind_option_boolean(L, 3, "sync_later") ? APPEND_LATER : APPEND_SYNC;
	at = append_file(path, text, length, sync, &fault);
	if (at < 0)
		return bind_failure(L, &fault);
	lua_pushinteger(L, at);
	return 1;
}

/* core.checksum(text) */
static int bind_checksum(lua_State *L)
{
	size_t length;
	const char *text = luaL_checklstring(L, 1, &length);
	char digits[17];

	(void)snprintf(digits, sizeof digits, "%016" PRIx64, checksum(text, length));
	lua_pushstring(L, digits);
	return 1;
}

/* A question to the Lua function `keep`: what tree_remove() hands through to call_keep(). */
struct question {
	lua_State *L;
	int function; /* stack index of it */
	bool raised;  /* the error is on top of the stack */
	const char *relative, *type;
};

/* ask_keep - in protected mode: everything that may raise */
static int ask_keep(lua_State *L)
{
	const struct question *question = lua_touserdata(L, 2);

	lua_settop(L, 1);
	lua_pushstring(L, question->relative);
	lua_pushstring(L, question->type);
	lua_call(L, 2, 1);
	return 1;
}

/* call_keep - a tree_keep; nothing can raise across the removal's descriptors */
static int call_keep(void *context, const char *relative, const char *type, struct fault *fault)
{
	struct question *question = context;
	lua_State *L = question->L;
	int answer;

	question->relative = relative;
	question->type = type;
	lua_pushcfunction(L, ask_keep);
	lua_pushvalue(L, question->function);
	lua_pushlightuserdata(L, question);
	if (lua_pcall(L, 2, 1, 0) != LUA_OK) {
		question->raised = true;
		return fault_set(fault, 0, "keep");
	}
	answer = lua_toboolean(L, -1);
	lua_pop(L, 1);
	return answer;
}

/* core.remove_tree(base, name, options) */
static int bind_remove_tree(lua_State *L)
{
	const char *base = bind_string(L, 1), *name = check_name(L, 2);
	struct question question = { .L = L, .function = 4 };
	struct fault fault;
	long removed;
	int type;

	bind_options(L, 3);
	type = lua_getfield(L, 3, "keep");
	luaL_argcheck(L, type == LUA_TNIL || type == LUA_TFUNCTION, 3, "option 'keep' must be a function");
	luaL_checkstack(L, 8, NULL);
	removed = tree_remove(base, name, type == LUA_TNIL ? NULL : call_keep, &question, &fault);
	if (question.raised)
		return lua_error(L);
	if (removed < 0)
		return bind_failure(L, &fault);
	lua_pushinteger(L, removed);
	return 1;
}

/* core.umask(mask) */
static int bind_umask(lua_State *L)
{
	lua_Integer mask = luaL_checkinteger(L, 1);

	luaL_argcheck(L, mask >= 0 && mask <= 0777, 1, "not a mode from 0 to 0777");
	lua_pushinteger(L, umask((mode_t)mask));
	return 1;
}

/* core.effective_uid() */
static int bind_effective_uid(lua_State *L)
{
	lua_pushinteger(L, geteuid());
	return 1;
}

/* core.working_directory() */
static int bind_working_directory(lua_State *L)
{
	char path[PATH_MAX];
	struct fault fault;

	if (sys->getcwd(path, sizeof path) == NULL) {
		(void)fault_errno(&fault, "current directory");
		return bind_failure(L, &fault);
	}
	lua_pushstring(L, path);
	return 1;
}

/* core.hostname() */
static int bind_hostname(lua_State *L)
{
	struct utsname name;

	lua_pushstring(L, uname(&name) == 0 ? name.nodename : "localhost");
	return 1;
}

const luaL_Reg bind_tree[] = {
	{ "stat", bind_stat },
	{ "read_file", bind_read_file },
	{ "list", bind_list },
	{ "real_path", bind_real_path },
	{ "make_path", bind_make_path },
	{ "set_permissions", bind_set_permissions },
	{ "count_files", bind_count_files },
	{ "unlink", bind_unlink },
	{ "rmdir", bind_rmdir },
	{ "remove_tree", bind_remove_tree },
	{ "sync", bind_sync },
	{ "rename", bind_rename },
	{ "append_file", bind_append_file },
	{ "checksum", bind_checksum },
	{ "umask", bind_umask },
	{ "effective_uid", bind_effective_uid },
	{ "working_directory", bind_working_directory },
	{ "hostname", bind_hostname },
	{ NULL, NULL },
};
