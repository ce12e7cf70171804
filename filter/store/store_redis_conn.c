#include "filter/store/store_redis.h"

#include <errno.h>
#include <hiredis/hiredis.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

#include "filter/base/clock.h"

/*
 * One connection: connect, log in, and exchange commands for replies. The
 * socket never blocks; every wait is a poll() until the call's deadline. What
 * went wrong once (time, protocol, end of file) makes the connection useless:
 * an answer that comes late would be taken for that of the next question.
 *
 * hiredis formats the commands, with the length of each word in front: no byte
 * of a key can end it.
 */

#define CHUNK 16384
#define OUT_MAX (32u * 1024 * 1024) /* of one exchange; callers cut far below */
#define OUT_KEPT 65536
/* Even a call without a deadline does not wait longer for the next byte. */
#define SILENCE_MS 30000

static const struct redis_limits login_limits = {4096, 1};

/* --- connect ------------------------------------------------------------------- */

/* Waits for `events`; 0, ERR_TIMEOUT or ERR_IO. */
static int
wait_for(int fd, short events, int64_t deadline, struct err *err)
{
	int64_t until = clock_min(deadline, clock_deadline(SILENCE_MS));

	for (;;) {
		struct pollfd p = {.fd = fd, .events = events};
		lock_blocking();
		int n = poll(&p, 1, (int)clock_left(until));
		if (n > 0)
			return 0;
		if (n == 0 && clock_left(until) == 0)
			return err_set(err, ERR_TIMEOUT, "no answer in time");
		if (n < 0 && errno != EINTR)
			return err_set_errno(err, errno, "poll");
	}
}

static int
finish_connect(int fd, int64_t deadline, struct err *err)
{
	int error = 0;
	socklen_t len = sizeof error;
	int rc = wait_for(fd, POLLOUT, deadline, err);

	if (rc)
		return rc;
	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len))
		error = errno;
	return error ? err_set_errno(err, error, "connect") : 0;
}

static int
connect_to(const struct redis_address *address, int64_t deadline, int *ret_fd,
    struct err *err)
{
	int on = 1;
	int family = address->u.sa.sa_family;
	int fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return err_set_errno(err, errno, "socket");
	if (family != AF_UNIX) {
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
		setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
	}
	int rc = 0;
	if (connect(fd, &address->u.sa, address->len) != 0)
		/* A Unix socket whose backlog is full says EAGAIN: there is
		 * nothing to wait for. */
		rc = errno == EINPROGRESS
			 ? finish_connect(fd, deadline, err)
			 : err_set_errno(err, errno, "connect");
	if (rc) {
		close(fd);
		return rc;
	}
	*ret_fd = fd;
	return 0;
}

/* The first address that answers; each has its share of the time left. */
static int
connect_any(
    struct redis_name *name, int64_t deadline, int *ret_fd, struct err *err)
{
	struct redis_address addresses[REDIS_ADDRESSES_MAX];
	size_t n = 0;
	int rc = redis_name_get(name, deadline, addresses, &n, err);

	if (rc)
		return rc;
	for (size_t i = 0; i < n; i++) {
		int64_t share = clock_left(deadline) / (int64_t)(n - i);
		rc = connect_to(
		    &addresses[i], clock_deadline(share), ret_fd, err);
		if (rc)
			continue;
		redis_name_tell(name, &addresses[i]);
		return 0;
	}
	redis_name_tell(name, NULL);
	if (rc == ERR_TIMEOUT)
		return rc;
	if (err)
		err->code = ERR_STATE;
	return ERR_STATE;
}

/* --- exchange ------------------------------------------------------------------- */

void
redis_command(struct redis_conn *conn, const struct span *words, size_t n)
{
	const char *argv[REDIS_ARGS_MAX];
	size_t lens[REDIS_ARGS_MAX];
	char *command = NULL;

	for (size_t i = 0; i < n && i < REDIS_ARGS_MAX; i++) {
		argv[i] = words[i].p ? words[i].p : "";
		lens[i] = words[i].len;
	}
	int len = n <= REDIS_ARGS_MAX
		      ? redisFormatCommandArgv(&command, (int)n, argv, lens)
		      : -1;
	if (len < 0) {
		conn->out.failed = true;
		return;
	}
	buf_add(&conn->out, command, (size_t)len);
	redisFreeCommand(command);
	conn->expected++;
}

/* How an exchange stands. */
struct exchange {
	struct redis_conn *conn;
	const struct redis_limits *limits;
	redis_reply_fn *fn;
	void *arg;
	size_t written, replies;
	int result;      /* the first that `fn` said */
	struct err said; /* its text */
};

