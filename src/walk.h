/*
 * walk - visit everything below an open directory
 *
 *      struct walk walk = { .subject = "/var/spool/x/hold", .visit = &visit, .context = &mine };
 *      result = walk_tree(&walk, fd, &fault);
 *
 * No link is followed and, unless `mounts` says so, no mount point crossed. Any
 * depth and any number of entries will do: two descriptors are open at a time,
 * the way back up is ".." with a check that it is the directory that was left,
 * so a directory that is moved or swapped meanwhile ends the walk and leads
 * nowhere else.
 *
 * A visitor function returns 0 to go on or -1, with the fault filled in, to
 * stop. A member that is NULL does nothing.
 */
#ifndef POSTMULTI_WALK_H
#define POSTMULTI_WALK_H

#include <stdbool.h>
#include <stddef.h>

#include "beneath.h"
#include "buffer.h"
#include "fault.h"

struct walk;

struct walk_visit {
	/* Something that is no directory (or is none any more), in the open directory `dirfd`. */
	int (*entry)(struct walk *walk, int dirfd, const char *name, unsigned char type, struct fault *fault);
	/* May a directory be entered? 0: yes, 1: leave it out, -1: stop. */
	int (*choose)(struct walk *walk, const char *name, struct fault *fault);
	/* A directory was opened as `fd`, nothing in it is visited yet; the first directory included. */
	int (*enter)(struct walk *walk, int fd, struct fault *fault);
	/* All in the directory NAME of `dirfd` was visited; `marked`: by walk_mark(). Not for the first directory.
	 * 1: visit it once more. */
	int (*leave)(struct walk *walk, int dirfd, const char *name, bool marked, struct fault *fault);
	/* A directory could not be opened; the fault says why. NULL: stop. */
	int (*refused)(struct walk *walk, const struct fault *fault);
};

struct walk {
	/* the caller's */
	const char *subject;        /* path of the first directory, for messages */
	enum beneath_mounts mounts; /* default: not crossed */
	const struct walk_visit *visit;
	void *context;
	/* private */
	struct buffer relative; /* path of the directory below the first one */
	struct walk_frame *frame;
	size_t depth, capacity;
	int fd;
};

/* walk_tree - visit all below the directory FD, and close FD; 0, or -1 with the fault */
int walk_tree(struct walk *walk, int fd, struct fault *fault);

/* walk_mark - mark the present directory and all above it, for `leave` */
void walk_mark(struct walk *walk);

/* walk_marked - was the first directory marked? Valid after walk_tree() has returned 0. */
bool walk_marked(const struct walk *walk);

/* walk_free - release what the walk holds; harmless on one that never ran */
void walk_free(struct walk *walk);

/* walk_path - add the path of NAME ("": the present directory) below the first directory to a buffer */
void walk_path(const struct walk *walk, const char *name, struct buffer *path);

/* walk_fault - "PATH: reason" for NAME ("": the present directory); a long path loses its beginning; returns -1 */
int walk_fault(const struct walk *walk, const char *name, int number, const char *reason, struct fault *fault);

#endif
