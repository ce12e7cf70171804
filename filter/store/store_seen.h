#ifndef FILTER_STORE_STORE_SEEN_H
#define FILTER_STORE_STORE_SEEN_H

#include <stdbool.h>
#include <stdint.h>

/*
 * Which keys may be in the tree: a Bloom filter. A third of a message's tokens
 * were never seen before, and most senders have no past; the tree takes longest
 * to say that something is not there.
 *
 * Never says no to a key that was added: who writes adds before the write can
 * be seen. Says yes to some that were not: one in a thousand with a million
 * keys. Nothing is taken out; a restart begins anew.
 *
 * Thread: any; nobody waits.
 */
#define STORE_SEEN_KEYS_MAX 4000000 /* beyond, one in 40 and worse */

struct store_seen;

struct store_seen *store_seen_new(void); /* NULL: out of memory */
void store_seen_free(struct store_seen *seen);

/* `hash` as store_cache_hash() gives it. */
void store_seen_add(struct store_seen *seen, uint64_t hash);
/* Says that store_seen_may() will be asked soon. */
void store_seen_expect(const struct store_seen *seen, uint64_t hash);
bool store_seen_may(struct store_seen *seen, uint64_t hash);

#endif
