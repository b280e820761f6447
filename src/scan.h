/*
 * scan - the names in an open directory
 *
 *      struct scan scan;
 *      scan_begin(&scan, fd);
 *      while ((got = scan_next(&scan)) > 0)
 *              ...scan.name, scan.type...
 *      if (got < 0) ...errno...
 *
 * Names come in the order of the file system, without "." and "..". The
 * descriptor stays the caller's. Names that are removed meanwhile may or may
 * not be seen.
 */
#ifndef POSTMULTI_SCAN_H
#define POSTMULTI_SCAN_H

#include <stddef.h>
#include <sys/types.h>

struct scan {
	const char *name;   /* valid until the next scan_next() */
	unsigned char type; /* DT_DIR and so on of readdir(3); DT_UNKNOWN: gone meanwhile */
	/* private */
	int fd;
	size_t at, filled;
	_Alignas(8) char block[32768];
};

void scan_begin(struct scan *scan, int fd);
/* scan_next - 1: a name, 0: no more, -1: errno */
int scan_next(struct scan *scan);

/* scan_type - the DT_ value of a file mode */
unsigned char scan_type(mode_t mode);
/* scan_type_name - "directory", "file", "link", "fifo", "socket", "block", "character"; "unknown" */
const char *scan_type_name(unsigned char type);

#endif
