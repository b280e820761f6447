#define _GNU_SOURCE
#include "prefetch.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>

#include "sys.h"
#include "threads.h"

#define THREADS 16
#define BLOCK_SIZE (32 * 1024) /* of a read; most files are smaller */

struct prefetch {
	pthread_t threads[THREADS];
	size_t running;      /* threads */
	size_t count;        /* names */
	atomic_size_t next;  /* index of the next name to be read */
	const char **names;
	char text[];         /* what they point into */
};

/* open_quietly - as read_file() opens: it cannot block on what is no file */
static int open_quietly(const char *path)
{
	return sys->openat(AT_FDCWD, path, O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY, 0);
}

/* prefetch_is_cold - see the header */
bool prefetch_is_cold(const char *path)
{
	char byte;
	struct iovec one = { .iov_base = &byte, .iov_len = 1 };
	int fd = open_quietly(path);
	bool cold;

	if (fd < 0)
		return false;
	cold = sys->preadv2(fd, &one, 1, 0, RWF_NOWAIT) < 0 && errno == EAGAIN;
	(void)sys->close(fd);
	return cold;
}

/* fetch - a thread: read what nobody else has taken */
static void *fetch(void *argument)
{
	struct prefetch *prefetch = argument;
	char block[BLOCK_SIZE];
	size_t i;

	while ((i = atomic_fetch_add(&prefetch->next, 1)) < prefetch->count) {
		int fd = open_quietly(prefetch->names[i]);
		struct stat st;

		if (fd < 0)
			continue;
		if (sys->fstat(fd, &st) == 0 && S_ISREG(st.st_mode))
			while (sys->read(fd, block, sizeof block) == (ssize_t)sizeof block)
				continue;
		(void)sys->close(fd);
	}
	return NULL;
}

/* prefetch_start - see the header */
struct prefetch *prefetch_start(const char *names, size_t length, size_t count)
{
	struct prefetch *prefetch = count > 0 ? calloc(1, sizeof *prefetch + length) : NULL;
	char *name;

	if (prefetch == NULL)
		return NULL;
	prefetch->names = calloc(count, sizeof *prefetch->names);
	if (prefetch->names == NULL) {
		free(prefetch);
		return NULL;
	}
	memcpy(prefetch->text, names, length);
	prefetch->count = count;
	name = prefetch->text;
	for (size_t i = 0; i < count; i++, name += strlen(name) + 1)
		prefetch->names[i] = name;
	prefetch->running = threads_start(prefetch->threads, THREADS, fetch, prefetch);
	if (prefetch->running > 0)
		return prefetch;
	prefetch_end(prefetch);
	return NULL;
}

/* prefetch_end - see the header */
void prefetch_end(struct prefetch *prefetch)
{
	if (prefetch == NULL)
		return;
	atomic_store(&prefetch->next, prefetch->count);
	threads_join(prefetch->threads, prefetch->running);
	free(prefetch->names);
	free(prefetch);
}
