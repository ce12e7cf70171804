/* Encoded words and charsets: the first line is the charset's name. */
#include <assert.h>

#include "filter/mail/word.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *arena = arena_new((size_t)64 << 20);
	struct span text = span_make((const char *)data, size);
	struct span rest = text, charset = span_cut(&rest, '\n');

	struct span got = word_decode(text, arena);
	assert(span_is_utf8(got));
	/* Text outside of words first, then the words in what that gave. */
	assert(got.len <= 4 * (4 * size + 16) + 16);
	for (int insist = 0; insist < 2; insist++) {
		got = word_utf8(rest, charset, insist, arena);
		assert(span_is_utf8(got));
		assert(got.len <= 4 * rest.len + 16);
	}
	struct span coded = word_encode(got, arena);
	assert(span_is_ascii(coded));
	assert(span_find_any(coded, "\r\n") == SPAN_NPOS);
	if (!span_eq(coded, got))
		assert(span_eq(word_decode(coded, arena), got));
	assert(span_is_ascii(word_encode(text, arena)));
	arena_free(arena);
	return 0;
}
