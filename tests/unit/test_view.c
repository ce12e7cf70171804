/* The texts that rules match are SpamAssassin's to the byte (rule language,
 * sections 4, 5 and 11). */
#include "filter/mail/view.h"

#include <stdlib.h>

#include "filter/base/buf.h"
#include "tests/lib/tap.h"

static struct message *
read_message(struct arena *a, struct span text)
{
	struct message_options options = message_options_default();
	struct message *m = message_new(a, &options);

	CHECK_INT(message_read(m, text), 0);
	return m;
}

/* All pieces, each ended by '|'. */
static struct span
joined(struct arena *a, const struct view_list *list)
{
	struct buf out;

	buf_init(&out, a, SIZE_MAX / 4);
	for (size_t i = 0; i < list->n; i++) {
		buf_add_span(&out, list->v[i]);
		buf_add_char(&out, '|');
	}
	return buf_span(&out);
}

#define HTML "Subject: s\nContent-Type: text/html\n\n"
#define HTML_UTF8 "Subject: s\nContent-Type: text/html; charset=utf-8\n\n"
#define MIXED "Subject: s\nContent-Type: multipart/mixed; boundary=b\n\n"

static void
test_body(struct arena *a)
{
	static const struct {
		const char *claim, *message, *body;
	} cases[] = {
	    {"Subject is the first piece", "Subject: s\n\nx\n", "s\n|x |"},
	    {"the last one, decoded",
		"Subject: a\nSubject: =?utf-8?q?caf=C3=A9?=\n\nx\n",
		"caf\xc3\xa9\n|x |"},
	    {"without Subject an empty line", "A: b\n\nx\n", "\n|x |"},
	    {"white space collapses, paragraphs part",
		"\na  b\tc\n\n \n d\ne\n", "\n|a b c\n| d e |"},
	    {"a paragraph mark keeps the spaces beside it", "\na \n\n  b\n",
		"\n|a \n| b |"},
	    {"parts are joined by a newline, attachments count",
		MIXED
		"--b\n\nx\n\n--b\nContent-Type: image/png\n\n!\n--b\n\ny\n"
		"--b--\n",
		"s\n|x\n|y|"},
	    {"vcard and calendar give no text",
		MIXED "--b\nContent-Type: text/x-vcard\n\nx\n--b\n"
		      "Content-Type: text/calendar\n\nx\n--b\n"
		      "Content-Type: text/unknown\n\ny\n--b--\n",
		"s\n|y|"},
	    {"HTML is rendered", HTML "<p>a<b>b</b> c<br>d", "s\n|\n|ab c d|"},
	    {"characters below U+0100 are bytes as long as all are",
		HTML "caf&eacute; &#160;&#149;x", "s\n|caf\xe9 \xa0\x95x|"},
	    {"one above makes all UTF-8", HTML "caf&eacute;&#8226;",
		"s\n|caf\xc3\xa9\xe2\x80\xa2|"},
	    {"so does text that is", HTML_UTF8 "\xc3\xa9&eacute;&#160;x",
		"s\n|\xc3\xa9\xc3\xa9 x|"},
	    {"Unicode's white space is some",
		"Content-Type: text/plain; charset=utf-8\n\n"
		"a\xc2\xa0\xe2\x80\x83\xe3\x80\x80"
		"b\xe2\x80\x8b"
		"c\n",
		"\n|a b\xe2\x80\x8b"
		"c |"},
	    {"8-bit text is made UTF-8",
		"Content-Type: text/plain; charset=iso-8859-1\n\ncaf\xe9\n",
		"\n|caf\xc3\xa9 |"},
	    {"an empty message has its Subject only", "Subject: s\n\n", "s\n|"},
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct message *m = read_message(a, span_of(cases[i].message));
		TAP_CASE(cases[i].claim)
		CHECK_STR(joined(a, view_body(m)), cases[i].body);
	}
	TAP_CASE("a NUL byte is a paragraph mark, too (section 11.3)")
	struct message *m = read_message(a, SPAN("\na\0b"));
	CHECK_SPAN(joined(a, view_body(m)), SPAN("\n|a\n|b|"));
}

static struct span
filled(struct arena *a, const char *head, const char *unit, size_t n)
{
	struct buf b;

	buf_init(&b, a, SIZE_MAX / 4);
	buf_add_str(&b, head);
	for (size_t i = 0; i < n; i++)
		buf_add_str(&b, unit);
	return buf_span(&b);
}

