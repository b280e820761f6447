#define _GNU_SOURCE
#include "threads.h"

#include <signal.h>

#define STACK_SIZE (128 * 1024)

/* threads_start - see the header */
size_t threads_start(pthread_t *threads, size_t wanted, void *(*function)(void *), void *argument)
{
	pthread_attr_t attributes;
	sigset_t all, old;
	size_t running = 0;

	if (pthread_attr_init(&attributes) != 0)
		return 0;
	(void)pthread_attr_setstacksize(&attributes, STACK_SIZE);
	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &old);
	while (running < wanted && pthread_create(&threads[running], &attributes, function, argument) == 0)
		running++;
	(void)pthread_sigmask(SIG_SETMASK, &old, NULL);
	(void)pthread_attr_destroy(&attributes);
	return running;
}

/* threads_join - see the header */
void threads_join(const pthread_t *threads, size_t count)
{
	for (size_t i = 0; i < count; i++)
		(void)pthread_join(threads[i], NULL);
}
