#include "filter/log/verdictlog.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "filter/base/clock.h"
#include "filter/base/lock.h"
#include "filter/log/log_day.h"
#include "filter/log/log_sqlite.h"

/*
 * The queue and the log thread. A session's thread copies its record and goes;
 * the thread takes what has gathered after 100 ms or 256 records, sorts it by
 * days (around midnight there are two) and writes a transaction for each. What
 * cannot be written now stays and is tried again each second, while the queue
 * fills to its bound and new records are dropped and counted: a disk that is
 * full for a while costs nothing, one that stays full costs no mail.
 */

#define GATHER_MS 100
#define GATHER_RECORDS 256
#define BATCH_RECORDS 1024 /* of one turn */
#define IDLE_MS 1000       /* between beats */
#define RETRY_MS 1000
#define CLOSE_MS 5000
#define SIZE_MS 10000 /* between looks at the folder */
#define FOLDER_MODE 0750
#define DAYS_BUDGET ((size_t)4 << 20)

struct item {
	struct item *next;
	size_t bytes;
	int64_t day;
	struct record record; /* the copy; its arrays and texts follow */
};

struct list {
	struct item *first, **last;
	size_t n;
};

struct verdictlog {
	/* Immutable. */
	char folder[LOG_PATH_SIZE];
	int64_t retain_days, max_size;
	size_t queue_max;
	pthread_t thread;

	struct lock lock; /* guards what follows */
	struct lock_cond work, done;
	struct list queue;
	int64_t first_at; /* when the first of the queue came */
	size_t bytes;     /* of the queue and of the batch */
	uint64_t appended, finished;
	unsigned flushing;
	bool stop;
	int64_t stop_at; /* deadline of the last tries */
	uint64_t written, dropped, failed;
	bool good;
	char problem[256];

	_Atomic int64_t beat;

	/* Of the thread. */
	struct list batch;
	struct log_file *file; /* or NULL */
	int64_t file_day;
	int64_t size_at; /* when to look at the folder again */
	int64_t today;   /* of the last look */
	int64_t unseen;  /* bytes of records written since */
	bool over;       /* one day alone has reached max_size */
};

/* --- lists --------------------------------------------------------------------------- */

static void
list_init(struct list *list)
{
	*list = (struct list){NULL, &list->first, 0};
}

static void
list_push(struct list *list, struct item *item)
{
	item->next = NULL;
	*list->last = item;
	list->last = &item->next;
	list->n++;
}

static struct item *
list_pop(struct list *list)
{
	struct item *item = list->first;

	if (!item)
		return NULL;
	list->first = item->next;
	if (!list->first)
		list->last = &list->first;
	list->n--;
	return item;
}

static size_t
list_free(struct list *list)
{
	size_t n = list->n;

	for (struct item *item; (item = list_pop(list));)
		free(item);
	return n;
}

/* --- what the thread says ------------------------------------------------------------- */

static void
say_good(struct verdictlog *log)
{
	lock_take(&log->lock);
	log->good = true;
	lock_drop(&log->lock);
}

static void
say_problem(struct verdictlog *log, const struct err *err)
{
	lock_take(&log->lock);
	log->good = false;
	(void)snprintf(log->problem, sizeof log->problem, "%.*s",
	    (int)sizeof log->problem - 1, err->text);
	lock_drop(&log->lock);
}

/* --- the folder ----------------------------------------------------------------------- */

static void
close_file(struct verdictlog *log)
{
	log_file_close(log->file);
	log->file = NULL;
}

static int
remove_day(struct verdictlog *log, int64_t day, struct err *err)
{
	if (log->file && log->file_day == day)
		close_file(log);
	return log_day_remove(log->folder, day, err);
}

/* Removes days beyond retention, then the oldest ones while all are too large
 * together; the newest one stays. */
static int
prune_days(struct verdictlog *log, const struct log_days *days, struct err *err)
{
	int64_t total = 0;
	size_t i = 0;
	int rc = 0;

	for (; i < days->n && days->v[i] < log->today - log->retain_days; i++)
		if (remove_day(log, days->v[i], err))
			rc = ERR_IO;
	for (size_t k = i; k < days->n; k++)
		total += log_day_size(log->folder, days->v[k]);
	for (; i + 1 < days->n && total > log->max_size; i++) {
		total -= log_day_size(log->folder, days->v[i]);
		if (remove_day(log, days->v[i], err))
			rc = ERR_IO;
	}
	log->over = total > log->max_size;
	return rc;
}

