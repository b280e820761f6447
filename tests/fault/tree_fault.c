/*
 * tree_fault - every system call of the directory tree functions fails once
 *
 * make_path, set_permissions and remove_tree run in a private directory with a
 * table of system calls whose Nth call fails with a chosen errno, N from 1 until
 * a run meets no fault; all of it once more as on a kernel without openat2(2).
 * After each run: no descriptor is left open, what lies outside is as it was, a
 * failure names file and reason, what make_path and `create` made is gone
 * again, and the same call without a fault does the work.
 *
 *      make core
 *      cc -std=c11 -Isrc -Ibuild -o build/tree_fault tests/fault/tree_fault.c \
 *              src/{tree,tree_remove,permissions,beneath,walk,scan,sys,buffer,fault}.c
 *      build/tree_fault            (as root; prints "N faults, N bad", status 1 where bad)
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "permissions.h"
#include "sys.h"
#include "tree.h"
#include "tree_remove.h"

static int countdown; /* calls until the fault, 0: no more */
static int error;     /* the errno of the fault */
static bool hit;      /* it was met */
static bool old_kernel;
static char top[64];  /* the private directory */
static long faults, bad;

/* fault_due - is this the call that fails? */
static bool fault_due(void)
{
	if (countdown == 0 || --countdown > 0)
		return false;
	hit = true;
	errno = error;
	return true;
}

#define FAILING(result, name, parameters, arguments) \
	static result fail_##name parameters \
	{ \
		return fault_due() ? -1 : sys_real.name arguments; \
	}

FAILING(int, openat, (int d, const char *p, int f, mode_t m), (d, p, f, m))
FAILING(int, fsync, (int fd), (fd))
FAILING(int, fstat, (int fd, struct stat *st), (fd, st))
FAILING(int, fstatat, (int d, const char *p, struct stat *st, int f), (d, p, st, f))
FAILING(int, statx, (int d, const char *p, int f, unsigned m, struct statx *st), (d, p, f, m, st))
FAILING(int, fchmod, (int fd, mode_t m), (fd, m))
FAILING(int, fchown, (int fd, uid_t u, gid_t g), (fd, u, g))
FAILING(int, fchownat, (int d, const char *p, uid_t u, gid_t g, int f), (d, p, u, g, f))
FAILING(int, mkdirat, (int d, const char *p, mode_t m), (d, p, m))
FAILING(int, unlinkat, (int d, const char *p, int f), (d, p, f))
FAILING(ssize_t, getdents64, (int fd, void *e, size_t n), (fd, e, n))

/* fail_openat2 - which an old kernel has not got */
static int fail_openat2(int dirfd, const char *path, const struct open_how *how, size_t size)
{
	if (old_kernel) {
		errno = ENOSYS;
		return -1;
	}
	return fault_due() ? -1 : sys_real.openat2(dirfd, path, how, size);
}

/* fail_close - on Linux the descriptor is gone even then */
static int fail_close(int fd)
{
	(void)sys_real.close(fd);
	return fault_due() ? -1 : 0;
}

/* count_descriptors - those open now */
static int count_descriptors(void)
{
	int count = 0;

	for (int fd = 0; fd < 256; fd++)
		count += fcntl(fd, F_GETFD) >= 0;
	return count;
}

/* shell - set things up or compare them, by two commands; the exit status */
static int shell(const char *command, const char *then)
{
	char line[2048];

	(void)snprintf(line, sizeof line, "cd %s && { %s\n} && { %s\n}", top, command, then);
	return system(line);
}

/* One function under test. */
struct subject {
	const char *name;
	const char *prepare;    /* shell, from a clean directory with "out" in it */
	int (*run)(struct fault *fault);
	const char *undone;     /* shell: true after a failure */
	const char *done;       /* shell: true after success */
};

/* run_make_path - three levels, the last with an owner */
static int run_make_path(struct fault *fault)
{
	const struct tree_make make = { .mode = 0750, .parents_mode = 0755, .uid = 1, .gid = 1 };
	struct buffer created = BUFFER_INIT;
	char path[128];
	int result;

	(void)snprintf(path, sizeof path, "%s/old/new/newer/newest", top);
	result = tree_make_path(path, &make, &created, fault);
	buffer_free(&created);
	return result;
}

/* run_create - a directory that set_permissions makes */
static int run_create(struct fault *fault)
{
	const struct permissions want = {
		.directory = true, .create = true, .uid = 1, .gid = 1, .set_mode = true, .mode = 0710,
	};

	return permissions_set(top, "old/public", &want, fault) < 0 ? -1 : 0;
}

/* run_recursive - a tree with links to the outside */
static int run_recursive(struct fault *fault)
{
	const struct permissions want = {
		.directory = true, .recursive = true, .uid = 1, .gid = 1, .set_mode = true, .mode = 0700,
	};

	return permissions_set(top, "tree", &want, fault) < 0 ? -1 : 0;
}

