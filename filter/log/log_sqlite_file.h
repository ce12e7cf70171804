#ifndef FILTER_LOG_LOG_SQLITE_FILE_H
#define FILTER_LOG_LOG_SQLITE_FILE_H

#include <sys/types.h>

#include "filter/base/buf.h"
#include "filter/base/map.h"
#include "filter/log/log_day.h"
#include "filter/log/log_sqlite.h"

/* A file that is open for writing; for log_sqlite.c and log_sqlite_open.c. */
struct sqlite3;
struct sqlite3_stmt;

#define LOG_NAMES_MAX 65536 /* cached; more are stored once per use */
#define LOG_CODED_MAX (4 * RECORD_TEXT_MAX)

struct log_file {
	char path[LOG_PATH_SIZE];
	dev_t device; /* of the path when it was opened */
	ino_t inode;
	struct sqlite3 *db;
	struct sqlite3_stmt *begin, *commit, *message, *rcpt, *symbol, *name;
	struct arena *arena; /* keys of `names` */
	struct map names;    /* "NAME\0ORIGIN" -> its number */
	struct buf coded;    /* a text that must be coded */
	struct buf key;
};

/* Notes the number of a name; it may forget. */
void log_file_remember(struct log_file *file, struct span key, int64_t number);

#endif
