/*
 * power - Lua module: one disk in memory, a loop device on it, mounts
 *
 *	power.start(size, directory)       the disk; its files are made in DIRECTORY; returns the loop device's path
 *	power.record() power.stop()        see disk.h
 *	power.mark(number)
 *	power.log()                        list of { "write", offset, length }, { "flush" }, { "mark", number }
 *	power.revert()
 *	power.apply(index [, from, length])     index counts from 1
 *	power.hash()
 *	power.mount(source, target, type, flags, options) power.unmount(target)
 *
 * What the system refuses returns nil, a message and errno. flags: a sum of
 * power.bind and power.noatime. The loop device is gone, whatever ends this
 * process, when no file system on it is mounted any more.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <lauxlib.h>
#include <linux/fs.h>
#include <linux/loop.h>
#include <lua.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "disk.h"
#include "serve.h"

#define FUSE_DEVICE makedev(10, 229)
#define LOOP_CONTROL makedev(10, 237)
#define LOOP_MAJOR 7
#define ATTEMPTS 100 /* another process may take the free loop device before us */

static struct disk disk;
static int loop_fd = -1;

/* push_failure - nil, "WHAT: reason", errno */
static int push_failure(lua_State *L, const char *what)
{
	int saved = errno;

	lua_pushnil(L);
	lua_pushfstring(L, "%s: %s", what, strerror(saved));
	lua_pushinteger(L, saved);
	return 3;
}

/* push_result - true, or the failure */
static int push_result(lua_State *L, int result, const char *what)
{
	if (result < 0)
		return push_failure(L, what);
	lua_pushboolean(L, 1);
	return 1;
}

/* node - a device node of our own, as /dev may have none */
static int node(char *path, size_t size, const char *directory, const char *name, mode_t kind, dev_t device)
{
	(void)snprintf(path, size, "%s/%s", directory, name);
	return mknod(path, kind | 0600, device) < 0 && errno != EEXIST ? -1 : 0;
}

/* configure - a free loop device for the file FD, detached when nobody uses it any more; its descriptor, or -1 */
static int configure(const char *directory, int control, int fd, char *path, size_t size)
{
	struct loop_config config = { .fd = (unsigned)fd, .info = { .lo_flags = LO_FLAGS_AUTOCLEAR } };
	char name[32];
	int saved, loop, number = ioctl(control, LOOP_CTL_GET_FREE);

	if (number < 0)
		return -1;
	(void)snprintf(name, sizeof name, "loop%d", number);
	if (node(path, size, directory, name, S_IFBLK, makedev(LOOP_MAJOR, number)) < 0)
		return -1;
	loop = open(path, O_RDWR | O_CLOEXEC);
	if (loop < 0 || ioctl(loop, LOOP_CONFIGURE, &config) == 0)
		return loop;
	saved = errno;
	(void)close(loop);
	errno = saved;
	return -1;
}

/* attach - a loop device on the file at PATH; its descriptor, or -1 */
static int attach(const char *directory, const char *path, char *device, size_t size)
{
	int saved, fd, control, loop = -1;

	if (node(device, size, directory, "loop-control", S_IFCHR, LOOP_CONTROL) < 0)
		return -1;
	control = open(device, O_RDWR | O_CLOEXEC);
	if (control < 0)
		return -1;
	fd = open(path, O_RDWR | O_CLOEXEC);
	for (int i = 0; fd >= 0 && loop < 0 && i < ATTEMPTS; i++) {
		loop = configure(directory, control, fd, device, size);
		if (loop < 0 && errno != EBUSY)
			break;
	}
	saved = errno;
	(void)close(fd);
	(void)close(control);
	errno = saved;
	return loop;
}

static int power_start(lua_State *L)
{
	lua_Integer size = luaL_checkinteger(L, 1);
	const char *directory = luaL_checkstring(L, 2);
	char path[4096], device[4096];
	int fd;

	luaL_argcheck(L, size > 0 && size % 4096 == 0, 1, "a multiple of 4096 expected");
	if (loop_fd >= 0)
		return luaL_error(L, "the disk was started already");
	if (disk_make(&disk, (size_t)size) < 0)
		return push_failure(L, "memory");
	if (node(device, sizeof device, directory, "fuse", S_IFCHR, FUSE_DEVICE) < 0)
		return push_failure(L, device);
	(void)snprintf(path, sizeof path, "%s/disk", directory);
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0)
		return push_failure(L, path);
	(void)close(fd);
	if (serve_start(&disk, device, path) < 0)
		return push_failure(L, "FUSE");
	loop_fd = attach(directory, path, device, sizeof device);
	if (loop_fd < 0)
		return push_failure(L, "loop device");
	lua_pushstring(L, device);
	return 1;
}

