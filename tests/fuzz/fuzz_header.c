/* Header blocks: what is kept is there, in order and in bounds. */
#include <assert.h>

#include "filter/mail/header.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check_field(const struct header_list *list, const struct header *h)
{
	const struct header *first = header_first(list, h->name);
	const struct header *last = header_last(list, h->name);

	assert(first && last && first <= h && h <= last);
	assert(h->nth >= 1 && h->nth <= header_count(list, h->name));
	assert(h->name.len && span_find_char(h->name, '\n') == SPAN_NPOS);
	struct span line = header_unfold(h->raw, list->arena);
	assert(line.len <= h->raw.len);
	assert(span_find_char(line, '\n') == SPAN_NPOS);
	assert(span_eq(line, span_trim(line)));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *arena = arena_new((size_t)64 << 20);
	struct span text = span_make((const char *)data, size);
	struct header_list list;

	header_init(&list, arena);
	size_t body = header_parse(&list, text);
	assert(body <= size);
	for (size_t i = 0; i < list.fields.n; i++)
		check_field(&list, &list.fields.v[i]);
	(void)header_lookalike(&list, SPAN("From"));
	arena_free(arena);
	return 0;
}
