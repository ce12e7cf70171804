#include "filter/log/log_day.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "filter/base/vec.h"

/*
 * Names and numbers of days, and what lies in the folder. Nothing here opens a
 * day's file: closing a second descriptor of a database would drop the locks
 * that SQLite holds on it in this process (POSIX).
 */

#define DAY_S INT64_C(86400)
#define DAY_FIRST INT64_C(-719162) /* 0001-01-01 */
#define DAY_LAST INT64_C(2932896)  /* 9999-12-31 */
#define NAME_LEN 13                /* YYYY-MM-DD.db */
#define ERA_DAYS 146097            /* 400 years */

static const char *const suffixes[] = {"", "-wal", "-shm", "-journal"};
#define N_SUFFIXES (sizeof suffixes / sizeof *suffixes)

int64_t
log_day_of(int64_t unix_time)
{
	int64_t day = unix_time / DAY_S - (unix_time % DAY_S < 0);

	if (day < DAY_FIRST)
		return DAY_FIRST;
	return day > DAY_LAST ? DAY_LAST : day;
}

/* Years begin in March, so that the leap day is the last of its year. */
static void
day_to_date(int64_t day, unsigned *year, unsigned *month, unsigned *mday)
{
	int64_t z = day + 719468; /* since 0000-03-01 */
	int64_t era = z / ERA_DAYS;
	int64_t doe = z % ERA_DAYS;
	int64_t yoe =
	    (doe - doe / 1460 + doe / 36524 - doe / (ERA_DAYS - 1)) / 365;
	int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
	int64_t m = (5 * doy + 2) / 153;

	*mday = (unsigned)(doy - (153 * m + 2) / 5 + 1);
	*month = (unsigned)(m < 10 ? m + 3 : m - 9);
	*year = (unsigned)(yoe + era * 400 + (*month <= 2));
}

static int64_t
date_to_day(unsigned year, unsigned month, unsigned mday)
{
	int64_t y = (int64_t)year - (month <= 2);
	int64_t era = y / 400, yoe = y % 400;
	int64_t doy =
	    (153 * (int64_t)(month > 2 ? month - 3 : month + 9) + 2) / 5 +
	    mday - 1;

	return era * ERA_DAYS + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719468;
}

void
log_day_name(int64_t day, char name[LOG_DAY_NAME_SIZE])
{
	unsigned year, month, mday;

	day_to_date(day, &year, &month, &mday);
	snprintf(name, LOG_DAY_NAME_SIZE, "%04u-%02u-%02u.db", year % 10000,
	    month % 100, mday % 100);
}

static unsigned
digits(const char *p, size_t n)
{
	unsigned value = 0;

	for (size_t i = 0; i < n; i++) {
		if (!ascii_is_digit(p[i]))
			return 0; /* no part of a date is 0 */
		value = value * 10 + (unsigned)(p[i] - '0');
	}
	return value;
}

bool
log_day_parse(const char *name, int64_t *ret_day)
{
	char again[LOG_DAY_NAME_SIZE];

	if (strlen(name) != NAME_LEN)
		return false;
	unsigned year = digits(name, 4), month = digits(name + 5, 2);
	unsigned mday = digits(name + 8, 2);
	if (!year || !month || month > 12 || !mday)
		return false;
	int64_t day = date_to_day(year, month, mday);
	/* One test for the dashes, the suffix and the days of the month. */
	log_day_name(day, again);
	if (strcmp(again, name) != 0)
		return false;
	*ret_day = day;
	return true;
}

int
log_day_path(
    const char *folder, int64_t day, char path[LOG_PATH_SIZE], struct err *err)
{
	char name[LOG_DAY_NAME_SIZE];

	log_day_name(day, name);
	/* Room for the longest suffix. */
	if (strlen(folder) + NAME_LEN + 16 > LOG_PATH_SIZE)
		return err_set(
		    err, ERR_LIMIT, "%.80s...: path too long", folder);
	snprintf(path, LOG_PATH_SIZE, "%s/%s", folder, name);
	return 0;
}

/* --- the folder --------------------------------------------------------------------- */

struct day_list VEC(int64_t);

static int
compare_days(const void *a, const void *b)
{
	const int64_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

static int
take_entries(DIR *dir, struct arena *arena, struct day_list *days)
{
	for (struct dirent *e; (e = readdir(dir));) {
		int64_t day;
		struct stat st;

		if (!log_day_parse(e->d_name, &day))
			continue;
		if (fstatat(dirfd(dir), e->d_name, &st, AT_SYMLINK_NOFOLLOW) ||
		    !S_ISREG(st.st_mode))
			continue;
		int64_t *place = VEC_PUSH(arena, days);
		if (!place)
			return ERR_NOMEM;
		*place = day;
	}
	return 0;
}

int
log_days_list(const char *folder, struct arena *arena, struct log_days *ret,
    struct err *err)
{
	struct day_list days = {0};
	DIR *dir = opendir(folder);

	if (!dir && errno == ENOENT)
		return err_set(err, ERR_NOTFOUND, "%s: no such folder", folder);
	if (!dir) {
		int code = errno == EACCES ? ERR_ACCESS : ERR_IO;
		err_set_errno(err, errno, "%s", folder);
		if (err)
			err->code = code;
		return code;
	}
	int rc = take_entries(dir, arena, &days);
	(void)closedir(dir);
	if (rc)
		return err_set(err, rc, "%s: out of memory", folder);
	if (days.n)
		qsort(days.v, days.n, sizeof *days.v, compare_days);
	*ret = (struct log_days){days.v, days.n};
	return 0;
}

int64_t
log_day_size(const char *folder, int64_t day)
{
	char path[LOG_PATH_SIZE], file[LOG_PATH_SIZE + 16];
	int64_t bytes = 0;
	struct stat st;

	if (log_day_path(folder, day, path, NULL))
		return 0;
	for (size_t i = 0; i < N_SUFFIXES; i++) {
		snprintf(file, sizeof file, "%s%s", path, suffixes[i]);
		if (lstat(file, &st) == 0)
			bytes += (int64_t)st.st_blocks * 512;
	}
	return bytes;
}

int
log_day_remove(const char *folder, int64_t day, struct err *err)
{
	char path[LOG_PATH_SIZE], file[LOG_PATH_SIZE + 16];
	int rc = log_day_path(folder, day, path, err);

	/* The database first: what is left of it without means nothing. */
	for (size_t i = 0; !rc && i < N_SUFFIXES; i++) {
		snprintf(file, sizeof file, "%s%s", path, suffixes[i]);
		if (unlink(file) != 0 && errno != ENOENT)
			rc = err_set_errno(
			    err, errno, "%s: cannot remove it", file);
	}
	return rc;
}
