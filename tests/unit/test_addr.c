/* Addresses as mail programs show them, and whether programs may disagree. */
#include "filter/mail/addr.h"

#include "filter/base/buf.h"
#include "tests/lib/tap.h"

enum { CLEAR = 0, AMBIGUOUS = 1, GROUP = 2 };

struct test {
	const char *claim, *text;
	const char *shown; /* "name|local|domain" joined by ";" */
	int flags;
};

static void
check(const struct test *t, struct span text, struct arena *a)
{
	struct addr_list list;
	struct buf shown;

	TAP_CASE(t->claim)
	addr_parse(&list, text, a);
	buf_init(&shown, a, 10000);
	for (size_t i = 0; i < list.items.n; i++) {
		const struct addr *item = &list.items.v[i];
		if (i)
			buf_add_char(&shown, ';');
		buf_add_span(&shown, item->name);
		buf_add_char(&shown, '|');
		buf_add_span(&shown, item->local);
		buf_add_char(&shown, '|');
		buf_add_span(&shown, item->domain);
	}
	CHECK_STR(buf_span(&shown), t->shown);
	CHECK_INT(list.ambiguous, (t->flags & AMBIGUOUS) != 0);
	CHECK_INT(list.group, (t->flags & GROUP) != 0);
}

static void
test_forms(struct arena *a)
{
	static const struct test cases[] = {
	    {"RFC 5322 A.1.1, name and address",
		"John Doe <jdoe@machine.example>",
		"John Doe|jdoe|machine.example", CLEAR},
	    {"RFC 5322 A.1.2, quoted name, several addresses",
		"\"Joe Q. Public\" <john.q.public@example.com>, Mary Smith "
		"<mary@x.test>, jdoe@example.org, Who? <one@y.test>",
		"Joe Q. Public|john.q.public|example.com;Mary Smith|mary|x.test;"
		"|jdoe|example.org;Who?|one|y.test",
		CLEAR},
	    {"RFC 5322 A.1.2, quoted pairs",
		"<boss@nil.test>, \"Giant; \\\"Big\\\" Box\" "
		"<sysservices@example.net>",
		"|boss|nil.test;Giant; \"Big\" Box|sysservices|example.net",
		CLEAR},
	    {"RFC 5322 A.1.3, a group",
		"A Group:Ed Jones <c@a.test>,joe@where.test,John "
		"<jdoe@one.test>;",
		"Ed Jones|c|a.test;|joe|where.test;John|jdoe|one.test", GROUP},
	    {"RFC 5322 A.1.3, an empty group", "Undisclosed recipients:;", "",
		GROUP},
	    {"RFC 5322 A.5, white space and comments",
		"Pete(A nice \\) chap) "
		"<pete(his account)@silly.test(his host)>",
		"Pete|pete|silly.test", AMBIGUOUS},
	    {"RFC 5322 A.6.1, a name with a dot",
		"Joe Q. Public <john.q.public@example.com>",
		"Joe Q. Public|john.q.public|example.com", CLEAR},
	    {"RFC 5322 A.6.1, a route",
		"Mary Smith <@node.test:mary@example.net>, , "
		"jdoe@test  . example",
		"Mary Smith|mary|example.net;|jdoe|test.example", AMBIGUOUS},
	    {"RFC 5322 A.6.3, folds and comments",
		"John Doe <jdoe@machine(comment).  example>",
		"John Doe|jdoe|machine.example", AMBIGUOUS},
	    {"RFC 6854 section 5, a group in From", "Nightly Monitor Robot:;",
		"", GROUP},
	    {"RFC 6854, a group with one member",
		"Managing Partners:ben@example.com;", "|ben|example.com",
		GROUP},
	    {"RFC 6532, an address in UTF-8",
		"J\xc3\xb8rn <j\xc3\xb8rn@b\xc3\xbc"
		"cher.example>",
		"J\xc3\xb8rn|j\xc3\xb8rn|b\xc3\xbc"
		"cher.example",
		CLEAR},
	    {"a bare address", "joe@example.com", "|joe|example.com", CLEAR},
	    {"an address with a comment for a name",
		"joe@example.com (Joe (the) Doe)",
		"Joe (the) Doe|joe|example.com", CLEAR},
	    {"a comment in front", "(Joe) joe@example.com",
		"Joe|joe|example.com", CLEAR},
	    {"the phrase before the comment", "Joe <joe@example.com> (x)",
		"Joe|joe|example.com", CLEAR},
	    {"an encoded name", "=?utf-8?q?J=C3=B8?= =?utf-8?q?rn?= <j@x.test>",
		"J\xc3\xb8rn|j|x.test", CLEAR},
	    {"an encoded word in quotes", "\"=?utf-8?q?a?=\" <j@x.test>",
		"a|j|x.test", CLEAR},
	    {"an 8-bit name", "J\xf8rn <j@x.test>", "J\xc3\xb8rn|j|x.test",
		CLEAR},
	    {"no blank before the bracket", "Joe<j@x.test>", "Joe|j|x.test",
		CLEAR},
	    {"blanks inside the brackets", "< j@x.test >", "|j|x.test", CLEAR},
	    {"folded (row 4)", "\r\n Joe\r\n\tDoe\r\n <j@x.test>\r\n",
		"Joe Doe|j|x.test", CLEAR},
	    {"a quoted local part", "\"joe doe\"@x.test", "|joe doe|x.test",
		CLEAR},
	    {"a domain literal", "joe@[192.0.2.1]", "|joe|[192.0.2.1]", CLEAR},
	    {"brackets in a name", "[List] Joe <j@x.test>",
		"[List] Joe|j|x.test", CLEAR},
	    {"a final dot goes (row 6)", "<j@x.test.>", "|j|x.test", CLEAR},
	    {"a local part alone", "root", "|root|", CLEAR},
	    {"a name that is the address", "j@x.test <J@X.test>",
		"j@x.test|J|X.test", CLEAR},
	    {"a quoted name that is the address", "\"j@x.test\" <j@x.test>",
		"j@x.test|j|x.test", CLEAR},
	    {"a quoted name with another address in the open",
		"\"j@y.test via List\" <l@x.test>",
		"j@y.test via List|l|x.test", CLEAR},
	    {"nothing", "", "", CLEAR},
	    {"nothing but commas", " , ,", "", CLEAR},
	    {"an empty path", "<>", "", CLEAR},
	    {"a name with an empty path", "Joe <>", "Joe||", CLEAR},
	    {"a comment alone", "(Joe)", "", CLEAR},
	    {"two addresses, one without name", "a@x.test,b@y.test",
		"|a|x.test;|b|y.test", CLEAR},
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		check(&cases[i], span_of(cases[i].text), a);
}

static void
test_ambiguous(struct arena *a)
{
	static const struct test cases[] = {
	    {"a quoted local part with @ (row 5)", "\"a@bank.test\"@evil.test",
		"|a@bank.test|evil.test", AMBIGUOUS},
	    {"the same in brackets", "<\"a@bank.test> \"@evil.test>",
		"|a@bank.test> |evil.test", AMBIGUOUS},
	    {"a nested comment with an address (row 5)",
		"(x (<a@bank.test>)) b@evil.test",
		"x (<a@bank.test>)|b|evil.test", AMBIGUOUS},
	    {"a comment with the same address is clear", "a@x.test (A@X.test)",
		"A@X.test|a|x.test", CLEAR},
	    {"a comment with two addresses", "a@x.test (a@x.test b@y.test)",
		"a@x.test b@y.test|a|x.test", AMBIGUOUS},
	    {"two comments with addresses", "a@x.test (b@y.test) (a@x.test)",
		"b@y.test|a|x.test", AMBIGUOUS},
	    {"a comment alone with an address", "(a@x.test)", "", AMBIGUOUS},
	    {"a comment in the local part", "a(c)b@x.test", "a|b|x.test",
		AMBIGUOUS},
	    {"a comment before @", "a(c)@x.test", "c|a|x.test", AMBIGUOUS},
	    {"a comment behind @", "a@(c)x.test", "c|a|x.test", AMBIGUOUS},
	    {"a comment that lengthens the domain", "<a@bank.test(.evil.test)>",
		".evil.test|a|bank.test", AMBIGUOUS},
	    {"a route (row 5)", "<@bank.test,@b.test:a@evil.test>",
		"|a|evil.test", AMBIGUOUS},
	    {"an encoded word around the address (row 5)",
		"=?utf-8?q?a=40bank.test?=", "a@bank.test|a|bank.test",
		AMBIGUOUS},
	    {"an encoded word around brackets and all",
		"=?utf-8?q?Joe_=3Ca=40bank.test=3E?= <b@evil.test>",
		"Joe <a@bank.test>|b|evil.test", AMBIGUOUS},
	    {"an encoded word inside the address", "=?utf-8?q?a?=@bank.test",
		"|=?utf-8?q?a?=|bank.test", AMBIGUOUS},
	    {"an encoded word inside the brackets",
		"<a@=?utf-8?q?bank=2Etest?=>",
		"|a|=?utf-8?q?bank=2Etest?=", AMBIGUOUS},
	    {"brackets in a quoted name", "\"<a@bank.test>\" <b@evil.test>",
		"<a@bank.test>|b|evil.test", AMBIGUOUS},
	    {"the same address in brackets in the name is clear",
		"\"Joe <b@x.test>\" <b@x.test>", "Joe <b@x.test>|b|x.test",
		CLEAR},
	    {"an address without quotes before the brackets",
		"a@bank.test <b@evil.test>", "a@bank.test|b|evil.test",
		AMBIGUOUS},
	    {"two in brackets, no comma", "<a@bank.test> <b@evil.test>",
		"|a|bank.test;|b|evil.test", AMBIGUOUS},
	    {"two without comma", "a@bank.test b@evil.test",
		"|a|bank.test;|b|evil.test", AMBIGUOUS},
	    {"one in brackets, one behind", "<a@bank.test> b@evil.test",
		"|a|bank.test;|b|evil.test", AMBIGUOUS},
	    {"words behind the brackets", "<a@bank.test> Joe", "|a|bank.test",
		AMBIGUOUS},
	    {"words behind an address", "a@bank.test Joe", "|a|bank.test",
		AMBIGUOUS},
	    {"words before an address", "Joe Doe a@bank.test",
		"Joe Doe|a|bank.test", AMBIGUOUS},
	    {"words inside the brackets", "<joe a@bank.test>", "|a|bank.test",
		AMBIGUOUS},
	    {"words behind, inside the brackets", "<a@bank.test x.test>",
		"|a|bank.test", AMBIGUOUS},
	    {"two inside the brackets", "<a@bank.test, b@evil.test>",
		"|a|bank.test;|b|evil.test", AMBIGUOUS},
	    {"doubled brackets", "<<a@bank.test>>", "|a|bank.test", AMBIGUOUS},
	    {"mailto in the brackets", "<mailto:a@bank.test>", "|a|bank.test",
		AMBIGUOUS},
	    {"two @", "<a@bank.test@evil.test>", "|a@bank.test|evil.test",
		AMBIGUOUS},
	    {"no local part", "<@bank.test>", "||bank.test", AMBIGUOUS},
	    {"no domain", "<a@>", "|a|", AMBIGUOUS},
	    {"an address in quotes", "\"a@bank.test\"",
		"a@bank.test|a|bank.test", AMBIGUOUS},
	    {"a name only", "Joe Doe", "Joe Doe||", AMBIGUOUS},
	    {"a comma in a name", "Doe, Joe <j@x.test>", "Doe, Joe|j|x.test",
		AMBIGUOUS},
	    {"commas in a name", "a@x.test, Doe, Joe F, Jr. <j@x.test>",
		"|a|x.test;Doe, Joe F, Jr.|j|x.test", AMBIGUOUS},
	    {"a comma behind a name", "\"Joe!\", <j@x.test>", "Joe!|j|x.test",
		AMBIGUOUS},
	    {"local parts stay apart from bare addresses", "root, j@x.test",
		"|root|;|j|x.test", CLEAR},
	    {"an unclosed quote loses no address", "\"Joe <j@x.test>",
		"Joe|j|x.test", AMBIGUOUS},
	    {"an unclosed comment neither", "(Joe <j@x.test>", "(Joe|j|x.test",
		AMBIGUOUS},
	    {"nor a bracket", "Joe <j@x.test", "Joe|j|x.test", AMBIGUOUS},
	    {"nor a square bracket", "[Joe <j@x.test>", "[Joe|j|x.test",
		AMBIGUOUS},
	    {"an address in square brackets", "[<a@bank.test>] <j@x.test>",
		"[<a@bank.test>]|j|x.test", AMBIGUOUS},
	    {"a fold in square brackets", "a@[192.0.\r\n 2.1]",
		"|a|[192.0. 2.1]", AMBIGUOUS},
	    {"a bracket too many", "j@x.test>", "|j|x.test", AMBIGUOUS},
	    {"a semicolon for a comma", "a@x.test; b@y.test",
		"|a|x.test;|b|y.test", AMBIGUOUS},
	    {"an address as a group's name", "a@bank.test: b@evil.test;",
		"|b|evil.test", AMBIGUOUS | GROUP},
	    {"an unclosed group", "G: b@x.test", "|b|x.test",
		AMBIGUOUS | GROUP},
	    {"a group in a group", "G: H: b@x.test;;", "|b|x.test",
		AMBIGUOUS | GROUP},
	    {"an address behind a group", "G: a@x.test; b@y.test",
		"|a|x.test;|b|y.test", AMBIGUOUS | GROUP},
	    {"an address behind a group and a comma is clear",
		"G: a@x.test;, b@y.test", "|a|x.test;|b|y.test", GROUP},
	    {"a bare CR", "a@bank.test\r, b@evil.test",
		"|a|bank.test;|b|evil.test", AMBIGUOUS},
	    {"a bare LF", "a@bank.test,\nb@evil.test",
		"|a|bank.test;|b|evil.test", AMBIGUOUS},
	    {"a control byte", "a@ba\x01nk.test", "|a|ba\x01nk.test",
		AMBIGUOUS},
	    {"invalid UTF-8 in the address (row 23)", "a@b\xfc.test",
		"|a|b\xfc.test", AMBIGUOUS},
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		check(&cases[i], span_of(cases[i].text), a);

	struct addr_list list;
	TAP_CASE("a NUL byte (rows 3 and 6)")
	addr_parse(&list, SPAN("<a@bank.test\0.evil.test>"), a);
	CHECK(list.ambiguous);
	CHECK_INT(list.items.n, 1);
	CHECK_SPAN(list.items.v[0].domain, SPAN("bank.test\0.evil.test"));

	TAP_CASE("comments deeper than ADDR_DEPTH")
	struct buf text;
	buf_init(&text, a, 1000);
	for (int i = 0; i <= ADDR_DEPTH; i++)
		buf_add_char(&text, '(');
	for (int i = 0; i <= ADDR_DEPTH; i++)
		buf_add_char(&text, ')');
	buf_add_str(&text, "a@x.test");
	addr_parse(&list, buf_span(&text), a);
	CHECK(list.ambiguous);
	CHECK_STR(list.items.v[0].spec, "a@x.test");
	addr_parse(
	    &list, span_make(text.p + 1, text.len - 2 - strlen("a@x.test")), a);
	CHECK(!list.ambiguous);
}

static void
test_parts(struct arena *a)
{
	struct addr_list list;

	TAP_CASE("the text of an address keeps its quotes")
	addr_parse(&list, SPAN("\"a\\\"\r\n b\" . c@x.test."), a);
	CHECK_INT(list.items.n, 1);
	CHECK_STR(list.items.v[0].spec, "\"a\\\" b\".c@x.test");
	CHECK_STR(list.items.v[0].local, "a\" b.c");
	CHECK(list.items.v[0].quoted);

	TAP_CASE("the raw name keeps encoded words")
	addr_parse(&list, SPAN("\"=?utf-8?q?a?=\" b <j@x.test>"), a);
	CHECK_STR(list.items.v[0].raw_name, "=?utf-8?q?a?= b");
	CHECK_STR(list.items.v[0].name, "a b");

	TAP_CASE("an address is found in text")
	CHECK_STR(
	    addr_find(SPAN("x <joe.doe@mail.x.test>.")), "joe.doe@mail.x.test");
	CHECK_STR(addr_find(SPAN("a@b c@d.test.")), "c@d.test");
	CHECK(addr_find(SPAN("a@b @x.test a@.test a@")).p == NULL);
}

static void
test_hostile(struct arena *a)
{
	static const char *const pieces[] = {"(", "((", "\"", "\\\"", "<", "@",
	    "[", ",", ";", ":", "a:", "a@b.test,", "<a@b>", "a@b ", "(a@b.c)",
	    "a ", "\"a@b\"@", "=?a?q?", ".", "<a@b", "a@b(", "[]", "\0"};

	for (size_t i = 0; i < sizeof pieces / sizeof *pieces; i++) {
		struct addr_list list;
		struct buf text;
		TAP_CASE("a megabyte of anything is linear (rows 7 and 9)")
		buf_init(&text, NULL, 1 << 21);
		while (text.len < 1000000) {
			if (*pieces[i])
				buf_add_str(&text, pieces[i]);
			else
				buf_add_char(&text, '\0');
		}
		buf_add_str(&text, " <joe@example.com>");
		addr_parse(&list, buf_span(&text), a);
		CHECK(list.items.n <= ADDR_MAX);
		CHECK(list.truncated && list.ambiguous);
		addr_parse(
		    &list, span_skip(buf_span(&text), text.len - 100000), a);
		CHECK(list.truncated || list.items.n > 0);
		CHECK(!arena_failed(a));
		buf_done(&text);
		arena_reset(a);
	}

	TAP_CASE("a thousand addresses stay, more are said")
	struct addr_list list;
	struct buf text;
	buf_init(&text, a, 1 << 20);
	for (int i = 0; i < ADDR_MAX; i++)
		buf_add_str(&text, "a@x.test, ");
	addr_parse(&list, buf_span(&text), a);
	CHECK_INT(list.items.n, ADDR_MAX);
	CHECK(!list.truncated);
	buf_add_str(&text, "a@x.test");
	addr_parse(&list, buf_span(&text), a);
	CHECK_INT(list.items.n, ADDR_MAX);
	CHECK(list.truncated);

	TAP_CASE("no memory: no items, no harm")
	arena_fail(a);
	addr_parse(&list, SPAN("Joe <\"a\\b\"@x.test>, x (c\\d)"), a);
	CHECK_INT(list.items.n, 0);
	arena_reset(a);
}

static void
test_path(struct arena *a)
{
	static const struct {
		const char *claim, *text, *local, *domain, *spec;
		bool good, quoted;
	} cases[] = {
	    {"a path", "<joe@x.test>", "joe", "x.test", "joe@x.test", true,
		false},
	    {"without brackets", "joe@x.test", "joe", "x.test", "joe@x.test",
		true, false},
	    {"the null path (row 58)", "<>", "", "", "", false, false},
	    {"a route is dropped (row 58)", "<@a.test,@b.test:joe@x.test>",
		"joe", "x.test", "joe@x.test", true, false},
	    {"quotes are undone (row 58)", "<\"joe\\\" @doe\"@x.test>",
		"joe\" @doe", "x.test", "\"joe\\\" @doe\"@x.test", true, true},
	    {"an @ in the quotes and none behind", "\"a@x.test\"",
		"\"a@x.test\"", "", "\"a@x.test\"", false, false},
	    {"a final dot goes", "<joe@x.test.>", "joe", "x.test", "joe@x.test",
		true, false},
	    {"no @", "<joe>", "joe", "", "joe", false, false},
	    {"no domain", "<joe@>", "joe@", "", "joe@", false, false},
	    {"two @: the last", "a@b@x.test", "a@b", "x.test", "a@b@x.test",
		true, false},
	    {"odd characters pass (row 58)", "<$(x)|%@x.test>", "$(x)|%",
		"x.test", "$(x)|%@x.test", true, false},
	    {"UTF-8 (row 58)", "<j\xc3\xb8@b\xc3\xbc.test>", "j\xc3\xb8",
		"b\xc3\xbc.test", "j\xc3\xb8@b\xc3\xbc.test", true, false},
	    {"an unclosed quote", "\"a\\", "\"a\\", "", "\"a\\", false, false},
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct addr got;
		TAP_CASE(cases[i].claim)
		CHECK_INT(addr_parse_path(&got, span_of(cases[i].text), a),
		    cases[i].good);
		if (cases[i].good) {
			CHECK_STR(got.local, cases[i].local);
			CHECK_STR(got.domain, cases[i].domain);
		} else {
			CHECK_STR(got.local, cases[i].spec);
			CHECK_INT(got.domain.len, 0);
		}
		CHECK_STR(got.spec, cases[i].spec);
		CHECK_INT(got.quoted, cases[i].quoted);
	}
}

int
main(void)
{
	struct arena *a = arena_new(0);

	test_forms(a);
	test_ambiguous(a);
	test_parts(a);
	test_path(a);
	test_hostile(a);
	arena_free(a);
	return tap_done();
}
