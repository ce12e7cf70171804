#include "filter/ctl/report_table.h"

#include <inttypes.h>
#include <stdlib.h>
#include <time.h>

#include "filter/ctl/ctl.h"

/*
 * Received aggregate reports for a postmaster: each report with its rows, and
 * over all of them what every client did. What he looks for is mail of his own
 * servers that fails, so clients with the most failures come first.
 */

#define FROM_WIDTH_MAX 32
#define INDENT "    "

/* --- cells ---------------------------------------------------------------------- */

/* Text of a report, and how wide it is when shown. */
static size_t
print_cell(struct span text, size_t width)
{
	struct buf safe;

	buf_init(&safe, NULL, 8 * REPORT_TEXT_MAX);
	if (text.len)
		ctl_add_safe(&safe, text);
	else
		buf_add_char(&safe, '-');
	size_t len = safe.len;
	fputs(buf_str(&safe), stdout);
	for (size_t i = len; i < width; i++)
		putchar(' ');
	buf_done(&safe);
	return len;
}

static size_t
wider(size_t width, struct span text, size_t max)
{
	size_t len = text.len < max ? text.len : max;

	return len > width ? len : width;
}

#define UTC_SIZE 32

static const char *
utc(int64_t when, char text[UTC_SIZE])
{
	time_t t = (time_t)when;
	struct tm tm;

	if (when < 0 || !gmtime_r(&t, &tm) ||
	    !strftime(text, UTC_SIZE, "%Y-%m-%d %H:%M:%S", &tm))
		return "?";
	return text;
}

static void
print_time(int64_t begin, int64_t end)
{
	char from[UTC_SIZE], to[UTC_SIZE];

	printf("%s to %s UTC", utc(begin, from), utc(end, to));
}

/* --- one report ----------------------------------------------------------------- */

static void
print_tag(const char *name, struct span value)
{
	if (!value.p)
		return;
	printf(" %s=", name);
	print_cell(value, 0);
}

static void
print_head(const char *file, const struct report *report)
{
	print_cell(report->org_name, 0);
	fputs(" <", stdout);
	print_cell(report->email, 0);
	fputs(">, report ", stdout);
	print_cell(report->report_id, 0);
	fputs(", in ", stdout);
	print_cell(span_of(file), 0);
	putchar('\n');
	print_time(report->begin, report->end);
	fputs(", ", stdout);
	print_cell(report->domain, 0);
	putchar(':');
	print_tag("p", report->p);
	print_tag("sp", report->sp);
	print_tag("np", report->np);
	print_tag("adkim", report->adkim);
	print_tag("aspf", report->aspf);
	print_tag("t", report->testing);
	putchar('\n');
	for (size_t i = 0; i < report->errors.n; i++) {
		fputs("error: ", stdout);
		print_cell(report->errors.v[i], 0);
		putchar('\n');
	}
}

static void
print_result(const char *method, struct span result, struct span domain,
    const char **separator)
{
	printf("%s%s=", *separator, method);
	print_cell(result, 0);
	putchar(' ');
	print_cell(domain, 0);
	*separator = ", ";
}

/* Who authenticated what, and why the policy was not followed. */
static void
print_results(const struct report_row *row)
{
	const char *separator = "";

	for (size_t i = 0; i < row->dkim_results.n; i++)
		print_result("dkim", row->dkim_results.v[i].result,
		    row->dkim_results.v[i].domain, &separator);
	for (size_t i = 0; i < row->spf_results.n; i++)
		print_result("spf", row->spf_results.v[i].result,
		    row->spf_results.v[i].domain, &separator);
	for (size_t i = 0; i < row->reasons.n; i++) {
		printf("%sreason ", separator);
		print_cell(row->reasons.v[i].type, 0);
		separator = ", ";
	}
	if (!*separator)
		putchar('-');
}

struct widths {
	size_t ip, from;
};

static void
print_row(const struct report_row *row, const struct widths *width)
{
	fputs(INDENT, stdout);
	print_cell(row->source_ip, width->ip);
	printf("  %8" PRIu64 "  ", row->count);
	print_cell(row->disposition, 11);
	fputs("  ", stdout);
	print_cell(row->dkim, 4);
	fputs("  ", stdout);
	print_cell(row->spf, 4);
	fputs("  ", stdout);
	print_cell(row->header_from, width->from);
	fputs("  ", stdout);
	print_results(row);
	putchar('\n');
}

void
report_print(const char *file, const struct report *report)
{
	struct widths width = {sizeof "SOURCE" - 1, sizeof "FROM" - 1};

	print_head(file, report);
	for (size_t i = 0; i < report->rows.n; i++) {
		const struct report_row *row = &report->rows.v[i];
		width.ip = wider(width.ip, row->source_ip, IP_TEXT_SIZE);
		width.from =
		    wider(width.from, row->header_from, FROM_WIDTH_MAX);
	}
	printf(INDENT "%-*s  %8s  %-11s  %-4s  %-4s  %-*s  %s\n", (int)width.ip,
	    "SOURCE", "COUNT", "DISPOSITION", "DKIM", "SPF", (int)width.from,
	    "FROM", "AUTHENTICATED");
	for (size_t i = 0; i < report->rows.n; i++)
		print_row(&report->rows.v[i], &width);
	putchar('\n');
}

/* --- sums ----------------------------------------------------------------------- */

void
report_sums_init(struct report_sums *sums, struct arena *arena)
{
	*sums = (struct report_sums){.arena = arena, .begin = -1, .end = -1};
	map_init(&sums->sources, arena, false);
	map_init(&sums->seen, arena, false);
}

/* Of strangers' numbers: they stop at the largest. */
static void
add(uint64_t *sum, uint64_t count)
{
	if (__builtin_add_overflow(*sum, count, sum))
		*sum = UINT64_MAX;
}

