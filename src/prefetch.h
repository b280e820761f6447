/*
 * prefetch - have the disk fetch many files at once, ahead of whoever reads them one by one
 *
 *      if (prefetch_is_cold(some of them))
 *              struct prefetch *ahead = prefetch_start(names, length, count);
 *      ...read the files...
 *      prefetch_end(ahead);
 *
 * Only the system's cache of the files' contents gets warm: nothing is
 * remembered, nothing can fail, and reading works the same without. The threads
 * take no signal and touch nothing of the caller's.
 */
#ifndef POSTMULTI_PREFETCH_H
#define POSTMULTI_PREFETCH_H

#include <stdbool.h>
#include <stddef.h>

struct prefetch;

/*
 * prefetch_is_cold - is the start of a file known not to be in memory?
 * Nothing is waited for. Where the file system cannot tell, as on tmpfs, where
 * files are always in memory, they are not cold.
 */
bool prefetch_is_cold(const char *path);

/*
 * prefetch_start - COUNT paths, each with its NUL, in LENGTH bytes that are copied
 * NULL: there is no memory or thread for it.
 */
struct prefetch *prefetch_start(const char *names, size_t length, size_t count);
/* prefetch_end - wait for the reads under way, drop the rest; NULL is allowed */
void prefetch_end(struct prefetch *prefetch);

#endif
