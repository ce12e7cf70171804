#ifndef FILTER_STORE_STORE_URL_H
#define FILTER_STORE_STORE_URL_H

#include "filter/base/err.h"
#include "filter/base/span.h"

/* Where a store is, taken apart; all spans are views into the text. */
enum store_scheme {
	STORE_LMDB,
	STORE_REDIS,
	STORE_REDIS_UNIX,
	STORE_MEMORY,
};

#define STORE_REDIS_PORT 6379

struct store_url {
	enum store_scheme scheme;
	struct span path;       /* lmdb: folder or empty; redis+unix: socket */
	struct span user, host; /* redis; host without brackets */
	unsigned port, db;
};

/* ERR_SYNTAX, with what is wrong in words. */
int store_url_parse(
    struct span text, struct store_url *ret, struct err *err) MUST_USE;

#endif
