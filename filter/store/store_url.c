#include "filter/store/store_url.h"

/*
 * The few forms of store.url. Passwords have no place in it: the configuration
 * is read by everybody.
 */

#define DB_MAX 65535

static int
bad(struct err *err, const char *what)
{
	return err_set(err, ERR_SYNTAX, "%s", what);
}

static int
take_number(struct span text, uint64_t max, unsigned *ret)
{
	uint64_t number;

	if (span_to_u64(text, &number) || number > max)
		return ERR_SYNTAX;
	*ret = (unsigned)number;
	return 0;
}

/* HOST, HOST:PORT, [V6] or [V6]:PORT. */
static int
take_host(struct span text, struct store_url *url, struct err *err)
{
	struct span port = text;

	if (span_starts(text, SPAN("["))) {
		port = span_skip(text, 1);
		url->host = span_cut(&port, ']');
		if (!port.p || (port.len && port.p[0] != ':'))
			return bad(err, "no [ADDRESS]:PORT");
		port = port.len ? span_skip(port, 1) : SPAN_NONE;
	} else {
		url->host = span_cut(&port, ':');
	}
	if (!url->host.len)
		return bad(err, "a host is missing");
	url->port = STORE_REDIS_PORT;
	if (port.p && (take_number(port, 65535, &url->port) || url->port == 0))
		return bad(err, "no port from 1 to 65535");
	return 0;
}

static int
take_redis(struct span text, struct store_url *url, struct err *err)
{
	struct span db = text;
	struct span host = span_cut(&db, '/');
	size_t at = span_rfind_char(host, '@');

	url->scheme = STORE_REDIS;
	if (at != SPAN_NPOS) {
		url->user = span_head(host, at);
		host = span_skip(host, at + 1);
		if (span_find_char(url->user, ':') != SPAN_NPOS)
			return bad(err, "the password belongs into"
					" store.password_file, not into");
	}
	if (db.len && take_number(db, DB_MAX, &url->db))
		return bad(err, "no number of a database behind the /");
	return take_host(host, url, err);
}

static int
take_redis_unix(struct span text, struct store_url *url, struct err *err)
{
	struct span db = text;

	url->scheme = STORE_REDIS_UNIX;
	url->path = span_cut(&db, '?');
	if (!url->path.len || url->path.p[0] != '/')
		return bad(err, "a socket's absolute path is missing");
	if (db.p && take_number(db, DB_MAX, &url->db))
		return bad(err, "no number of a database behind the ?");
	return 0;
}

int
store_url_parse(struct span text, struct store_url *ret, struct err *err)
{
	struct span rest = text;
	struct span scheme = span_cut(&rest, ':');
	struct store_url url = {0};
	int rc = 0;

	if (!rest.p)
		return bad(err, "no lmdb:, redis://, redis+unix: or memory:");
	if (span_is(scheme, "lmdb"))
		url.path = rest;
	else if (span_is(scheme, "redis") && span_starts(rest, SPAN("//")))
		rc = take_redis(span_skip(rest, 2), &url, err);
	else if (span_is(scheme, "redis+unix"))
		rc = take_redis_unix(rest, &url, err);
	else if (span_is(scheme, "memory") && rest.len == 0)
		url.scheme = STORE_MEMORY;
	else
		rc = bad(err, "no lmdb:, redis://, redis+unix: or memory:");
	if (rc == 0)
		*ret = url;
	return rc;
}
