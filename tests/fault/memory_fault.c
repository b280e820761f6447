/*
 * memory_fault - each allocation that C makes fails once, or it and all that follow
 *
 *      memory_fault [DIRECTORY]        in the top directory, as root; default: /dev/shm
 *
 * malloc(3) and its kin are replaced in this program, so that whoever allocates
 * gets what is left of the memory: the C core, the C library within a call of
 * the core, and Lua. Each operation of memory_fault.lua is run in a fresh
 * interpreter with its 1st, 2nd, 3rd ... allocation refused until a run asks for
 * no more than that: once with all of them counted, and once without those of
 * Lua, whose collector makes room and asks again. The script then looks whether
 * the operation did its work whole, or not at all and said so. Afterwards no
 * descriptor may be open that was not before (and so no lock held), no child be
 * unwaited for, and no block be allocated.
 *
 * Prints "N faults, N bad"; status 1 when any is bad. A build with
 * AddressSanitizer leaves the looking for blocks to that.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>
#include <malloc.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "bind.h"
#include "loader.h"
#include "sys.h"

#define EXPORT __attribute__((visibility("default"), used))

#ifdef __SANITIZE_ADDRESS__
enum { COUNTS_BLOCKS = 0 };
#else
enum { COUNTS_BLOCKS = 1 };
#endif

static struct {
	bool armed, persistent;
	bool lua_too;       /* are the allocations of Lua counted? */
	long at;            /* refuse this one, from 1; 0: none */
	atomic_long count;  /* so far */
	atomic_bool hit;
	atomic_long blocks; /* allocated now */
} memory;

static struct {
	void *(*malloc)(size_t size);
	void *(*calloc)(size_t count, size_t size);
	void *(*realloc)(void *block, size_t size);
	void (*free)(void *block);
} real;

static long faults, bad;
static char *noted[8]; /* what a run without a fault has told, for the others */

/* ------------------------------------------------------------ allocations */

/* find_real - the functions that ours stand in front of */
static void find_real(void)
{
	void *symbol[] = { dlsym(RTLD_NEXT, "malloc"), dlsym(RTLD_NEXT, "calloc"), dlsym(RTLD_NEXT, "realloc"),
			   dlsym(RTLD_NEXT, "free") };

	memcpy(&real.malloc, &symbol[0], sizeof symbol[0]);
	memcpy(&real.calloc, &symbol[1], sizeof symbol[1]);
	memcpy(&real.realloc, &symbol[2], sizeof symbol[2]);
	memcpy(&real.free, &symbol[3], sizeof symbol[3]);
	if (real.malloc == NULL || real.calloc == NULL || real.realloc == NULL || real.free == NULL)
		abort();
}

/* is_refused - is the present allocation the one to fail? */
static bool is_refused(void)
{
	long count;

	if (real.malloc == NULL)
		find_real();
	if (!memory.armed)
		return false;
	count = atomic_fetch_add(&memory.count, 1) + 1;
	if (memory.at == 0 || (count != memory.at && !(memory.persistent && count > memory.at)))
		return false;
	atomic_store(&memory.hit, true);
	errno = ENOMEM;
	return true;
}

/* given - count a new block */
static void *given(void *block)
{
	if (block != NULL)
		(void)atomic_fetch_add(&memory.blocks, 1);
	return block;
}

EXPORT void *malloc(size_t size)
{
	return is_refused() ? NULL : given(real.malloc(size));
}

EXPORT void *calloc(size_t count, size_t size)
{
	return is_refused() ? NULL : given(real.calloc(count, size));
}

EXPORT void *realloc(void *block, size_t size)
{
	if (is_refused())
		return NULL;
	return block == NULL ? given(real.realloc(NULL, size)) : real.realloc(block, size);
}

EXPORT void free(void *block)
{
	if (block == NULL)
		return;
	(void)atomic_fetch_sub(&memory.blocks, 1);
	real.free(block);
}

/* A sanitizer has its own of these two, which call none of the above. */
EXPORT char *strndup(const char *text, size_t most)
{
	size_t length = strnlen(text, most);
	char *copy = malloc(length + 1);

	if (copy != NULL) {
		memcpy(copy, text, length);
		copy[length] = '\0';
	}
	return copy;
}

