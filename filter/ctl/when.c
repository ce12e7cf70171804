#include "filter/ctl/when.h"

#include <stdbool.h>
#include <stdio.h>
#include <time.h>

/*
 * Times on the command line. Written zones are computed here; only for local
 * time the C library is asked, by mktime() and localtime_r(), which know the
 * zone's history. A local time that a change of clocks left out or had twice
 * is taken as mktime() takes it.
 */

#define DAY INT64_C(86400)
#define YEAR_MIN 1970
#define YEAR_MAX 9999
#define AGO_MAX (INT64_C(100000) * DAY)

/* A date-time as written. */
struct fields {
	int year, month, day, hour, minute, second;
	bool zoned;
	int64_t offset; /* seconds east */
};

/* --- numbers ----------------------------------------------------------------- */

/* Exactly `digits` digits; false leaves `s`. */
static bool
take_number(struct span *s, unsigned digits, int *ret)
{
	int value = 0;

	if (s->len < digits)
		return false;
	for (unsigned i = 0; i < digits; i++) {
		if (!ascii_is_digit(s->p[i]))
			return false;
		value = value * 10 + (s->p[i] - '0');
	}
	*s = span_skip(*s, digits);
	*ret = value;
	return true;
}

static bool
take_char(struct span *s, const char *set)
{
	if (s->len == 0 || s->p[0] == '\0' || !strchr(set, s->p[0]))
		return false;
	*s = span_skip(*s, 1);
	return true;
}

