#include "filter/log/log_sqlite_common.h"

#include <sqlite3.h>
#include <stdbool.h>

#include "filter/log/log_sqlite.h"

/*
 * SQLite's codes as ours, and the settings of a connection. A day's file may be
 * anybody's by the time that it is read (copied from elsewhere, restored), so
 * its schema may define nothing that runs, and no value may be huge.
 */

#define VALUE_MAX (1 << 20) /* our longest coded text is 16 KB */

struct code_map {
	int code; /* primary result code */
	int ours;
};

static const struct code_map codes[] = {
    {SQLITE_CORRUPT, ERR_INVALID},
    {SQLITE_NOTADB, ERR_INVALID},
    {SQLITE_FORMAT, ERR_INVALID},
    {SQLITE_ERROR, ERR_INVALID}, /* tables that are not ours */
    {SQLITE_SCHEMA, ERR_INVALID},
    {SQLITE_TOOBIG, ERR_INVALID},
    {SQLITE_CONSTRAINT, ERR_INVALID},
    {SQLITE_MISMATCH, ERR_INVALID},
    {SQLITE_RANGE, ERR_INVALID},
    {SQLITE_MISUSE, ERR_INVALID},
    {SQLITE_INTERRUPT, ERR_INVALID}, /* our bound of steps */
    {SQLITE_PERM, ERR_ACCESS},
    {SQLITE_AUTH, ERR_ACCESS},
    {SQLITE_READONLY, ERR_ACCESS},
    {SQLITE_CANTOPEN, ERR_ACCESS},
    {SQLITE_NOMEM, ERR_NOMEM},
};

static int
ours(int code)
{
	for (size_t i = 0; i < sizeof codes / sizeof *codes; i++)
		if (codes[i].code == (code & 0xff))
			return codes[i].ours;
	return ERR_IO; /* FULL, IOERR, BUSY, LOCKED and what comes */
}

int
log_sqlite_error(sqlite3 *db, int code, const char *path, struct err *err)
{
	int primary = code & 0xff;
	const char *text = sqlite3_errstr(code);
	int error = 0;

	/* Of other codes it is what some call before has left. */
	if (db && (primary == SQLITE_IOERR || primary == SQLITE_CANTOPEN))
		error = sqlite3_system_errno(db);

	/* errmsg may speak of the call before, and may quote the file. */
	if (primary == SQLITE_ERROR)
		text = "its tables are not those of a verdict log";
	if (primary == SQLITE_INTERRUPT)
		text = "is damaged: reading it does not end";
	if (error) {
		err_set_errno(err, error, "%s: %s", path, text);
		if (err)
			err->code = ours(code);
		return ours(code);
	}
	return err_set(err, ours(code), "%s: %s", path, text);
}

void
log_sqlite_harden(sqlite3 *db)
{
	(void)sqlite3_extended_result_codes(db, 1);
	(void)sqlite3_db_config(db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	(void)sqlite3_db_config(db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
	(void)sqlite3_db_config(db, SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, NULL);
	(void)sqlite3_limit(db, SQLITE_LIMIT_LENGTH, VALUE_MAX);
	(void)sqlite3_limit(db, SQLITE_LIMIT_ATTACHED, 0);
	(void)sqlite3_exec(db, "PRAGMA cell_size_check=ON", NULL, NULL, NULL);
}

int
log_sqlite_number(sqlite3 *db, const char *sql, int64_t *ret)
{
	sqlite3_stmt *stmt = NULL;
	int rc = sqlite3_prepare_v2(db, sql, -1, &stmt, NULL);

	if (!rc)
		rc = sqlite3_step(stmt);
	if (rc == SQLITE_ROW) {
		*ret = sqlite3_column_int64(stmt, 0);
		rc = SQLITE_OK;
	}
	(void)sqlite3_finalize(stmt);
	return rc == SQLITE_DONE ? SQLITE_ERROR : rc;
}

int
log_sqlite_version(
    sqlite3 *db, const char *path, bool *ret_new, struct err *err)
{
	int64_t version = 0, tables = 0;

	int rc = log_sqlite_number(db, "PRAGMA user_version", &version);
	if (!rc)
		rc = log_sqlite_number(
		    db, "SELECT count(*) FROM sqlite_schema", &tables);
	if (rc)
		return log_sqlite_error(db, rc, path, err);
	*ret_new = version == 0 && tables == 0;
	if (*ret_new || version == LOG_FORMAT)
		return 0;
	return err_set(err, ERR_INVALID,
	    "%s: is of version %lld of the verdict log; this program knows %d",
	    path, (long long)version, LOG_FORMAT);
}

int
log_sqlite_prepare(sqlite3 *db, const char *sql, sqlite3_stmt **ret)
{
	return sqlite3_prepare_v3(
	    db, sql, -1, SQLITE_PREPARE_PERSISTENT, ret, NULL);
}

void
log_sqlite_add_name(struct buf *sql, const struct record_field *field)
{
	buf_printf(sql, "\"%s%s\"", field->name,
	    field->type == RECORD_MILLI ? "_milli" : "");
}

int
log_sqlite_has_field(sqlite3 *db, const struct record_field *field, bool *ret)
{
	struct buf sql;
	int64_t columns = 0;

	buf_init(&sql, NULL, LOG_SQL_MAX);
	buf_printf(&sql,
	    "SELECT count(*) FROM pragma_table_info('message') WHERE name ="
	    " '%s%s'",
	    field->name, field->type == RECORD_MILLI ? "_milli" : "");
	int rc = buf_failed(&sql)
		     ? SQLITE_NOMEM
		     : log_sqlite_number(db, buf_str(&sql), &columns);
	buf_done(&sql);
	*ret = columns == 1;
	return rc;
}
