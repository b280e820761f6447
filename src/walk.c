#define _GNU_SOURCE
#include "walk.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "scan.h"
#include "sys.h"

/* One directory on the way from the first to the present one. */
struct walk_frame {
	dev_t device;
	ino_t inode;
	size_t parent_length;  /* of the relative path of the directory above */
	struct buffer pending; /* directories still to enter, each with its NUL */
	size_t next;           /* offset of the next one */
	bool marked;
};

enum { DIRECTORY_FLAGS = O_RDONLY | O_DIRECTORY | O_NONBLOCK };

/* walk_path - the relative path of something in the present directory */
void walk_path(const struct walk *walk, const char *name, struct buffer *path)
{
	buffer_add(path, walk->relative.data, walk->relative.length);
	if (walk->relative.length > 0 && *name != '\0')
		buffer_add_char(path, '/');
	buffer_add_string(path, name);
}

/* walk_fault - name the object in full, or its end where that is too long for one line */
int walk_fault(const struct walk *walk, const char *name, int number, const char *reason, struct fault *fault)
{
	const size_t most = sizeof fault->text / 2;
	struct buffer path = BUFFER_INIT;
	const char *from;

	buffer_add_string(&path, walk->subject);
	if (walk->relative.length > 0 || *name != '\0')
		buffer_add_char(&path, '/');
	walk_path(walk, name, &path);
	from = path.length > most ? path.data + path.length - most : path.data;
	if (buffer_failed(&path))
		(void)fault_set(fault, number, "%.*s: %s", (int)most, walk->subject, reason);
	else
		(void)fault_set(fault, number, "%s%s: %s", from == path.data ? "" : "...", from, reason);
	buffer_free(&path);
	return -1;
}

/* out_of_memory - the fault for it */
static int out_of_memory(const struct walk *walk, struct fault *fault)
{
	return fault_set(fault, ENOMEM, "%s: %s", walk->subject, strerror(ENOMEM));
}

/* top_frame - the present directory's */
static struct walk_frame *top_frame(const struct walk *walk)
{
	return &walk->frame[walk->depth - 1];
}

/* walk_mark - the mark is handed up as directories are left */
void walk_mark(struct walk *walk)
{
	top_frame(walk)->marked = true;
}

/* walk_marked - frame 0 stays readable after the walk */
bool walk_marked(const struct walk *walk)
{
	return walk->frame != NULL && walk->frame[0].marked;
}

/* push_frame - make room for one more directory and note which it is */
static int push_frame(struct walk *walk, const struct stat *st, size_t parent_length)
{
	if (walk->depth == walk->capacity) {
		size_t capacity = walk->capacity > 0 ? walk->capacity * 2 : 16;
		struct walk_frame *frame = realloc(walk->frame, capacity * sizeof *frame);

		if (frame == NULL)
			return -1;
		walk->frame = frame;
		walk->capacity = capacity;
	}
	walk->frame[walk->depth++] = (struct walk_frame){
		.device = st->st_dev,
		.inode = st->st_ino,
		.parent_length = parent_length,
		.pending = BUFFER_INIT,
	};
	return 0;
}

/* read_names - visit the entries of the present directory, note its directories */
static int read_names(struct walk *walk, struct fault *fault)
{
	struct walk_frame *frame = top_frame(walk);
	struct scan scan;
	int got, result = 0;

	scan_begin(&scan, walk->fd);
	while (result >= 0 && (got = scan_next(&scan)) != 0) {
		if (got < 0)
			return walk_fault(walk, "", errno, strerror(errno), fault);
		if (scan.type != DT_DIR) {
			if (walk->visit->entry != NULL)
				result = walk->visit->entry(walk, walk->fd, scan.name, scan.type, fault);
			continue;
		}
		if (walk->visit->choose != NULL)
			result = walk->visit->choose(walk, scan.name, fault);
		if (result == 0)
			buffer_add(&frame->pending, scan.name, strlen(scan.name) + 1);
		else if (result > 0)
			result = 0;
	}
	if (result < 0)
		return -1;
	return buffer_failed(&frame->pending) ? out_of_memory(walk, fault) : 0;
}

/* arrive - the present directory is open: visit it and what is in it */
static int arrive(struct walk *walk, struct fault *fault)
{
	if (walk->visit->enter != NULL && walk->visit->enter(walk, walk->fd, fault) < 0)
		return -1;
	return read_names(walk, fault);
}

/* refused - a directory cannot be opened */
static int refused(struct walk *walk, const char *name, int number, struct fault *fault)
{
	(void)walk_fault(walk, name, number, beneath_reason(number), fault);
	return walk->visit->refused != NULL ? walk->visit->refused(walk, fault) : -1;
}