/* Once per report, however often it was mailed or kept. Its counts belong to
 * what makes it the same: nobody can hide one behind another. */
static int
note_report(struct report_sums *sums, const struct report *report)
{
	uint64_t messages = 0;

	if (!report->report_id.len)
		return 0;
	for (size_t i = 0; i < report->rows.n; i++)
		add(&messages, report->rows.v[i].count);
	struct span key = arena_printf(sums->arena,
	    "%lld %lld %zu %" PRIu64 "\n%.*s\n%.*s\n%.*s",
	    (long long)report->begin, (long long)report->end, report->rows.n,
	    messages, SPAN_ARG(report->org_name), SPAN_ARG(report->report_id),
	    SPAN_ARG(report->domain));
	if (key.p && map_get(&sums->seen, key))
		return ERR_STATE;
	if (!key.p || map_put(&sums->seen, key, sums))
		return ERR_NOMEM;
	return 0;
}

static struct report_source *
find_source(struct report_sums *sums, struct span text)
{
	struct ip ip = {0};

	if (text.len && ip_parse(text, &ip))
		ip = (struct ip){0};
	struct span key = span_make((const char *)&ip, sizeof ip);
	struct report_source *source = map_get(&sums->sources, key);
	if (source)
		return source;
	source = arena_zalloc(sums->arena, sizeof *source);
	if (!source)
		return NULL;
	source->ip = ip;
	key.p = (const char *)&source->ip;
	if (map_put(&sums->sources, key, source))
		return NULL;
	struct report_source **entry = VEC_PUSH(sums->arena, &sums->list);
	if (!entry)
		return NULL;
	return *entry = source;
}

static void
count_row(struct report_source *source, const struct report_row *row)
{
	bool dkim = span_caseis(row->dkim, "pass");
	bool spf = span_caseis(row->spf, "pass");

	add(&source->messages, row->count);
	add(&source->dkim, dkim ? row->count : 0);
	add(&source->spf, spf ? row->count : 0);
	add(&source->failed, dkim || spf ? 0 : row->count);
	if (span_caseis(row->disposition, "quarantine"))
		add(&source->quarantined, row->count);
	else if (span_caseis(row->disposition, "reject"))
		add(&source->rejected, row->count);
}

static int
note_from(
    struct report_sums *sums, struct report_source *source, struct span from)
{
	if (!from.len)
		return 0;
	if (source->from.p) {
		if (!span_caseeq(source->from, from))
			source->more_from = true;
		return 0;
	}
	source->from = arena_span(sums->arena, from);
	return source->from.p ? 0 : ERR_NOMEM;
}

int
report_sums_add(struct report_sums *sums, const struct report *report)
{
	int rc = note_report(sums, report);

	if (rc)
		return rc;
	sums->reports++;
	if (report->begin >= 0 &&
	    (sums->begin < 0 || report->begin < sums->begin))
		sums->begin = report->begin;
	if (report->end > sums->end)
		sums->end = report->end;
	for (size_t i = 0; i < report->rows.n; i++) {
		const struct report_row *row = &report->rows.v[i];
		struct report_source *source =
		    find_source(sums, row->source_ip);
		if (!source || note_from(sums, source, row->header_from))
			return ERR_NOMEM;
		count_row(source, row);
		count_row(&sums->all, row);
	}
	return 0;
}

static int
worst_first(const void *pa, const void *pb)
{
	const struct report_source *a = *(struct report_source *const *)pa;
	const struct report_source *b = *(struct report_source *const *)pb;

	if (a->failed != b->failed)
		return a->failed > b->failed ? -1 : 1;
	if (a->messages != b->messages)
		return a->messages > b->messages ? -1 : 1;
	return memcmp(&a->ip, &b->ip, sizeof a->ip);
}

void
report_sums_sort(struct report_sums *sums)
{
	if (sums->list.n)
		qsort(sums->list.v, sums->list.n, sizeof *sums->list.v,
		    worst_first);
}

static void
print_source(const struct report_source *s)
{
	char ip[IP_TEXT_SIZE] = "unknown";

	if (s->ip.family)
		ip_format(&s->ip, ip);
	printf(INDENT "%-39s  %8" PRIu64 "  %8" PRIu64 "  %8" PRIu64
		      "  %8" PRIu64 "  %8" PRIu64 "  %8" PRIu64 "  ",
	    ip, s->failed, s->messages, s->dkim, s->spf, s->quarantined,
	    s->rejected);
	print_cell(s->from, 0);
	puts(s->more_from ? ", ..." : "");
}

static void
print_number(uint64_t n, const char *what)
{
	printf("%" PRIu64 " %s%s", n, what, n == 1 ? "" : "s");
}

void
report_sums_print(const struct report_sums *sums)
{
	const struct report_source *all = &sums->all;

	print_number(sums->reports, "report");
	if (sums->reports) {
		fputs(", ", stdout);
		print_time(sums->begin, sums->end);
	}
	fputs(": ", stdout);
	print_number(all->messages, "message");
	fputs(" from ", stdout);
	print_number(sums->list.n, "client");
	printf(", %" PRIu64 " failed DMARC, %" PRIu64 " quarantined, %" PRIu64
	       " rejected\n",
	    all->failed, all->quarantined, all->rejected);
	if (!sums->list.n)
		return;
	printf(INDENT "%-39s  %8s  %8s  %8s  %8s  %8s  %8s  %s\n", "SOURCE",
	    "FAILED", "MESSAGES", "DKIM", "SPF", "QUARANT.", "REJECTED",
	    "FROM");
	for (size_t i = 0; i < sums->list.n; i++)
		print_source(sums->list.v[i]);
}
