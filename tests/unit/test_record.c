/* The record's table and copy, names of days, coding of texts, matching. */
#include "filter/log/record.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "filter/log/log_day.h"
#include "filter/log/log_match.h"
#include "filter/log/log_text.h"
#include "tests/lib/tap.h"

/* --- the table ------------------------------------------------------------------------ */

static void
test_fields(void)
{
	struct record r;
	size_t n = 0;

	TAP_CASE("each field has a name and a place of its own");
	memset(&r, 0, sizeof r);
	for (const struct record_field *f = record_fields; f->name; f++, n++) {
		if (f->type == RECORD_TEXT)
			record_set_text(&r, f, span_of(f->name));
		else
			record_set_int(&r, f, (int64_t)n + 7);
	}
	n = 0;
	for (const struct record_field *f = record_fields; f->name; f++, n++) {
		if (f->type == RECORD_TEXT)
			CHECK_STR(record_text(&r, f), f->name);
		else
			CHECK_INT(record_int(&r, f), (int64_t)n + 7);
		for (const struct record_field *g = record_fields; g < f; g++)
			CHECK(strcmp(f->name, g->name) != 0);
	}
	CHECK_INT(r.id, 0);
	CHECK_INT(r.rcpts.n, 0);

	TAP_CASE("the table has every number and text of the record");
	/* What is not in it: id, and two arrays of three words. */
	size_t words = 0;
	for (const struct record_field *f = record_fields; f->name; f++)
		words += f->type == RECORD_TEXT ? 2 : 1;
	CHECK_INT(words * 8 + 8 + 6 * 8, sizeof r);
}

/* --- the copy -------------------------------------------------------------------------- */

static void
test_copy(void)
{
	char from[] = "x@example.com";
	struct record_rcpt rcpts[] = {
	    {SPAN("a@example.org"), SPAN("tag")}, {SPAN(""), SPAN_NONE}};
	struct record_symbol symbols[] = {
	    {SPAN("A"), 1000, -7, SPAN("e\0v"), SPAN("f:1")}};
	struct record r = {
	    .id = 7, .mail_from = span_of(from), .auth = SPAN("")};

	r.rcpts.v = rcpts;
	r.rcpts.n = 2;
	r.symbols.v = symbols;
	r.symbols.n = 1;
	struct record *copy = record_copy(&r);

	TAP_CASE("a copy holds the bytes, not the pointers");
	memset(from, '-', sizeof from - 1);
	rcpts[0].addr = SPAN("other");
	CHECK_STR(copy->mail_from, "x@example.com");
	CHECK_STR(copy->rcpts.v[0].addr, "a@example.org");
	CHECK_SPAN(copy->symbols.v[0].evidence, SPAN("e\0v"));
	CHECK_INT(copy->symbols.v[0].score_milli, -7);
	CHECK_INT(copy->id, 7);

	TAP_CASE("an empty text and one that is not known stay apart");
	CHECK(copy->auth.p && copy->auth.len == 0);
	CHECK(!copy->helo.p);
	CHECK(copy->rcpts.v[1].addr.p && !copy->rcpts.v[1].action.p);
	free(copy);
}

static void
test_copy_limits(void)
{
	size_t n = RECORD_RCPTS_MAX + 5;
	struct record_rcpt *rcpts = calloc(n, sizeof *rcpts);
	char *text = calloc(1, RECORD_TEXT_MAX + 1);
	struct record r = {.id = 1};

	TAP_CASE("long texts are cut, too many items left out");
	r.helo = span_make(text, RECORD_TEXT_MAX + 1);
	r.rcpts.v = rcpts;
	r.rcpts.n = n;
	struct record *copy = record_copy(&r);
	CHECK_INT(copy->helo.len, RECORD_TEXT_MAX);
	CHECK_INT(copy->rcpts.n, RECORD_RCPTS_MAX);
	CHECK_INT(record_bytes(copy), record_bytes(&r));
	free(copy);
	free(rcpts);
	free(text);
}

/* --- days -------------------------------------------------------------------------------- */

