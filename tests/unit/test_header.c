/* Header fields keep their order, bytes and numbers; blocks are split as
 * SpamAssassin splits them. */
#include "filter/mail/header.h"

#include <stdio.h>
#include <stdlib.h>

#include "filter/base/buf.h"
#include "tests/lib/tap.h"

static void
test_add(struct arena *a)
{
	struct header_list list;
	char name[] = "Subject", raw[] = " one";

	header_init(&list, a);
	header_add(&list, span_of(name), span_of(raw));
	header_add(&list, SPAN("From"), SPAN(" a@example.com"));
	header_add(&list, SPAN("SUBJECT"), SPAN(" two\r\n\tfolded"));
	name[0] = raw[1] = 'X';

	TAP_CASE("fields are copies, in the order received")
	CHECK_INT(list.fields.n, 3);
	CHECK_STR(list.fields.v[0].name, "Subject");
	CHECK_STR(list.fields.v[0].raw, " one");

	TAP_CASE("names are found whatever their case; numbers count per name")
	CHECK_INT(header_count(&list, SPAN("subject")), 2);
	CHECK(header_first(&list, SPAN("subject")) == &list.fields.v[0]);
	CHECK(header_last(&list, SPAN("sUBJECT")) == &list.fields.v[2]);
	CHECK_INT(list.fields.v[0].nth, 1);
	CHECK_INT(list.fields.v[1].nth, 1);
	CHECK_INT(list.fields.v[2].nth, 2);
	CHECK_STR(list.fields.v[2].raw, " two\r\n\tfolded");

	TAP_CASE("what is not there is not there")
	CHECK(header_first(&list, SPAN("To")) == NULL);
	CHECK(header_last(&list, SPAN("Subjec")) == NULL);
	CHECK_INT(header_count(&list, SPAN("")), 0);
}

static void
test_odd_names(struct arena *a)
{
	struct header_list list;

	header_init(&list, a);
	header_add(&list, SPAN("From "), SPAN(" a@example.com"));
	header_add(&list, SPAN("\0From"), SPAN(" b@example.com"));
	header_add(&list, SPAN("To\0"), SPAN(" c@example.com"));
	header_add(&list, SPAN("Da\xcc\x88te"), SPAN(" x"));
	header_add(&list, SPAN("Cc"), SPAN(" x"));
	header_add(&list, SPAN("Froms\1"), SPAN(" x"));

	TAP_CASE("a blank before the colon still names the field (row 3)")
	CHECK(header_first(&list, SPAN("From")) == &list.fields.v[0]);
	CHECK_STR(list.fields.v[0].name, "From ");
	CHECK(list.fields.v[0].odd);
	CHECK(header_lookalike(&list, SPAN("from")) == &list.fields.v[0]);

	TAP_CASE("NUL in a name makes another field, and a look-alike (row 3)")
	CHECK_INT(header_count(&list, SPAN("From")), 1);
	CHECK(header_first(&list, SPAN("To")) == NULL);
	CHECK(header_lookalike(&list, SPAN("To")) == &list.fields.v[2]);

	TAP_CASE("8-bit bytes in a name are odd")
	CHECK(list.fields.v[3].odd);
	CHECK(header_lookalike(&list, SPAN("Date")) == &list.fields.v[3]);

	TAP_CASE("a proper name is not odd and no look-alike")
	CHECK(!list.fields.v[4].odd);
	CHECK(header_lookalike(&list, SPAN("Cc")) == NULL);
	CHECK(header_lookalike(&list, SPAN("Fro")) == NULL);
}

static void
test_limits(struct arena *a)
{
	struct header_list list;
	char name[32];

	header_init(&list, a);
	header_watch(&list, SPAN("Watched"));
	for (unsigned i = 0; i < 200000; i++)
		header_add(&list,
		    span_make(
			name, (size_t)snprintf(name, sizeof name, "X-%u", i)),
		    SPAN(" v"));
	TAP_CASE("200,000 fields: the first 10,000 stay (row 9)")
	CHECK_INT(list.fields.n, HEADER_FIELDS_MAX);
	CHECK_INT(list.dropped, 200000 - HEADER_FIELDS_MAX);
	CHECK_INT(list.names.n, HEADER_FIELDS_MAX + 1);
	CHECK(header_first(&list, SPAN("X-9999")) != NULL);
	CHECK(header_first(&list, SPAN("X-10000")) == NULL);

	TAP_CASE("a watched name is counted past the limit, others are not")
	header_add(&list, SPAN("watched"), SPAN(" v"));
	header_add(&list, SPAN("X-1"), SPAN(" v"));
	header_add(&list, SPAN("Other"), SPAN(" v"));
	CHECK_INT(header_count(&list, SPAN("Watched")), 1);
	CHECK(header_first(&list, SPAN("Watched")) == NULL);
	CHECK(header_last(&list, SPAN("Watched")) == NULL);
	CHECK_INT(header_count(&list, SPAN("X-1")), 2);
	CHECK_INT(header_count(&list, SPAN("Other")), 0);

	TAP_CASE("200,000 fields of one name are linear (row 9)")
	header_init(&list, a);
	for (unsigned i = 0; i < 200000; i++)
		header_add(&list, SPAN("From"), SPAN(" a@example.com"));
	CHECK_INT(header_count(&list, SPAN("From")), 200000);
	CHECK_INT(header_last(&list, SPAN("From"))->nth, HEADER_FIELDS_MAX);

	TAP_CASE("a field of 10 MB is cut and says so (row 9)")
	size_t big = 10 * 1024 * 1024;
	char *text = calloc(1, big);
	header_init(&list, a);
	header_add(&list, SPAN("A"), span_make(text, 100));
	header_add(&list, SPAN("B"), span_make(text, big));
	header_add(&list, SPAN("C"), span_make(text, 1));
	CHECK_INT(list.fields.n, 2);
	CHECK(!list.fields.v[0].truncated);
	CHECK(list.fields.v[1].truncated);
	CHECK_INT(list.bytes, HEADER_BYTES_MAX);
	CHECK_INT(list.dropped, 1);
	free(text);

	TAP_CASE("without memory fields are dropped and counted")
	arena_fail(a);
	header_add(&list, SPAN("D"), SPAN(""));
	CHECK_INT(list.dropped, 2);
	arena_reset(a);
}

