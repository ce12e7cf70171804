#include "filter/store/store.h"

#include <assert.h>
#include <stdlib.h>

#include "filter/base/clock.h"
#include "filter/store/store_internal.h"

/*
 * What is the same for all backends: names to keys, limits, and the way of what
 * is only queued. What goes around each call is store_call.c's, the thread that
 * empties the queue store_thread.c's, what is stored where the backends'.
 */

static int
pass_on(int rc, const struct err *from, struct err *to)
{
	if (rc && to)
		*to = *from;
	return rc;
}

/* --- reading ---------------------------------------------------------------------- */

/* Keys of one call: an array of spans, and behind it their bytes. */
static struct span *
make_keys(const struct store *store, const struct store_key *keys, size_t n,
    struct arena *scratch)
{
	size_t size = n * sizeof(struct span);

	for (size_t i = 0; i < n; i++)
		size += store_key_len(&store->keys, keys[i]);
	struct span *whole =
	    scratch ? arena_alloc(scratch, size) : malloc(size);
	if (!whole)
		return NULL;
	char *p = (char *)&whole[n];
	for (size_t i = 0; i < n; i++) {
		size_t len = store_key_write(&store->keys, keys[i], p);
		whole[i] = span_make(p, len);
		p += len;
	}
	return whole;
}

int
store_get(struct store *store, const struct store_key *keys, size_t n,
    int64_t now, int64_t deadline, struct arena *scratch,
    struct store_counts *ret, struct err *err)
{
	struct store_call_state state;
	struct err own = {0};

	if (n == 0)
		return 0;
	if (n > STORE_OPS_MAX)
		return err_set(err, ERR_LIMIT, "more than %d keys in one call",
		    STORE_OPS_MAX);
	int rc =
	    store_call_begin(store, STORE_CALL_READ, deadline, &state, err);
	if (rc)
		return rc;
	struct span *whole = make_keys(store, keys, n, scratch);
	if (whole)
		rc = store->backend->class->get(
		    store->backend, whole, n, now, state.allowed, ret, &own);
	else
		rc = err_set(&own, ERR_NOMEM, "out of memory");
	if (!scratch)
		free(whole);
	return pass_on(store_call_end(store, &state, rc, n, &own), &own, err);
}

int
store_get_value(struct store *store, const struct store_key *key, int64_t now,
    int64_t deadline, struct arena *arena, struct span *ret, struct err *err)
{
	char whole[STORE_KEY_MAX];
	struct store_call_state state;
	struct err own = {0};

	assert(!store_kind_counts(key->kind));
	int rc =
	    store_call_begin(store, STORE_CALL_READ, deadline, &state, err);
	if (rc)
		return rc;
	size_t len = store_key_write(&store->keys, *key, whole);
	rc = store->backend->class->get_value(store->backend,
	    span_make(whole, len), now, state.allowed, arena, ret, &own);
	return pass_on(store_call_end(store, &state, rc, 1, &own), &own, err);
}

struct each {
	const struct store *store;
	bool counts;
	store_each_fn *fn;
	void *arg;
};

static bool
each_entry(void *arg, struct span key, const struct store_entry *entry)
{
	struct each *each = arg;
	struct store_entry named = *entry;

	/* Some backends keep a pair that has become zero, some do not. */
	if (each->counts && !entry->counts.v[0] && !entry->counts.v[1])
		return true;
	named.name = store_key_name(&each->store->keys, key);
	return each->fn(each->arg, &named);
}

int
store_each(struct store *store, enum store_kind kind, struct span prefix,
    int64_t now, int64_t deadline, store_each_fn *fn, void *arg,
    struct err *err)
{
	char whole[STORE_KEY_MAX];
	struct each each = {store, store_kind_counts(kind), fn, arg};
	struct store_call_state state;
	struct err own = {0};

	if (prefix.len > STORE_NAME_MAX)
		return err_set(
		    err, ERR_LIMIT, "a prefix of more than %d", STORE_NAME_MAX);
	int rc =
	    store_call_begin(store, STORE_CALL_READ, deadline, &state, err);
	if (rc)
		return rc;
	size_t len = store_key_write_prefix(&store->keys, kind, prefix, whole);
	/* Many steps, each of a call's length: the deadline is the caller's. */
	rc = store->backend->class->each(store->backend, span_make(whole, len),
	    each.counts, now, deadline, each_entry, &each, &own);
	return pass_on(store_call_end(store, &state, rc, 1, &own), &own, err);
}

/* --- writing ---------------------------------------------------------------------- */

static int
check_ops(const struct store_op *ops, size_t n, struct err *err)
{
	if (n > STORE_OPS_MAX)
		return err_set(err, ERR_LIMIT,
		    "more than %d operations in one call", STORE_OPS_MAX);
	for (size_t i = 0; i < n; i++) {
		assert(store_kind_counts(ops[i].key.kind) ==
		       (ops[i].verb == STORE_ADD));
		if (ops[i].verb != STORE_ADD &&
		    ops[i].value.len > STORE_VALUE_MAX)
			return err_set(err, ERR_LIMIT,
			    "a value of more than %d bytes", STORE_VALUE_MAX);
	}
	return 0;
}

static struct span
copy_value(struct queue_group *group, struct span value)
{
	if (!value.p)
		return SPAN_NONE;
	char *p = queue_group_room(group, value.len);
	memcpy(p, value.p, value.len);
	return span_make(p, value.len);
}