static void
look_at_folder(struct verdictlog *log)
{
	struct arena *arena = arena_new(DAYS_BUDGET);
	struct log_days days;
	struct err err = {0};

	log->today = log_day_of(clock_wall());
	log->size_at = clock_deadline(SIZE_MS);
	log->unseen = 0;
	int rc = arena ? log_days_list(log->folder, arena, &days, &err)
		       : err_set(&err, ERR_NOMEM, "out of memory");
	if (!rc)
		rc = prune_days(log, &days, &err);
	if (rc && rc != ERR_NOTFOUND)
		say_problem(log, &err);
	arena_free(arena);
}

static void
look_when_due(struct verdictlog *log)
{
	if ((log->unseen && clock_left(log->size_at) == 0) ||
	    log->unseen > log->max_size / 16 ||
	    log->today != log_day_of(clock_wall()))
		look_at_folder(log);
}

/* --- writing --------------------------------------------------------------------------- */

static int
open_day(struct verdictlog *log, int64_t day, struct err *err)
{
	char path[LOG_PATH_SIZE];

	if (log->file &&
	    (log->file_day != day || !log_file_is_there(log->file)))
		close_file(log);
	if (log->file)
		return 0;
	int rc = log_day_path(log->folder, day, path, err);
	if (rc)
		return rc;
	if (mkdir(log->folder, FOLDER_MODE) != 0 && errno != EEXIST)
		return err_set_errno(err, errno, "%s", log->folder);
	rc = log_file_open(path, &log->file, err);
	if (!rc)
		log->file_day = day;
	return rc;
}

static int
add_day(struct verdictlog *log, int64_t day, struct err *err)
{
	int rc = log_file_begin(log->file, err);

	for (struct item *i = log->batch.first; i && !rc; i = i->next)
		if (i->day == day)
			rc = log_file_add(log->file, &i->record, err);
	return rc ? rc : log_file_commit(log->file, err);
}

/* Writes the records of a day in one transaction. */
static int
write_day(struct verdictlog *log, int64_t day, struct err *err)
{
	if (log->over)
		return err_set(err, ERR_INVALID,
		    "%s: log.max_size is reached by one day alone",
		    log->folder);
	int rc = open_day(log, day, err);
	if (rc)
		return rc;
	rc = add_day(log, day, err);
	/* What it had begun is undone by closing it. */
	if (rc)
		close_file(log);
	return rc;
}

/* Takes the records of a day out of the batch. */
static void
finish_day(struct verdictlog *log, int64_t day, bool written)
{
	struct list rest;
	size_t bytes = 0, n = 0;

	list_init(&rest);
	for (struct item *item; (item = list_pop(&log->batch));) {
		if (item->day != day) {
			list_push(&rest, item);
			continue;
		}
		n++;
		bytes += item->bytes;
		free(item);
	}
	log->batch = rest;
	if (!rest.first)
		log->batch.last = &log->batch.first;
	log->unseen += (int64_t)bytes;
	lock_take(&log->lock);
	log->bytes -= bytes;
	*(written ? &log->written : &log->failed) += n;
	lock_drop(&log->lock);
}

/* True when the batch is finished, false when it waits for better times. */
static bool
write_batch(struct verdictlog *log)
{
	struct err err = {0};

	lock_blocking();
	look_when_due(log);
	while (log->batch.first) {
		int64_t day = log->batch.first->day;
		int rc = write_day(log, day, &err);
		if (rc)
			say_problem(log, &err);
		else
			say_good(log);
		/* Only these do not pass by themselves. */
		if (rc && rc != ERR_INVALID) {
			look_at_folder(log);
			return false;
		}
		finish_day(log, day, rc == 0);
	}
	return true;
}

/* --- the thread ------------------------------------------------------------------------ */

static void
beat(struct verdictlog *log)
{
	atomic_store(&log->beat, clock_mono_ms());
}

/* When the thread has something to do; under the lock. */
static int64_t
due(const struct verdictlog *log)
{
	if (!log->queue.n)
		return CLOCK_NEVER;
	if (log->queue.n >= GATHER_RECORDS || log->flushing)
		return 0;
	return log->first_at + GATHER_MS;
}

