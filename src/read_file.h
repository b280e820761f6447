/*
 * read_file - a whole file into memory, never half of it, never blocking
 *
 *      struct buffer text = BUFFER_INIT;
 *      enum read_file_kind kind = read_file(path, &text, &fault);
 *      if (kind != READ_FILE_OK) ...fault is filled...
 *
 * The file is opened without blocking, must be a regular file of at most
 * READ_FILE_MAX bytes, and is taken as read when its inode, size and times are
 * the same before and after. A file modified within the last 50 ms may be in
 * the middle of a change that its times do not show yet: it must give the same
 * bytes twice, and, if it is empty (truncated, to be written), become older.
 * One that is being written in place, with a pause perhaps, must become a second
 * old: its last change was a write, where postconf(1) and this program end with
 * a rename, and somebody has it open for writing. Where that cannot be told, as
 * of another user's file, 200 ms must do, and a file made just before it was
 * written is taken as it is. What does not pass is opened and read again, for
 * a second and a quarter. A modification time in the future delays nothing.
 *
 * The buffer's old contents are replaced, its memory is used again. After a
 * failure its contents are of no use.
 */
#ifndef POSTMULTI_READ_FILE_H
#define POSTMULTI_READ_FILE_H

#include <sys/stat.h>

#include "buffer.h"
#include "fault.h"

#define READ_FILE_MAX (64 * 1024 * 1024)

enum read_file_kind {
	READ_FILE_OK,
	READ_FILE_MISSING,    /* no such file or directory */
	READ_FILE_UNREADABLE, /* any other refusal of the system */
	READ_FILE_CHANGING,   /* changed during every attempt */
	READ_FILE_TOO_LARGE,
	READ_FILE_NOT_A_FILE, /* a directory, fifo, socket or device */
};

enum read_file_kind read_file(const char *path, struct buffer *text, struct fault *fault);

/*
 * The same for NAME in an open directory, which must not be a link; path is
 * for messages. *st is the state of the file that was read.
 */
enum read_file_kind read_file_at(int dirfd, const char *name, const char *path, struct buffer *text, struct stat *st,
				 struct fault *fault);

/*
 * Read an open regular file from its present position to its end: one pass,
 * no second look. 0, or -1 with errno; EFBIG: more than READ_FILE_MAX bytes.
 */
int read_file_descriptor(int fd, struct buffer *text);

#endif
