#define _GNU_SOURCE
#include "serve.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fuse.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#define MAX_PAGES 256u
#define MAX_WRITE (MAX_PAGES * 4096u)
#define BUFFER (MAX_WRITE + 65536u)
#define HOUR 3600u

struct server {
	struct disk *disk;
	int fd;
	unsigned char request[BUFFER], data[MAX_WRITE];
};

/* What answers a request: its body, or an errno. */
struct answer {
	int error;
	const void *body;
	size_t length;
};

static void reply(const struct server *server, uint64_t unique, const struct answer *answer)
{
	struct fuse_out_header header = {
		.len = (uint32_t)(sizeof header + answer->length), .error = -answer->error, .unique = unique,
	};
	struct iovec parts[2] = {
		{ &header, sizeof header },
		{ (void *)(uintptr_t)answer->body, answer->length },
	};

	/* ENOENT: the request was interrupted meanwhile */
	if (writev(server->fd, parts, answer->length > 0 ? 2 : 1) < 0 && errno != ENOENT)
		abort();
}

static struct answer answer_init(const struct fuse_init_in *in)
{
	static struct fuse_init_out out;

	out = (struct fuse_init_out){
		.major = FUSE_KERNEL_VERSION,
		.minor = in->minor < FUSE_KERNEL_MINOR_VERSION ? in->minor : FUSE_KERNEL_MINOR_VERSION,
		.flags = in->flags & (FUSE_BIG_WRITES | FUSE_MAX_PAGES),
		.max_write = MAX_WRITE,
		.max_pages = MAX_PAGES,
	};
	return (struct answer){ 0, &out, sizeof out };
}

static struct answer answer_getattr(const struct disk *disk)
{
	static struct fuse_attr_out out;

	out = (struct fuse_attr_out){
		.attr_valid = HOUR,
		.attr = { .ino = FUSE_ROOT_ID, .size = disk->size, .blocks = disk->size / 512, .mode = S_IFREG | 0600,
			  .nlink = 1, .blksize = 4096 },
	};
	return (struct answer){ 0, &out, sizeof out };
}

static struct answer answer_open(void)
{
	static const struct fuse_open_out out = { .open_flags = FOPEN_DIRECT_IO };

	return (struct answer){ 0, &out, sizeof out };
}

static struct answer answer_read(struct server *server, const struct fuse_read_in *in)
{
	size_t size = server->disk->size, length = in->size;

	if (in->offset >= size)
		return (struct answer){ 0, NULL, 0 };
	if (length > size - in->offset)
		length = size - in->offset;
	if (length > sizeof server->data)
		return (struct answer){ EINVAL, NULL, 0 };
	disk_read(server->disk, in->offset, length, server->data);
	return (struct answer){ 0, server->data, length };
}

static struct answer answer_write(struct disk *disk, const struct fuse_write_in *in)
{
	static struct fuse_write_out out;

	if (in->offset > disk->size || in->size > disk->size - in->offset)
		return (struct answer){ ENOSPC, NULL, 0 };
	disk_write(disk, in->offset, in->size, in + 1);
	out = (struct fuse_write_out){ .size = in->size };
	return (struct answer){ 0, &out, sizeof out };
}

/* answer - do what a request asks; 1: there is an answer to send */
static int answer(struct server *server, const struct fuse_in_header *header, struct answer *result)
{
	const void *in = header + 1;

	*result = (struct answer){ 0, NULL, 0 };
	switch (header->opcode) {
	case FUSE_INIT:
		*result = answer_init(in);
		break;
	case FUSE_GETATTR:
		*result = answer_getattr(server->disk);
		break;
	case FUSE_OPEN:
		*result = answer_open();
		break;
	case FUSE_READ:
		*result = answer_read(server, in);
		break;
	case FUSE_WRITE:
		*result = answer_write(server->disk, in);
		break;
	case FUSE_FSYNC:
		disk_flush(server->disk);
		break;
	case FUSE_FLUSH: /* a descriptor is closed: no fsync */
	case FUSE_RELEASE:
	case FUSE_DESTROY:
		break;
	case FUSE_FORGET:
	case FUSE_BATCH_FORGET:
	case FUSE_INTERRUPT:
		return 0;
	default: /* FUSE_FALLOCATE among them: the loop device cannot discard, and writes zeros itself */
		result->error = ENOSYS;
	}
	return 1;
}

/* serve - until the file is unmounted */
static void serve(struct server *server)
{
	struct fuse_in_header header;
	struct answer result;

	for (;;) {
		ssize_t got = read(server->fd, server->request, sizeof server->request);

		if (got < 0 && (errno == EINTR || errno == EAGAIN || errno == ENOENT))
			continue;
		if (got < (ssize_t)sizeof header)
			return;
		memcpy(&header, server->request, sizeof header);
		if (answer(server, (const struct fuse_in_header *)(const void *)server->request, &result))
			reply(server, header.unique, &result);
	}
}

pid_t serve_start(struct disk *disk, const char *device, const char *path)
{
	static struct server server;
	char options[96];
	int saved;
	pid_t pid, parent = getpid();

	server.disk = disk;
	server.fd = open(device, O_RDWR | O_CLOEXEC);
	if (server.fd < 0)
		return -1;
	(void)snprintf(options, sizeof options, "fd=%d,rootmode=100600,user_id=0,group_id=0", server.fd);
	if (mount("power", path, "fuse", MS_NOSUID | MS_NODEV, options) < 0) {
		saved = errno;
		(void)close(server.fd);
		errno = saved;
		return -1;
	}
	pid = fork();
	if (pid == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		/*
		 * Mounts of its own: who is the last to leave a mount namespace unmounts what is in it, and waits for
		 * that. It would wait for itself when a file system on this disk were among that.
		 */
		if (unshare(CLONE_NEWNS) == 0 && getppid() == parent)
			serve(&server);
		_exit(0);
	}
	saved = errno;
	(void)close(server.fd);
	errno = saved;
	return pid;
}
