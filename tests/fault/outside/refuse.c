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
 * REPORT is a file of three numbers of eight bytes, which must exist: how many
 * allocations were counted, how many refused, and whether the process died within
 * the C library's look-up of a user or group: glibc 2.36 uses a null pointer there
 * when the first one fails at a certain point. Children are left alone.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <malloc.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

static struct {
	void *(*malloc)(size_t size);
	void *(*calloc)(size_t count, size_t size);
	void *(*realloc)(void *block, size_t size);
} real;

static struct report {
	uint64_t counted, refused, died_in_lookup;
} *report; /* NULL: not yet, or not at all */

static bool persistent, only_c;
static uint64_t at;

/* Where the code of a library is. */
static struct range {
	uintptr_t start, end;
} lua, libc;

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

static void note_range(const struct dl_phdr_info *info, struct range *range)
{
	for (int i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *part = &info->dlpi_phdr[i];

		if (part->p_type == PT_LOAD && (part->p_flags & PF_X) != 0) {
			range->start = info->dlpi_addr + part->p_vaddr;
			range->end = range->start + part->p_memsz;
		}
	}
}

static bool is_in(const struct range *range, uintptr_t address)
{
	return address >= range->start && address < range->end;
}

static int find_libraries(struct dl_phdr_info *info, size_t size, void *data)
{
	(void)size;
	(void)data;
	if (strstr(info->dlpi_name, "liblua") != NULL)
		note_range(info, &lua);
	if (strstr(info->dlpi_name, "/libc.so") != NULL)
		note_range(info, &libc);
	return 0;
}

/* A library that asks for users and groups; its return addresses are looked for on the stack. */
static int find_caller(struct dl_phdr_info *info, size_t size, void *stack)
{
	const uintptr_t *word = stack;
	struct range range = { 0, 0 };

	(void)size;
	if (strstr(info->dlpi_name, "/posix/pwd.so") == NULL && strstr(info->dlpi_name, "/posix/grp.so") == NULL)
		return 0;
	note_range(info, &range);
	for (int i = 0; i < 512; i++)
		if (is_in(&range, word[i]))
			return 1;
	return 0;
}

/* Note where it happened, then die of it. */
static void die(int number, siginfo_t *info, void *context)
{
	const greg_t *registers = ((const ucontext_t *)context)->uc_mcontext.gregs;
	void *stack;

	(void)info;
	memcpy(&stack, &registers[REG_RSP], sizeof stack);
	if (report != NULL && is_in(&libc, (uintptr_t)registers[REG_RIP]) && dl_iterate_phdr(find_caller, stack) != 0)
		report->died_in_lookup = 1;
	(void)signal(number, SIG_DFL);
}

__attribute__((constructor)) static void begin(void)
{
	char mode[16], path[256];
	const char *wanted = getenv("REFUSE");
	const struct sigaction action = { .sa_sigaction = die, .sa_flags = SA_SIGINFO };
	struct report *mapped;
	int fd;

	if (wanted == NULL || sscanf(wanted, "%15[^:]:%lu:%255s", mode, &at, path) != 3)
		return;
	(void)unsetenv("LD_PRELOAD");
	persistent = strstr(mode, "on") != NULL && strstr(mode, "once") == NULL;
	only_c = strncmp(mode, "c-", 2) == 0;
	(void)dl_iterate_phdr(find_libraries, NULL);
	(void)sigaction(SIGSEGV, &action, NULL);
	fd = open(path, O_RDWR | O_CLOEXEC);
	mapped = mmap(NULL, sizeof *mapped, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (fd < 0 || mapped == MAP_FAILED || (only_c && lua.end == 0))
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
	if (report == NULL || (only_c && is_in(&lua, (uintptr_t)caller)))
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
