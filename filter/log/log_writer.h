#ifndef FILTER_LOG_LOG_WRITER_H
#define FILTER_LOG_LOG_WRITER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "filter/base/err.h"
#include "filter/log/log_day.h"
#include "filter/log/log_sqlite.h"
#include "filter/log/record.h"

/*
 * What the log thread writes with: the folder, its limits and the day's file
 * that is open. Not for two threads at once.
 */
struct log_item {
	struct log_item *next;
	size_t bytes; /* of this block, LOG_ITEM_MIN at least */
	int64_t day;
	struct record record; /* its arrays and texts follow */
};

struct log_list {
	struct log_item *first, **last;
	size_t n;
};

struct log_writer {
	char folder[LOG_PATH_SIZE];
	int64_t retain_days, max_size;
	struct log_file *file; /* or NULL */
	int64_t file_day;
	int64_t today;   /* of the last look at the folder */
	int64_t look_at; /* when to look again (clock.h) */
	int64_t unseen;  /* bytes of records since then */
	bool over;       /* a day alone has reached max_size */
};

#define LOG_ITEM_MIN ((size_t)4096) /* most records fit */

/* Bytes of the block that a record needs. */
size_t log_item_bytes(const struct record *record);
/* A copy of the record in `block`, or in memory of its own (free()) when that
 * is NULL; NULL: no memory. */
struct log_item *log_item_make(
    struct log_item *block, size_t bytes, const struct record *record);

void log_list_init(struct log_list *list);
void log_list_push(struct log_list *list, struct log_item *item);
struct log_item *log_list_pop(struct log_list *list); /* NULL: empty */
void log_list_free(struct log_list *list);
/* Moves the items of a day to the end of another list. */
void log_list_move_day(struct log_list *from, int64_t day, struct log_list *to);

/*
 * Removes days that are too old or too many bytes, and notices whether the
 * limit is reached all the same. Cheap when it is not due; `now` makes it so.
 */
int log_writer_look(
    struct log_writer *writer, bool now, struct err *err) MUST_USE;

/* Opens the file of a day when it is not open, or no longer there. Errors as
 * of log_file_open(); ERR_INVALID: max_size. */
int log_writer_open(
    struct log_writer *writer, int64_t day, struct err *err) MUST_USE;

/* Writes the items of a day in one transaction, all or none. ERR_INVALID:
 * trying again cannot help. */
int log_writer_write(struct log_writer *writer, const struct log_list *list,
    int64_t day, struct err *err) MUST_USE;

void log_writer_close(struct log_writer *writer);

#endif
