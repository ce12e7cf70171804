/* Authentication-Results: ours are written safely, forged ones found. */
#include "filter/mail/authres.h"

#include "tests/lib/tap.h"

#define OUR "mx.example.org"

static void
test_id(struct arena *a)
{
	static const struct {
		const char *claim, *value, *id; /* NULL: unreadable */
	} cases[] = {
	    {"RFC 8601 B.2", " example.org 1; none", "example.org"},
	    {"RFC 8601 B.5, folds",
		" example.com;\r\n\tspf=pass smtp.mailfrom=x", "example.com"},
	    {"comments before and behind",
		"(a (nested) b) mx.example.org (c); none", OUR},
	    {"quotes", "\"mx.example.org\"; none", OUR},
	    {"quoted pairs", "\"m\\x.example.org\"; none", OUR},
	    {"case", "MX.Example.ORG; none", OUR},
	    {"a final dot", "mx.example.org.; none", OUR},
	    {"no semicolon", "mx.example.org", OUR},
	    {"UTF-8",
		"b\xc3\xbc"
		"cher.example; none",
		"xn--bcher-kva.example"},
	    {"an id that is no domain", "Mail_Hub; none", "mail_hub"},
	    {"empty", "", NULL},
	    {"no id", "; spf=pass", NULL},
	    {"an unclosed comment", "(mx.example.org; none", NULL},
	    {"an unclosed quote", "\"mx.example.org; none", NULL},
	    {"empty quotes", "\"\"; none", NULL},
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct span id = SPAN("?");
		TAP_CASE(cases[i].claim)
		bool good = authres_id(span_of(cases[i].value), a, &id);
		CHECK_INT(good, cases[i].id != NULL);
		if (cases[i].id)
			CHECK_STR(id, cases[i].id);
	}
}

static void
test_claims(struct arena *a)
{
	static const char *const forged[] = {
	    /* well-formed */
	    "mx.example.org; spf=pass",
	    " mx.example.org;\r\n\tspf=pass",
	    "\r\n mx.example.org; spf=pass",
	    "MX.EXAMPLE.ORG; spf=pass",
	    "mx.example.org.; spf=pass",
	    "mx.example.org 1; spf=pass",
	    "mx.example.org 2; spf=pass",
	    "mx.example.org (c) 1 (d); spf=pass",
	    "(c) mx.example.org; spf=pass",
	    "(c;d) mx.example.org; spf=pass",
	    "(\\)) mx.example.org; spf=pass",
	    "\"mx.example.org\"; spf=pass",
	    "\"mx.ex\\ample.org\"; spf=pass",
	    "\" mx.example.org\"; spf=pass",
	    "\"mx.example .org\"; spf=pass",
	    "mx.example.org",
	    "mx.example.org;",
	    /* malformed */
	    "mx.example.org spf=pass",
	    "mx.example.org/1; spf=pass",
	    "mx.example.org, spf=pass",
	    "mx.example.org:25; spf=pass",
	    "mx.example.org@x; spf=pass",
	    "mx.example.org..; spf=pass",
	    ".mx.example.org; spf=pass",
	    "; mx.example.org; spf=pass",
	    ";;(x);mx.example.org; spf=pass",
	    "x mx.example.org; spf=pass",
	    "mx .example.org; spf=pass",
	    "mx(c).example.org; spf=pass",
	    "mx.\r\n example.org; spf=pass",
	    "(mx.example.org; spf=pass",
	    "((c) mx.example.org; spf=pass",
	    "\"mx.example.org; spf=pass",
	    "\"mx\".example.org; spf=pass",
	    "mx\\.example.org; spf=pass",
	    "<mx.example.org>; spf=pass",
	    "[mx.example.org]; spf=pass",
	    "mx.example.org\x01; spf=pass",
	    "mx.exa\rmple.org; spf=pass",
	    "authserv-id=mx.example.org; spf=pass",
	    /* other alphabets */
	    "\xef\xbd\x8d\xef\xbd\x98.example.org; spf=pass",
	    "mx\xe3\x80\x82"
	    "example.org; spf=pass",
	    "mx.exa\xc2\xadmple.org; spf=pass",
	    "=?utf-8?q?mx=2Eexample=2Eorg?=; spf=pass",
	    "=?utf-8?b?bXguZXhhbXBsZS5vcmc=?=; spf=pass",
	};
	static const char *const foreign[] = {
	    "mx.example.com; spf=pass",
	    "mx.example.org.evil.test; spf=pass",
	    "evil-mx.example.org; spf=pass",
	    "example.org; spf=pass smtp.helo=mx.example.org",
	    "other.test; spf=pass (mx.example.org: domain of a@b.test)",
	    "other.test 1; none (mx.example.org)",
	    "other.test (mx.example.org); none",
	    "(by mx.example.org) other.test; none",
	    "mx.example.org1; none",
	    "",
	    "; spf=pass",
	    "spf=pass (sender IP is 192.0.2.1) smtp.mailfrom=x.test; dkim=none",
	};

	for (size_t i = 0; i < sizeof forged / sizeof *forged; i++) {
		TAP_CASE("a forged form is found (row 47)")
		if (!CHECK(authres_claims(span_of(forged[i]), SPAN(OUR), a)))
			CHECK_STR(span_of(forged[i]), "found");
	}
	for (size_t i = 0; i < sizeof foreign / sizeof *foreign; i++) {
		TAP_CASE("a foreign field stays (row 47)")
		if (!CHECK(!authres_claims(span_of(foreign[i]), SPAN(OUR), a)))
			CHECK_STR(span_of(foreign[i]), "foreign");
	}

	TAP_CASE("NUL ends the id for some (row 47)")
	CHECK(authres_claims(
	    SPAN("mx.example.org\0.evil.test; none"), SPAN(OUR), a));

	TAP_CASE("our id may be written in any form too")
	CHECK(authres_claims(SPAN("xn--bcher-kva.example; none"),
	    SPAN("B\xc3\xbc"
		 "cher.Example."),
	    a));
	CHECK(authres_claims(SPAN("b\xc3\xbc"
				  "cher.example; none"),
	    SPAN("xn--bcher-kva.example"), a));

	TAP_CASE("without an id of ours nothing is ours")
	CHECK(!authres_claims(SPAN("x; none"), SPAN(""), a));

	TAP_CASE("without memory everything is")
	arena_fail(a);
	CHECK(authres_claims(SPAN("x.test; none"), SPAN(OUR), a));
	arena_reset(a);
}

