#include "filter/log/log_day.h"
#include "filter/log/log_sqlite.h"
#include "filter/log/verdictlog.h"

/*
 * Reading goes over the days that a query can touch, by their names, oldest or
 * newest first. A day that cannot be read hides no other: its error is given
 * at the end.
 */

#define DAYS_BUDGET ((size_t)4 << 20)

static bool
touches(const struct verdictlog_query *query, int64_t day)
{
	if (query->since && day < log_day_of(query->since))
		return false;
	return !query->until || day <= log_day_of(query->until - 1);
}

static int
read_days(const char *folder, const struct log_days *days,
    const struct verdictlog_query *query, verdictlog_fn *fn, void *arg,
    struct err *err)
{
	uint64_t left = query->limit ? query->limit : UINT64_MAX;
	char path[LOG_PATH_SIZE];
	bool more = true;
	int result = 0;

	for (size_t i = 0; i < days->n && more; i++) {
		size_t at = query->newest_first ? days->n - 1 - i : i;
		if (!touches(query, days->v[at]))
			continue;
		struct err *first = result ? NULL : err;
		int rc = log_day_path(folder, days->v[at], path, first);
		if (!rc)
			rc = log_sqlite_read(
			    path, query, &left, fn, arg, &more, first);
		if (rc && !result)
			result = rc;
	}
	return result;
}

int
verdictlog_read(const char *folder, const struct verdictlog_query *query,
    verdictlog_fn *fn, void *arg, struct err *err)
{
	struct arena *arena = arena_new(DAYS_BUDGET);
	struct err problem = {0};
	struct log_days days;

	if (!arena)
		return err_set(err, ERR_NOMEM, "%s: out of memory", folder);
	int rc = log_days_list(folder, arena, &days, &problem);
	if (!rc)
		rc = read_days(folder, &days, query, fn, arg, err);
	else if (rc == ERR_NOTFOUND)
		rc = 0;
	else
		(void)err_set(err, rc, "%s", problem.text);
	arena_free(arena);
	return rc;
}
