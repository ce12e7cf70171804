/* Content-Type and file names, read loosely, strictly and suspiciously. */
#include "filter/mail/ctype.h"

#include <stdio.h>

#include "filter/base/buf.h"
#include "tests/lib/tap.h"

static void
test_type(struct arena *a)
{
	static const struct {
		const char *claim, *value, *type, *boundary, *charset;
		bool malformed;
	} cases[] = {
	    {"the usual", "text/html; charset=utf-8", "text/html", "", "utf-8",
		false},
	    {"case is folded", " TEXT/HTML; Charset=\"UTF-8\"", "text/html", "",
		"utf-8", false},
	    {"text of another kind is plain", "text/richtext", "text/plain", "",
		"", false},
	    {"calendars and cards are themselves", "text/calendar",
		"text/calendar", "", "", false},
	    {"text-like words are plain", "text-x/y", "text/plain", "", "",
		false},
	    {"longer words are not", "texts/y", "texts/y", "", "", false},
	    {"without a slash", "text", "text/plain", "", "", true},
	    {"a missing semicolon", "text/html charset=x", "text/html", "", "x",
		true},
	    {"odd characters are dropped", "text/\"html\"", "text/html", "", "",
		true},
	    {"8-bit and controls are dropped", "te\x01xt/h\xe9tml", "text/html",
		"", "", true},
	    {"a second slash ends the type", "text/html/x", "text/html", "", "",
		true},
	    {"folds are undone", "multipart/mixed;\r\n\tboundary=\"a b\"",
		"multipart/mixed", "a b", "", false},
	    {"a boundary without quotes", "multipart/mixed; boundary=a=_b; x=y",
		"multipart/mixed", "a=_b", "", true},
	    {"blanks about the equals sign", "multipart/mixed; boundary = ab",
		"multipart/mixed", "ab", "", false},
	    {"an unclosed quote", "multipart/mixed; boundary=\"ab; c",
		"multipart/mixed", "ab; c", "", true},
	    {"an empty boundary is none (row 15)",
		"multipart/mixed; boundary=\"\"", "multipart/mixed", "", "",
		false},
	    {"a quote inside spoils that place, not the next",
		"multipart/mixed; boundary=a\"b; boundary=c", "multipart/mixed",
		"c", "", true},
	    {"the word must stand alone", "multipart/mixed; xboundary=a",
		"multipart/mixed", "", "", false},
	    {"but may stand in another value",
		"multipart/mixed; x=\"boundary=b\"", "multipart/mixed", "b\"",
		"", false},
	    {"quotes do not protect a semicolon (section 11.3)",
		"text/html; charset=\"a;b\"", "text/html", "", "a", false},
	    {"single quotes are quotes", "text/html; charset='utf-8'",
		"text/html", "", "utf-8", false},
	    {"comments are read past and noted (row 16)",
		"text/html; (a;b) charset=x", "text/html", "", "x", true},
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct ctype c;
		TAP_CASE(cases[i].claim)
		ctype_parse(&c, span_of(cases[i].value), a);
		CHECK_STR(c.type, cases[i].type);
		CHECK_STR(c.charset, cases[i].charset);
		if (*cases[i].boundary == '\0' || c.boundary.len)
			CHECK_STR(c.boundary, cases[i].boundary);
		CHECK_INT(c.malformed, cases[i].malformed);
		CHECK(!c.missing);
	}

	struct ctype c;
	TAP_CASE("no field and a blank one are plain text")
	ctype_parse(&c, SPAN_NONE, a);
	CHECK(c.missing);
	CHECK_STR(c.type, "text/plain");
	CHECK_STR(c.charset, "us-ascii");
	ctype_parse(&c, SPAN(" \r\n "), a);
	CHECK(c.missing);

	TAP_CASE("what was declared is kept beside")
	ctype_parse(&c, SPAN("TEXT/RTF"), a);
	CHECK_STR(c.declared, "text/rtf");
	CHECK_STR(c.type, "text/plain");
	ctype_parse(&c, SPAN(";charset=x"), a);
	CHECK_STR(c.declared, "");
	CHECK_STR(c.type, "text/plain");

	TAP_CASE(
	    "a boundary of 1000 bytes counts, a longer one is none (row 15)")
	char text[1200] = "multipart/mixed; boundary=";
	size_t n = strlen(text);
	memset(text + n, 'x', CTYPE_BOUNDARY_MAX + 1);
	ctype_parse(&c, span_make(text, n + CTYPE_BOUNDARY_MAX), a);
	CHECK_INT(c.boundary.len, CTYPE_BOUNDARY_MAX);
	ctype_parse(&c, span_make(text, n + CTYPE_BOUNDARY_MAX + 1), a);
	CHECK_INT(c.boundary.len, 0);
	CHECK(c.malformed);
}

