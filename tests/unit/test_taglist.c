/* Tag=value lists. */
#include "filter/auth/taglist.h"

#include "tests/lib/tap.h"

struct parse_case {
	const char *claim;
	struct span text;
	int rc;
	const char *want; /* name=value|... */
};

static void
check_list(const struct tag_list *list, struct arena *a, const char *want)
{
	struct span got = SPAN("");

	for (size_t i = 0; i < list->tags.n; i++) {
		const struct tag *t = &list->tags.v[i];
		got = arena_printf(a, "%.*s%s%.*s=%.*s", SPAN_ARG(got),
		    i ? "|" : "", SPAN_ARG(t->name), SPAN_ARG(t->value));
	}
	CHECK_STR(got, want);
}

static void
test_parse(struct arena *a)
{
	static const struct parse_case cases[] = {
	    {"one tag", SPAN("a=b"), 0, "a=b"},
	    {"a final semicolon may stand", SPAN("a=b;"), 0, "a=b"},
	    {"white space may follow it", SPAN("a=b; \r\n\t"), 0, "a=b"},
	    {"white space around names and values goes",
		SPAN(" \r\n a = b c ;\n d=e\t"), 0, "a=b c|d=e"},
	    {"folds may be LF or CRLF", SPAN("a=b\r\n c;\n\td=e\n f"), 0,
		"a=b\r\n c|d=e\n f"},
	    {"a value may be empty", SPAN("a=;b="), 0, "a=|b="},
	    {"a value may hold '='", SPAN("b=ab=="), 0, "b=ab=="},
	    {"names keep their case", SPAN("A=1;a=2"), 0, "A=1|a=2"},
	    {"names may hold digits and underscores", SPAN("x_1=2"), 0,
		"x_1=2"},
	    {"values may hold UTF-8 (RFC 8616)", SPAN("d=b\xc3\xbc.example"), 0,
		"d=b\xc3\xbc.example"},
	    {"an empty text is refused", SPAN(""), ERR_SYNTAX, NULL},
	    {"white space alone is refused", SPAN(" \t"), ERR_SYNTAX, NULL},
	    {"a semicolon alone is refused", SPAN(";"), ERR_SYNTAX, NULL},
	    {"an empty tag is refused", SPAN("a=b;;c=d"), ERR_SYNTAX, NULL},
	    {"two final semicolons are refused", SPAN("a=b;;"), ERR_SYNTAX,
		NULL},
	    {"a tag without '=' is refused", SPAN("a=b; c"), ERR_SYNTAX, NULL},
	    {"a tag without name is refused", SPAN("=b"), ERR_SYNTAX, NULL},
	    {"a name that begins with a digit is refused", SPAN("1a=b"),
		ERR_SYNTAX, NULL},
	    {"a name that begins with an underscore is refused", SPAN("_a=b"),
		ERR_SYNTAX, NULL},
	    {"a space in a name is refused", SPAN("a b=c"), ERR_SYNTAX, NULL},
	    {"NUL is refused", SPAN("a=b\0c"), ERR_SYNTAX, NULL},
	    {"controls are refused", SPAN("a=b\x01"), ERR_SYNTAX, NULL},
	    {"DEL is refused", SPAN("a=\x7f"), ERR_SYNTAX, NULL},
	    {"bytes that are no UTF-8 are refused", SPAN("a=\xff"), ERR_SYNTAX,
		NULL},
	    {"a line end without a blank behind it is refused",
		SPAN("a=b\r\nc"), ERR_SYNTAX, NULL},
	    {"a line end at the end is refused", SPAN("a=b\n"), ERR_SYNTAX,
		NULL},
	    {"a lone CR is refused", SPAN("a=b\rc"), ERR_SYNTAX, NULL},
	    {"a fold in a name is refused", SPAN("a\n b=c"), ERR_SYNTAX, NULL},
	    {"a tag twice voids the list (3.2)", SPAN("a=1;b=2;a=1"),
		ERR_INVALID, NULL},
	};
	struct tag_list list;

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		TAP_CASE(cases[i].claim)
		int rc = taglist_parse(&list, cases[i].text, a);
		CHECK_INT(rc, cases[i].rc);
		if (rc == 0 && cases[i].want)
			check_list(&list, a, cases[i].want);
	}
}

