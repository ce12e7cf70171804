#ifndef FILTER_DNS_CACHE_H
#define FILTER_DNS_CACHE_H

#include "filter/dns/answer.h"

/* Answers by name and type, with a time to live. Thread: any; never waits. */
struct cache;

/* `entries` is rounded up to a power of two. NULL when memory is short. */
struct cache *cache_new(size_t entries);
void cache_free(struct cache *cache);

/*
 * The answer, with a reference for the caller; NULL when there is none that
 * is fresh at `now_ms` (clock_mono_ms). Counts a hit; a miss only when asked
 * to (a caller may look twice).
 */
struct answer *cache_get(struct cache *cache, struct span folded,
    enum dns_type type, uint64_t hash, int64_t now_ms, bool count_miss);

/*
 * Keeps `answer` (with a reference of its own) until `expires_ms`, instead of
 * an older one; but a failure never takes the place of a fresh answer. Others
 * may have to go, and their forms are dropped here: hold no lock.
 */
void cache_put(struct cache *cache, struct answer *answer, int64_t now_ms,
    int64_t expires_ms);

/* How long an answer may be kept, given what its records say. */
int64_t cache_ttl_ms(enum dns_status status, int64_t ttl_s);

struct cache_counts {
	uint64_t hits, misses;
	size_t entries;
};
void cache_counts(struct cache *cache, struct cache_counts *ret);

#endif
