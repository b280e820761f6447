/*
 * transaction_fault - every system call of a file transaction fails once
 *
 *      transaction_fault [DIRECTORY [ROUNDS]]          default: /dev/shm, 6
 *
 * Round after round, each in another world: sizes of the texts, mode, number and
 * size of extended attributes, an ACL, length of the chain of links. From the
 * second round on every first fault is followed by another one in the run that
 * recovers.
 *
 * Runs each scenario with a fault in its 1st, 2nd, 3rd ... system call until a
 * run needs no more calls than that: an error of several kinds, half a read or
 * write, and an end of the process (by longjmp out of the call, before or after
 * it is done). Then the file must hold the old text or the new one whole, the
 * result must be the truth, an ordinary failure must leave no temporary file
 * and no open descriptor, and the next run without a fault must succeed.
 * Prints "N faults, N bad"; status 1 when any is bad.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "sys.h"
#include "transaction.h"

enum mode { FAIL_ERRNO, FAIL_SHORT, CRASH_BEFORE, CRASH_AFTER };

static struct {
	enum mode mode;
	int number;      /* errno for FAIL_ERRNO */
	long at;         /* fail this call, from 1; 0: none */
	long calls;      /* so far */
	const char *hit; /* name of the call that failed, NULL: none yet */
} plan;

static jmp_buf crashed;
static long faults, pairs, bad;
static int with_pairs;
static char old_text[70000], new_text[70000];

/* What the present round is about. */
static struct {
	size_t old_size, new_size; /* of the texts, less what does not fill a line */
	mode_t mode;               /* of the old file, and of new ones */
	int labels;                /* extended attributes besides the two that every old file has */
	size_t label_size;         /* of their values */
	int has_acl;
	int links;                 /* on the way, where there are any */
} world;

/* An ACL as the kernel keeps it: version, then tag, permissions, id of each entry; of a file with mode 0640. */
static const unsigned char acl[] = {
	2, 0, 0, 0, 1, 0, 6, 0, 255, 255, 255, 255, 2, 0, 4, 0, 7, 0, 0, 0, 4, 0, 4, 0, 255, 255, 255, 255,
	16, 0, 4, 0, 255, 255, 255, 255, 32, 0, 0, 0, 255, 255, 255, 255,
};

/* Whether the present call is the one to fail; leaves by longjmp when the process is to end before it. */
static int is_hit(const char *name)
{
	if (++plan.calls != plan.at)
		return 0;
	plan.hit = name;
	if (plan.mode == CRASH_BEFORE)
		longjmp(crashed, 1);
	return 1;
}