static bool
is_leap(int year)
{
	return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

static const int month_days[] = {
    31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};

/* Days since 1970-01-01. */
static int64_t
days_of(const struct fields *f)
{
	int64_t before = f->year - 1;
	int64_t days = 365 * (int64_t)(f->year - YEAR_MIN) +
		       (before / 4 - before / 100 + before / 400) -
		       (1969 / 4 - 1969 / 100 + 1969 / 400);

	for (int m = 1; m < f->month; m++)
		days += month_days[m - 1] + (m == 2 && is_leap(f->year));
	return days + f->day - 1;
}

/* --- forms ------------------------------------------------------------------- */

static bool
take_date(struct span *s, struct fields *f)
{
	if (!take_number(s, 4, &f->year) || !take_char(s, "-") ||
	    !take_number(s, 2, &f->month) || !take_char(s, "-") ||
	    !take_number(s, 2, &f->day))
		return false;
	if (f->year < YEAR_MIN || f->year > YEAR_MAX || f->month < 1 ||
	    f->month > 12)
		return false;
	int days = month_days[f->month - 1];
	return f->day >= 1 &&
	       f->day <= days + (f->month == 2 && is_leap(f->year));
}

static bool
take_time(struct span *s, struct fields *f)
{
	if (!take_number(s, 2, &f->hour) || !take_char(s, ":") ||
	    !take_number(s, 2, &f->minute))
		return false;
	if (take_char(s, ":")) {
		if (!take_number(s, 2, &f->second))
			return false;
		if (take_char(s, ".")) {
			int digit;
			if (!take_number(s, 1, &digit))
				return false;
			while (take_number(s, 1, &digit))
				;
		}
	}
	/* A leap second counts as the one behind it, as in Unix time. */
	return f->hour < 24 && f->minute < 60 && f->second <= 60;
}

static bool
take_zone(struct span *s, struct fields *f)
{
	int hours, minutes;
	bool west = s->len && s->p[0] == '-';

	f->zoned = true;
	if (take_char(s, "Zz"))
		return true;
	if (!take_char(s, "+-") || !take_number(s, 2, &hours))
		return false;
	(void)take_char(s, ":");
	if (!take_number(s, 2, &minutes) || hours > 23 || minutes > 59)
		return false;
	f->offset = (hours * INT64_C(60) + minutes) * 60 * (west ? -1 : 1);
	return true;
}

/* A whole date or date-time. */
static bool
take_date_time(struct span s, struct fields *f)
{
	if (!take_date(&s, f))
		return false;
	if (s.len == 0)
		return true;
	if (!take_char(&s, "Tt ") || !take_time(&s, f))
		return false;
	(void)take_char(&s, " ");
	return s.len == 0 || (take_zone(&s, f) && s.len == 0);
}

/* --- local time -------------------------------------------------------------- */

static bool
local_time(const struct fields *f, int64_t *ret)
{
	struct tm tm = {
	    .tm_year = f->year - 1900,
	    .tm_mon = f->month - 1,
	    .tm_mday = f->day,
	    .tm_hour = f->hour,
	    .tm_min = f->minute,
	    .tm_sec = f->second,
	    .tm_isdst = -1,
	    .tm_wday = -1, /* set on success: -1 is a valid time */
	};
	time_t time = mktime(&tm);

	if (tm.tm_wday < 0)
		return false;
	*ret = time;
	return true;
}

/* The midnight `days` before today's. */
static bool
midnight(int64_t now, int days, int64_t *ret)
{
	time_t time = (time_t)now;
	struct tm tm;

	tzset();
	if (!localtime_r(&time, &tm))
		return false;
	struct fields f = {
	    .year = tm.tm_year + 1900,
	    .month = tm.tm_mon + 1,
	    .day = tm.tm_mday - days, /* mktime() takes 0 and below */
	};
	return local_time(&f, ret);
}

/* "7d": that long ago. */
static bool
ago(struct span text, int64_t now, int64_t *ret)
{
	static const char units[] = "smhdw";
	static const int64_t seconds[] = {1, 60, 3600, DAY, 7 * DAY};
	int64_t count;
	const char *unit =
	    text.len ? memchr(units, text.p[text.len - 1], sizeof units - 1)
		     : NULL;

	if (!unit || !ascii_is_digit(text.p[0]) ||
	    span_to_i64(span_head(text, text.len - 1), &count))
		return false;
	int64_t size = seconds[unit - units];
	if (count > AGO_MAX / size)
		return false;
	*ret = now - count * size;
	return true;
}

static bool
parse(struct span text, int64_t now, int64_t *ret)
{
	struct fields f = {0};

	if (span_is(text, "now")) {
		*ret = now;
		return true;
	}
	if (span_is(text, "today"))
		return midnight(now, 0, ret);
	if (span_is(text, "yesterday"))
		return midnight(now, 1, ret);
	if (ago(text, now, ret))
		return true;
	if (!take_date_time(text, &f))
		return false;
	if (!f.zoned)
		return local_time(&f, ret);
	*ret = days_of(&f) * DAY + f.hour * INT64_C(3600) +
	       f.minute * INT64_C(60) + f.second - f.offset;
	return true;
}

int
when_parse(struct span text, int64_t now, int64_t *ret, struct err *err)
{
	int64_t time;

	if (!parse(text, now, &time))
		return err_set(err, ERR_SYNTAX,
		    "no time: \"%.*s\"; say 7d, 12h, today, yesterday, "
		    "2026-11-24 or 2026-11-24T10:31:07+01:00",
		    SPAN_ARG(text));
	*ret = time;
	return 0;
}

/* --- showing ----------------------------------------------------------------- */

static void
format(int64_t time, const char *form, const char *zone, char *text)
{
	time_t t = (time_t)time;
	struct tm tm;

	if (!localtime_r(&t, &tm)) {
		snprintf(text, WHEN_TEXT_SIZE, "@%lld", (long long)time);
		return;
	}
	long offset = tm.tm_gmtoff < 0 ? -tm.tm_gmtoff : tm.tm_gmtoff;
	int n = snprintf(text, WHEN_TEXT_SIZE, "%04d-%02d-%02d%s%02d:%02d:%02d",
	    tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday, form, tm.tm_hour,
	    tm.tm_min, tm.tm_sec);
	if (!zone || n < 0 || n >= WHEN_TEXT_SIZE)
		return;
	snprintf(text + n, WHEN_TEXT_SIZE - (size_t)n, "%s%c%02ld%s%02ld",
	    *zone == ' ' ? " " : "", tm.tm_gmtoff < 0 ? '-' : '+',
	    offset / 3600, *zone == ':' ? ":" : "", offset / 60 % 60);
}

void
when_local(int64_t time, char text[WHEN_TEXT_SIZE])
{
	format(time, " ", NULL, text);
}

void
when_local_zone(int64_t time, char text[WHEN_TEXT_SIZE])
{
	format(time, " ", " ", text);
}

void
when_rfc3339(int64_t time, char text[WHEN_TEXT_SIZE])
{
	format(time, "T", ":", text);
}
