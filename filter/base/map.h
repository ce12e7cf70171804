#ifndef FILTER_BASE_MAP_H
#define FILTER_BASE_MAP_H

#include "filter/base/arena.h"
#include "filter/base/span.h"

/*
 * Bytes to pointer, with keyed hashing: senders choose our keys. Keys are
 * not copied and must live as long as the map; values are never NULL. Memory
 * is the arena's, or the heap's when `arena` is NULL (then map_done() frees
 * the table). Not for two threads at once.
 */
struct map {
	struct map_slot *slots;
	size_t n, size; /* entries; slots, a power of two or 0 */
	struct arena *arena;
	bool fold; /* keys compare with ASCII case folded */
};

struct map_slot {
	struct span key;
	uint64_t hash;
	void *value; /* NULL = free */
};

void map_init(struct map *map, struct arena *arena, bool fold);
void map_done(struct map *map);
/* NULL when the key is not there. */
void *map_get(const struct map *map, struct span key);
/* Adds or replaces. ERR_NOMEM leaves the map as it was. */
int map_put(struct map *map, struct span key, void *value) MUST_USE;
/* Removes; returns the value that was there, or NULL. */
void *map_del(struct map *map, struct span key);

/* All slots with a value, in no order: for (...) if (s->value). */
#define MAP_EACH(s, map)                                                       \
	for (struct map_slot *s = (map)->slots;                                \
	     s && s < (map)->slots + (map)->size; s++)                         \
		if (s->value)

#endif
