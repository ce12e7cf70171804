#include "filter/store/store_redis.h"

#include "filter/base/clock.h"

/*
 * Writing to Redis: all operations of a call in one transaction (MULTI, EXEC),
 * without scripts. What is to be checked is watched and read first; when
 * somebody changes it before EXEC, the server does nothing, and we look again.
 *
 * The commands of a transaction are sent by pieces; before EXEC has been sent
 * nothing is done, so a failure until then is ERR_STATE: it may be sent again.
 * A failure after that is ERR_IO or ERR_TIMEOUT: nobody knows.
 */

#define WRITES_AT_ONCE 1024 /* of one exchange */
#define TRIES_MAX 8         /* when others change what is checked */
#define NUMBER_SIZE 24

static const struct redis_limits queued_limits = {1024, 1};

/* One call. */
struct apply {
	struct redis_conn *conn;
	const struct store_write *writes;
	size_t n;
	int64_t now, deadline;
	size_t checks, commands;
	/* Of one attempt: */
	const struct store_write *at; /* the next check that is answered */
	bool differs;                 /* a check does */
	bool last;     /* EXEC is the last command that is asked now */
	bool refused;  /* MULTI was: what follows is not held back */
	bool loose;    /* and something was done by itself */
	bool executed; /* EXEC has done it */
	bool aborted;  /* or not: a watched key had changed */
	bool gone;     /* the connection was, before anything was done */
};

/* --- commands ----------------------------------------------------------------------- */

static struct span
number(char room[NUMBER_SIZE], int64_t value)
{
	char *p = room + NUMBER_SIZE;
	uint64_t rest = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;

	do {
		*--p = (char)('0' + rest % 10);
		rest /= 10;
	} while (rest);
	if (value < 0)
		*--p = '-';
	return span_make(p, (size_t)(room + NUMBER_SIZE - p));
}

static void
add_number(
    struct redis_conn *conn, struct span key, struct span field, int64_t value)
{
	char room[NUMBER_SIZE];

	redis_command(conn,
	    (struct span[]){SPAN("HINCRBY"), key, field, number(room, value)},
	    4);
}

static void
set_end(struct redis_conn *conn, struct span key, int64_t expires)
{
	char room[NUMBER_SIZE];
	struct span second = number(room, expires);

	redis_command(conn,
	    (struct span[]){SPAN("HSET"), key, REDIS_FIELD_EXPIRES, second}, 4);
	redis_command(conn, (struct span[]){SPAN("EXPIREAT"), key, second}, 3);
}

/* How many commands add_write() makes. */
static size_t
count_commands(const struct store_write *w)
{
	if (w->verb == STORE_CHECK)
		return 0;
	if (w->verb == STORE_PUT && !w->value.p)
		return 1;
	size_t both = w->verb == STORE_ADD && w->add.v[0] && w->add.v[1];
	return 1 + both + (w->expires ? 2 : 0);
}

/* An operation as commands; a check is none. */
static void
add_write(struct redis_conn *conn, const struct store_write *w)
{
	if (w->verb == STORE_ADD) {
		/* One of them even when both are 0: the entry is there then. */
		if (w->add.v[0] || !w->add.v[1])
			add_number(
			    conn, w->key, REDIS_FIELD_FIRST, w->add.v[0]);
		if (w->add.v[1])
			add_number(
			    conn, w->key, REDIS_FIELD_SECOND, w->add.v[1]);
	} else if (w->verb == STORE_PUT && w->value.p) {
		redis_command(conn,
		    (struct span[]){
			SPAN("HSET"), w->key, REDIS_FIELD_VALUE, w->value},
		    4);
	} else if (w->verb == STORE_PUT) {
		redis_command(conn, (struct span[]){SPAN("DEL"), w->key}, 2);
		return;
	} else {
		return;
	}
	if (w->expires)
		set_end(conn, w->key, w->expires);
}

/* --- checks ------------------------------------------------------------------------- */

/* Replies come in pairs: WATCH, HMGET. */
static int
on_check(
    void *arg, size_t nth, const struct redis_reply *reply, struct err *err)
{
	struct apply *a = arg;
	struct redis_entry entry;

	if (nth % 2 == 0)
		return redis_is_status(reply, "OK")
			   ? 0
			   : redis_unexpected(reply, err);
	const struct store_write *w = a->at++;
	while (w->verb != STORE_CHECK)
		w = a->at++;
	int rc = redis_read_entry(reply, false, a->now, &entry, err);
	if (rc)
		return rc;
	if (entry.there != (w->value.p != NULL) ||
	    (entry.there && !span_eq(entry.value, w->value)))
		a->differs = true;
	return 0;
}

static int
ask_checks(struct apply *a, struct err *err)
{
	return redis_exchange(
	    a->conn, &redis_entry_limits, a->deadline, on_check, a, err);
}

/* Watches and reads what is to be checked. */
static int
run_checks(struct apply *a, struct err *err)
{
	int rc = 0;

	a->at = a->writes;
	a->differs = false;
	for (size_t i = 0; i < a->n && rc == 0; i++) {
		const struct store_write *w = &a->writes[i];
		if (w->verb != STORE_CHECK)
			continue;
		redis_command(
		    a->conn, (struct span[]){SPAN("WATCH"), w->key}, 2);
		redis_ask(a->conn, w->key, false);
		if (a->conn->expected >= WRITES_AT_ONCE)
			rc = ask_checks(a, err);
	}
	if (rc == 0 && a->conn->expected)
		rc = ask_checks(a, err);
	return rc;
}

static int
on_unwatch(
    void *arg, size_t nth, const struct redis_reply *reply, struct err *err)
{
	(void)arg;
	(void)nth;
	return redis_is_status(reply, "OK") ? 0 : redis_unexpected(reply, err);
}

