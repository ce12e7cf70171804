#include "filter/log/log_sqlite.h"

#include <sqlite3.h>

#include "filter/log/log_sqlite_common.h"
#include "filter/log/log_sqlite_file.h"
#include "filter/log/log_text.h"

/*
 * The writer: records to rows. Every value is bound, never pasted; texts are
 * coded first. Rows of a message lie together: keys are (id, n), and ids rise
 * with time, so pages fill from left to right. Names of symbols are numbered
 * per file, the numbers kept in a map.
 */

/* --- numbers of names ---------------------------------------------------------------- */

static struct span
name_key(struct log_file *file, struct span name, struct span origin)
{
	buf_truncate(&file->key, 0);
	buf_add_span(&file->key, span_head(name, RECORD_TEXT_MAX));
	buf_add_char(&file->key, '\0');
	buf_add_span(&file->key, span_head(origin, RECORD_TEXT_MAX));
	return buf_span(&file->key);
}

/* --- rows ---------------------------------------------------------------------------- */

static int
run(sqlite3_stmt *stmt)
{
	int rc = sqlite3_step(stmt);

	(void)sqlite3_reset(stmt);
	return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

static int
fail(struct log_file *file, int rc, struct err *err)
{
	return rc ? log_sqlite_error(file->db, rc, file->path, err) : 0;
}

/* The text lives until the statement has run; a coded one is copied. */
static int
bind_text(struct log_file *file, sqlite3_stmt *stmt, int n, struct span text)
{
	if (!text.p)
		return sqlite3_bind_null(stmt, n);
	text = span_head(text, RECORD_TEXT_MAX);
	if (log_text_is_plain(text))
		return sqlite3_bind_text(
		    stmt, n, text.p, (int)text.len, SQLITE_STATIC);
	buf_truncate(&file->coded, 0);
	log_text_encode(&file->coded, text);
	if (buf_failed(&file->coded))
		return SQLITE_NOMEM;
	return sqlite3_bind_text(
	    stmt, n, file->coded.p, (int)file->coded.len, SQLITE_TRANSIENT);
}

static int
bind_int(sqlite3_stmt *stmt, int n, int64_t value, bool is_null)
{
	return is_null ? sqlite3_bind_null(stmt, n)
		       : sqlite3_bind_int64(stmt, n, value);
}

static int
add_message(struct log_file *file, const struct record *r)
{
	int n = 1;
	int rc = sqlite3_bind_int64(file->message, n++, (int64_t)r->id);

	for (const struct record_field *f = record_fields; f->name && !rc; f++)
		if (f->type == RECORD_TEXT) {
			rc = bind_text(
			    file, file->message, n++, record_text(r, f));
		} else {
			int64_t value = record_int(r, f);
			rc = bind_int(file->message, n++, value,
			    f->type == RECORD_MILLI && value == INT64_MAX);
		}
	return rc ? rc : run(file->message);
}

static int
add_rcpts(struct log_file *file, const struct record *r)
{
	sqlite3_stmt *stmt = file->rcpt;
	int rc = SQLITE_OK;

	for (size_t i = 0; i < r->rcpts.n && !rc; i++) {
		const struct record_rcpt *rcpt = &r->rcpts.v[i];
		rc = sqlite3_bind_int64(stmt, 1, (int64_t)r->id);
		if (!rc)
			rc = sqlite3_bind_int64(stmt, 2, (int64_t)i + 1);
		if (!rc)
			rc = bind_text(file, stmt, 3, rcpt->addr);
		if (!rc)
			rc = bind_text(file, stmt, 4, rcpt->action);
		if (!rc)
			rc = run(stmt);
	}
	return rc;
}

static int
number_of(struct log_file *file, const struct record_symbol *s, int64_t *ret)
{
	struct span name = s->name.p ? s->name : SPAN("");
	struct span key = name_key(file, name, s->origin);
	const int64_t *known = map_get(&file->names, key);

	if (known) {
		*ret = *known;
		return SQLITE_OK;
	}
	int rc = bind_text(file, file->name, 1, name);
	if (!rc)
		rc = bind_text(file, file->name, 2, s->origin);
	if (!rc)
		rc = run(file->name);
	if (rc)
		return rc;
	*ret = sqlite3_last_insert_rowid(file->db);
	log_file_remember(file, key, *ret);
	return SQLITE_OK;
}

static int
add_symbols(struct log_file *file, const struct record *r)
{
	sqlite3_stmt *stmt = file->symbol;
	int rc = SQLITE_OK;

	for (size_t i = 0; i < r->symbols.n && !rc; i++) {
		const struct record_symbol *s = &r->symbols.v[i];
		int64_t number = 0;
		rc = number_of(file, s, &number);
		if (!rc)
			rc = sqlite3_bind_int64(stmt, 1, (int64_t)r->id);
		if (!rc)
			rc = sqlite3_bind_int64(stmt, 2, (int64_t)i + 1);
		if (!rc)
			rc = sqlite3_bind_int64(stmt, 3, number);
		if (!rc)
			rc = sqlite3_bind_int64(stmt, 4, s->count_milli);
		if (!rc)
			rc = sqlite3_bind_int64(stmt, 5, s->score_milli);
		if (!rc)
			rc = bind_text(file, stmt, 6, s->evidence);
		if (!rc)
			rc = run(stmt);
	}
	return rc;
}

int
log_file_begin(struct log_file *file, struct err *err)
{
	return fail(file, run(file->begin), err);
}

int
log_file_add(
    struct log_file *file, const struct record *record, struct err *err)
{
	int rc = add_message(file, record);

	if (!rc && sqlite3_changes(file->db) == 0)
		return 0; /* that id is there */
	if (!rc)
		rc = add_rcpts(file, record);
	if (!rc)
		rc = add_symbols(file, record);
	return fail(file, rc, err);
}

int
log_file_commit(struct log_file *file, struct err *err)
{
	return fail(file, run(file->commit), err);
}
