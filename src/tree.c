#define _GNU_SOURCE
#include "tree.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "beneath.h"
#include "scan.h"
#include "sync.h"
#include "sys.h"
#include "walk.h"

/* tree_stat - with or without the final link */
int tree_stat(const char *path, enum tree_links links, struct stat *st, struct fault *fault)
{
	if (sys->fstatat(AT_FDCWD, path, st, links == TREE_FOLLOW ? 0 : AT_SYMLINK_NOFOLLOW) < 0)
		return fault_errno(fault, path);
	return 0;
}

/* read_all - until the end of the file or the limit */
static int read_all(int fd, const char *path, struct buffer *text, struct fault *fault)
{
	for (;;) {
		ssize_t got;

		if (!buffer_reserve(text, 16384))
			return fault_set(fault, ENOMEM, "%s: %s", path, strerror(ENOMEM));
		got = sys->read(fd, text->data + text->length, text->capacity - text->length - 1);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return fault_errno(fault, path);
		if (got == 0)
			return 0;
		text->length += (size_t)got;
		text->data[text->length] = '\0';
		if (text->length > TREE_READ_LIMIT)
			return fault_set(fault, EFBIG, "%s: larger than %d MB", path, TREE_READ_LIMIT >> 20);
	}
}

/* read_regular - refuse what is not a regular file */
static int read_regular(int fd, const char *path, struct buffer *text, struct fault *fault)
{
	struct stat st;

	if (sys->fstat(fd, &st) < 0)
		return fault_errno(fault, path);
	if (S_ISDIR(st.st_mode))
		return fault_set(fault, EISDIR, "%s: %s", path, strerror(EISDIR));
	if (!S_ISREG(st.st_mode))
		return fault_set(fault, 0, "%s: not a regular file", path);
	if (st.st_size > TREE_READ_LIMIT)
		return fault_set(fault, EFBIG, "%s: larger than %d MB", path, TREE_READ_LIMIT >> 20);
	(void)buffer_reserve(text, (size_t)st.st_size + 1);
	return read_all(fd, path, text, fault);
}

/* tree_read_file - open without blocking, then look what it is */
int tree_read_file(const char *path, struct buffer *text, struct fault *fault)
{
	int result, fd = beneath_retry(AT_FDCWD, path, O_RDONLY | O_NONBLOCK | O_NOCTTY);

	if (fd < 0)
		return fault_errno(fault, path);
	result = read_regular(fd, path, text, fault);
	(void)sys->close(fd);
	return result;
}

/* compare_records - strcmp(3) of the names, which start after the type */
static int compare_records(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a + 1, *(const char *const *)b + 1);
}

/* read_records - all names of an open directory; -1 with errno */
static int read_records(int fd, struct buffer *text)
{
	struct scan scan;
	int got;

	scan_begin(&scan, fd);
	while ((got = scan_next(&scan)) > 0) {
		buffer_add_char(text, (char)scan.type);
		buffer_add(text, scan.name, strlen(scan.name) + 1);
	}
	if (got == 0 && buffer_failed(text)) {
		errno = ENOMEM;
		return -1;
	}
	return got;
}

/* index_records - a sorted pointer to each record; -1 with errno */
static int index_records(const struct buffer *text, struct buffer *index)
{
	for (size_t at = 0; at < text->length; at += strlen(text->data + at + 1) + 2) {
		const char *record = text->data + at;

		buffer_add(index, &record, sizeof record);
	}
	if (buffer_failed(index)) {
		errno = ENOMEM;
		return -1;
	}
	if (index->length > 0)
		qsort(index->data, index->length / sizeof(char *), sizeof(char *), compare_records);
	return 0;
}

/* tree_list - read first, sort then */
int tree_list(const char *path, struct buffer *text, struct buffer *index, struct fault *fault)
{
	int result, fd = beneath_base(path, fault);

	if (fd < 0)
		return -1;
	result = read_records(fd, text);
	if (result == 0)
		result = index_records(text, index);
	if (result < 0)
		(void)fault_errno(fault, path);
	(void)sys->close(fd);
	return result;
}

