/*
 * The XML of a received aggregate report. What was read is inside its limits,
 * numbers in their ranges, texts UTF-8.
 */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>

#include "filter/auth/report.h"
#include "filter/base/ip.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check_text(struct span text)
{
	assert(text.p || text.len == 0);
	assert(text.len <= REPORT_TEXT_MAX);
	assert(span_is_utf8(text));
	assert(span_trim(text).len == text.len);
}

static void
check_row(const struct report_row *row)
{
	struct ip ip;

	assert(row->count <= UINT64_C(1000000000000));
	assert(!row->source_ip.p || ip_parse(row->source_ip, &ip) == 0);
	check_text(row->disposition);
	check_text(row->dkim);
	check_text(row->spf);
	check_text(row->header_from);
	check_text(row->envelope_from);
	check_text(row->envelope_to);
	for (size_t i = 0; i < row->reasons.n; i++)
		check_text(row->reasons.v[i].comment);
	for (size_t i = 0; i < row->dkim_results.n; i++) {
		check_text(row->dkim_results.v[i].domain);
		check_text(row->dkim_results.v[i].human);
	}
	for (size_t i = 0; i < row->spf_results.n; i++) {
		check_text(row->spf_results.v[i].domain);
		check_text(row->spf_results.v[i].human);
	}
}

static void
check_report(const struct report *report)
{
	assert(report->begin >= -1 && report->end >= -1);
	check_text(report->version);
	check_text(report->org_name);
	check_text(report->report_id);
	check_text(report->domain);
	check_text(report->p);
	assert(report->rows.n <= REPORT_ROWS_MAX);
	for (size_t i = 0; i < report->errors.n; i++)
		check_text(report->errors.v[i]);
	for (size_t i = 0; i < report->rows.n; i++)
		check_row(&report->rows.v[i]);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *arena = arena_new((size_t)64 << 20);
	struct report report;
	struct err err = {0};

	assert(arena);
	int rc = report_read(
	    &report, span_make((const char *)data, size), arena, &err);
	if (rc == 0)
		check_report(&report);
	else
		assert(rc == err.code && err.text[0]);
	arena_free(arena);
	return 0;
}