EXPORT char *strdup(const char *text)
{
	return strndup(text, strlen(text));
}

/* allocate - the interpreter's lua_Alloc */
static void *allocate(void *data, void *block, size_t old_size, size_t new_size)
{
	bool armed = memory.armed;
	void *result;

	(void)data;
	if (new_size == 0) {
		free(block);
		return NULL;
	}
	/* Lua relies on a block to become smaller without fail. */
	memory.armed = armed && memory.lua_too && (block == NULL || new_size > old_size);
	result = realloc(block, new_size);
	memory.armed = armed;
	return result;
}

/* ------------------------------------------------------- for the script */

/* attempt(f) - call it while allocations are counted: true and its results, or false and the error */
static int attempt(lua_State *L)
{
	int status;

	lua_settop(L, 1);
	memory.armed = true;
	status = lua_pcall(L, 0, LUA_MULTRET, 0);
	memory.armed = false;
	lua_pushboolean(L, status == LUA_OK);
	lua_insert(L, 1);
	return lua_gettop(L);
}

/* label(path) - an extended attribute, nil: it has none */
static int label(lua_State *L)
{
	char value[64];
	ssize_t length = getxattr(luaL_checkstring(L, 1), "trusted.label", value, sizeof value);

	if (length < 0)
		return 0;
	lua_pushlstring(L, value, (size_t)length);
	return 1;
}

/* note(number [, text]) - get, or set, something that outlives the state */
static int note(lua_State *L)
{
	lua_Integer at = luaL_checkinteger(L, 1);

	luaL_argcheck(L, at >= 0 && at < (lua_Integer)(sizeof noted / sizeof noted[0]), 1, "too large");
	if (lua_isnone(L, 2)) {
		lua_pushstring(L, noted[at]);
		return 1;
	}
	free(noted[at]);
	noted[at] = strdup(luaL_checkstring(L, 2));
	return 0;
}

/* is_dry - is this a run without a fault? */
static int is_dry(lua_State *L)
{
	lua_pushboolean(L, memory.at == 0);
	return 1;
}

/* set_symlink(target, path) */
static int set_symlink(lua_State *L)
{
	const char *path = luaL_checkstring(L, 2);

	return symlink(luaL_checkstring(L, 1), path) < 0 ? luaL_error(L, "%s: %s", path, strerror(errno)) : 0;
}

/* set_label(path, value) */
static int set_label(lua_State *L)
{
	const char *path = luaL_checkstring(L, 1), *value = luaL_checkstring(L, 2);

	if (setxattr(path, "trusted.label", value, strlen(value), 0) < 0)
		return luaL_error(L, "%s: %s", path, strerror(errno));
	return 0;
}

/* cold_preadv2 - no file is in memory, so that prefetching starts its threads */
static ssize_t cold_preadv2(int fd, const struct iovec *parts, int count, off_t offset, int flags)
{
	(void)fd;
	(void)parts;
	(void)count;
	(void)offset;
	(void)flags;
	errno = EAGAIN;
	return -1;
}

/* ------------------------------------------------------------------ runs */

/* complain - one that is bad */
static void complain(const char *operation, const char *what)
{
	bad++;
	if (bad <= 40)
		fprintf(stderr, "%s, allocation %ld%s%s: %s\n", operation, memory.at,
			memory.persistent ? " and on" : "", memory.lua_too ? " (Lua's counted)" : "", what);
}

/* count_descriptors - those open now */
static int count_descriptors(void)
{
	int count = 0;

	for (int fd = 0; fd < 64; fd++)
		count += fcntl(fd, F_GETFD) >= 0;
	return count;
}

