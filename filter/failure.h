#ifndef FILTER_FAILURE_H
#define FILTER_FAILURE_H

#include "filter/auth/report_failure.h"
#include "filter/policy.h"
#include "filter/ref.h"

/*
 * Notes messages for DMARC failure reports (report.failures = yes): what fails
 * DMARC, comes from outside, and whose domain asks for reports. Redacted here,
 * before it is kept; only the store's queue is touched. `assay report failures`
 * sends what was noted.
 */

#define FAILURE_KEEP_S 86400 /* noted, and not sent by then: forgotten */
/* Noted by one process in an hour: in all, and for the organisations that
 * share one of the counters. The rest is dropped: the aim is to show what
 * fails, not to count it (RFC 9991, security considerations). */
#define FAILURE_HOUR_MAX 1000
#define FAILURE_HOUR_DOMAIN_MAX 50

/* What a process noted in this hour. Guards itself (atomics). */
struct failure_gate;
struct failure_gate *failure_gate_new(void);       /* NULL: no memory */
void failure_gate_free(struct failure_gate *gate); /* accepts NULL */

/*
 * After a verdict was carried out. Never about reports: nothing of mail from
 * <>, of multipart/report, and to the addresses that reports of ours come from.
 *
 * key  the site's; what stands for local parts is made with it.
 */
void failure_note(struct failure_gate *gate, const struct settings *settings,
    const struct ref_key *key, struct scan *scan,
    const struct verdict *verdict);

/* What would be noted, without limits; false: nothing. For failure_note() and
 * tests. `ret_name` tells this failure from others. Memory: the scan's arena. */
bool failure_of(struct report_failure *ret,
    char ret_name[REPORT_FAILURE_NAME_SIZE], const struct settings *settings,
    const struct ref_key *key, struct scan *scan,
    const struct verdict *verdict);

#endif
