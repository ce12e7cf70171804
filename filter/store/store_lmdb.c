#include <assert.h>
#include <errno.h>
#include <lmdb.h>
#include <stdlib.h>

#include "filter/base/clock.h"
#include "filter/base/lock.h"
#include "filter/base/unconst.h"
#include "filter/store/store_lmdb_file.h"

/*
 * The embedded store: one LMDB environment with one tree. Reads take no lock
 * of LMDB's and see a snapshot; one writer at a time, each call one
 * transaction, synced at its end. What has ended stays until the sweep finds
 * it.
 *
 * An entry is 8 bytes of expiry and then either two counts of 8 bytes or the
 * value, numbers little-endian. The key "\0format" holds the version of this.
 *
 * Sessions outlive threads, so reading transactions belong to calls, not to
 * threads (MDB_NOTLS). They are kept and renewed, since a new one costs a lock
 * that all processes share.
 */

#if SIZE_MAX > UINT32_MAX
#	define MAP_BYTES ((size_t)16 << 30) /* address space, not memory */
#else
#	define MAP_BYTES ((size_t)1 << 30)
#endif
#define READERS_MORE 64 /* commands beside us */
#define COUNTS_SIZE 24  /* expiry and two counts */
#define EXPIRES_SIZE 8
#define SWEEP_LOOK 10000 /* entries that one piece looks at */
#define SWEEP_REMOVE 512 /* and removes */
#define EACH_LOOK 256    /* entries between looks at the clock */
#define FORMAT_KEY SPAN("\0format")
#define FORMAT SPAN("assay store 1")

struct store_lmdb {
	struct store_backend backend; /* first */
	MDB_env *env;
	MDB_dbi dbi;
	struct lock lock; /* of the readers that wait for their next use */
	MDB_txn **readers;
	size_t n_readers, readers_max;
	/* Where the sweep goes on; the store thread's own. */
	char sweep_key[STORE_KEY_MAX];
	size_t sweep_len;
	char path[PATH_MAX];
};

static struct store_lmdb *
lmdb_of(struct store_backend *backend)
{
	return (struct store_lmdb *)(void *)backend;
}

/* --- errors, numbers, spans -------------------------------------------------------- */

static int
code_of(int rc)
{
	switch (rc) {
	case MDB_MAP_FULL:
	case MDB_READERS_FULL:
	case MDB_TXN_FULL:
		return ERR_LIMIT;
	case MDB_CORRUPTED:
	case MDB_INVALID:
	case MDB_PAGE_NOTFOUND:
	case MDB_VERSION_MISMATCH:
		return ERR_INVALID;
	case ENOMEM:
		return ERR_NOMEM;
	case EACCES:
	case EPERM:
	case EROFS:
		return ERR_ACCESS;
	default:
		return ERR_IO;
	}
}

static int
failed(const struct store_lmdb *lmdb, int rc, struct err *err)
{
	/* LMDB's own texts are constants; errno's it would ask of strerror. */
	if (rc < 0)
		return err_set(
		    err, code_of(rc), "%s: %s", lmdb->path, mdb_strerror(rc));
	err_set_errno(err, rc, "%s", lmdb->path);
	if (err)
		err->code = code_of(rc);
	return code_of(rc);
}

static int
damaged(const struct store_lmdb *lmdb, struct err *err)
{
	return err_set(
	    err, ERR_INVALID, "%s: an entry of the wrong size", lmdb->path);
}

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

static int64_t
load64(const char *p)
{
	uint64_t x = 0;

	for (unsigned i = 8; i-- > 0;)
		x = x << 8 | (uint8_t)p[i];
	return (int64_t)x;
}

static void
save64(char *p, int64_t value)
{
	uint64_t x = (uint64_t)value;

	for (unsigned i = 0; i < 8; i++, x >>= 8)
		p[i] = (char)(x & 0xff);
}

static bool
has_ended(int64_t expires, int64_t now)
{
	return expires && expires <= now;
}

/* --- readers ----------------------------------------------------------------------- */

