#include "filter/store/store_redis.h"

#include <stdlib.h>

/*
 * The store in a Redis server (2.8 or later; 6.0 for users; or what speaks like
 * it), for many machines: reading. Writing is store_redis_apply.c's, listing
 * store_redis_each.c's.
 *
 * An entry is a hash under its whole key: "a" and "b" are counts, "v" a value,
 * "e" the second at which it ends, by which readers go; the server removes it
 * then by EXPIREAT, by its own clock. Keys of a call are asked for in one
 * round trip.
 */

struct redis {
	struct store_backend base;
	struct redis_pool pool;
	char where[320]; /* for errors */
};

/* A value and an expiry, or two counts and an expiry. */
const struct redis_limits redis_entry_limits = {STORE_VALUE_MAX + 256, 4};

/* --- entries ------------------------------------------------------------------------ */

void
redis_ask(struct redis_conn *conn, struct span key, bool counts)
{
	if (counts)
		redis_command(conn,
		    (struct span[]){SPAN("HMGET"), key, REDIS_FIELD_EXPIRES,
			REDIS_FIELD_FIRST, REDIS_FIELD_SECOND},
		    5);
	else
		redis_command(conn,
		    (struct span[]){SPAN("HMGET"), key, REDIS_FIELD_EXPIRES,
			REDIS_FIELD_VALUE},
		    4);
}

static int
read_number(const struct redis_reply *reply, const struct redis_node *node,
    int64_t *ret, struct err *err)
{
	*ret = 0;
	if (node->kind == REDIS_NIL)
		return 0;
	if (node->kind != REDIS_STRING)
		return redis_unexpected(reply, err);
	if (span_to_i64(redis_bytes(reply, node), ret))
		return err_set(err, ERR_INVALID, "has no number for a count");
	return 0;
}

int
redis_read_entry(const struct redis_reply *reply, bool counts, int64_t now,
    struct redis_entry *ret, struct err *err)
{
	const struct redis_node *nodes = reply->nodes;
	struct redis_entry entry = {0};
	size_t fields = counts ? 3 : 2;

	if (nodes[0].kind != REDIS_ARRAY || reply->n != fields + 1 ||
	    nodes[0].number != (int64_t)fields)
		return redis_unexpected(reply, err);
	int rc = read_number(reply, &nodes[1], &entry.expires, err);
	if (rc)
		return rc;
	if (counts) {
		for (size_t i = 0; i < 2 && rc == 0; i++)
			rc = read_number(
			    reply, &nodes[2 + i], &entry.counts.v[i], err);
		entry.there =
		    nodes[2].kind != REDIS_NIL || nodes[3].kind != REDIS_NIL;
	} else if (nodes[2].kind == REDIS_STRING) {
		entry.there = true;
		entry.value = redis_bytes(reply, &nodes[2]);
	} else if (nodes[2].kind != REDIS_NIL) {
		rc = redis_unexpected(reply, err);
	}
	if (rc)
		return rc;
	if (!entry.there || (entry.expires && entry.expires <= now))
		entry = (struct redis_entry){0};
	*ret = entry;
	return 0;
}

/* Every error begins with the server's place. */
static int
say_whose(const struct redis *redis, int rc, struct err *err)
{
	if (rc)
		err_prefix(err, "%s: ", redis->where);
	return rc;
}

/* --- get ------------------------------------------------------------------------------- */

struct get {
	const struct span *keys;
	size_t n;
	int64_t now;
	struct store_counts *ret;
};

static void
prepare_get(struct redis_conn *conn, const void *arg)
{
	const struct get *get = arg;

	for (size_t i = 0; i < get->n; i++)
		redis_ask(conn, get->keys[i], true);
}

static int
on_get(void *arg, size_t nth, const struct redis_reply *reply, struct err *err)
{
	struct get *get = arg;
	struct redis_entry entry;
	int rc = redis_read_entry(reply, true, get->now, &entry, err);

	if (rc == 0)
		get->ret[nth] = entry.counts;
	return rc;
}

