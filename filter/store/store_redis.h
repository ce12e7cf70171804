#ifndef FILTER_STORE_STORE_REDIS_H
#define FILTER_STORE_STORE_REDIS_H

#include <sys/socket.h>
#include <sys/un.h>

#include "filter/base/buf.h"
#include "filter/base/lock.h"
#include "filter/store/backend.h"

/*
 * Private to store_redis*.c: replies, where the server is, connections, the
 * pool. Texts of errors hold our own words and the server's upper-case error
 * code only: what a server says may repeat what we sent, keys and passwords
 * too.
 */

/* --- replies (store_redis_reply.c) ------------------------------------------- */

/* What the server says, its kinds of value. */
enum redis_kind {
	REDIS_STATUS,
	REDIS_ERROR,
	REDIS_INTEGER,
	REDIS_NIL,
	REDIS_STRING,
	REDIS_ARRAY,
};

struct redis_node {
	enum redis_kind kind;
	int64_t number; /* the integer, or how many elements */
	size_t at, len; /* bytes of a status, error or string */
};

/* One whole reply: the elements of an array follow it, in order. Lives until
 * the next one is read. */
struct redis_reply {
	const struct redis_node *nodes;
	size_t n; /* 1 or more */
	const char *text;
};

/* What one reply may cost; past it the connection ends. */
struct redis_limits {
	size_t bytes; /* on the wire */
	size_t nodes; /* values, arrays among them */
};

#define REDIS_NESTING_MAX 2 /* arrays in an array: SCAN's answer */

/* Reads a stream of bytes as replies. One thread at a time. */
struct redis_parser;

struct redis_parser *redis_parser_new(void); /* NULL: out of memory */
void redis_parser_free(struct redis_parser *parser);
/* ERR_LIMIT, ERR_NOMEM. */
int redis_parser_feed(struct redis_parser *parser, const char *p, size_t len,
    struct err *err) MUST_USE;
/*
 * The next reply; ret->n is 0 when more bytes are needed. ERR_SYNTAX: junk;
 * ERR_LIMIT: it does, or would, cost more than `limits` (which must be the same
 * until the reply is whole); ERR_NOMEM. After an error nothing more is read.
 */
int redis_parser_next(struct redis_parser *parser,
    const struct redis_limits *limits, struct redis_reply *ret,
    struct err *err) MUST_USE;
/* Nothing is left behind the last reply. */
bool redis_parser_clean(const struct redis_parser *parser);
/* Gives back what a large reply needed. */
void redis_parser_trim(struct redis_parser *parser);

/* The bytes of a status, error or string. */
struct span redis_bytes(
    const struct redis_reply *reply, const struct redis_node *node);
/* The reply is this status ("OK"). */
bool redis_is_status(const struct redis_reply *reply, const char *word);
/*
 * Errors for an answer that is an error (node->kind REDIS_ERROR), by its code,
 * and for one of another shape than was asked for (ERR_SYNTAX).
 */
int redis_refusal(const struct redis_reply *reply,
    const struct redis_node *node, struct err *err);
int redis_unexpected(const struct redis_reply *reply, struct err *err);

/* --- where (store_redis_name.c) ---------------------------------------------- */

#define REDIS_ADDRESSES_MAX 8

struct redis_address {
	union {
		struct sockaddr sa;
		struct sockaddr_un un;
		struct sockaddr_storage any;
	} u;
	socklen_t len;
};

/* A server's addresses. A numeric one, or a socket's path, is known at once; a
 * name is looked up by a thread of its own. Thread: any. */
struct redis_name;

/* ERR_SYNTAX: the path is too long, the host has characters of no name. */
int redis_name_open(const struct store_url *url, struct redis_name **ret,
    struct err *err) MUST_USE;
void redis_name_close(struct redis_name *name);
/*
 * The addresses, best first, at least one. Waits for a first look-up until
 * `deadline`; later ones go on behind the back of old answers. ERR_TIMEOUT,
 * ERR_STATE: the name has no address.
 */
int redis_name_get(struct redis_name *name, int64_t deadline,
    struct redis_address ret[REDIS_ADDRESSES_MAX], size_t *ret_n,
    struct err *err) MUST_USE;
/* Says which address answered, or (SIZE_MAX) that none did: a name is then
 * looked up again. */
void redis_name_tell(struct redis_name *name, const struct redis_address *good);

/* --- one connection (store_redis_conn.c) -------------------------------------- */

struct redis_login {
	char *user, *password; /* heap, or NULL */
	unsigned db;
};

struct redis_conn {
	int fd;
	bool broken;   /* not to be used again */
	bool reused;   /* it carried calls before: it may have gone meanwhile */
	bool sent;     /* the last exchange was written to its end */
	bool answered; /* and had bytes back */
	size_t expected; /* commands in `out` */
	struct buf out;  /* formatted commands */
	struct redis_parser *parser;
	int64_t idle_since;
	struct redis_conn *next; /* of the pool's list, under its lock */
};

