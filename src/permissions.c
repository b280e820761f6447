#define _GNU_SOURCE
#include "permissions.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "beneath.h"
#include "sys.h"
#include "walk.h"

static const char several_links[] =
	"has several hard links and lies in a directory that others can write; owner left as it is";

/* owner_differs - is there a reason to change the owner or group? */
static bool owner_differs(const struct stat *st, const struct permissions *want)
{
	return (want->uid != (uid_t)-1 && want->uid != st->st_uid) ||
	       (want->gid != (gid_t)-1 && want->gid != st->st_gid);
}

/* apply - owner, then mode, of an open object; an outcome, or -1 with errno */
static int apply(int fd, const struct permissions *want)
{
	int outcome = PERMISSIONS_UNCHANGED;
	struct stat st;
	mode_t mode = want->mode;

	if (sys->fstat(fd, &st) < 0)
		return -1;
	if (S_ISDIR(st.st_mode))
		mode |= st.st_mode & (S_ISUID | S_ISGID);
	if (owner_differs(&st, want)) {
		/* The second look: a new owner may cost a file its set-id bits. */
		if (sys->fchown(fd, want->uid, want->gid) < 0 || sys->fstat(fd, &st) < 0)
			return -1;
		outcome = PERMISSIONS_CHANGED;
	}
	if (want->set_mode && (st.st_mode & 07777) != mode) {
		if (sys->fchmod(fd, mode) < 0)
			return -1;
		outcome = PERMISSIONS_CHANGED;
	}
	return outcome;
}

/*
 * link_error - 0 when NAME in an open directory is the one name that the open file has, which *st shows; EPERM: it has
 * others, ENOENT: it has none any more, or another errno. The name is asked last: a link to a file of somebody else's
 * may have gone since the file was opened, which then has one name, too.
 */
static int link_error(int dirfd, const char *name, const struct stat *st)
{
	struct stat named;

	if (st->st_nlink > 1)
		return EPERM;
	if (sys->fstatat(dirfd, name, &named, AT_SYMLINK_NOFOLLOW) < 0)
		return errno;
	return named.st_ino == st->st_ino && named.st_dev == st->st_dev && named.st_nlink == 1 ? 0 : EPERM;
}

/* link_reason - words for it */
static const char *link_reason(int error)
{
	return error == EPERM ? several_links : strerror(error);
}

/* Work of permissions_set() in a tree. */
struct task {
	const struct permissions *want;
	bool changed;
};

/* give - change the owner of something that is no directory, by a descriptor of its own */
static int give(struct walk *walk, int dirfd, int fd, const char *name, struct fault *fault)
{
	struct task *task = walk->context;
	struct stat st;
	int error;

	if (sys->fstat(fd, &st) < 0)
		return walk_fault(walk, name, errno, strerror(errno), fault);
	if (S_ISDIR(st.st_mode))
		return walk_fault(walk, name, 0, "turned into a directory while it was worked on", fault);
	if (!owner_differs(&st, task->want))
		return 0;
	error = link_error(dirfd, name, &st);
	if (error == ENOENT) /* queue files come and go */
		return 0;
	if (error != 0)
		return walk_fault(walk, name, error, link_reason(error), fault);
	if (sys->fchownat(fd, "", task->want->uid, task->want->gid, AT_EMPTY_PATH) < 0)
		return walk_fault(walk, name, errno, strerror(errno), fault);
	task->changed = true;
	return 0;
}

/* give_entry - a look first, since most have the right owner already */
static int give_entry(struct walk *walk, int dirfd, const char *name, unsigned char type, struct fault *fault)
{
	const struct task *task = walk->context;
	int fd, result;
	struct stat st;

	(void)type;
	if (sys->fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && !owner_differs(&st, task->want))
		return 0;
	fd = beneath_retry(dirfd, name, O_PATH | O_NOFOLLOW);
	if (fd < 0) /* queue files come and go */
		return errno == ENOENT ? 0 : walk_fault(walk, name, errno, strerror(errno), fault);
	result = give(walk, dirfd, fd, name, fault);
	(void)sys->close(fd);
	return result;
}

/* enter_directory - owner and mode of a directory, the first one included */
static int enter_directory(struct walk *walk, int fd, struct fault *fault)
{
	struct task *task = walk->context;
	int outcome = apply(fd, task->want);

	if (outcome < 0)
		return walk_fault(walk, "", errno, strerror(errno), fault);
	task->changed = task->changed || outcome == PERMISSIONS_CHANGED;
	return 0;
}

/* apply_below - an open directory and everything in it; closes FD; an outcome or -1 */
static int apply_below(int fd, const char *subject, const struct permissions *want, struct fault *fault)
{
	static const struct walk_visit visit = { .entry = give_entry, .enter = enter_directory };
	struct task task = { .want = want };
	struct walk walk = { .subject = subject, .visit = &visit, .context = &task };
	int result = walk_tree(&walk, fd, fault);

	walk_free(&walk);
	if (result < 0)
		return -1;
	return task.changed ? PERMISSIONS_CHANGED : PERMISSIONS_UNCHANGED;
}