/* The disk of the running process; using it before it is there is a bug of the script. */
static struct disk *check_disk(lua_State *L)
{
	if (loop_fd < 0)
		(void)luaL_error(L, "there is no disk yet");
	return &disk;
}

/* forget - what the kernel remembers of the loop device; nothing on it is mounted now */
static int forget(void)
{
	return ioctl(loop_fd, BLKFLSBUF, 0);
}

static int power_record(lua_State *L)
{
	disk_record(check_disk(L));
	return 0;
}

static int power_stop(lua_State *L)
{
	disk_stop(check_disk(L));
	return 0;
}

static int power_mark(lua_State *L)
{
	disk_mark(check_disk(L), (size_t)luaL_checkinteger(L, 1));
	return 0;
}

/* push_entry - one entry of the log as a table */
static void push_entry(lua_State *L, struct disk_entry entry)
{
	static const char *const names[] = { [DISK_WRITE] = "write", [DISK_FLUSH] = "flush", [DISK_MARK] = "mark" };

	lua_createtable(L, 3, 0);
	lua_pushstring(L, names[entry.kind]);
	lua_rawseti(L, -2, 1);
	if (entry.kind == DISK_FLUSH)
		return;
	lua_pushinteger(L, (lua_Integer)(entry.kind == DISK_MARK ? entry.data : entry.offset));
	lua_rawseti(L, -2, 2);
	lua_pushinteger(L, (lua_Integer)entry.length);
	lua_rawseti(L, -2, 3);
}

static int power_log(lua_State *L)
{
	size_t count = disk_count(check_disk(L));

	lua_createtable(L, (int)count, 0);
	for (size_t i = 0; i < count; i++) {
		push_entry(L, disk_entry(&disk, i));
		lua_rawseti(L, -2, (lua_Integer)i + 1);
	}
	return 1;
}

static int power_revert(lua_State *L)
{
	disk_revert(check_disk(L));
	return push_result(L, forget(), "loop device");
}

static int power_apply(lua_State *L)
{
	lua_Integer index = luaL_checkinteger(L, 1), from = luaL_optinteger(L, 2, 0), length;
	struct disk_entry entry;

	luaL_argcheck(L, index >= 1 && (size_t)index <= disk_count(check_disk(L)), 1, "no such entry");
	entry = disk_entry(&disk, (size_t)index - 1);
	luaL_argcheck(L, entry.kind == DISK_WRITE, 1, "not a write");
	luaL_argcheck(L, from >= 0 && (size_t)from <= entry.length, 2, "outside of the write");
	length = luaL_optinteger(L, 3, (lua_Integer)entry.length - from);
	luaL_argcheck(L, length >= 0 && (size_t)length <= entry.length - (size_t)from, 3, "outside of the write");
	disk_apply(&disk, (size_t)index - 1, (size_t)from, (size_t)length);
	return 0;
}

static int power_hash(lua_State *L)
{
	lua_pushinteger(L, (lua_Integer)disk_hash(check_disk(L)));
	return 1;
}

static int power_mount(lua_State *L)
{
	const char *target = luaL_checkstring(L, 2);

	return push_result(L, mount(luaL_checkstring(L, 1), target, luaL_optstring(L, 3, NULL),
				    (unsigned long)luaL_optinteger(L, 4, 0), luaL_optstring(L, 5, NULL)), target);
}

static int power_unmount(lua_State *L)
{
	const char *target = luaL_checkstring(L, 1);

	return push_result(L, umount2(target, UMOUNT_NOFOLLOW), target);
}

static const luaL_Reg functions[] = {
	{ "apply", power_apply },
	{ "hash", power_hash },
	{ "log", power_log },
	{ "mark", power_mark },
	{ "mount", power_mount },
	{ "record", power_record },
	{ "revert", power_revert },
	{ "start", power_start },
	{ "stop", power_stop },
	{ "unmount", power_unmount },
	{ NULL, NULL },
};

int luaopen_power(lua_State *L);

__attribute__((visibility("default"))) int luaopen_power(lua_State *L)
{
	luaL_newlib(L, functions);
	lua_pushinteger(L, MS_BIND);
	lua_setfield(L, -2, "bind");
	lua_pushinteger(L, MS_NOATIME);
	lua_setfield(L, -2, "noatime");
	return 1;
}
