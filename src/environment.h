/*
 * environment - the environment of a program to be run
 *
 * Data, not setenv(3): what is taken over, and a list of changes, each
 * "NAME=value" (set) or "NAME" (unset). A variable that is set keeps its place
 * where it has one and is added at the end, in the order given, where not.
 */
#ifndef POSTMULTI_ENVIRONMENT_H
#define POSTMULTI_ENVIRONMENT_H

#include "buffer.h"

/*
 * environment_merge - fill `block` with a NULL-ended array of char pointers
 * FROM is the environment to start from. KEEP: NULL-ended names that are taken
 * over, NULL: all. CHANGE: NULL-ended, or NULL. The pointers are those given,
 * nothing is copied. 0, or -1: out of memory.
 */
int environment_merge(char *const *from, const char *const *keep, const char *const *change, struct buffer *block);

/* environment_get - the value of a variable in a NULL-ended array, NULL: not set */
const char *environment_get(const char *const *block, const char *name);

#endif
