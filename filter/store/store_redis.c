#include "filter/store/store_redis.h"

#include <stdlib.h>

#include "filter/base/clock.h"

/*
 * The store in a Redis server (2.8 or later; 6.0 for users; or what speaks like
 * it), for many machines: reading. Writing is store_redis_apply.c's.
 *
 * An entry is a hash under its whole key: "a" and "b" are counts, "v" a value,
 * "e" the second at which it ends, by which readers go; the server removes it
 * then by EXPIREAT, by its own clock. Keys of a call are asked for in one
 * round trip. A question that went down with a connection which had been idle
 * is asked once more.
 */

struct redis {
	struct store_backend base;
	struct redis_pool pool;
	char where[320]; /* for errors */
};

#define KEYS_AT_ONCE 1024 /* of one exchange */
#define SCAN_COUNT SPAN("512")
#define SCAN_KEYS_MAX 16384 /* the server may answer more than it was asked */
#define CURSOR_MAX 20
/* A value and an expiry, or two counts and an expiry. */
const struct redis_limits redis_entry_limits = {STORE_VALUE_MAX + 256, 4};
static const struct redis_limits scan_limits = {
    SCAN_KEYS_MAX * (STORE_KEY_MAX + 16), SCAN_KEYS_MAX + 3};

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

/* --- questions ----------------------------------------------------------------------- */

/* A question that may be asked twice. `prepare` adds its commands. */
struct question {
	void (*prepare)(struct redis_conn *conn, const void *arg);
	redis_reply_fn *fn;
	void *arg;
	const struct redis_limits *limits;
};

static int
ask(struct redis *redis, const struct question *q, int64_t deadline,
    struct err *err)
{
	for (;;) {
		struct redis_conn *conn = NULL;
		int rc = redis_pool_take(&redis->pool, deadline, &conn, err);
		if (rc == 0) {
			q->prepare(conn, q->arg);
			rc = redis_exchange(
			    conn, q->limits, deadline, q->fn, q->arg, err);
			bool again =
			    rc == ERR_IO && conn->reused && !conn->answered;
			redis_pool_give(&redis->pool, conn);
			if (again) {
				redis_pool_drain(&redis->pool);
				continue;
			}
		}
		if (rc)
			err_prefix(err, "%s: ", redis->where);
		return rc;
	}
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
	struct question q = {prepare_get, on_get, &part, &redis_entry_limits};

	for (size_t at = 0; at < n; at += part.n) {
		part.keys = keys + at;
		part.ret = ret + at;
		part.n = n - at < KEYS_AT_ONCE ? n - at : KEYS_AT_ONCE;
		int rc = ask(redis, &q, deadline, err);
		if (rc)
			return rc;
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
	struct question q = {
	    prepare_get_value, on_get_value, &get, &redis_entry_limits};
	int rc = ask(redis, &q, deadline, err);

	if (rc == 0)
		*ret = get.value;
	return rc;
}

/* --- each ------------------------------------------------------------------------------ */

/* A walk through all keys of the server that fit, step by step. */
struct walk {
	struct span pattern, prefix;
	bool counts, stopped;
	int64_t now;
	store_backend_each_fn *fn;
	void *arg;
	char cursor[CURSOR_MAX + 1]; /* "0" at the end */
	struct arena *arena;         /* of one step */
	struct span *keys;
	size_t n;
	size_t begin, end; /* of those that are asked for now */
};

static void
prepare_scan(struct redis_conn *conn, const void *arg)
{
	const struct walk *walk = arg;

	redis_command(conn,
	    (struct span[]){SPAN("SCAN"), span_of(walk->cursor), SPAN("MATCH"),
		walk->pattern, SPAN("COUNT"), SCAN_COUNT},
	    6);
}

static bool
is_scan_answer(const struct redis_reply *reply)
{
	const struct redis_node *nodes = reply->nodes;
	uint64_t number;

	if (reply->n < 3 || nodes[0].kind != REDIS_ARRAY ||
	    nodes[0].number != 2 || nodes[1].kind != REDIS_STRING ||
	    nodes[2].kind != REDIS_ARRAY ||
	    (size_t)nodes[2].number != reply->n - 3)
		return false;
	for (size_t i = 3; i < reply->n; i++)
		if (nodes[i].kind != REDIS_STRING)
			return false;
	struct span cursor = redis_bytes(reply, &nodes[1]);
	return cursor.len <= CURSOR_MAX && span_to_u64(cursor, &number) == 0;
}

/* Copies the keys: the reply's memory is used again for their entries. What
 * cannot be a key of ours is left out. */
static int
on_scan(void *arg, size_t nth, const struct redis_reply *reply, struct err *err)
{
	struct walk *walk = arg;

	(void)nth;
	if (!is_scan_answer(reply))
		return redis_unexpected(reply, err);
	span_copy(redis_bytes(reply, &reply->nodes[1]), walk->cursor,
	    sizeof walk->cursor);
	arena_reset(walk->arena);
	walk->n = 0;
	walk->keys = arena_calloc(walk->arena, reply->n, sizeof *walk->keys);
	for (size_t i = 3; walk->keys && i < reply->n; i++) {
		struct span key = redis_bytes(reply, &reply->nodes[i]);
		if (key.len <= STORE_KEY_MAX && span_starts(key, walk->prefix))
			walk->keys[walk->n++] = arena_span(walk->arena, key);
	}
	if (arena_failed(walk->arena))
		return err_set(err, ERR_NOMEM, "out of memory");
	return 0;
}

static void
prepare_entries(struct redis_conn *conn, const void *arg)
{
	const struct walk *walk = arg;

	for (size_t i = walk->begin; i < walk->end; i++)
		redis_ask(conn, walk->keys[i], walk->counts);
}

static int
on_entry(
    void *arg, size_t nth, const struct redis_reply *reply, struct err *err)
{
	struct walk *walk = arg;
	struct redis_entry entry;
	int rc = redis_read_entry(reply, walk->counts, walk->now, &entry, err);

	/* It may have gone since, or be of the other sort. */
	if (rc || !entry.there || walk->stopped)
		return rc;
	struct store_entry out = {.counts = entry.counts,
	    .value = entry.value,
	    .expires = entry.expires};
	walk->stopped =
	    !walk->fn(walk->arg, walk->keys[walk->begin + nth], &out);
	return 0;
}

static int
walk_on(
    struct redis *redis, struct walk *walk, int64_t deadline, struct err *err)
{
	struct question scan = {prepare_scan, on_scan, walk, &scan_limits};
	struct question entries = {
	    prepare_entries, on_entry, walk, &redis_entry_limits};
	int rc = ask(redis, &scan, deadline, err);

