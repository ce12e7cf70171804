#ifndef FILTER_CTL_REPORT_DAY_H
#define FILTER_CTL_REPORT_DAY_H

#include "filter/auth/report_row.h"
#include "filter/ctl/marks.h"

/*
 * What the store has of a day, part by part (REPORT_PARTS of them), so that a
 * busy day needs a part of its memory.
 */
struct report_day_row {
	struct span domain, name, value; /* value: see report_entry_read() */
	uint64_t count;
};

/* The rows of one policy domain. */
struct report_day_domain {
	struct span domain;
	const struct report_day_row *rows; /* the largest counts first */
	size_t n;
	uint64_t messages;
};

struct report_day_part {
	/* Those with most messages first. */
	struct report_day_domains VEC(struct report_day_domain) domains;
	uint64_t left_out; /* rows past REPORT_PART_ROWS_MAX */
	uint64_t damaged;  /* entries that are none */
};

#define REPORT_PART_ROWS_MAX 200000

/*
 * Reads a part of a day (days since 1970), all domains or `only`. EX_OK, or the
 * error was printed. Memory: arena.
 */
int report_day_read(const struct marks *marks, int64_t day, unsigned part,
    struct span only, struct arena *arena, struct report_day_part *ret);

/*
 * The report of a domain: of its rows the first `rows_max`; what is left out is
 * said in `errors`. The policy is the one of the row that was seen last.
 * ERR_NOTFOUND: no row could be read; ERR_NOMEM. Memory: arena, and views.
 */
int report_day_report(const struct report_day_domain *domain, size_t rows_max,
    struct arena *arena, struct report *ret) MUST_USE;

#endif
