#include "filter/log/verdictlog.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "filter/base/clock.h"
#include "filter/base/lock.h"
#include "filter/log/log_writer.h"

/*
 * The queue and the log thread. A session's thread copies its record and goes;
 * the thread takes what has gathered after 100 ms or 256 records and writes it,
 * a transaction for each day. What cannot be written now stays and is tried
 * again each second, while the queue fills to its bound and new records are
 * dropped and counted: a disk that is full for a while costs nothing, one that
 * stays full costs no mail.
 */

#define GATHER_MS 100
#define GATHER_RECORDS 256
#define BATCH_RECORDS 1024 /* of one turn */
#define IDLE_MS 500        /* between beats */
#define RETRY_MS 1000
#define SPARE_MAX 256 /* blocks kept for the next records, 1 MB */
#define CLOSE_MS 3000
#define PROBLEM_SIZE 256

struct verdictlog {
	/* Immutable. */
	size_t queue_max;
	pthread_t thread;

	struct lock lock; /* guards what follows, to the beat */
	struct lock_cond work, done;
	struct log_list queue;
	struct log_list spare; /* blocks of LOG_ITEM_MIN: malloc() costs more */
	int64_t first_at;      /* when the first of the queue came */
	size_t bytes;          /* of the queue and of the batch */
	uint64_t appended, finished;
	uint64_t flushes; /* asked for */
	unsigned waiting; /* for one of them */
	bool stop;
	int64_t stop_at; /* deadline of the last tries */
	uint64_t written, dropped, failed;
	bool good;
	char problem[PROBLEM_SIZE];

	_Atomic int64_t beat;

	/* Of the thread. */
	struct log_list batch;
	struct log_writer writer;
};

/* --- what the thread says ------------------------------------------------------------- */

static void
beat(struct verdictlog *log)
{
	atomic_store(&log->beat, clock_mono_ms());
}

static void
say(struct verdictlog *log, int rc, const struct err *err)
{
	lock_take(&log->lock);
	log->good = rc == 0;
	if (rc)
		(void)snprintf(log->problem, sizeof log->problem, "%.*s",
		    PROBLEM_SIZE - 1, err->text);
	lock_drop(&log->lock);
}

static void
look(struct verdictlog *log, bool now)
{
	struct err err = {0};

	int rc = log_writer_look(&log->writer, now, &err);
	if (rc)
		say(log, rc, &err);
}

/* The records of a day leave the batch; some of their blocks are kept. */
static void
finish_day(struct verdictlog *log, int64_t day, bool written)
{
	struct log_list gone;
	size_t bytes = 0;

	log_list_init(&gone);
	log_list_move_day(&log->batch, day, &gone);
	for (const struct log_item *i = gone.first; i; i = i->next)
		bytes += i->bytes;
	log->writer.unseen += (int64_t)bytes;
	lock_take(&log->lock);
	log->bytes -= bytes;
	*(written ? &log->written : &log->failed) += gone.n;
	while (log->spare.n < SPARE_MAX && gone.n &&
	       gone.first->bytes == LOG_ITEM_MIN)
		log_list_push(&log->spare, log_list_pop(&gone));
	lock_drop(&log->lock);
	log_list_free(&gone);
}

/* While there is nothing to write: is what was wrong still so? */
static void
look_again(struct verdictlog *log)
{
	struct err err = {0};

	if (log->good || log->batch.n)
		return;
	int rc = log_writer_open(&log->writer, log_day_of(clock_wall()), &err);
	say(log, rc, &err);
}

/* True when the batch is finished, false when it waits for better times. */
static bool
write_batch(struct verdictlog *log)
{
	struct err err = {0};

	lock_blocking();
	look(log, false);
	look_again(log);
	while (log->batch.first) {
		int64_t day = log->batch.first->day;
		int rc = log_writer_write(&log->writer, &log->batch, day, &err);
		say(log, rc, &err);
		/* All but these may pass by themselves. */
		if (rc && rc != ERR_INVALID) {
			look(log, true);
			return false;
		}
		finish_day(log, day, rc == 0);
		beat(log);
	}
	return true;
}