/* The connection is given back without a watch on it. */
static void
unwatch(struct apply *a)
{
	redis_command(a->conn, (struct span[]){SPAN("UNWATCH")}, 1);
	if (redis_exchange(
		a->conn, &queued_limits, a->deadline, on_unwatch, NULL, NULL))
		a->conn->broken = true;
}

/* --- the transaction ------------------------------------------------------------------ */

static int
on_exec(struct apply *a, const struct redis_reply *reply, struct err *err)
{
	const struct redis_node *nodes = reply->nodes;

	if (nodes[0].kind == REDIS_NIL) {
		a->aborted = true;
		return 0;
	}
	if (nodes[0].kind != REDIS_ARRAY || reply->n != a->commands + 1 ||
	    nodes[0].number != (int64_t)a->commands)
		return redis_unexpected(reply, err);
	a->executed = true;
	for (size_t i = 1; i < reply->n; i++)
		if (nodes[i].kind == REDIS_ERROR)
			return redis_refusal(reply, &nodes[i], err);
	return 0;
}

static int
on_transaction(
    void *arg, size_t nth, const struct redis_reply *reply, struct err *err)
{
	struct apply *a = arg;

	if (a->last && nth + 1 == a->conn->expected)
		return on_exec(a, reply, err);
	if (redis_is_status(reply, "QUEUED"))
		return 0;
	if (redis_is_status(reply, "OK") && !a->refused)
		return 0;
	if (reply->nodes[0].kind != REDIS_ERROR)
		a->loose = a->refused;
	else if (nth == 0)
		a->refused = true;
	return redis_unexpected(reply, err);
}

static int
not_done(struct err *err)
{
	if (err)
		err->code = ERR_STATE;
	return ERR_STATE;
}

/* A failure before the server could do anything. */
static int
nothing_done(struct apply *a, int rc, struct err *err)
{
	a->conn->broken = true;
	a->gone = rc == ERR_IO && !a->conn->answered;
	return rc == ERR_IO || rc == ERR_TIMEOUT ? not_done(err) : rc;
}

/*
 * The last piece, after which it is done. Only a refusal says for sure that it
 * is not; one inside of EXEC's answer is of a single command, the others were
 * carried out.
 */
static int
finish(struct apply *a, redis_reply_fn *fn, struct err *err)
{
	struct redis_limits limits = {
	    1024 + a->commands * 256, 1 + a->commands};
	int rc = redis_exchange(a->conn, &limits, a->deadline, fn, a, err);

	if (rc == 0)
		return 0;
	if (!a->conn->sent)
		return nothing_done(a, rc, err);
	bool refused = rc == ERR_STATE || rc == ERR_ACCESS || rc == ERR_INVALID;
	if (rc == ERR_TIMEOUT || (refused && !a->executed && !a->loose))
		return rc;
	if (err)
		err->code = ERR_IO;
	return ERR_IO;
}

static int
transact(struct apply *a, struct err *err)
{
	redis_command(a->conn, (struct span[]){SPAN("MULTI")}, 1);
	for (size_t i = 0; i < a->n; i++) {
		add_write(a->conn, &a->writes[i]);
		if (a->conn->expected < WRITES_AT_ONCE)
			continue;
		int rc = redis_exchange(a->conn, &queued_limits, a->deadline,
		    on_transaction, a, err);
		if (rc)
			return nothing_done(a, rc, err);
	}
	redis_command(a->conn, (struct span[]){SPAN("EXEC")}, 1);
	a->last = true;
	return finish(a, on_transaction, err);
}

/* A single command needs no transaction. */
static int
on_single(
    void *arg, size_t nth, const struct redis_reply *reply, struct err *err)
{
	(void)arg;
	(void)nth;
	return reply->nodes[0].kind == REDIS_INTEGER
		   ? 0
		   : redis_unexpected(reply, err);
}

static int
attempt(struct apply *a, bool *ret_checked, struct err *err)
{
	a->last = a->refused = a->loose = false;
	a->executed = a->aborted = a->gone = false;
	if (a->checks) {
		int rc = run_checks(a, err);
		if (rc)
			return nothing_done(a, rc, err);
		if (a->differs || !a->commands)
			unwatch(a);
		if (a->differs) {
			*ret_checked = true;
			return err_set(err, ERR_STATE, STORE_CHECK_FAILED);
		}
	}
	if (!a->commands)
		return 0;
	if (a->checks || a->commands > 1)
		return transact(a, err);
	for (size_t i = 0; i < a->n; i++)
		add_write(a->conn, &a->writes[i]);
	return finish(a, on_single, err);
}

int
redis_apply(struct redis_pool *pool, const struct store_write *writes, size_t n,
    int64_t now, int64_t deadline, bool *ret_checked, struct err *err)
{
	struct apply a = {
	    .writes = writes, .n = n, .now = now, .deadline = deadline};

	for (size_t i = 0; i < n; i++) {
		a.checks += writes[i].verb == STORE_CHECK;
		a.commands += count_commands(&writes[i]);
	}
	for (unsigned tries = 0; tries < TRIES_MAX; tries++) {
		int rc = redis_pool_take(pool, deadline, &a.conn, err);
		if (rc == ERR_TIMEOUT)
			return not_done(err);
		if (rc)
			return rc;
		rc = attempt(&a, ret_checked, err);
		bool again = a.aborted || (a.gone && a.conn->reused);
		redis_pool_give(pool, a.conn);
		if (!again)
			return rc;
		if (a.gone)
			redis_pool_drain(pool);
	}
	return err_set(err, ERR_STATE, "others change the same entries");
}
