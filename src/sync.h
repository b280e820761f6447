/*
 * sync - have files and directories on disk
 *
 * Many at once take little longer than one: a file system writes its journal
 * once for all that wait for it.
 */
#ifndef POSTMULTI_SYNC_H
#define POSTMULTI_SYNC_H

#include <stddef.h>

#include "fault.h"

/* sync_fd - fsync(2); what cannot be synced (EINVAL, EROFS) needs no sync. 0, or -1 with errno, never EINTR */
int sync_fd(int fd);

/* sync_path - the same of a file or directory; never waits for a fifo. 0, or -1 with the fault */
int sync_path(const char *path, struct fault *fault);

/*
 * sync_paths - sync COUNT paths, several at a time
 * One that is not there is passed over: what was made may have been removed
 * again. 0, or -1 with the fault of the first that cannot be synced; the others
 * are synced all the same.
 */
int sync_paths(const char *const *paths, size_t count, struct fault *fault);

#endif
