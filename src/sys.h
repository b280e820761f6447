/*
 * sys - the one door to the operating system
 *
 * Every call of the C core that can fail, or that changes something outside
 * this process, goes through the table `sys`, so that a test can put its own
 * table in its place: fail the Nth call with a chosen errno, shorten a read or
 * write, or end the run there. A member behaves exactly as the system call of
 * the same name (see section 2 of the manual): result, errno, EINTR and all.
 *
 *      fd = sys->openat(AT_FDCWD, path, O_RDONLY | O_CLOEXEC, 0);
 *
 * Not thread safe: a test swaps the table while nothing else runs.
 */
#ifndef POSTMULTI_SYS_H
#define POSTMULTI_SYS_H

#include <linux/openat2.h>
#include <poll.h>
#include <spawn.h>
#include <stddef.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <time.h>

struct statx; /* complete only with _GNU_SOURCE */
struct statfs;

struct sys {
	/* descriptors and files */
	int (*openat)(int dirfd, const char *path, int flags, mode_t mode);
	int (*openat2)(int dirfd, const char *path, const struct open_how *how, size_t size);
	int (*close)(int fd);
	ssize_t (*read)(int fd, void *data, size_t size);
	ssize_t (*preadv2)(int fd, const struct iovec *parts, int count, off_t offset, int flags);
	ssize_t (*write)(int fd, const void *data, size_t size);
	off_t (*lseek)(int fd, off_t offset, int whence);
	int (*ftruncate)(int fd, off_t length);
	int (*fsync)(int fd);
	int (*flock)(int fd, int operation);
	int (*setlease)(int fd, int type); /* fcntl(2), F_SETLEASE; whoever breaks it sends a signal that is ignored */
	int (*dup2)(int from, int to);
	/* metadata */
	int (*fstat)(int fd, struct stat *st);
	int (*fstatat)(int dirfd, const char *path, struct stat *st, int flags);
	int (*statx)(int dirfd, const char *path, int flags, unsigned mask, struct statx *st);
	int (*fstatfs)(int fd, struct statfs *st);
	int (*fchmod)(int fd, mode_t mode);
	int (*fchown)(int fd, uid_t uid, gid_t gid);
	int (*fchownat)(int dirfd, const char *path, uid_t uid, gid_t gid, int flags);
	int (*futimens)(int fd, const struct timespec times[2]);
	ssize_t (*flistxattr)(int fd, char *list, size_t size);
	ssize_t (*fgetxattr)(int fd, const char *name, void *value, size_t size);
	int (*fsetxattr)(int fd, const char *name, const void *value, size_t size, int flags);
	int (*fremovexattr)(int fd, const char *name);
	/* names */
	int (*mkdirat)(int dirfd, const char *path, mode_t mode);
	int (*unlinkat)(int dirfd, const char *path, int flags);
	int (*renameat)(int fromfd, const char *from, int tofd, const char *to);
	ssize_t (*readlinkat)(int dirfd, const char *path, char *target, size_t size);
	ssize_t (*getdents64)(int fd, void *entries, size_t size);
	char *(*realpath)(const char *path, char *resolved); /* realpath(3) */
	char *(*getcwd)(char *path, size_t size);
	/* processes and time */
	int (*spawn)(pid_t *pid, const char *path, const posix_spawn_file_actions_t *actions,
		     const posix_spawnattr_t *attributes, char *const argv[], char *const envp[]); /* posix_spawn */
	pid_t (*waitpid)(pid_t pid, int *status, int options);
	int (*pidfd_open)(pid_t pid, unsigned flags);
	int (*kill)(pid_t pid, int signal);
	int (*pipe2)(int fds[2], int flags);
	int (*poll)(struct pollfd *fds, nfds_t count, int timeout);
	int (*clock_gettime)(clockid_t clock, struct timespec *now);
	int (*nanosleep)(const struct timespec *want, struct timespec *rest);
};

/* The real calls, and the table in force (initially &sys_real). */
extern const struct sys sys_real;
extern const struct sys *sys;

#endif
