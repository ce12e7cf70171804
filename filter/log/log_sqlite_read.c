#include <errno.h>
#include <sqlite3.h>
#include <stdio.h>
#include <sys/stat.h>

#include "filter/log/log_day.h"
#include "filter/log/log_match.h"
#include "filter/log/log_sqlite.h"
#include "filter/log/log_sqlite_common.h"
#include "filter/log/log_text.h"

/*
 * The reader of one day's file, on a connection that cannot write. It goes by
 * id, which rises with time, and keeps one record in memory. While the caller
 * has a record no statement is open: a pager left alone at the end of a pipe
 * must not hold the writer's log. The file may be anybody's: values of a wrong
 * type are converted, and a bound of steps ends a damaged tree that goes round.
 */

#define BUSY_MS 2000
#define RECORD_BUDGET ((size_t)32 << 20)
#define STEPS_EACH 10000 /* of the virtual machine, between two looks */
#define STEPS_FREE INT64_C(2000000)
#define STEPS_PER_BYTE 8 /* a record takes about one for two bytes */

struct reader {
	const char *path;
	const struct verdictlog_query *query;
	sqlite3 *db;
	sqlite3_stmt *messages, *rcpts, *symbols;
	struct arena *arena; /* of one record */
	int64_t steps_left;  /* of STEPS_EACH */
	int64_t next;        /* id from which to go on */
	bool at_end;
};

/* Numbers of parameters. */
enum {
	P_NEXT = 1,
	P_SINCE,
	P_UNTIL,
	P_QUEUE_ID,
	P_MESSAGE_ID,
	P_ACTION,
	P_SYMBOL
};

static int
fail(struct reader *r, int rc, struct err *err)
{
	return log_sqlite_error(r->db, rc, r->path, err);
}

/* --- opening ------------------------------------------------------------------------- */

static int
on_steps(void *arg)
{
	struct reader *r = arg;

	return r->steps_left-- <= 0;
}

static void
bound_steps(struct reader *r)
{
	char path[LOG_PATH_SIZE + 8];
	int64_t bytes = 0;
	struct stat st;

	if (lstat(r->path, &st) == 0)
		bytes = (int64_t)st.st_size;
	(void)snprintf(path, sizeof path, "%s-wal", r->path);
	if (lstat(path, &st) == 0)
		bytes += (int64_t)st.st_size;
	r->steps_left = (STEPS_FREE + bytes * STEPS_PER_BYTE) / STEPS_EACH;
	sqlite3_progress_handler(r->db, STEPS_EACH, on_steps, r);
}

