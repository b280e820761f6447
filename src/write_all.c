#include "write_all.h"

#include <errno.h>

#include "interrupt.h"
#include "retry.h"
#include "sys.h"

/* write_all - until nothing is left; a write of nothing means that there is no room */
int write_all(int fd, const char *text, size_t length, const char *subject, struct fault *fault)
{
	while (length > 0) {
		ssize_t written;

		RETRY(written, sys->write(fd, text, length));
		if (written == 0)
			errno = ENOSPC;
		if (written <= 0)
			return fault_errno(fault, subject);
		text += written;
		length -= (size_t)written;
	}
	return 0;
}

/* wait_for_room - until a descriptor can be written, or a signal comes; 0 or -1 */
static int wait_for_room(int fd)
{
	struct pollfd wait[] = { { .fd = fd, .events = POLLOUT }, { .fd = interrupt_fd(), .events = POLLIN } };

	return sys->poll(wait, 2, -1) < 0 && errno != EINTR ? -1 : 0;
}

/* write_output - whoever reads may take his time */
int write_output(int fd, const char *text, size_t length, const char *subject, struct fault *fault)
{
	while (length > 0) {
		ssize_t written = sys->write(fd, text, length);

		if (written == 0)
			errno = ENOSPC;
		if (written > 0) {
			text += written;
			length -= (size_t)written;
		} else if (errno != EINTR && (errno != EAGAIN || wait_for_room(fd) < 0))
			return fault_errno(fault, subject);
		if (length > 0 && interrupt_pending() != 0)
			return fault_set(fault, EINTR, "%s: interrupted", subject);
	}
	return 0;
}