/* One call of a table: fail it, do it, or do it and end. */
#define FAULTY(type, name, parameters, arguments)                       \
	static type faulty_##name parameters                            \
	{                                                               \
		int hit = is_hit(#name);                                \
		type result;                                            \
		if (hit && plan.mode == FAIL_ERRNO) {                   \
			errno = plan.number;                            \
			return (type)-1;                                \
		}                                                       \
		result = sys_real.name arguments;                       \
		if (hit && plan.mode == CRASH_AFTER)                    \
			longjmp(crashed, 1);                            \
		return result;                                          \
	}

FAULTY(int, openat, (int d, const char *p, int f, mode_t m), (d, p, f, m))
FAULTY(off_t, lseek, (int fd, off_t o, int w), (fd, o, w))
FAULTY(int, ftruncate, (int fd, off_t l), (fd, l))
FAULTY(int, fsync, (int fd), (fd))
FAULTY(int, flock, (int fd, int o), (fd, o))
FAULTY(int, fstat, (int fd, struct stat *st), (fd, st))
FAULTY(int, fstatat, (int d, const char *p, struct stat *st, int f), (d, p, st, f))
FAULTY(int, setlease, (int fd, int type), (fd, type))
FAULTY(int, statx, (int d, const char *p, int f, unsigned m, struct statx *st), (d, p, f, m, st))
FAULTY(int, fstatfs, (int fd, struct statfs *st), (fd, st))
FAULTY(int, fchmod, (int fd, mode_t m), (fd, m))
FAULTY(int, fchown, (int fd, uid_t u, gid_t g), (fd, u, g))
FAULTY(int, futimens, (int fd, const struct timespec t[2]), (fd, t))
FAULTY(ssize_t, flistxattr, (int fd, char *l, size_t s), (fd, l, s))
FAULTY(ssize_t, fgetxattr, (int fd, const char *n, void *v, size_t s), (fd, n, v, s))
FAULTY(int, fsetxattr, (int fd, const char *n, const void *v, size_t s, int f), (fd, n, v, s, f))
FAULTY(int, fremovexattr, (int fd, const char *n), (fd, n))
FAULTY(int, unlinkat, (int d, const char *p, int f), (d, p, f))
FAULTY(int, renameat, (int fd, const char *f, int td, const char *t), (fd, f, td, t))
FAULTY(ssize_t, readlinkat, (int d, const char *p, char *t, size_t s), (d, p, t, s))
FAULTY(int, clock_gettime, (clockid_t c, struct timespec *t), (c, t))
FAULTY(int, nanosleep, (const struct timespec *w, struct timespec *r), (w, r))

/* Linux closes the descriptor whatever close(2) returns. */
static int faulty_close(int fd)
{
	int hit = is_hit("close"), result = sys_real.close(fd);

	if (hit && plan.mode == CRASH_AFTER)
		longjmp(crashed, 1);
	if (hit && plan.mode == FAIL_ERRNO) {
		errno = plan.number;
		return -1;
	}
	return result;
}

static ssize_t faulty_read(int fd, void *data, size_t size)
{
	int hit = is_hit("read");
	ssize_t result;

	if (hit && plan.mode == FAIL_ERRNO) {
		errno = plan.number;
		return -1;
	}
	result = sys_real.read(fd, data, hit && plan.mode == FAIL_SHORT && size > 1 ? size / 3 + 1 : size);
	if (hit && plan.mode == CRASH_AFTER)
		longjmp(crashed, 1);
	return result;
}

static ssize_t faulty_write(int fd, const void *data, size_t size)
{
	int hit = is_hit("write");
	int is_short = hit && plan.mode != FAIL_ERRNO && size > 1;
	ssize_t result;

	if (hit && plan.mode == FAIL_ERRNO) {
		errno = plan.number;
		return -1;
	}
	result = sys_real.write(fd, data, is_short ? size / 3 + 1 : size);
	if (hit && plan.mode == CRASH_AFTER)
		longjmp(crashed, 1);
	return result;
}

static const struct sys sys_faulty = {
	.openat = faulty_openat,
	.close = faulty_close,
	.read = faulty_read,
	.write = faulty_write,
	.lseek = faulty_lseek,
	.ftruncate = faulty_ftruncate,
	.fsync = faulty_fsync,
	.flock = faulty_flock,
	.fstat = faulty_fstat,
	.fstatat = faulty_fstatat,
	.setlease = faulty_setlease,
	.statx = faulty_statx,
	.fstatfs = faulty_fstatfs,
	.fchmod = faulty_fchmod,
	.fchown = faulty_fchown,
	.futimens = faulty_futimens,
	.flistxattr = faulty_flistxattr,
	.fgetxattr = faulty_fgetxattr,
	.fsetxattr = faulty_fsetxattr,
	.fremovexattr = faulty_fremovexattr,
	.unlinkat = faulty_unlinkat,
	.renameat = faulty_renameat,
	.readlinkat = faulty_readlinkat,
	.clock_gettime = faulty_clock_gettime,
	.nanosleep = faulty_nanosleep,
};

/* ------------------------------------------------------------------- world */

enum file_state { FILE_NONE, FILE_OLD, FILE_NEW, FILE_TORN };

static void must(int result, const char *what)
{
	if (result < 0) {
		perror(what);
		exit(2);
	}
}

static void put(const char *path, const char *text, mode_t mode)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, mode);

	must(fd, path);
	must(write(fd, text, strlen(text)) == (ssize_t)strlen(text) ? 0 : -1, path);
	must(fchmod(fd, mode), path);
	must(close(fd), path);
}

