/*
 * append - add a text to the end of a file that several processes write to in turn
 *
 * The whole text is added or, after a failure, none of it: the file gets its
 * old length back. Only a process that is killed, or a system that stops,
 * leaves a part of it, so each text should tell where it begins and whether it
 * is whole.
 */
#ifndef POSTMULTI_APPEND_H
#define POSTMULTI_APPEND_H

#include <stddef.h>
#include <sys/types.h>

#include "fault.h"

enum append_sync { APPEND_SYNC, APPEND_LATER };

/*
 * append_file - add TEXT to PATH, which is made with mode 0600 when it is missing (its directory is not synced)
 * A link at PATH is not followed (ELOOP). Processes that do this at the same
 * time wait for each other. Where in the file TEXT begins, or -1 with the fault.
 */
off_t append_file(const char *path, const char *text, size_t length, enum append_sync sync, struct fault *fault);

#endif
