/* Tag=value lists: what is read is in the text, strictly or leniently alike. */
#include <stdlib.h>

#include "filter/auth/taglist.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check_inside(struct span s, struct span text)
{
	if (s.p < text.p || s.p + s.len > text.p + text.len)
		abort();
}

static void
check(const struct tag_list *list, struct span text, struct arena *arena)
{
	for (size_t i = 0; i < list->tags.n; i++) {
		const struct tag *t = &list->tags.v[i];
		struct span rest = t->value;
		check_inside(t->name, text);
		check_inside(t->value, t->whole);
		check_inside(t->whole, text);
		if (!t->name.len || t->whole.p[-1] != '=')
			abort();
		if (taglist_unspaced(t->value, arena).len > t->value.len)
			abort();
		while (rest.p)
			check_inside(taglist_item(&rest, ':'), t->value);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *arena = arena_new(0);
	struct span text = span_make((const char *)data, size);
	struct tag_list strict, lenient;

	int rc = taglist_parse(&strict, text, arena);
	int forgiven = taglist_parse_lenient(&lenient, text, arena);
	if (rc == 0)
		check(&strict, text, arena);
	if (forgiven == 0)
		check(&lenient, text, arena);
	if (rc == 0 && (forgiven != 0 || strict.tags.n != lenient.tags.n))
		abort();
	arena_free(arena);
	return 0;
}
