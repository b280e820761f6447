#define _GNU_SOURCE
#include "append.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "retry.h"
#include "sys.h"
#include "write_all.h"

/* add - write and sync; -1 with the fault */
static int add(int fd, const char *path, const char *text, size_t length, enum append_sync sync, struct fault *fault)
{
	int result;

	if (write_all(fd, text, length, path, fault) < 0)
		return -1;
	if (sync == APPEND_LATER)
		return 0;
	RETRY(result, sys->fsync(fd));
	return result < 0 ? fault_errno(fault, path) : 0;
}

/* take_back - the length that the file had */
static void take_back(int fd, off_t length)
{
	int result;

	RETRY(result, sys->ftruncate(fd, length));
	(void)result;
}

/* add_in_turn - while nobody else adds something; where in the file, or -1 with the fault */
static off_t add_in_turn(int fd, const char *path, const char *text, size_t length, enum append_sync sync,
			 struct fault *fault)
{
	struct stat st;
	int result;

	RETRY(result, sys->flock(fd, LOCK_EX));
	if (result < 0 || sys->fstat(fd, &st) < 0)
		return fault_errno(fault, path);
	if (!S_ISREG(st.st_mode))
		return fault_set(fault, 0, "%s: not a regular file", path);
	if (add(fd, path, text, length, sync, fault) == 0)
		return st.st_size;
	take_back(fd, st.st_size);
	return -1;
}

/* append_file - see the header; the lock ends with the descriptor */
off_t append_file(const char *path, const char *text, size_t length, enum append_sync sync, struct fault *fault)
{
	off_t at;
	int fd;

	RETRY(fd, sys->openat(AT_FDCWD, path,
			      O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, 0600));
	if (fd < 0)
		return fault_errno(fault, path);
	at = add_in_turn(fd, path, text, length, sync, fault);
	(void)sys->close(fd);
	return at;
}