static void
test_name(struct arena *a)
{
	static const struct {
		const char *claim, *value, *name, *sa;
	} cases[] = {
	    {"a name", "x/y; name=\"a b.txt\"", "a b.txt", "a b.txt"},
	    {"no name", "x/y; charset=z", "", ""},
	    {"blanks without quotes stay", "x/y; name=a b.txt; c=d", "a b.txt",
		"a b.txt"},
	    {"encoded words are decoded",
		"x/y; name=\"=?utf-8?q?=c3=a9.txt?=\"", "\xc3\xa9.txt",
		"=?utf-8?q?=c3=a9.txt?="},
	    {"8-bit names become UTF-8", "x/y; name=\xe9.txt", "\xc3\xa9.txt",
		"\xe9.txt"},
	    {"quoted pairs are undone", "x/y; name=\"a\\\"b.txt\"", "a\"b.txt",
		"a\\\"b.txt"},
	    {"pieces (RFC 2231 section 3)",
		"x/y; name*0=\"ab\"; name*1=\"cd.\"; name*2=txt", "abcd.txt",
		"abcd.txt"},
	    {"pieces in any order", "x/y; name*1=b.txt; name*0=a", "ab.txt",
		"ab.txt"},
	    {"charset and language (RFC 2231 section 4)",
		"x/y; name*=us-ascii'en-us'This%20is%20%2A%2A%2Afun%2A%2A%2A",
		"This is ***fun***", ""},
	    {"pieces, coded and not (RFC 2231 section 4.1)",
		"x/y; name*0*=us-ascii'en'This%20is%20even%20more%20; "
		"name*1*=%2A%2A%2Afun%2A%2A%2A%20; name*2=\"isn't it!\"",
		"This is even more ***fun*** isn't it!", ""},
	    {"a charset is obeyed", "x/y; name*=koi8-r''%C1.txt",
		"\xd0\xb0.txt", ""},
	    {"a missing charset is UTF-8 (row 21)", "x/y; name*=%C3%A9.txt",
		"\xc3\xa9.txt", ""},
	    {"an empty charset too", "x/y; name*=''%C3%A9.txt", "\xc3\xa9.txt",
		""},
	    {"broken percent signs stay", "x/y; name*=''a%2.t%zzxt%",
		"a%2.t%zzxt%", ""},
	    {"name and name*: the dangerous one (row 21)",
		"x/y; name=a.txt; name*=''b.exe", "b.exe", "a.txt"},
	    {"in the other order (row 21)", "x/y; name*=''a.txt; name=b.exe",
		"b.exe", "b.exe"},
	    {"equally harmless: the extended one",
		"x/y; name=a.txt; name*=''b.txt", "b.txt", "a.txt"},
	    {"twice the same (row 21)", "x/y; name=a.txt; name=b.exe", "b.exe",
		"a.txt"},
	    {"twice the same, dangerous first", "x/y; name=b.exe; name=a.txt",
		"b.exe", "b.exe"},
	    {"a gap: read up to it and across it (row 21)",
		"x/y; name*0=a.exe; name*2=.txt", "a.exe", "a.exe.txt"},
	    {"a gap: the dangerous end counts",
		"x/y; name*0=a.txt; name*2=.exe", "a.txt.exe", "a.txt.exe"},
	    {"a semicolon in quotes: both readings (section 11.3)",
		"x/y; name=\"a.exe;b.txt\"", "a.exe", "a.exe"},
	    {"final dots and blanks hide nothing",
		"x/y; name=a.txt; name*=''b.exe.%20.", "b.exe. .", "a.txt"},
	    {"archives before text", "x/y; name=a.txt; name*=''b.zip", "b.zip",
		"a.txt"},
	    {"filename in Content-Type counts", "x/y; filename=a.txt", "a.txt",
		"a.txt"},
	    {"other names do not", "x/y; xname=a.txt; names=b", "", ""},
	    {"comments between are passed over",
		"x/y; (c (d\\) e) ;) name=a.txt", "a.txt", "a.txt"},
	    {"an unclosed comment hides nothing", "x/y; (c; name=a.txt",
		"a.txt", "a.txt"},
	    {"a parameter without value is passed over", "x/y; foo; name=a.txt",
		"a.txt", "a.txt"},
	    {"pieces of an encoded word are joined",
		"x/y; name*0=\"=?utf-8?q?=c3\"; name*1=\"=a9.exe?=\"",
		"\xc3\xa9.exe", "=?utf-8?q?=c3=a9.exe?="},
	    {"an empty name, then pieces", "x/y; name=; name*0=a.txt", "a.txt",
		"a.txt"},
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct ctype c;
		TAP_CASE(cases[i].claim)
		ctype_parse(&c, span_of(cases[i].value), a);
		CHECK_STR(span_make(c.name.p ? c.name.p : "", c.name.len),
		    cases[i].name);
		CHECK_STR(
		    span_make(c.sa_name.p ? c.sa_name.p : "", c.sa_name.len),
		    cases[i].sa);
	}

	TAP_CASE("bidi controls and NUL stay for the judge (row 23)")
	struct ctype c;
	ctype_parse(&c, SPAN("x/y; name*=''a%E2%80%AEtxt.exe%00"), a);
	CHECK_SPAN(c.name, SPAN("a\xe2\x80\xaetxt.exe\0"));
}