static void
test_parse(struct arena *a)
{
	static const struct {
		const char *claim, *text, *shown;
		size_t body;
		bool odd;
	} cases[] = {
	    {"fields end at the first empty line", "A: 1\nB: 2\n\nC: 3\n",
		"A= 1|B= 2|", 11, false},
	    {"CRLF lines too", "A: 1\r\nB: 2\r\n\r\nC: 3\r\n", "A= 1|B= 2|", 14,
		false},
	    {"folds keep their bytes", "A: 1\r\n  2\r\n\t3\r\n\r\n",
		"A= 1\r\n  2\r\n\t3|", 17, false},
	    {"a value may start on the next line (row 4)",
		"From:\r\n a@example.com\r\n\r\n", "From=\r\n a@example.com|",
		25, false},
	    {"a line of blanks continues a field", "A: 1\n \nB: 2\n\n",
		"A= 1\n |B= 2|", 13, false},
	    {"an mbox line is skipped", "From a@example.com Thu\nA: 1\n\n",
		"A= 1|", 29, false},
	    {"`From :` is a field, not an mbox line", "From : x\n\n",
		"From = x|", 10, false},
	    {"blanks before the colon stay in the name", "A \t: 1\n\n",
		"A \t= 1|", 8, false},
	    {"no empty line: all is header", "A: 1\nB: 2", "A= 1|B= 2|", 9,
		false},
	    {"an empty block has no field", "\nbody", "", 1, false},
	    {"nothing gives nothing", "", "", 0, false},
	    {"a line without colon is skipped (row 10)",
		"A: 1\njunk\n more: x\nB: 2\n\n", "A= 1|B= 2|", 25, true},
	    {"a line with blanks before a colon is an odd field",
		"Foo bar: x\n y\nB: 2\n\n", "Foo bar= x\n y|B= 2|", 20, true},
	    {"a line of dashes ends the header (row 10)", "A: 1\n--b\nB: 2\n\n",
		"A= 1|", 5, true},
	    {"the 4th line that is no field is the body (row 10)",
		"A: 1\nj1\nB: 2\nj2\nj3\nj4\nC: 3\n", "A= 1|B= 2|", 19, true},
	    {"a block that opens with a blank is not lost", " x: 1\nA: 1\n\n",
		" x= 1|A= 1|", 12, true},
	    {"a bare CR ends no line", "A: 1\rB: 2\n\n", "A= 1\rB: 2|", 11,
		false},
	    {"an empty name is no field", ": x\nA: 1\n\n", "A= 1|", 10, true},
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct header_list list;
		struct buf shown;
		TAP_CASE(cases[i].claim)
		buf_init(&shown, a, 1000);
		header_init(&list, a);
		size_t body = header_parse(&list, span_of(cases[i].text));
		for (size_t k = 0; k < list.fields.n; k++) {
			buf_add_span(&shown, list.fields.v[k].name);
			buf_add_char(&shown, '=');
			buf_add_span(&shown, list.fields.v[k].raw);
			buf_add_char(&shown, '|');
		}
		CHECK_STR(buf_span(&shown), cases[i].shown);
		CHECK_INT(body, cases[i].body);
		CHECK_INT(list.odd_lines, cases[i].odd);
	}

	TAP_CASE("100,000 continuation lines are one field (row 9)")
	struct buf many;
	struct header_list list;
	buf_init(&many, NULL, 1 << 20);
	buf_add_str(&many, "A: 1\n");
	for (unsigned i = 0; i < 100000; i++)
		buf_add_str(&many, " x\n");
	header_init(&list, a);
	CHECK_INT(header_parse(&list, buf_span(&many)), many.len);
	CHECK_INT(list.fields.n, 1);
	CHECK_INT(list.fields.v[0].raw.len, many.len - 3);
	buf_done(&many);
}

static void
test_unfold(struct arena *a)
{
	static const struct {
		const char *claim, *raw, *want;
	} cases[] = {
	    {"ends are trimmed", " \t x y \t", "x y"},
	    {"a fold is one space", " a\n\t  b\r\n c", "a b c"},
	    {"blanks before a fold stay", "a  \n b", "a   b"},
	    {"a first empty line goes (row 4)", "\r\n a@example.com",
		"a@example.com"},
	    {"a line of blanks is a space of its own", "a\n \n b", "a  b"},
	    {"a bare LF never survives", "a\nb", "a b"},
	    {"a bare CR stays", "a\rb\n c", "a\rb c"},
	    {"empty stays empty", " \r\n ", ""},
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		TAP_CASE(cases[i].claim)
		CHECK_STR(
		    header_unfold(span_of(cases[i].raw), a), cases[i].want);
	}
	TAP_CASE("a value without folds is not copied")
	struct span raw = SPAN(" abc ");
	CHECK(header_unfold(raw, a).p == raw.p + 1);
	TAP_CASE("no memory gives nothing")
	arena_fail(a);
	CHECK(header_unfold(SPAN("a\n b"), a).p == NULL);
	arena_reset(a);
}

int
main(void)
{
	struct arena *a = arena_new(0);

	test_add(a);
	test_odd_names(a);
	test_limits(a);
	test_parse(a);
	test_unfold(a);
	arena_free(a);
	return tap_done();
}
