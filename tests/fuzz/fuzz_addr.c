/* Addresses, and the domains in them. */
#include <assert.h>

#include "filter/mail/addr.h"
#include "filter/mail/domain.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check_domain(struct span name, struct arena *arena)
{
	struct span once, twice;

	if (domain_normalise(name, arena, &once))
		return;
	assert(once.len && once.len <= DOMAIN_MAX && span_is_ascii(once));
	assert(domain_normalise(once, arena, &twice) == 0);
	assert(span_eq(once, twice));
	struct span registrable = domain_registrable(once);
	if (registrable.len) {
		assert(domain_is_below(once, registrable));
		assert(span_eq(domain_registrable(registrable), registrable));
	}
	for (size_t n = 0; n <= domain_labels(once) + 1; n++)
		assert(domain_suffix(once, n).len <= once.len);
}

static void
check_addr(const struct addr *a, struct arena *arena)
{
	assert(span_is_utf8(a->name));
	assert(a->spec.len >= a->domain.len);
	if (a->domain.len)
		assert(span_find_char(a->spec, '@') != SPAN_NPOS);
	assert(span_find_any(a->spec, "\r\n") == SPAN_NPOS);
	check_domain(a->domain, arena);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *arena = arena_new((size_t)64 << 20);
	struct span text = span_make((const char *)data, size);
	struct addr_list list;
	struct addr path;

	addr_parse(&list, text, arena);
	assert(list.items.n <= ADDR_MAX);
	for (size_t i = 0; i < list.items.n; i++)
		check_addr(&list.items.v[i], arena);
	if (addr_parse_path(&path, text, arena))
		assert(path.domain.len && path.spec.len <= size);
	check_domain(text, arena);
	arena_free(arena);
	return 0;
}
