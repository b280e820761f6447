/*
 * threads - a few helpers that do one thing and end
 *
 * They take no signal, have a small stack, and end with the function that they
 * run; the caller joins them.
 */
#ifndef POSTMULTI_THREADS_H
#define POSTMULTI_THREADS_H

#include <pthread.h>
#include <stddef.h>

/* threads_start - up to WANTED threads that run FUNCTION(ARGUMENT); how many the system gave, perhaps none */
size_t threads_start(pthread_t *threads, size_t wanted, void *(*function)(void *), void *argument);

/* threads_join - wait for them to end */
void threads_join(const pthread_t *threads, size_t count);

#endif
