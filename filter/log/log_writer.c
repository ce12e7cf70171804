#include "filter/log/log_writer.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "filter/base/clock.h"

/*
 * A batch's way to the files, and what keeps the folder within its limits. One
 * file is open at a time: records of two days meet only around midnight. The
 * file is looked at by name before each transaction, so that one that the
 * admin removed is made anew.
 */

#define LOOK_MS 10000
#define LOOKS_PER_SIZE 16 /* and each sixteenth of max_size */
#define FOLDER_MODE 0750
#define DAYS_BUDGET ((size_t)4 << 20)

/* --- items --------------------------------------------------------------------------- */

size_t
log_item_bytes(const struct record *record)
{
	size_t bytes = offsetof(struct log_item, record) + record_bytes(record);

	return bytes < LOG_ITEM_MIN ? LOG_ITEM_MIN : bytes;
}

struct log_item *
log_item_make(struct log_item *block, size_t bytes, const struct record *record)
{
	if (!block)
		block = malloc(bytes);
	if (!block)
		return NULL;
	block->next = NULL;
	block->bytes = bytes;
	block->day = log_day_of(record->time);
	(void)record_copy_to(&block->record, record);
	return block;
}

void
log_list_init(struct log_list *list)
{
	*list = (struct log_list){NULL, &list->first, 0};
}

void
log_list_push(struct log_list *list, struct log_item *item)
{
	item->next = NULL;
	*list->last = item;
	list->last = &item->next;
	list->n++;
}

struct log_item *
log_list_pop(struct log_list *list)
{
	struct log_item *item = list->first;

	if (!item)
		return NULL;
	list->first = item->next;
	if (!list->first)
		list->last = &list->first;
	list->n--;
	return item;
}

void
log_list_free(struct log_list *list)
{
	for (struct log_item *item; (item = log_list_pop(list));)
		free(item);
}

void
log_list_move_day(struct log_list *from, int64_t day, struct log_list *to)
{
	/* Once around: what stays goes to the end again. */
	for (size_t left = from->n; left; left--) {
		struct log_item *item = log_list_pop(from);
		log_list_push(item->day == day ? to : from, item);
	}
}

/* --- the folder ------------------------------------------------------------------------ */

static int
remove_day(struct log_writer *w, int64_t day, struct err *err)
{
	if (w->file && w->file_day == day)
		log_writer_close(w);
	return log_day_remove(w->folder, day, err);
}

/* First days beyond retention, then the oldest while all are too large
 * together; today's stays. */
static int
prune_days(struct log_writer *w, const struct log_days *days, struct err *err)
{
	int64_t total = 0;
	size_t i = 0;
	int rc = 0;

	for (; i < days->n && days->v[i] < w->today - w->retain_days; i++)
		if (remove_day(w, days->v[i], err))
			rc = ERR_IO;
	for (size_t k = i; k < days->n; k++)
		total += log_day_size(w->folder, days->v[k]);
	for (; i < days->n && days->v[i] < w->today && total > w->max_size;
	     i++) {
		total -= log_day_size(w->folder, days->v[i]);
		if (remove_day(w, days->v[i], err))
			rc = ERR_IO;
	}
	w->over = total > w->max_size;
	return rc;
}

static bool
look_is_due(const struct log_writer *w)
{
	if (w->today != log_day_of(clock_wall()))
		return true;
	return (w->unseen && clock_left(w->look_at) == 0) ||
	       w->unseen > w->max_size / LOOKS_PER_SIZE;
}

int
log_writer_look(struct log_writer *w, bool now, struct err *err)
{
	struct log_days days;

	if (!now && !look_is_due(w))
		return 0;
	w->today = log_day_of(clock_wall());
	w->look_at = clock_deadline(LOOK_MS);
	w->unseen = 0;
	struct arena *arena = arena_new(DAYS_BUDGET);
	int rc = arena ? log_days_list(w->folder, arena, &days, err)
		       : err_set(err, ERR_NOMEM, "out of memory");
	if (!rc)
		rc = prune_days(w, &days, err);
	arena_free(arena);
	return rc == ERR_NOTFOUND ? 0 : rc;
}

/* --- writing --------------------------------------------------------------------------- */

int
log_writer_open(struct log_writer *w, int64_t day, struct err *err)
{
	char path[LOG_PATH_SIZE];

	if (w->file && (w->file_day != day || !log_file_is_there(w->file)))
		log_writer_close(w);
	if (w->over)
		return err_set(err, ERR_INVALID,
		    "%s: max_size is reached by one day alone", w->folder);
	if (w->file)
		return 0;
	int rc = log_day_path(w->folder, day, path, err);
	if (rc)
		return rc;
	if (mkdir(w->folder, FOLDER_MODE) != 0 && errno != EEXIST)
		return err_set_errno(err, errno, "%s", w->folder);
	rc = log_file_open(path, &w->file, err);
	if (!rc)
		w->file_day = day;
	return rc;
}

int
log_writer_write(struct log_writer *w, const struct log_list *list, int64_t day,
    struct err *err)
{
	int rc = log_writer_open(w, day, err);

	if (rc)
		return rc;
	rc = log_file_begin(w->file, err);
	for (struct log_item *i = list->first; i && !rc; i = i->next)
		if (i->day == day)
			rc = log_file_add(w->file, &i->record, err);
	if (!rc)
		rc = log_file_commit(w->file, err);
	/* What it had begun is undone by closing it. */
	if (rc)
		log_writer_close(w);
	return rc;
}

void
log_writer_close(struct log_writer *w)
{
	log_file_close(w->file);
	w->file = NULL;
}
