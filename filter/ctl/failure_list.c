#include "filter/ctl/failure_list.h"

#include <stdlib.h>

#include "filter/base/clock.h"

/*
 * Failures and their counts are entries of two kinds with the same names, as
 * filter/failure.c writes them: the first are listed, the second asked for.
 */

#define COUNTS_AT_ONCE 1000

struct listing {
	struct arena *arena;
	struct noted_list noted;
	size_t damaged; /* entries that are none */
	bool failed;    /* out of memory */
};

static bool
take_entry(void *arg, const struct store_entry *entry)
{
	struct listing *l = arg;
	struct noted one = {.name = arena_span(l->arena, entry->name)};
	struct span value = arena_span(l->arena, entry->value);

	l->failed = !one.name.p || !value.p;
	if (l->failed)
		return false;
	if (report_failure_read(&one.failure, value)) {
		l->damaged++;
		return true;
	}
	struct noted *to = VEC_PUSH(l->arena, &l->noted);
	l->failed = !to;
	if (to)
		*to = one;
	return to && l->noted.n < FAILURE_LIST_MAX;
}

static int
count_noted(
    struct listing *l, struct store *store, int64_t now, struct err *err)
{
	struct store_key keys[COUNTS_AT_ONCE];
	struct store_counts counts[COUNTS_AT_ONCE];
	int rc = 0;

	for (size_t at = 0; rc == 0 && at < l->noted.n; at += COUNTS_AT_ONCE) {
		size_t n = l->noted.n - at;
		struct noted *v = &l->noted.v[at];
		n = n < COUNTS_AT_ONCE ? n : COUNTS_AT_ONCE;
		for (size_t i = 0; i < n; i++)
			keys[i] = (struct store_key){STORE_FAILURES, v[i].name};
		rc = store_get(store, keys, n, now,
		    clock_deadline(MARKS_STORE_MS), NULL, counts, err);
		for (size_t i = 0; rc == 0 && i < n; i++)
			v[i].count =
			    counts[i].v[0] > 0 ? (uint64_t)counts[i].v[0] : 0;
	}
	return rc;
}

/* The most frequent first; those of one count in the order of names. */
static int
compare(const void *pa, const void *pb)
{
	const struct noted *a = pa, *b = pb;

	if (a->count != b->count)
		return a->count > b->count ? -1 : 1;
	return span_cmp(a->name, b->name);
}

static int
list_all(struct listing *l, struct store *store, int64_t now, struct err *err)
{
	int rc = store_each(store, STORE_FAILURE, SPAN(""), now,
	    clock_deadline(MARKS_STORE_MS), take_entry, l, err);

	if (rc == 0 && l->failed)
		rc = err_set(err, ERR_NOMEM, "out of memory");
	if (rc == 0)
		rc = count_noted(l, store, now, err);
	if (rc == 0 && l->noted.n)
		qsort(l->noted.v, l->noted.n, sizeof *l->noted.v, compare);
	return rc;
}

int
failure_list_read(const struct marks *marks, int64_t now, struct arena *arena,
    struct noted_list *ret)
{
	struct listing l = {.arena = arena};
	struct store *store;
	struct err err;
	int status = marks_open_store(marks, &store);

	*ret = (struct noted_list){0};
	if (status || !store)
		return status;
	int rc = list_all(&l, store, now, &err);
	store_close(store);
	if (rc)
		return ctl_fail(marks->ctl,
		    rc == ERR_NOMEM ? EX_OSERR : EX_UNAVAILABLE, "%s",
		    err.text);
	if (l.damaged)
		ctl_fail(
		    marks->ctl, EX_OK, "%zu failures are damaged", l.damaged);
	*ret = l.noted;
	return EX_OK;
}
