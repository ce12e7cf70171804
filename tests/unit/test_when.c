#include "filter/ctl/when.h"

#include <stdlib.h>
#include <time.h>

#include "tests/lib/tap.h"

/* 2026-11-24T10:31:07Z, a Tuesday. */
#define NOW INT64_C(1795516267)
#define DAY INT64_C(86400)

static void
zone(const char *tz)
{
	setenv("TZ", tz, 1);
	tzset();
}

/* The time, or -1 for what is refused. */
static int64_t
parse(const char *text)
{
	int64_t time = -2;

	return when_parse(span_of(text), NOW, &time, NULL) ? -1 : time;
}

static void
test_ago(void)
{
	TAP_CASE("a number and a unit is that long ago")
	CHECK_INT(parse("7d"), NOW - 7 * DAY);
	CHECK_INT(parse("12h"), NOW - 12 * 3600);
	CHECK_INT(parse("5m"), NOW - 300);
	CHECK_INT(parse("90s"), NOW - 90);
	CHECK_INT(parse("2w"), NOW - 14 * DAY);
	CHECK_INT(parse("0d"), NOW);
	CHECK_INT(parse("now"), NOW);

	TAP_CASE("a unit without a number, a sign, a blank are no times")
	static const char *const bad[] = {"", "d", "-7d", "+7d", "7", "7 d",
	    "7x", "7D", "7dd", "1.5h", "99999999999999999999d", "99999999d",
	    "Today", "tomorrow", "to day"};
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		CHECK_INT(parse(bad[i]), -1);
}

static void
test_zoned(void)
{
	zone("Europe/Berlin");
	TAP_CASE("RFC 3339 with a zone is the same everywhere")
	CHECK_INT(parse("2026-11-24T10:31:07Z"), NOW);
	CHECK_INT(parse("2026-11-24T11:31:07+01:00"), NOW);
	CHECK_INT(parse("2026-11-24t10:31:07z"), NOW);
	CHECK_INT(parse("2026-11-24 10:31:07Z"), NOW);
	CHECK_INT(parse("2026-11-24 05:01:07 -0530"), NOW);
	CHECK_INT(parse("2026-11-24T10:31:07.999Z"), NOW);
	CHECK_INT(parse("2026-11-24T10:31Z"), NOW - 7);
	CHECK_INT(parse("1970-01-01T00:00:00Z"), 0);
	CHECK_INT(parse("2000-02-29T00:00:00Z"), 951782400);
	CHECK_INT(parse("2100-03-01T00:00:00Z"), INT64_C(4107542400));
	CHECK_INT(parse("9999-12-31T23:59:59Z"), INT64_C(253402300799));

	TAP_CASE("RFC 3339 section 5.8: offsets, and a leap second")
	CHECK_INT(parse("1985-04-12T23:20:50.52Z"), 482196050);
	CHECK_INT(parse("1996-12-19T16:39:57-08:00"), 851042397);
	CHECK_INT(parse("1990-12-31T23:59:60Z"), 662688000);
	CHECK_INT(parse("1990-12-31T15:59:60-08:00"), 662688000);

	TAP_CASE("days and times that are none are refused")
	static const char *const bad[] = {"2026-02-29", "2100-02-29",
	    "2026-13-01", "2026-00-01", "2026-11-00", "2026-11-31",
	    "2026-11-24T24:00Z", "2026-11-24T10:60Z", "2026-11-24T10:31:61Z",
	    "2026-11-24T10", "2026-11-24T10:31:07.", "2026-11-24T10:31:07.Z",
	    "2026-11-24T10:31:07+24:00", "2026-11-24T10:31:07+01:60",
	    "2026-11-24T10:31:07+1", "2026-11-24T", "2026-11-24Z", "26-11-24",
	    "2026-1-24", "20261124", "2026-11-24T10:31:07Zx",
	    "1969-12-31T23:59:59Z"};
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		CHECK_INT(parse(bad[i]), -1);
	CHECK(when_parse(SPAN("2026-11-24\0"), NOW, &(int64_t){0}, NULL) != 0);

	TAP_CASE("the error names the text and the forms")
	struct err err;
	int64_t time;
	CHECK_INT(when_parse(SPAN("last week"), NOW, &time, &err), ERR_SYNTAX);
	CHECK(strstr(err.text, "\"last week\"") && strstr(err.text, "7d"));
}