static void
test_pieces(struct arena *a)
{
	struct message *m = read_message(a, filled(a, "\n", "abcdefghi ", 500));

	TAP_CASE("long lines are cut behind a space at most at 2048")
	const struct view_list *body = view_body(m);
	CHECK_INT(body->n, 4);
	CHECK_INT(body->v[1].len, 2040);
	m = read_message(a, filled(a, "\n", "x", 5000));
	TAP_CASE("or at 2048 where there is none")
	body = view_body(m);
	CHECK_INT(body->n, 4);
	CHECK_INT(body->v[1].len, 2048);
	CHECK_INT(body->v[3].len, 5000 - 4096);

	TAP_CASE(
	    "of a part the first 50,000 characters are read, and it is said")
	m = read_message(
	    a, filled(a, "Content-Type: text/plain; charset=utf-8\n\n",
		   "\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\n", 20000));
	size_t total = 0;
	for (size_t i = 0; i < view_body(m)->n; i++)
		total += view_body(m)->v[i].len;
	CHECK_INT(total, 1 + 90009);
	CHECK(message_lacks(m) & MESSAGE_LACK_TEXT);
}

static void
test_rawbody(struct arena *a)
{
	static const struct {
		const char *claim, *message, *raw;
	} cases[] = {
	    {"decoded, tags and line ends kept",
		"Content-Type: text/html\n"
		"Content-Transfer-Encoding: quoted-printable\n\n"
		"<p>=\na=3D\n\n",
		"<p>a=\n\n|"},
	    {"text and message parts, no calendar",
		MIXED "--b\n\nx\n--b\nContent-Type: image/png\n\n!\n--b\n"
		      "Content-Type: text/calendar\n\nc\n--b\n"
		      "Content-Type: text/x-vcard\n\nv\n--b\n"
		      "Content-Type: message/delivery-status\n\nd\n--b--\n",
		"x|v|d|"},
	    {"an empty text gives an empty string", "Subject: s\n\n", "|"},
	    {"8-bit stays as it is",
		"Content-Type: text/plain; charset=iso-8859-1\n\n\xe9\n",
		"\xe9\n|"},
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct message *m = read_message(a, span_of(cases[i].message));
		TAP_CASE(cases[i].claim)
		CHECK_STR(joined(a, view_rawbody(m)), cases[i].raw);
	}
}

static void
test_rawbody_pieces(struct arena *a)
{
	static const struct {
		const char *claim, *unit;
		size_t n, first;
	} cases[] = {
	    {"up to 4096 bytes stay one string", "x", 4096, 4096},
	    {"longer: behind a newline past 2048", "0123456\n", 600, 2056},
	    {"else behind '>'", "012345 >", 600, 2056},
	    {"else behind a space", "0123456 ", 600, 2056},
	    {"else at 2049", "x", 5000, 2049},
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct message *m =
		    read_message(a, filled(a, "\n", cases[i].unit, cases[i].n));
		TAP_CASE(cases[i].claim)
		CHECK_INT(view_rawbody(m)->v[0].len, cases[i].first);
	}
	struct message *m =
	    read_message(a, filled(a, "\n", "01234567\n", 70000));
	size_t total = 0;
	for (size_t i = 0; i < view_rawbody(m)->n; i++)
		total += view_rawbody(m)->v[i].len;
	TAP_CASE("of a part 500,000 bytes are read, on to the next newline")
	CHECK_INT(total, 500004);
}

static void
test_full(struct arena *a)
{
	struct message *m = read_message(
	    a, SPAN("X-Spam-Flag: YES\r\nA:  b\r\n\tc\r\n\r\nx\r\n.\r\ry\r\n"));

	TAP_CASE("full is headers and body with LF")
	CHECK_STR(view_full(m), "X-Spam-Flag: YES\nA:  b\n\tc\n\nx\n.\r\ry\n");
	CHECK(view_full(m).p == view_full(m).p);
}

