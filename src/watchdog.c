#define _GNU_SOURCE
#include "watchdog.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

#include "sys.h"

enum { MOST_SECONDS = 100000000 };

/* A signal handler has no other way to its data. */
static char line[512];
static size_t length;

/* end - the signal handler */
static void end(int signal)
{
	(void)signal;
	(void)!sys->write(STDERR_FILENO, line, length);
	_exit(EXIT_FAILURE);
}

/* watchdog_set - the text changes while no timer runs */
void watchdog_set(double seconds, const char *text)
{
	struct itimerval when = { 0 };
	struct sigaction action = { .sa_handler = end };

	(void)setitimer(ITIMER_REAL, &when, NULL);
	if (!(seconds > 0)) {
		(void)signal(SIGALRM, SIG_DFL);
		return;
	}
	length = strnlen(text, sizeof line - 1);
	memcpy(line, text, length);
	line[length++] = '\n';
	(void)sigemptyset(&action.sa_mask);
	(void)sigaction(SIGALRM, &action, NULL);
	if (seconds > MOST_SECONDS)
		seconds = MOST_SECONDS;
	when.it_value.tv_sec = (time_t)seconds;
	when.it_value.tv_usec = (suseconds_t)((seconds - (double)when.it_value.tv_sec) * 1e6) | 1; /* 0 would be never */
	(void)setitimer(ITIMER_REAL, &when, NULL);
}
