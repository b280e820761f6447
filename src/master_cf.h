/*
 * master_cf - one entry of a master.cf: read it, change it, write it
 *
 *      struct master_service service = MASTER_SERVICE_INIT;
 *      if (master_service_parse(&service, text, length, &brace, &fault) < 0)
 *              ...fault.text says what is wrong with the entry, not where it stands...
 *      master_service_set_field(&service, MASTER_CHROOT, "n", 1, &fault);
 *      master_service_write(&service, MASTER_FOLDED, &out);
 *      master_service_free(&service);
 *
 * An entry is a logical line (config_text.h) of seven fields and a command
 * (master(5)). The command is kept as its words: program, then arguments,
 * braces resolved. The words before the first that is no option are options
 * (getopt(3): "--", a lone "-" and an empty word end them, and only -o takes a value), kept in a
 * normal form: "-vo x=y" and "-vox=y" are the three words "-v", "-o", "x=y", and
 * "-o { x = y z }" the two words "-o", "x=y z".
 *
 * Functions that return int: 0, or -1 with `fault` filled; fault.number is ENOMEM for
 * lack of memory, otherwise 0. After -1 a service holds what it held before, or
 * (parse) nothing. Freeing twice, or what was never filled, does nothing.
 */
#ifndef POSTMULTI_MASTER_CF_H
#define POSTMULTI_MASTER_CF_H

#include "buffer.h"
#include "fault.h"
#include "master_field.h"
#include "master_word.h"

/* The words of a command. */
struct master_words {
	char **item;    /* each from malloc; never with a NUL inside */
	size_t count;   /* at least 1 in a service: the program */
	size_t options; /* item[1] .. item[options - 1] are options */
	size_t capacity;
};

struct master_service {
	char *field[MASTER_COMMAND];
	struct master_words words;
};

#define MASTER_SERVICE_INIT { { NULL }, { NULL, 0, 0, 0 } }

/* name = value of an -o; points into the word. */
struct master_override {
	const char *name, *value;
	size_t name_length, value_length;
};

/*
 * Read a logical line, as far as its first NUL. *brace tells whether braces
 * are wrong in it: Postfix uses such an entry, but not all of its text.
 */
int master_service_parse(struct master_service *service, const char *text, size_t length, enum master_brace *brace,
			 struct fault *fault);
void master_service_free(struct master_service *service);

/* Do they mean the same to Postfix? */
bool master_service_equal(const struct master_service *a, const struct master_service *b);

/* Set a field, the command too. The value must be one that Postfix accepts there. */
int master_service_set_field(struct master_service *service, enum master_field field, const char *value, size_t length,
			     struct fault *fault);

/* Give each -o of that name this value, or insert one behind the last option. */
int master_service_set_override(struct master_service *service, const char *name, size_t name_length, const char *value,
				size_t value_length, struct fault *fault);
/* Remove each -o of that name. */
void master_service_remove_override(struct master_service *service, const char *name, size_t name_length);

/*
 * The next -o name=value: *position starts at 0. False: no more. An -o whose
 * value is no name=value is passed over.
 */
bool master_service_next_override(const struct master_service *service, size_t *position,
				  struct master_override *override);

enum master_layout {
	MASTER_ONE_LINE, /* as postconf -M shows it */
	MASTER_FOLDED,   /* as postconf -Mf shows it and edits write it */
};

/* Append the entry, without a newline at the end. */
void master_service_write(const struct master_service *service, enum master_layout layout, struct buffer *out);
/* Append the command alone, on one line. */
void master_service_write_command(const struct master_service *service, struct buffer *out);

#endif
