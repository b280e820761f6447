#include "write_all.h"

#include <errno.h>

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