/* descend - enter a directory of the present one */
static int descend(struct walk *walk, const char *name, struct fault *fault)
{
	size_t parent_length = walk->relative.length;
	struct stat st;
	int fd = beneath_open(walk->fd, name, DIRECTORY_FLAGS, walk->mounts);

	if (fd < 0 && errno == ENOENT)
		return 0;
	if (fd < 0 && (errno == ENOTDIR || errno == ELOOP)) /* another thing has taken its place */
		return walk->visit->entry == NULL ? 0 : walk->visit->entry(walk, walk->fd, name, DT_UNKNOWN, fault);
	if (fd < 0)
		return refused(walk, name, errno, fault);
	if (sys->fstat(fd, &st) < 0) {
		int number = errno;

		(void)sys->close(fd);
		return refused(walk, name, number, fault);
	}
	if (parent_length > 0)
		buffer_add_char(&walk->relative, '/');
	buffer_add_string(&walk->relative, name);
	(void)sys->close(walk->fd);
	walk->fd = fd;
	if (buffer_failed(&walk->relative) || push_frame(walk, &st, parent_length) < 0)
		return out_of_memory(walk, fault);
	return arrive(walk, fault);
}

/* open_parent - the directory above, if it is still the one that was left; -1 with the fault */
static int open_parent(const struct walk *walk, struct fault *fault)
{
	const struct walk_frame *above = top_frame(walk) - 1;
	struct stat st;
	int fd = beneath_retry(walk->fd, "..", DIRECTORY_FLAGS);

	if (fd < 0)
		return walk_fault(walk, "..", errno, strerror(errno), fault);
	if (sys->fstat(fd, &st) == 0) {
		if (st.st_dev == above->device && st.st_ino == above->inode)
			return fd;
		(void)walk_fault(walk, "", 0, "the directory was moved while it was worked on", fault);
	} else
		(void)walk_fault(walk, "..", errno, strerror(errno), fault);
	(void)sys->close(fd);
	return -1;
}

/* ascend - leave the present directory */
static int ascend(struct walk *walk, struct fault *fault)
{
	struct walk_frame *frame = top_frame(walk);
	bool marked = frame->marked;
	size_t start = frame->parent_length > 0 ? frame->parent_length + 1 : 0;
	const char *name = walk->relative.data + start;
	int result = 0, fd = open_parent(walk, fault);

	if (fd < 0)
		return -1;
	(void)sys->close(walk->fd);
	walk->fd = fd;
	if (walk->visit->leave != NULL)
		result = walk->visit->leave(walk, fd, name, marked, fault);
	if (result > 0)
		buffer_add(&(frame - 1)->pending, name, strlen(name) + 1);
	walk->relative.length = frame->parent_length;
	if (walk->relative.capacity > 0)
		walk->relative.data[walk->relative.length] = '\0';
	buffer_free(&frame->pending);
	walk->depth--;
	if (marked)
		walk_mark(walk);
	if (buffer_failed(&top_frame(walk)->pending))
		return out_of_memory(walk, fault);
	return result < 0 ? -1 : 0;
}

/* step - one directory down or up; 1: all done */
static int step(struct walk *walk, struct fault *fault)
{
	struct walk_frame *frame = top_frame(walk);

	if (frame->next < frame->pending.length) {
		struct buffer name = BUFFER_INIT; /* the frames may move in memory */
		int result;

		buffer_add_string(&name, frame->pending.data + frame->next);
		frame->next += name.length + 1;
		result = buffer_failed(&name) ? out_of_memory(walk, fault) : descend(walk, name.data, fault);
		buffer_free(&name);
		return result;
	}
	return walk->depth == 1 ? 1 : ascend(walk, fault);
}

/* walk_tree - iterative, so that depth costs memory and no stack */
int walk_tree(struct walk *walk, int fd, struct fault *fault)
{
	struct stat st;
	int result;

	walk_free(walk);
	walk->fd = fd;
	if (sys->fstat(fd, &st) < 0)
		result = fault_errno(fault, walk->subject);
	else if (push_frame(walk, &st, 0) < 0)
		result = out_of_memory(walk, fault);
	else
		result = arrive(walk, fault);
	while (result == 0)
		result = step(walk, fault);
	(void)sys->close(walk->fd);
	walk->fd = -1;
	return result < 0 ? -1 : 0;
}

/* walk_free - release everything */
void walk_free(struct walk *walk)
{
	while (walk->depth > 0)
		buffer_free(&walk->frame[--walk->depth].pending);
	free(walk->frame);
	walk->frame = NULL;
	walk->capacity = 0;
	if (walk->relative.data == NULL)
		walk->relative = (struct buffer)BUFFER_INIT;
	buffer_free(&walk->relative);
}
