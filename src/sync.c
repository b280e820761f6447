#define _GNU_SOURCE
#include "sync.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "beneath.h"
#include "retry.h"
#include "sys.h"
#include "threads.h"

#define THREADS 8
#define FEW 4 /* paths that are not worth a thread */

/* sync_fd - see the header */
int sync_fd(int fd)
{
	int result;

	RETRY(result, sys->fsync(fd));
	return result < 0 && errno != EINVAL && errno != EROFS ? -1 : 0;
}

/* sync_quietly - 0, or -1 with errno */
static int sync_quietly(const char *path)
{
	int result, saved, fd = beneath_retry(AT_FDCWD, path, O_RDONLY | O_NONBLOCK | O_NOCTTY);

	if (fd < 0)
		return -1;
	result = sync_fd(fd);
	saved = errno;
	(void)sys->close(fd);
	errno = saved;
	return result;
}

/* sync_path - see the header */
int sync_path(const char *path, struct fault *fault)
{
	return sync_quietly(path) < 0 ? fault_errno(fault, path) : 0;
}

/* Work that threads share. */
struct syncing {
	const char *const *paths;
	size_t count;
	atomic_size_t next; /* index of the next path that nobody has taken */
	int *errors;        /* errno of each path, 0: synced */
};

/* is_short_of - was a descriptor or memory not to be had? Then nothing was tried */
static bool is_short_of(int number)
{
	return number == EMFILE || number == ENFILE || number == ENOMEM;
}

/* work - what each thread does, the caller's too */
static void *work(void *argument)
{
	struct syncing *syncing = argument;
	size_t i;

	while ((i = atomic_fetch_add(&syncing->next, 1)) < syncing->count)
		syncing->errors[i] = sync_quietly(syncing->paths[i]) < 0 && errno != ENOENT ? errno : 0;
	return NULL;
}

/* sync_paths - a table that a test has put in place is for one thread */
int sync_paths(const char *const *paths, size_t count, struct fault *fault)
{
	struct syncing syncing = { .paths = paths, .count = count };
	pthread_t threads[THREADS];
	size_t running = 0;
	int result = 0;

	if (count == 0)
		return 0;
	syncing.errors = calloc(count, sizeof *syncing.errors);
	if (syncing.errors == NULL)
		return fault_set(fault, ENOMEM, "%s: %s", paths[0], strerror(ENOMEM));
	if (count > FEW && sys == &sys_real)
		running = threads_start(threads, count - 1 < THREADS ? count - 1 : THREADS, work, &syncing);
	(void)work(&syncing);
	threads_join(threads, running);
	for (size_t i = 0; i < count && result == 0; i++) {
		int *error = &syncing.errors[i];

		if (is_short_of(*error) && running > 0)
			*error = sync_quietly(paths[i]) < 0 && errno != ENOENT ? errno : 0;
		if (*error != 0)
			result = fault_set(fault, *error, "%s: %s", paths[i], strerror(*error));
	}
	free(syncing.errors);
	return result;
}
