/* Bodies whole and in pieces have the same hashes. The first byte is the size
 * of the pieces. */
#include <stdlib.h>

#include "filter/auth/bodyhash.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define JOBS 3

static void
hash(struct span body, size_t chunk, struct arena *arena,
    struct bodyhash_value *ret)
{
	struct bodyhash_set *set = bodyhash_new(arena);
	int jobs[JOBS] = {
	    bodyhash_add(
		set, BODYHASH_RELAXED, BODYHASH_SHA256, BODYHASH_NO_LIMIT),
	    bodyhash_add(
		set, BODYHASH_SIMPLE, BODYHASH_SHA256, BODYHASH_NO_LIMIT),
	    bodyhash_add(set, BODYHASH_RELAXED, BODYHASH_SHA1, 20),
	};

	for (; body.len; body = span_skip(body, chunk))
		bodyhash_update(set, span_head(body, chunk));
	bodyhash_final(set);
	for (int i = 0; i < JOBS; i++)
		ret[i] = *bodyhash_value(set, jobs[i]);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bodyhash_value whole[JOBS], pieces[JOBS];
	struct arena *arena = arena_new(0);
	struct span body = span_make((const char *)data, size);
	size_t chunk = size ? data[0] % 32 + 1u : 1;

	hash(body, SIZE_MAX, arena, whole);
	hash(body, chunk, arena, pieces);
	for (int i = 0; i < JOBS; i++)
		if (whole[i].failed || pieces[i].failed ||
		    whole[i].body_size != pieces[i].body_size ||
		    memcmp(whole[i].digest, pieces[i].digest, whole[i].len))
			abort();
	if (whole[1].body_size > size + 2 || whole[1].body_size < 2 ||
	    whole[0].body_size > whole[1].body_size)
		abort();
	arena_free(arena);
	return 0;
}
