#ifndef FILTER_LOG_VERDICTLOG_H
#define FILTER_LOG_VERDICTLOG_H

#include <stdbool.h>

#include "filter/base/arena.h"
#include "filter/base/err.h"
#include "filter/log/record.h"

/*
 * The verdict log: one SQLite file a day (UTC, by the record's time) in
 * `folder`: YYYY-MM-DD.db, written by one thread behind a bounded queue. Mail
 * never waits for it: what does not fit or cannot be written is counted.
 */
struct verdictlog_options {
	const char *folder;  /* made when missing, 0750; files 0640 */
	int64_t retain_days; /* older days are removed */
	int64_t max_size;    /* bytes of all days; the oldest goes first */
	size_t queue_max;    /* bytes of records that wait */
};

struct verdictlog;

/*
 * Starts the log thread. A folder or today's file that cannot be used is no
 * error: it is tried again each second, and told by verdictlog_status(); but
 * ERR_INVALID for a file of today of another version or no database at all,
 * which is left as it is. Call after the last fork.
 */
int verdictlog_open(const struct verdictlog_options *options,
    struct verdictlog **ret, struct err *err) MUST_USE;
/* Writes what is queued (some seconds at most) and ends. Accepts NULL. */
void verdictlog_close(struct verdictlog *log);

/* Copies the record into the queue; returns at once. False: dropped. Thread:
 * any. */
bool verdictlog_append(struct verdictlog *log, const struct record *record);
/*
 * Waits until all appended before is in its file, where it survives the end of
 * the process. ERR_TIMEOUT; ERR_IO: meanwhile records failed, see the status.
 */
int verdictlog_flush(struct verdictlog *log, int64_t deadline) MUST_USE;

struct verdictlog_status {
	/* Records: in a file; not taken, the queue was full; given up. */
	uint64_t written, dropped, failed;
	uint64_t queued;   /* wait, or are being written */
	bool good;         /* the last write succeeded */
	char problem[256]; /* the last one, or "" */
};
void verdictlog_status(struct verdictlog *log, struct verdictlog_status *ret);
/* As store_beat(). */
int64_t verdictlog_beat(const struct verdictlog *log);

/* --- reading ---------------------------------------------------------------- */

/* p NULL and 0: any. Texts compare with ASCII case folded, but the queue id:
 * MTAs make them of letters in both cases, and it is the indexed one. */
struct verdictlog_query {
	int64_t since, until; /* Unix time, [since, until) */
	uint64_t id;          /* clear ref */
	struct span queue_id, message_id;
	/* address, "@domain" or ".domain": envelope sender or From; recipient */
	struct span from, to;
	struct span action;   /* done or, in observe, would be done */
	struct span symbol;   /* hit */
	struct span degraded; /* one of the names; "dnsbl" finds "dnsbl:x" */
	bool newest_first;
	uint64_t limit; /* rows, 0: all */
};

/* Return false to end. The record lives until the function returns. */
typedef bool verdictlog_fn(void *arg, const struct record *record);

/*
 * Reads the days of `folder` that the query touches, in order of ids (that is
 * of time, to seconds), without a lock that a writer would wait for, and with
 * rights to read only. Nothing is held while `fn` runs: it may take its time.
 * A folder that is not there has no rows (0). ERR_ACCESS, ERR_INVALID (damaged,
 * another version), ERR_IO name the file; the other days are read all the same.
 */
int verdictlog_read(const char *folder, const struct verdictlog_query *query,
    verdictlog_fn *fn, void *arg, struct err *err) MUST_USE;

#endif