static enum file_state state_of(const char *path)
{
	static char text[sizeof new_text + 1];
	int fd = open(path, O_RDONLY);
	ssize_t got;

	if (fd < 0)
		return FILE_NONE;
	got = read(fd, text, sizeof text - 1);
	must(close(fd), path);
	text[got < 0 ? 0 : got] = '\0';
	return strcmp(text, old_text) == 0 ? FILE_OLD : strcmp(text, new_text) == 0 ? FILE_NEW : FILE_TORN;
}

/* Descriptors above `first` that are open; closes them when `close_them` is set, as the end of a process does. */
static int open_descriptors(int first, int close_them)
{
	int count = 0;

	for (int fd = first; fd < 64; fd++) {
		if (fcntl(fd, F_GETFD) < 0)
			continue;
		count++;
		if (close_them)
			(void)close(fd);
	}
	return count;
}

static void remove_all(void)
{
	static const char *const name[] = { "f", "f.tmp", "d/l", "d/l.tmp", "m", "m.tmp", "d/m", "d/m.tmp" };

	for (size_t i = 0; i < sizeof name / sizeof name[0]; i++)
		(void)unlink(name[i]);
}

static int has_leftover(void)
{
	return access("f.tmp", F_OK) == 0 || access("d/l.tmp", F_OK) == 0 || access("m.tmp", F_OK) == 0 ||
	       access("d/m.tmp", F_OK) == 0;
}

/* --------------------------------------------------------------- scenarios */

/* The name of a label, "user.0" and so on. */
static const char *label_name(int number)
{
	static char name[] = "user.0";

	name[sizeof name - 2] = (char)('0' + number);
	return name;
}

static void make_old(void)
{
	char value[1000];

	put("f", old_text, 0600);
	(void)setxattr("f", "user.note", "kept", 4, 0);
	(void)setxattr("f", "trusted.note", "kept", 4, 0);
	memset(value, 'v', sizeof value);
	for (int i = 0; i < world.labels; i++)
		(void)setxattr("f", label_name(i), value, world.label_size, 0); /* not every file system has them */
	if (geteuid() == 0)
		must(chown("f", 1, 1), "f");
	must(chmod("f", world.mode), "f");
	if (world.has_acl)
		must(setxattr("f", "system.posix_acl_access", acl, sizeof acl, 0), "f");
}

static void make_hot_old(void)
{
	make_old();
}

static void make_aged_old(void)
{
	struct timespec past[2] = { { .tv_sec = 1000000000 }, { .tv_sec = 1000000000 } };

	make_old();
	must(utimensat(AT_FDCWD, "f", past, 0), "f");
}

static void make_leftover(void)
{
	make_aged_old();
	put("f.tmp", "half a text of a run that was kil", 0600);
}

static void make_distrusted(void)
{
	make_aged_old();
	put("f.tmp", "ready to be renamed", 0440);
}

static void make_link(void)
{
	make_aged_old();
	must(symlink("../f", "d/l"), "d/l");
	must(symlink("d/l", "m"), "m");
	must(symlink("../m", "d/m"), "d/m");
}

/* The link that is as many links away from the file as this world wants. */
static const char *link_path(void)
{
	return world.links == 1 ? "d/l" : world.links == 2 ? "m" : "d/m";
}

static void make_nothing(void)
{
}

static enum transaction_outcome run_edit(const char *path, struct fault *fault)
{
	struct transaction t = TRANSACTION_INIT;

	if (transaction_begin(&t, path, 0, fault) < 0)
		return TRANSACTION_FAILED;
	if (strcmp(t.text.data, new_text) == 0) {
		transaction_rollback(&t);
		return TRANSACTION_UNCHANGED;
	}
	return transaction_commit(&t, new_text, strlen(new_text), fault);
}

