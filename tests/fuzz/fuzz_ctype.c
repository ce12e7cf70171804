/* Content-Type and Content-Disposition. */
#include <assert.h>

#include "filter/mail/ctype.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *arena = arena_new((size_t)64 << 20);
	struct span text = span_make((const char *)data, size);
	struct ctype c;
	bool attachment;

	ctype_parse(&c, text, arena);
	assert(c.type.len && span_is_ascii(c.type));
	assert(span_find_any(c.type, " \t\r\n;\"") == SPAN_NPOS);
	assert(c.boundary.len <= CTYPE_BOUNDARY_MAX);
	assert(span_is_utf8(c.name));
	assert(c.missing == (span_trim(text).len == 0));
	assert(span_is_utf8(ctype_disposition_name(text, &attachment, arena)));
	assert(span_is_utf8(ctype_sa_name(text, &c, arena)));
	arena_free(arena);
	return 0;
}
