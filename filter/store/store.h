#ifndef FILTER_STORE_STORE_H
#define FILTER_STORE_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "filter/base/arena.h"
#include "filter/base/err.h"
#include "filter/base/span.h"

/*
 * State that outlives messages: token counts, reputation, what was trained.
 * One `struct store` per process, in front of one backend: LMDB (embedded),
 * Redis (many machines) or memory (tests, `learn eval`).
 *
 * Counts are only added to and come in pairs (spam and ham, bad and good);
 * values are small strings. Decay is in the reader: a key may carry a period's
 * number, and the reader weights the last periods. So no backend needs a clock,
 * floating point or scripts, and all agree to the bit. Who writes names the
 * second (Unix time) at which an entry ends; who reads says what time it is.
 *
 * Thread: any, for all functions but open and close. README has the table of
 * keys.
 */
enum store_kind {
	STORE_CORPUS,   /* counts: messages trained as spam, as ham */
	STORE_TOKEN,    /* counts: spam, ham messages that have the token */
	STORE_TRAINED,  /* value: what a message was trained as */
	STORE_REPUTE,   /* counts: bad, good evidence of a sender in a period */
	STORE_REPORT,   /* value: a row of a DMARC report, without its count */
	STORE_REPORTED, /* counts: messages of that row, unused */
	STORE_MARK,     /* value: what was done with reports, bounces */
	STORE_FAILURE,  /* value: the last message of a DMARC failure */
	STORE_FAILURES, /* counts: messages of that failure, unused */
	STORE_KINDS,
};

struct store_key {
	enum store_kind kind;
	struct span name; /* any bytes; over 128 of them are hashed */
};

struct store_counts {
	int64_t v[2];
};

enum store_verb {
	STORE_ADD,   /* adds `add` to a pair of counts */
	STORE_CHECK, /* nothing is done unless the value was `value` before */
	STORE_PUT,   /* sets the value; p NULL removes it */
};

struct store_op {
	enum store_verb verb;
	struct store_key key;
	struct store_counts add;
	struct span value; /* p NULL: not there. At most STORE_VALUE_MAX */
	/* Unix time at which the entry ends; 0: leaves what the entry has,
	 * none for a new one. */
	int64_t expires;
};

#define STORE_VALUE_MAX 4096
#define STORE_NAME_MAX 128  /* longer names are hashed to this form */
#define STORE_OPS_MAX 65536 /* of one call */

struct store_options {
	/*
	 * "lmdb:FOLDER" ("lmdb:" alone: `folder`/store), "redis://[USER@]HOST
	 * [:PORT][/DB]", "redis+unix:PATH[?DB]", "memory:".
	 */
	struct span url;           /* see store_url.h */
	struct span namespace;     /* keeps two sites apart in one server */
	struct span folder;        /* state folder */
	const char *password_file; /* of Redis; NULL: none */
	int64_t timeout_ms;        /* for one call to a server, 200 */
	size_t queue_max;          /* bytes of the write-behind queue */
	unsigned readers;          /* threads that may read at once */
	bool read_only;            /* a command beside the daemon: no thread */
};

struct store;

/*
 * Opens the backend and starts the store thread (none when read-only or for
 * "memory:"). A server that does not answer is no error: it is tried again.
 * ERR_SYNTAX: the URL; ERR_NOTFOUND: read-only and nothing there yet;
 * ERR_ACCESS; ERR_STATE: another process has the files open for writing;
 * ERR_INVALID: a file of another version, or damaged: it is left
 * as it is. Call after the last fork, once per process.
 */
int store_open(const struct store_options *options, struct store **ret,
    struct err *err) MUST_USE;
/* Writes what is queued (for at most some seconds) and ends. Accepts NULL. */
void store_close(struct store *store);
/*
 * Reads n pairs of counts (zeros where there is none). Waits until `deadline`
 * (clock.h) at most; at once ERR_STATE while the breaker is open.
 *
 * scratch  for keys; may be NULL, then the heap is used.
 */
int store_get(struct store *store, const struct store_key *keys, size_t n,
    int64_t now, int64_t deadline, struct arena *scratch,
    struct store_counts *ret, struct err *err) MUST_USE;
/* One value, copied into `arena`; p NULL when there is none. */
int store_get_value(struct store *store, const struct store_key *key,
    int64_t now, int64_t deadline, struct arena *arena, struct span *ret,
    struct err *err) MUST_USE;

/*
 * Carries out all operations or none, in order; when it returns 0 they outlive
 * the end of the process. ERR_STATE with err->text "check" when a STORE_CHECK
 * failed. After ERR_TIMEOUT or ERR_IO of a server it is not known whether it
 * was done: guard what must not be done twice by a STORE_CHECK.
 */
int store_apply(struct store *store, const struct store_op *ops, size_t n,
    int64_t now, int64_t deadline, struct err *err) MUST_USE;

/*
 * Queues operations (no STORE_CHECK) for the store thread and returns at once.
 * What does not fit in the queue is dropped and counted; the same for what a
 * server did not take after some tries.
 */
void store_later(struct store *store, const struct store_op *ops, size_t n);
/* Waits until all that was queued before is written; ERR_TIMEOUT. */
int store_flush(struct store *store, int64_t deadline) MUST_USE;

/* What `each` is given: the name without namespace and kind. */
struct store_entry {
	struct span name;
	struct store_counts counts; /* of kinds that have counts */
	struct span value;          /* of kinds that have values */
	int64_t expires;            /* 0: none, or not known */
};
/* Return false to end. The entry lives until the function returns. */
typedef bool store_each_fn(void *arg, const struct store_entry *entry);

/* All entries of a kind whose name begins with `prefix`, in no order. What
 * changes meanwhile is seen or not. */
int store_each(struct store *store, enum store_kind kind, struct span prefix,
    int64_t now, int64_t deadline, store_each_fn *fn, void *arg,
    struct err *err) MUST_USE;

/* "redis" or "store": what degraded= says when a call failed. */
const char *store_degraded(const struct store *store);
/* True when it is behind a network or a socket: a call may wait for it. */
bool store_is_remote(const struct store *store);
/* clock_mono_ms() at which the store thread last finished a turn; it takes a
 * turn at least each second. CLOCK_NEVER without a thread. */
int64_t store_beat(const struct store *store);

struct store_status {
	const char *backend; /* "lmdb", "redis", "memory" */
	bool open;           /* the breaker lets calls through */
	uint64_t reads, writes, errors;
	uint64_t queued_bytes, dropped; /* queue now; operations lost */
	char problem[256];              /* the last one, or "" */
};
void store_status(struct store *store, struct store_status *ret);

#endif