/* tree_real_path - realpath(3) */
int tree_real_path(const char *path, struct buffer *real, struct fault *fault)
{
	char resolved[PATH_MAX];

	if (sys->realpath(path, resolved) == NULL)
		return fault_errno(fault, path);
	buffer_add_string(real, resolved);
	return buffer_failed(real) ? fault_set(fault, ENOMEM, "%s: %s", path, strerror(ENOMEM)) : 0;
}

/* Work of tree_make_path(): the way so far. */
enum { MAKE_LEVELS = 128 }; /* directories it makes in one call */

struct making {
	const struct tree_make *make;
	struct buffer *created;
	struct buffer path; /* as far as it was reached */
	int fd;             /* the directory reached */
	struct {
		int parent;       /* descriptor of the directory it was made in */
		const char *name; /* component of the path, and its length */
		size_t length;
	} made[MAKE_LEVELS];
	int count;
};

/* component_text - a component as a string of its own; -1 with errno */
static int component_text(const char *name, size_t length, char text[NAME_MAX + 1])
{
	if (length > NAME_MAX) {
		errno = ENAMETOOLONG;
		return -1;
	}
	memcpy(text, name, length);
	text[length] = '\0';
	return 0;
}

/* settle - owner, mode and sync of a directory just made; -1 with errno */
static int settle(struct making *making, int fd, bool last)
{
	const struct tree_make *make = making->make;
	bool own = last && (make->uid != (uid_t)-1 || make->gid != (gid_t)-1);
	mode_t mode = last ? make->mode : make->parents_mode;
	struct stat st;

	if (own && sys->fchown(fd, make->uid, make->gid) < 0)
		return -1;
	if (sys->fstat(fd, &st) < 0 || sys->fchmod(fd, mode | (st.st_mode & S_ISGID)) < 0)
		return -1;
	return make->sync_later ? 0 : sync_fd(fd);
}

/* sync_directory - sync a directory that may be open by O_PATH only; -1 with errno */
static int sync_directory(int fd)
{
	int result, saved, again = beneath_retry(fd, ".", O_RDONLY | O_DIRECTORY);

	if (again < 0)
		return -1;
	result = sync_fd(again);
	saved = errno;
	(void)sys->close(again);
	errno = saved;
	return result;
}

