#ifndef FILTER_WATCH_H
#define FILTER_WATCH_H

#include "filter/daemon.h"

/*
 * Tells the operator's log what store and verdict log cannot tell themselves:
 * that they fail, that they work again, and what was lost. Zeroed: all is well
 * so far. For one thread.
 */
struct watch {
	bool store_down, log_down;
	uint64_t store_lost, log_lost; /* said so far */
	int64_t next_lost_ms;
};

/* To be called every second or so; says changes only. */
void watch_look(struct watch *watch, struct daemon *daemon);

#endif
