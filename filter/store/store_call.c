#include "filter/base/clock.h"
#include "filter/store/store_internal.h"

/*
 * Around each call to the backend: the breaker's guard, the deadline, the
 * counters, and what the last problem was.
 */

int
store_call_begin(struct store *store, enum store_call call, int64_t deadline,
    struct store_call_state *ret, struct err *err)
{
	int64_t now = clock_mono_ms();

	lock_blocking();
	*ret = (struct store_call_state){call, now, deadline, true};
	if (deadline <= now)
		return err_set(err, ERR_TIMEOUT, "no time left");
	if (!store->backend->class->remote)
		return 0;
	ret->allowed = clock_min(deadline, now + store->timeout_ms);
	ret->whole = ret->allowed - now >= store->timeout_ms / 2;
	if (!breaker_enter(&store->breaker, now))
		return err_set(err, ERR_STATE,
		    "%s: failed before, tried again soon",
		    store->backend->class->name);
	return 0;
}

static bool
check_failed(int rc, const struct err *err)
{
	return rc == ERR_STATE &&
	       span_is(span_of(err->text), STORE_CHECK_FAILED);
}

/* What a failure says about the server. */
static enum breaker_outcome
outcome_of(const struct store_call_state *state, int rc, int64_t now)
{
	if (rc == ERR_NOMEM)
		return BREAKER_UNKNOWN;
	if (rc != ERR_TIMEOUT && now < state->allowed)
		return BREAKER_FAILED;
	return state->whole ? BREAKER_SILENT : BREAKER_UNKNOWN;
}

static void
note_problem(struct store *store, enum store_call call, const char *text)
{
	lock_take(&store->lock);
	(void)span_copy(span_of(text), store->problem, sizeof store->problem);
	lock_drop(&store->lock);
	atomic_store(&store->problem_of, (int)call);
}

static void
clear_problem(struct store *store)
{
	lock_take(&store->lock);
	store->problem[0] = '\0';
	lock_drop(&store->lock);
	atomic_store(&store->problem_of, (int)STORE_CALL_NONE);
}

int
store_call_end(struct store *store, const struct store_call_state *state,
    int rc, size_t n, const struct err *err)
{
	bool good = rc == 0 || check_failed(rc, err);

	int64_t now = clock_mono_ms();

	if (store->backend->class->remote)
		breaker_leave(&store->breaker,
		    good ? BREAKER_GOOD : outcome_of(state, rc, now),
		    state->begun, now);
	if (!good) {
		atomic_fetch_add(&store->errors, 1);
		note_problem(store, state->call, err->text);
		return rc;
	}
	if (rc == 0)
		atomic_fetch_add_explicit(state->call == STORE_CALL_READ
					      ? &store->reads
					      : &store->writes,
		    n, memory_order_relaxed);
	if (atomic_load_explicit(&store->problem_of, memory_order_relaxed) ==
	    (int)state->call)
		clear_problem(store);
	return rc;
}

int
store_write_batch(struct store *store, const struct store_write *writes,
    size_t n, int64_t now, int64_t deadline, struct err *err)
{
	struct store_call_state state;
	int rc =
	    store_call_begin(store, STORE_CALL_WRITE, deadline, &state, err);

	if (rc)
		return rc;
	rc = store->backend->class->apply(
	    store->backend, writes, n, now, state.allowed, err);
	return store_call_end(store, &state, rc, n, err);
}
