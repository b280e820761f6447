/*
 * tree - look at files and directories, make and remove single ones
 *
 * Every function that can fail returns -1 and fills the fault: one line that
 * names the path and the reason, and errno (0 where no call failed). Buffers
 * are the caller's: initialised before, freed after, on success and failure.
 * Descriptors never outlive a call.
 */
#ifndef POSTMULTI_TREE_H
#define POSTMULTI_TREE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>

#include "buffer.h"
#include "fault.h"

enum { TREE_READ_LIMIT = 64 << 20 }; /* bytes tree_read_file() takes */

enum tree_links { TREE_FOLLOW, TREE_DONT_FOLLOW };

/* tree_stat - stat(2) or lstat(2) */
int tree_stat(const char *path, enum tree_links links, struct stat *st, struct fault *fault);

/* tree_read_file - the whole of a regular file; never waits for a fifo or a terminal */
int tree_read_file(const char *path, struct buffer *text, struct fault *fault);

/*
 * tree_list - the names in a directory, sorted by byte
 * Fills `text` with one record per name: a byte with its DT_ type, the name,
 * a NUL; and `index` with a `const char *` to each record, in order.
 */
int tree_list(const char *path, struct buffer *text, struct buffer *index, struct fault *fault);

/* tree_real_path - absolute, without links, "." and ".."; the thing must exist */
int tree_real_path(const char *path, struct buffer *real, struct fault *fault);

struct tree_make {
	mode_t mode;         /* of the last directory */
	mode_t parents_mode; /* of the others that are made */
	uid_t uid;           /* of the last directory; (uid_t)-1: as it comes */
	gid_t gid;           /* likewise */
	bool sync_later;     /* the caller syncs what was made, and the directory that holds the outermost */
};

/*
 * tree_make_path - make a directory and the parents it lacks
 * PATH is absolute. What exists is left alone, links in it are followed. Each
 * new directory starts as 0700, then gets owner, then mode, whatever the umask;
 * a set-gid bit that it inherits stays. New directories and those that hold
 * them are synced, unless sync_later. On failure what was made is removed,
 * innermost first.
 * Fills `created` with the paths made, outermost first, each with its NUL.
 */
int tree_make_path(const char *path, const struct tree_make *make, struct buffer *created, struct fault *fault);

/* tree_unlink - unlink(2) */
int tree_unlink(const char *path, struct fault *fault);

/* tree_rmdir - rmdir(2) */
int tree_rmdir(const char *path, struct fault *fault);

/* tree_rename - rename(2) */
int tree_rename(const char *from, const char *to, struct fault *fault);

/*
 * tree_count_files - the regular files in the directory NAME beneath BASE, at any depth
 * 0 when it is missing. No link is followed; mount points are crossed, since
 * what is asked is whether there is mail. NAME as beneath_clean().
 */
long tree_count_files(const char *base, const char *name, struct fault *fault);

#endif
