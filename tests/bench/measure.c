/*
 * measure - run commands in turn, again and again, and tell their times
 *
 *      measure [-n RUNS] [-c] [-r] [-p PREPARE] COMMAND [WORD...] [-- COMMAND [WORD...]]...
 *
 *      -n RUNS     of each command, default 11
 *      -c          before each run: write back, and drop the system's caches (root)
 *      -r          with real-time priority: other work on the machine waits (root)
 *      -p PREPARE  before each run: this shell command, which is not timed
 *
 * In turn, so that a busy machine is busy for all of them. Output of the
 * commands goes to /dev/null. For each one line: median, least and greatest
 * time in milliseconds, the greatest memory in KB, and how many runs failed.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <sched.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

#define COMMANDS_MAX 16
#define RUNS_MAX 1000

struct command {
	char **argv;
	double ms[RUNS_MAX];
	long memory;
	int failed;
};

static struct command commands[COMMANDS_MAX];

/* fail - leave, with a reason */
static void fail(const char *what)
{
	perror(what);
	exit(EXIT_FAILURE);
}

/* drop_caches - what is on disk only from now on */
static void drop_caches(void)
{
	int fd;

	sync();
	fd = open("/proc/sys/vm/drop_caches", O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, "3", 1) != 1)
		fail("/proc/sys/vm/drop_caches");
	(void)close(fd);
}

/* hurry - get real-time priority; commands inherit it */
static void hurry(void)
{
	const struct sched_param priority = { .sched_priority = sched_get_priority_min(SCHED_FIFO) };

	if (sched_setscheduler(0, SCHED_FIFO, &priority) < 0)
		fail("real-time priority");
}

/* now_ms - a clock */
static double now_ms(void)
{
	struct timespec now;

	if (clock_gettime(CLOCK_MONOTONIC, &now) < 0)
		fail("clock");
	return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

/* run_once - one timed run */
static void run_once(struct command *command, int run, posix_spawn_file_actions_t *actions)
{
	struct rusage usage;
	double start = now_ms();
	int status;
	pid_t pid;

	if (posix_spawnp(&pid, command->argv[0], actions, NULL, command->argv, environ) != 0)
		fail(command->argv[0]);
	if (wait4(pid, &status, 0, &usage) != pid)
		fail("wait");
	command->ms[run] = now_ms() - start;
	command->failed += status != 0;
	if (usage.ru_maxrss > command->memory)
		command->memory = usage.ru_maxrss;
}

/* compare - two times, for qsort */
static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* split - the commands of the command line; how many */
static int split(char **words)
{
	int count = 0;

	while (*words != NULL && count < COMMANDS_MAX) {
		commands[count++].argv = words;
		while (*words != NULL && strcmp(*words, "--") != 0)
			words++;
		if (*words != NULL)
			*words++ = NULL;
	}
	return count;
}

/* main - see the head */
int main(int argc, char **argv)
{
	posix_spawn_file_actions_t actions;
	const char *prepare = NULL;
	bool cold = false;
	int runs = 11, count, option;

	while ((option = getopt(argc, argv, "+n:crp:")) >= 0) {
		if (option == 'n')
			runs = (int)strtol(optarg, NULL, 10);
		else if (option == 'c')
			cold = true;
		else if (option == 'r')
			hurry();
		else if (option == 'p')
			prepare = optarg;
		else
			return EXIT_FAILURE;
	}
	if (runs < 1 || runs > RUNS_MAX)
		runs = RUNS_MAX;
	count = split(argv + optind);
	if (posix_spawn_file_actions_init(&actions) != 0 ||
	    posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0) != 0 ||
	    posix_spawn_file_actions_adddup2(&actions, STDOUT_FILENO, STDERR_FILENO) != 0)
		fail("memory");
	for (int run = 0; run < runs; run++) {
		for (int i = 0; i < count; i++) {
			if (prepare != NULL && system(prepare) != 0) /* NOLINT(bugprone-command-processor,cert-env33-c) */
				fail(prepare);
			if (cold)
				drop_caches();
			run_once(&commands[i], run, &actions);
		}
	}
	for (int i = 0; i < count; i++) {
		struct command *command = &commands[i];

		qsort(command->ms, (size_t)runs, sizeof *command->ms, compare);
		(void)printf("%.3f %.3f %.3f %ld %d\n", command->ms[runs / 2], command->ms[0], command->ms[runs - 1],
			     command->memory, command->failed);
	}
	(void)posix_spawn_file_actions_destroy(&actions);
	return EXIT_SUCCESS;
}
