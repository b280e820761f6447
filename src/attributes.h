/*
 * attributes - give a new file the metadata of the one that it replaces
 *
 * Copied are the extended attributes (ACLs are among them), owner, group and
 * permission bits, in that order. Not copied: times, and hard links, which the
 * new file cannot have. An attribute that the new file has and the old one has
 * not (from a default ACL of the directory, say) is removed.
 *
 * A file system without extended attributes is no failure, nor is a label in
 * the security or trusted space that this process may not copy. The group is
 * given up only where the process may not keep it (EPERM) and the owner stays.
 */
#ifndef POSTMULTI_ATTRIBUTES_H
#define POSTMULTI_ATTRIBUTES_H

#include <sys/stat.h>

/* Copy metadata from the open file `from`, whose state is *st, to the open file `to`. 0, or -1 with errno. */
int attributes_copy(int from, const struct stat *st, int to);

/* Remove the extended attributes of an open file, labels of the security space apart. 0, or -1 with errno. */
int attributes_clear(int fd);

#endif
