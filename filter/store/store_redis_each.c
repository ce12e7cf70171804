#include "filter/store/store_redis.h"

#include "filter/base/clock.h"

/*
 * Listing what is in Redis: SCAN goes through all keys of the database, step by
 * step, without holding up the server; the entries of a step are asked for in
 * one round trip. It shows an entry twice at times, while its table grows.
 * What can be no key of ours is left out.
 */

#define SCAN_COUNT SPAN("512")
#define SCAN_KEYS_MAX 16384 /* the server may answer more than it was asked */
#define CURSOR_MAX 20

static const struct redis_limits scan_limits = {
    SCAN_KEYS_MAX * (STORE_KEY_MAX + 16), SCAN_KEYS_MAX + 3};

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
walk_on(struct redis_pool *pool, struct walk *walk, int64_t deadline,
    struct err *err)
{
	struct redis_question scan = {
	    prepare_scan, on_scan, walk, &scan_limits};
	struct redis_question entries = {
	    prepare_entries, on_entry, walk, &redis_entry_limits};
	int rc = redis_question(pool, &scan, deadline, err);

	walk->begin = 0;
	while (rc == 0 && walk->begin < walk->n && !walk->stopped) {
		size_t left = walk->n - walk->begin;
		walk->end =
		    walk->begin +
		    (left < REDIS_KEYS_AT_ONCE ? left : REDIS_KEYS_AT_ONCE);
		rc = redis_question(pool, &entries, deadline, err);
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

int
redis_each(struct redis_pool *pool, struct span prefix, bool counts,
    int64_t now, int64_t deadline, store_backend_each_fn *fn, void *arg,
    struct err *err)
{
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
		rc = walk_on(pool, &walk, deadline, err);
		if (strcmp(walk.cursor, "0") == 0)
			break;
		if (rc == 0 && clock_left(deadline) == 0)
			rc = err_set(
			    err, ERR_TIMEOUT, "too many keys for the time");
	}
	arena_free(walk.arena);
	buf_done(&pattern);
	return rc;
}
