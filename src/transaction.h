/*
 * transaction - replace a file's text whole or not at all, in step with postconf(1)
 *
 *      struct transaction t = TRANSACTION_INIT;
 *      if (transaction_begin(&t, path, 30000, &fault) < 0) ...
 *      ...t.text, t.path: the old text, read under the lock...
 *      outcome = transaction_commit(&t, text, length, &fault);
 *
 *      transaction_rollback(&t);       // instead, or in addition: always allowed
 *
 * PATH.tmp is locked as postconf -e does it (edit_lock.h), the file read, the
 * new text written to PATH.tmp, given the old file's attributes (attributes.h),
 * synced, and renamed into place while still locked; then the directory is
 * synced. A symbolic link survives: the file it leads to is edited, beside
 * itself, and the lock beside the link is held too, for those who edit through
 * it. Hard links do not survive: the file of this name is a new one.
 *
 * A process that is killed leaves the old file or the new one, and perhaps a
 * PATH.tmp, which the next edit takes over. After any other failure PATH.tmp is
 * gone and the file untouched. Only the process that began removes PATH.tmp; a
 * child that inherited the handle only closes its descriptors.
 */
#ifndef POSTMULTI_TRANSACTION_H
#define POSTMULTI_TRANSACTION_H

#include <stdbool.h>
#include <sys/stat.h>
#include <sys/types.h>

#include "buffer.h"
#include "edit_lock.h"
#include "fault.h"

struct transaction {
	struct buffer text; /* what the file holds */
	char *path;         /* of the file itself: the last link resolved, directories as given; NULL: closed */
	/* private */
	struct edit_lock *locks; /* of the links passed on the way, and of the file itself, which is the last */
	size_t count;
	struct stat state; /* of the file when it was read */
	pid_t owner;       /* the process that began */
};

#define TRANSACTION_INIT { .text = BUFFER_INIT, .path = NULL, .locks = NULL, .count = 0 }

enum transaction_outcome {
	TRANSACTION_FAILED = -1, /* the file is as it was */
	TRANSACTION_UNCHANGED,   /* the text was the same, nothing was written */
	TRANSACTION_CHANGED,     /* the new text is in place and on disk */
	TRANSACTION_UNSYNCED,    /* it is in place; the fault says why it may not be on disk */
};

/* Lock and read a file. The wait for each lock is at most wait_ms. 0, or -1 and the handle is closed. */
int transaction_begin(struct transaction *t, const char *path, long wait_ms, struct fault *fault);

/*
 * Install a text and close the handle, whatever comes of it. Fails with EAGAIN
 * when somebody who does not use the lock has changed the file since it was
 * read, with EBADF on a closed handle.
 */
enum transaction_outcome transaction_commit(struct transaction *t, const char *text, size_t length,
					    struct fault *fault);

/* Change nothing and close the handle. Harmless on a closed one; errno is kept. */
void transaction_rollback(struct transaction *t);

/* How transaction_create() makes a file. */
struct transaction_file {
	mode_t mode;            /* exactly; the umask has no influence */
	bool replace;           /* what stands there is replaced, a link too; its attributes are not kept */
	long wait_ms;           /* for the lock */
	const char *times_from; /* a file whose access and modification times are taken, or NULL */
	bool sync_later;        /* the caller syncs the directory; the file itself is synced here */
};

/*
 * Make a file that belongs to the caller, by the same protocol. Fails with
 * EEXIST, having changed nothing, when something of that name is there.
 */
enum transaction_outcome transaction_create(const char *path, const char *text, size_t length,
					    const struct transaction_file *how, struct fault *fault);

#endif
