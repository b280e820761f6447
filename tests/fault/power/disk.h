/*
 * disk - a disk in memory that remembers what was written to it, and in which order
 *
 *	disk_make(&disk, size);                 all zeros; the memory is shared with children
 *	disk_record(&disk);                     what is there now is the base; the log is empty
 *	disk_write(), disk_flush(), disk_mark() go to the log, in the order of the calls
 *	disk_stop(&disk);                       writes are not logged any more
 *	disk_revert(&disk);                     the disk is the base again
 *	disk_apply(&disk, entry, from, length); a part of a logged write is done once more
 *
 * So any state can be made that the disk may have had when its power was lost:
 * the base, all writes up to some flush, and some of those that followed. The
 * process that serves the disk and the one that makes the states are two: each
 * function holds the lock of the shared memory.
 *
 * A log that is full, or out-of-range use, is a bug of the test: abort(3).
 */
#ifndef POWER_DISK_H
#define POWER_DISK_H

#include <stddef.h>
#include <stdint.h>

enum disk_kind { DISK_WRITE, DISK_FLUSH, DISK_MARK };

struct disk_entry {
	enum disk_kind kind;
	size_t offset, length; /* of a write */
	size_t data;           /* where its bytes are in the log's memory; of a mark: its number */
};

struct disk_shared;

struct disk {
	size_t size;
	struct disk_shared *shared;
};

/* disk_make - a disk of SIZE bytes, a multiple of 4096; 0, or -1 with errno */
int disk_make(struct disk *disk, size_t size);

void disk_read(struct disk *disk, size_t offset, size_t length, void *to);
void disk_write(struct disk *disk, size_t offset, size_t length, const void *from);
void disk_flush(struct disk *disk);
void disk_mark(struct disk *disk, size_t number);

void disk_record(struct disk *disk);
void disk_stop(struct disk *disk);

/* disk_count - the number of entries in the log; they are numbered from 0 */
size_t disk_count(struct disk *disk);
struct disk_entry disk_entry(struct disk *disk, size_t index);

void disk_revert(struct disk *disk);
void disk_apply(struct disk *disk, size_t index, size_t from, size_t length);

/* disk_hash - equal for equal contents, as long as the base is the same */
uint64_t disk_hash(struct disk *disk);

#endif
