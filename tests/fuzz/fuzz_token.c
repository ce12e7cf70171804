/* A message to tokens: bounded, each once, printable; the same again. */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>

#include "filter/base/map.h"
#include "filter/learn/digest.h"
#include "filter/learn/token.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define TOKEN_BYTES_MAX (48 + 2 * TOKEN_MAX_BYTES + 1)

static void
check_token(struct map *seen, struct span token)
{
	assert(token.len > 0 && token.len <= TOKEN_BYTES_MAX);
	for (size_t i = 0; i < token.len; i++)
		assert(!ascii_is_control(token.p[i]));
	assert(!map_get(seen, token));
	assert(map_put(seen, token, seen) == 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *arena = arena_new((size_t)256 << 20);
	struct message_options options = message_options_default();
	struct message *m = arena ? message_new(arena, &options) : NULL;
	struct token_list first, second;
	char digest[DIGEST_SIZE];
	struct map seen;

	assert(m);
	assert(message_read(m, span_make((const char *)data, size)) == 0);
	assert(token_read(m, arena, &first) == 0);
	assert(first.n <= TOKENS_MAX);
	map_init(&seen, arena, false);
	for (size_t i = 0; i < first.n; i++)
		check_token(&seen, first.v[i]);
	assert(token_read(m, arena, &second) == 0);
	assert(first.n == second.n);
	for (size_t i = 0; i < first.n; i++)
		assert(span_eq(first.v[i], second.v[i]));
	digest_message(m, digest);
	arena_free(arena);
	return 0;
}
