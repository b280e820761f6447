/*
 * process - run a program and wait for it
 *
 *      struct process_request request = { .argv = argv, .environment = environment, .out = PROCESS_CAPTURE };
 *      struct process_exit done;
 *      struct buffer out = BUFFER_INIT;
 *      if (process_run(&request, &done, &out, NULL, &fault) < 0) ...it was not started...
 *
 * No shell, except for a file that the kernel takes for no program: that is run
 * by /bin/sh, as execvp(3) does it. The program gets the descriptors 0, 1 and 2
 * and no others, an empty signal mask and default signal actions, but where
 * HUP, INT or QUIT are ignored they stay so (nohup(1), shell background jobs).
 *
 * Capture ends when the program has ended and its output is at its end. What
 * it leaves behind in the background with that output open is waited for no
 * longer than a second.
 *
 * Needs glibc 2.34 (posix_spawn_file_actions_addclosefrom_np).
 */
#ifndef POSTMULTI_PROCESS_H
#define POSTMULTI_PROCESS_H

#include <stdbool.h>
#include <stddef.h>

#include "buffer.h"
#include "fault.h"

enum { PROCESS_CAPTURE_LIMIT = 64 << 20 }; /* bytes kept of each stream */

enum process_stream {
	PROCESS_INHERIT,
	PROCESS_NULL,    /* /dev/null */
	PROCESS_CAPTURE, /* output only */
	PROCESS_STDOUT,  /* standard error only: where standard output goes */
};

struct process_request {
	const char *const *argv;        /* NULL-ended; argv[0] without a slash is looked up in PATH of `environment` */
	const char *const *environment; /* NULL-ended, "NAME=value" */
	const char *directory;          /* to run in; NULL: the present one */
	enum process_stream in, out, err;
	const char *input;              /* for its standard input, NULL: as `in` says */
	size_t input_size;
	double time_limit;              /* seconds, 0: none; TERM at its end, KILL 2 s later, to its process group */
};

struct process_exit {
	int status;     /* exit status, -1: killed by a signal */
	int signal;     /* that signal, 0: none */
	bool timed_out;
	bool truncated; /* there was more output than PROCESS_CAPTURE_LIMIT */
};

/*
 * process_run - run, wait, capture
 * `out` and `err` take captured output (NULL where nothing is captured). -1: it
 * could not be started (ENOENT, EACCES, E2BIG, EAGAIN and so on), or what it
 * said could not be read; either way no process is left unwaited for.
 */
int process_run(const struct process_request *request, struct process_exit *done, struct buffer *out,
		struct buffer *err, struct fault *fault);

#endif
