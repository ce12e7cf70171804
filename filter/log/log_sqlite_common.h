#ifndef FILTER_LOG_LOG_SQLITE_COMMON_H
#define FILTER_LOG_LOG_SQLITE_COMMON_H

#include "filter/base/buf.h"
#include "filter/base/err.h"

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

/* Adds the columns of a message but `id`: ,"time","node",... */
void log_sqlite_columns(struct buf *sql);

#endif