static void
test_lenient(struct arena *a)
{
	static const struct parse_case cases[] = {
	    {"a good list is read alike", SPAN("a=b; c=d;"), 0, "a=b|c=d"},
	    {"pieces that are no tag are left out",
		SPAN("a=b;;junk;=x;c=\x01;d=e"), 0, "a=b|d=e"},
	    {"nothing is a list too", SPAN(""), 0, ""},
	    {"a tag twice voids it still", SPAN("p=none;p=none"), ERR_INVALID,
		NULL},
	};
	struct tag_list list;

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		TAP_CASE(cases[i].claim)
		int rc = taglist_parse_lenient(&list, cases[i].text, a);
		CHECK_INT(rc, cases[i].rc);
		if (rc == 0 && cases[i].want)
			check_list(&list, a, cases[i].want);
	}
}

static struct span
many_tags(struct arena *a, unsigned n)
{
	char *p = arena_alloc(a, n * 5);

	for (unsigned i = 0; p && i < n; i++) {
		char *to = p + i * 5;
		to[0] = (char)('a' + i / 26);
		to[1] = (char)('a' + i % 26);
		memcpy(to + 2, "=x;", 3);
	}
	return span_make(p, n * 5);
}

static void
test_limits(struct arena *a)
{
	struct tag_list list;

	TAP_CASE("the most tags are read, and one more is too many")
	CHECK_INT(taglist_parse(&list, many_tags(a, TAGLIST_TAGS_MAX), a), 0);
	CHECK_INT(list.tags.n, TAGLIST_TAGS_MAX);
	CHECK_INT(taglist_parse(&list, many_tags(a, TAGLIST_TAGS_MAX + 1), a),
	    ERR_LIMIT);
	TAP_CASE("an arena that is used up is told")
	struct arena *small = arena_new(16);
	CHECK_INT(taglist_parse(&list, SPAN("a=b"), small), ERR_NOMEM);
	arena_free(small);
}

static void
test_access(struct arena *a)
{
	struct tag_list list;
	struct span rest;

	CHECK_INT(taglist_parse(&list, SPAN("v=1; b= ab\r\n cd ;x="), a), 0);
	TAP_CASE("a tag that is not there has no place")
	CHECK(taglist_get(&list, "z").p == NULL);
	CHECK(taglist_get(&list, "V").p == NULL);
	CHECK(taglist_get(&list, "x").p != NULL);
	CHECK_INT(taglist_get(&list, "x").len, 0);
	TAP_CASE("what stands between '=' and ';' is kept whole")
	CHECK_STR(taglist_find(&list, "b")->whole, " ab\r\n cd ");
	CHECK_STR(taglist_get(&list, "b"), "ab\r\n cd");
	TAP_CASE("white space is taken out of a value")
	CHECK_STR(taglist_unspaced(taglist_get(&list, "b"), a), "abcd");
	CHECK_STR(taglist_unspaced(SPAN("abcd"), a), "abcd");
	CHECK_STR(taglist_unspaced(SPAN(" \t"), a), "");
	TAP_CASE("items of a list are trimmed, empty ones stay")
	rest = SPAN("a : b\r\n :: c");
	CHECK_STR(taglist_item(&rest, ':'), "a");
	CHECK_STR(taglist_item(&rest, ':'), "b");
	CHECK_STR(taglist_item(&rest, ':'), "");
	CHECK_STR(taglist_item(&rest, ':'), "c");
	CHECK(rest.p == NULL);
	TAP_CASE("items are found whole, in any case")
	CHECK(taglist_has_item(SPAN("y : S"), "s"));
	CHECK(!taglist_has_item(SPAN("ys"), "s"));
	CHECK(!taglist_has_item(SPAN_NONE, "s"));
}

int
main(void)
{
	struct arena *a = arena_new(0);

	test_parse(a);
	test_lenient(a);
	test_limits(a);
	test_access(a);
	arena_free(a);
	return tap_done();
}