static int
take_reader(struct store_lmdb *lmdb, MDB_txn **ret, struct err *err)
{
	MDB_txn *txn = NULL;

	lock_take(&lmdb->lock);
	if (lmdb->n_readers)
		txn = lmdb->readers[--lmdb->n_readers];
	lock_drop(&lmdb->lock);
	int rc = txn ? mdb_txn_renew(txn)
		     : mdb_txn_begin(lmdb->env, NULL, MDB_RDONLY, &txn);
	if (rc == 0) {
		*ret = txn;
		return 0;
	}
	if (txn)
		mdb_txn_abort(txn);
	return failed(lmdb, rc, err);
}

static void
give_reader(struct store_lmdb *lmdb, MDB_txn *txn)
{
	bool kept = false;

	mdb_txn_reset(txn);
	lock_take(&lmdb->lock);
	if (lmdb->n_readers < lmdb->readers_max) {
		lmdb->readers[lmdb->n_readers++] = txn;
		kept = true;
	}
	lock_drop(&lmdb->lock);
	if (!kept)
		mdb_txn_abort(txn);
}

/* --- reading ----------------------------------------------------------------------- */

static int
read_counts(const struct store_lmdb *lmdb, MDB_txn *txn, struct span key,
    int64_t now, struct store_counts *ret, struct err *err)
{
	MDB_val k = to_val(key), v;
	int rc = mdb_get(txn, lmdb->dbi, &k, &v);

	*ret = (struct store_counts){{0, 0}};
	if (rc == MDB_NOTFOUND)
		return 0;
	if (rc)
		return failed(lmdb, rc, err);
	if (v.mv_size != COUNTS_SIZE)
		return damaged(lmdb, err);
	const char *p = v.mv_data;
	if (!has_ended(load64(p), now))
		*ret = (struct store_counts){{load64(p + 8), load64(p + 16)}};
	return 0;
}

static int
lmdb_get(struct store_backend *backend, const struct span *keys, size_t n,
    int64_t now, int64_t deadline, struct store_counts *ret, struct err *err)
{
	struct store_lmdb *lmdb = lmdb_of(backend);
	MDB_txn *txn;
	int rc = take_reader(lmdb, &txn, err);

	(void)deadline; /* memory's pace */
	if (rc)
		return rc;
	for (size_t i = 0; i < n && rc == 0; i++)
		rc = read_counts(lmdb, txn, keys[i], now, &ret[i], err);
	give_reader(lmdb, txn);
	return rc;
}

/* The value of a key; p NULL when there is none. It lives in the map. */
static int
read_value(const struct store_lmdb *lmdb, MDB_txn *txn, struct span key,
    int64_t now, struct span *ret, int64_t *ret_expires, struct err *err)
{
	MDB_val k = to_val(key), v;
	int rc = mdb_get(txn, lmdb->dbi, &k, &v);

	*ret = SPAN_NONE;
	*ret_expires = 0;
	if (rc == MDB_NOTFOUND)
		return 0;
	if (rc)
		return failed(lmdb, rc, err);
	if (v.mv_size < EXPIRES_SIZE)
		return damaged(lmdb, err);
	int64_t expires = load64(v.mv_data);
	if (has_ended(expires, now))
		return 0;
	*ret = span_skip(to_span(&v), EXPIRES_SIZE);
	*ret_expires = expires;
	return 0;
}

static int
lmdb_get_value(struct store_backend *backend, struct span key, int64_t now,
    int64_t deadline, struct arena *arena, struct span *ret, struct err *err)
{
	struct store_lmdb *lmdb = lmdb_of(backend);
	struct span value;
	int64_t expires;
	MDB_txn *txn;
	int rc = take_reader(lmdb, &txn, err);

	(void)deadline;
	if (rc)
		return rc;
	rc = read_value(lmdb, txn, key, now, &value, &expires, err);
	if (rc == 0 && value.p) {
		value = arena_span(arena, value);
		if (!value.p)
			rc = err_set(err, ERR_NOMEM, "out of memory");
	}
	give_reader(lmdb, txn);
	if (rc == 0)
		*ret = value;
	return rc;
}

/* --- each -------------------------------------------------------------------------- */

struct walk {
	const struct store_lmdb *lmdb;
	struct span prefix;
	bool counts;
	int64_t now, deadline;
	store_backend_each_fn *fn;
	void *arg;
};