static int
send_some(struct exchange *x, struct err *err)
{
	struct buf *out = &x->conn->out;

	while (x->written < out->len) {
		ssize_t n = send(x->conn->fd, out->p + x->written,
		    out->len - x->written, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
			return 0;
		if (n < 0 && (errno == EPIPE || errno == ECONNRESET)) {
			/* It may have said why: that is read first. */
			x->written = out->len;
			return 0;
		}
		if (n < 0)
			return err_set_errno(err, errno, "write");
		x->written += (size_t)n;
	}
	x->conn->sent = true;
	return 0;
}

/* All replies that are whole. */
static int
take_replies(struct exchange *x, struct err *err)
{
	struct redis_reply reply;

	while (x->replies < x->conn->expected) {
		int rc =
		    redis_parser_next(x->conn->parser, x->limits, &reply, err);
		if (rc || reply.n == 0)
			return rc;
		struct err *say = x->result ? NULL : &x->said;
		rc = x->fn(x->arg, x->replies++, &reply, say);
		if (rc && !x->result)
			x->result = rc;
		if (rc == ERR_SYNTAX || rc == ERR_NOMEM)
			return rc;
	}
	if (!redis_parser_clean(x->conn->parser))
		return err_set(err, ERR_SYNTAX, "speaks without being asked");
	return 0;
}

static int
receive_some(struct exchange *x, struct err *err)
{
	char chunk[CHUNK];
	ssize_t n = recv(x->conn->fd, chunk, sizeof chunk, MSG_DONTWAIT);

	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return 0;
	if (n < 0)
		return err_set_errno(err, errno, "read");
	if (n == 0)
		return err_set(err, ERR_IO, "hung up");
	x->conn->answered = true;
	int rc = redis_parser_feed(x->conn->parser, chunk, (size_t)n, err);
	return rc ? rc : take_replies(x, err);
}

static int
run(struct exchange *x, int64_t deadline, struct err *err)
{
	struct redis_conn *conn = x->conn;

	while (x->replies < conn->expected) {
		int rc = send_some(x, err);
		if (rc)
			return rc;
		short events =
		    x->written < conn->out.len ? POLLIN | POLLOUT : POLLIN;
		rc = wait_for(conn->fd, events, deadline, err);
		if (rc)
			return rc;
		rc = receive_some(x, err);
		if (rc)
			return rc;
	}
	return 0;
}

static void
forget_commands(struct redis_conn *conn)
{
	if (conn->out.size > OUT_KEPT || buf_failed(&conn->out)) {
		buf_done(&conn->out);
		buf_init(&conn->out, NULL, OUT_MAX);
	}
	buf_truncate(&conn->out, 0);
	conn->expected = 0;
}

int
redis_exchange(struct redis_conn *conn, const struct redis_limits *limits,
    int64_t deadline, redis_reply_fn *fn, void *arg, struct err *err)
{
	struct exchange x = {
	    .conn = conn, .limits = limits, .fn = fn, .arg = arg};
	int rc;

	conn->sent = conn->answered = false;
	if (buf_failed(&conn->out))
		rc = err_set(err, ERR_NOMEM, "out of memory for a command");
	else
		rc = run(&x, deadline, err);
	forget_commands(conn);
	/* After a refusal the next call may find another server there, or
	 * other rights. */
	if (rc || x.result == ERR_STATE || x.result == ERR_ACCESS)
		conn->broken = true;
	/* What the server said says more than that it hung up then. */
	if (x.result) {
		rc = x.result;
		if (err)
			*err = x.said;
	}
	return rc;
}

/* --- open and close --------------------------------------------------------------- */

static int
on_login(
    void *arg, size_t nth, const struct redis_reply *reply, struct err *err)
{
	const struct redis_login *login = arg;

	if (redis_is_status(reply, "OK"))
		return 0;
	int rc = redis_unexpected(reply, err);
	/* Whatever else AUTH says, the password did not do. */
	if (rc == ERR_INVALID && nth == 0 && (login->user || login->password))
		return err_set(err, ERR_ACCESS, "refuses the password");
	return rc;
}

static int
log_in(struct redis_conn *conn, const struct redis_login *login,
    int64_t deadline, struct err *err)
{
	struct span user = span_of(login->user);
	struct span password = span_of(login->password);

	if (user.p)
		redis_command(
		    conn, (struct span[]){SPAN("AUTH"), user, password}, 3);
	else if (password.p)
		redis_command(conn, (struct span[]){SPAN("AUTH"), password}, 2);
	if (login->db) {
		char number[16];
		struct buf text;
		buf_init(&text, NULL, sizeof number);
		buf_add_u64(&text, login->db);
		redis_command(
		    conn, (struct span[]){SPAN("SELECT"), buf_span(&text)}, 2);
		buf_done(&text);
	}
	if (conn->expected == 0)
		return 0;
	/* on_login() only reads it. */
	struct redis_login who = *login;
	int rc =
	    redis_exchange(conn, &login_limits, deadline, on_login, &who, err);
	if (rc == 0 || rc == ERR_ACCESS || rc == ERR_TIMEOUT)
		return rc;
	if (err)
		err->code = ERR_STATE;
	return ERR_STATE;
}

int
redis_conn_open(struct redis_name *name, const struct redis_login *login,
    int64_t deadline, struct redis_conn **ret, struct err *err)
{
	struct redis_conn *conn = calloc(1, sizeof *conn);

	if (!conn)
		return err_set(err, ERR_NOMEM, "out of memory");
	conn->fd = -1;
	buf_init(&conn->out, NULL, OUT_MAX);
	conn->parser = redis_parser_new();
	int rc = conn->parser ? connect_any(name, deadline, &conn->fd, err)
			      : err_set(err, ERR_NOMEM, "out of memory");
	if (rc == 0)
		rc = log_in(conn, login, deadline, err);
	if (rc) {
		redis_conn_close(conn);
		return rc;
	}
	*ret = conn;
	return 0;
}

void
redis_conn_close(struct redis_conn *conn)
{
	if (!conn)
		return;
	if (conn->fd >= 0)
		close(conn->fd);
	redis_parser_free(conn->parser);
	buf_done(&conn->out);
	free(conn);
}

bool
redis_conn_alive(const struct redis_conn *conn)
{
	char byte;
	ssize_t n = recv(conn->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);

	return n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);
}
