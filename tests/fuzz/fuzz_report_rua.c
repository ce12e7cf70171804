/* rua= of strangers, and rows of reports as a store that is anybody's has
 * them: the first byte says which. */
#include <stdlib.h>

#include "filter/auth/report_row.h"
#include "filter/auth/report_rua.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What comes out stands on a command line, in a header field and in DNS. */
static void
check_target(const struct report_target *t, struct arena *arena)
{
	struct report_targets again;

	if (!report_domain_valid(t->host) || t->address.len > 320)
		abort();
	for (size_t i = 0; i < t->address.len; i++)
		if (!ascii_is_alnum(t->address.p[i]) &&
		    span_find_char(SPAN("#$&'*+-=?^_{}~.@"), t->address.p[i]) ==
			SPAN_NPOS)
			abort();
	/* '?' would begin header fields, were it read as a URI again. */
	if (span_find_char(t->address, '?') != SPAN_NPOS)
		return;
	report_targets_parse(&again,
	    arena_printf(arena, "mailto:%.*s", SPAN_ARG(t->address)), arena);
	if (again.v.n != 1 || !span_eq(again.v.v[0].address, t->address))
		abort();
}

static void
try_rua(struct span text, struct arena *arena)
{
	struct report_targets targets;

	report_targets_parse(&targets, text, arena);
	if (targets.v.n > REPORT_TARGETS_MAX)
		abort();
	for (size_t i = 0; i < targets.v.n; i++)
		check_target(&targets.v.v[i], arena);
}

/* What was read is written the same, and the report of it is well made. */
static void
try_row(struct span text, struct arena *arena)
{
	char name[REPORT_ENTRY_NAME_MAX], value[REPORT_ENTRY_MAX];
	struct report_entry entry, again;
	size_t name_len, value_len;
	struct report report, back;
	struct buf out;

	if (report_entry_read(&entry, text, arena))
		return;
	report_entry_write(&entry, 1, name, &name_len, value, &value_len);
	if (report_entry_read(&again, span_make(value, value_len), arena) ||
	    !span_eq(again.policy.domain, entry.policy.domain) ||
	    again.seen != entry.seen)
		abort();
	report = entry.policy;
	*VEC_PUSH(arena, &report.rows) = entry.row;
	buf_init(&out, arena, (size_t)1 << 24);
	if (report_write(&report, &out) ||
	    report_read(&back, buf_span(&out), arena, NULL) ||
	    back.rows.n != 1 ||
	    !span_eq(back.rows.v[0].disposition, entry.row.disposition))
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *arena = arena_new(0);
	struct span text = span_make((const char *)data, size);

	if (size && data[0] == '#')
		try_row(span_skip(text, 1), arena);
	else
		try_rua(text, arena);
	arena_free(arena);
	return 0;
}
