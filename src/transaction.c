/*
 * States of a handle:
 *
 *      state    path  locks        leaves by
 *      closed   NULL  none         begin -> open
 *      open     set   all held     commit, rollback -> closed
 *
 * A lock's PATH.tmp is removed while the lock is still held, so that a waiter
 * never gets hold of a file that is about to be removed.
 */
#define _GNU_SOURCE
#include "transaction.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "attributes.h"
#include "lock.h"
#include "read_file.h"
#include "retry.h"
#include "sys.h"
#include "write_all.h"

#define MAX_LINKS 40 /* as the kernel has it */

/* current - the lock of the file itself */
static struct edit_lock *current(const struct transaction *t)
{
	return &t->locks[t->count - 1];
}

/* close_handle - release everything; the file's own PATH.tmp is removed or not, those of links always */
static void close_handle(struct transaction *t, enum edit_lock_temporary temporary)
{
	bool is_owner = t->owner == getpid();
	int saved = errno;

	while (t->count > 0) {
		edit_lock_release(current(t), is_owner ? temporary : EDIT_LOCK_KEEP);
		temporary = EDIT_LOCK_REMOVE;
		t->count--;
	}
	free(t->locks);
	free(t->path);
	t->locks = NULL;
	t->path = NULL;
	buffer_free(&t->text);
	errno = saved;
}

/* transaction_rollback - change nothing and close the handle */
void transaction_rollback(struct transaction *t)
{
	close_handle(t, EDIT_LOCK_REMOVE);
}

