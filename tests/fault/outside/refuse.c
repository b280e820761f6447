/*
 * refuse - an allocator that refuses: to be loaded into a command (LD_PRELOAD)
 *
 *	cc -shared -fPIC -o refuse.so refuse.c -ldl
 *	REFUSE=MODE:N:REPORT LD_PRELOAD=./refuse.so PROGRAM [ARG...]
 *
 * MODE is "once" (the Nth allocation of the process), "on" (it and all that
 * follow), or the same with "c-" before it: those are not counted that the Lua
 * library makes, whose collector makes room and asks again. N 0: none. Making a
 * block smaller is not refused, since Lua relies on that. Whoever allocates is
 * meant: the program, its libraries, the C library.
 *
 * REPORT is a file of two numbers of eight bytes, which must exist: how many
 * allocations were counted, and how many refused. Children are left alone.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <malloc.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static struct {
	void *(*malloc)(size_t size);
	void *(*calloc)(size_t count, size_t size);
	void *(*realloc)(void *block, size_t size);
} real;

static struct report {
	uint64_t counted, refused;
} *report; /* NULL: not yet, or not at all */

static bool persistent, only_c;
static uint64_t at;
static uintptr_t lua_start, lua_end; /* where the Lua library is */

/* A pointer to a function out of one to data. */
static void find(const char *name, void *function)
{
	void *symbol = dlsym(RTLD_NEXT, name);

	if (symbol == NULL)
		abort();
	memcpy(function, &symbol, sizeof symbol);
}

static void find_real(void)
{
	find("malloc", &real.malloc);
	find("calloc", &real.calloc);
	find("realloc", &real.realloc);
}

static int find_lua(struct dl_phdr_info *info, size_t size, void *data)
{
	(void)size;
	(void)data;
	if (strstr(info->dlpi_name, "liblua") == NULL)
		return 0;
	for (int i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *part = &info->dlpi_phdr[i];

		if (part->p_type == PT_LOAD && (part->p_flags & PF_X) != 0) {
			lua_start = info->dlpi_addr + part->p_vaddr;
			lua_end = lua_start + part->p_memsz;
		}
	}
	return 1;
}

__attribute__((constructor)) static void begin(void)
{
	char mode[16], path[256];
	const char *wanted = getenv("REFUSE");
	struct report *mapped;
	int fd;

	if (wanted == NULL || sscanf(wanted, "%15[^:]:%lu:%255s", mode, &at, path) != 3)
		return;
	(void)unsetenv("LD_PRELOAD");
	persistent = strstr(mode, "on") != NULL && strstr(mode, "once") == NULL;
	only_c = strncmp(mode, "c-", 2) == 0;
	(void)dl_iterate_phdr(find_lua, NULL);
	fd = open(path, O_RDWR | O_CLOEXEC);
	mapped = mmap(NULL, sizeof *mapped, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (fd < 0 || mapped == MAP_FAILED || (only_c && lua_end == 0))
		abort();
	(void)close(fd);
	report = mapped;
}

/* Is this allocation, for somebody at an address, to fail? */
static bool is_refused(const void *caller)
{
	uint64_t count;

	if (real.malloc == NULL)
		find_real();
	if (report == NULL || (only_c && (uintptr_t)caller >= lua_start && (uintptr_t)caller < lua_end))
		return false;
	count = __atomic_add_fetch(&report->counted, 1, __ATOMIC_SEQ_CST);
	if (at == 0 || (count != at && !(persistent && count > at)))
		return false;
	(void)__atomic_add_fetch(&report->refused, 1, __ATOMIC_SEQ_CST);
	errno = ENOMEM;
	return true;
}

void *malloc(size_t size)
{
	return is_refused(__builtin_return_address(0)) ? NULL : real.malloc(size);
}

void *calloc(size_t count, size_t size)
{
	return is_refused(__builtin_return_address(0)) ? NULL : real.calloc(count, size);
}

void *realloc(void *block, size_t size)
{
	if ((block == NULL || size > malloc_usable_size(block)) && is_refused(__builtin_return_address(0)))
		return NULL;
	if (real.realloc == NULL)
		find_real();
	return real.realloc(block, size);
}
