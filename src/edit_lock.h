/*
 * edit_lock - the lock that postconf(1) takes to edit a file
 *
 * It is an exclusive flock(2) on PATH.tmp, which is also where the new text is
 * written: made with mode 0600, locked, and proved to be still the file of that
 * name. Whoever waits for it finds it renamed or gone afterwards and starts
 * again, so that edits of ours and of postconf(1) follow each other.
 *
 *      struct edit_lock lock = EDIT_LOCK_INIT;
 *      if (edit_lock_take(&lock, path, 30000, &fault) < 0) ...
 *      ...write to lock.fd, rename lock.temporary to lock.name in lock.dirfd...
 *      edit_lock_release(&lock, renamed ? EDIT_LOCK_KEEP : EDIT_LOCK_REMOVE);
 *
 * A leftover of a run that was killed is emptied and used if only we can have
 * made it: a regular file of ours, mode 0600, one link. Anything else of that
 * name is removed, a directory apart. Unlike postconf(1) no link is followed.
 */
#ifndef POSTMULTI_EDIT_LOCK_H
#define POSTMULTI_EDIT_LOCK_H

#include "fault.h"

struct edit_lock {
	int fd;           /* PATH.tmp, for writing; -1: none */
	int dirfd;        /* the directory of both; -1: none */
	char *name;       /* the file's name in it */
	char *temporary;  /* NAME.tmp */
	char *path;       /* PATH.tmp, for messages */
};

#define EDIT_LOCK_INIT { -1, -1, NULL, NULL, NULL }

enum edit_lock_temporary {
	EDIT_LOCK_REMOVE, /* PATH.tmp is still there, remove it before the lock goes */
	EDIT_LOCK_KEEP,   /* it has been renamed, or is not ours */
};

/* Take the lock of a path, waiting at most that many milliseconds. 0, or -1 and there is nothing to release. */
int edit_lock_take(struct edit_lock *lock, const char *path, long wait_ms, struct fault *fault);

/* Release lock and memory; errno is kept. The object is as new; doing it twice is harmless. */
void edit_lock_release(struct edit_lock *lock, enum edit_lock_temporary temporary);

#endif