/* is_shared - can somebody other than root and us write the directory? */
static bool is_shared(const struct stat *st)
{
	return (st->st_uid != 0 && st->st_uid != geteuid()) || (st->st_mode & (S_IWGRP | S_IWOTH)) != 0;
}

/* Where an object lies, if others can write there; NULL: they cannot. */
struct place {
	int dirfd;
	const char *name;
};

/* apply_one - what was opened for `want`; closes FD; an outcome or -1 */
static int apply_one(int fd, const char *subject, const struct permissions *want, const struct place *shared,
		     struct fault *fault)
{
	int outcome = -1, error;
	struct stat st;

	if (want->directory && want->recursive)
		return apply_below(fd, subject, want, fault);
	if (sys->fstat(fd, &st) < 0)
		(void)fault_errno(fault, subject);
	else if (!want->directory && !S_ISREG(st.st_mode))
		(void)fault_set(fault, 0, "%s: not a regular file", subject);
	else if (!want->directory && shared != NULL && owner_differs(&st, want) &&
		 (error = link_error(shared->dirfd, shared->name, &st)) != 0)
		(void)fault_set(fault, error, "%s: %s", subject, link_reason(error));
	else if ((outcome = apply(fd, want)) < 0)
		(void)fault_errno(fault, subject);
	(void)sys->close(fd);
	return outcome;
}

/* open_flags - how an object is opened for `want`, whatever stands in its place */
static int open_flags(const struct permissions *want)
{
	return O_RDONLY | O_NONBLOCK | O_NOCTTY | (want->directory ? O_DIRECTORY : 0);
}

/* make_directory - it is missing: make it, closed to others until its owner and mode are right */
static int make_directory(int parent, const char *last, const char *subject, const struct permissions *want,
			  struct fault *fault)
{
	struct permissions once = *want;
	int fd, outcome = -1;

	if (sys->mkdirat(parent, last, 0700) < 0)
		return fault_errno(fault, subject);
	once.recursive = false; /* it is empty */
	fd = beneath_open(parent, last, open_flags(want), BENEATH_SAME_MOUNT);
	if (fd < 0)
		(void)fault_set(fault, errno, "%s: %s", subject, beneath_reason(errno));
	else
		outcome = apply_one(fd, subject, &once, NULL, fault);
	if (outcome < 0)
		(void)sys->unlinkat(parent, last, AT_REMOVEDIR);
	return outcome < 0 ? -1 : PERMISSIONS_CREATED;
}

/* set_last - the last component of a name, in its open directory */
static int set_last(int parent, const char *last, const char *subject, const struct permissions *want,
		    struct fault *fault)
{
	const struct place place = { parent, last };
	struct stat directory, st;
	int fd;

	if (sys->fstat(parent, &directory) < 0)
		return fault_errno(fault, subject);
	/* Nothing but a regular file is opened where one is wanted: opening a device may do things. */
	if (!want->directory && sys->fstatat(parent, last, &st, AT_SYMLINK_NOFOLLOW) == 0 && !S_ISREG(st.st_mode) &&
	    !S_ISLNK(st.st_mode))
		return fault_set(fault, 0, "%s: not a regular file", subject);
	fd = beneath_open(parent, last, open_flags(want), BENEATH_SAME_MOUNT);
	if (fd >= 0)
		return apply_one(fd, subject, want, is_shared(&directory) ? &place : NULL, fault);
	if (errno == ENOENT && want->create)
		return make_directory(parent, last, subject, want, fault);
	return fault_set(fault, errno, "%s: %s", subject, beneath_reason(errno));
}

/* set_beneath - a name beneath the base */
static int set_beneath(const char *base, const char *name, const struct permissions *want, struct fault *fault)
{
	char clean[PATH_MAX], subject[2 * PATH_MAX];
	const char *last;
	int outcome, parent, fd;

	if (beneath_clean(name, clean, fault) < 0)
		return -1;
	fd = beneath_base(base, fault);
	if (fd < 0)
		return -1;
	(void)snprintf(subject, sizeof subject, "%s/%s", base, clean);
	parent = beneath_parent(fd, clean, BENEATH_SAME_MOUNT, &last);
	if (parent < 0)
		outcome = fault_set(fault, errno, "%s: %s", subject, beneath_reason(errno));
	else
		outcome = set_last(parent, last, subject, want, fault);
	if (parent >= 0)
		(void)sys->close(parent);
	(void)sys->close(fd);
	return outcome;
}

/* permissions_set - the base itself, or a name beneath it */
int permissions_set(const char *base, const char *name, const struct permissions *want, struct fault *fault)
{
	int fd;

	if (name != NULL)
		return set_beneath(base, name, want, fault);
	fd = beneath_retry(AT_FDCWD, base, open_flags(want));
	return fd < 0 ? fault_errno(fault, base) : apply_one(fd, base, want, NULL, fault);
}