static enum transaction_outcome edit_file(struct fault *fault)
{
	return run_edit("f", fault);
}

static enum transaction_outcome edit_link(struct fault *fault)
{
	return run_edit(link_path(), fault);
}

static enum transaction_outcome give_up(struct fault *fault)
{
	struct transaction t = TRANSACTION_INIT;

	if (transaction_begin(&t, link_path(), 0, fault) < 0)
		return TRANSACTION_FAILED;
	transaction_rollback(&t);
	return TRANSACTION_UNCHANGED;
}

static enum transaction_outcome create(struct fault *fault)
{
	const struct transaction_file how = { .mode = world.mode, .times_from = "/" };
	enum transaction_outcome outcome = transaction_create("f", new_text, strlen(new_text), &how, fault);

	/* A second run, after one that was cut off behind the rename, finds its work done. */
	return outcome == TRANSACTION_FAILED && fault->number == EEXIST && state_of("f") == FILE_NEW
		       ? TRANSACTION_UNCHANGED
		       : outcome;
}

static enum transaction_outcome replace(struct fault *fault)
{
	const struct transaction_file how = { .mode = world.mode, .replace = true };

	return transaction_create("f", new_text, strlen(new_text), &how, fault);
}

static const struct scenario {
	const char *name;
	void (*prepare)(void);
	enum transaction_outcome (*run)(struct fault *fault);
	enum file_state before, after;
	int keeps_attributes;
	int finds_leftover;
} scenarios[] = {
	{ "edit", make_aged_old, edit_file, FILE_OLD, FILE_NEW, 1, 0 },
	{ "edit a file just written", make_hot_old, edit_file, FILE_OLD, FILE_NEW, 1, 0 },
	{ "edit over a leftover", make_leftover, edit_file, FILE_OLD, FILE_NEW, 1, 1 },
	{ "edit over a file not ours", make_distrusted, edit_file, FILE_OLD, FILE_NEW, 1, 1 },
	{ "edit through a link", make_link, edit_link, FILE_OLD, FILE_NEW, 1, 0 },
	{ "begin and roll back", make_link, give_up, FILE_OLD, FILE_OLD, 1, 0 },
	{ "create", make_nothing, create, FILE_NONE, FILE_NEW, 0, 0 },
	{ "replace", make_aged_old, replace, FILE_OLD, FILE_NEW, 0, 0 },
};

/* ------------------------------------------------------------------ checks */

static const char *mode_name(void)
{
	static const char *const name[] = { "error", "short", "end before", "end after" };

	return plan.mode == FAIL_ERRNO ? strerror(plan.number) : name[plan.mode];
}

static void complain(const struct scenario *scenario, const char *what)
{
	bad++;
	if (bad <= 20)
		fprintf(stderr, "%s, call %ld (%s), %s: %s\n", scenario->name, plan.at, plan.hit, mode_name(), what);
}

/* The attributes that must survive. */
static int are_attributes_kept(void)
{
	struct stat st;
	char value[1000];
	int supported;

	if (stat("f", &st) < 0 || (st.st_mode & 07777) != world.mode)
		return 0;
	if (geteuid() == 0 && (st.st_uid != 1 || st.st_gid != 1))
		return 0;
	/* A label of the trusted space that must not be read or set may be left behind. */
	if (strstr(plan.hit, "xattr") != NULL && plan.mode == FAIL_ERRNO)
		return 1;
	supported = getxattr("f", "user.note", value, sizeof value) == 4 || errno != ENOTSUP;
	for (int i = 0; supported && i < world.labels; i++)
		if (getxattr("f", label_name(i), value, sizeof value) != (ssize_t)world.label_size)
			return 0;
	if (world.has_acl && getxattr("f", "system.posix_acl_access", value, sizeof value) != (ssize_t)sizeof acl)
		return 0;
	return getxattr("f", "trusted.note", value, sizeof value) == 4 || errno == ENOTSUP || geteuid() != 0;
}

