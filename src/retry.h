/*
 * retry - do a system call again while a signal interrupts it
 *
 *      RETRY(result, sys->fsync(fd));
 *      if (result < 0) ...errno, never EINTR...
 *
 * Not for close(2): on Linux the descriptor is gone after EINTR.
 */
#ifndef POSTMULTI_RETRY_H
#define POSTMULTI_RETRY_H

#include <errno.h>

#define RETRY(result, call)                                \
	do {                                               \
		(result) = (call);                         \
	} while ((result) < 0 && errno == EINTR)

#endif