/* make_one - make a directory that is missing, go into it; -1 with errno */
static int make_one(struct making *making, const char *name, size_t length, const char *text, bool last)
{
	int fd, parent = making->fd;

	if (making->count == MAKE_LEVELS) {
		errno = ENAMETOOLONG;
		return -1;
	}
	if (sys->mkdirat(parent, text, 0700) < 0)
		return -1;
	making->made[making->count].parent = parent;
	making->made[making->count].name = name;
	making->made[making->count++].length = length;
	making->fd = -1; /* the parent belongs to made[] from here on */
	fd = beneath_retry(parent, text, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
	if (fd < 0)
		return -1;
	making->fd = fd;
	if (settle(making, fd, last) < 0 || (!making->make->sync_later && sync_directory(parent) < 0))
		return -1;
	buffer_add(making->created, making->path.data, making->path.length + 1);
	errno = ENOMEM;
	return buffer_failed(making->created) || buffer_failed(&making->path) ? -1 : 0;
}

/* step_into - open the next component, or make it; -1 with errno */
static int step_into(struct making *making, const char *name, size_t length, bool last)
{
	char text[NAME_MAX + 1];

	buffer_add_char(&making->path, '/');
	buffer_add(&making->path, name, length);
	if (component_text(name, length, text) < 0)
		return -1;
	for (int tries = 0; tries < 2; tries++) {
		int fd = beneath_retry(making->fd, text, O_PATH | O_DIRECTORY);

		if (fd >= 0) {
			(void)sys->close(making->fd);
			making->fd = fd;
			return 0;
		}
		if (errno != ENOENT)
			return -1;
		if (make_one(making, name, length, text, last) == 0)
			return 0;
		if (errno != EEXIST)
			return -1;
		/* Somebody else made it meanwhile, or it is a link to nothing: look again. */
	}
	errno = ENOENT;
	return -1;
}

/* end_making - close all, and after a failure remove what was made */
static void end_making(struct making *making, bool undo)
{
	if (making->fd >= 0)
		(void)sys->close(making->fd);
	while (making->count > 0) {
		char text[NAME_MAX + 1];
		int at = --making->count;

		(void)component_text(making->made[at].name, making->made[at].length, text);
		if (undo)
			(void)sys->unlinkat(making->made[at].parent, text, AT_REMOVEDIR);
		(void)sys->close(making->made[at].parent);
	}
	if (undo)
		buffer_reset(making->created);
}

/* is_end - is there no further component? */
static bool is_end(const char *path)
{
	for (;;) {
		path += strspn(path, "/");
		if (*path == '\0')
			return true;
		if (path[0] != '.' || (path[1] != '/' && path[1] != '\0'))
			return false;
		path++;
	}
}

/* tree_make_path - component by component from the root */
int tree_make_path(const char *path, const struct tree_make *make, struct buffer *created, struct fault *fault)
{
	struct making making = { .make = make, .created = created, .path = BUFFER_INIT };
	const char *whole = path;
	int result = 0;

	if (*path != '/')
		return fault_set(fault, EINVAL, "%s: not an absolute path", path);
	making.fd = beneath_retry(AT_FDCWD, "/", O_PATH | O_DIRECTORY);
	if (making.fd < 0)
		return fault_errno(fault, "/");
	while (result == 0) {
		size_t length;

		path += strspn(path, "/");
		length = strcspn(path, "/");
		if (length == 0)
			break;
		if (length > 1 || *path != '.')
			result = step_into(&making, path, length, is_end(path + length));
		path += length;
	}
	if (result < 0)
		(void)fault_errno(fault, buffer_failed(&making.path) ? whole : making.path.data);
	end_making(&making, result < 0);
	buffer_free(&making.path);
	return result;
}

/* tree_unlink - anything but a directory */
int tree_unlink(const char *path, struct fault *fault)
{
	return sys->unlinkat(AT_FDCWD, path, 0) < 0 ? fault_errno(fault, path) : 0;
}

/* tree_rmdir - an empty directory */
int tree_rmdir(const char *path, struct fault *fault)
{
	return sys->unlinkat(AT_FDCWD, path, AT_REMOVEDIR) < 0 ? fault_errno(fault, path) : 0;
}

/* tree_rename - rename(2) */
int tree_rename(const char *from, const char *to, struct fault *fault)
{
	int number;

	if (sys->renameat(AT_FDCWD, from, AT_FDCWD, to) == 0)
		return 0;
	number = errno;
	return fault_set(fault, number, "%s: cannot be renamed to %s: %s", from, to, strerror(number));
}

/* count_entry - one more, if it is a regular file */
static int count_entry(struct walk *walk, int dirfd, const char *name, unsigned char type, struct fault *fault)
{
	(void)dirfd;
	(void)name;
	(void)fault;
	if (type == DT_REG)
		++*(long *)walk->context;
	return 0;
}

/* count_below - the walk from an open base */
static long count_below(int base, const char *name, const char *subject, struct fault *fault)
{
	static const struct walk_visit visit = { .entry = count_entry };
	long count = 0;
	struct walk walk = {
		.subject = subject, .mounts = BENEATH_ANY_MOUNT, .visit = &visit, .context = &count,
	};
	int result, fd = beneath_open(base, name, O_RDONLY | O_DIRECTORY | O_NONBLOCK, BENEATH_ANY_MOUNT);

	if (fd < 0)
		return errno == ENOENT ? 0 : fault_set(fault, errno, "%s: %s", subject, beneath_reason(errno));
	result = walk_tree(&walk, fd, fault);
	walk_free(&walk);
	return result < 0 ? -1 : count;
}

/* tree_count_files - a missing base is a missing directory too */
long tree_count_files(const char *base, const char *name, struct fault *fault)
{
	char clean[PATH_MAX], subject[2 * PATH_MAX];
	long count;
	int fd;

	if (beneath_clean(name, clean, fault) < 0)
		return -1;
	fd = beneath_base(base, fault);
	if (fd < 0)
		return fault->number == ENOENT ? 0 : -1;
	(void)snprintf(subject, sizeof subject, "%s/%s", base, clean);
	count = count_below(fd, clean, subject, fault);
	(void)sys->close(fd);
	return count;
}