/* One entry; false ends the walk. */
static bool
walk_entry(const struct walk *walk, struct span key, struct span data,
    int *ret_rc, struct err *err)
{
	struct store_entry entry = {0};

	if (data.len < EXPIRES_SIZE ||
	    (walk->counts && data.len != COUNTS_SIZE)) {
		*ret_rc = damaged(walk->lmdb, err);
		return false;
	}
	entry.expires = load64(data.p);
	if (has_ended(entry.expires, walk->now))
		return true;
	if (walk->counts)
		entry.counts = (struct store_counts){
		    {load64(data.p + 8), load64(data.p + 16)}};
	else
		entry.value = span_skip(data, EXPIRES_SIZE);
	return walk->fn(walk->arg, key, &entry);
}

static int
walk_all(const struct walk *walk, MDB_cursor *cursor, struct err *err)
{
	MDB_val k = to_val(walk->prefix), v;
	int rc = mdb_cursor_get(cursor, &k, &v, MDB_SET_RANGE);

	for (size_t i = 1; rc == 0; i++) {
		struct span key = to_span(&k);
		if (!span_starts(key, walk->prefix) ||
		    !walk_entry(walk, key, to_span(&v), &rc, err))
			return rc;
		if (i % EACH_LOOK == 0 && clock_left(walk->deadline) == 0)
			return err_set(err, ERR_TIMEOUT, "no time left");
		rc = mdb_cursor_get(cursor, &k, &v, MDB_NEXT);
	}
	return rc == MDB_NOTFOUND ? 0 : failed(walk->lmdb, rc, err);
}

static int
lmdb_each(struct store_backend *backend, struct span prefix, bool counts,
    int64_t now, int64_t deadline, store_backend_each_fn *fn, void *arg,
    struct err *err)
{
	struct store_lmdb *lmdb = lmdb_of(backend);
	struct walk walk = {lmdb, prefix, counts, now, deadline, fn, arg};
	MDB_cursor *cursor;
	MDB_txn *txn;
	int rc = take_reader(lmdb, &txn, err);

