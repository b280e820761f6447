#define _GNU_SOURCE
#include "read_file.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/statfs.h>

#include "retry.h"
#include "sys.h"

#define YOUNG_NS 50000000LL       /* younger files are read twice */
#define WRITTEN_NS 1000000000LL   /* a file that somebody has open for writing is waited for until it is that old */
#define IN_PLACE_NS 200000000LL   /* the same where that cannot be told */
#define PATIENCE_NS 1250000000LL  /* how long a changing file is read again */
#define FIRST_PAUSE_NS 1000000LL  /* doubled from attempt to attempt */
#define LONGEST_PAUSE_NS 50000000LL
#define SECOND_NS 1000000000LL

/* clock_ns - a clock's time in nanoseconds, 0 when it cannot be told */
static long long clock_ns(clockid_t clock)
{
	struct timespec now;

	return sys->clock_gettime(clock, &now) < 0 ? 0 : (long long)now.tv_sec * SECOND_NS + now.tv_nsec;
}

/* pause_ns - sleep */
static void pause_ns(long long ns)
{
	struct timespec want = { .tv_sec = (time_t)(ns / SECOND_NS), .tv_nsec = (long)(ns % SECOND_NS) };

	(void)sys->nanosleep(&want, NULL);
}

/* append_rest - read to the end of the file; `expected` bytes save a last look */
static int append_rest(int fd, struct buffer *text, size_t expected)
{
	for (;;) {
		size_t want = text->length < expected ? expected - text->length + 1 : 4096;
		ssize_t got;

		if (text->length > READ_FILE_MAX) {
			errno = EFBIG;
			return -1;
		}
		if (!buffer_reserve(text, want)) {
			errno = ENOMEM;
			return -1;
		}
		got = sys->read(fd, text->data + text->length, want);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -1;
		text->length += (size_t)got;
		text->data[text->length] = '\0';
		if (got == 0 || (text->length == expected && (size_t)got < want))
			return 0;
	}
}

/* read_file_descriptor - from the present position to the end */
int read_file_descriptor(int fd, struct buffer *text)
{
	buffer_reset(text);
	return append_rest(fd, text, 0);
}

/* is_unchanged - do two looks at a file show the same state? */
static bool is_unchanged(const struct stat *a, const struct stat *b)
{
	return a->st_ino == b->st_ino && a->st_dev == b->st_dev && a->st_size == b->st_size &&
	       a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec &&
	       a->st_ctim.tv_sec == b->st_ctim.tv_sec && a->st_ctim.tv_nsec == b->st_ctim.tv_nsec;
}

/* modified_ns - when the contents were changed */
static long long modified_ns(const struct stat *st)
{
	return (long long)st->st_mtim.tv_sec * SECOND_NS + st->st_mtim.tv_nsec;
}

/* is_younger - may the file be in the middle of a change? */
static bool is_younger(const struct stat *st, long long than_ns)
{
	long long age = clock_ns(CLOCK_REALTIME) - modified_ns(st);

	return age >= 0 && age < than_ns;
}

/* is_new - was the file made just before it was written, as far as the file system tells? */
static bool is_new(int fd, const struct stat *st)
{
	struct statx born;

	if (sys->statx(fd, "", AT_EMPTY_PATH, STATX_BTIME, &born) < 0 || (born.stx_mask & STATX_BTIME) == 0)
		return false;
	return modified_ns(st) - ((long long)born.stx_btime.tv_sec * SECOND_NS + born.stx_btime.tv_nsec) < YOUNG_NS;
}

/* is_open_for_writing - has somebody the file open for writing? 1, 0; -1: that cannot be told */
static int is_open_for_writing(int fd)
{
	/* A lease for reading is to be had only where nobody has (fcntl(2)). */
	if (sys->setlease(fd, F_RDLCK) < 0)
		return errno == EAGAIN ? 1 : -1; /* -1: it is another user's file; a file system without leases */
	(void)sys->setlease(fd, F_UNLCK);
	return 0;
}

/* is_in_place - is it being written, perhaps with more to come? */
static bool is_in_place(int fd, const struct stat *st)
{
	int writer;

	/* A rename or a change of mode, after the last write, gives it a later ctime. */
	if (st->st_ctim.tv_sec != st->st_mtim.tv_sec || st->st_ctim.tv_nsec != st->st_mtim.tv_nsec ||
	    !is_younger(st, WRITTEN_NS))
		return false;
	writer = is_open_for_writing(fd);
	return writer < 0 ? is_younger(st, IN_PLACE_NS) && !is_new(fd, st) : writer != 0;
}

/* is_made_up - does the kernel make the file's contents when it is read, and has no idea of their size? */
static bool is_made_up(int fd)
{
	struct statfs st;

	return sys->fstatfs(fd, &st) == 0 && (st.f_type == PROC_SUPER_MAGIC || st.f_type == SYSFS_MAGIC);
}