static void
test_header(struct arena *a)
{
	struct message *m = read_message(
	    a, SPAN("Received: from x =?utf-8?q?a?=\n\tby y\n"
		    "Subject: =?utf-8?q?one?=\n  two\n"
		    "X-Spam-Flag: YES\n"
		    "To: \"'A  B'\" <a@example.com>,\n\t=?utf-8?q?C?= "
		    "<c@example.com>\n"
		    "Cc: d@example.com (D)\n"
		    "TO: e@example.com\n"
		    "Message-ID: <1@example.com>\n"
		    "Resent-Message-ID:\n"
		    "X-Message-Id: \n <2@example.com>\n"
		    "List-Id: =?utf-8?q?x?=\n"
		    "Return-Path: <r@example.com>\n"
		    "X-Latin: caf\xe9\n\n"));
	static const struct {
		const char *name;
		unsigned flags;
		const char *value; /* NULL: there is none */
	} cases[] = {
	    {"Subject", 0, "one two\n"},
	    {"SUBJECT", VIEW_RAW, " =?utf-8?q?one?=\n  two\n"},
	    {"Received", 0, "from x =?utf-8?q?a?= by y\n"},
	    {"List-Id", 0, "=?utf-8?q?x?=\n"},
	    {"X-Latin", 0, "caf\xc3\xa9\n"},
	    {"X-Latin", VIEW_RAW, " caf\xe9\n"},
	    {"X-Spam-Flag", 0, NULL},
	    {"Missing", 0, NULL},
	    {"Missing", VIEW_RAW, NULL},
	    {"To", VIEW_ADDR, "a@example.com\nc@example.com\ne@example.com"},
	    {"To", VIEW_ADDR | VIEW_FIRST, "a@example.com\nc@example.com"},
	    {"To", VIEW_ADDR | VIEW_LAST, "e@example.com"},
	    {"To", VIEW_NAME, "A B\nC"},
	    {"Cc", VIEW_NAME, "D"},
	    {"Subject", VIEW_ADDR, NULL},
	    {"To", VIEW_LAST, "e@example.com\n"},
	    {"ToCc", VIEW_RAW,
		" \"'A  B'\" <a@example.com>, =?utf-8?q?C?= <c@example.com>\n"
		" e@example.com\n d@example.com (D)\n"},
	    {"MESSAGEID", 0, "<2@example.com>\n<1@example.com>\n"},
	    {"messageid", 0, NULL},
	    {"EnvelopeFrom", 0, NULL},
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct span value;
		bool there = view_header(
		    m, span_of(cases[i].name), cases[i].flags, &value);
		TAP_CASE(cases[i].name)
		CHECK_INT(there, cases[i].value != NULL);
		CHECK_STR(value, cases[i].value ? cases[i].value : "");
	}
}

static void
test_all(struct arena *a)
{
	struct message *m =
	    read_message(a, SPAN("b: 1\nA : 2\n 3\nX-Spam-X: 4\nB: 5\n\n"));
	struct span value;

	TAP_CASE("ALL is all fields in order, but X-Spam-*")
	CHECK(view_header(m, SPAN("ALL"), 0, &value));
	CHECK_STR(value, "b: 1\nA: 2 3\nB: 5\n");
	TAP_CASE("ALL:raw has them as they came")
	CHECK(view_header(m, SPAN("ALL"), VIEW_RAW, &value));
	CHECK_STR(value, "b: 1\nA : 2\n 3\nX-Spam-X: 4\nB: 5\n");
	TAP_CASE("all is no pseudo-header")
	CHECK(!view_header(m, SPAN("all"), 0, &value));

	m = read_message(a, filled(a, "", "A: 0123456789\n", 20000));
	TAP_CASE("ALL ends before 65536 bytes")
	CHECK(view_header(m, SPAN("ALL"), 0, &value));
	CHECK(value.len <= 65536 && value.len > 65500);
	TAP_CASE("a value is cut at 8192 (row 9)")
	m = read_message(a, filled(a, "A: b", "0123456789", 1000000));
	CHECK(view_header(m, SPAN("A"), 0, &value));
	CHECK_INT(value.len, 8192);
}

static void
test_envelope(struct arena *a)
{
	static const struct {
		const char *claim, *message, *value;
	} cases[] = {
	    {"Return-Path above all Received counts",
		"Return-Path: <r@example.com>\nReceived: x\n\n",
		"r@example.com"},
	    {"below it does not",
		"Received: x\nReturn-Path: <r@example.com>\n\n", NULL},
	    {"X-Envelope-From goes first",
		"Return-Path: <r@example.com>\nX-Envelope-From: x@example.com\n\n",
		"x@example.com"},
	    {"below a Received it ends the search",
		"Return-Path: <r@example.com>\nReceived: x\n"
		"X-Envelope-From: x@example.com\n\n",
		NULL},
	};
	struct span value;

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct message *m = read_message(a, span_of(cases[i].message));
		TAP_CASE(cases[i].claim)
		CHECK_INT(view_header(m, SPAN("EnvelopeFrom"), 0, &value),
		    cases[i].value != NULL);
		CHECK_STR(value, cases[i].value ? cases[i].value : "");
	}
	struct message *m = read_message(a, span_of(cases[0].message));
	message_set_envelope_from(m, SPAN(""));
	TAP_CASE("the MTA's word is final, and empty is a value")
	CHECK(view_header(m, SPAN("envelopefrom"), 0, &value));
	CHECK_STR(value, "");
}