	if (rc)
		return rc;
	rc = mdb_cursor_open(txn, lmdb->dbi, &cursor);
	if (rc) {
		rc = failed(lmdb, rc, err);
	} else {
		rc = walk_all(&walk, cursor, err);
		mdb_cursor_close(cursor);
	}
	give_reader(lmdb, txn);
	return rc;
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
		int rc = read_value(
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
	return rc ? failed(lmdb, rc, err) : 0;
}

static int
lmdb_apply(struct store_backend *backend, const struct store_write *writes,
    size_t n, int64_t now, int64_t deadline, struct err *err)
{
	struct store_lmdb *lmdb = lmdb_of(backend);
	MDB_txn *txn;
	int rc = mdb_txn_begin(lmdb->env, NULL, 0, &txn);

	(void)deadline; /* the disk's pace; nothing could be taken back */
	if (rc)
		return failed(lmdb, rc, err);
	rc = check_all(lmdb, txn, writes, n, now, err);
	if (!rc)
		rc = write_all(lmdb, txn, writes, n, now, err);
	if (rc) {
		mdb_txn_abort(txn);
		return rc;
	}
	rc = mdb_txn_commit(txn);
	return rc ? failed(lmdb, rc, err) : 0;
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

	if (take_reader(lmdb, &txn, NULL) != 0)
		return false;
	if (mdb_cursor_open(txn, lmdb->dbi, &cursor) == 0) {
		more = look_for_ended(lmdb, cursor, now, ended);
		mdb_cursor_close(cursor);
	}
	give_reader(lmdb, txn);
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

static bool
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

/* --- opening and closing ------------------------------------------------------------- */

/* A new store gets the mark, an old one must have it. */
static int
check_format(struct store_lmdb *lmdb, MDB_txn *txn, bool fresh, struct err *err)
{
	MDB_val k = to_val(FORMAT_KEY), v = to_val(FORMAT);
	MDB_stat st = {0};

	int rc = mdb_dbi_open(txn, NULL, 0, &lmdb->dbi);
	if (!rc)
		rc = mdb_stat(txn, lmdb->dbi, &st);
	if (!rc && fresh && st.ms_entries == 0)
		rc = mdb_put(txn, lmdb->dbi, &k, &v, 0);
	else if (!rc)
		rc = mdb_get(txn, lmdb->dbi, &k, &v);
	if (rc == MDB_NOTFOUND)
		return err_set(err, ERR_INVALID,
		    "%s: not a store of assay; it is left as it is",
		    lmdb->path);
	if (rc)
		return failed(lmdb, rc, err);
	if (!span_eq(to_span(&v), FORMAT))
		return err_set(err, ERR_INVALID,
		    "%s: of another version (%.*s, not %.*s); it is left as it"
		    " is",
		    lmdb->path, SPAN_ARG(span_head(to_span(&v), 32)),
		    SPAN_ARG(FORMAT));
	return 0;
}

static int
open_tree(struct store_lmdb *lmdb, const struct store_options *options,
    struct err *err)
{
	MDB_txn *txn;
	int rc = mdb_txn_begin(
	    lmdb->env, NULL, options->read_only ? MDB_RDONLY : 0, &txn);

	if (rc)
		return failed(lmdb, rc, err);
	rc = check_format(lmdb, txn, !options->read_only, err);
	if (rc) {
		mdb_txn_abort(txn);
		return rc;
	}
	rc = mdb_txn_commit(txn);
	return rc ? failed(lmdb, rc, err) : 0;
}

static int
open_env(struct store_lmdb *lmdb, const struct store_options *options,
    const struct lmdb_files *files, struct err *err)
{
	unsigned flags = MDB_NOTLS | (options->read_only ? MDB_RDONLY : 0);
	int dead;

	int rc = mdb_env_create(&lmdb->env);
	if (!rc)
		rc = mdb_env_set_mapsize(lmdb->env, MAP_BYTES);
	if (!rc)
		rc = mdb_env_set_maxreaders(
		    lmdb->env, options->readers + READERS_MORE);
	if (!rc)
		rc = mdb_env_open(
		    lmdb->env, files->folder, flags, LMDB_DATA_MODE);
	if (rc)
		return failed(lmdb, rc, err);
	mdb_filehandle_t fd;
	if (mdb_env_get_fd(lmdb->env, &fd) == 0)
		lmdb_files_settle(files, fd);
	(void)mdb_reader_check(lmdb->env, &dead);
	return open_tree(lmdb, options, err);
}

static void
lmdb_close(struct store_backend *backend)
{
	struct store_lmdb *lmdb = lmdb_of(backend);

	while (lmdb->n_readers)
		mdb_txn_abort(lmdb->readers[--lmdb->n_readers]);
	if (lmdb->env)
		mdb_env_close(lmdb->env);
	free(lmdb->readers);
	lock_done(&lmdb->lock);
	free(lmdb);
}

static const struct store_backend_class lmdb_class = {
    .name = "lmdb",
    .degraded = "store",
    .get = lmdb_get,
    .get_value = lmdb_get_value,
    .apply = lmdb_apply,
    .each = lmdb_each,
    .sweep = lmdb_sweep,
    .close = lmdb_close,
};

int
store_open_lmdb(const struct store_options *options,
    const struct store_url *url, struct store_backend **ret, struct err *err)
{
	struct lmdb_files files;
	int rc = lmdb_files_prepare(options, url, &files, err);

	if (rc)
		return rc;
	struct store_lmdb *lmdb = calloc(1, sizeof *lmdb);
	if (!lmdb)
		return err_set(err, ERR_NOMEM, "out of memory");
	lmdb->backend.class = &lmdb_class;
	lock_init(&lmdb->lock, LOCK_STORE);
	memcpy(lmdb->path, files.folder, sizeof lmdb->path);
	lmdb->readers_max = options->readers + 1;
	lmdb->readers = calloc(lmdb->readers_max, sizeof *lmdb->readers);
	rc = lmdb->readers ? open_env(lmdb, options, &files, err)
			   : err_set(err, ERR_NOMEM, "out of memory");
	if (rc) {
		lmdb_close(&lmdb->backend);
		return rc;
	}
	*ret = &lmdb->backend;
	return 0;
}
