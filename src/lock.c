#define _GNU_SOURCE
#include "lock.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/sysmacros.h>
#include <time.h>

#include "interrupt.h"
#include "read_file.h"
#include "retry.h"
#include "sys.h"

#define FIRST_PAUSE_MS 1
#define LONGEST_PAUSE_MS 5 /* many may wait in turn: what nobody uses is lost to all of them */
#define MAX_HOLDER_FDS 64
#define MAX_TURNS 1000 /* times that the file may be replaced under us */

/* pause_ms - sleep that long, signals or not */
static void pause_ms(long ms)
{
	struct timespec want = { .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000 };
	int result;

	RETRY(result, sys->nanosleep(&want, &want));
}

/* read_proc - a file of /proc into a buffer; false: cannot be read */
static bool read_proc(const char *path, struct buffer *text)
{
	int fd = sys->openat(AT_FDCWD, path, O_RDONLY | O_CLOEXEC, 0);
	bool done;

	if (fd < 0)
		return false;
	done = read_file_descriptor(fd, text) == 0;
	(void)sys->close(fd);
	return done;
}

/*
 * has_open - has a process this file open? Asked where /proc/locks shows another
 * device number than stat(2), as it does on overlayfs and btrfs.
 */
static bool has_open(int pid, const struct stat *st)
{
	char path[64];
	struct stat other;

	for (int fd = 0; fd < MAX_HOLDER_FDS; fd++) {
		(void)snprintf(path, sizeof path, "/proc/%d/fd/%d", pid, fd);
		if (sys->fstatat(AT_FDCWD, path, &other, 0) == 0 && other.st_dev == st->st_dev && other.st_ino == st->st_ino)
			return true;
	}
	return false;
}

/* lock_holder - the process that holds a lock on the open file */
pid_t lock_holder(int fd)
{
	struct buffer text = BUFFER_INIT;
	struct stat st;
	int holder = 0;

	if (sys->fstat(fd, &st) < 0 || !read_proc("/proc/locks", &text)) {
		buffer_free(&text);
		return 0;
	}
	/* "1: FLOCK  ADVISORY  WRITE 1234 08:01:4711 0 EOF"; a waiter has "->" as its second word and is no match */
	for (const char *line = text.data; line != NULL && holder == 0; line = strchr(line, '\n')) {
		unsigned int major_number, minor_number;
		unsigned long long inode;
		int pid;

		line += *line == '\n';
		if (sscanf(line, "%*s FLOCK %*s %*s %d %x:%x:%llu", &pid, &major_number, &minor_number, &inode) == 4 &&
		    inode == st.st_ino && pid > 0 &&
		    (makedev(major_number, minor_number) == st.st_dev || has_open(pid, &st)))
			holder = pid;
	}
	buffer_free(&text);
	return holder;
}

/* held_too_long - the fault of a lock that stayed held */
static int held_too_long(int fd, const char *path, long wait_ms, struct fault *fault)
{
	struct buffer name = BUFFER_INIT;
	char comm[64];
	pid_t holder = lock_holder(fd);
	double seconds = (double)wait_ms / 1000;

	if (holder == 0)
		return fault_set(fault, EWOULDBLOCK, "%s: locked by another process for more than %g s", path, seconds);
	(void)snprintf(comm, sizeof comm, "/proc/%ld/comm", (long)holder);
	if (read_proc(comm, &name) && name.length > 1)
		(void)fault_set(fault, EWOULDBLOCK, "%s: locked by process %ld (%.*s) for more than %g s", path,
				(long)holder, (int)strcspn(name.data, "\n"), name.data, seconds);
	else
		(void)fault_set(fault, EWOULDBLOCK, "%s: locked by process %ld for more than %g s", path, (long)holder,
				seconds);
	buffer_free(&name);
	return -1;
}

