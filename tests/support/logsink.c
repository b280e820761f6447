/*
 * logsink - a syslog daemon that only writes down what arrives
 *
 *	logsink SOCKET FILE
 *
 * Binds SOCKET (normally /dev/log), then goes to the background; when the
 * command returns, records are being taken. Each one becomes a line of FILE as
 * it came: <PRIORITY>DATE TAG[PID]: TEXT, unprintable bytes replaced by '?'.
 *
 * A record that is exactly "sync" is not written: the sender gets "done" back
 * once everything sent before it is in FILE. See ptyrun.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

/* die - the one way to fail */
static void die(const char *what)
{
	fprintf(stderr, "logsink: %s: %s\n", what, strerror(errno));
	exit(1);
}

/* socket_bind - a datagram socket that anybody may write to */
static int socket_bind(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_DGRAM, 0);

	if (fd < 0 || strlen(path) >= sizeof address.sun_path)
		die(path);
	strcpy(address.sun_path, path);
	unlink(path);
	if (bind(fd, (struct sockaddr *) &address, sizeof address) < 0 || chmod(path, 0666) < 0)
		die(path);
	return fd;
}

/* record_write - one record as one printable line */
static void record_write(int file, char *record, ssize_t length)
{
	while (length > 0 && (record[length - 1] == '\n' || record[length - 1] == '\0'))
		length--;
	for (ssize_t i = 0; i < length; i++)
		if ((unsigned char) record[i] < ' ' || record[i] == 0x7f)
			record[i] = '?';
	record[length++] = '\n';
	if (write(file, record, (size_t) length) != length)
		_exit(1);
}

/* serve - take records until killed */
static void serve(int fd, int file)
{
	static char record[65536];

	for (;;) {
		struct sockaddr_un from;
		socklen_t from_size = sizeof from;
		ssize_t length = recvfrom(fd, record, sizeof record - 1, 0, (struct sockaddr *) &from, &from_size);

		if (length < 0 && errno != EINTR)
			_exit(1);
		if (length == 4 && memcmp(record, "sync", 4) == 0)
			sendto(fd, "done", 4, 0, (struct sockaddr *) &from, from_size);
		else if (length > 0)
			record_write(file, record, length);
	}
}

int main(int argc, char **argv)
{
	if (argc != 3) {
		fprintf(stderr, "usage: logsink SOCKET FILE\n");
		return 2;
	}
	int fd = socket_bind(argv[1]);
	int file = open(argv[2], O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
	int null = open("/dev/null", O_RDWR);

	if (file < 0 || null < 0)
		die(argv[2]);
	pid_t child = fork();
	if (child < 0)
		die("fork");
	if (child > 0)
		return 0;
	setsid();
	dup2(null, 0);
	dup2(null, 1);
	dup2(null, 2);
	serve(fd, file);
}
