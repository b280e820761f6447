#define _GNU_SOURCE
#include "sys.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

/* real_openat - openat(2) is variadic in C, a table entry cannot be */
static int real_openat(int dirfd, const char *path, int flags, mode_t mode)
{
	return openat(dirfd, path, flags, mode);
}

/* real_openat2 - no C library has a wrapper */
static int real_openat2(int dirfd, const char *path, const struct open_how *how, size_t size)
{
	return (int)syscall(SYS_openat2, dirfd, path, how, size);
}

/* real_setlease - a lease is told by SIGIO that it is in the way, which would end the program; SIGURG does nothing */
static int real_setlease(int fd, int type)
{
	if (type != F_UNLCK && fcntl(fd, F_SETSIG, SIGURG) < 0)
		return -1;
	return fcntl(fd, F_SETLEASE, type);
}

/* real_pidfd_open - glibc before 2.36 has no wrapper */
static int real_pidfd_open(pid_t pid, unsigned flags)
{
	return (int)syscall(SYS_pidfd_open, pid, flags);
}

/* real_getdents64 - glibc before 2.30 has no wrapper; one way for all */
static ssize_t real_getdents64(int fd, void *entries, size_t size)
{
	return (ssize_t)syscall(SYS_getdents64, fd, entries, size);
}

const struct sys sys_real = {
	.openat = real_openat,
	.openat2 = real_openat2,
	.close = close,
	.read = read,
	.preadv2 = preadv2,
	.write = write,
	.lseek = lseek,
	.ftruncate = ftruncate,
	.fsync = fsync,
	.flock = flock,
	.setlease = real_setlease,
	.dup2 = dup2,
	.fstat = fstat,
	.fstatat = fstatat,
	.statx = statx,
	.fstatfs = fstatfs,
	.fchmod = fchmod,
	.fchown = fchown,
	.fchownat = fchownat,
	.futimens = futimens,
	.flistxattr = flistxattr,
	.fgetxattr = fgetxattr,
	.fsetxattr = fsetxattr,
	.fremovexattr = fremovexattr,
	.mkdirat = mkdirat,
	.unlinkat = unlinkat,
	.renameat = renameat,
	.readlinkat = readlinkat,
	.getdents64 = real_getdents64,
	.realpath = realpath,
	.getcwd = getcwd,
	.spawn = posix_spawn,
	.waitpid = waitpid,
	.pidfd_open = real_pidfd_open,
	.kill = kill,
	.pipe2 = pipe2,
	.poll = poll,
	.clock_gettime = clock_gettime,
	.nanosleep = nanosleep,
};

const struct sys *sys = &sys_real;
