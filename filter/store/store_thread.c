#include <signal.h>

#include "filter/base/clock.h"
#include "filter/store/store_internal.h"

/*
 * The store thread: writes what is queued in batches, at most a second after
 * it came, so that the disk's or the server's pace is not the message's; tries
 * an open breaker, so that messages need not; sweeps what has ended, a piece
 * at a time.
 *
 * What the backend did not take is kept and taken again at the next turn. What
 * a server may have carried out already is not: counts would double.
 */

#define TURN_MS 1000
#define SWEEP_MS 60000 /* from the end of one pass to the next */
#define CLOSE_MS 5000  /* for what is queued at the end */
#define LOCAL_MS 60000 /* a local backend knows no deadline: the disk decides */
#define REFUSALS_MAX 5 /* of one batch, before it is dropped */

enum fate { FATE_WRITTEN, FATE_KEPT, FATE_LOST };

/* What becomes of a batch. */
static enum fate
judge(struct store *store, int rc)
{
	bool remote = store->backend->class->remote;

	if (rc == 0)
		return FATE_WRITTEN;
	if (rc == ERR_STATE || rc == ERR_ACCESS || rc == ERR_NOMEM)
		return FATE_KEPT;
	if (rc == ERR_IO || rc == ERR_TIMEOUT)
		return remote ? FATE_LOST : FATE_KEPT;
	return ++store->tries < REFUSALS_MAX ? FATE_KEPT : FATE_LOST;
}

static int64_t
batch_deadline(const struct store *store)
{
	return clock_deadline(
	    store->backend->class->remote ? store->timeout_ms : LOCAL_MS);
}

static void
beat(struct store *store)
{
	atomic_store(&store->beat, clock_mono_ms());
}

/* Writes what is queued; false when the backend did not take it. */
static bool
drain(struct store *store, int64_t until)
{
	const struct store_write *writes;
	struct err err = {0};
	size_t n;

	while ((n = queue_batch(&store->queue, &writes)) != 0) {
		int rc = store_write_batch(store, writes, n, clock_wall(),
		    batch_deadline(store), &err);
		enum fate fate = judge(store, rc);
		beat(store);
		if (fate == FATE_KEPT)
			return false;
		store->tries = 0;
		queue_release(&store->queue, fate == FATE_WRITTEN);
		if (clock_left(until) == 0)
			break;
	}
	return true;
}

/*
 * One small read, so that the trial costs no message its time and no batch its
 * safety: what a read does not get is not lost.
 */
static void
try_server(struct store *store)
{
	struct store_key key = {STORE_CORPUS, SPAN_NONE};
	struct store_counts counts;

	if (breaker_due(&store->breaker) > clock_mono_ms())
		return;
	int rc = store_get(store, &key, 1, clock_wall(),
	    clock_deadline(store->timeout_ms), NULL, &counts, NULL);
	(void)rc; /* the breaker has learned it */
}

static void
sweep(struct store *store)
{
	struct store_backend *backend = store->backend;

	if (!backend->class->sweep || clock_left(store->sweep_due) > 0)
		return;
	bool more = backend->class->sweep(backend, clock_wall());
	store->sweep_due = more ? 0 : clock_deadline(SWEEP_MS);
}

static void *
run(void *arg)
{
	struct store *store = arg;
	bool patient = false;

	for (;;) {
		int64_t next = clock_min(
		    clock_deadline(TURN_MS), breaker_due(&store->breaker));
		if (queue_wait(&store->queue, patient, next) == QUEUE_STOP)
			break;
		try_server(store);
		patient = !breaker_is_closed(&store->breaker) ||
			  !drain(store, clock_deadline(TURN_MS));
		sweep(store);
		beat(store);
	}
	(void)drain(store, clock_deadline(CLOSE_MS));
	queue_drop(&store->queue);
	return NULL;
}

int
store_thread_start(struct store *store, struct err *err)
{
	sigset_t all, old;

	beat(store);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	int rc = pthread_create(&store->thread, NULL, run, store);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (rc) {
		atomic_store(&store->beat, CLOCK_NEVER);
		return err_set_errno(err, rc, "store: thread");
	}
	store->has_thread = true;
	(void)pthread_setname_np(store->thread, "store");
	return 0;
}

void
store_thread_stop(struct store *store)
{
	queue_stop(&store->queue);
	pthread_join(store->thread, NULL);
	store->has_thread = false;
}
