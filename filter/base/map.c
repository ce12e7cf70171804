#include "filter/base/map.h"

#include <stdlib.h>

/*
 * Open addressing with linear probing, at most three quarters full. Deletion
 * moves later entries of the same run back, so there are no tombstones.
 */

void
map_init(struct map *map, struct arena *arena, bool fold)
{
	*map = (struct map){.arena = arena, .fold = fold};
}

void
map_done(struct map *map)
{
	if (!map->arena)
		free(map->slots);
	map->slots = NULL;
	map->n = map->size = 0;
}

static uint64_t
hash_of(const struct map *map, struct span key)
{
	return map->fold ? span_casehash(key) : span_hash(key);
}

static bool
same(const struct map *map, const struct map_slot *slot, struct span key,
    uint64_t hash)
{
	if (slot->hash != hash)
		return false;
	return map->fold ? span_caseeq(slot->key, key)
			 : span_eq(slot->key, key);
}

/* The slot that holds the key, or the free one where it belongs. */
static struct map_slot *
locate(const struct map *map, struct span key, uint64_t hash)
{
	size_t mask = map->size - 1;
	size_t i = (size_t)hash & mask;

	while (map->slots[i].value && !same(map, &map->slots[i], key, hash))
		i = (i + 1) & mask;
	return &map->slots[i];
}

void *
map_get(const struct map *map, struct span key)
{
	if (map->n == 0)
		return NULL;
	return locate(map, key, hash_of(map, key))->value;
}

static int
grow(struct map *map)
{
	size_t size = map->size ? map->size * 2 : 16;
	struct map_slot *old = map->slots;
	struct map_slot *slots =
	    map->arena ? arena_calloc(map->arena, size, sizeof *slots)
		       : calloc(size, sizeof *slots);
	size_t old_size = map->size;

	if (!slots)
		return ERR_NOMEM;
	map->slots = slots;
	map->size = size;
	for (size_t i = 0; i < old_size; i++)
		if (old[i].value)
			*locate(map, old[i].key, old[i].hash) = old[i];
	if (!map->arena)
		free(old);
	return 0;
}

int
map_put(struct map *map, struct span key, void *value)
{
	uint64_t hash = hash_of(map, key);

	if (map->n + 1 > map->size - map->size / 4) {
		int rc = grow(map);
		if (rc)
			return rc;
	}
	struct map_slot *slot = locate(map, key, hash);
	if (!slot->value)
		map->n++;
	*slot = (struct map_slot){key, hash, value};
	return 0;
}

void *
map_del(struct map *map, struct span key)
{
	if (map->n == 0)
		return NULL;
	struct map_slot *slot = locate(map, key, hash_of(map, key));
	void *value = slot->value;
	if (!value)
		return NULL;
	size_t mask = map->size - 1;
	size_t hole = (size_t)(slot - map->slots);
	for (size_t i = (hole + 1) & mask; map->slots[i].value;
	     i = (i + 1) & mask) {
		size_t home = (size_t)map->slots[i].hash & mask;
		if (((i - home) & mask) >= ((i - hole) & mask)) {
			map->slots[hole] = map->slots[i];
			hole = i;
		}
	}
	map->slots[hole].value = NULL;
	map->n--;
	return value;
}
