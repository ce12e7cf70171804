#include <errno.h>
#include <sqlite3.h>
#include <sys/stat.h>

#include "filter/log/log_match.h"
#include "filter/log/log_sqlite.h"
#include "filter/log/log_sqlite_common.h"
#include "filter/log/log_sqlite_connect.h"
#include "filter/log/log_text.h"

/*
 * The reader of one day's file, on a connection that cannot write. It goes by
 * id, which rises with time, and keeps one record in memory. While the caller
 * has a record no statement is open: a pager left alone at the end of a pipe
 * must not hold the writer's log. Values of a wrong type are converted.
 */

#define RECORD_BUDGET ((size_t)32 << 20)

struct reader {
	struct log_connection connection;
	const struct verdictlog_query *query;
	sqlite3_stmt *messages, *rcpts, *symbols;
	struct arena *arena; /* of one record */
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
	return log_sqlite_error(r->connection.db, rc, r->connection.path, err);
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
		    " AND EXISTS (SELECT 1 FROM symbol s CROSS JOIN name n ON"
		    " n.name_id = s.name_id WHERE s.id = message.id AND n.name"
		    " = ?%d COLLATE NOCASE)",
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
		rc = log_sqlite_has_field(r->connection.db, f, &there);
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
				      : log_sqlite_prepare(r->connection.db,
					    buf_str(&sql), &r->messages);
	buf_done(&sql);
	return rc ? rc : bind_query(r);
}

static int
prepare(struct reader *r, struct err *err)
{
	int rc = prepare_messages(r);

	if (!rc)
		rc = log_sqlite_prepare(r->connection.db,
		    "SELECT addr, action FROM rcpt WHERE id = ? ORDER BY n",
		    &r->rcpts);
	if (!rc)
		rc = log_sqlite_prepare(r->connection.db,
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

/* Notes that a row was seen. False when it is not behind the one before: a tree
 * whose pages are not in order could give the same ones for ever. */
static bool
advance(struct reader *r, int64_t id)
{
	bool back = r->query->newest_first;

	if (r->at_end || (back ? id > r->next : id < r->next))
		return false;
	r->at_end = r->query->id || id == (back ? INT64_MIN : INT64_MAX);
	if (!r->at_end)
		r->next = back ? id - 1 : id + 1;
	return true;
}

/* SQLITE_ROW: the row of the message is one of those asked for. */
static int
take_record(struct reader *r, struct record *record)
{
	arena_reset(r->arena);
	take_message(r, record);
	if (!advance(r, (int64_t)record->id))
		return SQLITE_CORRUPT;
	if (!log_match_message(r->query, record))
		return SQLITE_OK;
	int rc = take_rcpts(r, record);
	if (rc || !log_match_rcpts(r->query, record))
		return rc;
	rc = take_symbols(r, record);
	return rc ? rc : SQLITE_ROW;
}

/* Goes on to the next record that matches; SQLITE_ROW when there is one. */
static int
next_record(struct reader *r, struct record *record)
{
	int rc = sqlite3_bind_int64(r->messages, P_NEXT, r->next);

	while (!rc && (rc = sqlite3_step(r->messages)) == SQLITE_ROW) {
		rc = take_record(r, record);
		if (rc == SQLITE_ROW)
			break;
	}
	(void)sqlite3_reset(r->messages);
	return rc;
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
			    "%s: a record is larger than any of ours",
			    r->connection.path);
		*ret_more = fn(arg, &record) && --*left;
	}
	return 0;
}

static int
read_file(struct reader *r, uint64_t *left, verdictlog_fn *fn, void *arg,
    bool *ret_more, struct err *err)
{
	bool empty = false;

	int rc = log_sqlite_connect(&r->connection, &empty, err);
	if (rc || empty)
		return rc;
	rc = prepare(r, err);
	return rc ? rc : read_records(r, left, fn, arg, ret_more, err);
}

int
log_sqlite_read(const char *path, const struct verdictlog_query *query,
    uint64_t *left, verdictlog_fn *fn, void *arg, bool *ret_more,
    struct err *err)
{
	struct reader r = {.connection = {.path = path}, .query = query};
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
	log_sqlite_disconnect(&r.connection);
	arena_free(r.arena);
	/* Retention may have removed it while we opened it. */
	if (rc && lstat(path, &st) != 0 && errno == ENOENT)
		return 0;
	return rc;
}
