#include "filter/dns/cache.h"

#include <stdlib.h>

#include "filter/base/clock.h"
#include "filter/base/lock.h"

/*
 * A set-associative table: the hash names a set of eight places, and in a set
 * the one that was used longest ago gives way. So there are no chains, no
 * list of ages to keep, and a question touches a line or two of memory. Sets
 * belong to shards, each with a lock, counts and its part of the byte limit:
 * the number of entries alone would let 64 KB answers fill the machine. Past
 * its bytes a shard gives up old entries, set after set.
 */

#define ENTRIES_DEFAULT ((size_t)64 * 1024)
#define WAYS 8
#define SHARDS_MAX 64
#define BYTES_MAX ((size_t)64 * 1024 * 1024)
#define SHARD_BYTES_MIN ((size_t)256 * 1024) /* a few of the largest */

#define TTL_MIN_S 5
#define TTL_MAX_S 3600
#define NEGATIVE_TTL_MAX_S 600
#define FAILURE_TTL_S 3

struct place {
	uint64_t hash;
	struct answer *answer; /* NULL: free */
	int64_t expires_ms;
	uint64_t used; /* the shard's tick at the last use */
};

struct set {
	struct place place[WAYS];
};

struct shard {
	_Alignas(64) struct lock lock; /* guards the rest and the sets */
	uint64_t tick;
	uint64_t hits, misses;
	size_t entries, bytes;
	size_t hand; /* the set that gives up an entry next */
};

struct cache {
	struct set *sets;
	size_t n_sets;   /* a power of two */
	size_t n_shards; /* a power of two, <= n_sets; set i is in i % n */
	size_t shard_bytes;
	struct shard shards[SHARDS_MAX];
};

struct cache *
cache_new(size_t entries)
{
	struct cache *cache = aligned_alloc(64, sizeof *cache);
	size_t n_sets = 1;

	if (!cache)
		return NULL;
	memset(cache, 0, sizeof *cache);
	while (n_sets < (entries ? entries : ENTRIES_DEFAULT) / WAYS)
		n_sets *= 2;
	cache->n_sets = n_sets;
	cache->n_shards = n_sets < SHARDS_MAX ? n_sets : SHARDS_MAX;
	cache->shard_bytes = BYTES_MAX / cache->n_shards;
	if (cache->shard_bytes < SHARD_BYTES_MIN)
		cache->shard_bytes = SHARD_BYTES_MIN;
	cache->sets = calloc(n_sets, sizeof *cache->sets);
	if (!cache->sets) {
		free(cache);
		return NULL;
	}
	for (size_t i = 0; i < cache->n_shards; i++)
		lock_init(&cache->shards[i].lock, LOCK_DNS_CACHE);
	return cache;
}

void
cache_free(struct cache *cache)
{
	if (!cache)
		return;
	for (size_t i = 0; i < cache->n_sets; i++)
		for (size_t k = 0; k < WAYS; k++)
			answer_unref(cache->sets[i].place[k].answer);
	for (size_t i = 0; i < cache->n_shards; i++)
		lock_done(&cache->shards[i].lock);
	free(cache->sets);
	free(cache);
}

int64_t
cache_ttl_ms(enum dns_status status, int64_t ttl_s)
{
	int64_t most = status == DNS_OK ? TTL_MAX_S : NEGATIVE_TTL_MAX_S;

	if (status == DNS_TIMEOUT || status == DNS_SERVFAIL)
		return (int64_t)FAILURE_TTL_S * 1000;
	if (ttl_s < TTL_MIN_S)
		ttl_s = TTL_MIN_S;
	return (ttl_s < most ? ttl_s : most) * 1000;
}

static struct set *
set_of(struct cache *cache, uint64_t hash)
{
	return &cache->sets[(size_t)hash & (cache->n_sets - 1)];
}

static struct shard *
shard_of(struct cache *cache, uint64_t hash)
{
	return &cache->shards[(size_t)hash & (cache->n_shards - 1)];
}

static struct place *
find(struct set *set, struct span folded, enum dns_type type, uint64_t hash)
{
	for (size_t k = 0; k < WAYS; k++) {
		struct place *p = &set->place[k];
		if (p->hash == hash && p->answer &&
		    answer_is(p->answer, folded, type, hash))
			return p;
	}
	return NULL;
}