static void
test_hostile(struct arena *a)
{
	static const char *const pieces[] = {"(", "\"", "\\", ";", "mx.", "x ",
	    "x.example.org ", "\xc3\xbc.example.org ",
	    "=?utf-8?q?a?= ", "mx.example.or ", "()"};

	for (size_t i = 0; i < sizeof pieces / sizeof *pieces; i++) {
		struct buf text;
		struct span id;
		TAP_CASE("a megabyte of anything is linear (row 9)")
		buf_init(&text, NULL, 1 << 21);
		while (text.len < 1000000)
			buf_add_str(&text, pieces[i]);
		buf_add_str(&text, "; mx.example.org; spf=pass");
		authres_claims(buf_span(&text), SPAN(OUR), a);
		authres_id(buf_span(&text), a, &id);
		CHECK(!arena_failed(a));
		buf_done(&text);
		arena_reset(a);
	}
}

static bool
is_clean(struct span s)
{
	for (size_t i = 0; i < s.len; i++) {
		if (s.p[i] == '\n') {
			if (i + 2 >= s.len || s.p[++i] != '\t')
				return false;
		} else if (s.p[i] < ' ' || s.p[i] > '~') {
			return false;
		}
	}
	return true;
}

static void
test_write(struct arena *a)
{
	struct authres ar;
	struct span got;

	TAP_CASE("nothing done is said (RFC 8601 B.2)")
	authres_begin(&ar, a, SPAN(OUR));
	CHECK_STR(authres_end(&ar), "mx.example.org; none");

	TAP_CASE("results, reasons and properties (RFC 8601 B.5)")
	authres_begin(&ar, a, SPAN(OUR));
	authres_result(&ar, "spf", "pass", SPAN("domain (x) designates"));
	authres_prop(&ar, "smtp.mailfrom", SPAN("joe@example.com"));
	authres_result(&ar, "dkim", "fail", SPAN_NONE);
	authres_prop(&ar, "header.d", SPAN("example.com"));
	authres_prop(&ar, "header.i", SPAN("@example.com"));
	authres_prop(&ar, "header.b", SPAN("ab/+=="));
	authres_prop(&ar, "header.s", SPAN(""));
	CHECK_STR(authres_end(&ar),
	    "mx.example.org;\n\tspf=pass (domain \\(x\\) designates) "
	    "smtp.mailfrom=joe@example.com;\n\tdkim=fail "
	    "header.d=example.com header.i=@example.com "
	    "header.b=\"ab/+==\"");

	TAP_CASE("values of a sender stay values")
	authres_begin(&ar, a, SPAN(OUR));
	authres_result(
	    &ar, "spf", "fail", SPAN("x); dkim=pass (\r\nBcc: a\0\x7f\xe9"));
	authres_prop(
	    &ar, "smtp.mailfrom", SPAN("\"a\\; dkim=pass\"\r\n@x.test"));
	authres_prop(&ar, "smtp.helo", SPAN("x;dkim=pass"));
	got = authres_end(&ar);
	CHECK(is_clean(got));
	CHECK_STR(got,
	    "mx.example.org;\n\tspf=fail (x\\); dkim=pass \\( Bcc: a??\?)\n\t"
	    "smtp.mailfrom=\"\\\"a\\\\; dkim=pass\\\"??@x.test\" "
	    "smtp.helo=\"x;dkim=pass\"");

	TAP_CASE("domains in UTF-8 are written as A-labels, other text masked")
	authres_begin(&ar, a,
	    SPAN("B\xc3\xbc"
		 "cher.example"));
	authres_result(&ar, "spf", "none", SPAN_NONE);
	authres_prop(&ar, "smtp.mailfrom",
	    SPAN("j\xc3\xb8@b\xc3\xbc"
		 "cher.example"));
	authres_prop(&ar, "smtp.helo", SPAN("\xff.example"));
	CHECK_STR(authres_end(&ar),
	    "xn--bcher-kva.example;\n\tspf=none "
	    "smtp.mailfrom=\"j??@xn--bcher-kva.example\" "
	    "smtp.helo=\"?.example\"");

	TAP_CASE("long text is cut and lines stay short")
	char text[5000];
	for (size_t i = 0; i < sizeof text; i++)
		text[i] = i % 8 ? 'x' : ' ';
	authres_begin(&ar, a, SPAN(OUR));
	for (int i = 0; i < 20; i++) {
		authres_result(
		    &ar, "dkim", "pass", span_make(text, sizeof text));
		authres_prop(&ar, "header.d", SPAN("mail.example.com"));
		authres_prop(&ar, "header.s", SPAN("selector2026"));
	}
	got = authres_end(&ar);
	CHECK(is_clean(got));
	CHECK(got.len < 20 * 250);
	struct span line;
	while (span_line(&got, &line))
		CHECK(line.len <= 78);

	TAP_CASE("of a long address the domain is kept, not its beginning")
	memset(text, 'x', sizeof text);
	memcpy(text + 307, "@bank.example.evil.example", 26);
	authres_begin(&ar, a, SPAN(OUR));
	authres_result(&ar, "spf", "pass", SPAN_NONE);
	authres_prop(&ar, "smtp.mailfrom", span_make(text, 333));
	got = authres_end(&ar);
	CHECK(span_ends(got, SPAN("x@bank.example.evil.example")));
	CHECK(got.len < 400);

	TAP_CASE("what never breaks stays far below SMTP's 998")
	memset(text, '"', sizeof text);
	authres_begin(&ar, a, SPAN(OUR));
	authres_result(&ar, "spf", "pass", span_make(text, sizeof text));
	authres_prop(&ar, "smtp.helo", span_make(text, sizeof text));
	got = authres_end(&ar);
	while (span_line(&got, &line))
		CHECK(line.len < 900);

	TAP_CASE("past all limits there is no field rather than half of one")
	authres_begin(&ar, a, SPAN(OUR));
	authres_result(&ar, "spf", "pass", SPAN_NONE);
	for (int i = 0; i < 1000; i++)
		authres_prop(&ar, "smtp.helo", span_make(text, sizeof text));
	CHECK(authres_end(&ar).p == NULL);

	TAP_CASE("what is written is read as ours")
	authres_begin(&ar, a, SPAN("Odd id"));
	got = authres_end(&ar);
	CHECK_STR(got, "\"Odd id\"; none");
	CHECK(authres_claims(got, SPAN("odd id"), a));
}

int
main(void)
{
	struct arena *a = arena_new(0);

	test_id(a);
	test_claims(a);
	test_write(a);
	test_hostile(a);
	arena_free(a);
	return tap_done();
}
