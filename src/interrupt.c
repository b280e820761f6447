#define _GNU_SOURCE
#include "interrupt.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <unistd.h>

#include "sys.h"

/* A signal handler has no other way to its data. */
static volatile sig_atomic_t came, taken, held;
static void (*told)(void);
static int wake[2] = { -1, -1 }; /* a pipe, so that poll(2) cannot miss a signal */
static bool heeds_pipe;          /* SIGPIPE was not ignored by whoever started us */

static const int signals[] = { SIGHUP, SIGINT, SIGTERM };

enum { SIGNALS = sizeof signals / sizeof signals[0] };

/* note - the signal handler */
static void note(int signal)
{
	int saved = errno;

	came = signal;
	/* A full pipe is as good as one byte in it. */
	if (sys->write(wake[1], "", 1) < 0)
		errno = saved;
	if (held == 0 && told != NULL)
		told();
	errno = saved;
}

/* interrupt_install - where a signal is ignored it stays so */
int interrupt_install(void (*notify)(void))
{
	struct sigaction action = { .sa_handler = note }, old;

	if (wake[0] < 0 && sys->pipe2(wake, O_CLOEXEC | O_NONBLOCK) < 0)
		return -1;
	told = notify;
	(void)sigemptyset(&action.sa_mask);
	for (size_t i = 0; i < SIGNALS; i++)
		if (sigaction(signals[i], NULL, &old) == 0 && old.sa_handler != SIG_IGN)
			(void)sigaction(signals[i], &action, NULL);
	return 0;
}

/* interrupt_ignore_pipe - remembers whether it was ignored already */
void interrupt_ignore_pipe(void)
{
	heeds_pipe = signal(SIGPIPE, SIG_IGN) != SIG_IGN;
}

/* interrupt_broken_pipe - as if the signal had come only now */
void interrupt_broken_pipe(void)
{
	if (heeds_pipe && told != NULL)
		note(SIGPIPE);
}

/* interrupt_pending - the signal to heed now */
int interrupt_pending(void)
{
	return held != 0 ? 0 : came;
}

/* interrupt_take - whoever calls this unwinds the work */
int interrupt_take(void)
{
	int signal = interrupt_pending();
	char bytes[64];

	if (signal == 0)
		return 0;
	while (sys->read(wake[0], bytes, sizeof bytes) > 0)
		continue;
	came = 0;
	taken = signal;
	return signal;
}

/* interrupt_hold - a signal that came meanwhile is told at the end */
void interrupt_hold(bool hold)
{
	held = hold;
	if (!hold && came != 0 && told != NULL)
		told();
}

/* interrupt_fd - for poll(2) */
int interrupt_fd(void)
{
	return held != 0 ? -1 : wake[0];
}

/* interrupt_end - nothing to do but die */
void interrupt_end(void)
{
	int signal_taken = taken;

	if (signal_taken == 0)
		return;
	(void)signal(signal_taken, SIG_DFL);
	(void)raise(signal_taken);
}