struct answer *
cache_get(struct cache *cache, struct span folded, enum dns_type type,
    uint64_t hash, int64_t now_ms, bool count_miss)
{
	struct shard *shard = shard_of(cache, hash);
	struct answer *answer = NULL;

	lock_take(&shard->lock);
	struct place *p = find(set_of(cache, hash), folded, type, hash);
	if (p && p->expires_ms > now_ms) {
		answer = p->answer;
		answer_ref(answer);
		p->used = ++shard->tick;
		shard->hits++;
	} else if (count_miss) {
		shard->misses++;
	}
	lock_drop(&shard->lock);
	return answer;
}

/* Takes an entry out; the caller has its reference now. */
static struct answer *
take_out(struct shard *shard, struct place *p)
{
	struct answer *answer = p->answer;

	if (answer) {
		shard->entries--;
		shard->bytes -= answer->size;
	}
	*p = (struct place){0};
	return answer;
}

/* Where the next answer of this set goes: free, expired, or unused longest. */
static struct place *
victim(struct set *set, int64_t now_ms)
{
	struct place *oldest = &set->place[0];

	for (size_t k = 0; k < WAYS; k++) {
		struct place *p = &set->place[k];
		if (!p->answer || p->expires_ms <= now_ms)
			return p;
		if (p->used < oldest->used)
			oldest = p;
	}
	return oldest;
}

/* The entry that a set would give up first, but not the latest of all. */
static struct place *
oldest_of(const struct shard *shard, struct set *set)
{
	struct place *oldest = NULL;

	for (size_t k = 0; k < WAYS; k++) {
		struct place *p = &set->place[k];
		if (p->answer && p->used != shard->tick &&
		    (!oldest || p->used < oldest->used))
			oldest = p;
	}
	return oldest;
}

/* One entry of the next set that has any, when the shard is over its bytes. */
static struct answer *
shrink(struct cache *cache, struct shard *shard)
{
	size_t own = (size_t)(shard - cache->shards);
	size_t n = cache->n_sets / cache->n_shards;

	if (shard->bytes <= cache->shard_bytes)
		return NULL;
	for (size_t i = 0; i < n; i++) {
		size_t at = shard->hand++ & (n - 1);
		struct place *p =
		    oldest_of(shard, &cache->sets[at * cache->n_shards + own]);
		if (p)
			return take_out(shard, p);
	}
	return NULL;
}

static bool
is_failure(const struct answer *answer)
{
	return answer->pub.status == DNS_TIMEOUT ||
	       answer->pub.status == DNS_SERVFAIL;
}

/* Returns what had to go. */
static struct answer *
put(struct shard *shard, struct set *set, struct answer *answer, int64_t now_ms,
    int64_t expires_ms)
{
	struct place *p = find(set, answer->name, answer->type, answer->hash);

	if (p && p->expires_ms > now_ms && is_failure(answer) &&
	    !is_failure(p->answer))
		return NULL;
	if (!p)
		p = victim(set, now_ms);
	struct answer *gone = take_out(shard, p);
	answer_ref(answer);
	*p = (struct place){answer->hash, answer, expires_ms, ++shard->tick};
	shard->entries++;
	shard->bytes += answer->size;
	return gone;
}

void
cache_put(struct cache *cache, struct answer *answer, int64_t now_ms,
    int64_t expires_ms)
{
	struct shard *shard = shard_of(cache, answer->hash);
	struct set *set = set_of(cache, answer->hash);

	lock_take(&shard->lock);
	struct answer *gone = put(shard, set, answer, now_ms, expires_ms);
	lock_drop(&shard->lock);
	answer_unref(gone);
	do {
		lock_take(&shard->lock);
		gone = shrink(cache, shard);
		lock_drop(&shard->lock);
		answer_unref(gone);
	} while (gone);
}

void
cache_counts(struct cache *cache, struct cache_counts *ret)
{
	*ret = (struct cache_counts){0};
	for (size_t i = 0; i < cache->n_shards; i++) {
		struct shard *shard = &cache->shards[i];
		lock_take(&shard->lock);
		ret->hits += shard->hits;
		ret->misses += shard->misses;
		ret->entries += shard->entries;
		lock_drop(&shard->lock);
	}
}
