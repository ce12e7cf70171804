#include "filter/store/store_seen.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

/*
 * Blocks of one cache line; a key has one block and three bits in it, all out
 * of its hash. The cache takes the hash's lowest 16 bits for its place, so the
 * block comes from the next ones.
 */

#define BLOCK_BITS 16 /* 65,536 blocks of 64 bytes: 4 MiB */
#define WORDS 8       /* of a block */
#define PROBES 3
#define PROBE_BITS 9 /* a bit of 512 */

struct block {
	_Alignas(64) _Atomic uint64_t words[WORDS];
};

struct store_seen {
	struct block blocks[1 << BLOCK_BITS];
};

struct store_seen *
store_seen_new(void)
{
	struct store_seen *seen = NULL;

	if (posix_memalign((void **)(void *)&seen, 64, sizeof *seen) != 0)
		return NULL;
	memset((void *)seen, 0, sizeof *seen);
	return seen;
}

void
store_seen_free(struct store_seen *seen)
{
	free(seen);
}

static size_t
block_of(uint64_t hash)
{
	return hash >> 16 & ((1 << BLOCK_BITS) - 1);
}

/* The i-th bit of a key in its block. */
static unsigned
bit_of(uint64_t hash, unsigned i)
{
	return (unsigned)(hash >> (64 - PROBE_BITS * (i + 1))) &
	       ((1 << PROBE_BITS) - 1);
}

void
store_seen_add(struct store_seen *seen, uint64_t hash)
{
	struct block *block = &seen->blocks[block_of(hash)];

	for (unsigned i = 0; i < PROBES; i++) {
		unsigned bit = bit_of(hash, i);
		atomic_fetch_or(
		    &block->words[bit / 64], UINT64_C(1) << bit % 64);
	}
}

void
store_seen_expect(const struct store_seen *seen, uint64_t hash)
{
	__builtin_prefetch(&seen->blocks[block_of(hash)]);
}

bool
store_seen_may(struct store_seen *seen, uint64_t hash)
{
	struct block *block = &seen->blocks[block_of(hash)];

	for (unsigned i = 0; i < PROBES; i++) {
		unsigned bit = bit_of(hash, i);
		uint64_t word = atomic_load(&block->words[bit / 64]);
		if (!(word >> bit % 64 & 1))
			return false;
	}
	return true;
}
