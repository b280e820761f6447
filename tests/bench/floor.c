/*
 * floor - the least that must be done, in C: what the command's times are compared with
 *
 *      floor list MAIN_CF [THREADS]   read the main.cf of all instances, print the list
 *      floor spawn N PROGRAM          start PROGRAM N times, one after the other
 *      floor lua                      an interpreter with its libraries, and nothing to do
 *
 * `list` reads each file with open, fstat, read, close, scans it for the names
 * that the list needs and believes what it finds: no expansion, no check.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>
#include <pthread.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

#define ROOM 256
#define THREADS_MAX 64

/* What the list says of an instance. */
struct entry {
	const char *directory;
	char value[5][ROOM];
};

static const char *const names[] = { "multi_instance_name", "multi_instance_group", "multi_instance_enable",
				     "queue_directory", "data_directory" };

struct work {
	struct entry *entries;
	size_t count, first, step;
};

/* fail - leave, with a reason */
static void fail(const char *what)
{
	perror(what);
	exit(EXIT_FAILURE);
}

/* slurp - a whole file into a buffer that grows; its length */
static size_t slurp(const char *path, char **data, size_t *room)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;
	ssize_t got;

	if (fd < 0 || fstat(fd, &st) < 0)
		fail(path);
	if ((size_t)st.st_size + 1 > *room) {
		*room = (size_t)st.st_size + 1;
		*data = realloc(*data, *room);
		if (*data == NULL)
			fail(path);
	}
	got = read(fd, *data, (size_t)st.st_size);
	if (got < 0)
		fail(path);
	(void)close(fd);
	(*data)[got] = '\0';
	return (size_t)got;
}

/* take - keep the value of a line "NAME = VALUE" if it is one of the names */
static void take(struct entry *entry, const char *line, size_t length)
{
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		size_t name = strlen(names[i]), at = name;

		if (length <= name || memcmp(line, names[i], name) != 0 || (line[name] != ' ' && line[name] != '='))
			continue;
		while (at < length && (line[at] == ' ' || line[at] == '='))
			at++;
		if (length - at < ROOM) {
			memcpy(entry->value[i], line + at, length - at);
			entry->value[i][length - at] = '\0';
		}
	}
}

/* scan - all lines of a file */
static void scan(struct entry *entry, const char *text, size_t length)
{
	const char *end = text + length;

	while (text < end) {
		const char *newline = memchr(text, '\n', (size_t)(end - text));
		size_t line = (size_t)((newline != NULL ? newline : end) - text);

		if (line > 0 && *text != '#')
			take(entry, text, line);
		text += line + 1;
	}
}

/* run - one thread's share of the instances */
static void *run(void *argument)
{
	const struct work *work = argument;
	char *data = NULL, path[4096];
	size_t room = 0;

	for (size_t i = work->first; i < work->count; i += work->step) {
		(void)snprintf(path, sizeof path, "%s/main.cf", work->entries[i].directory);
		scan(&work->entries[i], data, slurp(path, &data, &room));
	}
	free(data);
	return NULL;
}

/* entries_of - the primary and those of its multi_instance_directories */
static struct entry *entries_of(char *primary, char *text, size_t *count)
{
	static const char parameter[] = "\nmulti_instance_directories =";
	char *list = strstr(text, parameter), *slash = strrchr(primary, '/');
	struct entry *entries = NULL;

	*count = 0;
	if (slash == NULL)
		fail(primary);
	*slash = '\0';
	if (list != NULL)
		list[strcspn(list + 1, "\n") + 1] = '\0';
	for (char *word = primary; word != NULL; word = strtok(*count == 1 ? list + sizeof parameter : NULL, " ")) {
		entries = realloc(entries, (*count + 1) * sizeof *entries);
		if (entries == NULL)
			fail("memory");
		memset(&entries[*count], 0, sizeof *entries);
		entries[(*count)++].directory = word;
		if (list == NULL)
			break;
	}
	return entries;
}

/* list - what postmulti -l prints */
static void list(char *primary, size_t threads)
{
	char *text = NULL;
	size_t room = 0, count;
	struct work work[THREADS_MAX] = { 0 };
	pthread_t thread[THREADS_MAX];
	struct entry *entries;

	(void)slurp(primary, &text, &room);
	entries = entries_of(primary, text, &count);
	for (size_t i = 0; i < threads; i++)
		work[i] = (struct work){ .entries = entries, .count = count, .first = i, .step = threads };
	for (size_t i = 1; i < threads; i++)
		if (pthread_create(&thread[i], NULL, run, &work[i]) != 0)
			fail("thread");
	(void)run(&work[0]);
	for (size_t i = 1; i < threads; i++)
		(void)pthread_join(thread[i], NULL);
	for (size_t i = 0; i < count; i++)
		(void)printf("%-15s %-15s %-9s %s\n", entries[i].value[0][0] != '\0' ? entries[i].value[0] : "-",
			     entries[i].value[1][0] != '\0' ? entries[i].value[1] : "-",
			     strcmp(entries[i].value[2], "yes") == 0 ? "y" : "n", entries[i].directory);
	free(entries);
	free(text);
}

/* spawn - start a program again and again */
static void spawn(int times, char *program)
{
	char *const argv[] = { program, NULL };

	for (int i = 0; i < times; i++) {
		pid_t pid;
		int status;

		if (posix_spawn(&pid, program, NULL, NULL, argv, environ) != 0 || waitpid(pid, &status, 0) != pid ||
		    status != 0)
			fail(program);
	}
}

/* main - see the head */
int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";

	if (strcmp(what, "list") == 0 && (argc == 3 || argc == 4)) {
		long threads = argc == 4 ? strtol(argv[3], NULL, 10) : 1;

		list(argv[2], threads < 1 ? 1 : threads > THREADS_MAX ? THREADS_MAX : (size_t)threads);
	} else if (strcmp(what, "spawn") == 0 && argc == 4) {
		spawn((int)strtol(argv[2], NULL, 10), argv[3]);
	} else if (strcmp(what, "lua") == 0 && argc == 2) {
		lua_State *L = luaL_newstate();

		if (L == NULL)
			fail("memory");
		luaL_openlibs(L);
		lua_close(L);
	} else {
		(void)fputs("usage: see the head of tests/bench/floor.c\n", stderr);
		return EXIT_FAILURE;
	}
	return EXIT_SUCCESS;
}
