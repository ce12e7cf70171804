#include "filter/store/store_cache.h"

#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>

/*
 * A table of slots, one per key by its hash; the next key takes it over. Each
 * slot has a turn, odd while somebody writes: a reader that sees it change, or
 * odd, has not found anything; a writer of read values that meets another goes
 * away; only one who drops insists, and the others' turns are a few stores.
 *
 * Fields are stored with release and loaded with acquire: who sees a new field
 * sees the turn that came before it.
 */

struct slot {
	_Alignas(64) _Atomic uint64_t turn;
	_Atomic uint64_t hash; /* 0: free */
	_Atomic int64_t a, b, expires;
	_Atomic uint64_t since; /* snapshots before it are too old */
};

struct store_cache {
	struct slot slots[STORE_CACHE_SLOTS];
};

struct store_cache *
store_cache_new(void)
{
	struct store_cache *cache = NULL;

	if (posix_memalign((void **)(void *)&cache, 64, sizeof *cache) != 0)
		return NULL;
	memset((void *)cache, 0, sizeof *cache);
	return cache;
}

void
store_cache_free(struct store_cache *cache)
{
	free(cache);
}

uint64_t
store_cache_hash(struct span key)
{
	uint64_t hash = span_hash(key);

	return hash ? hash : 1;
}

static struct slot *
slot_of(struct store_cache *cache, uint64_t hash)
{
	return &cache->slots[hash % STORE_CACHE_SLOTS];
}

void
store_cache_expect(const struct store_cache *cache, uint64_t hash)
{
	__builtin_prefetch(&cache->slots[hash % STORE_CACHE_SLOTS]);
}

#define LOAD(field) atomic_load_explicit(&(field), memory_order_acquire)
#define STORE(field, value)                                                    \
	atomic_store_explicit(&(field), (value), memory_order_release)

bool
store_cache_get(struct store_cache *cache, uint64_t hash,
    struct store_counts *ret, int64_t *ret_expires)
{
	struct slot *slot = slot_of(cache, hash);
	uint64_t turn = LOAD(slot->turn);

	if (turn % 2 || LOAD(slot->hash) != hash)
		return false;
	struct store_counts counts = {{LOAD(slot->a), LOAD(slot->b)}};
	int64_t expires = LOAD(slot->expires);
	if (LOAD(slot->turn) != turn)
		return false;
	*ret = counts;
	*ret_expires = expires;
	return true;
}

/* Begins a turn; false when another has his. */
static bool
begin(struct slot *slot, uint64_t *ret_turn)
{
	uint64_t turn = LOAD(slot->turn);

	*ret_turn = turn;
	return turn % 2 == 0 &&
	       atomic_compare_exchange_strong_explicit(&slot->turn, &turn,
		   turn + 1, memory_order_acq_rel, memory_order_relaxed);
}

void
store_cache_put(struct store_cache *cache, uint64_t hash,
    struct store_counts counts, int64_t expires, uint64_t snapshot)
{
	struct slot *slot = slot_of(cache, hash);
	uint64_t turn;

	if (!begin(slot, &turn))
		return;
	if (snapshot >= LOAD(slot->since)) {
		STORE(slot->hash, hash);
		STORE(slot->a, counts.v[0]);
		STORE(slot->b, counts.v[1]);
		STORE(slot->expires, expires);
	}
	STORE(slot->turn, turn + 2);
}

void
store_cache_drop(struct store_cache *cache, uint64_t hash, uint64_t snapshot)
{
	struct slot *slot = slot_of(cache, hash);
	uint64_t turn;

	while (!begin(slot, &turn))
		sched_yield();
	if (LOAD(slot->hash) == hash)
		STORE(slot->hash, 0);
	if (snapshot > LOAD(slot->since))
		STORE(slot->since, snapshot);
	STORE(slot->turn, turn + 2);
}