/* lock_wait - lock an open file exclusively */
int lock_wait(int fd, const char *path, long wait_ms, struct fault *fault)
{
	long slept = 0, pause = FIRST_PAUSE_MS;
	int result;

	for (;;) {
		RETRY(result, sys->flock(fd, LOCK_EX | LOCK_NB));
		if (result == 0)
			return 0;
		if (errno != EWOULDBLOCK)
			return fault_set(fault, errno, "%s: cannot lock: %s", path, strerror(errno));
		if (interrupt_pending() != 0)
			return fault_set(fault, EINTR, "%s: interrupted while another process has it locked", path);
		if (slept >= wait_ms)
			return held_too_long(fd, path, wait_ms, fault);
		if (pause > wait_ms - slept)
			pause = wait_ms - slept;
		pause_ms(pause);
		slept += pause;
		pause = pause * 2 < LONGEST_PAUSE_MS ? pause * 2 : LONGEST_PAUSE_MS;
	}
}

/* is_named - is the open file still the one of that name? 1, 0, or -1 with errno */
static int is_named(int fd, const char *path)
{
	struct stat open_file, named;

	if (sys->fstat(fd, &open_file) < 0)
		return -1;
	if (sys->fstatat(AT_FDCWD, path, &named, 0) < 0)
		return errno == ENOENT ? 0 : -1;
	return open_file.st_ino == named.st_ino && open_file.st_dev == named.st_dev;
}

/* lock_take - open and lock a file or directory */
int lock_take(const char *path, enum lock_create create, long wait_ms, struct fault *fault)
{
	int flags = O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY | (create == LOCK_CREATE ? O_CREAT | O_NOFOLLOW : 0);

	for (int turn = 0; turn < MAX_TURNS; turn++) {
		int fd, named;

		RETRY(fd, sys->openat(AT_FDCWD, path, flags, 0600));
		if (fd < 0)
			return fault_errno(fault, path);
		if (lock_wait(fd, path, wait_ms, fault) < 0) {
			lock_release(fd);
			return -1;
		}
		named = is_named(fd, path);
		if (named > 0)
			return fd;
		if (named < 0)
			(void)fault_errno(fault, path);
		lock_release(fd);
		if (named < 0)
			return -1;
	}
	return fault_set(fault, EBUSY, "%s: replaced by other processes again and again", path);
}

/* lock_release - give up a lock */
void lock_release(int fd)
{
	int saved = errno;

	if (fd >= 0)
		(void)sys->close(fd);
	errno = saved;
}

/* written_pid - the number at the start of a pid file, 0: none */
static pid_t written_pid(int fd)
{
	char text[64]; /* master(8) pads the number with blanks */
	ssize_t got;
	char *end;
	long pid;

	RETRY(got, sys->read(fd, text, sizeof text - 1));
	if (got <= 0)
		return 0;
	text[got] = '\0';
	pid = strtol(text, &end, 10);
	return end == text || pid <= 0 || pid > 0x7fffffff ? 0 : (pid_t)pid;
}

/* probe_open_file - lock_probe of an open file */
static int probe_open_file(int fd, const char *path, pid_t *holder, struct fault *fault)
{
	struct stat st;
	int result;

	if (sys->fstat(fd, &st) < 0)
		return fault_errno(fault, path);
	if (!S_ISREG(st.st_mode))
		return fault_set(fault, 0, "%s: not a regular file", path);
	RETRY(result, sys->flock(fd, LOCK_SH | LOCK_NB));
	if (result == 0)
		return 0;
	if (errno != EWOULDBLOCK)
		return fault_errno(fault, path);
	*holder = lock_holder(fd);
	if (*holder == 0)
		*holder = written_pid(fd);
	return 1;
}

/* lock_probe - does somebody hold a lock on a file? */
int lock_probe(const char *path, pid_t *holder, struct fault *fault)
{
	int fd, result;

	*holder = 0;
	RETRY(fd, sys->openat(AT_FDCWD, path, O_RDONLY | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC | O_NOCTTY, 0));
	if (fd < 0)
		return errno == ENOENT || errno == ENOTDIR ? 0 : fault_errno(fault, path);
	result = probe_open_file(fd, path, holder, fault);
	lock_release(fd);
	return result;
}