/* --- the thread ------------------------------------------------------------------------ */

/* When there is something to do; under the lock. */
static int64_t
due(const struct verdictlog *log)
{
	if (!log->queue.n)
		return CLOCK_NEVER;
	if (log->queue.n >= GATHER_RECORDS || log->waiting || log->stop)
		return 0;
	return log->first_at + GATHER_MS;
}

/* Waits for a batch, which may be empty; false when it is time to end. */
static bool
take_batch(struct verdictlog *log)
{
	int64_t idle = clock_deadline(IDLE_MS);

	lock_take(&log->lock);
	while (!log->stop && clock_left(due(log)) && clock_left(idle))
		(void)lock_wait(
		    &log->work, &log->lock, clock_min(due(log), idle));
	bool is_due = clock_left(due(log)) == 0;
	while (is_due && log->queue.n && log->batch.n < BATCH_RECORDS)
		log_list_push(&log->batch, log_list_pop(&log->queue));
	bool more = !log->stop || log->batch.n;
	lock_drop(&log->lock);
	return more;
}

/* A flush and the end do not wait. False when the time for tries is over. */
static bool
wait_retry(struct verdictlog *log)
{
	int64_t until = clock_deadline(RETRY_MS);

	beat(log);
	lock_take(&log->lock);
	bool stop = log->stop;
	uint64_t flushes = log->flushes;
	if (stop)
		until = clock_deadline(GATHER_MS);
	while (
	    clock_left(until) && stop == log->stop && flushes == log->flushes)
		(void)lock_wait(&log->work, &log->lock, until);
	bool again = !log->stop || clock_left(log->stop_at);
	lock_drop(&log->lock);
	return again;
}

static void
finish_batch(struct verdictlog *log, uint64_t n)
{
	lock_take(&log->lock);
	log->finished += n;
	lock_broadcast(&log->done);
	lock_drop(&log->lock);
}

static void *
run(void *arg)
{
	struct verdictlog *log = arg;
	bool again = true;

	while (again && take_batch(log)) {
		uint64_t n = log->batch.n;
		while (!write_batch(log) && (again = wait_retry(log)))
			continue;
		if (again)
			finish_batch(log, n);
		beat(log);
	}
	log_writer_close(&log->writer);
	return NULL;
}

/* --- the interface ---------------------------------------------------------------------- */

static void
init(struct verdictlog *log, const struct verdictlog_options *options)
{
	log->queue_max = options->queue_max;
	(void)snprintf(log->writer.folder, sizeof log->writer.folder, "%s",
	    options->folder);
	log->writer.retain_days = options->retain_days;
	log->writer.max_size = options->max_size;
	lock_init(&log->lock, LOCK_QUEUE);
	lock_cond_init(&log->work);
	lock_cond_init(&log->done);
	log_list_init(&log->queue);
	log_list_init(&log->spare);
	log_list_init(&log->batch);
	log->good = true;
	beat(log);
}

static void
destroy(struct verdictlog *log)
{
	log_writer_close(&log->writer);
	log_list_free(&log->batch);
	log_list_free(&log->queue);
	log_list_free(&log->spare);
	lock_cond_done(&log->done);
	lock_cond_done(&log->work);
	lock_done(&log->lock);
	free(log);
}

/* Signals are the main thread's. */
static int
start_thread(struct verdictlog *log)
{
	sigset_t all, old;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	int rc = pthread_create(&log->thread, NULL, run, log);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (rc == 0)
		(void)pthread_setname_np(log->thread, "log");
	return rc;
}

int
verdictlog_open(const struct verdictlog_options *options,
    struct verdictlog **ret, struct err *err)
{
	struct err problem = {0};

