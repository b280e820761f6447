#include "fault.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* fault_set - fill in number and text */
int fault_set(struct fault *fault, int number, const char *format, ...)
{
	va_list ap;

	fault->number = number;
	va_start(ap, format);
	(void)vsnprintf(fault->text, sizeof fault->text, format, ap);
	va_end(ap);
	return -1;
}

/* fault_errno - fill in from errno */
int fault_errno(struct fault *fault, const char *subject)
{
	int number = errno;

	(void)fault_set(fault, number, "%s: %s", subject, strerror(number));
	errno = number;
	return -1;
}

/* fault_memory - fill in for a failed allocation */
int fault_memory(struct fault *fault)
{
	return fault_set(fault, ENOMEM, "%s", strerror(ENOMEM));
}
