/*
 * prefetch - have the disk fetch many files at once, ahead of whoever reads them one by one
 *
 *      struct prefetch *ahead = prefetch_start(names, length, count);
 *      ...read the files...
 *      prefetch_end(ahead);
 *
 * Only the system's cache of the files' contents gets warm: nothing is
 * remembered, nothing can fail, and reading works the same without. Threads are
 * started only when a few of the files, looked at without waiting, are found
 * not to be in memory; where the file system cannot tell that they are not, as
 * on tmpfs, where they always are, nothing is done. The threads take no signal
 * and touch nothing of the caller's.
 */
#ifndef POSTMULTI_PREFETCH_H
#define POSTMULTI_PREFETCH_H

#include <stddef.h>

struct prefetch;

/*
 * prefetch_start - COUNT paths, each with its NUL, in LENGTH bytes that are copied
 * NULL: it is not worth while, or there is no memory or thread for it.
 */
struct prefetch *prefetch_start(const char *names, size_t length, size_t count);
/* prefetch_end - wait for the reads under way, drop the rest; NULL is allowed */
void prefetch_end(struct prefetch *prefetch);

#endif
