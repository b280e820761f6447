/*
 * fault - why something could not be done
 *
 * A function that can fail takes a `struct fault *` as its last argument and,
 * when it returns its failure value, has filled it: one line that names what,
 * where and why, without a program name or a final newline; and the errno of
 * the call that failed, or 0 when no system call was the reason (a malformed
 * line, say). The text is cut to fit; nothing is allocated.
 */
#ifndef POSTMULTI_FAULT_H
#define POSTMULTI_FAULT_H

struct fault {
	int number;      /* errno value, 0: not the system's doing */
	char text[1024]; /* one line */
};

/* fault_set - number and text by format; always returns -1 */
__attribute__((format(printf, 3, 4)))
int fault_set(struct fault *fault, int number, const char *format, ...);

/* fault_errno - "SUBJECT: strerror(errno)" from the present errno; returns -1 */
int fault_errno(struct fault *fault, const char *subject);

/* fault_memory - no memory, with ENOMEM; returns -1 */
int fault_memory(struct fault *fault);

#endif
