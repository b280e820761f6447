#define _GNU_SOURCE
#include "scan.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "sys.h"

/* scan_begin - start at the descriptor's present position */
void scan_begin(struct scan *scan, int fd)
{
	scan->fd = fd;
	scan->at = 0;
	scan->filled = 0;
	scan->name = NULL;
	scan->type = DT_UNKNOWN;
}

/* fill - fetch the next block; as scan_next() */
static int fill(struct scan *scan)
{
	ssize_t got;

	do
		got = sys->getdents64(scan->fd, scan->block, sizeof scan->block);
	while (got < 0 && errno == EINTR);
	if (got < 0)
		return errno == ENOENT ? 0 : -1; /* ENOENT: the directory itself is removed */
	scan->at = 0;
	scan->filled = (size_t)got;
	return got > 0;
}

/* scan_next - the next name */
int scan_next(struct scan *scan)
{
	for (;;) {
		const struct dirent64 *entry;
		struct stat st;

		if (scan->at >= scan->filled) {
			int got = fill(scan);

			if (got <= 0)
				return got;
		}
		entry = (const void *)(scan->block + scan->at);
		scan->at += entry->d_reclen;
		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		scan->name = entry->d_name;
		scan->type = entry->d_type;
		/* Some file systems leave the type to be asked for. */
		if (scan->type == DT_UNKNOWN && sys->fstatat(scan->fd, scan->name, &st, AT_SYMLINK_NOFOLLOW) == 0)
			scan->type = scan_type(st.st_mode);
		return 1;
	}
}

/* scan_type - from the type bits of a mode */
unsigned char scan_type(mode_t mode)
{
	return IFTODT(mode);
}

/* scan_type_name - the word for it */
const char *scan_type_name(unsigned char type)
{
	switch (type) {
	case DT_DIR:
		return "directory";
	case DT_REG:
		return "file";
	case DT_LNK:
		return "link";
	case DT_FIFO:
		return "fifo";
	case DT_SOCK:
		return "socket";
	case DT_BLK:
		return "block";
	case DT_CHR:
		return "character";
	default:
		return "unknown";
	}
}
