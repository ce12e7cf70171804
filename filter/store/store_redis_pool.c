#include "filter/store/store_redis.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "filter/base/clock.h"
#include "filter/base/file.h"

/*
 * A bounded number of connections. Who needs one takes the one used last, so
 * that what is too many grows old and is closed. No lock is held while a
 * connection is opened or used; who finds all in use waits for one until the
 * call's deadline.
 *
 * The password is read at open, and again when the server has refused it: it
 * may be changed on both sides without a restart.
 */

#define POOL_MAX 32
#define IDLE_MS 60000
#define PASSWORD_MAX 1024

/* --- the password ----------------------------------------------------------------- */

/* The first line of the file, on the heap. */
static int
read_password(const char *path, char **ret, struct err *err)
{
	char text[PASSWORD_MAX + 2];
	size_t len = 0;
	int fd;
	int rc = file_open_trusted(path, &fd, err);

	if (rc)
		return rc;
	for (;;) {
		ssize_t n = read(fd, text + len, sizeof text - len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			rc = err_set_errno(err, errno, "%s", path);
		if (n <= 0)
			break;
		len += (size_t)n;
	}
	close(fd);
	struct span line = SPAN_NONE, rest = span_make(text, len);
	if (rc == 0 && (!span_line(&rest, &line) || line.len == 0))
		rc = err_set(
		    err, ERR_INVALID, "%s: the first line is empty", path);
	else if (rc == 0 && line.len > PASSWORD_MAX)
		rc = err_set(err, ERR_LIMIT,
		    "%s: a first line of more than %d bytes", path,
		    PASSWORD_MAX);
	else if (rc == 0 && memchr(line.p, '\0', line.len))
		rc = err_set(
		    err, ERR_INVALID, "%s: a NUL in the first line", path);
	if (rc == 0 && !(*ret = strndup(line.p, line.len)))
		rc = err_set(err, ERR_NOMEM, "out of memory");
	explicit_bzero(text, sizeof text);
	return rc;
}

static void
forget(char *secret)
{
	if (secret)
		explicit_bzero(secret, strlen(secret));
	free(secret);
}

static void
read_password_again(struct redis_pool *pool)
{
	char *password = NULL;

	if (!pool->password_file ||
	    read_password(pool->password_file, &password, NULL))
		return;
	lock_take(&pool->lock);
	char *old = pool->login.password;
	pool->login.password = password;
	lock_drop(&pool->lock);
	forget(old);
}

/* A copy, so that another thread may replace the password meanwhile. */
static int
copy_login(struct redis_pool *pool, struct redis_login *ret, struct err *err)
{
	struct redis_login login = {
	    .user = pool->login.user, .db = pool->login.db};
	bool wanted;

	lock_take(&pool->lock);
	wanted = pool->login.password != NULL;
	if (wanted)
		login.password = strdup(pool->login.password);
	lock_drop(&pool->lock);
	if (wanted && !login.password)
		return err_set(err, ERR_NOMEM, "out of memory");
	*ret = login;
	return 0;
}

/* --- the pool --------------------------------------------------------------------- */

int
redis_pool_init(struct redis_pool *pool, struct redis_name *name,
    const struct store_url *url, const char *password_file, struct err *err)
{
	*pool = (struct redis_pool){.name = name, .login.db = url->db};
	lock_init(&pool->lock, LOCK_STORE);
	lock_cond_init(&pool->given);
	if (url->user.len &&
	    !(pool->login.user = strndup(url->user.p, url->user.len)))
		return err_set(err, ERR_NOMEM, "out of memory");
	if (!password_file)
		return 0;
	if (!(pool->password_file = strdup(password_file)))
		return err_set(err, ERR_NOMEM, "out of memory");
	return read_password(password_file, &pool->login.password, err);
}

static void
close_all(struct redis_conn *conn)
{
	while (conn) {
		struct redis_conn *next = conn->next;
		redis_conn_close(conn);
		conn = next;
	}
}

void
redis_pool_done(struct redis_pool *pool)
{
	close_all(pool->idle);
	redis_name_close(pool->name);
	free(pool->login.user);
	forget(pool->login.password);
	free(pool->password_file);
	lock_cond_done(&pool->given);
	lock_done(&pool->lock);
}

static void
closed_one(struct redis_pool *pool)
{
	lock_take(&pool->lock);
	pool->open--;
	lock_signal(&pool->given);
	lock_drop(&pool->lock);
}

/*
 * An idle one, or (NULL) the right to open one; ERR_STATE when neither comes
 * in time.
 */
static int
take_turn(struct redis_pool *pool, int64_t deadline, struct redis_conn **ret,
    struct err *err)
{
	struct redis_conn *conn;
	bool in_time = true;

	lock_take(&pool->lock);
	while (!pool->idle && pool->open >= POOL_MAX && in_time)
		in_time = lock_wait(&pool->given, &pool->lock, deadline);
	conn = pool->idle;
	bool may_open = !conn && pool->open < POOL_MAX;
	if (conn)
		pool->idle = conn->next;
	else if (may_open)
		pool->open++;
	lock_drop(&pool->lock);
	if (!conn && !may_open)
		return err_set(err, ERR_STATE, "all connections are in use");
	*ret = conn;
	return 0;
}

static int
open_one(struct redis_pool *pool, int64_t deadline, struct redis_conn **ret,
    struct err *err)
{
	struct redis_login login;
	int rc = copy_login(pool, &login, err);

	if (rc == 0) {
		rc = redis_conn_open(pool->name, &login, deadline, ret, err);
		forget(login.password);
	}
	if (rc)
		closed_one(pool);
	if (rc == ERR_ACCESS)
		read_password_again(pool);
	return rc;
}

int
redis_pool_take(struct redis_pool *pool, int64_t deadline,
    struct redis_conn **ret, struct err *err)
{
	for (;;) {
		struct redis_conn *conn = NULL;
		int rc = take_turn(pool, deadline, &conn, err);
		if (rc)
			return rc;
		if (!conn)
			return open_one(pool, deadline, ret, err);
		if (redis_conn_alive(conn)) {
			conn->reused = true;
			*ret = conn;
			return 0;
		}
		redis_conn_close(conn);
		closed_one(pool);
	}
}

/* Cuts off what has been idle for long; the list is in order of age. */
static struct redis_conn *
cut_old(struct redis_pool *pool, int64_t before)
{
	struct redis_conn **at = &pool->idle;

	while (*at && (*at)->idle_since >= before)
		at = &(*at)->next;
	struct redis_conn *old = *at;
	*at = NULL;
	for (struct redis_conn *conn = old; conn; conn = conn->next)
		pool->open--;
	return old;
}

void
redis_pool_give(struct redis_pool *pool, struct redis_conn *conn)
{
	int64_t now = clock_mono_ms();

	if (conn->broken) {
		redis_conn_close(conn);
		closed_one(pool);
		return;
	}
	redis_parser_trim(conn->parser);
	conn->idle_since = now;
	lock_take(&pool->lock);
	conn->next = pool->idle;
	pool->idle = conn;
	struct redis_conn *old = cut_old(pool, now - IDLE_MS);
	lock_signal(&pool->given);
	lock_drop(&pool->lock);
	close_all(old);
}

void
redis_pool_drain(struct redis_pool *pool)
{
	lock_take(&pool->lock);
	struct redis_conn *all = cut_old(pool, INT64_MAX);
	lock_broadcast(&pool->given);
	lock_drop(&pool->lock);
	close_all(all);
}

int
redis_question(struct redis_pool *pool, const struct redis_question *q,
    int64_t deadline, struct err *err)
{
	for (;;) {
		struct redis_conn *conn = NULL;
		int rc = redis_pool_take(pool, deadline, &conn, err);
		if (rc)
			return rc;
		q->prepare(conn, q->arg);
		rc = redis_exchange(
		    conn, q->limits, deadline, q->fn, q->arg, err);
		bool again = rc == ERR_IO && conn->reused && !conn->answered;
		redis_pool_give(pool, conn);
		if (!again)
			return rc;
		redis_pool_drain(pool);
	}
}