/* After a run: is the file whole, and did the result tell the truth? */
static void check_file(const struct scenario *scenario, int returned, enum transaction_outcome outcome,
		       const struct fault *fault)
{
	enum file_state state = state_of("f");
	int installed = outcome == TRANSACTION_CHANGED || outcome == TRANSACTION_UNSYNCED;

	if (state != scenario->before && state != scenario->after)
		complain(scenario, "the file is neither old nor new");
	else if (state != FILE_NONE && scenario->keeps_attributes && !are_attributes_kept())
		complain(scenario, "the file's attributes are lost");
	if (!returned)
		return;
	if (installed && state != scenario->after)
		complain(scenario, "success, but the text is not in place");
	if (outcome == TRANSACTION_FAILED && state != scenario->before)
		complain(scenario, "failure, but the text is in place");
	if ((outcome == TRANSACTION_FAILED || outcome == TRANSACTION_UNSYNCED) &&
	    strncmp(fault->text, "f", 1) != 0 && strncmp(fault->text, "d/", 2) != 0 &&
	    strncmp(fault->text, "m", 1) != 0 && strncmp(fault->text, "/: ", 3) != 0)
		complain(scenario, "the reason names no file");
	/* What cannot be removed stays, and what was there may; every other failure cleans up. */
	if (strcmp(plan.hit, "unlinkat") != 0 && !scenario->finds_leftover && has_leftover())
		complain(scenario, "a temporary file is left");
}

/* One more run with a fault, on what the first has left; the file must be whole. */
static void recover_with_fault(const struct scenario *scenario, int first)
{
	static const int number[] = { EIO, ENOSPC, EINTR, ENOMEM };
	const long at = plan.at, second = 1 + (long)(faults % 41); /* as many calls as most recoveries make */
	const enum mode mode = plan.mode;
	const int kept = plan.number;
	const char *hit = plan.hit;
	struct fault fault = { 0, "" };

	plan.mode = (enum mode)(faults / 41 % 4);
	plan.number = number[faults / 164 % 4];
	plan.at = second;
	plan.calls = 0;
	plan.hit = NULL;
	sys = &sys_faulty;
	if (setjmp(crashed) == 0)
		(void)scenario->run(&fault);
	sys = &sys_real;
	(void)open_descriptors(first, 1);
	pairs += plan.hit != NULL;
	plan.mode = mode;
	plan.number = kept;
	plan.at = at;
	plan.hit = hit;
	if (state_of("f") != scenario->before && state_of("f") != scenario->after)
		complain(scenario, "a second fault: the file is neither old nor new");
}

/* A run with a fault; 0: there was no call to fail any more. */
static int step(const struct scenario *scenario, int first)
{
	struct fault fault = { 0, "" };
	volatile enum transaction_outcome outcome = TRANSACTION_FAILED;
	volatile int returned = 0;

	remove_all();
	scenario->prepare();
	plan.calls = 0;
	plan.hit = NULL;
	sys = &sys_faulty;
	if (setjmp(crashed) == 0) {
		outcome = scenario->run(&fault);
		returned = 1;
	}
	sys = &sys_real;
	if (plan.hit == NULL)
		return 0;
	faults++;
	if (open_descriptors(first, 1) > 0 && returned)
		complain(scenario, "a descriptor is left open");
	check_file(scenario, returned, outcome, &fault);
	if (with_pairs)
		recover_with_fault(scenario, first);
	outcome = scenario->run(&fault);
	if (outcome == TRANSACTION_FAILED)
		complain(scenario, fault.text);
	else if (state_of("f") != scenario->after)
		complain(scenario, "the next run did not install the text");
	else if (has_leftover())
		complain(scenario, "the next run left a temporary file");
	return 1;
}

static void walk(const struct scenario *scenario, enum mode mode, int number, int first)
{
	plan.mode = mode;
	plan.number = number;
	for (plan.at = 1; step(scenario, first); plan.at++)
		;
}

