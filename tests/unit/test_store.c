/*
 * The store in front of its backends: keys, queue, breaker, thread. What is
 * stored where is the contract test's.
 */
#include "filter/base/clock.h"
#include "filter/store/store.h"
#include "tests/lib/tap.h"

static struct store *
open_memory(void)
{
	struct store_options options = {
	    .url = SPAN("memory:"), .timeout_ms = 200, .queue_max = 1 << 20};
	struct store *store = NULL;
	struct err err = {0};

	CHECK_INT(store_open(&options, &store, &err), 0);
	return store;
}

int
main(void)
{
	TAP_CASE("the store in memory adds at once")
	{
		struct store *store = open_memory();
		struct store_op op = {.verb = STORE_ADD,
		    .key = {STORE_TOKEN, SPAN("a")},
		    .add = {{2, 3}}};
		struct store_counts counts;
		store_later(store, &op, 1);
		CHECK_INT(store_flush(store, clock_deadline(1000)), 0);
		CHECK_INT(store_get(store, &op.key, 1, 0, CLOCK_NEVER, NULL,
			      &counts, NULL),
		    0);
		CHECK_INT(counts.v[0], 2);
		CHECK_INT(counts.v[1], 3);
		store_close(store);
	}
	return tap_done();
}
