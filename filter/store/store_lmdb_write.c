#include <assert.h>
#include <lmdb.h>
#include <stdlib.h>

#include "filter/base/unconst.h"
#include "filter/store/store_lmdb.h"

/*
 * Changes of the embedded store: each call is one transaction, synced at its
 * end; one runs at a time, in all processes. What has ended stays until the
 * sweep finds it, which goes through all entries, a piece at a time.
 */

#define SWEEP_LOOK 10000 /* entries that one piece looks at */
#define SWEEP_REMOVE 512 /* and removes */

static MDB_val
to_val(struct span s)
{
	return (MDB_val){.mv_size = s.len, .mv_data = unconst(s.p)};
}

static struct span
to_span(const MDB_val *val)
{
	return span_make(val->mv_data, val->mv_size);
}

/* --- writing ----------------------------------------------------------------------- */

static int64_t
add(int64_t a, int64_t b)
{
	int64_t sum;

	if (__builtin_add_overflow(a, b, &sum))
		return a < 0 ? INT64_MIN : INT64_MAX;
	return sum;
}

/* The functions below return LMDB's codes. */

static int
remove_current(MDB_cursor *cursor, int found)
{
	return found == 0 ? mdb_cursor_del(cursor, 0) : 0;
}

static int
put_add(MDB_cursor *cursor, const struct store_write *write, int64_t now)
{
	MDB_val k = to_val(write->key), v;
	char data[COUNTS_SIZE];
	int64_t expires = 0, a = 0, b = 0;
	int found = mdb_cursor_get(cursor, &k, &v, MDB_SET);

	if (found != 0 && found != MDB_NOTFOUND)
		return found;
	bool fits = found == 0 && v.mv_size == COUNTS_SIZE;
	if (fits && !has_ended(load64(v.mv_data), now)) {
		const char *p = v.mv_data;
		expires = load64(p);
		a = load64(p + 8);
		b = load64(p + 16);
	}
	a = add(a, write->add.v[0]);
	b = add(b, write->add.v[1]);
	if (a == 0 && b == 0)
		return remove_current(cursor, found);
	save64(data, write->expires ? write->expires : expires);
	save64(data + 8, a);
	save64(data + 16, b);
	k = to_val(write->key);
	v = (MDB_val){.mv_size = sizeof data, .mv_data = data};
	return mdb_cursor_put(cursor, &k, &v, fits ? MDB_CURRENT : 0);
}

static int
put_value(MDB_cursor *cursor, const struct store_write *write, int64_t now)
{
	MDB_val k = to_val(write->key), v;
	char data[EXPIRES_SIZE + STORE_VALUE_MAX];
	int64_t expires = write->expires;
	int found = mdb_cursor_get(cursor, &k, &v, MDB_SET);

	if (found != 0 && found != MDB_NOTFOUND)
		return found;
	if (!write->value.p)
		return remove_current(cursor, found);
	if (!expires && found == 0 && v.mv_size >= EXPIRES_SIZE &&
	    !has_ended(load64(v.mv_data), now))
		expires = load64(v.mv_data);
	save64(data, expires);
	memcpy(data + EXPIRES_SIZE, write->value.p, write->value.len);
	k = to_val(write->key);
	v = (MDB_val){
	    .mv_size = EXPIRES_SIZE + write->value.len, .mv_data = data};
	return mdb_cursor_put(cursor, &k, &v, 0);
}

static int
check_all(const struct store_lmdb *lmdb, MDB_txn *txn,
    const struct store_write *writes, size_t n, int64_t now, struct err *err)
{
	struct span value;
	int64_t expires;

	for (size_t i = 0; i < n; i++) {
		if (writes[i].verb != STORE_CHECK)
			continue;
		int rc = lmdb_read_value(
		    lmdb, txn, writes[i].key, now, &value, &expires, err);
		if (rc)
			return rc;
		if (!value.p != !writes[i].value.p ||
		    !span_eq(value, writes[i].value))
			return err_set(err, ERR_STATE, STORE_CHECK_FAILED);
	}
	return 0;
}

