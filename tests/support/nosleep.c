/*
 * nosleep - takes two pauses out of Postfix's command-line programs
 *
 * Loaded through /etc/ld.so.preload inside a sandbox, never outside of one.
 *
 * sleep(): a fatal exit of postmulti, postconf, postfix and postlog pauses for
 * a second after the message has been written. Nothing depends on the pause.
 *
 * select() as a pure delay of 300 ms: how a program waits for a main.cf that
 * was changed within the last second, before it reads the file again. The call
 * returns at once, and time() is moved on by what was not slept, so that the
 * program sees the file grow old as usual and reads it as often as usual.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <string.h>
#include <sys/select.h>
#include <time.h>
#include <unistd.h>

#define HOT_FILE_DELAY 300000	/* microseconds */

static long skipped;	/* microseconds not slept by select() */

/* is_hasty - whether this program only pauses before it ends */
static int is_hasty(void)
{
	static const char *const names[] = { "postmulti", "postconf", "postfix", "postlog", NULL };

	for (int i = 0; names[i]; i++)
		if (strcmp(program_invocation_short_name, names[i]) == 0)
			return 1;
	return 0;
}

unsigned sleep(unsigned seconds)
{
	struct timespec left = { .tv_sec = seconds };

	if (is_hasty())
		return 0;
	return nanosleep(&left, &left) < 0 ? (unsigned) left.tv_sec : 0;
}

time_t time(time_t *result)
{
	struct timespec now;

	/* the coarse clock is the one that files are stamped with */
	clock_gettime(CLOCK_REALTIME_COARSE, &now);
	now.tv_sec += (now.tv_nsec / 1000 + skipped) / 1000000;
	if (result)
		*result = now.tv_sec;
	return now.tv_sec;
}

int select(int count, fd_set *readable, fd_set *writable, fd_set *special, struct timeval *limit)
{
	static int (*real)(int, fd_set *, fd_set *, fd_set *, struct timeval *);

	if (count == 0 && !readable && !writable && !special && limit &&
	    limit->tv_sec == 0 && limit->tv_usec == HOT_FILE_DELAY) {
		skipped += HOT_FILE_DELAY;
		return 0;
	}
	if (!real)
		*(void **) &real = dlsym(RTLD_NEXT, "select");
	return real(count, readable, writable, special, limit);
}
