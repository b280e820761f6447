/*
 * lock - flock(2) with an end to the waiting, and who holds it
 *
 * Postfix locks main.cf.tmp while postconf(1) edits, and pid/master.pid while
 * master(8) runs, both with flock(2) on Linux. A waiter here asks again and
 * again, 1 to 50 ms apart, until its time is over, and then names the process
 * in its way, as far as /proc tells it.
 *
 *      fd = lock_take(path, LOCK_EXISTING, 30000, &fault);
 *      if (fd < 0) ...fault; its number is EWOULDBLOCK when the lock stayed held...
 *      lock_release(fd);
 *
 * A lock belongs to the open file: it lasts until every copy of the
 * descriptor, in children too, is closed. Descriptors are close-on-exec.
 */
#ifndef POSTMULTI_LOCK_H
#define POSTMULTI_LOCK_H

#include <stdbool.h>
#include <sys/types.h>

#include "fault.h"

enum lock_create {
	LOCK_EXISTING, /* the file or directory must exist */
	LOCK_CREATE,   /* make a file of mode 0600 when there is none; follow no link */
};

/* Lock an open file exclusively; path is for messages. 0, or -1 and the fault. The wait is in milliseconds. */
int lock_wait(int fd, const char *path, long wait_ms, struct fault *fault);

/* Open and lock a file or directory, and make sure that it is still the one of that name. A descriptor, or -1. */
int lock_take(const char *path, enum lock_create create, long wait_ms, struct fault *fault);

/* Give up a lock; -1 is none. Harmless on a lock that a child process still shares: that one keeps it. */
void lock_release(int fd);

/*
 * Does somebody hold a lock on a file? Waits for nothing, follows no link.
 * 1: yes, and *holder is its process, 0 when it cannot be told (neither by
 * /proc/locks nor by a number at the start of the file, as in master.pid);
 * 0: no, or there is no such file; -1: fault.
 */
int lock_probe(const char *path, pid_t *holder, struct fault *fault);

/* The process that holds a lock on the open file, from /proc/locks; 0: none or not known. */
pid_t lock_holder(int fd);

#endif
