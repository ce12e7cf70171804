#ifndef FILTER_STATS_H
#define FILTER_STATS_H

#include <stdbool.h>
#include <stdint.h>

#include "filter/base/lock.h"
#include "filter/policy.h"

/*
 * What the daemon did since it started, for `assay status`; and since when
 * each cause has been deferring mail. Thread: any.
 */
#define STATS_DIRECTIONS 2
#define STATS_ACTIONS (ACTION_TEMPFAIL + 1)
#define STATS_CAUSES 32     /* names told apart; others are "other" */
#define STATS_CAUSE_SIZE 48 /* bytes of a name with its NUL */
#define STATS_BUCKETS 18    /* under 1, 2, 4 ... 65536 ms, and more */

struct stats_cause {
	char name[STATS_CAUSE_SIZE];
	uint64_t count; /* messages that it degraded */
	/* The spell of deferring that goes on, clock_mono_ms(); 0: none. */
	int64_t deferring_since, deferred_last;
};

struct stats {
	int64_t started; /* Unix time */
	_Atomic uint64_t actions[STATS_DIRECTIONS][STATS_ACTIONS];
	_Atomic uint64_t would[STATS_ACTIONS]; /* in observe, not accept */
	_Atomic uint64_t aborted;  /* messages that never came to their end */
	_Atomic uint64_t unedited; /* the MTA refused an edit of ours */
	_Atomic uint64_t reloads, reloads_failed;
	_Atomic uint64_t latency[STATS_BUCKETS]; /* of end of message */
	struct lock lock;
	struct stats_cause causes[STATS_CAUSES]; /* guarded by lock */
	unsigned n_causes;                       /* guarded by lock */
};

void stats_init(struct stats *stats, int64_t now);
void stats_done(struct stats *stats);

/* One judged message. */
void stats_message(struct stats *stats, enum direction direction,
    const struct verdict *verdict, int64_t ms);
void stats_degraded(struct stats *stats, const char *cause);

/* Upper bound of a bucket in ms; 0 for the last, which has none. */
int64_t stats_bucket_ms(unsigned bucket);

/*
 * Notes that `cause` would defer a message now. True once it has done so for
 * `max_ms` without a pause of an hour: then the message is let through.
 */
bool stats_defer_over(struct stats *stats, const char *cause, int64_t max_ms);

/* A copy of the causes. */
unsigned stats_causes(
    struct stats *stats, struct stats_cause ret[STATS_CAUSES]);

#endif