/* play - everything that may raise: the operation named, or without one the list of names */
static int play(lua_State *L)
{
	static const luaL_Reg own[] = {
		{ "attempt", attempt }, { "note", note }, { "is_dry", is_dry }, { "label", label },
		{ "set_label", set_label }, { "symlink", set_symlink }, { NULL, NULL },
	};
	const char *operation = lua_touserdata(L, 1);

	luaL_openlibs(L);
	luaL_requiref(L, "postmulti.core", luaopen_postmulti_core, 0);
	luaL_requiref(L, "postmulti.loader", luaopen_postmulti_loader, 0);
	if (luaL_loadfile(L, getenv("MEMORY_FAULT_SCRIPT")) != LUA_OK)
		return lua_error(L);
	luaL_newlib(L, own);
	lua_pushstring(L, operation);
	lua_call(L, 2, 1);
	return 1;
}

/* start - run the script in a state of its own; its result is on the stack */
static lua_State *start(const char *operation)
{
	lua_State *L;

	memory.count = 0;
	memory.armed = memory.hit = false;
	L = lua_newstate(allocate, NULL);
	if (L == NULL)
		abort();
	lua_pushcfunction(L, play);
	lua_pushlightuserdata(L, (void *)(size_t)operation);
	if (lua_pcall(L, 1, 1, 0) != LUA_OK)
		complain(operation != NULL ? operation : "start", luaL_tolstring(L, -1, NULL));
	memory.armed = false;
	return L;
}

/* run - an operation, once; whether an allocation was refused */
static bool run(const char *operation)
{
	long blocks = memory.blocks;
	int descriptors = count_descriptors();
	lua_State *L = start(operation);

	if (lua_isstring(L, -1))
		complain(operation, lua_tostring(L, -1));
	lua_close(L);
	if (count_descriptors() != descriptors)
		complain(operation, "descriptors are left");
	if (waitpid(-1, NULL, WNOHANG) >= 0 || errno != ECHILD)
		complain(operation, "a child is left");
	if (COUNTS_BLOCKS && memory.at > 0 && memory.blocks != blocks)
		complain(operation, "memory is left");
	faults += memory.hit;
	return memory.hit;
}

/* step - each allocation of an operation */
static void step(const char *operation)
{
	long before = faults;

	memory.at = 0;
	memory.lua_too = true;
	(void)run(operation); /* and what the C library keeps for ever is allocated */
	for (int kind = 0; kind < 4; kind++) {
		memory.lua_too = (kind & 1) != 0;
		memory.persistent = (kind & 2) != 0;
		for (memory.at = 1; run(operation); memory.at++)
			continue;
	}
	printf("%-28s %5ld\n", operation, faults - before);
	if (faults == before)
		complain(operation, "nothing was refused");
}

/* main - all operations */
int main(int argc, char **argv)
{
	struct sys cold = sys_real;
	char directory[4096], *script = realpath("tests/fault/memory_fault.lua", NULL);
	lua_State *L;

	/* Threads that end leave their memory to the next one otherwise, which then allocates nothing. */
	if (getenv("GLIBC_TUNABLES") == NULL) {
		(void)setenv("GLIBC_TUNABLES", "glibc.pthread.stack_cache_size=0", 1);
		execv("/proc/self/exe", argv);
	}
	(void)snprintf(directory, sizeof directory, "%s/memory_fault.XXXXXX", argc > 1 ? argv[1] : "/dev/shm");
	if (script == NULL || setenv("MEMORY_FAULT_SCRIPT", script, 1) < 0 || mkdtemp(directory) == NULL ||
	    chdir(directory) < 0) {
		perror("memory_fault");
		return 2;
	}
	cold.preadv2 = cold_preadv2;
	sys = &cold;
	(void)setvbuf(stdout, NULL, _IOLBF, BUFSIZ); /* its buffer is not to be made during a run */
	L = start(NULL);
	for (lua_Integer i = 1; lua_geti(L, -1, i) == LUA_TSTRING; i++) {
		char *operation = strdup(lua_tostring(L, -1));

		step(operation);
		free(operation);
		lua_pop(L, 1);
	}
	lua_close(L);
	for (size_t i = 0; i < sizeof noted / sizeof noted[0]; i++)
		free(noted[i]);
	free(script);
	if (chdir("/") < 0 || rmdir(directory) < 0)
		perror(directory);
	printf("%ld faults, %ld bad\n", faults, bad);
	return bad > 0;
}
