#ifndef FILTER_REGISTRY_H
#define FILTER_REGISTRY_H

#include <stdbool.h>
#include <stdint.h>

#include "filter/base/lock.h"

/*
 * All sessions that exist, and the admission count. libmilter ends without
 * closing sessions: the list keeps them reachable. Its worker pool has no
 * bound: the count gives it one. Thread: any.
 */
struct registry_link {
	struct registry_link *next, *prev;
};

struct registry {
	struct lock lock;
	struct registry_link all; /* guarded by lock */
	_Atomic unsigned sessions, sessions_max;
	_Atomic uint64_t admitted, turned_away;
};

void registry_init(struct registry *registry);
void registry_done(struct registry *registry);

void registry_add(struct registry *registry, struct registry_link *link);
void registry_remove(struct registry *registry, struct registry_link *link);

/* No session exists. */
bool registry_empty(struct registry *registry);

/* Counts a connection; false when there are `limit` of them already. */
bool registry_admit(struct registry *registry, unsigned limit);
/* For each registry_admit() that was true. */
void registry_leave(struct registry *registry);

#endif
