#define _GNU_SOURCE
#include "attributes.h"

#include <string.h>
#include <unistd.h>

#include "buffer.h"
#include "retry.h"
#include "sys.h"

/* is_reserved - does the name belong to the system rather than to the file's owner? */
static bool is_reserved(const char *name)
{
	return strncmp(name, "security.", 9) == 0 || strncmp(name, "trusted.", 8) == 0;
}

/* fetch - an attribute's value, or with name NULL the list of names; the size, or -1 with errno */
static ssize_t fetch(int fd, const char *name, struct buffer *out)
{
	size_t room = 256;

	for (;;) {
		ssize_t got;

		buffer_reset(out);
		if (!buffer_reserve(out, room)) {
			errno = ENOMEM;
			return -1;
		}
		RETRY(got, name == NULL ? sys->flistxattr(fd, out->data, room)
					: sys->fgetxattr(fd, name, out->data, room));
		if (got >= 0) {
			out->length = (size_t)got;
			out->data[got] = '\0';
			return got;
		}
		if (errno != ERANGE || room > 1024 * 1024)
			return -1;
		room *= 4;
	}
}

/* fetch_list - the names of the attributes; none where the file system has none. 0, or -1 with errno */
static int fetch_list(int fd, struct buffer *list)
{
	if (fetch(fd, NULL, list) >= 0)
		return 0;
	list->length = 0;
	return errno == ENOTSUP || errno == ENOSYS ? 0 : -1;
}

/* has_name - is a name in a list? */
static bool has_name(const struct buffer *list, const char *name)
{
	for (const char *p = list->data; p < list->data + list->length; p += strlen(p) + 1)
		if (strcmp(p, name) == 0)
			return true;
	return false;
}

/* remove_others - remove the attributes of `fd` that `keep` does not name */
static int remove_others(int fd, const struct buffer *keep)
{
	struct buffer list = BUFFER_INIT;
	int result = fetch_list(fd, &list);

	for (const char *p = list.data; result == 0 && p < list.data + list.length; p += strlen(p) + 1) {
		if (is_reserved(p) || has_name(keep, p))
			continue;
		RETRY(result, sys->fremovexattr(fd, p));
		if (result < 0 && (errno == ENODATA || errno == ENOTSUP))
			result = 0;
	}
	buffer_free(&list);
	return result;
}

/* attributes_clear - remove the extended attributes of an open file */
int attributes_clear(int fd)
{
	const struct buffer none = BUFFER_INIT;

	return remove_others(fd, &none);
}

/* may_skip - is errno a refusal to copy a label that is not ours to copy? */
static bool may_skip(const char *name)
{
	return is_reserved(name) && (errno == EPERM || errno == EACCES);
}

/* copy_one - copy one extended attribute */
static int copy_one(int from, int to, const char *name, struct buffer *value)
{
	int result;

	if (fetch(from, name, value) < 0)
		return errno == ENODATA || errno == ENOTSUP || may_skip(name) ? 0 : -1;
	RETRY(result, sys->fsetxattr(to, name, value->data, value->length, 0));
	if (result < 0 && (errno == ENOTSUP || may_skip(name)))
		return 0;
	return result;
}

/* copy_extended - make the extended attributes the same */
static int copy_extended(int from, int to)
{
	struct buffer list = BUFFER_INIT, value = BUFFER_INIT;
	int result = fetch_list(from, &list);

	if (result == 0)
		result = remove_others(to, &list);
	for (const char *p = list.data; result == 0 && p < list.data + list.length; p += strlen(p) + 1)
		result = copy_one(from, to, p, &value);
	buffer_free(&list);
	buffer_free(&value);
	return result;
}

/* copy_owner - make owner and group the same */
static int copy_owner(const struct stat *st, int to)
{
	struct stat now;
	int result;

	RETRY(result, sys->fstat(to, &now));
	if (result < 0 || (now.st_uid == st->st_uid && now.st_gid == st->st_gid))
		return result;
	RETRY(result, sys->fchown(to, st->st_uid, st->st_gid));
	if (result < 0 && errno == EPERM && geteuid() != 0 && now.st_uid == st->st_uid)
		return 0;
	return result;
}

/* attributes_copy - extended attributes, owner, group, mode */
int attributes_copy(int from, const struct stat *st, int to)
{
	int result;

	if (copy_extended(from, to) < 0 || copy_owner(st, to) < 0)
		return -1;
	RETRY(result, sys->fchmod(to, st->st_mode & 07777)); /* last: fchown clears set-id bits */
	return result;
}
