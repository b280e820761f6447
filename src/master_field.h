/*
 * master_field - the fields of a master.cf entry, and what each may hold (master(5))
 */
#ifndef POSTMULTI_MASTER_FIELD_H
#define POSTMULTI_MASTER_FIELD_H

#include <stddef.h>

#include "fault.h"

enum master_field {
	MASTER_NAME,
	MASTER_TYPE,
	MASTER_PRIVATE,
	MASTER_UNPRIVILEGED,
	MASTER_CHROOT,
	MASTER_WAKEUP,
	MASTER_PROCESS_LIMIT,
	MASTER_COMMAND, /* the rest of the entry; not in `field` */
	MASTER_FIELDS,
};

/* Where the display puts the start of a field, counted from 0. */
size_t master_field_column(enum master_field field);
/* The name of a field, as in postconf -F. */
const char *master_field_name(enum master_field field);
/* The field of that name; MASTER_FIELDS: there is none. */
enum master_field master_field_find(const char *name, size_t length);

/* May a field other than the command hold this? 0, or -1 and fault tells what it may hold. */
int master_field_check(enum master_field field, const char *value, size_t length, struct fault *fault);

#endif
