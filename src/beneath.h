/*
 * beneath - open what lies below a directory, and nothing else
 *
 *      base = beneath_base("/var/spool/postfix-out", &fault);
 *      fd = beneath_open(base, "maildrop", O_RDONLY | O_DIRECTORY, BENEATH_SAME_MOUNT);
 *
 * Trees that belong to the mail owner must not be trusted: a name in them may
 * become a link at any moment. So a base that root owns is opened once,
 * following links, and what is below is reached from that descriptor without
 * following any link, "..", or (where asked for) mount point: by openat2(2)
 * (Linux 5.6), elsewhere one component at a time. A directory that is mounted
 * a second time on its own file system is seen by openat2(2), and without it
 * from Linux 5.8 on.
 *
 * Every descriptor is close-on-exec; the caller closes it.
 */
#ifndef POSTMULTI_BENEATH_H
#define POSTMULTI_BENEATH_H

#include <limits.h>
#include <stdbool.h>

#include "fault.h"

enum beneath_mounts { BENEATH_SAME_MOUNT, BENEATH_ANY_MOUNT };

/* beneath_retry - openat(2) that goes on after a signal */
int beneath_retry(int dirfd, const char *path, int flags);

/* beneath_valid - is it a relative name without ".." that names something? */
bool beneath_valid(const char *name);

/*
 * beneath_clean - NAME without empty and "." components
 * -1: not valid (EINVAL) or too long (ENAMETOOLONG).
 */
int beneath_clean(const char *name, char clean[PATH_MAX], struct fault *fault);

/* beneath_base - open a base directory for reading, following links; -1: see fault */
int beneath_base(const char *path, struct fault *fault);

/*
 * beneath_open - open a clean NAME below BASE
 * -1 with errno: ELOOP a link is in the way, EXDEV a mount point is, or as openat(2).
 */
int beneath_open(int base, const char *name, int flags, enum beneath_mounts mounts);

/*
 * beneath_parent - open the directory that holds the last component of a clean NAME
 * Sets *last to that component, in NAME. -1 with errno as beneath_open().
 */
int beneath_parent(int base, const char *name, enum beneath_mounts mounts, const char **last);

/* beneath_reason - words for an errno of the functions above */
const char *beneath_reason(int number);

#endif
