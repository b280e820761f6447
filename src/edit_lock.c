#define _GNU_SOURCE
#include "edit_lock.h"

#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "buffer.h"
#include "lock.h"
#include "retry.h"
#include "sys.h"

#define MAX_TURNS 1000 /* times that PATH.tmp may be replaced under us, or be removed by us */

/* What to do with the PATH.tmp that was opened. */
enum verdict {
	USABLE,
	RENAMED, /* not the file of that name any more: open it again */
	FOREIGN, /* not ours, or not as we make it: remove it and start again */
	FAILED,  /* errno tells */
};

/* judge - is the open, locked file a PATH.tmp that we may use? */
static enum verdict judge(const struct edit_lock *lock)
{
	struct stat open_file, named;

	if (sys->fstat(lock->fd, &open_file) < 0)
		return FAILED;
	if (sys->fstatat(lock->dirfd, lock->temporary, &named, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? RENAMED : FAILED;
	if (open_file.st_ino != named.st_ino || open_file.st_dev != named.st_dev)
		return RENAMED;
	if (!S_ISREG(open_file.st_mode) || open_file.st_nlink != 1 || (open_file.st_mode & 07777) != 0600 ||
	    open_file.st_uid != geteuid())
		return FOREIGN;
	return USABLE;
}

/* close_temporary - the lock goes with it; errno is kept */
static void close_temporary(struct edit_lock *lock)
{
	lock_release(lock->fd);
	lock->fd = -1;
}

/* remove_temporary - unlink PATH.tmp; 0, or -1 with errno; that it is gone already is fine */
static int remove_temporary(const struct edit_lock *lock)
{
	int result;

	RETRY(result, sys->unlinkat(lock->dirfd, lock->temporary, 0));
	return result < 0 && errno != ENOENT ? -1 : 0;
}

/* remove_if_ours - after a failure: leave no PATH.tmp behind, unless somebody else has its lock; errno is kept */
static void remove_if_ours(const struct edit_lock *lock)
{
	int saved = errno, result;

	RETRY(result, sys->flock(lock->fd, LOCK_EX | LOCK_NB));
	if (result == 0 && judge(lock) == USABLE)
		(void)remove_temporary(lock);
	errno = saved;
}

/* fail - the fault of PATH.tmp from errno */
static int fail(const struct edit_lock *lock, struct fault *fault)
{
	return fault_errno(fault, lock->path);
}

/* open_temporary - open PATH.tmp, making it; 1: open, 0: something in the way was removed, -1: fault */
static int open_temporary(struct edit_lock *lock, struct fault *fault)
{
	int flags = O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC | O_NOCTTY;

	RETRY(lock->fd, sys->openat(lock->dirfd, lock->temporary, O_WRONLY | O_CREAT | flags, 0600));
	if (lock->fd < 0 && errno == EACCES) {
		/* Perhaps a leftover that has got its final mode, read-only: enough to lock it, and then remove it. */
		RETRY(lock->fd, sys->openat(lock->dirfd, lock->temporary, O_RDONLY | flags, 0));
		if (lock->fd < 0)
			errno = EACCES;
	}
	if (lock->fd >= 0)
		return 1;
	if (errno == EISDIR)
		return fault_set(fault, EISDIR, "%s: is a directory in the way of the edit; move it", lock->path);
	if (errno != ELOOP && errno != ENXIO) /* a symbolic link, a fifo or socket */
		return fail(lock, fault);
	return remove_temporary(lock) < 0 ? fail(lock, fault) : 0;
}

/* lock_temporary - lock the open PATH.tmp; 1: locked and empty, 0: start again, -1: fault */
static int lock_temporary(struct edit_lock *lock, long wait_ms, struct fault *fault)
{
	int result;

	if (lock_wait(lock->fd, lock->path, wait_ms, fault) < 0)
		return -1;
	switch (judge(lock)) {
	case RENAMED:
		return 0;
	case FOREIGN:
		return remove_temporary(lock) < 0 ? fail(lock, fault) : 0;
	case FAILED:
		return fail(lock, fault);
	case USABLE:
		break;
	}
	RETRY(result, sys->ftruncate(lock->fd, 0));
	return result < 0 ? fail(lock, fault) : 1;
}

/* take - open and lock PATH.tmp, again while others come in between */
static int take(struct edit_lock *lock, long wait_ms, struct fault *fault)
{
	for (int turn = 0; turn < MAX_TURNS; turn++) {
		int result = open_temporary(lock, fault);

		if (result > 0)
			result = lock_temporary(lock, wait_ms, fault);
		if (result > 0)
			return 0;
		if (result < 0) {
			if (lock->fd >= 0)
				remove_if_ours(lock);
			return -1;
		}
		if (lock->fd >= 0)
			close_temporary(lock);
	}
	return fault_set(fault, EBUSY, "%s: cannot be had: replaced again and again, or the umask forbids mode 0600",
			 lock->path);
}

/* copy_strings - name, temporary name and path; false: out of memory */
static bool copy_strings(struct edit_lock *lock, const char *path, const char *name)
{
	struct buffer temporary = BUFFER_INIT;

	buffer_add_string(&temporary, path);
	buffer_add_string(&temporary, ".tmp");
	if (!buffer_failed(&temporary)) {
		lock->path = strdup(temporary.data);
		lock->temporary = strdup(temporary.data + (name - path));
		lock->name = strdup(name);
	}
	buffer_free(&temporary);
	return lock->path != NULL && lock->temporary != NULL && lock->name != NULL;
}

/* open_directory - the directory that a path is in */
static int open_directory(const char *path, const char *name, struct fault *fault)
{
	struct buffer directory = BUFFER_INIT;
	int fd = -1;

	if (name == path)
		buffer_add_char(&directory, '.');
	else
		buffer_add(&directory, path, (size_t)(name - path));
	if (buffer_failed(&directory)) {
		(void)fault_set(fault, ENOMEM, "%s: %s", path, strerror(ENOMEM));
	} else {
		RETRY(fd, sys->openat(AT_FDCWD, directory.data, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0));
		if (fd < 0)
			(void)fault_errno(fault, path);
	}
	buffer_free(&directory);
	return fd;
}

/* edit_lock_take - take the lock of a path */
int edit_lock_take(struct edit_lock *lock, const char *path, long wait_ms, struct fault *fault)
{
	const char *slash = strrchr(path, '/'), *name = slash == NULL ? path : slash + 1;

	*lock = (struct edit_lock)EDIT_LOCK_INIT;
	if (*name == '\0' || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
		return fault_set(fault, EISDIR, "%s: %s", path, strerror(EISDIR));
	lock->dirfd = open_directory(path, name, fault);
	if (lock->dirfd < 0)
		return -1;
	if (!copy_strings(lock, path, name))
		(void)fault_set(fault, ENOMEM, "%s: %s", path, strerror(ENOMEM));
	else if (take(lock, wait_ms, fault) == 0)
		return 0;
	edit_lock_release(lock, EDIT_LOCK_KEEP);
	return -1;
}

/* edit_lock_release - release lock and memory */
void edit_lock_release(struct edit_lock *lock, enum edit_lock_temporary temporary)
{
	int saved = errno;

	if (lock->fd >= 0 && temporary == EDIT_LOCK_REMOVE)
		(void)remove_temporary(lock);
	close_temporary(lock);
	lock_release(lock->dirfd);
	free(lock->name);
	free(lock->temporary);
	free(lock->path);
	*lock = (struct edit_lock)EDIT_LOCK_INIT;
	errno = saved;
}