	if (strlen(options->folder) >= LOG_PATH_SIZE - 64)
		return err_set(
		    err, ERR_LIMIT, "%.80s...: path too long", options->folder);
	struct verdictlog *log = calloc(1, sizeof *log);
	if (!log)
		return err_set(err, ERR_NOMEM, "verdict log: out of memory");
	init(log, options);
	look(log, true);
	bool over = log->writer.over;
	int rc = log_writer_open(&log->writer, log->writer.today, &problem);
	if (rc == ERR_INVALID && !over) {
		destroy(log);
		return err_set(err, rc, "%s", problem.text);
	}
	if (rc)
		say(log, rc, &problem);
	rc = start_thread(log);
	if (rc) {
		destroy(log);
		return err_set_errno(err, rc, "verdict log: no thread");
	}
	*ret = log;
	return 0;
}

void
verdictlog_close(struct verdictlog *log)
{
	if (!log)
		return;
	lock_take(&log->lock);
	log->stop = true;
	log->stop_at = clock_deadline(CLOSE_MS);
	lock_signal(&log->work);
	lock_drop(&log->lock);
	lock_blocking();
	(void)pthread_join(log->thread, NULL);
	destroy(log);
}

/* Under the lock: does a block of that size fit? */
static bool
has_room(const struct verdictlog *log, size_t bytes)
{
	return !log->stop && bytes <= log->queue_max &&
	       log->bytes <= log->queue_max - bytes;
}

/* Reserves the bytes, and finds a block that was used before, or NULL. */
static bool
reserve(struct verdictlog *log, size_t bytes, struct log_item **ret_block)
{
	lock_take(&log->lock);
	bool fits = has_room(log, bytes);
	if (fits)
		log->bytes += bytes;
	else
		log->dropped++;
	*ret_block =
	    fits && bytes == LOG_ITEM_MIN ? log_list_pop(&log->spare) : NULL;
	lock_drop(&log->lock);
	return fits;
}

bool
verdictlog_append(struct verdictlog *log, const struct record *record)
{
	size_t bytes = log_item_bytes(record);
	struct log_item *block;

	if (!reserve(log, bytes, &block))
		return false;
	struct log_item *item = log_item_make(block, bytes, record);
	lock_take(&log->lock);
	if (item) {
		if (!log->queue.n)
			log->first_at = clock_mono_ms();
		log_list_push(&log->queue, item);
		log->appended++;
		/* The first one starts the clock, the 256th stops it. */
		if (log->queue.n == 1 || log->queue.n == GATHER_RECORDS)
			lock_signal(&log->work);
	} else {
		log->bytes -= bytes;
		log->dropped++;
	}
	lock_drop(&log->lock);
	return item != NULL;
}

int
verdictlog_flush(struct verdictlog *log, int64_t deadline)
{
	bool in_time = true;

	lock_take(&log->lock);
	uint64_t wanted = log->appended, failed = log->failed;
	log->flushes++;
	log->waiting++;
	lock_signal(&log->work);
	while (log->finished < wanted && in_time)
		in_time = lock_wait(&log->done, &log->lock, deadline);
	log->waiting--;
	bool done = log->finished >= wanted;
	bool lost = log->failed != failed;
	lock_drop(&log->lock);
	if (!done)
		return ERR_TIMEOUT;
	return lost ? ERR_IO : 0;
}

void
verdictlog_status(struct verdictlog *log, struct verdictlog_status *ret)
{
	lock_take(&log->lock);
	*ret = (struct verdictlog_status){
	    .written = log->written,
	    .dropped = log->dropped,
	    .failed = log->failed,
	    .queued = log->appended - log->finished,
	    .good = log->good,
	};
	memcpy(ret->problem, log->problem, sizeof ret->problem);
	lock_drop(&log->lock);
}

int64_t
verdictlog_beat(const struct verdictlog *log)
{
	return atomic_load(&log->beat);
}
