#include "filter/store/store_seen.h"

#include <pthread.h>

#include "tests/lib/tap.h"

/* The filter of keys: never a wrong no, few wrong yes. */

#define KEYS 200000
#define THREADS 4

static uint64_t
hash_of(uint64_t i)
{
	/* splitmix64: as even as the hash of keys. */
	uint64_t z = (i + 1) * UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

static unsigned
count(struct store_seen *seen, uint64_t from, uint64_t to)
{
	unsigned n = 0;

	for (uint64_t i = from; i < to; i++)
		n += store_seen_may(seen, hash_of(i));
	return n;
}

struct part {
	struct store_seen *seen;
	uint64_t from, to;
	pthread_t thread;
};

static void *
add_part(void *arg)
{
	struct part *part = arg;

	for (uint64_t i = part->from; i < part->to; i++)
		store_seen_add(part->seen, hash_of(i));
	return NULL;
}

int
main(void)
{
	struct store_seen *seen = store_seen_new();
	struct part parts[THREADS];

	if (!seen)
		return 1;
	TAP_CASE("an empty filter knows no key")
	CHECK_INT(count(seen, 0, KEYS), 0);
	for (unsigned i = 0; i < THREADS; i++) {
		parts[i] = (struct part){.seen = seen,
		    .from = i * (KEYS / THREADS),
		    .to = (i + 1) * (KEYS / THREADS)};
		if (pthread_create(&parts[i].thread, NULL, add_part, &parts[i]))
			return 1;
	}
	for (unsigned i = 0; i < THREADS; i++)
		(void)pthread_join(parts[i].thread, NULL);
	TAP_CASE("every key that was added is known, whoever added it")
	CHECK_INT(count(seen, 0, KEYS), KEYS);
	TAP_CASE("of others hardly one in a thousand is")
	CHECK(count(seen, KEYS, 2 * KEYS) < KEYS / 1000);
	store_seen_free(seen);
	return tap_done();
}
