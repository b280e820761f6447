/*
 * serve - offer a disk as a file, by FUSE
 *
 * The file system is one file, mounted on a file: what is written there and
 * each fsync(2) arrive at the disk at once, as nothing is cached on the way. A
 * loop device on that file turns flushes of the block layer into fsync(2).
 * The protocol is the kernel's, <linux/fuse.h>; no library is needed.
 */
#ifndef POWER_SERVE_H
#define POWER_SERVE_H

#include <sys/types.h>

#include "disk.h"

/*
 * serve_start - mount DISK on the file at PATH, served by a new process, whose
 * number is returned; -1 with errno. DEVICE is the path of /dev/fuse. The
 * process ends when PATH is unmounted, or with its parent: it must be another
 * one than those that use the file, since the kernel lets them wait for it.
 */
pid_t serve_start(struct disk *disk, const char *device, const char *path);

#endif
