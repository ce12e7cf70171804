#ifndef FILTER_BASE_LOCK_H
#define FILTER_BASE_LOCK_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

/*
 * Mutexes with a rank. A thread takes locks of rising rank only; devel builds
 * abort on a wrong order and in lock_blocking() while one is held. Conditions
 * use the monotonic clock.
 */
enum lock_rank {
	LOCK_SNAPSHOT = 10,
	LOCK_REGISTRY = 20,
	LOCK_SLOTS = 25,
	LOCK_DNS = 30,
	LOCK_DNS_CACHE = 35,
	LOCK_STORE = 40,
	LOCK_QUEUE = 50,
	LOCK_LOG = 90,
};

struct lock {
	pthread_mutex_t mutex;
	enum lock_rank rank;
};

struct lock_cond {
	pthread_cond_t cond;
};

void lock_init(struct lock *lock, enum lock_rank rank);
void lock_done(struct lock *lock);
void lock_take(struct lock *lock);
void lock_drop(struct lock *lock);

void lock_cond_init(struct lock_cond *cond);
void lock_cond_done(struct lock_cond *cond);
void lock_signal(struct lock_cond *cond);
void lock_broadcast(struct lock_cond *cond);
/* Waits until signalled or `deadline` (clock.h); false when it has passed. */
bool lock_wait(struct lock_cond *cond, struct lock *lock, int64_t deadline);

/* Says that the caller is about to block: no lock may be held. */
void lock_blocking(void);

#endif
