#include "filter/ctl/report_day.h"

#include <stdlib.h>

#include "filter/base/clock.h"

/*
 * Descriptions and counts are entries of two kinds with the same names: the
 * first are listed, the second asked for. A description without a count was
 * half written, a count without a description is not found.
 */

#define COUNTS_AT_ONCE 1000

struct listing {
	struct arena *arena, *scratch;
	struct span only;
	struct report_day_rows VEC(struct report_day_row) rows;
	struct report_day_part *part;
	bool failed;
};

static bool
take_row(void *arg, const struct store_entry *entry)
{
	struct listing *l = arg;
	struct report_entry row;

	arena_reset(l->scratch);
	if (report_entry_read(&row, entry->value, l->scratch)) {
		l->part->damaged++;
		return true;
	}
	if (l->only.p && !span_eq(row.policy.domain, l->only))
		return true;
	if (l->rows.n == REPORT_PART_ROWS_MAX) {
		l->part->left_out++;
		return true;
	}
	struct report_day_row *to = VEC_PUSH(l->arena, &l->rows);
	if (to)
		*to = (struct report_day_row){
		    .domain = arena_span(l->arena, row.policy.domain),
		    .name = arena_span(l->arena, entry->name),
		    .value = arena_span(l->arena, entry->value),
		};
	l->failed = arena_failed(l->arena);
	return !l->failed;
}

static int
count_rows(struct store *store, struct listing *l, struct err *err)
{
	struct store_key keys[COUNTS_AT_ONCE];
	struct store_counts counts[COUNTS_AT_ONCE];
	int rc = 0;

	for (size_t at = 0; rc == 0 && at < l->rows.n; at += COUNTS_AT_ONCE) {
		size_t n = l->rows.n - at;
		struct report_day_row *rows = &l->rows.v[at];
		if (n > COUNTS_AT_ONCE)
			n = COUNTS_AT_ONCE;
		for (size_t i = 0; i < n; i++)
			keys[i] =
			    (struct store_key){STORE_REPORTED, rows[i].name};
		rc = store_get(store, keys, n, clock_wall(),
		    clock_deadline(MARKS_STORE_MS), NULL, counts, err);
		for (size_t i = 0; rc == 0 && i < n; i++)
			rows[i].count =
			    counts[i].v[0] > 0 ? (uint64_t)counts[i].v[0] : 0;
	}
	return rc;
}

/* By domain; in it the largest counts first, then by name, so that a report
 * that is made again is the same. */
static int
compare_rows(const void *a, const void *b)
{
	const struct report_day_row *x = a, *y = b;
	int order = span_cmp(x->domain, y->domain);

	if (order == 0 && x->count != y->count)
		order = x->count > y->count ? -1 : 1;
	return order ? order : span_cmp(x->name, y->name);
}

/* Redis may list a key twice while it rearranges its table; sorted, they stand
 * beside each other. */
static void
drop_twins(struct report_day_rows *rows)
{
	size_t n = 0;

	for (size_t i = 0; i < rows->n; i++)
		if (n == 0 || !span_eq(rows->v[i].name, rows->v[n - 1].name))
			rows->v[n++] = rows->v[i];
	rows->n = n;
}

/* Those with most messages first: what time there is goes to them. */
static int
compare_domains(const void *a, const void *b)
{
	const struct report_day_domain *x = a, *y = b;

	if (x->messages != y->messages)
		return x->messages > y->messages ? -1 : 1;
	return span_cmp(x->domain, y->domain);
}

static void
group_rows(struct listing *l)
{
	struct report_day_domain *d = NULL;

	if (l->rows.n)
		qsort(l->rows.v, l->rows.n, sizeof *l->rows.v, compare_rows);
	drop_twins(&l->rows);
	for (size_t i = 0; i < l->rows.n; i++) {
		const struct report_day_row *row = &l->rows.v[i];
		if (row->count == 0)
			continue;
		if (!d || !span_eq(d->domain, row->domain)) {
			d = VEC_PUSH(l->arena, &l->part->domains);
			if (!d)
				return;
			*d = (struct report_day_domain){
			    .domain = row->domain, .rows = row};
		}
		d->n++;
		d->messages += row->count;
	}
	if (d)
		qsort(l->part->domains.v, l->part->domains.n,
		    sizeof *l->part->domains.v, compare_domains);
}

int
report_day_read(const struct marks *marks, int64_t day, unsigned part,
    struct span only, struct arena *arena, struct report_day_part *ret)
{
	char prefix[REPORT_ENTRY_NAME_MAX];
	size_t len = report_entry_prefix(day, part, prefix);
	struct listing listing = {.arena = arena, .only = only, .part = ret};
	struct store *store;
	struct err err;
	int status = marks_open_store(marks, &store);

	*ret = (struct report_day_part){0};
	if (status || !store)
		return status;
	listing.scratch = arena_new(0);
	int rc = listing.scratch
		     ? store_each(store, STORE_REPORT, span_make(prefix, len),
			   clock_wall(), clock_deadline(MARKS_STORE_MS),
			   take_row, &listing, &err)
		     : err_set(&err, ERR_NOMEM, "out of memory");
	if (rc == 0)
		rc = count_rows(store, &listing, &err);
	store_close(store);
	arena_free(listing.scratch);
	if (rc == 0)
		group_rows(&listing);
	if (rc == 0 && (listing.failed || arena_failed(arena)))
		rc = err_set(&err, ERR_NOMEM, "out of memory");
	return rc ? ctl_fail(marks->ctl,
			rc == ERR_NOMEM ? EX_OSERR : EX_UNAVAILABLE, "%s",
			err.text)
		  : EX_OK;
}

static void
say_left_out(struct report *report, uint64_t rows, uint64_t messages,
    struct arena *arena)
{
	struct span *error = VEC_PUSH(arena, &report->errors);

	if (error)
		*error = arena_printf(arena,
		    "%llu records with %llu messages were left out, the"
		    " report would be too large",
		    (unsigned long long)rows, (unsigned long long)messages);
}

int
report_day_report(const struct report_day_domain *domain, size_t rows_max,
    struct arena *arena, struct report *ret)
{
	uint64_t rows = 0, messages = 0;
	int64_t seen = -1;
	struct report report = {.begin = -1, .end = -1};

	for (size_t i = 0; i < domain->n; i++) {
		struct report_entry entry;
		if (report_entry_read(&entry, domain->rows[i].value, arena))
			continue;
		if (entry.seen > seen) {
			struct report_rows kept = report.rows;
			struct report_errors errors = report.errors;
			report = entry.policy;
			report.rows = kept;
			report.errors = errors;
			seen = entry.seen;
		}
		if (report.rows.n >= rows_max) {
			rows++;
			messages += domain->rows[i].count;
			continue;
		}
		struct report_row *row = VEC_PUSH(arena, &report.rows);
		if (!row)
			return ERR_NOMEM;
		*row = entry.row;
		row->count = domain->rows[i].count;
	}
	if (rows)
		say_left_out(&report, rows, messages, arena);
	report.discovery = SPAN("treewalk");
	report.version = SPAN("1.0");
	report.rfc9990 = true;
	*ret = report;
	if (arena_failed(arena))
		return ERR_NOMEM;
	return report.rows.n ? 0 : ERR_NOTFOUND;
}