static void
test_day_names(void)
{
	static const struct {
		int64_t time;
		const char *name;
	} cases[] = {
	    {0, "1970-01-01.db"},
	    {-1, "1969-12-31.db"},
	    {86399, "1970-01-01.db"},
	    {86400, "1970-01-02.db"},
	    {951782400, "2000-02-29.db"},
	    {4107542400, "2100-03-01.db"},
	    {1795521600, "2026-11-24.db"},
	    {INT64_MIN, "0001-01-01.db"},
	    {INT64_MAX, "9999-12-31.db"},
	};

	TAP_CASE("a time has its day's file");
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		char name[LOG_DAY_NAME_SIZE];
		int64_t day = 0;
		log_day_name(log_day_of(cases[i].time), name);
		CHECK_STR(span_of(name), cases[i].name);
		CHECK(log_day_parse(name, &day));
		CHECK_INT(day, log_day_of(cases[i].time));
	}

	TAP_CASE("each day of 800 years is read back from its name");
	bool all = true;
	for (int64_t day = -140000; day < 152000; day++) {
		char name[LOG_DAY_NAME_SIZE];
		int64_t back = 0;
		log_day_name(day, name);
		all = all && log_day_parse(name, &back) && back == day;
	}
	CHECK(all);
}

static void
test_odd_names(void)
{
	static const char *const odd[] = {"", "2026-11-24", "2026-11-24.db-wal",
	    "2026-02-30.db", "2026-13-01.db", "2026-00-10.db", "2026-11-00.db",
	    "0000-01-01.db", "2026_11_24.db", "2026-11-24.DB", "+026-11-24.db",
	    "2026-1-124.db", " 026-11-24.db", "x2026-11-24.db",
	    "2100-02-29.db"};
	int64_t day;

	TAP_CASE("other names are no days");
	for (size_t i = 0; i < sizeof odd / sizeof *odd; i++)
		if (!CHECK(!log_day_parse(odd[i], &day)))
			printf("# %s\n", odd[i]);
}

/* --- coding of texts ---------------------------------------------------------------------- */

static void
test_text_forms(void)
{
	static const struct {
		struct span text;
		const char *coded;
	} cases[] = {
	    {SPAN("plain \"quoted\" 'text'"), "plain \"quoted\" 'text'"},
	    {SPAN("gr\xc3\xbc\xc3\x9f"), "gr\xc3\xbc\xc3\x9f"},
	    {SPAN("a\0b"), "a\\x00b"},
	    {SPAN("\x1b[31m\r\n\t\x7f"), "\\x1b[31m\\x0d\\x0a\\x09\\x7f"},
	    {SPAN("C:\\x41"), "C:\\x5cx41"},
	    {SPAN("\xff\xfe"), "\\xff\\xfe"},
	    {SPAN("\xc3"), "\\xc3"},
	    {SPAN("\xc2\x9b"
		  "31m"),
		"\\xc2\\x9b31m"},
	    {SPAN("\xc2\xa0"), "\xc2\xa0"},
	    {SPAN("\xed\xa0\x80"), "\\xed\\xa0\\x80"},
	    {SPAN("\xc0\x80"), "\\xc0\\x80"},
	    {SPAN("\xf0\x9f\x98\x80"), "\xf0\x9f\x98\x80"},
	};

	TAP_CASE("controls, bytes that are no UTF-8 and \\ are coded");
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct buf coded, back;
		buf_init(&coded, NULL, 1000);
		buf_init(&back, NULL, 1000);
		log_text_encode(&coded, cases[i].text);
		log_text_decode(&back, buf_span(&coded));
		CHECK_STR(buf_span(&coded), cases[i].coded);
		CHECK_SPAN(buf_span(&back), cases[i].text);
		CHECK_INT(log_text_is_plain(cases[i].text),
		    span_eq(buf_span(&coded), cases[i].text));
		buf_done(&coded);
		buf_done(&back);
	}
}

static void
test_text_any(void)
{
	uint32_t seed = 1;
	struct buf coded, back;
	bool same = true, text = true, plain = true;

	TAP_CASE("any bytes become plain UTF-8 and come back");
	buf_init(&coded, NULL, 1000);
	buf_init(&back, NULL, 1000);
	for (int round = 0; round < 20000; round++) {
		char bytes[24];
		for (size_t i = 0; i < sizeof bytes; i++) {
			seed = seed * 1664525 + 1013904223;
			/* Half of them near to the coding's own. */
			bytes[i] = seed >> 31
				       ? "\\x5c\xc2\x9b\xc3"[seed >> 8 & 7]
				       : (char)(seed >> 16);
		}
		struct span s = span_make(bytes, seed >> 24 & 15);
		buf_truncate(&coded, 0);
		buf_truncate(&back, 0);
		log_text_encode(&coded, s);
		log_text_decode(&back, buf_span(&coded));
		same = same && span_eq(buf_span(&back), s);
		text = text && span_is_utf8(buf_span(&coded));
		for (size_t i = 0; i < coded.len; i++)
			plain = plain && !ascii_is_control(coded.p[i]);
	}
	CHECK(same);
	CHECK(text);
	CHECK(plain);
	buf_done(&coded);
	buf_done(&back);
}