static void
test_disposition(struct arena *a)
{
	static const struct {
		const char *claim, *value, *name, *sa;
		bool attachment;
	} cases[] = {
	    {"an attachment", "attachment; filename=\"a.txt\"", "a.txt",
		"a.txt", true},
	    {"inline", "INLINE; filename=a.txt", "a.txt", "a.txt", false},
	    {"unknown kinds are attachments (RFC 2183 section 2.8)", "x-foo",
		"", "T", true},
	    {"no kind", "filename=a.txt", "a.txt", "a.txt", false},
	    {"filename and filename* (row 21)",
		"attachment; filename=a.txt; filename*=utf-8''b.exe", "b.exe",
		"a.txt", true},
	    {"filename and name", "attachment; filename=a.txt; name=b.exe",
		"b.exe", "a.txt", true},
	    {"SpamAssassin stops at quotes", "attachment; filename=a\"b.txt",
		"a\"b.txt", "a", true},
	    {"and decodes words", "attachment; filename=\"=?utf-8?q?x.htm?=\"",
		"x.htm", "x.htm", true},
	    {"and goes on after an empty name", "attachment; name=; name=b",
		"b", "b", true},
	};
	struct ctype c = {.sa_name = SPAN("T")};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		bool attachment;
		TAP_CASE(cases[i].claim)
		CHECK_STR(ctype_disposition_name(
			      span_of(cases[i].value), &attachment, a),
		    cases[i].name);
		CHECK_INT(attachment, cases[i].attachment);
		CHECK_STR(
		    ctype_sa_name(span_of(cases[i].value), &c, a), cases[i].sa);
	}
	TAP_CASE("without the field the type's name is taken")
	CHECK_STR(ctype_sa_name(SPAN_NONE, &c, a), "T");
	CHECK_STR(ctype_disposition_name(SPAN_NONE, NULL, a), "");
}

static void
test_hostile(struct arena *a)
{
	static const char *const pieces[] = {"name*0=", "name*1=x;",
	    "name=", "boundary=", "boundary=\"\"", "charset", "; (", "; \"",
	    "\\", ";", "name*=''%41;", "filename*9999999999=x;", "(((", "name*",
	    "boundary=a\""};

	for (size_t i = 0; i < sizeof pieces / sizeof *pieces; i++) {
		struct buf text;
		struct ctype c;
		TAP_CASE("100,000 pieces of anything are linear (row 21)")
		buf_init(&text, NULL, 1 << 22);
		buf_add_str(&text, "x/y;");
		for (int k = 0; k < 100000; k++)
			buf_add_str(&text, pieces[i]);
		ctype_parse(&c, buf_span(&text), a);
		CHECK_STR(c.type, "x/y");
		CHECK(!arena_failed(a));
		buf_done(&text);
		arena_reset(a);
	}

	TAP_CASE("100,000 numbered pieces: the first hundred count (row 21)")
	struct buf text;
	struct ctype c;
	buf_init(&text, NULL, 1 << 22);
	buf_add_str(&text, "x/y");
	for (int k = 0; k < 100000; k++)
		buf_printf(&text, "; name*%d=%c", k, 'a' + k % 26);
	ctype_parse(&c, buf_span(&text), a);
	CHECK_INT(c.name.len, CTYPE_PIECES_MAX);
	CHECK_INT(c.sa_name.len, CTYPE_PIECES_MAX);
	CHECK(c.malformed);
	buf_done(&text);

	TAP_CASE("no memory: what can be said is said")
	arena_fail(a);
	ctype_parse(&c, SPAN("a/b; name*=''x; charset=Y"), a);
	CHECK(c.type.len > 0);
	arena_reset(a);
}

int
main(void)
{
	struct arena *a = arena_new(0);

	test_type(a);
	test_name(a);
	test_disposition(a);
	test_hostile(a);
	arena_free(a);
	return tap_done();
}
