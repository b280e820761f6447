/*
 * interrupt - HUP, INT and TERM end the work at hand in order
 *
 * interrupt_install() takes the signals over, but for those that are ignored
 * (nohup(1), background jobs of a shell). From then on a signal is noted, and
 * whoever waits for something looks at it:
 *
 *      if (interrupt_pending() != 0) ...stop what can be stopped, fail with EINTR...
 *
 * Whoever can unwind the whole work takes it and does so, and when the process
 * exits, interrupt_end() lets it die by that signal, so that a shell sees the
 * same as from any other program: 130 for INT, 143 for TERM.
 *
 * SIGPIPE never kills: a write to a reader that has gone fails with EPIPE. When
 * that is standard output's, interrupt_broken_pipe() has the work end in the
 * same way, unless the signal was ignored when the program was started.
 *
 * While it is held, as during the way back of a transaction, a signal is noted
 * and looks as if it had not come; it is pending when the hold ends.
 *
 * Without interrupt_install() nothing is ever pending.
 */
#ifndef POSTMULTI_INTERRUPT_H
#define POSTMULTI_INTERRUPT_H

#include <stdbool.h>

/* Take the signals over; notify is called for each, in the signal handler. 0, or -1 with errno. */
int interrupt_install(void (*notify)(void));

/* Have no write end the process; to be called once. */
void interrupt_ignore_pipe(void);

/* Nobody reads any more what the program prints. */
void interrupt_broken_pipe(void);

/* The signal that came and was not taken, 0: none, or held. */
int interrupt_pending(void);

/* The same, which is not pending any more. */
int interrupt_take(void);

/* Hold, or hold no more. */
void interrupt_hold(bool hold);

/* A descriptor that poll(2) finds readable as long as a signal is pending; -1: not installed, or held. */
int interrupt_fd(void);

/* For atexit(3), registered first: die by the signal that was taken; returns when there was none. */
void interrupt_end(void);

#endif