/* One of each fault at each call of each scenario. */
static void walk_all(int first)
{
	static const int number[] = { EIO,   ENOSPC, EINTR,  EACCES, EMFILE, EPERM,
				      EROFS, EDQUOT, ENOMEM, ESTALE, EAGAIN, ENFILE };

	for (size_t i = 0; i < sizeof scenarios / sizeof scenarios[0]; i++) {
		for (size_t k = 0; k < sizeof number / sizeof number[0]; k++)
			walk(&scenarios[i], FAIL_ERRNO, number[k], first);
		walk(&scenarios[i], FAIL_SHORT, 0, first);
		walk(&scenarios[i], CRASH_BEFORE, 0, first);
		walk(&scenarios[i], CRASH_AFTER, 0, first);
	}
}

/* A child that inherits an edit must neither remove the temporary file nor install anything. */
static void check_child(void)
{
	struct transaction t = TRANSACTION_INIT;
	struct fault fault;
	int status = 0;
	pid_t child;

	make_aged_old();
	must(transaction_begin(&t, "f", 0, &fault), fault.text);
	child = fork();
	must(child, "fork");
	if (child == 0)
		_exit(transaction_commit(&t, new_text, strlen(new_text), &fault) == TRANSACTION_FAILED ? 0 : 1);
	must(waitpid(child, &status, 0), "waitpid");
	plan.hit = "none";
	faults++;
	if (status != 0 || state_of("f") != FILE_OLD || !has_leftover() ||
	    transaction_commit(&t, new_text, strlen(new_text), &fault) != TRANSACTION_CHANGED)
		complain(&scenarios[0], "a child meddles with the edit");
}

/* Lines, as many as fit into a size; at least one. */
static void fill_text(char *text, size_t size, const char *line)
{
	size_t length = strlen(line), at = 0;

	do {
		memcpy(text + at, line, length);
		at += length;
	} while (at + length < size);
	text[at] = '\0';
}

/* The world of a round: the first is the plainest, no two of the following hundreds are the same. */
static void enter_world(long round)
{
	/* One line; about a block of the readers and of the file system; several. */
	static const size_t size[] = { 9000, 20, 4096, 4120, 12000, 300, 40000 };
	static const mode_t mode[] = { 0640, 0600, 0444, 04755, 0666 };

	world.old_size = size[round % 7];
	world.new_size = size[(round + 4 + round / 7) % 7];
	world.mode = mode[round % 5];
	world.labels = (int)(round % 4);
	world.label_size = round % 3 == 1 ? 700 : (size_t)(round % 11);
	world.has_acl = geteuid() == 0 && world.mode == 0640 && round % 2 == 1;
	world.links = 1 + (int)(round % 3);
	fill_text(old_text, world.old_size, "relayhost = old\n");
	fill_text(new_text, world.new_size, "relayhost = new.example\n");
}

int main(int argc, char **argv)
{
	char directory[4096];
	long rounds = argc > 2 ? strtol(argv[2], NULL, 10) : 6;
	int first;

	(void)snprintf(directory, sizeof directory, "%s/transaction_fault.XXXXXX", argc > 1 ? argv[1] : "/dev/shm");
	if (mkdtemp(directory) == NULL || chdir(directory) < 0 || mkdir("d", 0755) < 0) {
		perror(directory);
		return 2;
	}
	first = STDERR_FILENO + 1;
	(void)open_descriptors(first, 1); /* inherited ones */
	for (long round = 0; round < rounds; round++) {
		with_pairs = round > 0;
		enter_world(round);
		walk_all(first);
	}
	remove_all();
	check_child();
	remove_all();
	if (rmdir("d") < 0 || chdir("/") < 0 || rmdir(directory) < 0)
		perror(directory);
	if (pairs > 0)
		printf("%ld of them followed by a second one\n", pairs);
	printf("%ld faults, %ld bad\n", faults, bad);
	return bad > 0;
}
