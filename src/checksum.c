#include "checksum.h"

#define OFFSET_BASIS UINT64_C(0xcbf29ce484222325)
#define PRIME UINT64_C(0x100000001b3)

/* checksum - byte by byte */
uint64_t checksum(const char *text, size_t length)
{
	uint64_t sum = OFFSET_BASIS;

	for (size_t i = 0; i < length; i++)
		sum = (sum ^ (unsigned char)text[i]) * PRIME;
	return sum;
}
