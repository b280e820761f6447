#include "environment.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

/* name_length - bytes before the "=" */
static size_t name_length(const char *entry)
{
	return strcspn(entry, "=");
}

/* find - the last entry of a list that has the name of ENTRY; NULL: none */
static const char *find(const char *const *list, const char *entry)
{
	size_t length = name_length(entry);
	const char *found = NULL;

	for (; list != NULL && *list != NULL; list++)
		if (name_length(*list) == length && strncmp(*list, entry, length) == 0)
			found = *list;
	return found;
}

/* add - one more pointer */
static void add(struct buffer *block, const char *entry)
{
	buffer_add(block, &entry, sizeof entry);
}

/* holds - has the block an entry with the name of ENTRY yet? */
static bool holds(const struct buffer *block, const char *entry)
{
	const char *const *list = (const void *)block->data;
	size_t length = name_length(entry);

	for (size_t i = 0; i < block->length / sizeof *list; i++)
		if (name_length(list[i]) == length && strncmp(list[i], entry, length) == 0)
			return true;
	return false;
}

/* environment_merge - what is taken over first, then what is new */
int environment_merge(char *const *from, const char *const *keep, const char *const *change, struct buffer *block)
{
	for (; from != NULL && *from != NULL; from++) {
		const char *changed = find(change, *from);

		if (changed == NULL && (keep == NULL || find(keep, *from) != NULL))
			add(block, *from);
		else if (changed != NULL && strchr(changed, '=') != NULL && !holds(block, changed))
			add(block, changed);
	}
	for (const char *const *at = change; at != NULL && *at != NULL; at++)
		if (strchr(*at, '=') != NULL && find(change, *at) == *at && !holds(block, *at))
			add(block, *at);
	add(block, NULL);
	return buffer_failed(block) ? -1 : 0;
}

/* environment_get - look a variable up */
const char *environment_get(const char *const *block, const char *name)
{
	size_t length = strlen(name);

	for (; *block != NULL; block++)
		if (strncmp(*block, name, length) == 0 && (*block)[length] == '=')
			return *block + length + 1;
	return NULL;
}
