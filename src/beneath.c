#define _GNU_SOURCE
#include "beneath.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <string.h>

#include "sys.h"

enum { OPENAT2_TRIES = 32 };

/* beneath_retry - openat(2) that goes on after a signal */
int beneath_retry(int dirfd, const char *path, int flags)
{
	int fd;

	do
		fd = sys->openat(dirfd, path, flags | O_CLOEXEC, 0);
	while (fd < 0 && errno == EINTR);
	return fd;
}

/* next_component - find the next component from *at on; its length, 0: none left */
static size_t next_component(const char **at)
{
	*at += strspn(*at, "/");
	return strcspn(*at, "/");
}

/* is_dots - is the component the given number of dots? */
static bool is_dots(const char *component, size_t length, size_t dots)
{
	return length == dots && strncmp(component, "..", dots) == 0;
}

/* beneath_valid - relative, no "..", at least one component */
bool beneath_valid(const char *name)
{
	size_t length;
	bool found = false;

	if (*name == '/')
		return false;
	for (; (length = next_component(&name)) > 0; name += length) {
		if (is_dots(name, length, 2))
			return false;
		found = found || !is_dots(name, length, 1);
	}
	return found;
}

/* beneath_clean - drop what does not matter from a name */
int beneath_clean(const char *name, char clean[PATH_MAX], struct fault *fault)
{
	size_t used = 0, length;
	const char *at = name;

	if (!beneath_valid(name))
		return fault_set(fault, EINVAL, "\"%s\" is not a relative path without \"..\"", name);
	for (; (length = next_component(&at)) > 0; at += length) {
		if (is_dots(at, length, 1))
			continue;
		if (used + length + 2 > PATH_MAX)
			return fault_set(fault, ENAMETOOLONG, "%.200s...: %s", name, strerror(ENAMETOOLONG));
		if (used > 0)
			clean[used++] = '/';
		memcpy(clean + used, at, length);
		used += length;
	}
	clean[used] = '\0';
	return 0;
}

/* beneath_base - the base is trusted, its links are followed */
int beneath_base(const char *path, struct fault *fault)
{
	int fd = beneath_retry(AT_FDCWD, path, O_RDONLY | O_DIRECTORY);

	return fd < 0 ? fault_errno(fault, path) : fd;
}

/* mount_of - the number of the mount that FD is on; 0: the kernel does not tell it, -1: errno */
static long long mount_of(int fd)
{
	struct statx st;

	if (sys->statx(fd, "", AT_EMPTY_PATH, STATX_MNT_ID, &st) < 0)
		return errno == ENOSYS || errno == EPERM ? 0 : -1;
	return (st.stx_mask & STATX_MNT_ID) != 0 ? (long long)st.stx_mnt_id : 0;
}

/* same_mount - is FD on the mount of BASE? A directory that is bound elsewhere has its device there as well */
static bool same_mount(int base, int fd)
{
	struct stat here, there;
	long long one, other;

	if (sys->fstat(base, &here) < 0 || sys->fstat(fd, &there) < 0)
		return false;
	one = mount_of(base);
	other = one < 0 ? -1 : mount_of(fd);
	if (one < 0 || other < 0)
		return false;
	if (here.st_dev == there.st_dev && (one == other || one == 0 || other == 0))
		return true;
	errno = EXDEV;
	return false;
}

/* close_keeping_errno - for the way out of an error */
static void close_keeping_errno(int fd)
{
	int saved = errno;

	(void)sys->close(fd);
	errno = saved;
}

/* open_one - open one component of a name below a directory */
static int open_one(int dirfd, const char *component, int flags, enum beneath_mounts mounts)
{
	int fd = beneath_retry(dirfd, component, flags | O_NOFOLLOW);

	if (fd < 0) {
		struct stat st;
		int saved = errno;

		/* O_DIRECTORY with O_NOFOLLOW says ENOTDIR of a link. */
		if (errno == ENOTDIR && sys->fstatat(dirfd, component, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
		    S_ISLNK(st.st_mode))
			saved = ELOOP;
		errno = saved;
		return -1;
	}
	if (mounts == BENEATH_SAME_MOUNT && !same_mount(dirfd, fd)) {
		close_keeping_errno(fd);
		return -1;
	}
	return fd;
}

/* open_stepwise - beneath_open() for a kernel without openat2(2) */
static int open_stepwise(int base, const char *name, int flags, enum beneath_mounts mounts)
{
	int dirfd = base;

	for (;;) {
		char component[NAME_MAX + 1];
		size_t length = next_component(&name);
		bool last = name[length] == '\0';
		int fd;

		if (length > NAME_MAX) {
			errno = ENAMETOOLONG;
			fd = -1;
		} else {
			memcpy(component, name, length);
			component[length] = '\0';
			fd = open_one(dirfd, component, last ? flags : O_PATH | O_DIRECTORY, mounts);
		}
		if (dirfd != base)
			close_keeping_errno(dirfd);
		if (fd < 0 || last)
			return fd;
		dirfd = fd;
		name += length;
	}
}

/* beneath_open - by openat2(2) where there is one */
int beneath_open(int base, const char *name, int flags, enum beneath_mounts mounts)
{
	struct open_how how = {
		.flags = (unsigned)(flags | O_CLOEXEC), /* O_NOFOLLOW would say ENOTDIR for ELOOP */
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS |
			(mounts == BENEATH_SAME_MOUNT ? RESOLVE_NO_XDEV : 0),
	};
	int fd = -1;

	for (int tries = 0; tries < OPENAT2_TRIES; tries++) {
		fd = sys->openat2(base, name, &how, sizeof how);
		/* EAGAIN: something was renamed meanwhile, which no ".." of ours can profit from. */
		if (fd >= 0 || (errno != EINTR && errno != EAGAIN))
			break;
	}
	/* EPERM: old seccomp filters answer so to calls they do not know. */
	if (fd < 0 && (errno == ENOSYS || errno == EPERM))
		return open_stepwise(base, name, flags, mounts);
	return fd;
}

/* beneath_parent - open all but the last component */
int beneath_parent(int base, const char *name, enum beneath_mounts mounts, const char **last)
{
	const char *slash = strrchr(name, '/');
	char directory[PATH_MAX];

	if (slash == NULL) {
		*last = name;
		return beneath_retry(base, ".", O_RDONLY | O_DIRECTORY);
	}
	*last = slash + 1;
	memcpy(directory, name, (size_t)(slash - name));
	directory[slash - name] = '\0';
	return beneath_open(base, directory, O_RDONLY | O_DIRECTORY, mounts);
}

/* beneath_reason - the two errors that mean something of their own here */
const char *beneath_reason(int number)
{
	switch (number) {
	case ELOOP:
		return "a symbolic link, which is not followed";
	case EXDEV:
		return "a mount point, which is not crossed";
	default:
		return strerror(number);
	}
}