static bool
has_uri(struct message *m, const char *want)
{
	const struct view_list *list = view_uri(m);

	for (size_t i = 0; i < list->n; i++)
		if (span_is(list->v[i], want))
			return true;
	return false;
}

static void
test_uri(struct arena *a)
{
	struct message *m = read_message(
	    a, SPAN("Subject: www.example.com\nContent-Type: text/html\n\n"
		    "<base href=http://example.net/d/><a href=x?&eacute;>"
		    "http://example.org/%41</a><img src=cid:1><a name=y>"
		    "<svg><image xlink:href=http://odd.example.com/>"));

	TAP_CASE("uri holds links of Subject, text and tags, and their forms")
	CHECK(has_uri(m, "http://www.example.com"));
	CHECK(has_uri(m, "http://example.org/%41"));
	CHECK(has_uri(m, "http://example.org/A"));
	CHECK(has_uri(m, "http://example.net/d/x?\xe9"));
	CHECK(has_uri(m, "cid:1"));
	TAP_CASE("what an <a> says stands there, too, also nothing")
	CHECK(has_uri(m, "x?\xe9"));
	CHECK(has_uri(m, ""));
	TAP_CASE("what only browsers see does not")
	CHECK(!has_uri(m, "http://odd.example.com/"));
	TAP_CASE("each is there once")
	const struct view_list *list = view_uri(m);
	for (size_t i = 0; i < list->n; i++)
		for (size_t k = 0; k < i; k++)
			CHECK(!span_eq(list->v[i], list->v[k]));
}

static void
test_hostile(void)
{
	static const struct {
		const char *claim, *head, *unit;
		size_t n;
	} cases[] = {
	    {"4 MB of two-byte paragraphs", "\n", "a\n\n", 1400000},
	    {"100,000 links in HTML (row 31)", "Content-Type: text/html\n\n",
		"<a href=http://example.com/%41>x</a>", 100000},
	    {"100,000 links in text (row 31)", "\n",
		"http://a.example.com/%41 ", 100000},
	    {"a long base and 10,000 links",
		"Content-Type: text/html\n\n<base href=http://example.com/"
		"0123456789012345678901234567890123456789012345678901234567890"
		"0123456789012345678901234567890123456789012345678901234567890"
		"/>",
		"<a href=?x>y", 30000},
	    {"a line of 10 MB (row 12)", "\n", "0123456789", 1000000},
	    {"a MB of NUL-like blanks", "\n", "\xc2\xa0", 500000},
	    {"200,000 header fields (row 9)", "", "A: b\n", 200000},
	    {"100,000 continuation lines (row 9)", "A: b\n", " c\n", 100000},
	    {"an encoded word without end (row 20)", "Subject: =?utf-8?q?", "a",
		100000},
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct arena *t = arena_new(0);
		struct span text =
		    filled(t, cases[i].head, cases[i].unit, cases[i].n);
		struct arena *a = arena_new((size_t)96 << 20);
		struct message *m = read_message(a, text);
		struct span value;
		TAP_CASE(cases[i].claim)
		(void)view_body(m);
		(void)view_rawbody(m);
		(void)view_full(m);
		(void)view_header(m, SPAN("ALL"), 0, &value);
		(void)view_header(m, SPAN("A"), 0, &value);
		CHECK(view_uri(m)->n < 50000);
		(void)message_urls(m);
		CHECK(!arena_failed(a));
		arena_free(a);
		arena_free(t);
	}
}

int
main(void)
{
	struct arena *a = arena_new(0);

	test_body(a);
	test_pieces(a);
	test_rawbody(a);
	test_rawbody_pieces(a);
	test_full(a);
	test_header(a);
	test_all(a);
	test_envelope(a);
	test_uri(a);
	test_hostile();
	arena_free(a);
	return tap_done();
}
