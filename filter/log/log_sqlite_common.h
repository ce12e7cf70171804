#ifndef FILTER_LOG_LOG_SQLITE_COMMON_H
#define FILTER_LOG_LOG_SQLITE_COMMON_H

#include <stdbool.h>

#include "filter/base/buf.h"
#include "filter/base/err.h"
#include "filter/log/record.h"

/* What writer and reader share; for log_sqlite*.c. */
struct sqlite3;
struct sqlite3_stmt;

#define LOG_SQL_MAX ((size_t)16384) /* bytes of a statement */

/*
 * Turns what SQLite says of its last call into our error, with the file's name
 * in front: ERR_INVALID (damaged, no database), ERR_ACCESS, ERR_IO, ERR_NOMEM.
 * `db` may be NULL.
 */
int log_sqlite_error(
    struct sqlite3 *db, int code, const char *path, struct err *err);
/* Nothing of the schema of a file is trusted; sizes are bounded. */
void log_sqlite_harden(struct sqlite3 *db);
/* First column of the first row as a number. */
int log_sqlite_number(struct sqlite3 *db, const char *sql, int64_t *ret);
/* 0, or ERR_INVALID: another version than LOG_FORMAT; *ret_new when it is an
 * empty database. */
int log_sqlite_version(
    struct sqlite3 *db, const char *path, bool *ret_new, struct err *err);
/* A statement that lives as long as the database. */
int log_sqlite_prepare(
    struct sqlite3 *db, const char *sql, struct sqlite3_stmt **ret) MUST_USE;

/* Has the message table a column for the field? A file that an earlier release
 * began may lack some. */
int log_sqlite_has_field(
    struct sqlite3 *db, const struct record_field *field, bool *ret) MUST_USE;
/* Adds the name of its column: "NAME" or "NAME_milli", in quotes. */
void log_sqlite_add_name(struct buf *sql, const struct record_field *field);

#endif