/* The operations with whole keys, in one block of memory. */
static struct queue_group *
make_group(const struct store *store, const struct store_op *ops, size_t n)
{
	size_t bytes = 0;

	for (size_t i = 0; i < n; i++) {
		bytes += store_key_len(&store->keys, ops[i].key);
		if (ops[i].verb != STORE_ADD)
			bytes += ops[i].value.len;
	}
	struct queue_group *group = queue_group_new(n, bytes);
	if (!group)
		return NULL;
	struct store_write *writes = queue_group_writes(group);
	for (size_t i = 0; i < n; i++) {
		size_t len = store_key_len(&store->keys, ops[i].key);
		char *key = queue_group_room(group, len);
		store_key_write(&store->keys, ops[i].key, key);
		writes[i] = (struct store_write){
		    .verb = ops[i].verb,
		    .key = span_make(key, len),
		    .expires = ops[i].expires,
		};
		if (ops[i].verb == STORE_ADD)
			writes[i].add = ops[i].add;
		else
			writes[i].value = copy_value(group, ops[i].value);
	}
	return group;
}

int
store_apply(struct store *store, const struct store_op *ops, size_t n,
    int64_t now, int64_t deadline, struct err *err)
{
	struct err own = {0};
	int rc = check_ops(ops, n, err);

	if (rc || n == 0)
		return rc;
	if (store->read_only)
		return err_set(err, ERR_ACCESS, "the store is read-only");
	struct queue_group *group = make_group(store, ops, n);
	if (!group)
		return err_set(err, ERR_NOMEM, "out of memory");
	rc = store_write_batch(
	    store, queue_group_writes(group), n, now, deadline, &own);
	free(group);
	return pass_on(rc, &own, err);
}

void
store_later(struct store *store, const struct store_op *ops, size_t n)
{
	struct queue_group *group = NULL;
	struct err own = {0};

	if (n == 0)
		return;
	for (size_t i = 0; i < n; i++)
		assert(ops[i].verb != STORE_CHECK);
	if (!store->read_only && check_ops(ops, n, NULL) == 0)
		group = make_group(store, ops, n);
	if (!group) {
		queue_count_dropped(&store->queue, n);
		return;
	}
	if (store->has_thread) {
		queue_put(&store->queue, group);
		return;
	}
	if (store_write_batch(store, queue_group_writes(group), n, clock_wall(),
		CLOCK_NEVER, &own) != 0)
		queue_count_dropped(&store->queue, n);
	free(group);
}

int
store_flush(struct store *store, int64_t deadline)
{
	return queue_flush(&store->queue, deadline);
}

/* --- looking ---------------------------------------------------------------------- */

const char *
store_degraded(const struct store *store)
{
	return store->backend->class->degraded;
}

bool
store_is_remote(const struct store *store)
{
	return store->backend->class->remote;
}

int64_t
store_beat(const struct store *store)
{
	return atomic_load(&store->beat);
}

void
store_status(struct store *store, struct store_status *ret)
{
	size_t queued;

	*ret = (struct store_status){
	    .backend = store->backend->class->name,
	    .open = !store->backend->class->remote ||
		    breaker_is_closed(&store->breaker),
	    .reads = atomic_load(&store->reads),
	    .writes = atomic_load(&store->writes),
	    .errors = atomic_load(&store->errors),
	};
	queue_numbers(&store->queue, &queued, &ret->dropped);
	ret->queued_bytes = queued;
	lock_take(&store->lock);
	memcpy(ret->problem, store->problem, sizeof ret->problem);
	lock_drop(&store->lock);
}

/* --- opening and closing ------------------------------------------------------------ */

void
store_close(struct store *store)
{
	if (!store)
		return;
	if (store->has_thread)
		store_thread_stop(store);
	store->backend->class->close(store->backend);
	queue_done(&store->queue);
	breaker_done(&store->breaker);
	lock_done(&store->lock);
	free(store);
}

int
store_open_on(struct store_backend *backend,
    const struct store_options *options, struct store **ret, struct err *err)
{
	struct store *store = calloc(1, sizeof *store);
	int rc;

	if (!store) {
		backend->class->close(backend);
		return err_set(err, ERR_NOMEM, "out of memory");
	}
	store->backend = backend;
	store->timeout_ms = options->timeout_ms > 0 ? options->timeout_ms : 1;
	store->read_only = options->read_only;
	atomic_init(&store->beat, CLOCK_NEVER);
	lock_init(&store->lock, LOCK_QUEUE);
	breaker_init(&store->breaker);
	queue_init(&store->queue, options->queue_max);
	rc = store_keys_init(&store->keys, options->namespace, err);
	if (!rc && !options->read_only && !backend->class->immediate)
		rc = store_thread_start(store, err);
	if (rc) {
		store_close(store);
		return rc;
	}
	*ret = store;
	return 0;
}

static int
open_backend(const struct store_options *options, const struct store_url *url,
    struct store_backend **ret, struct err *err)
{
	switch (url->scheme) {
	case STORE_MEMORY:
		return store_open_memory(options, url, ret, err);
	case STORE_LMDB:
		return store_open_lmdb(options, url, ret, err);
	case STORE_REDIS:
	case STORE_REDIS_UNIX:
		return store_open_redis(options, url, ret, err);
	}
	return err_set(err, ERR_SYNTAX, "store.url: of no known kind");
}

int
store_open(
    const struct store_options *options, struct store **ret, struct err *err)
{
	struct store_backend *backend;
	struct store_keys keys;
	struct store_url url;

	/* Before anything is made on disk. */
	int rc = store_keys_init(&keys, options->namespace, err);
	if (rc)
		return rc;
	rc = store_url_parse(options->url, &url, err);
	if (rc) {
		err_prefix(err, "store.url: ");
		return rc;
	}
	rc = open_backend(options, &url, &backend, err);
	return rc ? rc : store_open_on(backend, options, ret, err);
}
