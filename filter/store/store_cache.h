#ifndef FILTER_STORE_STORE_CACHE_H
#define FILTER_STORE_STORE_CACHE_H

#include "filter/store/store.h"

/*
 * Counts that were read lately, in front of a tree that takes many times as
 * long. Half of a message's tokens are words that all mail has.
 *
 * Exact, given that this process alone writes: who wrote drops the keys, and
 * what was read in a snapshot older than that is not taken any more. A key is
 * known by 64 bits of a hash under a secret of this process, and the place in
 * the table by others of it.
 *
 * Thread: any; nobody waits.
 */
#define STORE_CACHE_SLOTS 65536 /* of 64 bytes */

struct store_cache;

struct store_cache *store_cache_new(void); /* NULL: out of memory */
void store_cache_free(struct store_cache *cache);

uint64_t store_cache_hash(struct span key);
/* Says that this will be asked for soon: several keys' memory is then waited
 * for at once. */
void store_cache_expect(const struct store_cache *cache, uint64_t hash);
/* False: not known. A pair of zeros is what is not stored. */
bool store_cache_get(struct store_cache *cache, uint64_t hash,
    struct store_counts *ret, int64_t *ret_expires);
/* What was read in `snapshot`, a number that grows with each write. */
void store_cache_put(struct store_cache *cache, uint64_t hash,
    struct store_counts counts, int64_t expires, uint64_t snapshot);
/* The key was written: only snapshots from this one on have it. */
void store_cache_drop(
    struct store_cache *cache, uint64_t hash, uint64_t snapshot);

#endif
