/*
 * shim - LD_PRELOAD library: what else may happen while a command runs, and commands that forget to sync
 *
 * $POWER_STIR is a file on the file system of the command. After each call that
 * changes something there it is written and synced, as by another program: so
 * the file system puts on disk, as early as it can, whatever the command itself
 * has not synced yet. Without the variable nothing is done.
 *
 * $POWER_SKIP makes a mutant of the command, in which some fsync(2) does
 * nothing: "file" those of regular files, "directory" those of directories,
 * "journal" those of both beneath /var/lib/postmulti.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/btrfs.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#define JOURNAL "/var/lib/postmulti"
#define HIGH_DESCRIPTOR 500 /* out of the command's way */

#define REAL(name) ((__typeof__(&(name)))real(#name))

static void *real(const char *name)
{
	void *function = dlsym(RTLD_NEXT, name);

	if (function == NULL)
		abort();
	return function;
}

/* stir_fd - the other program's file */
static int stir_fd(const char *path)
{
	static int fd = -1;
	int low;

	if (fd >= 0)
		return fd;
	low = REAL(openat)(AT_FDCWD, path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
	if (low < 0)
		return -1;
	fd = fcntl(low, F_DUPFD_CLOEXEC, HIGH_DESCRIPTOR);
	(void)close(low);
	return fd;
}

/*
 * commit - btrfs writes down a synced file alone, and what else has changed every 30 seconds. This is what it does
 * then. Other file systems know no such call, and need none.
 */
static void commit(int fd)
{
	__u64 number;

	if (ioctl(fd, BTRFS_IOC_START_SYNC, &number) == 0)
		(void)ioctl(fd, BTRFS_IOC_WAIT_SYNC, &number);
}

/* stir - another program syncs a file of its own */
static void stir(void)
{
	const char *path = getenv("POWER_STIR");
	int saved = errno;

	if (path != NULL) {
		int fd = stir_fd(path);

		/* Appended: what only writes the same bytes again, within the same tick of the clock, commits nothing. */
		if (fd < 0 || REAL(write)(fd, "x", 1) < 0 || REAL(fsync)(fd) < 0)
			abort();
		commit(fd);
	}
	errno = saved;
}

/* is_skipped - is this fsync(2) one that the mutant forgets? */
static int is_skipped(int fd)
{
	const char *skip = getenv("POWER_SKIP");
	char link[64], path[sizeof JOURNAL];
	struct stat st;
	ssize_t length;

	if (skip == NULL || fstat(fd, &st) < 0)
		return 0;
	if (strcmp(skip, "file") == 0)
		return S_ISREG(st.st_mode);
	if (strcmp(skip, "directory") == 0)
		return S_ISDIR(st.st_mode);
	if (strcmp(skip, "journal") != 0)
		abort();
	(void)snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
	length = readlink(link, path, sizeof path - 1);
	return length == sizeof path - 1 && memcmp(path, JOURNAL, (size_t)length) == 0;
}

int fsync(int fd)
{
	return is_skipped(fd) ? 0 : REAL(fsync)(fd);
}

int openat(int dirfd, const char *path, int flags, ...)
{
	va_list rest;
	mode_t mode;
	int fd;

	va_start(rest, flags);
	mode = (flags & (O_CREAT | O_TMPFILE)) != 0 ? va_arg(rest, mode_t) : 0;
	va_end(rest);
	fd = REAL(openat)(dirfd, path, flags, mode);
	if ((flags & O_CREAT) != 0)
		stir();
	return fd;
}

ssize_t write(int fd, const void *bytes, size_t length)
{
	ssize_t result = REAL(write)(fd, bytes, length);

	if (fd > 2)
		stir();
	return result;
}

/* CHANGE(name, parameters, arguments) - the call, then the other program's */
#define CHANGE(name, parameters, arguments)                \
	int name parameters                                \
	{                                                  \
		int result = REAL(name) arguments;         \
                                                           \
		stir();                                    \
		return result;                             \
	}

CHANGE(ftruncate, (int fd, off_t length), (fd, length))
CHANGE(fchmod, (int fd, mode_t mode), (fd, mode))
CHANGE(fchown, (int fd, uid_t uid, gid_t gid), (fd, uid, gid))
CHANGE(fchownat, (int dirfd, const char *path, uid_t uid, gid_t gid, int flags), (dirfd, path, uid, gid, flags))
CHANGE(mkdirat, (int dirfd, const char *path, mode_t mode), (dirfd, path, mode))
CHANGE(unlinkat, (int dirfd, const char *path, int flags), (dirfd, path, flags))
CHANGE(renameat, (int from, const char *old, int to, const char *new), (from, old, to, new))
