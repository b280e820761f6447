/*
 * tree_race - a tree that its owner swaps about while root works on it
 *
 *      tree_race [ROUNDS [SEED]]       as root; default 3,000 rounds in which something was swapped during the call
 *
 * In a mount of its own, three places: the tree, which belongs to the mail user,
 * a yard of the same user, and what lies outside, which is root's. Outside and
 * yard have entries of the very names that the tree has, so that whoever loses
 * the way finds something to do there. A round is one call of the core
 * beneath the tree's base - removal, permissions (of a directory, a file, all below,
 * a new directory), counting - while the mail user
 *
 *      - exchanges a directory with a symbolic link to the outside, with a fifo, or with another directory;
 *      - moves a directory away, out of the tree or into another of its directories, leaving nothing or a link;
 *      - exchanges a file with a link or a fifo, or puts a hard link to a file of root's in its place;
 *      - has another directory mounted on one (root's doing, in rounds that must not cross mounts).
 *
 * In three rounds of four this happens between two system calls of the core,
 * before any of them, by a table of system calls that does so at random; in the
 * fourth a process of the mail user does it all the time. Then four rounds follow
 * as on a kernel without openat2(2).
 *
 * Afterwards owner, mode and times of change of all that lies outside must be
 * what they were, nothing may be new or missing there, no directory there may
 * have been read (its access time tells), no descriptor may be left, and a
 * failure must say what and why. A call that waits at a fifo ends the program.
 *
 * First of all the same is done by functions that work by path, as rm(1) -r and
 * chown(1) -R were once written: each kind of damage must be found in them, or
 * the rounds prove nothing. It was also tried with the core broken on purpose: a
 * way up that is not checked, a link that is followed, a name resolved without
 * RESOLVE_BENEATH, hard links given away, an open that waits, a mount that is
 * known by its device alone; all were found in 3,000 rounds. Prints "N faults, N bad"; a round in which nothing was
 * swapped during the call is no fault.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "permissions.h"
#include "scan.h"
#include "sys.h"
#include "tree.h"
#include "tree_remove.h"

enum { MAIL = 1, HANG_SECONDS = 10, CLEAN_EVERY = 64, ROUNDS = 3000, NAIVE_ROUNDS = 20000 };

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

static const char *const directories[] = { "a", "a/b", "a/b/c", "a/b/d", "a/e", "g", "g/h" };
static const char *const files[] = { "f0", "a/f1", "a/b/f2", "a/b/c/f3", "g/f4", "g/h/f5" };

/* What must not change: all directories and files above, once more and at every level. */
static const char *const precious[] = {
	"a", "b", "c", "d", "e", "g", "h", "a/b", "b/c", "a/b/c", "f0", "f1", "f2", "f3", "f4", "f5", "a/f1",
	"b/f2", "c/f3", "g/f4", "h/f5", "a/b/f2", "a/b/c/f3",
};

/* Both processes see it. */
static struct shared {
	atomic_long tree;  /* the number of the tree to swap in, 0: none */
	atomic_long seen;  /* the number that the other process has noticed */
	atomic_long swaps; /* done in the tree of that number */
} *shared;

static struct {
	bool strikes;    /* swap before system calls of the core, */
	bool idle;       /* but not now */
	bool old_kernel; /* no openat2(2) */
	bool mounts;     /* mounting is allowed in this round */
	int tree;        /* descriptors of the present tree, ... */
	int yard;
	long swaps;
} present;

static uint64_t seed;
static unsigned long serial; /* of names that are used once */
static struct stat wanted[2][COUNT(precious)];
static long faults[2], bad, rounds; /* faults: at the same time, between calls */

/* below - a number from 0 to LIMIT - 1 */
static unsigned below(unsigned limit)
{
	seed = seed * 6364136223846793005U + 1442695040888963407U;
	return (unsigned)(seed >> 33) % limit;
}

/* must - what the test itself needs */
static void must(int result, const char *what)
{
	if (result < 0) {
		perror(what);
		_exit(2);
	}
}

/* ----------------------------------------------------------------- swapping */

/* new_name - one that the yard has not yet */
static void new_name(char name[32])
{
	(void)snprintf(name, 32, "%ld.%lu", (long)getpid(), ++serial);
}

