/* DMARC records. */
#include <stdlib.h>

#include "filter/auth/dmarc.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check_inside(struct span s, struct span text)
{
	if (s.p && (s.p < text.p || s.p + s.len > text.p + text.len))
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *arena = arena_new(0);
	struct span text = span_make((const char *)data, size);
	struct dmarc_record record;

	int rc = dmarc_parse(&record, text, arena);
	if (rc != 0 && rc != ERR_SYNTAX && rc != ERR_INVALID)
		abort();
	if (rc != ERR_SYNTAX) {
		check_inside(record.rua, text);
		check_inside(record.ruf, text);
		check_inside(record.fo, text);
		if (record.p > DMARC_POLICY_REJECT ||
		    record.sp > DMARC_POLICY_REJECT ||
		    record.np > DMARC_POLICY_REJECT)
			abort();
		if (rc == ERR_INVALID && record.p != DMARC_POLICY_NONE)
			abort();
		if (!strchr("ynu", record.psd))
			abort();
	}
	arena_free(arena);
	return 0;
}
