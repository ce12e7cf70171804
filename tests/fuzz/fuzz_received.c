/* Received fields and dates. */
#include <assert.h>

#include "filter/mail/received.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *arena = arena_new((size_t)64 << 20);
	struct span text = span_make((const char *)data, size);
	struct received r;

	if (received_parse(&r, text, arena))
		assert(r.helo.len || r.ip.family || r.rdns.len);
	assert(r.helo.len + r.rdns.len <= 2 * size);
	assert(r.with.len <= size && r.by.len <= size && r.id.len <= size);
	assert(r.time >= -1);
	/* The last second of the year 9999, in the west. */
	assert(received_date(text) <= 253402300799 + 100 * 3600);
	arena_free(arena);
	return 0;
}
