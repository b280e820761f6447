#define _GNU_SOURCE
#include "tree_remove.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "beneath.h"
#include "scan.h"
#include "sys.h"
#include "walk.h"

enum { REVISITS = 100 }; /* directories that are found filled again, in one removal */

struct removal {
	tree_keep *keep;
	void *context;
	long removed;
	int revisits;
	bool failed;
	struct fault first; /* valid when failed */
};

/* note_failure - remember the first one; what is above has to stay */
static void note_failure(struct walk *walk, const struct fault *fault)
{
	struct removal *removal = walk->context;

	if (!removal->failed)
		removal->first = *fault;
	removal->failed = true;
	walk_mark(walk);
}

/* keeps - ask the caller about something in the present directory; as tree_keep */
static int keeps(struct walk *walk, const char *name, unsigned char type, struct fault *fault)
{
	struct removal *removal = walk->context;
	struct buffer relative = BUFFER_INIT;
	int answer;

	if (removal->keep == NULL)
		return 0;
	walk_path(walk, name, &relative);
	if (buffer_failed(&relative))
		answer = fault_set(fault, ENOMEM, "%s: %s", walk->subject, strerror(ENOMEM));
	else
		answer = removal->keep(removal->context, relative.data, scan_type_name(type), fault);
	buffer_free(&relative);
	if (answer > 0)
		walk_mark(walk);
	return answer;
}

/* remove_entry - something that is no directory */
static int remove_entry(struct walk *walk, int dirfd, const char *name, unsigned char type, struct fault *fault)
{
	struct removal *removal = walk->context;
	int answer = keeps(walk, name, type, fault);

	if (answer != 0)
		return answer < 0 ? -1 : 0;
	if (sys->unlinkat(dirfd, name, 0) == 0)
		removal->removed++;
	else if (errno != ENOENT) {
		(void)walk_fault(walk, name, errno, strerror(errno), fault);
		note_failure(walk, fault);
	}
	return 0;
}

/* choose_directory - leave out what is kept */
static int choose_directory(struct walk *walk, const char *name, struct fault *fault)
{
	return keeps(walk, name, DT_DIR, fault);
}

/* remove_directory - it has been emptied, unless something in it stays */
static int remove_directory(struct walk *walk, int dirfd, const char *name, bool marked, struct fault *fault)
{
	struct removal *removal = walk->context;

	if (marked)
		return 0;
	if (sys->unlinkat(dirfd, name, AT_REMOVEDIR) == 0) {
		removal->removed++;
		return 0;
	}
	if (errno == ENOENT)
		return 0;
	/* Filled again meanwhile, or the file system skipped names while others went. */
	if (errno == ENOTEMPTY && removal->revisits++ < REVISITS)
		return 1;
	(void)walk_fault(walk, "", errno, strerror(errno), fault);
	note_failure(walk, fault);
	return 0;
}

/* refuse_directory - it cannot be entered: name it, go on */
static int refuse_directory(struct walk *walk, const struct fault *fault)
{
	note_failure(walk, fault);
	return 0;
}

/* empty_directory - remove all in an open directory; 1: something had to stay, -1: fault */
static int empty_directory(int fd, const char *subject, struct removal *removal, struct fault *fault)
{
	static const struct walk_visit visit = {
		.entry = remove_entry,
		.choose = choose_directory,
		.leave = remove_directory,
		.refused = refuse_directory,
	};
	struct walk walk = { .subject = subject, .visit = &visit, .context = removal };
	int result = walk_tree(&walk, fd, fault);

	if (result == 0 && removal->failed) {
		*fault = removal->first;
		result = -1;
	} else if (result == 0 && walk_marked(&walk))
		result = 1;
	walk_free(&walk);
	return result;
}

/* remove_one - remove the object LAST of an open directory */
static int remove_one(int parent, const char *last, const char *subject, struct removal *removal, struct fault *fault)
{
	for (;;) {
		int result, fd = beneath_open(parent, last, O_RDONLY | O_DIRECTORY | O_NONBLOCK, BENEATH_SAME_MOUNT);

		if (fd < 0 && (errno == ENOTDIR || errno == ELOOP)) {
			if (sys->unlinkat(parent, last, 0) < 0)
				return fault_errno(fault, subject);
			removal->removed++;
			return 0;
		}
		if (fd < 0)
			return fault_set(fault, errno, "%s: %s", subject, beneath_reason(errno));
		result = empty_directory(fd, subject, removal, fault);
		if (result != 0)
			return result < 0 ? -1 : 0;
		if (sys->unlinkat(parent, last, AT_REMOVEDIR) == 0) {
			removal->removed++;
			return 0;
		}
		if (errno != ENOTEMPTY || removal->revisits++ >= REVISITS)
			return fault_errno(fault, subject);
	}
}

/* tree_remove - from the base down */
long tree_remove(const char *base, const char *name, tree_keep *keep, void *context, struct fault *fault)
{
	char clean[PATH_MAX], subject[2 * PATH_MAX];
	struct removal removal = { .keep = keep, .context = context };
	const char *last;
	int result, parent, fd;

	if (beneath_clean(name, clean, fault) < 0)
		return -1;
	fd = beneath_base(base, fault);
	if (fd < 0)
		return -1;
	(void)snprintf(subject, sizeof subject, "%s/%s", base, clean);
	parent = beneath_parent(fd, clean, BENEATH_SAME_MOUNT, &last);
	if (parent < 0)
		result = fault_set(fault, errno, "%s: %s", subject, beneath_reason(errno));
	else
		result = remove_one(parent, last, subject, &removal, fault);
	if (parent >= 0)
		(void)sys->close(parent);
	(void)sys->close(fd);
	return result < 0 ? -1 : removal.removed;
}
