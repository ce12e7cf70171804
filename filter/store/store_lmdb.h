#ifndef FILTER_STORE_STORE_LMDB_H
#define FILTER_STORE_STORE_LMDB_H

#include "filter/base/lock.h"
#include "filter/store/store_cache.h"
#include "filter/store/store_lmdb_file.h"
#include "filter/store/store_seen.h"

/*
 * Private to store_lmdb*.c. An entry is 8 bytes of expiry (Unix time, 0 for
 * none) and then either two counts of 8 bytes or the value; numbers are
 * little-endian.
 */
#define COUNTS_SIZE 24 /* expiry and two counts */
#define EXPIRES_SIZE 8

struct MDB_env;
struct MDB_txn;

struct store_lmdb {
	struct store_backend backend; /* first */
	struct MDB_env *env;
	unsigned dbi;
	struct store_cache *cache; /* NULL: read-only, others write */
	struct store_seen *seen;   /* NULL: as above, or too many keys */
	struct lock lock; /* of the readers that wait for their next use */
	struct MDB_txn **readers;
	size_t n_readers, readers_max;
	/* Where the sweep goes on; the store thread's own. */
	char sweep_key[STORE_KEY_MAX];
	size_t sweep_len;
	char path[PATH_MAX];
};

static inline struct store_lmdb *
lmdb_of(struct store_backend *backend)
{
	return (struct store_lmdb *)(void *)backend;
}

static inline int64_t
load64(const char *p)
{
	uint64_t x = 0;

	for (unsigned i = 8; i-- > 0;)
		x = x << 8 | (uint8_t)p[i];
	return (int64_t)x;
}

static inline void
save64(char *p, int64_t value)
{
	uint64_t x = (uint64_t)value;

	for (unsigned i = 0; i < 8; i++, x >>= 8)
		p[i] = (char)(x & 0xff);
}

static inline bool
has_ended(int64_t expires, int64_t now)
{
	return expires && expires <= now;
}

/* `rc` of LMDB or errno as one of ours, with its text. */
int lmdb_failed(const struct store_lmdb *lmdb, int rc, struct err *err);
/* An entry that is none of ours: ERR_INVALID. */
int lmdb_damaged(const struct store_lmdb *lmdb, struct err *err);

/* A reading transaction, and its end; the snapshot lives between them. */
int lmdb_take_reader(
    struct store_lmdb *lmdb, struct MDB_txn **ret, struct err *err) MUST_USE;
void lmdb_give_reader(struct store_lmdb *lmdb, struct MDB_txn *txn);

/* The value of a key, in the map; p NULL when there is none. */
int lmdb_read_value(const struct store_lmdb *lmdb, struct MDB_txn *txn,
    struct span key, int64_t now, struct span *ret, int64_t *ret_expires,
    struct err *err) MUST_USE;

/* store_lmdb_write.c: functions of the backend. */
int lmdb_apply(struct store_backend *backend, const struct store_write *writes,
    size_t n, int64_t now, int64_t deadline, struct err *err);
/* Notes all keys that are there, at open. */
int lmdb_note_seen(struct store_lmdb *lmdb, struct err *err) MUST_USE;
bool lmdb_sweep(struct store_backend *backend, int64_t now);

#endif