/* trap - a new object of a kind in the yard; its name */
static const char *trap(unsigned kind, const char *target, char name[32])
{
	new_name(name);
	must(kind == 0   ? symlinkat(target, present.yard, name)
	     : kind == 1 ? mkfifoat(present.yard, name, 0600)
			 : mkdirat(present.yard, name, 0700), name);
	return name;
}

/* exchange - one name of the tree and one of the yard, which goes where that is not possible */
static bool exchange(const char *path, const char *name)
{
	if (renameat2(present.tree, path, present.yard, name, RENAME_EXCHANGE) == 0)
		return true;
	if (unlinkat(present.yard, name, 0) < 0)
		(void)unlinkat(present.yard, name, AT_REMOVEDIR);
	return false;
}

/* move_away - a directory goes to the yard, and perhaps a link takes its place */
static bool move_away(const char *path, const char *target)
{
	char name[32];

	new_name(name);
	if (renameat(present.tree, path, present.yard, name) < 0)
		return false;
	/* The core may have removed what it was in. */
	return below(2) == 0 || symlinkat(target, present.tree, path) == 0 || errno != 0;
}

/* move_within - a directory goes into another one */
static bool move_within(const char *path)
{
	char to[64];

	(void)snprintf(to, sizeof to, "%s/%lu", directories[below(COUNT(directories))], ++serial);
	return renameat(present.tree, path, present.tree, to) == 0;
}

