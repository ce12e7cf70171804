/* Authentication-Results, read and written. */
#include <assert.h>

#include "filter/mail/authres.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define OUR SPAN("mx.example.org")

/* Nothing but printable ASCII and the writer's folds. */
static void
check_clean(struct span s)
{
	for (size_t i = 0; i < s.len; i++) {
		bool fold =
		    s.p[i] == '\n' && i + 1 < s.len && s.p[i + 1] == '\t';
		assert(fold || (s.p[i] >= ' ' && s.p[i] <= '~'));
		i += fold;
	}
}

static void
check_writer(struct span text, struct arena *arena)
{
	struct authres ar;
	struct span id;

	authres_begin(&ar, arena, OUR);
	authres_result(&ar, "spf", "pass", text);
	authres_prop(&ar, "smtp.mailfrom", text);
	authres_prop(&ar, "smtp.helo", span_skip(text, text.len / 2));
	struct span got = authres_end(&ar);
	assert(got.p);
	check_clean(got);
	assert(authres_id(got, arena, &id) && span_eq(id, OUR));
	assert(authres_claims(got, OUR, arena));
	authres_begin(&ar, arena, text);
	got = authres_end(&ar);
	check_clean(got);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *arena = arena_new((size_t)64 << 20);
	struct span text = span_make((const char *)data, size);
	struct span id;

	if (authres_id(text, arena, &id) && span_eq(id, OUR))
		assert(authres_claims(text, OUR, arena));
	(void)authres_claims(text, OUR, arena);
	check_writer(text, arena);
	arena_free(arena);
	return 0;
}
