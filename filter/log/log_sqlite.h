#ifndef FILTER_LOG_LOG_SQLITE_H
#define FILTER_LOG_LOG_SQLITE_H

#include <stdbool.h>

#include "filter/base/err.h"
#include "filter/log/record.h"
#include "filter/log/verdictlog.h"

/*
 * One day's file: format 1 of the verdict log (PRAGMA user_version). Texts are
 * coded as log_text.h says. Not for two threads at once.
 */
#define LOG_FORMAT 1

struct log_file;

/*
 * Opens a day's file for writing; makes it (mode 0640) when it is not there.
 * A file that is not ours to write stays as it is: ERR_ACCESS (owner, rights),
 * ERR_INVALID (no regular file, no database, damaged, another version);
 * ERR_IO and others may pass by themselves. err names the file.
 */
int log_file_open(
    const char *path, struct log_file **ret, struct err *err) MUST_USE;
/* What was not committed is undone. Accepts NULL. */
void log_file_close(struct log_file *file);
/* False when the path no longer leads to this file. */
bool log_file_is_there(const struct log_file *file);

/*
 * A transaction. After an error the file can only be closed; ERR_INVALID when
 * trying again cannot help. What is committed survives the end of the process.
 * The first record of an id stays, a second one is passed over.
 */
int log_file_begin(struct log_file *file, struct err *err) MUST_USE;
int log_file_add(struct log_file *file, const struct record *record,
    struct err *err) MUST_USE;
int log_file_commit(struct log_file *file, struct err *err) MUST_USE;

/*
 * Gives the matching records of one day's file to `fn`. `*left` is what
 * remains of the limit, counted down; *ret_more is false when `fn` or the
 * limit ended it. A file that has vanished has no records.
 */
int log_sqlite_read(const char *path, const struct verdictlog_query *query,
    uint64_t *left, verdictlog_fn *fn, void *arg, bool *ret_more,
    struct err *err) MUST_USE;

#endif