static void
test_text_foreign(void)
{
	static const char *const odd[] = {
	    "\\", "\\x", "\\x4", "\\y41", "\\xg0", "a\\", "\\\\"};
	struct buf back;

	TAP_CASE("a backslash that we did not write stays");
	for (size_t i = 0; i < sizeof odd / sizeof *odd; i++) {
		buf_init(&back, NULL, 100);
		log_text_decode(&back, span_of(odd[i]));
		CHECK_STR(buf_span(&back), odd[i]);
		buf_done(&back);
	}
}

/* --- matching ------------------------------------------------------------------------------ */

static void
test_from(void)
{
	static const struct {
		const char *from;
		bool match;
	} cases[] = {
	    {"bounce@mailer.example", true},
	    {"BOUNCE@Mailer.Example", true},
	    {"ounce@mailer.example", false},
	    {"bounce@mailer.exampl", false},
	    {"@mailer.example", true},
	    {".mailer.example", true},
	    {"@example", false},
	    {".example", true},
	    {".ler.example", false},
	    {"invoice@muster.example", true},
	    {"voice@muster.example", false},
	    {"@muster.example", true},
	    {"@shop.example", true},
	    {".shop.example", true},
	    {"@sub.shop.example", false},
	    {"other@example.com", true},
	    {"Muster", true}, /* a word of the name */
	    {"<>", false},
	    {"", false},
	    {"@", false},
	    {".", false},
	};
	struct record r = {
	    .mail_from = SPAN("bounce@mailer.example"),
	    .header_from = SPAN(
		"\"Muster\" <invoice@muster.example>, (x) other@example.com"),
	    .from_domain = SPAN("shop.example"),
	};

	TAP_CASE("senders are found by envelope, From field and its domain");
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct verdictlog_query q = {.from = span_of(cases[i].from)};
		if (!CHECK(log_match_message(&q, &r) == cases[i].match))
			printf("# %s\n", cases[i].from);
	}

	TAP_CASE("<> is the empty sender, not an unknown one");
	struct verdictlog_query q = {.from = SPAN("<>")};
	r.mail_from = SPAN("");
	CHECK(log_match_message(&q, &r));
	r.mail_from = SPAN_NONE;
	CHECK(!log_match_message(&q, &r));
}

static void
test_to_and_degraded(void)
{
	struct record_rcpt rcpts[] = {{SPAN("postmaster"), SPAN_NONE},
	    {SPAN("Anna@Sub.Example.org"), SPAN_NONE}, {SPAN_NONE, SPAN_NONE}};
	static const struct {
		const char *text;
		bool to, degraded;
	} cases[] = {
	    {"anna@sub.example.org", true, false},
	    {"postmaster", true, false},
	    {"@example.org", false, false},
	    {".example.org", true, false},
	    {"@sub.example.org", true, false},
	    {"dnsbl", false, true},
	    {"DNSBL:zen", false, true},
	    {"dns", false, false},
	    {"dnsbl:ze", false, false},
	    {"redis", false, true},
	    {"", false, false},
	};
	struct record r = {.degraded = SPAN("dnsbl:zen,redis")};

	r.rcpts.v = rcpts;
	r.rcpts.n = 3;
	TAP_CASE("any recipient, any name of degraded");
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct verdictlog_query to = {.to = span_of(cases[i].text)};
		struct verdictlog_query degraded = {
		    .degraded = span_of(cases[i].text)};
		if (!CHECK(log_match_rcpts(&to, &r) == cases[i].to) ||
		    !CHECK(
			log_match_message(&degraded, &r) == cases[i].degraded))
			printf("# %s\n", cases[i].text);
	}
}

int
main(void)
{
	test_fields();
	test_copy();
	test_copy_limits();
	test_day_names();
	test_odd_names();
	test_text_forms();
	test_text_any();
	test_text_foreign();
	test_from();
	test_to_and_degraded();
	return tap_done();
}