/* Connects and says who we are. ERR_STATE, ERR_TIMEOUT, ERR_ACCESS, ERR_NOMEM.
 */
int redis_conn_open(struct redis_name *name, const struct redis_login *login,
    int64_t deadline, struct redis_conn **ret, struct err *err) MUST_USE;
void redis_conn_close(struct redis_conn *conn);
/* False when the server has hung up, or has spoken without being asked. */
bool redis_conn_alive(const struct redis_conn *conn);

#define REDIS_ARGS_MAX 8

/* Adds a command (at most REDIS_ARGS_MAX words) for the next exchange. A
 * failure shows there. */
void redis_command(struct redis_conn *conn, const struct span *words, size_t n);

/*
 * Is given the replies in order. Not 0: remembered as the call's result (the
 * first of them); ERR_SYNTAX and ERR_NOMEM also end the connection, after any
 * other the remaining replies are still read.
 */
typedef int redis_reply_fn(
    void *arg, size_t nth, const struct redis_reply *reply, struct err *err);

/*
 * Sends the commands that were added and reads as many replies, both at once,
 * so that full buffers on both sides cannot stop it. Returns what `fn` said, or
 * ERR_IO, ERR_TIMEOUT, ERR_SYNTAX, ERR_LIMIT, ERR_NOMEM. conn->broken tells
 * whether the connection can be used again.
 */
int redis_exchange(struct redis_conn *conn, const struct redis_limits *limits,
    int64_t deadline, redis_reply_fn *fn, void *arg, struct err *err) MUST_USE;

/* --- the pool (store_redis_pool.c) --------------------------------------------- */

struct redis_pool {
	struct lock lock;
	struct lock_cond given;
	struct redis_conn *idle; /* the last used first; by `lock` */
	unsigned open;           /* idle or out; by `lock` */
	struct redis_name *name;
	char *password_file;      /* heap, or NULL */
	struct redis_login login; /* the password by `lock` */
};

/* Takes over `name` and `password_file` (heap); reads the password. */
int redis_pool_init(struct redis_pool *pool, struct redis_name *name,
    const struct store_url *url, const char *password_file,
    struct err *err) MUST_USE;
void redis_pool_done(struct redis_pool *pool);
/*
 * A connection of the caller's own until redis_pool_give(). ERR_STATE: not
 * reached, or all are in use until `deadline`; ERR_TIMEOUT: silent;
 * ERR_ACCESS; ERR_NOMEM.
 */
int redis_pool_take(struct redis_pool *pool, int64_t deadline,
    struct redis_conn **ret, struct err *err) MUST_USE;
void redis_pool_give(struct redis_pool *pool, struct redis_conn *conn);
/* Closes the idle ones: the server that they belong to seems to be gone. */
void redis_pool_drain(struct redis_pool *pool);

/* A question that may be asked twice. */
struct redis_question {
	void (*prepare)(
	    struct redis_conn *conn, const void *arg); /* commands */
	redis_reply_fn *fn;
	void *arg; /* of both */
	const struct redis_limits *limits;
};

/*
 * Asks it on some connection; on another one, once more, when it went down with
 * one that had been idle. Errors of redis_pool_take() and redis_exchange().
 */
int redis_question(struct redis_pool *pool, const struct redis_question *q,
    int64_t deadline, struct err *err) MUST_USE;

/* --- listing (store_redis_each.c) ------------------------------------------------ */

/* As the backend's `each`. */
int redis_each(struct redis_pool *pool, struct span prefix, bool counts,
    int64_t now, int64_t deadline, store_backend_each_fn *fn, void *arg,
    struct err *err) MUST_USE;

/* --- writing (store_redis_apply.c) ---------------------------------------------- */

/* ret_checked  the failure is a STORE_CHECK's (ERR_STATE). */
int redis_apply(struct redis_pool *pool, const struct store_write *writes,
    size_t n, int64_t now, int64_t deadline, bool *ret_checked,
    struct err *err) MUST_USE;

/* Fields of the hashes that entries are. */
#define REDIS_FIELD_FIRST SPAN("a") /* counts */
#define REDIS_FIELD_SECOND SPAN("b")
#define REDIS_FIELD_VALUE SPAN("v")
#define REDIS_FIELD_EXPIRES SPAN("e") /* Unix time; absent: none */

/* An entry's fields as HMGET answers them. */
struct redis_entry {
	bool there;
	struct store_counts counts;
	struct span value; /* within the reply */
	int64_t expires;
};

#define REDIS_KEYS_AT_ONCE 1024 /* of one exchange */

/* Adds the HMGET of an entry. */
void redis_ask(struct redis_conn *conn, struct span key, bool counts);
extern const struct redis_limits redis_entry_limits;
/* Reads its answer; what has ended by `now` is not there. */
int redis_read_entry(const struct redis_reply *reply, bool counts, int64_t now,
    struct redis_entry *ret, struct err *err) MUST_USE;

#endif
