#ifndef FILTER_REPORT_H
#define FILTER_REPORT_H

#include "filter/auth/report_row.h"
#include "filter/policy.h"

/*
 * Gathers what DMARC aggregate reports need (report.dmarc = yes): for each
 * message that was judged, one more in a row of its day. Only the store's queue
 * is touched; `assay report dmarc` makes reports of it.
 */

#define REPORT_KEEP_DAYS 8 /* rows outlive their day by so much */

/*
 * Senders choose domains, envelopes and addresses, so they could make rows
 * without end. One process begins so many in a day, in all and for the
 * organisations that share one of the counters; what would need another is not counted.
 */
#define REPORT_FRESH_MAX 250000
#define REPORT_FRESH_DOMAIN_MAX 20000

/* What a process knows of the rows of this day. Guards itself (atomics). */
struct report_gather;
struct report_gather *report_gather_new(void);         /* NULL: no memory */
void report_gather_free(struct report_gather *gather); /* accepts NULL */
/* Messages left out since the start, for want of rows. */
uint64_t report_gather_left_out(const struct report_gather *gather);
/* Whether a row may be written on that day: it is known, or there is room for
 * one more. Thread: any. */
bool report_gather_room(struct report_gather *gather, int64_t day,
    struct span name, struct span domain);

/*
 * Notes a message after its verdict was carried out: incoming or relayed, DMARC
 * was decided and the record asks for reports. A message that was deferred is
 * not noted: it comes again.
 */
void report_note(struct report_gather *gather, const struct settings *settings,
    struct scan *scan, const struct verdict *verdict);

/* True of a domain of report.exclude and what is below it. */
bool report_is_excluded(
    const struct report_settings *settings, struct span domain);

/* The row of a message; false when it has none. For report_note() and tests.
 * Memory: the scan's arena. */
bool report_entry_of(struct report_entry *ret, const struct settings *settings,
    struct scan *scan, const struct verdict *verdict);

#endif
