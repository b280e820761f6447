#define _GNU_SOURCE
#include "disk.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define BLOCK 4096
#define MAX_ENTRIES ((size_t)1 << 18)
#define MAX_DATA ((size_t)1 << 30) /* memory is taken as it is used */

struct disk_shared {
	pthread_mutex_t lock;
	bool is_recording;
	size_t count, used;  /* of entries, of data */
	size_t dirty_count;  /* blocks that may differ from the base */
	struct disk_entry entries[MAX_ENTRIES];
	unsigned char data[MAX_DATA];
	unsigned char memory[]; /* image, base, numbers of dirty blocks, a flag for each block */
};

static unsigned char *image(const struct disk *disk)
{
	return disk->shared->memory;
}

static unsigned char *base(const struct disk *disk)
{
	return image(disk) + disk->size;
}

static uint32_t *dirty(const struct disk *disk)
{
	return (uint32_t *)(void *)(base(disk) + disk->size);
}

static unsigned char *is_dirty(const struct disk *disk)
{
	return (unsigned char *)(dirty(disk) + disk->size / BLOCK);
}

static void lock(struct disk *disk)
{
	if (pthread_mutex_lock(&disk->shared->lock) != 0)
		abort();
}

static void unlock(struct disk *disk)
{
	if (pthread_mutex_unlock(&disk->shared->lock) != 0)
		abort();
}

int disk_make(struct disk *disk, size_t size)
{
	size_t blocks = size / BLOCK;
	pthread_mutexattr_t attributes;

	if (size == 0 || size % BLOCK != 0) {
		errno = EINVAL;
		return -1;
	}
	disk->size = size;
	disk->shared = mmap(NULL, sizeof *disk->shared + 2 * size + blocks * (sizeof(uint32_t) + 1),
			    PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (disk->shared == MAP_FAILED)
		return -1;
	if (pthread_mutexattr_init(&attributes) != 0 ||
	    pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED) != 0 ||
	    pthread_mutex_init(&disk->shared->lock, &attributes) != 0)
		abort();
	return 0;
}

static void require_inside(const struct disk *disk, size_t offset, size_t length)
{
	if (offset > disk->size || length > disk->size - offset)
		abort();
}

/* put - change the image */
static void put(struct disk *disk, size_t offset, size_t length, const void *from)
{
	require_inside(disk, offset, length);
	if (length == 0)
		return;
	memcpy(image(disk) + offset, from, length);
	for (size_t block = offset / BLOCK; block <= (offset + length - 1) / BLOCK; block++)
		if (!is_dirty(disk)[block]) {
			is_dirty(disk)[block] = 1;
			dirty(disk)[disk->shared->dirty_count++] = (uint32_t)block;
		}
}

/* note - one more entry in the log, if it is being written */
static void note(struct disk *disk, struct disk_entry entry)
{
	struct disk_shared *shared = disk->shared;

	if (!shared->is_recording)
		return;
	if (shared->count == MAX_ENTRIES)
		abort();
	shared->entries[shared->count++] = entry;
}

void disk_read(struct disk *disk, size_t offset, size_t length, void *to)
{
	lock(disk);
	require_inside(disk, offset, length);
	memcpy(to, image(disk) + offset, length);
	unlock(disk);
}

void disk_write(struct disk *disk, size_t offset, size_t length, const void *from)
{
	struct disk_shared *shared = disk->shared;

	lock(disk);
	put(disk, offset, length, from);
	if (shared->is_recording) {
		if (length > MAX_DATA - shared->used)
			abort();
		memcpy(shared->data + shared->used, from, length);
		note(disk, (struct disk_entry){ DISK_WRITE, offset, length, shared->used });
		shared->used += length;
	}
	unlock(disk);
}

void disk_flush(struct disk *disk)
{
	lock(disk);
	note(disk, (struct disk_entry){ .kind = DISK_FLUSH });
	unlock(disk);
}

void disk_mark(struct disk *disk, size_t number)
{
	lock(disk);
	note(disk, (struct disk_entry){ .kind = DISK_MARK, .data = number });
	unlock(disk);
}

/* equalize - of image and base, TO becomes equal to FROM */
static void equalize(struct disk *disk, unsigned char *to, const unsigned char *from)
{
	struct disk_shared *shared = disk->shared;

	for (size_t i = 0; i < shared->dirty_count; i++) {
		size_t block = dirty(disk)[i];

		memcpy(to + block * BLOCK, from + block * BLOCK, BLOCK);
		is_dirty(disk)[block] = 0;
	}
	shared->dirty_count = 0;
}

void disk_record(struct disk *disk)
{
	lock(disk);
	equalize(disk, base(disk), image(disk));
	disk->shared->count = disk->shared->used = 0;
	disk->shared->is_recording = true;
	unlock(disk);
}

void disk_stop(struct disk *disk)
{
	lock(disk);
	disk->shared->is_recording = false;
	unlock(disk);
}

size_t disk_count(struct disk *disk)
{
	size_t count;

	lock(disk);
	count = disk->shared->count;
	unlock(disk);
	return count;
}

struct disk_entry disk_entry(struct disk *disk, size_t index)
{
	struct disk_entry entry;

	lock(disk);
	if (index >= disk->shared->count)
		abort();
	entry = disk->shared->entries[index];
	unlock(disk);
	return entry;
}

void disk_revert(struct disk *disk)
{
	lock(disk);
	equalize(disk, image(disk), base(disk));
	unlock(disk);
}

void disk_apply(struct disk *disk, size_t index, size_t from, size_t length)
{
	struct disk_entry entry = disk_entry(disk, index);

	if (entry.kind != DISK_WRITE || from > entry.length || length > entry.length - from)
		abort();
	lock(disk);
	put(disk, entry.offset + from, length, disk->shared->data + entry.data + from);
	unlock(disk);
}

/* mix - spread the bits of a word over all of it */
static uint64_t mix(uint64_t word)
{
	word = (word ^ (word >> 32)) * 0x9E3779B97F4A7C15u;
	return word ^ (word >> 29);
}

static uint64_t block_hash(size_t number, const unsigned char *bytes)
{
	uint64_t hash = mix(number + 1), word;

	for (size_t i = 0; i < BLOCK; i += sizeof word) {
		memcpy(&word, bytes + i, sizeof word);
		hash = mix(hash ^ word) + i;
	}
	return hash;
}

/* The sum over all blocks that differ from the base does not depend on the order in which they were written. */
uint64_t disk_hash(struct disk *disk)
{
	uint64_t hash = 0;

	lock(disk);
	for (size_t i = 0; i < disk->shared->dirty_count; i++) {
		size_t block = dirty(disk)[i], at = block * BLOCK;

		if (memcmp(image(disk) + at, base(disk) + at, BLOCK) != 0)
			hash += mix(block_hash(block, image(disk) + at));
	}
	unlock(disk);
	return hash;
}
