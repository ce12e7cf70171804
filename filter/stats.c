#include "filter/stats.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "filter/base/clock.h"

/*
 * Counters are relaxed atomics. Causes have names and come seldom: a small
 * table behind a lock.
 */

#define DEFER_PAUSE_MS (INT64_C(3600) * 1000)

void
stats_init(struct stats *stats, int64_t now)
{
	stats->started = now;
	lock_init(&stats->lock, LOCK_REGISTRY);
}

void
stats_done(struct stats *stats)
{
	lock_done(&stats->lock);
}

static void
count(_Atomic uint64_t *counter)
{
	atomic_fetch_add_explicit(counter, 1, memory_order_relaxed);
}

int64_t
stats_bucket_ms(unsigned bucket)
{
	return bucket + 1 < STATS_BUCKETS ? INT64_C(1) << bucket : 0;
}

void
stats_message(struct stats *stats, enum direction direction,
    const struct verdict *verdict, int64_t ms)
{
	unsigned bucket = 0;

	count(&stats->actions[direction == DIRECTION_OUT][verdict->action]);
	if (verdict->would != verdict->action)
		count(&stats->would[verdict->would]);
	while (bucket + 1 < STATS_BUCKETS && ms >= stats_bucket_ms(bucket))
		bucket++;
	count(&stats->latency[bucket]);
}

/* Called with the lock held. The last entry takes what finds no room. */
static struct stats_cause *
cause_of(struct stats *stats, const char *name)
{
	for (unsigned i = 0; i < stats->n_causes; i++)
		if (strncmp(
			stats->causes[i].name, name, STATS_CAUSE_SIZE - 1) == 0)
			return &stats->causes[i];
	if (stats->n_causes == STATS_CAUSES)
		return &stats->causes[STATS_CAUSES - 1];
	struct stats_cause *cause = &stats->causes[stats->n_causes++];
	snprintf(cause->name, sizeof cause->name, "%s",
	    stats->n_causes == STATS_CAUSES ? "other" : name);
	return cause;
}

void
stats_degraded(struct stats *stats, const char *cause)
{
	lock_take(&stats->lock);
	cause_of(stats, cause)->count++;
	lock_drop(&stats->lock);
}

bool
stats_defer_over(struct stats *stats, const char *cause, int64_t max_ms)
{
	int64_t now = clock_mono_ms();
	bool over;

	lock_take(&stats->lock);
	struct stats_cause *entry = cause_of(stats, cause);
	if (!entry->deferring_since ||
	    now - entry->deferred_last > DEFER_PAUSE_MS)
		entry->deferring_since = now;
	entry->deferred_last = now;
	over = now - entry->deferring_since >= max_ms;
	lock_drop(&stats->lock);
	return over;
}

unsigned
stats_causes(struct stats *stats, struct stats_cause ret[STATS_CAUSES])
{
	unsigned n;

	lock_take(&stats->lock);
	n = stats->n_causes;
	memcpy(ret, stats->causes, n * sizeof *ret);
	lock_drop(&stats->lock);
	return n;
}