/* reads_the_same - does the file give the same bytes again? 1, 0, or -1 with errno */
static int reads_the_same(int fd, const struct buffer *text)
{
	struct buffer again = BUFFER_INIT;
	int result = -1;

	if (sys->lseek(fd, 0, SEEK_SET) == 0 && append_rest(fd, &again, text->length) == 0)
		result = again.length == text->length && memcmp(again.data, text->data, again.length) == 0;
	buffer_free(&again);
	return result;
}

/* read_open_file - one attempt; READ_FILE_UNREADABLE leaves the reason in errno */
static enum read_file_kind read_open_file(int fd, struct buffer *text, struct stat *st)
{
	struct stat before;
	int same;

	if (sys->fstat(fd, &before) < 0)
		return READ_FILE_UNREADABLE;
	if (!S_ISREG(before.st_mode))
		return READ_FILE_NOT_A_FILE;
	if (before.st_size > READ_FILE_MAX)
		return READ_FILE_TOO_LARGE;
	if (append_rest(fd, text, (size_t)before.st_size) < 0)
		return errno == EFBIG ? READ_FILE_TOO_LARGE : READ_FILE_UNREADABLE;
	if (sys->fstat(fd, st) < 0)
		return READ_FILE_UNREADABLE;
	if (!is_unchanged(&before, st))
		return READ_FILE_CHANGING;
	if (text->length != (size_t)st->st_size)
		return is_made_up(fd) ? READ_FILE_OK : READ_FILE_CHANGING;
	if (is_in_place(fd, st))
		return READ_FILE_CHANGING;
	if (!is_younger(st, YOUNG_NS))
		return READ_FILE_OK;
	if (text->length == 0)
		return READ_FILE_CHANGING;
	same = reads_the_same(fd, text);
	if (same < 0)
		return READ_FILE_UNREADABLE;
	return same ? READ_FILE_OK : READ_FILE_CHANGING;
}

/* A file to be read, and how. */
struct source {
	int dirfd;
	const char *name; /* beneath dirfd */
	const char *path; /* for messages */
	int flags;        /* for the open, besides the usual ones */
};

/* open_failure - what kind of failure is it, by errno? */
static enum read_file_kind open_failure(void)
{
	switch (errno) {
	case ENOENT:
	case ENOTDIR:
		return READ_FILE_MISSING;
	case ENXIO: /* a socket */
	case ENODEV:
		return READ_FILE_NOT_A_FILE;
	default:
		return READ_FILE_UNREADABLE;
	}
}

/* attempt - open, read, close */
static enum read_file_kind attempt(const struct source *source, struct buffer *text, struct stat *st,
				   struct fault *fault)
{
	enum read_file_kind kind;
	int fd, saved;

	buffer_reset(text);
	RETRY(fd, sys->openat(source->dirfd, source->name,
			      O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY | source->flags, 0));
	if (fd < 0) {
		(void)fault_errno(fault, source->path);
		return open_failure();
	}
	kind = read_open_file(fd, text, st);
	saved = errno;
	(void)sys->close(fd);
	errno = saved;
	if (kind == READ_FILE_UNREADABLE)
		(void)fault_errno(fault, source->path);
	else if (kind == READ_FILE_NOT_A_FILE)
		(void)fault_set(fault, 0, "%s: not a regular file", source->path);
	else if (kind == READ_FILE_TOO_LARGE)
		(void)fault_set(fault, EFBIG, "%s: larger than %d MB", source->path, READ_FILE_MAX / (1024 * 1024));
	return kind;
}

/* read_source - attempts until the file keeps still */
static enum read_file_kind read_source(const struct source *source, struct buffer *text, struct stat *st,
				       struct fault *fault)
{
	enum read_file_kind kind = attempt(source, text, st, fault);
	long long pause = FIRST_PAUSE_NS, slept = 0;

	while (kind == READ_FILE_CHANGING && slept < PATIENCE_NS) {
		pause_ns(pause);
		slept += pause;
		pause = pause * 2 < LONGEST_PAUSE_NS ? pause * 2 : LONGEST_PAUSE_NS;
		kind = attempt(source, text, st, fault);
	}
	if (kind == READ_FILE_CHANGING)
		(void)fault_set(fault, 0, "%s: changes again and again while it is read; try again later",
				source->path);
	return kind;
}

/* read_file - a whole file into memory */
enum read_file_kind read_file(const char *path, struct buffer *text, struct fault *fault)
{
	const struct source source = { .dirfd = AT_FDCWD, .name = path, .path = path };
	struct stat st;

	return read_source(&source, text, &st, fault);
}

/* read_file_at - the same beneath a directory, no link followed */
enum read_file_kind read_file_at(int dirfd, const char *name, const char *path, struct buffer *text, struct stat *st,
				 struct fault *fault)
{
	const struct source source = { .dirfd = dirfd, .name = name, .path = path, .flags = O_NOFOLLOW };

	return read_source(&source, text, st, fault);
}
