#include "filter/mail/received.h"

/*
 * Dates of RFC 5322 section 3.3 with the obsolete forms of 4.3, and what old
 * programs write: `Fri Nov 21 09:55:06 PST 1997`, `21-Nov-97`. One pass over
 * small tokens; comments and commas are white space.
 */

enum kind { END, NUMBER, WORD, COLON, SIGN, JUNK };

struct token {
	enum kind kind;
	struct span text; /* digits of a number, letters of a word, + or - */
};

struct date {
	int64_t year, month, day; /* -1 unset; month 1..12 */
	int64_t hour, minute, second;
	int64_t zone; /* seconds east */
	bool has_zone;
};

#define YEAR_MAX 9999
#define DIGITS_MAX 9

static const char *const months[] = {"jan", "feb", "mar", "apr", "may", "jun",
    "jul", "aug", "sep", "oct", "nov", "dec"};
static const char *const weekdays[] = {
    "sun", "mon", "tue", "wed", "thu", "fri", "sat"};

/* RFC 5322 section 4.3. Other names, and the letters of the military, whose
 * signs were once printed wrong, say nothing: -0000. */
static const struct {
	const char *name;
	int hours;
} zones[] = {{"edt", -4}, {"est", -5}, {"cdt", -5}, {"cst", -6}, {"mdt", -6},
    {"mst", -7}, {"pdt", -7}, {"pst", -8}};

static void
skip_cfws(struct span *s)
{
	unsigned depth = 0;
	size_t i = 0;

	for (; i < s->len; i++) {
		char c = s->p[i];
		if (c == '(')
			depth++;
		else if (c == ')' && depth)
			depth--;
		else if (c == '\\' && depth)
			i++;
		else if (!depth && !ascii_is_space(c) && c != ',')
			break;
	}
	*s = span_skip(*s, i);
}

static struct token
next(struct span *s)
{
	struct token t = {END, SPAN_NONE};
	size_t n = 1;

	skip_cfws(s);
	if (s->len == 0)
		return t;
	char c = s->p[0];
	if (ascii_is_digit(c)) {
		while (n < s->len && ascii_is_digit(s->p[n]))
			n++;
		t.kind = n > DIGITS_MAX ? JUNK : NUMBER;
	} else if (ascii_is_alpha(c)) {
		while (n < s->len && ascii_is_alpha(s->p[n]))
			n++;
		t.kind = WORD;
	} else {
		t.kind = c == ':' ? COLON : c == '+' || c == '-' ? SIGN : JUNK;
	}
	t.text = span_head(*s, n);
	*s = span_skip(*s, n);
	return t;
}

static enum kind
peek(struct span s)
{
	return next(&s).kind;
}

static int64_t
number(struct token t)
{
	int64_t value = 0;

	for (size_t i = 0; i < t.text.len; i++)
		value = value * 10 + (t.text.p[i] - '0');
	return value;
}

/* The index of a word whose first three letters are in the list, or -1. */
static int
find_name(struct span word, const char *const *names, int n)
{
	for (int i = 0; word.len >= 3 && i < n; i++)
		if (span_caseis(span_head(word, 3), names[i]))
			return i;
	return -1;
}

/* `hh:mm` or `hh:mm:ss`; the hour was read, the colon is next. */
static bool
take_time(struct date *d, struct token hour, struct span *s)
{
	if (d->hour >= 0)
		return false;
	next(s);
	struct token minute = next(s), second = {NUMBER, SPAN("0")};
	if (peek(*s) == COLON) {
		next(s);
		second = next(s);
	}
	if (minute.kind != NUMBER || second.kind != NUMBER)
		return false;
	d->hour = number(hour);
	d->minute = number(minute);
	d->second = number(second);
	return d->hour < 24 && d->minute < 60 && d->second <= 60;
}

static bool
take_number(struct date *d, struct token t)
{
	if (d->day < 0 && t.text.len <= 2) {
		d->day = number(t);
		return true;
	}
	if (d->year >= 0 || t.text.len < 2)
		return false;
	d->year = number(t);
	/* RFC 5322 section 4.3 */
	if (t.text.len == 2)
		d->year += d->year < 50 ? 2000 : 1900;
	else if (t.text.len == 3)
		d->year += 1900;
	return d->year <= YEAR_MAX;
}

/* `+hhmm`; before the time a dash only parts day, month and year. */
static bool
take_sign(struct date *d, struct token sign, struct span *s)
{
	if (d->hour < 0)
		return sign.text.p[0] == '-';
	struct token t = next(s);
	if (d->has_zone || t.kind != NUMBER || t.text.len != 4)
		return false;
	int64_t value = number(t);
	if (value % 100 >= 60)
		return false;
	d->zone = (value / 100 * 60 + value % 100) * 60;
	if (sign.text.p[0] == '-')
		d->zone = -d->zone;
	d->has_zone = true;
	return true;
}

static bool
take_word(struct date *d, struct span word)
{
	int month = find_name(word, months, 12);

	if (d->hour < 0 || d->month < 0) {
		if (month >= 0 && d->month < 0) {
			d->month = month + 1;
			return true;
		}
		return find_name(word, weekdays, 7) >= 0;
	}
	if (d->has_zone) /* `-0800 PST` */
		return true;
	d->has_zone = true;
	for (size_t i = 0; i < sizeof zones / sizeof *zones; i++)
		if (span_caseis(word, zones[i].name))
			d->zone = zones[i].hours * 3600;
	return true;
}

static bool
take(struct date *d, struct token t, struct span *s)
{
	switch (t.kind) {
	case NUMBER:
		return peek(*s) == COLON ? take_time(d, t, s)
					 : take_number(d, t);
	case WORD:
		return take_word(d, t.text);
	case SIGN:
		return take_sign(d, t, s);
	case END:
	case COLON:
	case JUNK:
		break;
	}
	return false;
}

static int64_t
month_days(int64_t year, int64_t month)
{
	static const uint8_t days[] = {
	    31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);

	return days[month - 1] + (month == 2 && leap);
}

/* Days since 1970-01-01, counted in years that begin in March. */
static int64_t
days_of(int64_t year, int64_t month, int64_t day)
{
	int64_t y = month > 2 ? year : year - 1;
	int64_t m = month > 2 ? month - 3 : month + 9;

	return y * 365 + y / 4 - y / 100 + y / 400 + (m * 153 + 2) / 5 + day -
	       1 - 719468;
}

int64_t
received_date(struct span text)
{
	struct date d = {-1, -1, -1, -1, -1, -1, 0, false};
	struct span s = text;

	for (struct token t = next(&s); t.kind != END; t = next(&s))
		if (!take(&d, t, &s))
			return -1;
	if (d.year < 1970 || d.month < 1 || d.hour < 0 || d.day < 1 ||
	    d.day > month_days(d.year, d.month))
		return -1;
	int64_t seconds = days_of(d.year, d.month, d.day) * 86400 +
			  d.hour * 3600 + d.minute * 60 + d.second - d.zone;
	return seconds < 0 ? -1 : seconds;
}
