#ifndef FILTER_LOG_LOG_SQLITE_CONNECT_H
#define FILTER_LOG_LOG_SQLITE_CONNECT_H

#include "filter/base/err.h"
#include "filter/log/log_sqlite_common.h"

/* A connection that reads; for log_sqlite_read.c. */
struct log_connection {
	const char *path;
	struct sqlite3 *db;
	int64_t steps_left; /* before it is taken for endless */
};

/*
 * Opens `connection->path` without the right to write, nor the need of it.
 * *ret_empty: a database without tables, just made by the writer. ERR_ACCESS,
 * ERR_INVALID (damaged, another version, other tables), ERR_IO name the file.
 * To be closed in any case. It must not be moved.
 */
int log_sqlite_connect(struct log_connection *connection, bool *ret_empty,
    struct err *err) MUST_USE;
void log_sqlite_disconnect(struct log_connection *connection);

#endif