static int
get(struct store_backend *backend, const struct span *keys, size_t n,
    int64_t now, int64_t deadline, struct store_counts *ret, struct err *err)
{
	struct redis *redis = (struct redis *)backend;
	struct get part = {.now = now};
	struct redis_question q = {
	    prepare_get, on_get, &part, &redis_entry_limits};

	for (size_t at = 0; at < n; at += part.n) {
		part.keys = keys + at;
		part.ret = ret + at;
		part.n =
		    n - at < REDIS_KEYS_AT_ONCE ? n - at : REDIS_KEYS_AT_ONCE;
		int rc = redis_question(&redis->pool, &q, deadline, err);
		if (rc)
			return say_whose(redis, rc, err);
	}
	return 0;
}

struct get_value {
	struct span key;
	int64_t now;
	struct arena *arena;
	struct span value;
};

static void
prepare_get_value(struct redis_conn *conn, const void *arg)
{
	const struct get_value *get = arg;

	redis_ask(conn, get->key, false);
}

static int
on_get_value(
    void *arg, size_t nth, const struct redis_reply *reply, struct err *err)
{
	struct get_value *get = arg;
	struct redis_entry entry;
	int rc = redis_read_entry(reply, false, get->now, &entry, err);

	(void)nth;
	if (rc || !entry.there)
		return rc;
	get->value = arena_span(get->arena, entry.value);
	if (!get->value.p)
		return err_set(err, ERR_NOMEM, "out of memory");
	return 0;
}

static int
get_value(struct store_backend *backend, struct span key, int64_t now,
    int64_t deadline, struct arena *arena, struct span *ret, struct err *err)
{
	struct redis *redis = (struct redis *)backend;
	struct get_value get = {.key = key, .now = now, .arena = arena};
	struct redis_question q = {
	    prepare_get_value, on_get_value, &get, &redis_entry_limits};
	int rc = redis_question(&redis->pool, &q, deadline, err);

	if (rc == 0)
		*ret = get.value;
	return say_whose(redis, rc, err);
}

/* --- the rest --------------------------------------------------------------------- */

static int
apply(struct store_backend *backend, const struct store_write *writes, size_t n,
    int64_t now, int64_t deadline, struct err *err)
{
	struct redis *redis = (struct redis *)backend;
	bool checked = false;
	int rc =
	    redis_apply(&redis->pool, writes, n, now, deadline, &checked, err);

	return checked ? rc : say_whose(redis, rc, err);
}

static int
each(struct store_backend *backend, struct span prefix, bool counts,
    int64_t now, int64_t deadline, store_backend_each_fn *fn, void *arg,
    struct err *err)
{
	struct redis *redis = (struct redis *)backend;
	int rc = redis_each(
	    &redis->pool, prefix, counts, now, deadline, fn, arg, err);

	return say_whose(redis, rc, err);
}

static void
close_redis(struct store_backend *backend)
{
	struct redis *redis = (struct redis *)backend;

	redis_pool_done(&redis->pool);
	free(redis);
}

static const struct store_backend_class class_redis = {
    .name = "redis",
    .degraded = "redis",
    .remote = true,
    .get = get,
    .get_value = get_value,
    .apply = apply,
    .each = each,
    .close = close_redis,
};

/* Without the user: it is nobody's business in a log. */
static void
say_where(struct redis *redis, const struct store_url *url)
{
	struct buf text;
	bool six = span_find_char(url->host, ':') != SPAN_NPOS;

	buf_init(&text, NULL, sizeof redis->where);
	if (url->scheme == STORE_REDIS_UNIX)
		buf_printf(&text, "redis at %.*s", SPAN_ARG(url->path));
	else
		buf_printf(&text, "redis at %s%.*s%s:%u", six ? "[" : "",
		    SPAN_ARG(url->host), six ? "]" : "", url->port);
	if (buf_failed(&text) ||
	    !span_copy(buf_span(&text), redis->where, sizeof redis->where))
		span_copy(SPAN("redis"), redis->where, sizeof redis->where);
	buf_done(&text);
}

int
store_open_redis(const struct store_options *options,
    const struct store_url *url, struct store_backend **ret, struct err *err)
{
	struct redis *redis = calloc(1, sizeof *redis);
	struct redis_name *name = NULL;

	if (!redis)
		return err_set(err, ERR_NOMEM, "out of memory");
	redis->base.class = &class_redis;
	int rc = redis_name_open(url, &name, err);
	if (rc) {
		free(redis);
		return rc;
	}
	say_where(redis, url);
	rc = redis_pool_init(
	    &redis->pool, name, url, options->password_file, err);
	if (rc) {
		close_redis(&redis->base);
		return rc;
	}
	*ret = &redis->base;
	return 0;
}
