/*
 * ptyrun - run a command whose standard error is a terminal
 *
 *	ptyrun [-i INPUT] [-o OUTPUT] [-e ERRORS] [-t SECONDS] [-s SOCKET] COMMAND [ARG...]
 *
 * Some programs print errors only to a terminal. Here standard error is a
 * pseudo-terminal (raw: no bytes are changed) and what is written to it is
 * copied to ERRORS, default: our own standard error. Standard input is INPUT,
 * default /dev/null; standard output OUTPUT, default ours. The command runs in
 * a session of its own. With -t it is killed after SECONDS.
 *
 * With -s, wait at the end until the logsink at SOCKET has written down all
 * that was logged.
 *
 * Exit status: the command's; 128+N when signal N ended it; 124 when its time
 * was up; 126 or 127 when it could not be run; 125 for trouble of our own.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

/* die - the one way to fail */
static void die(const char *what)
{
	fprintf(stderr, "ptyrun: %s: %s\n", what, strerror(errno));
	exit(125);
}

/* file_open - open or end */
static int file_open(const char *path, int flags)
{
	int fd = open(path, flags | O_CLOEXEC, 0644);

	if (fd < 0)
		die(path);
	return fd;
}

/* terminal_open - both ends of a pseudo-terminal that changes no byte */
static void terminal_open(int *master, int *slave)
{
	struct termios mode;

	*master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (*master < 0 || grantpt(*master) < 0 || unlockpt(*master) < 0)
		die("pseudo-terminal");
	*slave = file_open(ptsname(*master), O_RDWR | O_NOCTTY);
	if (tcgetattr(*slave, &mode) < 0)
		die("terminal mode");
	cfmakeraw(&mode);
	if (tcsetattr(*slave, TCSANOW, &mode) < 0)
		die("terminal mode");
}

/* terminal_copy - what has been written so far; returns 0 when there was nothing */
static int terminal_copy(int master, int errors)
{
	char chunk[4096];
	ssize_t length = read(master, chunk, sizeof chunk);

	if (length <= 0)
		return 0;
	if (write(errors, chunk, (size_t) length) != length)
		die("copy of standard error");
	return 1;
}

/* command_start - the child: streams in place, signals as they were, then COMMAND */
static pid_t command_start(char **argv, int input, int output, int slave, const sigset_t *mask)
{
	pid_t child = fork();

	if (child != 0)
		return child;
	setsid();
	if (dup2(input, 0) < 0 || dup2(output, 1) < 0 || dup2(slave, 2) < 0)
		_exit(125);
	sigprocmask(SIG_SETMASK, mask, NULL);
	execvp(argv[0], argv);
	dprintf(2, "ptyrun: %s: %s\n", argv[0], strerror(errno));
	_exit(errno == ENOENT ? 127 : 126);
}

/* command_wait - copy until the child has ended; its exit status */
static int command_wait(pid_t child, int master, int errors, int signals, int seconds)
{
	struct pollfd watch[2] = { { .fd = signals, .events = POLLIN }, { .fd = master, .events = POLLIN } };
	time_t end = time(NULL) + seconds;
	int status, expired = 0;

	while (waitpid(child, &status, WNOHANG) == 0) {
		struct signalfd_siginfo info;

		if (seconds > 0 && !expired && time(NULL) >= end) {
			kill(-child, SIGKILL);
			expired = 1;
		}
		if (poll(watch, 2, 200) < 0 && errno != EINTR)
			die("poll");
		if (watch[0].revents && read(signals, &info, sizeof info) < 0 && errno != EAGAIN)
			die("signal");
		if (watch[1].revents)
			terminal_copy(master, errors);
	}
	while (terminal_copy(master, errors))
		;
	if (expired)
		return 124;
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

/* log_settle - wait until all log records have been written down */
static void log_settle(const char *path)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX }, me = { .sun_family = AF_UNIX };
	struct timeval limit = { .tv_sec = 5 };
	char answer[8];
	int fd = socket(AF_UNIX, SOCK_DGRAM, 0);

	strncpy(to.sun_path, path, sizeof to.sun_path - 1);
	/* the family alone asks for a name from the abstract name space */
	if (fd < 0 || bind(fd, (struct sockaddr *) &me, sizeof(sa_family_t)) < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit) < 0 ||
	    sendto(fd, "sync", 4, 0, (struct sockaddr *) &to, sizeof to) < 0 ||
	    recv(fd, answer, sizeof answer, 0) != 4)
		die(path);
	close(fd);
}

int main(int argc, char **argv)
{
	int input = -1, output = 1, errors = 2, seconds = 0, option, master, slave;
	const char *log = NULL;
	sigset_t children, mask;

	while ((option = getopt(argc, argv, "+i:o:e:t:s:")) != -1)
		switch (option) {
		case 'i': input = file_open(optarg, O_RDONLY); break;
		case 'o': output = file_open(optarg, O_WRONLY | O_CREAT | O_TRUNC); break;
		case 'e': errors = file_open(optarg, O_WRONLY | O_CREAT | O_TRUNC); break;
		case 't': seconds = atoi(optarg); break;
		case 's': log = optarg; break;
		default: return 125;
		}
	if (optind >= argc) {
		fprintf(stderr, "usage: ptyrun [-i INPUT] [-o OUTPUT] [-e ERRORS] [-t SECONDS] [-s SOCKET] COMMAND [ARG...]\n");
		return 125;
	}
	if (input < 0)
		input = file_open("/dev/null", O_RDONLY);
	terminal_open(&master, &slave);
	if (fcntl(master, F_SETFL, O_NONBLOCK) < 0)
		die("pseudo-terminal");
	sigemptyset(&children);
	sigaddset(&children, SIGCHLD);
	sigprocmask(SIG_BLOCK, &children, &mask);
	int signals = signalfd(-1, &children, SFD_CLOEXEC | SFD_NONBLOCK);
	pid_t child = command_start(argv + optind, input, output, slave, &mask);

	if (signals < 0 || child < 0)
		die("start");
	int status = command_wait(child, master, errors, signals, seconds);
	if (log)
		log_settle(log);
	return status;
}
