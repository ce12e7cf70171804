#ifndef FILTER_LOG_LOG_DAY_H
#define FILTER_LOG_LOG_DAY_H

#include <stdbool.h>
#include <stdint.h>

#include "filter/base/arena.h"
#include "filter/base/err.h"

/*
 * The files of a folder of verdicts: YYYY-MM-DD.db, beside each SQLite's "-wal"
 * and "-shm". A day is a number of days since 1970-01-01 (UTC).
 */
#define LOG_DAY_NAME_SIZE 16 /* with ".db" and NUL */
#define LOG_PATH_SIZE 4096

/* The day of a Unix time; times outside of years 1 to 9999 are taken to the
 * nearest day inside. */
int64_t log_day_of(int64_t unix_time);
void log_day_name(int64_t day, char name[LOG_DAY_NAME_SIZE]);
/* Is `name` exactly a day's file? */
bool log_day_parse(const char *name, int64_t *ret_day);

/* "FOLDER/YYYY-MM-DD.db"; ERR_LIMIT: the path is too long. */
int log_day_path(const char *folder, int64_t day, char path[LOG_PATH_SIZE],
    struct err *err) MUST_USE;

struct log_days {
	int64_t *v; /* rising */
	size_t n;
};

/*
 * The days in the folder. Only regular files count: links, folders and other
 * names are passed over. ERR_NOTFOUND: no such folder; ERR_ACCESS; ERR_IO.
 */
int log_days_list(const char *folder, struct arena *arena, struct log_days *ret,
    struct err *err) MUST_USE;

/* Bytes on disk of a day's files. */
int64_t log_day_size(const char *folder, int64_t day);
/* Removes a day's files. */
int log_day_remove(const char *folder, int64_t day, struct err *err) MUST_USE;

#endif
