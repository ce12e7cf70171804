#ifndef FILTER_CTL_REPORT_TABLE_H
#define FILTER_CTL_REPORT_TABLE_H

#include "filter/auth/report.h"
#include "filter/base/ip.h"
#include "filter/base/map.h"

/*
 * Received aggregate reports as people and programs read them, and the sums
 * over many of them. Everything in a report is its sender's: what is no plain
 * text is shown as \xNN.
 */

/* A client over all reports. "Failed": neither DKIM nor SPF passed DMARC. */
struct report_source {
	struct ip ip; /* family 0: reports did not say */
	uint64_t messages, failed, dkim,
	    spf; /* dkim, spf: passed and aligned */
	uint64_t quarantined, rejected;
	struct span from; /* a From domain; the first one seen */
	bool more_from;   /* and there were others */
};

struct report_sums {
	struct arena *arena;
	struct map sources; /* by address */
	struct map seen;    /* reports, by reporter, id, domain, time */
	struct report_sources VEC(struct report_source *) list;
	size_t reports;
	int64_t begin, end; /* -1: not known */
	struct report_source all;
};

void report_sums_init(struct report_sums *sums, struct arena *arena);

/*
 * Counts a report. ERR_STATE: this very report was counted before (the same
 * reporter, id, domain, time, counts), nothing is done. ERR_NOMEM.
 */
int report_sums_add(
    struct report_sums *sums, const struct report *report) MUST_USE;

/* Worst first: most failed messages, then most messages, then address. */
void report_sums_sort(struct report_sums *sums);

/* One report: who, when, which policy; a line per record. */
void report_print(const char *file, const struct report *report);
/* The same as one JSON object in one line. */
void report_print_json(const char *file, const struct report *report);
/* What all reports say of each client. */
void report_sums_print(const struct report_sums *sums);

#endif