/* read_link - where the link NAME in a directory leads: 1 and the target, 0: not a link, -1: errno */
static int read_link(int dirfd, const char *name, struct buffer *target)
{
	struct stat st;
	ssize_t got;

	if (sys->fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return -1;
	if (!S_ISLNK(st.st_mode))
		return 0;
	buffer_reset(target);
	if (!buffer_reserve(target, 4096)) {
		errno = ENOMEM;
		return -1;
	}
	got = sys->readlinkat(dirfd, name, target->data, 4096);
	if (got < 0)
		return -1;
	target->length = (size_t)got;
	target->data[got] = '\0';
	return 1;
}

/* follow - the path that the link at t->path leads to becomes t->path */
static int follow(struct transaction *t, const struct buffer *target)
{
	struct buffer path = BUFFER_INIT;
	const char *slash = strrchr(t->path, '/');
	char *copy = NULL;

	if (target->data[0] != '/' && slash != NULL)
		buffer_add(&path, t->path, (size_t)(slash + 1 - t->path));
	buffer_add_string(&path, target->data);
	if (!buffer_failed(&path))
		copy = strdup(path.data);
	buffer_free(&path);
	if (copy == NULL) {
		errno = ENOMEM;
		return -1;
	}
	free(t->path);
	t->path = copy;
	return 0;
}

/* is_same_file - are two states those of one file? */
static bool is_same_file(const struct stat *a, const struct stat *b)
{
	return a->st_ino == b->st_ino && a->st_dev == b->st_dev;
}

/* check_temporary - is the PATH.tmp of a link the very file that it leads to? Locking would empty it */
static int check_temporary(const char *path, const struct stat *file, struct fault *fault)
{
	struct buffer temporary = BUFFER_INIT;
	struct stat st;
	int result = 0;

	buffer_add_string(&temporary, path);
	buffer_add_string(&temporary, ".tmp");
	if (buffer_failed(&temporary))
		result = fault_set(fault, ENOMEM, "%s: %s", path, strerror(ENOMEM));
	else if (file->st_nlink == 1 && sys->fstatat(AT_FDCWD, temporary.data, &st, 0) == 0 && is_same_file(file, &st))
		result = fault_set(fault, 0, "%s: leads to %s.tmp, which is the name of the file for edits; "
				   "give that file another name", path, path);
	buffer_free(&temporary);
	return result;
}

/* add_lock - take the lock of t->path as the last one */
static int add_lock(struct transaction *t, const struct stat *file, long wait_ms, struct fault *fault)
{
	struct edit_lock *locks = realloc(t->locks, (t->count + 1) * sizeof *locks);

	if (locks == NULL)
		return fault_set(fault, ENOMEM, "%s: %s", t->path, strerror(ENOMEM));
	t->locks = locks;
	if (check_temporary(t->path, file, fault) < 0 ||
	    edit_lock_take(&locks[t->count], t->path, wait_ms, fault) < 0)
		return -1;
	t->count++;
	return 0;
}

/* next_link - if t->path is a link, let t->path be where it leads; 1: it was one, 0: no, -1: errno */
static int next_link(struct transaction *t)
{
	struct buffer target = BUFFER_INIT;
	int result = read_link(current(t)->dirfd, current(t)->name, &target);

	if (result > 0 && t->count > MAX_LINKS) {
		errno = ELOOP;
		result = -1;
	}
	if (result > 0 && follow(t, &target) < 0)
		result = -1;
	buffer_free(&target);
	return result;
}

/* lock_chain - the locks of all links on the way and of the file itself, in this order */
static int lock_chain(struct transaction *t, long wait_ms, struct fault *fault)
{
	struct stat file;
	int result;

	/* First without a lock: a loop of links must not make us wait for ourselves. */
	if (sys->fstatat(AT_FDCWD, t->path, &file, 0) < 0)
		return fault_errno(fault, t->path);
	do {
		if (add_lock(t, &file, wait_ms, fault) < 0)
			return -1;
		result = next_link(t);
		if (result < 0)
			return fault_errno(fault, t->path);
	} while (result > 0);
	return 0;
}

/* transaction_begin - lock and read a file */
int transaction_begin(struct transaction *t, const char *path, long wait_ms, struct fault *fault)
{
	*t = (struct transaction)TRANSACTION_INIT;
	t->owner = getpid();
	t->path = strdup(path);
	if (t->path == NULL)
		return fault_set(fault, ENOMEM, "%s: %s", path, strerror(ENOMEM));
	if (lock_chain(t, wait_ms, fault) < 0 ||
	    read_file_at(current(t)->dirfd, current(t)->name, t->path, &t->text, &t->state, fault) != READ_FILE_OK) {
		transaction_rollback(t);
		return -1;
	}
	return 0;
}

/* open_original - open the file again for its attributes, refusing one that changed since it was read */
static int open_original(const struct transaction *t, struct stat *st, struct fault *fault)
{
	int fd;

	RETRY(fd, sys->openat(current(t)->dirfd, current(t)->name,
			      O_RDONLY | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC | O_NOCTTY, 0));
	if (fd < 0)
		return fault_errno(fault, t->path);
	if (sys->fstat(fd, st) < 0) {
		(void)fault_errno(fault, t->path);
	} else if (!is_same_file(st, &t->state) || st->st_size != t->state.st_size ||
		   st->st_mtim.tv_sec != t->state.st_mtim.tv_sec || st->st_mtim.tv_nsec != t->state.st_mtim.tv_nsec) {
		(void)fault_set(fault, EAGAIN, "%s: changed by another program during the edit; try again", t->path);
	} else {
		return fd;
	}
	lock_release(fd);
	return -1;
}

/* copy_attributes - give PATH.tmp the attributes of the file */
static int copy_attributes(const struct transaction *t, struct fault *fault)
{
	struct stat st;
	int fd = open_original(t, &st, fault), result;

	if (fd < 0)
		return -1;
	result = attributes_copy(fd, &st, current(t)->fd);
	if (result < 0)
		(void)fault_set(fault, errno, "%s: cannot keep owner, mode and attributes: %s", t->path,
				strerror(errno));
	lock_release(fd);
	return result;
}

/* install - sync PATH.tmp, rename it into place, sync the directory unless that is done later */
static enum transaction_outcome install(const struct edit_lock *lock, const char *path, bool sync_later,
					struct fault *fault)
{
	int result;

	RETRY(result, sys->fsync(lock->fd));
	if (result < 0)
		return (enum transaction_outcome)fault_errno(fault, lock->path);
	RETRY(result, sys->renameat(lock->dirfd, lock->temporary, lock->dirfd, lock->name));
	if (result < 0)
		return (enum transaction_outcome)fault_errno(fault, path);
	if (sync_later)
		return TRANSACTION_CHANGED;
	RETRY(result, sys->fsync(lock->dirfd));
	if (result == 0)
		return TRANSACTION_CHANGED;
	(void)fault_set(fault, errno, "%s: the new text is in place, but its directory cannot be synced: %s", path,
			strerror(errno));
	return TRANSACTION_UNSYNCED;
}

/* is_installed - has PATH.tmp been renamed? */
static bool is_installed(enum transaction_outcome outcome)
{
	return outcome == TRANSACTION_CHANGED || outcome == TRANSACTION_UNSYNCED;
}

/* transaction_commit - install a text and close the handle */
enum transaction_outcome transaction_commit(struct transaction *t, const char *text, size_t length,
					    struct fault *fault)
{
	enum transaction_outcome outcome = TRANSACTION_FAILED;

	if (t->path == NULL)
		return (enum transaction_outcome)fault_set(fault, EBADF, "the edit has ended already");
	if (t->owner != getpid())
		(void)fault_set(fault, EPERM, "%s: the edit belongs to process %ld", t->path, (long)t->owner);
	else if (length == t->text.length && memcmp(text, t->text.data, length) == 0)
		outcome = TRANSACTION_UNCHANGED;
	else if (write_all(current(t)->fd, text, length, current(t)->path, fault) == 0 && copy_attributes(t, fault) == 0)
		outcome = install(current(t), t->path, false, fault);
	close_handle(t, is_installed(outcome) ? EDIT_LOCK_KEEP : EDIT_LOCK_REMOVE);
	return outcome;
}

/* check_absent - is there nothing of that name? */
static int check_absent(const struct edit_lock *lock, const char *path, struct fault *fault)
{
	struct stat st;

	if (sys->fstatat(lock->dirfd, lock->name, &st, AT_SYMLINK_NOFOLLOW) == 0)
		errno = EEXIST;
	else if (errno == ENOENT)
		return 0;
	return fault_errno(fault, path);
}

/* set_group - the group that a new file gets in this directory, whatever a leftover had */
static int set_group(const struct edit_lock *lock)
{
	struct stat st, directory;
	gid_t group;
	int result;

	if (sys->fstat(lock->fd, &st) < 0 || sys->fstat(lock->dirfd, &directory) < 0)
		return -1;
	group = (directory.st_mode & S_ISGID) != 0 ? directory.st_gid : getegid();
	if (st.st_gid == group)
		return 0;
	RETRY(result, sys->fchown(lock->fd, (uid_t)-1, group));
	return result;
}

/* set_times - take access and modification time from another file */
static int set_times(const struct edit_lock *lock, const char *from, struct fault *fault)
{
	struct timespec times[2];
	struct stat st;

	if (from == NULL)
		return 0;
	if (sys->fstatat(AT_FDCWD, from, &st, 0) < 0)
		return fault_errno(fault, from);
	times[0] = st.st_atim;
	times[1] = st.st_mtim;
	return sys->futimens(lock->fd, times) < 0 ? fault_errno(fault, lock->path) : 0;
}

/* fill - the new file in PATH.tmp, complete but for its name */
static int fill(const struct edit_lock *lock, const char *text, size_t length, const struct transaction_file *how,
		struct fault *fault)
{
	int result;

	if (write_all(lock->fd, text, length, lock->path, fault) < 0)
		return -1;
	if (attributes_clear(lock->fd) < 0 || set_group(lock) < 0)
		return fault_errno(fault, lock->path);
	RETRY(result, sys->fchmod(lock->fd, how->mode));
	if (result < 0)
		return fault_errno(fault, lock->path);
	return set_times(lock, how->times_from, fault);
}

/* transaction_create - make a file by the same protocol */
enum transaction_outcome transaction_create(const char *path, const char *text, size_t length,
					    const struct transaction_file *how, struct fault *fault)
{
	enum transaction_outcome outcome = TRANSACTION_FAILED;
	struct edit_lock lock;

	if (edit_lock_take(&lock, path, how->wait_ms, fault) < 0)
		return TRANSACTION_FAILED;
	if ((how->replace || check_absent(&lock, path, fault) == 0) && fill(&lock, text, length, how, fault) == 0)
		outcome = install(&lock, path, how->sync_later, fault);
	edit_lock_release(&lock, is_installed(outcome) ? EDIT_LOCK_KEEP : EDIT_LOCK_REMOVE);
	return outcome;
}
