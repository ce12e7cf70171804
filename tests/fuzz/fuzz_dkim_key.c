/* DKIM key records. */
#include <stdlib.h>

#include "filter/auth/dkim.h"
#include "filter/auth/dkim_internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *arena = arena_new(0);
	struct dkim_key key;

	dkim_key_read(&key, span_make((const char *)data, size), arena);
	if (!key.problem && !key.pkey)
		abort();
	if (!key.problem && key.algorithm == DKIM_RSA &&
	    (key.bits < DKIM_KEY_BITS_MIN || key.bits > DKIM_KEY_BITS_MAX))
		abort();
	dkim_key_drop(&key);
	arena_free(arena);
	return 0;
}
