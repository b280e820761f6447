/*
 * process_fault - every system call of process_run() that can fail fails once
 *
 * A program with input, captured output, a directory and a time limit is run
 * with a table of system calls whose Nth call fails with a chosen errno, N from
 * 1 until a run meets no fault. After each run: no descriptor is left open, no
 * child is left unwaited for, a failure says why, and what is called a success
 * has the whole output and the true exit status.
 *
 *      make core
 *      cc -std=c11 -Isrc -Ibuild -o build/process_fault tests/fault/process_fault.c \
 *              src/{process,environment,beneath,sys,buffer,fault}.c
 *      build/process_fault         (prints "N faults, N bad", status 1 where bad)
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "process.h"
#include "sys.h"

static int countdown; /* calls until the fault, 0: no more */
static int error;     /* the errno of the fault */
static bool hit;      /* it was met */
static long faults, bad;

/* fault_due - is this the call that fails? */
static bool fault_due(void)
{
	if (countdown == 0 || --countdown > 0)
		return false;
	hit = true;
	errno = error;
	return true;
}

#define FAILING(result, name, parameters, arguments) \
	static result fail_##name parameters \
	{ \
		return fault_due() ? -1 : sys_real.name arguments; \
	}

FAILING(int, openat, (int d, const char *p, int f, mode_t m), (d, p, f, m))
FAILING(int, fstatat, (int d, const char *p, struct stat *st, int f), (d, p, st, f))
FAILING(int, pipe2, (int fds[2], int f), (fds, f))
FAILING(ssize_t, read, (int fd, void *data, size_t n), (fd, data, n))
FAILING(ssize_t, write, (int fd, const void *data, size_t n), (fd, data, n))
FAILING(int, poll, (struct pollfd *fds, nfds_t n, int t), (fds, n, t))
FAILING(pid_t, waitpid, (pid_t pid, int *status, int options), (pid, status, options))
FAILING(int, pidfd_open, (pid_t pid, unsigned flags), (pid, flags))

/* fail_close - on Linux the descriptor is gone even then */
static int fail_close(int fd)
{
	(void)sys_real.close(fd);
	return fault_due() ? -1 : 0;
}

/* fail_spawn - which returns its error */
static int fail_spawn(pid_t *pid, const char *path, const posix_spawn_file_actions_t *actions,
		      const posix_spawnattr_t *attributes, char *const argv[], char *const envp[])
{
	return fault_due() ? error : sys_real.spawn(pid, path, actions, attributes, argv, envp);
}

/* count_descriptors - those open now */
static int count_descriptors(void)
{
	int count = 0;

	for (int fd = 0; fd < 256; fd++)
		count += fcntl(fd, F_GETFD) >= 0;
	return count;
}

/* expect - one condition */
static void expect(bool good, const char *what, int nth, const struct fault *fault)
{
	if (good)
		return;
	bad++;
	(void)printf("call %d fails with %s: %s (%s)\n", nth, strerror(error), what, fault->text);
}

/* step - one run with one fault; false: the call is beyond the last one */
static bool step(int nth)
{
	static const char *const argv[] = { "sh", "-c", "cat; pwd; echo here >&2; exit 3", NULL };
	static const char *const environment[] = { "PATH=/nowhere:/bin:/usr/bin", NULL };
	const struct process_request request = {
		.argv = argv, .environment = environment, .directory = "/", .out = PROCESS_CAPTURE,
		.err = PROCESS_CAPTURE, .input = "input\n", .input_size = 6, .time_limit = 20,
	};
	struct buffer out = BUFFER_INIT, err = BUFFER_INIT;
	struct fault fault = { 0, "" };
	struct process_exit done;
	int result, before = count_descriptors();

	countdown = nth;
	hit = false;
	result = process_run(&request, &done, &out, &err, &fault);
	countdown = 0;
	if (hit) {
		faults++;
		expect(count_descriptors() == before, "descriptors left", nth, &fault);
		/* A waitpid(2) that failed for good is the one thing that leaves a child. */
		if (waitpid(-1, NULL, 0) > 0)
			expect(result < 0 && fault.number == error, "child left", nth, &fault);
		if (result < 0)
			expect(fault.number == error && fault.text[0] != '\0', "another errno", nth, &fault);
		else
			expect(done.status == 3 && !done.timed_out && strcmp(err.data, "here\n") == 0 &&
			       strcmp(out.data, "input\n/\n") == 0, "untrue success", nth, &fault);
	}
	buffer_free(&out);
	buffer_free(&err);
	return hit;
}

/* main - all errors */
int main(void)
{
	static const int errors[] = { EIO, EACCES, EPERM, EMFILE, ENOMEM, EINTR, EAGAIN, ENOSYS, ECHILD };
	struct sys failing = sys_real;

	failing.openat = fail_openat;
	failing.close = fail_close;
	failing.fstatat = fail_fstatat;
	failing.pipe2 = fail_pipe2;
	failing.read = fail_read;
	failing.write = fail_write;
	failing.poll = fail_poll;
	failing.waitpid = fail_waitpid;
	failing.pidfd_open = fail_pidfd_open;
	failing.spawn = fail_spawn;
	sys = &failing;
	for (size_t e = 0; e < sizeof errors / sizeof errors[0]; e++) {
		error = errors[e];
		for (int nth = 1; step(nth); nth++)
			;
	}
	(void)printf("%ld faults, %ld bad\n", faults, bad);
	return bad > 0;
}