/* Waits for a batch; false when it is time to end. */
static bool
take_batch(struct verdictlog *log)
{
	lock_take(&log->lock);
	int64_t idle = clock_deadline(IDLE_MS);
	while (!log->stop && clock_left(due(log)) && clock_left(idle))
		(void)lock_wait(
		    &log->work, &log->lock, clock_min(due(log), idle));
	while (log->queue.n && log->batch.n < BATCH_RECORDS &&
	       (log->stop || !clock_left(due(log)) || log->batch.n))
		list_push(&log->batch, list_pop(&log->queue));
	bool more = !log->stop || log->batch.n;
	lock_drop(&log->lock);
	return more;
}

static void
wait_retry(struct verdictlog *log)
{
	lock_take(&log->lock);
	int64_t until = clock_deadline(RETRY_MS);
	if (log->stop)
		until = clock_min(until, clock_deadline(GATHER_MS));
	bool stop = log->stop;
	while (clock_left(until) && stop == log->stop)
		(void)lock_wait(&log->work, &log->lock, until);
	lock_drop(&log->lock);
}

static bool
out_of_time(struct verdictlog *log)
{
	lock_take(&log->lock);
	bool out = log->stop && !clock_left(log->stop_at);
	lock_drop(&log->lock);
	return out;
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

	while (take_batch(log)) {
		uint64_t n = log->batch.n;
		beat(log);
		look_when_due(log);
		while (!write_batch(log) && !out_of_time(log)) {
			beat(log);
			wait_retry(log);
		}
		if (log->batch.n)
			break;
		finish_batch(log, n);
		beat(log);
	}
	close_file(log);
	return NULL;
}

/* --- the interface ---------------------------------------------------------------------- */

static void
init(struct verdictlog *log, const struct verdictlog_options *options)
{
	(void)snprintf(log->folder, sizeof log->folder, "%s", options->folder);
	log->retain_days = options->retain_days;
	log->max_size = options->max_size;
	log->queue_max = options->queue_max;
	lock_init(&log->lock, LOCK_QUEUE);
	lock_cond_init(&log->work);
	lock_cond_init(&log->done);
	list_init(&log->queue);
	list_init(&log->batch);
	log->good = true;
	beat(log);
}

static void
destroy(struct verdictlog *log)
{
	close_file(log);
	(void)list_free(&log->batch);
	(void)list_free(&log->queue);
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
	look_at_folder(log);
	int rc = open_day(log, log->today, &problem);
	if (rc == ERR_INVALID) {
		destroy(log);
		return err_set(err, rc, "%s", problem.text);
	}
	if (rc)
		say_problem(log, &problem);
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

static struct item *
make_item(const struct record *record)
{
	size_t bytes = offsetof(struct item, record) + record_bytes(record);
	struct item *item = malloc(bytes);

	if (!item)
		return NULL;
	item->bytes = bytes;
	item->day = log_day_of(record->time);
	(void)record_copy_to(&item->record, record);
	return item;
}

bool
verdictlog_append(struct verdictlog *log, const struct record *record)
{
	struct item *item = make_item(record);

	lock_take(&log->lock);
	bool fits = item && !log->stop && item->bytes <= log->queue_max &&
		    log->bytes <= log->queue_max - item->bytes;
	if (fits) {
		if (!log->queue.n)
			log->first_at = clock_mono_ms();
		list_push(&log->queue, item);
		log->bytes += item->bytes;
		log->appended++;
		/* The first one starts the clock, the 256th stops it. */
		if (log->queue.n == 1 || log->queue.n == GATHER_RECORDS)
			lock_signal(&log->work);
	} else {
		log->dropped++;
	}
	lock_drop(&log->lock);
	if (!fits)
		free(item);
	return fits;
}

int
verdictlog_flush(struct verdictlog *log, int64_t deadline)
{
	bool in_time = true;

	lock_take(&log->lock);
	uint64_t wanted = log->appended, failed = log->failed;
	log->flushing++;
	lock_signal(&log->work);
	while (log->finished < wanted && in_time)
		in_time = lock_wait(&log->done, &log->lock, deadline);
	log->flushing--;
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
