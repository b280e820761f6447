/*
 * write_all - every byte of a text, or a reason
 */
#ifndef POSTMULTI_WRITE_ALL_H
#define POSTMULTI_WRITE_ALL_H

#include <stddef.h>

#include "fault.h"

/* write_all - write to a descriptor, over short writes and EINTR; 0, or -1 with a fault that names SUBJECT */
int write_all(int fd, const char *text, size_t length, const char *subject, struct fault *fault);

/* write_output - the same for what the caller of the program has given us: one that does not block is waited for, and a
   pending interrupt() ends it with EINTR */
int write_output(int fd, const char *text, size_t length, const char *subject, struct fault *fault);

#endif
