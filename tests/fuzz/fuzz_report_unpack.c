/*
 * What a file with received reports may be: archive, mail, XML; and what comes
 * out of it, read.
 */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>

#include "filter/auth/report.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *arena = arena_new((size_t)256 << 20);
	struct report_texts texts;
	struct err err = {0};
	size_t bytes = 0;

	assert(arena);
	int rc = report_unpack(
	    &texts, span_make((const char *)data, size), arena, &err);
	if (rc == 0) {
		assert(texts.n >= 1 && texts.n <= REPORT_FILES_MAX);
		for (size_t i = 0; i < texts.n; i++) {
			struct report report;
			bytes += texts.v[i].len;
			rc = report_read(&report, texts.v[i], arena, &err);
			assert(rc == 0 || rc == err.code);
		}
		assert(bytes <= REPORT_XML_MAX);
	} else {
		assert(rc == err.code && err.text[0]);
	}
	arena_free(arena);
	return 0;
}
