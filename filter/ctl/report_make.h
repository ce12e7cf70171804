#ifndef FILTER_CTL_REPORT_MAKE_H
#define FILTER_CTL_REPORT_MAKE_H

#include "filter/auth/report_mail.h"
#include "filter/auth/report_rua.h"
#include "filter/ctl/report_day.h"

/* What a report is made of. */
struct report_making {
	const struct report_settings *settings;
	const struct report_secret *secret;
	struct span submitter; /* domain of report.from */
	int64_t day, now;
	const struct report_day_domain *domain;
};

struct report_made {
	struct buf xml, packed, mail; /* heap */
	size_t rows;                  /* in it */
};

/*
 * Makes the report's mail for one address, with as many rows as the sizes of
 * both sides allow, those with most messages. On 0 the caller ends it by
 * report_made_done(). ERR_LIMIT: not even one row fits; ERR_NOTFOUND: no row
 * can be read; ERR_NOMEM.
 */
int report_make(const struct report_making *job,
    const struct report_target *target, struct report_made *ret) MUST_USE;
void report_made_done(struct report_made *made);

#endif
