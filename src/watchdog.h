/*
 * watchdog - end the program when code that cannot be stopped goes on for ever
 *
 * watchdog_set() with a number of seconds and a line of text: unless it is
 * called again before they are over, the line is written to standard error and
 * the process ends at once with status 1, whatever it does at that moment. For
 * code of others, in a call of C that never comes back; what the process had
 * begun is left as by a kill. With 0 seconds nobody watches any more.
 *
 * It takes SIGALRM and the interval timer of the process over while it is set.
 */
#ifndef POSTMULTI_WATCHDOG_H
#define POSTMULTI_WATCHDOG_H

/* Watch for this long; the text (its first 511 bytes) is copied. */
void watchdog_set(double seconds, const char *text);

#endif