/* run_file - a single file */
static int run_file(struct fault *fault)
{
	const struct permissions want = { .uid = 1, .gid = 1, .set_mode = true, .mode = 0640 };

	return permissions_set(top, "tree/a/f", &want, fault) < 0 ? -1 : 0;
}

/* run_remove - the same tree */
static int run_remove(struct fault *fault)
{
	return tree_remove(top, "tree", NULL, NULL, fault) < 0 ? -1 : 0;
}

#define MAKE_TREE \
	"mkdir -p tree/a/b tree/c; touch tree/f tree/a/f tree/a/b/f; ln -s ../out tree/l; ln -s ../../out/f tree/a/l"

static const struct subject subjects[] = {
	{ "make_path", "mkdir old", run_make_path, "test ! -e old/new",
	  "test \"$(stat -c '%a %u %g' old/new old/new/newer/newest | tr '\\n' ,)\" = '755 0 0,750 1 1,'" },
	{ "set_permissions create", "mkdir old", run_create, "test ! -e old/public",
	  "test \"$(stat -c '%a %u %g' old/public)\" = '710 1 1'" },
	{ "set_permissions recursive", MAKE_TREE, run_recursive, "test -f tree/a/b/f",
	  "test -z \"$(find tree ! -uid 1 -o ! -gid 1 -o -type d ! -perm 0700)\"" },
	{ "set_permissions file", MAKE_TREE, run_file, "test -f tree/a/f",
	  "test \"$(stat -c '%a %u %g' tree/a/f)\" = '640 1 1'" },
	{ "remove_tree", MAKE_TREE, run_remove, "true", "test ! -e tree" },
};

static const struct {
	const char *name;
	int number;
} errors[] = {
	{ "EIO", EIO }, { "ENOSPC", ENOSPC }, { "EACCES", EACCES }, { "EPERM", EPERM }, { "EMFILE", EMFILE },
	{ "EINTR", EINTR }, { "ENOSYS", ENOSYS },
};

/* expect - one condition */
static void expect(bool good, const struct subject *subject, const char *what, int nth, const struct fault *fault)
{
	if (good)
		return;
	bad++;
	(void)printf("%s%s: call %d fails with %s: %s (%s)\n", subject->name, old_kernel ? " (old kernel)" : "", nth,
		     strerror(error), what, fault->text);
}

/* step - one run with one fault; false: the call is beyond the last one */
static bool step(const struct subject *subject, int nth)
{
	struct fault fault = { 0, "" };
	int result, before = count_descriptors();

	if (shell("rm -rf old tree out; mkdir out; touch out/f; chmod 604 out/f out", subject->prepare) != 0)
		exit(2);
	countdown = nth;
	hit = false;
	result = subject->run(&fault);
	countdown = 0;
	if (!hit)
		return false;
	faults++;
	expect(count_descriptors() == before, subject, "descriptors left", nth, &fault);
	expect(shell("test \"$(stat -c '%a %u %h' out out/f | tr '\\n' ,)\" = '604 0 2,604 0 1,'",
		     result < 0 ? subject->undone : subject->done) == 0, subject,
	       result < 0 ? "something was left or touched" : "not done, or something touched", nth, &fault);
	if (result < 0) {
		expect(fault.text[0] == '/', subject, "no name", nth, &fault);
		expect(fault.number == error, subject, "another errno", nth, &fault);
		result = subject->run(&fault);
		/* ENOENT: a removal that had got that far */
		expect((result == 0 || fault.number == ENOENT) && shell("true", subject->done) == 0, subject,
		       "not done in the end", nth, &fault);
	}
	return true;
}

/* main - all of it */
int main(void)
{
	struct sys failing = sys_real;

	failing.openat = fail_openat;
	failing.openat2 = fail_openat2;
	failing.close = fail_close;
	failing.fsync = fail_fsync;
	failing.fstat = fail_fstat;
	failing.fstatat = fail_fstatat;
	failing.statx = fail_statx;
	failing.fchmod = fail_fchmod;
	failing.fchown = fail_fchown;
	failing.fchownat = fail_fchownat;
	failing.mkdirat = fail_mkdirat;
	failing.unlinkat = fail_unlinkat;
	failing.getdents64 = fail_getdents64;
	sys = &failing;
	(void)snprintf(top, sizeof top, "/dev/shm/tree_fault.XXXXXX");
	if (mkdtemp(top) == NULL) {
		perror(top);
		return 2;
	}
	for (int kernel = 0; kernel < 2; kernel++) {
		old_kernel = kernel == 1;
		for (size_t s = 0; s < sizeof subjects / sizeof subjects[0]; s++)
			for (size_t e = 0; e < sizeof errors / sizeof errors[0]; e++) {
				error = errors[e].number;
				for (int nth = 1; step(&subjects[s], nth); nth++)
					;
			}
	}
	(void)shell("rm -rf old tree out", "true");
	(void)rmdir(top);
	(void)printf("%ld faults, %ld bad\n", faults, bad);
	return bad > 0;
}