static int
write_all(const struct store_lmdb *lmdb, MDB_txn *txn,
    const struct store_write *writes, size_t n, int64_t now, struct err *err)
{
	MDB_cursor *cursor;
	int rc = mdb_cursor_open(txn, lmdb->dbi, &cursor);

	for (size_t i = 0; i < n && rc == 0; i++) {
		assert(writes[i].value.len <= STORE_VALUE_MAX);
		if (writes[i].verb == STORE_ADD)
			rc = put_add(cursor, &writes[i], now);
		else if (writes[i].verb == STORE_PUT)
			rc = put_value(cursor, &writes[i], now);
	}
	/* The transaction's end closes the cursor's memory with it. */
	return rc ? lmdb_failed(lmdb, rc, err) : 0;
}

/* Before anybody can read them. */
static void
note_written(
    const struct store_lmdb *lmdb, const struct store_write *writes, size_t n)
{
	if (!lmdb->seen)
		return;
	for (size_t i = 0; i < n; i++)
		if (writes[i].verb == STORE_ADD)
			store_seen_add(
			    lmdb->seen, store_cache_hash(writes[i].key));
}

/* Readers of older snapshots bring nothing of these into the cache. */
static void
drop_written(const struct store_lmdb *lmdb, const struct store_write *writes,
    size_t n, uint64_t snapshot)
{
	if (!lmdb->cache)
		return;
	for (size_t i = 0; i < n; i++)
		if (writes[i].verb == STORE_ADD)
			store_cache_drop(lmdb->cache,
			    store_cache_hash(writes[i].key), snapshot);
}

int
lmdb_apply(struct store_backend *backend, const struct store_write *writes,
    size_t n, int64_t now, int64_t deadline, struct err *err)
{
	struct store_lmdb *lmdb = lmdb_of(backend);
	MDB_txn *txn;
	int rc = mdb_txn_begin(lmdb->env, NULL, 0, &txn);

	(void)deadline; /* the disk's pace; nothing could be taken back */
	if (rc)
		return lmdb_failed(lmdb, rc, err);
	rc = check_all(lmdb, txn, writes, n, now, err);
	if (!rc)
		rc = write_all(lmdb, txn, writes, n, now, err);
	if (rc) {
		mdb_txn_abort(txn);
		return rc;
	}
	uint64_t snapshot = mdb_txn_id(txn);
	note_written(lmdb, writes, n);
	rc = mdb_txn_commit(txn);
	drop_written(lmdb, writes, n, snapshot);
	return rc ? lmdb_failed(lmdb, rc, err) : 0;
}

/* --- which keys there are ------------------------------------------------------------ */

static int
note_all(struct store_lmdb *lmdb, MDB_txn *txn)
{
	MDB_cursor *cursor;
	MDB_val k, v;
	int rc = mdb_cursor_open(txn, lmdb->dbi, &cursor);

	if (rc)
		return rc;
	while ((rc = mdb_cursor_get(cursor, &k, &v, MDB_NEXT)) == 0)
		store_seen_add(lmdb->seen, store_cache_hash(to_span(&k)));
	mdb_cursor_close(cursor);
	return rc == MDB_NOTFOUND ? 0 : rc;
}

int
lmdb_note_seen(struct store_lmdb *lmdb, struct err *err)
{
	MDB_stat st;
	MDB_txn *txn;
	int rc = lmdb_take_reader(lmdb, &txn, err);

	if (rc)
		return rc;
	rc = mdb_stat(txn, lmdb->dbi, &st);
	if (rc == 0 && st.ms_entries <= STORE_SEEN_KEYS_MAX) {
		lmdb->seen = store_seen_new();
		/* Without memory the tree is asked for everything. */
		rc = lmdb->seen ? note_all(lmdb, txn) : 0;
	}
	lmdb_give_reader(lmdb, txn);
	return rc ? lmdb_failed(lmdb, rc, err) : 0;
}

