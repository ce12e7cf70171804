#include "filter/store/store_breaker.h"

#include "filter/base/clock.h"

/*
 * The circuit breaker. A silent server opens it at the first call that waited
 * in vain, provided that nobody else got an answer meanwhile; refusals are
 * cheap, so a few in a row are needed.
 */

void
breaker_init(struct breaker *breaker)
{
	*breaker = (struct breaker){.pause_ms = BREAKER_PAUSE_FIRST_MS};
	lock_init(&breaker->lock, LOCK_STORE);
}

void
breaker_done(struct breaker *breaker)
{
	lock_done(&breaker->lock);
}

bool
breaker_enter(struct breaker *breaker, int64_t now)
{
	lock_take(&breaker->lock);
	bool may = breaker->state == BREAKER_CLOSED;
	if (breaker->state == BREAKER_OPEN && now >= breaker->until) {
		breaker->state = BREAKER_TRIAL;
		may = true;
	}
	lock_drop(&breaker->lock);
	return may;
}

static void
open_for(struct breaker *breaker, int64_t now)
{
	breaker->state = BREAKER_OPEN;
	breaker->until = now + breaker->pause_ms;
	breaker->pause_ms *= 2;
	if (breaker->pause_ms > BREAKER_PAUSE_MAX_MS)
		breaker->pause_ms = BREAKER_PAUSE_MAX_MS;
}

/* A call that began before the trial did. */
static bool
is_early(const struct breaker *breaker, int64_t begun)
{
	return begun < breaker->until;
}

/* A trial that learned nothing: the next caller may try at once. */
static void
leave_unknown(struct breaker *breaker, int64_t begun, int64_t now)
{
	if (breaker->state != BREAKER_TRIAL || is_early(breaker, begun))
		return;
	breaker->state = BREAKER_OPEN;
	breaker->until = now;
}

static void
leave_failed(struct breaker *breaker, bool silent, int64_t begun, int64_t now)
{
	breaker->failures++;
	if (breaker->state != BREAKER_CLOSED && is_early(breaker, begun))
		return;
	if (breaker->state == BREAKER_TRIAL ||
	    breaker->failures >= BREAKER_FAILURES ||
	    (silent && breaker->last_good <= begun))
		open_for(breaker, now);
}

void
breaker_leave(struct breaker *breaker, enum breaker_outcome outcome,
    int64_t begun, int64_t now)
{
	lock_take(&breaker->lock);
	switch (outcome) {
	case BREAKER_GOOD:
		breaker->state = BREAKER_CLOSED;
		breaker->failures = 0;
		breaker->pause_ms = BREAKER_PAUSE_FIRST_MS;
		breaker->last_good = now;
		break;
	case BREAKER_FAILED:
	case BREAKER_SILENT:
		leave_failed(breaker, outcome == BREAKER_SILENT, begun, now);
		break;
	case BREAKER_UNKNOWN:
		leave_unknown(breaker, begun, now);
		break;
	}
	lock_drop(&breaker->lock);
}

bool
breaker_is_closed(struct breaker *breaker)
{
	lock_take(&breaker->lock);
	bool closed = breaker->state == BREAKER_CLOSED;
	lock_drop(&breaker->lock);
	return closed;
}

int64_t
breaker_due(struct breaker *breaker)
{
	lock_take(&breaker->lock);
	int64_t due =
	    breaker->state == BREAKER_OPEN ? breaker->until : CLOCK_NEVER;
	lock_drop(&breaker->lock);
	return due;
}
