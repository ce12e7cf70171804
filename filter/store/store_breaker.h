#ifndef FILTER_STORE_STORE_BREAKER_H
#define FILTER_STORE_STORE_BREAKER_H

#include <stdbool.h>
#include <stdint.h>

#include "filter/base/lock.h"

/*
 * Keeps calls away from a server that does not answer, so that it costs a
 * message nothing. Closed: all pass. Open: none until a pause is over, which
 * doubles with each failed trial. Then one caller tries, the others are still
 * kept away until its result is known.
 *
 * Times are clock_mono_ms(), given by the caller. Thread: any.
 */
#define BREAKER_FAILURES 3 /* in a row open it */
#define BREAKER_PAUSE_FIRST_MS 250
#define BREAKER_PAUSE_MAX_MS 10000

enum breaker_state { BREAKER_CLOSED, BREAKER_OPEN, BREAKER_TRIAL };

/* How a call went. */
enum breaker_outcome {
	BREAKER_GOOD, /* the server answered */
	BREAKER_FAILED,
	BREAKER_SILENT,  /* nothing came in the whole time of a call */
	BREAKER_UNKNOWN, /* says nothing about the server */
};

struct breaker {
	struct lock lock;
	/* Under the lock: */
	enum breaker_state state;
	unsigned failures; /* in a row */
	int64_t pause_ms;  /* the current, or the next */
	int64_t until;     /* open until then */
	int64_t last_good; /* when an answer last came */
};

void breaker_init(struct breaker *breaker);
void breaker_done(struct breaker *breaker);
/* May this call be made? After true comes breaker_leave(). */
bool breaker_enter(struct breaker *breaker, int64_t now);
/* begun: when the call entered. */
void breaker_leave(struct breaker *breaker, enum breaker_outcome outcome,
    int64_t begun, int64_t now);
bool breaker_is_closed(struct breaker *breaker);
/* When the next trial is due; CLOCK_NEVER while closed or while it runs. */
int64_t breaker_due(struct breaker *breaker);

#endif
