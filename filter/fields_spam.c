#include "filter/fields_internal.h"

/*
 * X-Spam-Flag, -Score, -Level and -Status as SpamAssassin writes them, so that
 * Sieve scripts and mail programs made for it go on working.
 */

#define LEVEL_MAX 50    /* asterisks of X-Spam-Level */
#define TESTS_COLUMN 74 /* folds of X-Spam-Status */

static struct span
tenths(struct arena *arena, int64_t milli)
{
	bool negative = milli < 0;
	uint64_t value = negative ? (uint64_t)-milli : (uint64_t)milli;
	/* Cut towards zero, so that 4.96 is not shown as 5.0 nor -0.002 as
	 * -0.1. */
	uint64_t tenth = value / 100;

	return arena_printf(arena, "%s%llu.%llu", negative && tenth ? "-" : "",
	    (unsigned long long)(tenth / 10), (unsigned long long)(tenth % 10));
}

/* SpamAssassin's list of tests, folded behind commas. */
static void
add_tests(struct buf *out, const struct symbol_hits *hits, size_t column)
{
	size_t n = 0;

	for (size_t i = 0; i < hits->n; i++) {
		struct span name = hits->v[i].symbol->name;
		if (n++)
			buf_add_char(out, ',');
		column += name.len + 1;
		if (column > TESTS_COLUMN) {
			buf_add_str(out, "\n\t");
			column = 8 + name.len;
		}
		buf_add_span(out, name);
	}
	if (n == 0)
		buf_add_str(out, "none");
}

static void
add_spam_status(const struct fields_request *request, struct fields *ret)
{
	const struct policy_settings *policy = request->verdict->policy;
	struct buf out;

	buf_init(&out, request->arena, (size_t)64 * 1024);
	buf_printf(&out, "%s, score=%.*s",
	    request->verdict->tag_headers ? "Yes" : "No",
	    SPAN_ARG(
		tenths(request->arena, request->examination->score_milli)));
	if (policy->tag != OPTION_OFF)
		buf_printf(&out, " required=%.*s",
		    SPAN_ARG(tenths(request->arena, policy->tag)));
	buf_add_str(&out, " tests=");
	add_tests(&out, &request->examination->hits, out.len + 15);
	buf_add_str(&out, "\n\tautolearn=no version=" PACKAGE_VERSION);
	if (!buf_failed(&out))
		fields_add(request, ret, "X-Spam-Status", buf_span(&out));
}

void
fields_add_spam(const struct fields_request *request, struct fields *ret)
{
	static const char stars[LEVEL_MAX + 1] =
	    "**************************************************";
	int64_t points = request->examination->score_milli / 1000;

	if (points > LEVEL_MAX)
		points = LEVEL_MAX;
	if (request->verdict->tag_headers)
		fields_add(request, ret, "X-Spam-Flag", SPAN("YES"));
	fields_add(request, ret, "X-Spam-Score",
	    tenths(request->arena, request->examination->score_milli));
	if (points > 0)
		fields_add(request, ret, "X-Spam-Level",
		    span_make(stars, (size_t)points));
	add_spam_status(request, ret);
}
