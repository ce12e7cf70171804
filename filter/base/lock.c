#include "filter/base/lock.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "filter/base/clock.h"

/*
 * Thin wrappers. Devel builds keep the ranks that this thread holds: the only
 * thread-local variable of the program, empty between callbacks, so it cannot
 * go wrong when a session changes threads.
 */

#if DEVEL
#	define HELD_MAX 8
static __thread enum lock_rank held[HELD_MAX];
static __thread unsigned held_n;

static void
held_push(enum lock_rank rank)
{
	if (held_n && held[held_n - 1] >= rank) {
		fprintf(stderr, "lock rank %d taken while %d is held\n",
		    (int)rank, (int)held[held_n - 1]);
		abort();
	}
	assert(held_n < HELD_MAX);
	held[held_n++] = rank;
}

static void
held_pop(enum lock_rank rank)
{
	assert(held_n && held[held_n - 1] == rank);
	(void)rank;
	held_n--;
}

void
lock_blocking(void)
{
	if (held_n) {
		fprintf(stderr, "blocking call while lock rank %d is held\n",
		    (int)held[held_n - 1]);
		abort();
	}
}
#else
static void
held_push(enum lock_rank rank)
{
	(void)rank;
}

static void
held_pop(enum lock_rank rank)
{
	(void)rank;
}

void
lock_blocking(void)
{
}
#endif

void
lock_init(struct lock *lock, enum lock_rank rank)
{
	int rc = pthread_mutex_init(&lock->mutex, NULL);

	assert(rc == 0);
	(void)rc;
	lock->rank = rank;
}

void
lock_done(struct lock *lock)
{
	pthread_mutex_destroy(&lock->mutex);
}

void
lock_take(struct lock *lock)
{
	held_push(lock->rank);
	int rc = pthread_mutex_lock(&lock->mutex);
	assert(rc == 0);
	(void)rc;
}

void
lock_drop(struct lock *lock)
{
	held_pop(lock->rank);
	int rc = pthread_mutex_unlock(&lock->mutex);
	assert(rc == 0);
	(void)rc;
}

void
lock_cond_init(struct lock_cond *cond)
{
	pthread_condattr_t attr;

	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	int rc = pthread_cond_init(&cond->cond, &attr);
	assert(rc == 0);
	(void)rc;
	pthread_condattr_destroy(&attr);
}

void
lock_cond_done(struct lock_cond *cond)
{
	pthread_cond_destroy(&cond->cond);
}

void
lock_signal(struct lock_cond *cond)
{
	pthread_cond_signal(&cond->cond);
}

void
lock_broadcast(struct lock_cond *cond)
{
	pthread_cond_broadcast(&cond->cond);
}

bool
lock_wait(struct lock_cond *cond, struct lock *lock, int64_t deadline)
{
	struct timespec t = clock_timespec(deadline);

	return pthread_cond_timedwait(&cond->cond, &lock->mutex, &t) !=
	       ETIMEDOUT;
}