/* --- the sweep --------------------------------------------------------------------- */

/* Keys that have ended, as one piece of the sweep saw them. */
struct ended {
	size_t n;
	size_t len[SWEEP_REMOVE];
	char key[SWEEP_REMOVE][STORE_KEY_MAX];
};

static bool
is_entry(struct span key, struct span data)
{
	return key.len && key.len <= STORE_KEY_MAX && key.p[0] != '\0' &&
	       data.len >= EXPIRES_SIZE;
}

/* Looks from where the last piece ended; true when the end was not reached. */
static bool
look_for_ended(struct store_lmdb *lmdb, MDB_cursor *cursor, int64_t now,
    struct ended *ended)
{
	MDB_val k = {.mv_size = lmdb->sweep_len, .mv_data = lmdb->sweep_key};
	MDB_val v;
	int rc = mdb_cursor_get(
	    cursor, &k, &v, lmdb->sweep_len ? MDB_SET_RANGE : MDB_FIRST);

	for (size_t i = 0; rc == 0; i++) {
		struct span key = to_span(&k);
		bool entry = is_entry(key, to_span(&v));
		if (entry && (i >= SWEEP_LOOK || ended->n == SWEEP_REMOVE)) {
			memcpy(lmdb->sweep_key, key.p, key.len);
			lmdb->sweep_len = key.len;
			return true;
		}
		if (entry && has_ended(load64(v.mv_data), now)) {
			memcpy(ended->key[ended->n], key.p, key.len);
			ended->len[ended->n++] = key.len;
		}
		rc = mdb_cursor_get(cursor, &k, &v, MDB_NEXT);
	}
	lmdb->sweep_len = 0;
	return false;
}

static bool
find_ended(struct store_lmdb *lmdb, int64_t now, struct ended *ended)
{
	MDB_cursor *cursor;
	MDB_txn *txn;
	bool more = false;

	if (lmdb_take_reader(lmdb, &txn, NULL) != 0)
		return false;
	if (mdb_cursor_open(txn, lmdb->dbi, &cursor) == 0) {
		more = look_for_ended(lmdb, cursor, now, ended);
		mdb_cursor_close(cursor);
	}
	lmdb_give_reader(lmdb, txn);
	return more;
}

/* Removes them, unless they live again. */
static void
remove_ended(struct store_lmdb *lmdb, int64_t now, const struct ended *ended)
{
	MDB_cursor *cursor;
	MDB_txn *txn;

	if (mdb_txn_begin(lmdb->env, NULL, 0, &txn) != 0)
		return;
	int rc = mdb_cursor_open(txn, lmdb->dbi, &cursor);
	for (size_t i = 0; i < ended->n && rc == 0; i++) {
		MDB_val k = to_val(span_make(ended->key[i], ended->len[i])), v;
		rc = mdb_cursor_get(cursor, &k, &v, MDB_SET);
		if (rc == 0 && has_ended(load64(v.mv_data), now))
			rc = mdb_cursor_del(cursor, 0);
		else if (rc == MDB_NOTFOUND)
			rc = 0;
	}
	if (rc)
		mdb_txn_abort(txn);
	else
		rc = mdb_txn_commit(txn);
	(void)rc; /* the next pass finds them again */
}

bool
lmdb_sweep(struct store_backend *backend, int64_t now)
{
	struct store_lmdb *lmdb = lmdb_of(backend);
	struct ended *ended = malloc(sizeof *ended);
	int dead;

	if (!ended)
		return false;
	ended->n = 0;
	bool more = find_ended(lmdb, now, ended);
	if (ended->n)
		remove_ended(lmdb, now, ended);
	free(ended);
	if (!more) /* readers of processes that were killed hold pages back */
		(void)mdb_reader_check(lmdb->env, &dead);
	return more;
}
