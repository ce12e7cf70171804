#ifndef FILTER_CTL_REPORT_JOB_H
#define FILTER_CTL_REPORT_JOB_H

#include "filter/auth/report_rua.h"
#include "filter/ctl/report_day.h"
#include "filter/dns/dns.h"

/* One run of `assay report dmarc`. */
struct report_run {
	struct ctl *ctl;
	const struct settings *settings;
	struct marks marks;
	struct report_secret secret;
	struct dns *dns;
	struct span submitter; /* domain of report.from */
	bool dry;              /* print, send nothing, mark nothing */
	int64_t now;
	/* of the day at hand: name to `struct span`, see report_mark.h */
	struct map mails, days, bounces;
	int64_t lost_ms; /* waited for silent DNS in this part of the day */
	/* what became of mails */
	size_t sent, waiting, refused, skipped, unknown;
	bool stop; /* nothing that follows would fare better */
};

/*
 * Makes and sends the reports of one domain about one day. Returns EX_OK also
 * when some of it has to wait; else the run ends with that status.
 */
int report_job(struct report_run *run, int64_t day,
    const struct report_day_domain *domain, struct arena *arena);

#endif
