#include "filter/store/store_lmdb.h"

#include <errno.h>
#include <lmdb.h>
#include <stdlib.h>

#include "filter/base/clock.h"
#include "filter/base/unconst.h"

/*
 * The embedded store: one LMDB environment with one tree. Reads take no lock
 * of LMDB's and see a snapshot; writing is store_lmdb_write.c's.
 *
 * The key "\0format" holds the version of what an entry is.
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
#define EXPECTED 32     /* keys whose memory is waited for at once */
#define EACH_LOOK 256   /* entries between looks at the clock */
#define FORMAT_KEY SPAN("\0format")
#define FORMAT SPAN("assay store 1")

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

int
lmdb_failed(const struct store_lmdb *lmdb, int rc, struct err *err)
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

int
lmdb_damaged(const struct store_lmdb *lmdb, struct err *err)
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

/* --- readers ----------------------------------------------------------------------- */

int
lmdb_take_reader(struct store_lmdb *lmdb, MDB_txn **ret, struct err *err)
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
	return lmdb_failed(lmdb, rc, err);
}

void
lmdb_give_reader(struct store_lmdb *lmdb, MDB_txn *txn)
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

/* From the tree, and for the next one into the cache. */
static int
read_counts(const struct store_lmdb *lmdb, MDB_txn *txn, struct span key,
    uint64_t hash, struct store_counts *ret, int64_t *ret_expires,
    struct err *err)
{
	MDB_val k = to_val(key), v;
	int rc = mdb_get(txn, lmdb->dbi, &k, &v);

	*ret = (struct store_counts){{0, 0}};
	*ret_expires = 0;
	if (rc != 0 && rc != MDB_NOTFOUND)
		return lmdb_failed(lmdb, rc, err);
	if (rc == 0 && v.mv_size != COUNTS_SIZE)
		return lmdb_damaged(lmdb, err);
	if (rc == 0) {
		const char *p = v.mv_data;
		*ret_expires = load64(p);
		*ret = (struct store_counts){{load64(p + 8), load64(p + 16)}};
	}
	if (lmdb->cache)
		store_cache_put(
		    lmdb->cache, hash, *ret, *ret_expires, mdb_txn_id(txn));
	return 0;
}

/* Some keys; `*txn` is begun when the tree has to be asked. */
static int
get_some(struct store_lmdb *lmdb, MDB_txn **txn, const struct span *keys,
    size_t n, int64_t now, struct store_counts *ret, struct err *err)
{
	uint64_t hashes[EXPECTED] = {0};
	int rc = 0;

	for (size_t i = 0; i < n && lmdb->cache; i++) {
		hashes[i] = store_cache_hash(keys[i]);
		store_cache_expect(lmdb->cache, hashes[i]);
		if (lmdb->seen)
			store_seen_expect(lmdb->seen, hashes[i]);
	}
	for (size_t i = 0; i < n && rc == 0; i++) {
		int64_t expires = 0;
		bool known = lmdb->cache && store_cache_get(lmdb->cache,
						hashes[i], &ret[i], &expires);
		if (!known && lmdb->seen &&
		    !store_seen_may(lmdb->seen, hashes[i])) {
			ret[i] = (struct store_counts){{0, 0}};
			continue;
		}
		if (!known && !*txn)
			rc = lmdb_take_reader(lmdb, txn, err);
		if (!known && rc == 0)
			rc = read_counts(lmdb, *txn, keys[i], hashes[i],
			    &ret[i], &expires, err);
		if (has_ended(expires, now))
			ret[i] = (struct store_counts){{0, 0}};
	}
	return rc;
}

static int
lmdb_get(struct store_backend *backend, const struct span *keys, size_t n,
    int64_t now, int64_t deadline, struct store_counts *ret, struct err *err)
{
	struct store_lmdb *lmdb = lmdb_of(backend);
	MDB_txn *txn = NULL;
	int rc = 0;

	(void)deadline; /* memory's pace */
	for (size_t done = 0; done < n && rc == 0; done += EXPECTED) {
		size_t some = n - done < EXPECTED ? n - done : EXPECTED;
		rc = get_some(
		    lmdb, &txn, keys + done, some, now, ret + done, err);
	}
	if (txn)
		lmdb_give_reader(lmdb, txn);
	return rc;
}

int
lmdb_read_value(const struct store_lmdb *lmdb, MDB_txn *txn, struct span key,
    int64_t now, struct span *ret, int64_t *ret_expires, struct err *err)
{
	MDB_val k = to_val(key), v;
	int rc = mdb_get(txn, lmdb->dbi, &k, &v);

	*ret = SPAN_NONE;
	*ret_expires = 0;
	if (rc == MDB_NOTFOUND)
		return 0;
	if (rc)
		return lmdb_failed(lmdb, rc, err);
	if (v.mv_size < EXPIRES_SIZE)
		return lmdb_damaged(lmdb, err);
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
	int rc = lmdb_take_reader(lmdb, &txn, err);

	(void)deadline;
	if (rc)
		return rc;
	rc = lmdb_read_value(lmdb, txn, key, now, &value, &expires, err);
	if (rc == 0 && value.p) {
		value = arena_span(arena, value);
		if (!value.p)
			rc = err_set(err, ERR_NOMEM, "out of memory");
	}
	lmdb_give_reader(lmdb, txn);
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
		*ret_rc = lmdb_damaged(walk->lmdb, err);
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
	return rc == MDB_NOTFOUND ? 0 : lmdb_failed(walk->lmdb, rc, err);
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
	int rc = lmdb_take_reader(lmdb, &txn, err);

	if (rc)
		return rc;
	rc = mdb_cursor_open(txn, lmdb->dbi, &cursor);
	if (rc) {
		rc = lmdb_failed(lmdb, rc, err);
	} else {
		rc = walk_all(&walk, cursor, err);
		mdb_cursor_close(cursor);
	}
	lmdb_give_reader(lmdb, txn);
	return rc;
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
		return lmdb_failed(lmdb, rc, err);
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
		return lmdb_failed(lmdb, rc, err);
	rc = check_format(lmdb, txn, !options->read_only, err);
	if (rc) {
		mdb_txn_abort(txn);
		return rc;
	}
	rc = mdb_txn_commit(txn);
	return rc ? lmdb_failed(lmdb, rc, err) : 0;
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
		return lmdb_failed(lmdb, rc, err);
	mdb_filehandle_t fd;
	if (mdb_env_get_fd(lmdb->env, &fd) == 0) {
		lmdb_files_settle(files, fd);
		if (!options->read_only && lmdb_files_hold(files, fd, err))
			return ERR_STATE;
	}
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
	store_cache_free(lmdb->cache);
	store_seen_free(lmdb->seen);
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
	if (!options->read_only)
		lmdb->cache = store_cache_new();
	if (!lmdb->readers || (!lmdb->cache && !options->read_only))
		rc = err_set(err, ERR_NOMEM, "out of memory");
	else
		rc = open_env(lmdb, options, &files, err);
	if (rc == 0 && !options->read_only)
		rc = lmdb_note_seen(lmdb, err);
	if (rc) {
		lmdb_close(&lmdb->backend);
		return rc;
	}
	*ret = &lmdb->backend;
	return 0;
}
