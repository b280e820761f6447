/*
 * checksum - 64 bits that tell whether a text is still the same
 *
 * FNV-1a (draft-eastlake-fnv): against accidents, not against malice.
 */
#ifndef POSTMULTI_CHECKSUM_H
#define POSTMULTI_CHECKSUM_H

#include <stddef.h>
#include <stdint.h>

/* checksum - of LENGTH bytes */
uint64_t checksum(const char *text, size_t length);

#endif