static void
test_local(void)
{
	TAP_CASE("without a zone the local one is meant")
	zone("UTC0");
	CHECK_INT(parse("2026-11-24T10:31:07"), NOW);
	CHECK_INT(parse("2026-11-24"), NOW - NOW % DAY);
	zone("CET-1CEST,M3.5.0,M10.5.0/3");
	CHECK_INT(parse("2026-11-24T10:31:07"), NOW - 3600);
	CHECK_INT(parse("2026-07-01T12:00:00"), 1782900000);
	CHECK_INT(parse("2026-11-24"), NOW - NOW % DAY - 3600);

	TAP_CASE("today and yesterday begin at local midnight")
	CHECK_INT(parse("today"), NOW - NOW % DAY - 3600);
	CHECK_INT(parse("yesterday"), NOW - NOW % DAY - 3600 - DAY);
	zone("AEST-10");
	CHECK_INT(parse("today"), NOW - NOW % DAY - 10 * 3600);
	zone("HST10"); /* 00:31 there: the same day */
	CHECK_INT(parse("today"), NOW - NOW % DAY + 10 * 3600);
	zone("XXX11"); /* 23:31 of the day before */
	CHECK_INT(parse("today"), NOW - NOW % DAY - DAY + 11 * 3600);

	TAP_CASE("a day with a change of clocks is 23 or 25 hours long")
	zone("CET-1CEST,M3.5.0,M10.5.0/3");
	int64_t time, next = 1774821600; /* 2026-03-30T00:00:00+02:00 */
	CHECK_INT(when_parse(SPAN("yesterday"), next + 60, &time, NULL), 0);
	CHECK_INT(next - time, 23 * 3600);
	next = 1792969200; /* 2026-10-26T00:00:00+01:00 */
	CHECK_INT(when_parse(SPAN("yesterday"), next + 60, &time, NULL), 0);
	CHECK_INT(next - time, 25 * 3600);

	TAP_CASE("the first of a month has a yesterday")
	zone("UTC0");
	CHECK_INT(when_parse(SPAN("yesterday"), 1772323200 + 5, &time, NULL),
	    0); /* 2026-03-01 */
	CHECK_INT(time, 1772323200 - DAY);
}

static void
test_show(void)
{
	char text[WHEN_TEXT_SIZE];

	TAP_CASE("times are shown in local time with its offset")
	zone("CET-1CEST,M3.5.0,M10.5.0/3");
	when_local(NOW, text);
	CHECK_STR(span_of(text), "2026-11-24 11:31:07");
	when_local_zone(NOW, text);
	CHECK_STR(span_of(text), "2026-11-24 11:31:07 +0100");
	when_rfc3339(1782900000, text);
	CHECK_STR(span_of(text), "2026-07-01T12:00:00+02:00");
	zone("NST3:30");
	when_rfc3339(NOW, text);
	CHECK_STR(span_of(text), "2026-11-24T07:01:07-03:30");

	TAP_CASE("what is shown can be typed")
	CHECK_INT(parse(text), NOW);
	when_local_zone(NOW, text);
	CHECK_INT(parse(text), NOW);
	when_local(NOW, text);
	CHECK_INT(parse(text), NOW);

	TAP_CASE("a time past all calendars is a number")
	when_rfc3339(INT64_MAX, text);
	CHECK_STR(span_of(text), "@9223372036854775807");
}

int
main(void)
{
	test_ago();
	test_zoned();
	test_local();
	test_show();
	return tap_done();
}
