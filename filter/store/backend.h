#ifndef FILTER_STORE_BACKEND_H
#define FILTER_STORE_BACKEND_H

#include "filter/store/store.h"
#include "filter/store/store_url.h"

/*
 * What a backend is to store.c. Keys are whole (namespace, kind, version,
 * name) and at most STORE_KEY_MAX bytes; they hold any bytes. A backend guards
 * itself: all functions may be called by several threads at once (sweep by one).
 * `err` is never NULL here, n is 1 or more, a verb never meets a key of the
 * other sort (counts, values).
 *
 * `now` is the Unix time at which an entry with expires <= now is gone: reads
 * do not see it, an addition begins at zero. A pair that has become 0, 0 may be
 * gone, with its expiry. All checks of a call are made
 * before anything is done.
 *
 * Codes of a remote one:
 *	ERR_STATE    nothing was done: no connection, or the server refuses for
 *	             now (LOADING, READONLY, OOM ...); later it may go well
 *	ERR_ACCESS   the same, wrong password or no right
 *	ERR_TIMEOUT, ERR_IO
 *	             it was sent; whether it was done is not known
 *	ERR_INVALID, ERR_LIMIT, ERR_SYNTAX
 *	             junk, or refused for good
 * and of a local one: whatever the code, nothing was done.
 */
#define STORE_CHECK_FAILED "check" /* err->text of a failed STORE_CHECK */
#define STORE_KEY_MAX 256

struct store_write {
	enum store_verb verb;
	struct span key;
	struct store_counts add;
	struct span value;
	int64_t expires;
};

struct store_backend {
	const struct store_backend_class *class;
	/* the backend's own fields follow */
};

/* `key` is whole; the rest as in struct store_entry. */
typedef bool store_backend_each_fn(
    void *arg, struct span key, const struct store_entry *entry);

struct store_backend_class {
	const char *name;     /* "lmdb", "redis", "memory" */
	const char *degraded; /* "store", "redis" */
	bool remote;          /* the breaker guards it, its failures may pass */
	bool immediate;       /* writing costs nothing: no queue, no thread */
	int (*get)(struct store_backend *backend, const struct span *keys,
	    size_t n, int64_t now, int64_t deadline, struct store_counts *ret,
	    struct err *err);
	int (*get_value)(struct store_backend *backend, struct span key,
	    int64_t now, int64_t deadline, struct arena *arena,
	    struct span *ret, struct err *err);
	/* As store_apply(); a failed check is ERR_STATE and the text
	 * STORE_CHECK_FAILED. */
	int (*apply)(struct store_backend *backend,
	    const struct store_write *writes, size_t n, int64_t now,
	    int64_t deadline, struct err *err);
	/* `counts`: entries hold counts, else values. */
	int (*each)(struct store_backend *backend, struct span prefix,
	    bool counts, int64_t now, int64_t deadline,
	    store_backend_each_fn *fn, void *arg, struct err *err);
	/* Removes what has ended, a bounded piece of work; true: there may be
	 * more. NULL: the server does it. Only the store thread calls it. */
	bool (*sweep)(struct store_backend *backend, int64_t now);
	void (*close)(struct store_backend *backend);
};

/*
 * store_open() on a backend that is there already; it is owned from now on,
 * closed on failure too.
 */
int store_open_on(struct store_backend *backend,
    const struct store_options *options, struct store **ret,
    struct err *err) MUST_USE;

int store_open_memory(const struct store_options *options,
    const struct store_url *url, struct store_backend **ret,
    struct err *err) MUST_USE;
int store_open_lmdb(const struct store_options *options,
    const struct store_url *url, struct store_backend **ret,
    struct err *err) MUST_USE;
/* Does not connect yet. */
int store_open_redis(const struct store_options *options,
    const struct store_url *url, struct store_backend **ret,
    struct err *err) MUST_USE;
#endif
