#ifndef FILTER_STORE_STORE_INTERNAL_H
#define FILTER_STORE_STORE_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>

#include "filter/store/backend.h"
#include "filter/store/store_breaker.h"
#include "filter/store/store_key.h"
#include "filter/store/store_queue.h"

/* A store from inside: shared by store.c (calls) and store_thread.c. */
struct store {
	struct store_backend *backend;
	struct store_keys keys;
	int64_t timeout_ms;
	bool read_only;
	struct breaker breaker; /* of a remote backend */
	struct store_queue queue;
	_Atomic uint64_t reads, writes, errors;
	/* Which sort of call the problem is of: a success of it ends it. */
	_Atomic int problem_of; /* enum store_call */
	struct lock lock;       /* rank LOCK_QUEUE: */
	char problem[256];
	/* The thread. */
	bool has_thread;
	pthread_t thread;
	_Atomic int64_t beat;
	int64_t sweep_due; /* clock_mono_ms(); the thread's own */
	unsigned tries;    /* of the batch at the front; the thread's own */
};

enum store_call { STORE_CALL_NONE, STORE_CALL_READ, STORE_CALL_WRITE };

/* A call to the backend under way: passed the breaker, has its deadline. */
struct store_call_state {
	enum store_call call;
	int64_t begun, allowed; /* clock_mono_ms(); deadline as given on */
	bool whole; /* it has most of a call's time, so silence tells */
};

/*
 * Opens a call: ERR_STATE while the breaker is open, ERR_TIMEOUT when the
 * deadline has passed. Once it returned 0, store_call_end() has to follow.
 */
int store_call_begin(struct store *store, enum store_call call,
    int64_t deadline, struct store_call_state *ret, struct err *err) MUST_USE;
/* `err` as the backend filled it; returns `rc`. */
int store_call_end(struct store *store, const struct store_call_state *state,
    int rc, size_t n, const struct err *err);

/* One apply of the backend, counted and guarded. */
int store_write_batch(struct store *store, const struct store_write *writes,
    size_t n, int64_t now, int64_t deadline, struct err *err) MUST_USE;

int store_thread_start(struct store *store, struct err *err) MUST_USE;
/* Writes what is queued, within its limit, and ends the thread. */
void store_thread_stop(struct store *store);

#endif