static int
connect_to(struct reader *r, const char *name, int flags)
{
	int64_t tables = 0;

	(void)sqlite3_close_v2(r->db);
	r->db = NULL;
	int rc = sqlite3_open_v2(name, &r->db,
	    flags | SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX |
		SQLITE_OPEN_PRIVATECACHE,
	    NULL);
	if (rc)
		return rc;
	log_sqlite_harden(r->db);
	(void)sqlite3_busy_timeout(r->db, BUSY_MS);
	/* With root's rights it could, as the last one, tidy up. */
	(void)sqlite3_db_config(
	    r->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
	bound_steps(r);
	/* The first look at the file. */
	return log_sqlite_number(
	    r->db, "SELECT count(*) FROM sqlite_schema", &tables);
}

/* "file:PATH?immutable=1" */
static int
connect_immutable(struct reader *r)
{
	struct buf uri;

	buf_init(&uri, NULL, LOG_PATH_SIZE * 4);
	buf_add_str(&uri, "file:");
	for (const char *p = r->path; *p; p++)
		if (ascii_is_alnum(*p) || *p == '/' || *p == '-' || *p == '.')
			buf_add_char(&uri, *p);
		else
			buf_printf(&uri, "%%%02x", (unsigned char)*p);
	buf_add_str(&uri, "?immutable=1");
	int rc = buf_failed(&uri)
		     ? SQLITE_NOMEM
		     : connect_to(r, buf_str(&uri), SQLITE_OPEN_URI);
	buf_done(&uri);
	return rc;
}

static int64_t
size_beside(struct reader *r, const char *suffix)
{
	char path[LOG_PATH_SIZE + 8];
	struct stat st;

	(void)snprintf(path, sizeof path, "%s%s", r->path, suffix);
	return lstat(path, &st) == 0 ? (int64_t)st.st_size : -1;
}

/*
 * A writer that is there has both files beside the database. Without the right
 * to make them a reader cannot do without; but where they are not (a copy, a
 * read-only disk) the database is whole by itself.
 */
static bool
stands_alone(struct reader *r)
{
	int64_t wal = size_beside(r, "-wal");

	return wal < 0 || (wal == 0 && size_beside(r, "-shm") < 0);
}

static int
connect_file(struct reader *r)
{
	int rc = connect_to(r, r->path, 0);
	int primary = rc & 0xff;

	if ((primary == SQLITE_CANTOPEN || primary == SQLITE_READONLY) &&
	    stands_alone(r))
		return connect_immutable(r);
	return rc;
}

/* Views and virtual tables of these names would run what a file says. */
static int
check_tables(struct reader *r, struct err *err)
{
	int64_t tables = 0;

	int rc = log_sqlite_number(r->db,
	    "SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name"
	    " IN ('message', 'rcpt', 'symbol', 'name') AND sql LIKE"
	    " 'CREATE TABLE%'",
	    &tables);
	if (!rc && tables != 4)
		rc = SQLITE_ERROR;
	return rc ? fail(r, rc, err) : 0;
}

/* --- statements ---------------------------------------------------------------------- */

static void
add_conditions(struct buf *sql, const struct verdictlog_query *q)
{
	buf_printf(sql, " FROM message WHERE id %s ?%d",
	    q->newest_first ? "<=" : ">=", P_NEXT);
	if (q->id)
		buf_printf(sql, " AND id = %lld", (long long)q->id);
	if (q->since)
		buf_printf(sql, " AND time >= ?%d", P_SINCE);
	if (q->until)
		buf_printf(sql, " AND time < ?%d", P_UNTIL);
	if (q->queue_id.p)
		buf_printf(sql, " AND queue_id = ?%d", P_QUEUE_ID);
	if (q->message_id.p)
		buf_printf(
		    sql, " AND message_id = ?%d COLLATE NOCASE", P_MESSAGE_ID);
	if (q->action.p)
		buf_printf(sql,
		    " AND (action = ?%d COLLATE NOCASE OR (mode = 'observe'"
		    " AND would = ?%d COLLATE NOCASE))",
		    P_ACTION, P_ACTION);
	if (q->symbol.p)
		buf_printf(sql,
		    " AND EXISTS (SELECT 1 FROM symbol s WHERE s.id ="
		    " message.id AND s.name_id IN (SELECT name_id FROM name"
		    " WHERE name = ?%d COLLATE NOCASE))",
		    P_SYMBOL);
	buf_printf(sql, " ORDER BY id%s", q->newest_first ? " DESC" : "");
}

static int
bind_text(sqlite3_stmt *stmt, int n, struct span text)
{
	struct buf coded;

	if (!text.p)
		return SQLITE_OK;
	buf_init(&coded, NULL, 4 * RECORD_TEXT_MAX);
	log_text_encode(&coded, span_head(text, RECORD_TEXT_MAX));
	int rc = buf_failed(&coded)
		     ? SQLITE_NOMEM
		     : sqlite3_bind_text(stmt, n, buf_str(&coded),
			   (int)coded.len, SQLITE_TRANSIENT);
	buf_done(&coded);
	return rc;
}

static int
bind_query(struct reader *r)
{
	const struct verdictlog_query *q = r->query;
	sqlite3_stmt *stmt = r->messages;
	int rc = SQLITE_OK;

	if (q->since)
		rc = sqlite3_bind_int64(stmt, P_SINCE, q->since);
	if (!rc && q->until)
		rc = sqlite3_bind_int64(stmt, P_UNTIL, q->until);
	if (!rc)
		rc = bind_text(stmt, P_QUEUE_ID, q->queue_id);
	if (!rc)
		rc = bind_text(stmt, P_MESSAGE_ID, q->message_id);
	if (!rc)
		rc = bind_text(stmt, P_ACTION, q->action);
	if (!rc)
		rc = bind_text(stmt, P_SYMBOL, q->symbol);
	return rc;
}

/* The columns that are there; NULL for those that are not yet. */
static int
add_columns(struct reader *r, struct buf *sql)
{
	int rc = SQLITE_OK;

	buf_add_str(sql, "SELECT id");
	for (const struct record_field *f = record_fields; f->name && !rc;
	     f++) {
		bool there = false;
		rc = log_sqlite_has_field(r->db, f, &there);
		buf_add_char(sql, ',');
		if (there)
			log_sqlite_add_name(sql, f);
		else
			buf_add_str(sql, "NULL");
	}
	return rc;
}

static int
prepare_messages(struct reader *r)
{
	struct buf sql;

	buf_init(&sql, NULL, LOG_SQL_MAX);
	int rc = add_columns(r, &sql);
	add_conditions(&sql, r->query);
	if (!rc)
		rc = buf_failed(&sql) ? SQLITE_NOMEM
				      : log_sqlite_prepare(
					    r->db, buf_str(&sql), &r->messages);
	buf_done(&sql);
	return rc ? rc : bind_query(r);
}

static int
prepare(struct reader *r, struct err *err)
{
	int rc = prepare_messages(r);

	if (!rc)
		rc = log_sqlite_prepare(r->db,
		    "SELECT addr, action FROM rcpt WHERE id = ? ORDER BY n",
		    &r->rcpts);
	if (!rc)
		rc = log_sqlite_prepare(r->db,
		    "SELECT n.name, CAST(round(s.count * 1000) AS INTEGER),"
		    " s.score_milli, s.evidence, n.origin FROM symbol s LEFT"
		    " JOIN name n ON n.name_id = s.name_id WHERE s.id = ?"
		    " ORDER BY s.n",
		    &r->symbols);
	return rc ? fail(r, rc, err) : 0;
}

/* --- rows ---------------------------------------------------------------------------- */

/* A copy, decoded. When memory ends the arena says so. */
static struct span
take_text(struct reader *r, sqlite3_stmt *stmt, int column)
{
	struct buf out;

	const void *p = sqlite3_column_text(stmt, column);
	struct span text =
	    span_make(p, (size_t)sqlite3_column_bytes(stmt, column));
	if (!p)
		return SPAN_NONE;
	if (span_find_char(text, '\\') == SPAN_NPOS)
		return arena_span(r->arena, text);
	buf_init(&out, r->arena, text.len);
	log_text_decode(&out, text);
	return buf_span(&out);
}

static void
take_message(struct reader *r, struct record *record)
{
	sqlite3_stmt *stmt = r->messages;
	int column = 1;

	*record = (struct record){
	    .id = (uint64_t)sqlite3_column_int64(stmt, 0),
	};
	for (const struct record_field *f = record_fields; f->name; f++) {
		if (f->type == RECORD_TEXT) {
			record_set_text(record, f, take_text(r, stmt, column));
		} else {
			bool off =
			    f->type == RECORD_MILLI &&
			    sqlite3_column_type(stmt, column) == SQLITE_NULL;
			record_set_int(record, f,
			    off ? INT64_MAX
				: sqlite3_column_int64(stmt, column));
		}
		column++;
	}
}

static int
take_rcpts(struct reader *r, struct record *record)
{
	sqlite3_stmt *stmt = r->rcpts;
	int rc = sqlite3_bind_int64(stmt, 1, (int64_t)record->id);

	while (!rc && record->rcpts.n < RECORD_RCPTS_MAX &&
	       (rc = sqlite3_step(stmt)) == SQLITE_ROW) {
		struct record_rcpt *rcpt = VEC_PUSH(r->arena, &record->rcpts);
		rc = rcpt ? SQLITE_OK : SQLITE_NOMEM;
		if (rcpt)
			*rcpt = (struct record_rcpt){
			    take_text(r, stmt, 0), take_text(r, stmt, 1)};
	}
	(void)sqlite3_reset(stmt);
	return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

static int
take_symbols(struct reader *r, struct record *record)
{
	sqlite3_stmt *stmt = r->symbols;
	int rc = sqlite3_bind_int64(stmt, 1, (int64_t)record->id);

	while (!rc && record->symbols.n < RECORD_SYMBOLS_MAX &&
	       (rc = sqlite3_step(stmt)) == SQLITE_ROW) {
		struct record_symbol *s = VEC_PUSH(r->arena, &record->symbols);
		rc = s ? SQLITE_OK : SQLITE_NOMEM;
		if (s)
			*s = (struct record_symbol){
			    .name = take_text(r, stmt, 0),
			    .count_milli = sqlite3_column_int64(stmt, 1),
			    .score_milli = sqlite3_column_int64(stmt, 2),
			    .evidence = take_text(r, stmt, 3),
			    .origin = take_text(r, stmt, 4),
			};
	}
	(void)sqlite3_reset(stmt);
	return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

/* Goes on to the next record that matches; SQLITE_ROW when there is one. */
static int
next_record(struct reader *r, struct record *record)
{
	int rc = sqlite3_bind_int64(r->messages, P_NEXT, r->next);

	while (!rc && (rc = sqlite3_step(r->messages)) == SQLITE_ROW) {
		arena_reset(r->arena);
		take_message(r, record);
		if (!log_match_message(r->query, record)) {
			rc = SQLITE_OK;
			continue;
		}
		rc = take_rcpts(r, record);
		if (rc || !log_match_rcpts(r->query, record))
			continue;
		rc = take_symbols(r, record);
		if (!rc)
			rc = SQLITE_ROW;
		break;
	}
	(void)sqlite3_reset(r->messages);
	return rc;
}

static void
advance(struct reader *r, int64_t id)
{
	bool back = r->query->newest_first;

	r->at_end = r->query->id || id == (back ? INT64_MIN : INT64_MAX);
	if (!r->at_end)
		r->next = back ? id - 1 : id + 1;
}

static int
read_records(struct reader *r, uint64_t *left, verdictlog_fn *fn, void *arg,
    bool *ret_more, struct err *err)
{
	struct record record;

	r->next = r->query->newest_first ? INT64_MAX : INT64_MIN;
	while (!r->at_end && *ret_more) {
		int rc = next_record(r, &record);
		if (rc == SQLITE_DONE)
			return 0;
		if (rc != SQLITE_ROW)
			return fail(r, rc, err);
		if (arena_failed(r->arena))
			return err_set(err, ERR_INVALID,
			    "%s: a record is larger than any of ours", r->path);
		advance(r, (int64_t)record.id);
		*ret_more = fn(arg, &record) && --*left;
	}
	return 0;
}

static int
read_file(struct reader *r, uint64_t *left, verdictlog_fn *fn, void *arg,
    bool *ret_more, struct err *err)
{
	bool empty = false;

	int rc = connect_file(r);
	if (rc)
		return fail(r, rc, err);
	rc = log_sqlite_version(r->db, r->path, &empty, err);
	/* Just made by the writer. */
	if (rc || empty)
		return rc;
	rc = check_tables(r, err);
	if (!rc)
		rc = prepare(r, err);
	return rc ? rc : read_records(r, left, fn, arg, ret_more, err);
}

int
log_sqlite_read(const char *path, const struct verdictlog_query *query,
    uint64_t *left, verdictlog_fn *fn, void *arg, bool *ret_more,
    struct err *err)
{
	struct reader r = {.path = path, .query = query};
	struct stat st;

	if (lstat(path, &st) != 0 && errno == ENOENT)
		return 0;
	r.arena = arena_new(RECORD_BUDGET);
	if (!r.arena)
		return err_set(err, ERR_NOMEM, "%s: out of memory", path);
	int rc = read_file(&r, left, fn, arg, ret_more, err);
	(void)sqlite3_finalize(r.messages);
	(void)sqlite3_finalize(r.rcpts);
	(void)sqlite3_finalize(r.symbols);
	(void)sqlite3_close_v2(r.db);
	arena_free(r.arena);
	/* Retention may have removed it while we opened it. */
	if (rc && lstat(path, &st) != 0 && errno == ENOENT)
		return 0;
	return rc;
}