/* mount_over - root mounts what lies outside on a directory */
static bool mount_over(const char *path)
{
	int what = (int)syscall(SYS_open_tree, AT_FDCWD, "outside", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
	bool done;

	must(what, "open_tree");
	done = syscall(SYS_move_mount, what, "", present.tree, path, MOVE_MOUNT_F_EMPTY_PATH) == 0;
	(void)close(what);
	return done;
}

/* swap - something, somewhere in the present tree; by root only where it mounts */
static void swap(void)
{
	const char *path = directories[below(COUNT(directories))], *file = files[below(COUNT(files))];
	char name[32], target[64];
	unsigned kind = below(present.mounts ? 9 : 8);
	bool done;

	(void)snprintf(target, sizeof target, "/run/outside/%s", below(2) == 0 ? "" : path);
	if (kind == 8) {
		present.swaps += mount_over(path);
		return;
	}
	(void)setfsuid(MAIL);
	switch (kind) {
	case 0:
	case 1:
	case 2:
		done = exchange(path, trap(kind, target, name));
		break;
	case 3:
		(void)snprintf(target, sizeof target, "/run/outside/%s", file);
		done = exchange(file, trap(below(2), target, name));
		break;
	case 4:
	case 5:
		done = move_away(path, target);
		break;
	case 6:
		done = move_within(path);
		break;
	default: /* a hard link, which root makes: the kernel may forbid it to others */
		(void)setfsuid(0);
		new_name(name);
		done = linkat(AT_FDCWD, "outside/linked", present.yard, name, 0) == 0; /* it may have been harmed */
		(void)setfsuid(MAIL);
		done = done && exchange(file, name);
		break;
	}
	(void)setfsuid(0);
	present.swaps += done;
}

/* let_swap - give the other process the time for a swap */
static void let_swap(void)
{
	long swaps = atomic_load(&shared->swaps);

	for (int turn = 0; turn < 20000 && atomic_load(&shared->swaps) == swaps; turn++)
		continue;
}

/* strike - before each system call of the core: perhaps a swap */
static void strike(void)
{
	int saved = errno;

	if (!present.idle && below(6) == 0) {
		if (present.strikes)
			swap();
		else
			let_swap();
	}
	errno = saved;
}

#define STRIKING(result, name, parameters, arguments) \
	static result strike_##name parameters \
	{ \
		strike(); \
		return sys_real.name arguments; \
	}

STRIKING(int, openat, (int d, const char *p, int f, mode_t m), (d, p, f, m))
STRIKING(int, fstat, (int fd, struct stat *st), (fd, st))
STRIKING(int, fstatat, (int d, const char *p, struct stat *st, int f), (d, p, st, f))
STRIKING(int, fchmod, (int fd, mode_t m), (fd, m))
STRIKING(int, fchown, (int fd, uid_t u, gid_t g), (fd, u, g))
STRIKING(int, fchownat, (int d, const char *p, uid_t u, gid_t g, int f), (d, p, u, g, f))
STRIKING(int, mkdirat, (int d, const char *p, mode_t m), (d, p, m))
STRIKING(int, unlinkat, (int d, const char *p, int f), (d, p, f))
STRIKING(ssize_t, getdents64, (int fd, void *e, size_t n), (fd, e, n))

/* strike_openat2 - which an old kernel has not got */
static int strike_openat2(int dirfd, const char *path, const struct open_how *how, size_t size)
{
	strike();
	if (!present.old_kernel)
		return sys_real.openat2(dirfd, path, how, size);
	errno = ENOSYS;
	return -1;
}

/* be_mail_user - the other process: swap in whatever tree is named, for ever */
static void be_mail_user(pid_t parent)
{
	seed = seed * 31 + 7;
	present.yard = open("yard", O_PATH | O_DIRECTORY);
	for (long last = 0; getppid() == parent;) {
		long tree = atomic_load(&shared->tree);
		char name[32];

		if (tree != last) {
			if (last != 0)
				(void)close(present.tree);
			(void)snprintf(name, sizeof name, "queue/%ld", tree);
			present.tree = tree == 0 ? -1 : open(name, O_PATH | O_DIRECTORY);
			last = tree;
			atomic_store(&shared->seen, tree);
		}
		if (tree == 0) {
			const struct timespec pause = { .tv_nsec = 20000 };

			(void)nanosleep(&pause, NULL);
			continue;
		}
		present.swaps = 0;
		swap();
		(void)atomic_fetch_add(&shared->swaps, present.swaps);
	}
	_exit(0);
}

/* tell - the other process which tree it is, and wait until it knows */
static void tell(long tree)
{
	atomic_store(&shared->tree, tree);
	while (atomic_load(&shared->seen) != tree)
		(void)sched_yield();
}

/* -------------------------------------------------------------------- world */

/* make_file - of root's */
static void make_file(int dirfd, const char *path)
{
	int fd = openat(dirfd, path, O_WRONLY | O_CREAT | O_EXCL, 0644);

	must(fd, path);
	(void)close(fd);
}

/* make_precious - a place where nothing may change; read long before it was changed, so that reading shows */
static void make_precious(const char *place)
{
	const struct timespec times[2] = { { .tv_sec = 1000000000 }, { .tv_nsec = UTIME_NOW } };
	int dirfd = open(place, O_RDONLY | O_DIRECTORY);

	must(dirfd, place);
	for (size_t i = 0; i < COUNT(precious); i++) {
		const char *last = strrchr(precious[i], '/');

		if (faccessat(dirfd, precious[i], F_OK, 0) == 0)
			continue;
		if ((last == NULL ? precious[i] : last + 1)[0] == 'f')
			make_file(dirfd, precious[i]);
		else
			must(mkdirat(dirfd, precious[i], 0755), precious[i]);
	}
	for (size_t i = 0; i < COUNT(precious); i++)
		must(utimensat(dirfd, precious[i], times, 0), precious[i]);
	(void)close(dirfd);
}

/* look - note the state of a place, or compare it; what is wrong, NULL: nothing */
static const char *look(const char *place, struct stat *states, bool note)
{
	static char what[128];
	int dirfd = open(place, O_PATH | O_DIRECTORY);

	for (size_t i = 0; i < COUNT(precious); i++) {
		struct stat st = { 0 }, *old = &states[i];
		const char *how = NULL;

		if (fstatat(dirfd, precious[i], &st, AT_SYMLINK_NOFOLLOW) < 0)
			how = "is removed";
		else if (note)
			*old = st;
		else if (st.st_ino != old->st_ino)
			how = "is another one";
		else if (st.st_uid != old->st_uid || st.st_gid != old->st_gid || st.st_mode != old->st_mode)
			how = "has another owner or mode";
		else if (st.st_nlink != old->st_nlink || st.st_mtim.tv_sec != old->st_mtim.tv_sec ||
			 st.st_mtim.tv_nsec != old->st_mtim.tv_nsec)
			how = "has another content";
		else if (st.st_ctim.tv_sec != old->st_ctim.tv_sec || st.st_ctim.tv_nsec != old->st_ctim.tv_nsec)
			how = "was touched";
		else if (st.st_atim.tv_sec != old->st_atim.tv_sec)
			how = "was read";
		if (how != NULL) {
			(void)snprintf(what, sizeof what, "%s/%s %s", place, precious[i], how);
			(void)close(dirfd);
			return what;
		}
	}
	(void)close(dirfd);
	return NULL;
}

/* harm - what has happened to what must not change, NULL: nothing */
static const char *harm(void)
{
	const char *what = look("outside", wanted[0], false);
	struct stat st;

	if (what == NULL)
		what = look("yard", wanted[1], false);
	if (what == NULL && (stat("outside/linked", &st) < 0 || st.st_uid != 0 || st.st_gid != 0 ||
			     (st.st_mode & 07777) != 0644))
		what = "outside/linked has another owner or mode";
	if (what == NULL && (stat("outside", &st) < 0 || st.st_uid != 0 || (st.st_mode & 07777) != 0755))
		what = "outside has another owner or mode";
	return what;
}

/* remove_one - for nftw(3) */
static int remove_one(const char *path, const struct stat *st, int type, struct FTW *at)
{
	(void)st;
	(void)type;
	if (at->level > 0)
		(void)remove(path);
	return 0;
}

/* empty - all below a directory, which nobody swaps in now */
static void empty(const char *place)
{
	(void)nftw(place, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* clean - after some rounds, and after harm: everything as at the start */
static void clean(void)
{
	static const char *const place[] = { "queue", "yard", "outside" };

	if (present.yard > 0)
		(void)close(present.yard);
	for (size_t i = 0; i < COUNT(place); i++) {
		empty(place[i]);
		must(chmod(place[i], 0755), place[i]);
		must(chown(place[i], 0, 0), place[i]);
	}
	make_precious("outside");
	make_file(AT_FDCWD, "outside/linked");
	make_precious("yard");
	must(chown("yard", MAIL, MAIL), "yard");
	(void)look("outside", wanted[0], true);
	(void)look("yard", wanted[1], true);
	present.yard = open("yard", O_PATH | O_DIRECTORY);
}

/* make_tree - queue/NUMBER; its owner's, with some files of root's */
static void make_tree(long number)
{
	char name[32];

	(void)snprintf(name, sizeof name, "queue/%ld", number);
	must(mkdir(name, 0755), name);
	present.tree = open(name, O_PATH | O_DIRECTORY);
	must(present.tree, name);
	for (size_t i = 0; i < COUNT(directories); i++) {
		must(mkdirat(present.tree, directories[i], 0755), directories[i]);
		must(fchownat(present.tree, directories[i], MAIL, 0, 0), directories[i]);
	}
	for (size_t i = 0; i < COUNT(files); i++)
		make_file(present.tree, files[i]);
	must(symlinkat("/run/outside/f0", present.tree, "a/l"), "a/l");
	must(fchownat(present.tree, "", MAIL, 0, AT_EMPTY_PATH), name);
}

/* unmount_all - what was mounted in a round */
static void unmount_all(void)
{
	FILE *mounts = fopen("/proc/self/mountinfo", "re");
	char line[4096], path[4096];

	if (mounts == NULL)
		return;
	while (fgets(line, sizeof line, mounts) != NULL)
		if (sscanf(line, "%*s %*s %*s %*s %4095s", path) == 1 && strncmp(path, "/run/", 5) == 0)
			(void)umount2(path, MNT_DETACH | UMOUNT_NOFOLLOW);
	(void)fclose(mounts);
}

/* --------------------------------------------------------------- subjects */

/* One kind of call, beneath the directory NAME of the base "queue". */
struct subject {
	const char *title;
	long (*run)(const char *name, struct fault *fault);
	bool crosses; /* mount points, on purpose */
};

static const struct permissions all_below = {
	.directory = true, .recursive = true, .uid = MAIL, .gid = MAIL, .set_mode = true, .mode = 0700,
};

enum { NAME_SIZE = 128 };

/* name_below - "NAME/PATH" */
static const char *name_below(const char *name, const char *path, char text[NAME_SIZE])
{
	(void)snprintf(text, NAME_SIZE, "%s/%s", name, path);
	return text;
}

static long run_remove(const char *name, struct fault *fault)
{
	return tree_remove("queue", name, NULL, NULL, fault);
}

static long run_remove_part(const char *name, struct fault *fault)
{
	char text[NAME_SIZE];

	return tree_remove("queue", name_below(name, directories[below(COUNT(directories))], text), NULL, NULL, fault);
}

static long run_all_below(const char *name, struct fault *fault)
{
	return permissions_set("queue", name, &all_below, fault);
}

static long run_directory(const char *name, struct fault *fault)
{
	const struct permissions want = { .directory = true, .uid = MAIL, .gid = MAIL, .set_mode = true, .mode = 0700 };
	char text[NAME_SIZE];

	return permissions_set("queue", name_below(name, directories[below(COUNT(directories))], text), &want, fault);
}

static long run_file(const char *name, struct fault *fault)
{
	const struct permissions want = { .uid = MAIL, .gid = MAIL, .set_mode = true, .mode = 0600 };
	char text[NAME_SIZE];

	return permissions_set("queue", name_below(name, files[below(COUNT(files))], text), &want, fault);
}

static long run_create(const char *name, struct fault *fault)
{
	const struct permissions want = {
		.directory = true, .create = true, .uid = MAIL, .gid = MAIL, .set_mode = true, .mode = 0710,
	};
	char path[NAME_SIZE / 2], text[NAME_SIZE];

	(void)snprintf(path, sizeof path, "%s/new", directories[below(COUNT(directories))]);
	return permissions_set("queue", name_below(name, path, text), &want, fault);
}

static long run_count(const char *name, struct fault *fault)
{
	return tree_count_files("queue", name, fault);
}

static const struct subject subjects[] = {
	{ "remove", run_remove, false },        { "remove a part", run_remove_part, false },
	{ "permissions below", run_all_below, false }, { "permissions of a directory", run_directory, false },
	{ "permissions of a file", run_file, false },  { "create a directory", run_create, false },
	{ "count files", run_count, true },
};

/* naive_walk - the same work as it must not be done: look, then use the path */
static void naive_walk(const char *path, bool removes)
{
	struct stat st;
	struct scan scan;
	char inner[1024];
	int fd;

	if (strlen(path) > 200 || sys->fstatat(AT_FDCWD, path, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return;
	if (S_ISDIR(st.st_mode) && (fd = sys->openat(AT_FDCWD, path, O_RDONLY | O_NONBLOCK, 0)) >= 0) {
		scan_begin(&scan, fd);
		while (scan_next(&scan) > 0) {
			(void)snprintf(inner, sizeof inner, "%s/%s", path, scan.name);
			naive_walk(inner, removes);
		}
		(void)sys->close(fd);
	}
	if (removes)
		(void)sys->unlinkat(AT_FDCWD, path, S_ISDIR(st.st_mode) ? AT_REMOVEDIR : 0);
	else if (!S_ISLNK(st.st_mode))
		(void)sys->fchownat(AT_FDCWD, path, MAIL, MAIL, 0);
}

static long run_naive_remove(const char *name, struct fault *fault)
{
	char text[NAME_SIZE];

	(void)fault;
	naive_walk(name_below("queue", name, text), true);
	return 0;
}

static long run_naive_owner(const char *name, struct fault *fault)
{
	char text[NAME_SIZE];

	(void)fault;
	naive_walk(name_below("queue", name, text), false);
	return 0;
}

static const struct subject naive[] = {
	{ "naive remove", run_naive_remove, false },
	{ "naive owner", run_naive_owner, false },
};

/* ------------------------------------------------------------------ rounds */

/* complain - one that is bad */
static void complain(const struct subject *subject, const char *what)
{
	bad++;
	if (bad <= 20)
		(void)printf("%s, round %ld (%s%s): %s\n", subject->title, rounds,
			     present.strikes ? "between calls" : "at the same time",
			     present.old_kernel ? ", old kernel" : "", what);
}

/* count_descriptors - those open now */
static int count_descriptors(void)
{
	int count = 0;

	for (int fd = 0; fd < 24; fd++)
		count += fcntl(fd, F_GETFD) >= 0;
	return count;
}

/* hang - of SIGALRM */
static void hang(int signal)
{
	static const char text[] = "a call does not end\n1 faults, 1 bad\n";

	(void)signal;
	_exit(write(STDOUT_FILENO, text, sizeof text - 1) < 0 ? 2 : 1);
}

/* work - the call, while its tree is swapped about; the number of swaps that befell it */
static long work(const struct subject *subject, long number, long *result, struct fault *fault)
{
	char name[32];
	long swaps;

	(void)snprintf(name, sizeof name, "%ld", number);
	present.swaps = 0;
	(void)alarm(HANG_SECONDS);
	if (present.strikes) {
		*result = subject->run(name, fault);
		swaps = present.swaps;
	} else {
		tell(number);
		swaps = atomic_load(&shared->swaps);
		*result = subject->run(name, fault);
		swaps = atomic_load(&shared->swaps) - swaps;
		tell(0);
	}
	(void)alarm(0);
	return swaps;
}

/* play - one round; what it has harmed, NULL: nothing */
static const char *play(const struct subject *subject, bool strikes, bool old_kernel)
{
	struct fault fault = { 0, "" };
	int before;
	long result, swaps;

	rounds++;
	make_tree(rounds);
	present.strikes = strikes;
	present.old_kernel = old_kernel;
	present.mounts = strikes && !subject->crosses && below(8) == 0;
	present.idle = false;
	before = count_descriptors();
	swaps = work(subject, rounds, &result, &fault);
	present.idle = true;
	if (count_descriptors() != before)
		complain(subject, "descriptors are left");
	if (result < 0 && (strncmp(fault.text, "queue/", 6) != 0 && strncmp(fault.text, "...", 3) != 0))
		complain(subject, "the reason names nothing");
	(void)close(present.tree);
	if (present.mounts)
		unmount_all();
	faults[strikes] += swaps > 0;
	return harm();
}

/* prove - that rounds find what works by path */
static void prove(const struct subject *subject)
{
	long before = rounds, found[2] = { 0, 0 };

	for (int strikes = 0; strikes < 2; strikes++) {
		while (found[strikes] == 0 && rounds - before < NAIVE_ROUNDS) {
			const char *what = play(subject, strikes, false);

			if (what != NULL) {
				(void)printf("%s, round %ld (%s): %s, as it should\n", subject->title, rounds - before,
					     strikes ? "between calls" : "at the same time", what);
				found[strikes]++;
			}
			if (what != NULL || rounds % CLEAN_EVERY == 0)
				clean();
		}
		if (found[strikes] == 0)
			complain(subject, "it works by path, and that was not found out");
		before = rounds;
	}
}

/* enter_world - a mount of our own, in which times of access are kept */
static void enter_world(void)
{
	must(unshare(CLONE_NEWNS), "unshare");
	must(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), "mount");
	must(mount("tree_race", "/run", "tmpfs", MS_STRICTATIME, "mode=755"), "/run");
	must(chdir("/run"), "/run");
	must(mkdir("queue", 0755), "queue");
	must(mkdir("yard", 0755), "yard");
	must(mkdir("outside", 0755), "outside");
	(void)umask(022);
	shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (shared == MAP_FAILED)
		must(-1, "mmap");
}

int main(int argc, char **argv)
{
	long count = argc > 1 ? strtol(argv[1], NULL, 10) : ROUNDS;
	struct sys striking = sys_real;
	pid_t other;

	present.idle = true;
	seed = argc > 2 ? strtoull(argv[2], NULL, 10) : 1;
	striking.openat = strike_openat;
	striking.openat2 = strike_openat2;
	striking.fstat = strike_fstat;
	striking.fstatat = strike_fstatat;
	striking.fchmod = strike_fchmod;
	striking.fchown = strike_fchown;
	striking.fchownat = strike_fchownat;
	striking.mkdirat = strike_mkdirat;
	striking.unlinkat = strike_unlinkat;
	striking.getdents64 = strike_getdents64;
	sys = &striking;
	(void)signal(SIGALRM, hang);
	enter_world();
	clean();
	other = fork();
	must(other, "fork");
	if (other == 0)
		be_mail_user(getppid());
	for (size_t i = 0; i < COUNT(naive); i++)
		prove(&naive[i]);
	rounds = faults[0] = faults[1] = 0;
	clean();
	while (faults[0] + faults[1] < count) {
		const struct subject *subject = &subjects[below(COUNT(subjects))];
		bool strikes = rounds % 4 != 0, old_kernel = rounds / 4 % 2 == 1;
		const char *what = play(subject, strikes, old_kernel);

		if (what != NULL)
			complain(subject, what);
		if (what != NULL || rounds % CLEAN_EVERY == 0)
			clean();
	}
	(void)kill(other, SIGKILL);
	(void)waitpid(other, NULL, 0);
	(void)printf("%ld rounds; swapped between calls in %ld, at the same time in %ld\n", rounds, faults[1],
		     faults[0]);
	(void)printf("%ld faults, %ld bad\n", faults[0] + faults[1], bad);
	return bad > 0;
}
