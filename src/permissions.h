/*
 * permissions - owner, group and mode of directories and files
 *
 * As postfix(1) set-permissions does it: owner first, then mode; a directory
 * keeps the set-uid and set-gid bits it has (as chmod(1) does with a mode of
 * three digits). What is already so is not written again.
 *
 * The base is trusted, a link in it is followed; below it no link is followed
 * and no mount point crossed. What lies in a directory that somebody else can
 * write and has several hard links is not given away: it may be a file of
 * root's that was linked there.
 */
#ifndef POSTMULTI_PERMISSIONS_H
#define POSTMULTI_PERMISSIONS_H

#include <stdbool.h>
#include <sys/types.h>

#include "fault.h"

struct permissions {
	bool directory; /* false: a regular file */
	bool create;    /* make the directory when it is missing; needs a name */
	bool recursive; /* owner and group of everything below, mode of directories below */
	bool set_mode;  /* is `mode` meant? */
	uid_t uid;      /* (uid_t)-1: left as it is */
	gid_t gid;      /* likewise */
	mode_t mode;
};

enum permissions_outcome { PERMISSIONS_UNCHANGED, PERMISSIONS_CHANGED, PERMISSIONS_CREATED };

/*
 * permissions_set - apply WANT to BASE, or to NAME (as beneath_clean(); NULL: none) beneath it
 * Returns an outcome, or -1 with the fault. Nothing is synced: the caller
 * syncs the base when all is done. A directory that was made and could not be
 * given its owner and mode is removed again; other changes stay.
 */
int permissions_set(const char *base, const char *name, const struct permissions *want, struct fault *fault);

#endif
