#define _GNU_SOURCE
#include "process.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "beneath.h"
#include "environment.h"
#include "interrupt.h"
#include "sys.h"

enum {
	KILL_AFTER = 2000,  /* ms from TERM to KILL */
	LINGER = 1000,      /* ms that output is read after the end of the program */
	LOOK_EVERY = 20,    /* ms, where there is nothing to wait on */
};

typedef long long milliseconds;

/* A pipe to or from the program: our end, its end. */
struct channel {
	int ours, theirs;
};

struct run {
	const struct process_request *request;
	struct process_exit *done;
	struct buffer *out, *err;
	struct channel input, output, error;
	int placeholder[3]; /* keep 0, 1, 2 from being handed out, where they are closed */
	int null, directory, pidfd;
	size_t written;
	pid_t pid;
	int trouble; /* errno of what went wrong with the output */
	bool ended;  /* waited for */
	bool grouped;     /* it has a process group of its own */
	bool interrupted; /* we were, and it was told */
	milliseconds ended_at, term_at, kill_at; /* -1: never */
};

static const struct channel no_channel = { -1, -1 };

/* close_fd - close and forget */
static void close_fd(int *fd)
{
	if (*fd >= 0)
		(void)sys->close(*fd);
	*fd = -1;
}

/* now - milliseconds of a clock that only goes forward */
static milliseconds now(void)
{
	struct timespec ts;

	if (sys->clock_gettime(CLOCK_MONOTONIC, &ts) < 0)
		return 0;
	return (milliseconds)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* open_null - /dev/null above the standard descriptors; -1 with errno */
static int open_null(struct run *run)
{
	for (int i = 0;; i++) {
		int fd = beneath_retry(AT_FDCWD, "/dev/null", O_RDWR);

		if (fd < 0)
			return -1;
		if (fd > STDERR_FILENO || i == 3) {
			run->null = fd;
			return 0;
		}
		run->placeholder[i] = fd;
	}
}

/* open_pipe - `ours` is the writing end for input, the reading end for output; -1 with errno */
static int open_pipe(struct channel *channel, bool to_program)
{
	int fds[2];

	if (sys->pipe2(fds, O_CLOEXEC) < 0)
		return -1;
	channel->ours = fds[to_program ? 1 : 0];
	channel->theirs = fds[to_program ? 0 : 1];
	return 0;
}

/* needs_null - does any stream go to /dev/null? */
static bool needs_null(const struct process_request *request)
{
	return (request->in == PROCESS_NULL && request->input == NULL) || request->out == PROCESS_NULL ||
	       request->err == PROCESS_NULL;
}

/* open_all - descriptors that the request asks for */
static int open_all(struct run *run, struct fault *fault)
{
	const struct process_request *request = run->request;

	if (open_null(run) < 0 && needs_null(request))
		return fault_errno(fault, "/dev/null");
	if (request->directory != NULL) {
		run->directory = beneath_retry(AT_FDCWD, request->directory, O_PATH | O_DIRECTORY);
		if (run->directory < 0)
			return fault_errno(fault, request->directory);
	}
	if ((request->input != NULL && open_pipe(&run->input, true) < 0) ||
	    (request->out == PROCESS_CAPTURE && open_pipe(&run->output, false) < 0) ||
	    (request->err == PROCESS_CAPTURE && open_pipe(&run->error, false) < 0))
		return fault_errno(fault, request->argv[0]);
	return 0;
}

/* close_theirs - the program has its own copies, or will not come */
static void close_theirs(struct run *run)
{
	close_fd(&run->input.theirs);
	close_fd(&run->output.theirs);
	close_fd(&run->error.theirs);
	close_fd(&run->null);
	close_fd(&run->directory);
	for (int i = 0; i < 3; i++)
		close_fd(&run->placeholder[i]);
}

/* close_ours - the ends of the pipes, and the rest */
static void close_ours(struct run *run)
{
	close_fd(&run->input.ours);
	close_fd(&run->output.ours);
	close_fd(&run->error.ours);
	close_fd(&run->pidfd);
}

/* redirect - one standard descriptor of the program; an errno */
static int redirect(posix_spawn_file_actions_t *actions, const struct run *run, enum process_stream stream, int pipe,
		    int fd)
{
	if (pipe >= 0)
		return posix_spawn_file_actions_adddup2(actions, pipe, fd);
	if (stream == PROCESS_NULL)
		return posix_spawn_file_actions_adddup2(actions, run->null, fd);
	if (stream == PROCESS_STDOUT)
		return posix_spawn_file_actions_adddup2(actions, STDOUT_FILENO, fd);
	return 0;
}

/* fill_actions - directory, then descriptors; an errno */
static int fill_actions(posix_spawn_file_actions_t *actions, const struct run *run)
{
	const struct process_request *request = run->request;
	int error = 0;

	if (run->directory >= 0)
		error = posix_spawn_file_actions_addfchdir_np(actions, run->directory);
	if (error == 0)
		error = redirect(actions, run, request->in, run->input.theirs, STDIN_FILENO);
	if (error == 0)
		error = redirect(actions, run, request->out, run->output.theirs, STDOUT_FILENO);
	if (error == 0)
		error = redirect(actions, run, request->err, run->error.theirs, STDERR_FILENO);
	if (error == 0)
		error = posix_spawn_file_actions_addclosefrom_np(actions, STDERR_FILENO + 1);
	return error;
}

/* fill_attributes - signals, and a process group where it must be killed as a whole; an errno */
static int fill_attributes(posix_spawnattr_t *attributes, const struct run *run)
{
	short flags = POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK;
	sigset_t defaults, none;
	int error;

	(void)sigfillset(&defaults);
	(void)sigdelset(&defaults, SIGHUP);
	(void)sigdelset(&defaults, SIGINT);
	(void)sigdelset(&defaults, SIGQUIT);
	(void)sigemptyset(&none);
	if (run->term_at >= 0) {
		flags |= POSIX_SPAWN_SETPGROUP;
		(void)posix_spawnattr_setpgroup(attributes, 0);
	}
	error = posix_spawnattr_setsigdefault(attributes, &defaults);
	if (error == 0)
		error = posix_spawnattr_setsigmask(attributes, &none);
	if (error == 0)
		error = posix_spawnattr_setflags(attributes, flags);
	return error;
}

/* How a program is started, for the attempts below. */
struct start {
	struct run *run;
	const posix_spawn_file_actions_t *actions;
	const posix_spawnattr_t *attributes;
};

/* spawn - posix_spawn(3), whose argument types lack a const; an errno */
static int spawn(const struct start *start, const char *path, const char *const *argv)
{
	union {
		const char *const *constant;
		char *const *plain;
	} arguments = { .constant = argv }, environment = { .constant = start->run->request->environment };

	return sys->spawn(&start->run->pid, path, start->actions, start->attributes, arguments.plain,
			  environment.plain);
}

/* spawn_script - a file without "#!", by the shell; an errno */
static int spawn_script(const struct start *start, const char *path)
{
	const char *const *argv = start->run->request->argv;
	struct buffer list = BUFFER_INIT;
	const char *shell = "/bin/sh";
	int error = ENOMEM;

	buffer_add(&list, &shell, sizeof shell);
	buffer_add(&list, &path, sizeof path);
	for (argv++; *argv != NULL; argv++)
		buffer_add(&list, argv, sizeof *argv);
	buffer_add(&list, argv, sizeof *argv);
	if (!buffer_failed(&list))
		error = spawn(start, shell, (const void *)list.data);
	buffer_free(&list);
	return error;
}

/* spawn_file - a path, as a program or a script; an errno */
static int spawn_file(const struct start *start, const char *path)
{
	int error = spawn(start, path, start->run->request->argv);

	return error == ENOEXEC ? spawn_script(start, path) : error;
}

/* is_there - spares a process for each directory of PATH that has not got the program */
static bool is_there(const struct run *run, const char *path)
{
	struct stat st;
	int dirfd = run->directory >= 0 ? run->directory : AT_FDCWD;

	return sys->fstatat(dirfd, path, &st, 0) == 0 || errno == EACCES;
}

/* spawn_found - look the program up in PATH as execvp(3) does; an errno */
static int spawn_found(const struct start *start, const char *name)
{
	const char *at = environment_get(start->run->request->environment, "PATH");
	int error = ENOENT;
	bool denied = false;

	if (*name == '\0')
		return ENOENT;
	if (at == NULL)
		at = "/bin:/usr/bin";
	for (;; at++) {
		size_t length = strcspn(at, ":");
		char path[PATH_MAX];

		/* An empty entry means the current directory. */
		if (snprintf(path, sizeof path, "%.*s%s%s", (int)length, at, length > 0 ? "/" : "./", name) <
		    (int)sizeof path && is_there(start->run, path)) {
			error = spawn_file(start, path);
			denied = denied || error == EACCES;
			if (error != EACCES && error != ENOENT && error != ENOTDIR && error != ESTALE &&
			    error != ENODEV && error != ETIMEDOUT)
				return error;
		}
		at += length;
		if (*at == '\0')
			return denied ? EACCES : ENOENT;
	}
}

/* start_program - an errno */
static int start_program(struct run *run)
{
	const char *name = run->request->argv[0];
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	struct start start = { run, &actions, &attributes };
	int error = posix_spawn_file_actions_init(&actions);

	if (error != 0)
		return error;
	error = posix_spawnattr_init(&attributes);
	if (error == 0) {
		error = fill_actions(&actions, run);
		if (error == 0)
			error = fill_attributes(&attributes, run);
		if (error == 0)
			error = strchr(name, '/') != NULL ? spawn_file(&start, name) : spawn_found(&start, name);
		(void)posix_spawnattr_destroy(&attributes);
	}
	(void)posix_spawn_file_actions_destroy(&actions);
	return error;
}

/* reap - wait for the program, or only look (WNOHANG) */
static void reap(struct run *run, int options)
{
	int status;
	pid_t got;

	do
		got = sys->waitpid(run->pid, &status, options);
	while (got < 0 && errno == EINTR);
	if (got == 0)
		return;
	run->ended = true;
	run->ended_at = now();
	close_fd(&run->input.ours);
	close_fd(&run->pidfd);
	if (got < 0) {
		run->trouble = errno;
		return;
	}
	run->done->status = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
	run->done->signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

/* take - read what there is; the end closes the descriptor */
static void take(struct run *run, int *fd, struct buffer *text)
{
	char block[65536];
	ssize_t got = sys->read(*fd, block, sizeof block);

	if (got < 0 && (errno == EINTR || errno == EAGAIN))
		return;
	if (got < 0)
		run->trouble = errno;
	if (got <= 0) {
		close_fd(fd);
		return;
	}
	if (text->length + (size_t)got > PROCESS_CAPTURE_LIMIT) {
		got = (ssize_t)(PROCESS_CAPTURE_LIMIT - text->length);
		run->done->truncated = true;
	}
	buffer_add(text, block, (size_t)got);
	if (buffer_failed(text))
		run->trouble = ENOMEM;
}

/* give - write as much as a pipe that is ready takes for certain */
static void give(struct run *run)
{
	size_t left = run->request->input_size - run->written;
	ssize_t put = 0;

	if (left > 0)
		put = sys->write(run->input.ours, run->request->input + run->written,
				 left < PIPE_BUF ? left : PIPE_BUF);
	if (put < 0 && (errno == EINTR || errno == EAGAIN))
		return;
	if (put > 0)
		run->written += (size_t)put;
	if (put < 0 && errno != EPIPE) /* a program need not read its input */
		run->trouble = errno;
	if (put < 0 || run->written == run->request->input_size)
		close_fd(&run->input.ours);
}

/* signal_group - to the program and what it started; one without a group that has ended has no number any more */
static int signal_group(const struct run *run, int signal)
{
	if (run->grouped)
		return sys->kill(-run->pid, signal);
	return run->ended ? -1 : sys->kill(run->pid, signal);
}

/* pass_interrupt - a signal that ends us ends the program, too: TERM now, KILL later, both once */
static void pass_interrupt(struct run *run)
{
	if (run->interrupted || run->ended || interrupt_pending() == 0)
		return;
	run->interrupted = true;
	run->term_at = -1;
	run->kill_at = now() + KILL_AFTER;
	(void)signal_group(run, SIGTERM);
}

/* enforce - the time limit: TERM, then KILL, both once */
static void enforce(struct run *run)
{
	milliseconds time = now();

	if (run->term_at >= 0 && time >= run->term_at && !run->ended) {
		run->done->timed_out = true;
		run->term_at = -1;
		run->kill_at = time + KILL_AFTER;
		(void)signal_group(run, SIGTERM);
	} else if (run->kill_at >= 0 && (time >= run->kill_at || (run->ended && signal_group(run, 0) < 0))) {
		run->kill_at = -1;
		(void)signal_group(run, SIGKILL);
	}
}

/* is_over - is there nothing left to wait for? */
static bool is_over(const struct run *run)
{
	if (!run->ended || run->kill_at >= 0)
		return false;
	return (run->output.ours < 0 && run->error.ours < 0) || now() - run->ended_at >= LINGER;
}

/* patience - milliseconds that poll(2) may wait, -1: for ever */
static int patience(const struct run *run)
{
	milliseconds until = -1, wait;

	if ((!run->ended && run->pidfd < 0) || (run->ended && run->kill_at >= 0))
		return LOOK_EVERY;
	if (run->kill_at >= 0)
		until = run->kill_at;
	else if (run->ended)
		until = run->ended_at + LINGER;
	else if (run->term_at >= 0)
		until = run->term_at;
	if (until < 0)
		return -1;
	wait = until - now();
	return wait < 0 ? 0 : wait > INT_MAX ? INT_MAX : (int)wait;
}

/* attend - one turn: wait for something, serve it; -1: poll(2) failed */
static int attend(struct run *run)
{
	struct pollfd fds[5] = {
		{ .fd = run->input.ours, .events = POLLOUT },
		{ .fd = run->output.ours, .events = POLLIN },
		{ .fd = run->error.ours, .events = POLLIN },
		{ .fd = run->pidfd, .events = POLLIN },
		{ .fd = run->interrupted || run->ended ? -1 : interrupt_fd(), .events = POLLIN },
	};
	int ready = sys->poll(fds, 5, patience(run));

	if (ready < 0)
		return errno == EINTR ? 0 : -1;
	if (fds[0].revents != 0)
		give(run);
	if (fds[1].revents != 0)
		take(run, &run->output.ours, run->out);
	if (fds[2].revents != 0)
		take(run, &run->error.ours, run->err);
	if (!run->ended && (fds[3].revents != 0 || run->pidfd < 0))
		reap(run, WNOHANG);
	pass_interrupt(run);
	enforce(run);
	return 0;
}

/* see_through - until the program has ended and its output is read */
static void see_through(struct run *run)
{
	bool attended = run->input.ours >= 0 || run->output.ours >= 0 || run->error.ours >= 0 || run->term_at >= 0 ||
			interrupt_fd() >= 0;

	if (attended)
		run->pidfd = sys->pidfd_open(run->pid, 0); /* close-on-exec; -1: looked at now and then instead */
	while (attended && !is_over(run)) {
		if (attend(run) < 0) {
			run->trouble = errno;
			close_ours(run);
			break;
		}
	}
	if (!run->ended)
		reap(run, 0);
}

/* limit_milliseconds - rounded up; a limit of many years is none */
static milliseconds limit_milliseconds(double seconds)
{
	return seconds > 1e12 ? (milliseconds)1e15 : (milliseconds)(seconds * 1000) + 1;
}

/* run_guarded - with the signal actions that the run needs */
static int run_guarded(struct run *run, struct fault *fault)
{
	const char *name = run->request->argv[0];
	int error;

	if (open_all(run, fault) < 0)
		return -1;
	if (run->request->time_limit > 0)
		run->term_at = now() + limit_milliseconds(run->request->time_limit);
	run->grouped = run->term_at >= 0;
	error = start_program(run);
	close_theirs(run);
	if (error != 0)
		return fault_set(fault, error, "%s: %s", name, strerror(error));
	see_through(run);
	if (run->trouble != 0)
		return fault_set(fault, run->trouble, "%s: it was run, but its end or its output is not known: %s",
				 name, strerror(run->trouble));
	return 0;
}

/* process_run - the caller's signal actions are put back */
int process_run(const struct process_request *request, struct process_exit *done, struct buffer *out,
		struct buffer *err, struct fault *fault)
{
	const struct sigaction ignore = { .sa_handler = SIG_IGN };
	struct sigaction pipe_action, child_action;
	struct run run = {
		.request = request, .done = done, .out = out, .err = err,
		.input = no_channel, .output = no_channel, .error = no_channel,
		.placeholder = { -1, -1, -1 }, .null = -1, .directory = -1, .pidfd = -1,
		.pid = -1, .ended_at = -1, .term_at = -1, .kill_at = -1,
	};
	int result;

	*done = (struct process_exit){ .status = -1 };
	/* Without a reader a write must fail, not kill; where SIGCHLD is ignored the status of a child is lost. */
	(void)sigaction(SIGPIPE, &ignore, &pipe_action);
	(void)sigaction(SIGCHLD, NULL, &child_action);
	if (child_action.sa_handler == SIG_IGN)
		(void)signal(SIGCHLD, SIG_DFL);
	result = run_guarded(&run, fault);
	close_theirs(&run);
	close_ours(&run);
	(void)sigaction(SIGPIPE, &pipe_action, NULL);
	if (child_action.sa_handler == SIG_IGN)
		(void)sigaction(SIGCHLD, &child_action, NULL);
	return result;
}