	walk->begin = 0;
	while (rc == 0 && walk->begin < walk->n && !walk->stopped) {
		size_t left = walk->n - walk->begin;
		walk->end =
		    walk->begin + (left < KEYS_AT_ONCE ? left : KEYS_AT_ONCE);
		rc = ask(redis, &entries, deadline, err);
		walk->begin = walk->end;
	}
	return rc;
}

/* A glob of Redis that means these bytes, and whatever follows. */
static void
add_pattern(struct buf *to, struct span prefix)
{
	for (size_t i = 0; i < prefix.len; i++) {
		char c = prefix.p[i];
		if (c == '*' || c == '?' || c == '[' || c == ']' || c == '\\')
			buf_add_char(to, '\\');
		buf_add_char(to, c);
	}
	buf_add_char(to, '*');
}

static int
each(struct store_backend *backend, struct span prefix, bool counts,
    int64_t now, int64_t deadline, store_backend_each_fn *fn, void *arg,
    struct err *err)
{
	struct redis *redis = (struct redis *)backend;
	struct walk walk = {.prefix = prefix,
	    .counts = counts,
	    .now = now,
	    .fn = fn,
	    .arg = arg,
	    .cursor = "0"};
	struct buf pattern;
	int rc = 0;

	buf_init(&pattern, NULL, 2 * STORE_KEY_MAX + 1);
	add_pattern(&pattern, prefix);
	walk.pattern = buf_span(&pattern);
	walk.arena = arena_new(0);
	if (!walk.arena || buf_failed(&pattern))
		rc = err_set(err, ERR_NOMEM, "out of memory");
	while (rc == 0 && !walk.stopped) {
		rc = walk_on(redis, &walk, deadline, err);
		if (strcmp(walk.cursor, "0") == 0)
			break;
		if (rc == 0 && clock_left(deadline) == 0)
			rc = err_set(err, ERR_TIMEOUT,
			    "%s: too many keys for"
			    " the time",
			    redis->where);
	}
	arena_free(walk.arena);
	buf_done(&pattern);
	return rc;
}

/* --- apply, open, close ------------------------------------------------------------------ */

static int
apply(struct store_backend *backend, const struct store_write *writes, size_t n,
    int64_t now, int64_t deadline, struct err *err)
{
	struct redis *redis = (struct redis *)backend;
	bool checked = false;
	int rc =
	    redis_apply(&redis->pool, writes, n, now, deadline, &checked, err);

	if (rc && !checked)
		err_prefix(err, "%s: ", redis->where);
	return rc;
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
