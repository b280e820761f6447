/*
 * tree_remove - remove a directory tree beneath a trusted base
 *
 * No link is followed and no mount point crossed; a directory that is moved or
 * swapped meanwhile ends the work and leads nowhere else. What cannot be
 * removed is left, the rest goes on.
 */
#ifndef POSTMULTI_TREE_REMOVE_H
#define POSTMULTI_TREE_REMOVE_H

#include "fault.h"

/*
 * What must stay? RELATIVE is the path below the tree, TYPE as scan_type_name().
 * 1: keep it (a directory with all that is in it), 0: remove it, -1: stop, with the fault.
 */
typedef int tree_keep(void *context, const char *relative, const char *type, struct fault *fault);

/*
 * tree_remove - remove NAME (as beneath_clean()) beneath BASE, and all in it
 * `keep` may be NULL. Directories that hold something kept are kept as well.
 * Returns the number of objects removed, or -1 with the fault: the first
 * thing that could not be removed (ENOENT: there is no NAME).
 */
long tree_remove(const char *base, const char *name, tree_keep *keep, void *context, struct fault *fault);

#endif
