/* The configuration parser finds all mistakes, each where it stands. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "filter/base/buf.h"
#include "filter/conf/conf.h"
#include "tests/lib/tap.h"

#define TEXT_MAX 4000000

/* All errors, each on a line. */
static struct span
errors_of(const struct conf *conf)
{
	struct buf out;

	buf_init(&out, conf->arena, TEXT_MAX);
	for (size_t i = 0; i < conf->errors.n; i++) {
		buf_add_span(
		    &out, conf_error_text(&conf->errors.v[i], conf->arena));
		buf_add_char(&out, '\n');
	}
	return buf_span(&out);
}

static void
dump_entry(struct buf *out, const struct conf_entry *entry)
{
	buf_printf(out, "  %.*s %u:%u %u:%u", SPAN_ARG(entry->key),
	    entry->where.line, entry->where.column, entry->value_where.line,
	    entry->value_where.column);
	if (entry->list)
		buf_add_str(out, " list");
	for (size_t i = 0; i < entry->n; i++)
		buf_printf(out, " [%.*s]", SPAN_ARG(entry->items[i]));
	buf_add_char(out, '\n');
}

/* The whole tree as text, with places. */
static struct span
tree_of(const struct conf *conf)
{
	struct buf out;

	buf_init(&out, conf->arena, TEXT_MAX);
	for (size_t i = 0; i < conf->sections.n; i++) {
		const struct conf_section *s = conf->sections.v[i];
		buf_printf(&out, "%.*s(%.*s) %u:%u\n", SPAN_ARG(s->name),
		    SPAN_ARG(s->title), s->where.line, s->where.column);
		for (size_t j = 0; j < s->entries.n; j++)
			dump_entry(&out, &s->entries.v[j]);
	}
	return buf_span(&out);
}

static const struct {
	const char *claim, *text, *tree;
} good[] = {
    {"an empty text is an empty tree", "", ""},
    {"comments and blanks are nothing", " # a\n\t\n\r\n#b", ""},
    {"a comment may be in any charset", "# gr\xfc\xdf\n", ""},
    {"keys outside of sections belong to the section without a name",
	"a = 1\nb = 2", "() 1:1\n  a 1:1 1:5 [1]\n  b 2:1 2:5 [2]\n"},
    {"several entries may stand on one line", "s { a = 1  b = x c={} }",
	"s() 1:1\n  a 1:5 1:9 [1]\n  b 1:12 1:16 [x]\n  c 1:18 1:20 list\n"},
    {"several sections may stand on one line", "s{a=1}t{b=2}",
	"s() 1:1\n  a 1:3 1:5 [1]\nt() 1:7\n  b 1:9 1:11 [2]\n"},
    {"a title is a word or a string", "p default { }\np \"a b\" { a = 1 }",
	"p(default) 1:1\np(a b) 2:1\n  a 2:11 2:15 [1]\n"},
    {"a list may end with a comma and go over lines",
	"a = { b,\n # c\n\"d\" , }", "() 1:1\n  a 1:1 1:5 list [b] [d]\n"},
    {"words are addresses, rates, paths and names",
	"a = { 127.0.0.0/8, ::1, 200/1h, file:/etc/x, a\\b, (c), 'd', $E,"
	" }",
	"() 1:1\n  a 1:1 1:5 list [127.0.0.0/8] [::1] [200/1h] [file:/etc/x]"
	" [a\\b] [(c)] ['d'] [$E]\n"},
    {"strings know four escapes and keep the rest",
	"a = \"q\\\" b\\\\ n\\n t\\t #{}=, ${HOME} %{ref}\"",
	"() 1:1\n  a 1:1 1:5 [q\" b\\ n\n t\t #{}=, ${HOME} %{ref}]\n"},
    {"an empty string is a value", "a = \"\"", "() 1:1\n  a 1:1 1:5 []\n"},
    {"UTF-8 stands in words and strings",
	"a = { gr\xc3\xbc\xc3\x9f, \"\xe2\x82\xac\" }",
	"() 1:1\n  a 1:1 1:5 list [gr\xc3\xbc\xc3\x9f] [\xe2\x82\xac]\n"},
    {"a byte order mark is skipped",
	"\xef\xbb\xbf"
	"a = 1",
	"() 1:1\n  a 1:1 1:5 [1]\n"},
    {"lines end with LF or CRLF", "s {\r\n a = 1\r\n}\r\n",
	"s() 1:1\n  a 2:2 2:6 [1]\n"},
    {"a comment may follow a brace and a string", "s {# c\n a = \"b\"# d\n}# e",
	"s() 1:1\n  a 2:2 2:6 [b]\n"},
    {"a value may stand on the next line", "a =\n  b\nc = d",
	"() 1:1\n  a 1:1 2:3 [b]\n  c 3:1 3:5 [d]\n"},
    {"the brace may stand on the next line", "s\n{\n}\np x\n{ a = 1 }",
	"s() 1:1\np(x) 4:1\n  a 5:3 5:7 [1]\n"},
    {"a section may be opened again", "s { a = 1 }\ns { b = 2 }",
	"s() 1:1\n  a 1:5 1:9 [1]\n  b 2:5 2:9 [2]\n"},
    {"the same name with another title is another section",
	"p { a = 1 } p x { a = 2 } p y { a = 3 }",
	"p() 1:1\n  a 1:5 1:9 [1]\np(x) 1:13\n  a 1:19 1:23 [2]\n"
	"p(y) 1:27\n  a 1:33 1:37 [3]\n"},
    {"`include` is a key like any other before an equals sign", "include = 1",
	"() 1:1\n  include 1:1 1:11 [1]\n"},
};

static void
test_good(void)
{
	for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
		struct conf *conf = conf_new();
		TAP_CASE(good[i].claim)
		CHECK_INT(conf_read_text(conf, "t", span_of(good[i].text)), 0);
		CHECK_STR(errors_of(conf), "");
		CHECK_STR(tree_of(conf), good[i].tree);
		conf_free(conf);
	}
}

static const struct {
	const char *claim, *text, *errors;
} bad[] = {
    {"an unclosed section is reported where it opened", "\n s {\n a = b\n",
	"t:2:2: section \"s\", opened here, is not closed\n"},
    {"an unclosed list is reported where it opened, and nothing else",
	"s { a = { b, c\n",
	"t:1:9: the list that opens here is not closed before the end of the"
	" file\n"},
    {"a list left open ends where the next entry begins",
	"s {\n a = { b, c\n d = e\n}\n",
	"t:2:6: the list that opens here is not closed before \"d\"\n"},
    {"a list left open swallows its section's brace; the next section tells",
	"s {\n a = { b, c\n}\nt { d = e }\nu { }\n",
	"t:4:1: section \"t\" begins inside \"s\", opened at t:1:1\n"},
    {"an unclosed quote is reported where it opened", "s { a = \"b\n }\nt { }",
	"t:1:9: a quote that opens here is not closed"
	" on its line\n"},
    {"an unclosed quote may hide a brace without a second error",
	"s { a = \"b }\nt { c = d }\nu { }\n",
	"t:1:9: a quote that opens here is not closed on its line\n"},
    {"an unclosed quote in a list is one error",
	"s { a = { b, \"c }\n d = e }\n",
	"t:1:14: a quote that opens here is not closed on its line\n"},
    {"a quote that ends with an escaped quote is not closed", "a = \"b\\\"\n",
	"t:1:5: a quote that opens here is not closed on its line\n"},
    {"a backslash joins no lines", "a = \"b\\\nc = d",
	"t:1:5: a quote that opens here is not closed on its line\n"},
    {"a missing closing brace is told at the next section, once",
	"s {\n a = b\nt {\n c = d\n}\nu { }\n",
	"t:3:1: section \"t\" begins inside \"s\", opened at t:1:1\n"},
    {"a section in a section is one error, its second brace none",
	"s { t x { a = b } c = d }\nu { }\n",
	"t:1:5: section \"t\" begins inside \"s\", opened at t:1:1\n"},
    {"a brace too many", "s { } }\nt { }\n",
	"t:1:7: \"}\" closes nothing that is open\n"},
    {"a missing value before a brace", "s { a = }\n",
	"t:1:9: expected a value before \"}\"\n"},
    {"a missing value before the next line's entry", "s {\n a =\n b = c\n}\n",
	"t:3:2: expected a value before \"b\"\n"},
    {"a missing value at the end",
	"a =", "t:1:4: expected a value before the end of the file\n"},
    {"a missing equals sign", "s {\n a b\n c = d\n}\n",
	"t:2:4: expected \"=\" before \"b\"\n"},
    {"each line without an equals sign is a mistake of its own",
	"s {\n a 1\n b 2\n c = 3 }\n",
	"t:2:4: expected \"=\" before \"1\"\nt:3:4: expected \"=\" before "
	"\"2\"\n"},
    {"a missing equals sign before a list", "s { a { b, c } d = e }\n",
	"t:1:7: expected \"=\" before \"{\"\n"},
    {"a missing opening brace is one error", "s\n a = b\n}\nt { }\n",
	"t:2:2: expected \"=\" or \"{\" before \"a\"\n"},
    {"a title without an opening brace is one error", "p x a = b }\nt { }\n",
	"t:1:3: expected \"=\" or \"{\" before \"x\"\n"},
    {"a value with blanks wants quotes", "s { a = b c d }\n",
	"t:1:11: \"a\" has one value already; a list is { a, b }, a value with"
	" blanks stands in quotes\n"},
    {"a list wants braces", "s { a = b, c\n d = e }\n",
	"t:1:10: \"a\" has one value already; a list is { a, b }, a value with"
	" blanks stands in quotes\n"},
    {"an equals sign in a value wants quotes", "a = http://x/?b=c\nd = e\n",
	"t:1:16: a value that holds \"=\" stands in quotes\n"},
    {"a number sign in a word is not taken for a comment",
	"a = http://x/#b\nc = d\n",
	"t:1:14: \"#\" in a word; put a blank before a comment, or quotes"
	" around a value that holds \"#\"\n"},
    {"a quote in a word", "a = b\"c\"\nd = e\n",
	"t:1:6: a quote in a word; write \\\" in a string\n"},
    {"a missing comma in a list", "a = { b c, d e }\nf = g\n",
	"t:1:9: expected \",\" or \"}\" before \"c\"\n"},
    {"a comma too many in a list", "a = { b,, c }\n",
	"t:1:9: expected a value before \",\"\n"},
    {"a list in a list", "a = { b, { c, d }, e }\nf = g\n",
	"t:1:10: expected a value before \"{\"\n"},
    {"a name in quotes", "\"a\" = b\nc = d\n",
	"t:1:1: expected a key or a section's name before \"a\"\n"},
    {"a section's name in quotes is one error",
	"\"s\" { a = b\n c = { d } }\nt { }\n",
	"t:1:1: expected a key or a section's name before \"s\"\n"},
    {"a section without a name is one error", "{ a = b }\nt { }\n",
	"t:1:1: expected a key or a section's name before \"{\"\n"},
    {"an empty title", "p \"\" { a = b }\n",
	"t:1:3: a title is 1 to 200 bytes long\n"},
    {"a control character is told with its place", "s { a = \x01\x02 }\n",
	"t:1:9: a control character\n"},
    {"a control character in a word", "a = b\x7f\n",
	"t:1:6: a control character\n"},
    {"a control character in a string", "a = \"b\x1b[2Jc\"\n",
	"t:1:7: a control character\n"},
    {"C1 control characters are none that text should hold",
	"a = b\xc2\x9b"
	"2J\n",
	"t:1:6: a control character\n"},
    {"a control character in a comment", "# b\x1b[2Jc\na = b\n",
	"t:1:4: a control character\n"},
    {"a raw tab in a string", "a = \"b\tc\"\n",
	"t:1:7: a raw tab in a string; write \\t\n"},
    {"a carriage return alone ends no line", "a = b\rc = d\n",
	"t:1:6: a control character\n"},
    {"values are UTF-8", "a = gr\xfc\xdf\nb = \"\xc0\xaf\"\n",
	"t:1:7: text that is not UTF-8\nt:2:6: text that is not UTF-8\n"},
    {"an escape that is none", "a = \"b\\q\"\nc = \"\\\xc3\xbc\"",
	"t:1:7: an unknown escape; known are \\\" \\\\ \\n \\t\n"
	"t:2:6: an unknown escape; known are \\\" \\\\ \\n \\t\n"},
    {"a key twice in one section names both places", "s { a = 1\n a = 2 }",
	"t:2:2: \"a\" is given twice, first at t:1:5\n"},
    {"also when the section is opened again", "s { a = 1 }\ns { a = 2 }",
	"t:2:5: \"a\" is given twice, first at t:1:5\n"},
    {"also outside of sections", "a = 1 s { a = 1 } a = 1",
	"t:1:19: \"a\" is given twice, first at t:1:1\n"},
    {"include() in a text", "include(\"/etc/passwd\")",
	"t:1:1: include() stands in a text that is no file\n"},
    {"include() in a section", "s { include(x) a = b }",
	"t:1:5: include() inside \"s\", opened at t:1:1\n"},
    {"include() without its parenthesis", "include(x\na = b\n",
	"t:2:1: expected \")\" before \"a\"\n"},
    {"include() of a list", "include({ x })\na = b\n",
	"t:1:9: expected a path before \"{\"\n"},
    {"one run finds all mistakes, in their order",
	"a 1\ns {\n b = \"x\n c = { d e }\n f = \x01\n}\n}\nt {\n",
	"t:1:3: expected \"=\" or \"{\" before \"1\"\n"
	"t:3:6: a quote that opens here is not closed on its line\n"
	"t:4:10: expected \",\" or \"}\" before \"e\"\n"
	"t:5:6: a control character\n"},
};

static void
test_bad(void)
{
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		struct conf *conf = conf_new();
		TAP_CASE(bad[i].claim)
		CHECK(conf_read_text(conf, "t", span_of(bad[i].text)) != 0);
		CHECK_STR(errors_of(conf), bad[i].errors);
		conf_free(conf);
	}
}

static void
test_nul(void)
{
	struct conf *conf = conf_new();

	TAP_CASE("a NUL byte is told with its place, wherever it stands")
	CHECK_INT(conf_read_text(conf, "t",
		      SPAN("a = \0\nb = c\0d\ne = \"f\0\"\n# g\0\n")),
	    ERR_SYNTAX);
	CHECK_STR(errors_of(conf), "t:1:5: a NUL byte\nt:2:6: a NUL byte\n"
				   "t:3:7: a NUL byte\nt:4:4: a NUL byte\n");
	conf_free(conf);
}

/* What comes through such a value shows whether something was expanded. */
static void
test_environment(void)
{
	struct conf *conf = conf_new();

	TAP_CASE("the environment is never asked")
	CHECK_INT(setenv("ASSAY_TEST", "expanded", 1), 0);
	CHECK_INT(conf_read_text(
		      conf, "t", SPAN("a = $ASSAY_TEST b = \"${ASSAY_TEST}\"")),
	    0);
	CHECK_STR(tree_of(conf), "() 1:1\n  a 1:1 1:5 [$ASSAY_TEST]\n"
				 "  b 1:17 1:21 [${ASSAY_TEST}]\n");
	conf_free(conf);
}

static void
repeat(struct buf *out, const char *text, int n)
{
	while (n-- > 0)
		buf_add_str(out, text);
}

static void
test_limits(void)
{
	struct conf *conf = conf_new();
	struct buf text;

	TAP_CASE("after a hundred errors there is one more, and reading ends")
	buf_init(&text, NULL, TEXT_MAX);
	repeat(&text, "}\n", 500);
	CHECK_INT(conf_read_text(conf, "t", buf_span(&text)), ERR_SYNTAX);
	CHECK_INT(conf->errors.n, CONF_ERRORS_MAX + 1);
	CHECK_STR(
	    conf_error_text(&conf->errors.v[CONF_ERRORS_MAX], conf->arena),
	    "t:101:1: too many errors; the others are not shown");

	TAP_CASE("a mistake past the last error is still a failure")
	CHECK(conf_read_text(conf, "t", SPAN("}")) != 0);
	CHECK_INT(conf->errors.n, CONF_ERRORS_MAX + 1);
	conf_free(conf);

	TAP_CASE("a text above the limit is refused")
	conf = conf_new();
	repeat(&text, "# 345678\n", CONF_FILE_SIZE_MAX / 9 + 1);
	CHECK_INT(conf_read_text(conf, "t", buf_span(&text)), ERR_LIMIT);
	CHECK_STR(errors_of(conf), "t: larger than 1048576 bytes\n");
	conf_free(conf);

	TAP_CASE("names are short")
	conf = conf_new();
	buf_truncate(&text, 0);
	repeat(&text, "x", CONF_NAME_MAX);
	buf_add_str(&text, "y = 1\n");
	repeat(&text, "x", CONF_NAME_MAX);
	buf_add_str(&text, " = 1");
	CHECK_INT(conf_read_text(conf, "t", buf_span(&text)), ERR_LIMIT);
	CHECK_STR(errors_of(conf), "t:1:1: a key is 1 to 200 bytes long\n");
	conf_free(conf);

	TAP_CASE("a section has not more keys than anybody reads")
	conf = conf_new();
	buf_truncate(&text, 0);
	for (int i = 0; i <= CONF_ENTRIES_MAX; i++)
		buf_printf(&text, "k%d = 1\n", i);
	CHECK_INT(conf_read_text(conf, "t", buf_span(&text)), ERR_LIMIT);
	CHECK_STR(
	    errors_of(conf), "t:501:1: more than 500 keys in one section\n");
	conf_free(conf);

	TAP_CASE("thousands of titled sections are found")
	conf = conf_new();
	buf_truncate(&text, 0);
	for (int i = 0; i < 20000; i++)
		buf_printf(&text, "p t%d { a = %d }\n", i, i);
	CHECK_INT(conf_read_text(conf, "t", buf_span(&text)), 0);
	const struct conf_section *s =
	    conf_find(conf, SPAN("p"), SPAN("t19999"));
	CHECK(s && s->where.line == 20000);
	CHECK(conf_find(conf, SPAN("p"), SPAN_NONE) == NULL);
	CHECK(conf_find(conf, SPAN("pt1"), SPAN_NONE) == NULL);
	conf_free(conf);
	buf_done(&text);
}

/* Depth and length of what a text may nest cost time, never the stack. */
static void
test_deep(void)
{
	static const char *const units[] = {"s {", "a = {", "{", "}", "a=\"",
	    "\"", "include(", "a b ", "a = ", "a,", "\\", "#", "a = { b c {",
	    "\xff", "\x01 "};
	struct buf text;
	unsigned failed = 0;

	TAP_CASE("a megabyte of one thing is read or refused at once")
	buf_init(&text, NULL, TEXT_MAX);
	for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
		struct conf *conf = conf_new();
		buf_truncate(&text, 0);
		while (text.len + 16 < CONF_FILE_SIZE_MAX)
			buf_add_str(&text, units[i]);
		int rc = conf_read_text(conf, "t", buf_span(&text));
		failed += rc != 0 && conf->errors.n > 0;
		conf_free(conf);
	}
	/* "#" is a comment. */
	CHECK_INT(failed, sizeof units / sizeof *units - 1);
	buf_done(&text);
}

static void
test_memory(void)
{
	struct conf *conf = conf_new();

	TAP_CASE("without memory every call says so")
	arena_fail(conf->arena);
	CHECK_INT(conf_read_text(conf, "t", SPAN("a = b")), ERR_NOMEM);
	CHECK_INT(conf_set(conf, "a=b"), ERR_NOMEM);
	CHECK_INT(conf_read_folder(conf, "/"), ERR_NOMEM);
	conf_free(conf);
}

static const struct {
	const char *claim, *set, *tree, *errors;
} sets[] = {
    {"-o takes section.key=value", "s.a=b", "s() 0:0\n  a 0:0 0:0 [b]\n", ""},
    {"-o takes key=value", "a=b", "() 0:0\n  a 0:0 0:0 [b]\n", ""},
    {"-o takes section.title.key=value", "p.x.a=b",
	"p(x) 0:0\n  a 0:0 0:0 [b]\n", ""},
    {"a title may have dots", "p.x.example.com.a=b",
	"p(x.example.com) 0:0\n  a 0:0 0:0 [b]\n", ""},
    {"the value may have equals signs, dots and quotes", "s.a=b=\"c.d",
	"s() 0:0\n  a 0:0 0:0 [b=\"c.d]\n", ""},
    {"commas part a list, empty items are none", "s.a=b, c,,d",
	"s() 0:0\n  a 0:0 0:0 list [b] [c] [d]\n", ""},
    {"a list may be written as in a file", "s.a={ b, \"c,d\" }",
	"s() 0:0\n  a 0:0 0:0 list [b] [c,d]\n", ""},
    {"an empty value is an empty list", "s.a=", "s() 0:0\n  a 0:0 0:0 list\n",
	""},
    {"-o without a value", "s.a", "",
	"-o: expected section.key=value, not \"s.a\"\n"},
    {"-o without a key", "s.=b", "",
	"-o: expected section.key=value, not \"s.=b\"\n"},
    {"-o without a section's name", ".a=b", "",
	"-o: expected section.key=value, not \".a=b\"\n"},
    {"-o with an empty title", "p..a=b", "",
	"-o: expected section.key=value, not \"p..a=b\"\n"},
    {"-o of nothing", "", "", "-o: expected section.key=value, not \"\"\n"},
    {"-o with half a list", "s.a={ b, c", "",
	"-o: s.a: expected { a, b }, not \"{ b, c\"\n"},
    {"-o with a control character shows none", "s.a=b\x1b[2J", "",
	"-o: a control character or what is not UTF-8 in \"s.a=b?[2J\"\n"},
};

static void
test_set(void)
{
	for (size_t i = 0; i < sizeof sets / sizeof *sets; i++) {
		struct conf *conf = conf_new();
		TAP_CASE(sets[i].claim)
		CHECK_INT(conf_set(conf, sets[i].set),
		    sets[i].errors[0] ? ERR_SYNTAX : 0);
		CHECK_STR(tree_of(conf), sets[i].tree);
		CHECK_STR(errors_of(conf), sets[i].errors);
		conf_free(conf);
	}
}

static struct span
value_of(const struct conf *conf, const char *name, const char *key,
    const struct conf_entry **ret_entry)
{
	const struct conf_section *s =
	    conf_find(conf, span_of(name), SPAN_NONE);

	*ret_entry = NULL;
	for (size_t i = 0; s && i < s->entries.n; i++) {
		if (!span_is(s->entries.v[i].key, key))
			continue;
		*ret_entry = &s->entries.v[i];
		return s->entries.v[i].n ? s->entries.v[i].items[0] : SPAN("");
	}
	return SPAN("(none)");
}

static void
test_precedence(void)
{
	struct conf *conf = conf_new();
	const struct conf_entry *e;

	TAP_CASE("-o wins over what is read before and after it")
	CHECK_INT(conf_read_text(conf, "t", SPAN("s { a = 1 }")), 0);
	CHECK_INT(conf_set(conf, "s.a=2"), 0);
	CHECK_INT(conf_read_text(conf, "u", SPAN("s { a = 3 }")), 0);
	CHECK_STR(value_of(conf, "s", "a", &e), "2");
	CHECK(e && e->replaced && e->replaced->replaced);
	CHECK_STR(e->replaced->items[0], "3");
	CHECK_STR(e->replaced->replaced->items[0], "1");
	CHECK(e->replaced->replaced->replaced == NULL);

	TAP_CASE("of two -o for one key the last one wins")
	CHECK_INT(conf_set(conf, "s.a=4"), 0);
	CHECK_INT(conf_set(conf, "s.b=5"), 0);
	CHECK_STR(value_of(conf, "s", "a", &e), "4");
	CHECK_STR(value_of(conf, "s", "b", &e), "5");

	TAP_CASE("a key twice in a file is an error under -o too")
	CHECK_INT(conf_set(conf, "x=1"), 0);
	CHECK(conf_read_text(conf, "v", SPAN("x = 2 x = 3")) != 0);
	CHECK_STR(
	    errors_of(conf), "v:1:7: \"x\" is given twice, first at v:1:1\n");
	conf_free(conf);
}

/* --- files ----------------------------------------------------------------------- */

static char folder[] = "/tmp/test_conf_XXXXXX";
static char path_room[4096];

static const char *
at(const char *name)
{
	snprintf(path_room, sizeof path_room, "%s/%s", folder, name);
	return path_room;
}

static void
put(const char *name, const char *text)
{
	FILE *f = fopen(at(name), "w");

	if (!CHECK(f != NULL))
		return;
	fputs(text, f);
	fclose(f);
	CHECK_INT(chmod(at(name), 0644), 0);
}

/* Errors with the test's folder cut out. */
static struct span
errors_here(const struct conf *conf)
{
	struct span text = errors_of(conf);
	struct span prefix = span_of(at(""));
	struct buf out;

	buf_init(&out, conf->arena, TEXT_MAX);
	for (size_t i = 0; i < text.len;) {
		if (span_starts(span_skip(text, i), prefix))
			i += prefix.len;
		else
			buf_add_char(&out, text.p[i++]);
	}
	return buf_span(&out);
}

static struct conf *
read_here(const char *name, int want)
{
	struct conf *conf = conf_new();

	CHECK_INT(conf_read(conf, at(name), true), want);
	return conf;
}

static void
test_files(void)
{
	const struct conf_entry *e;
	struct conf *conf;

	CHECK_INT(mkdir(at("conf.d"), 0755), 0);
	put("a.conf", "s { a = main b = main }\ninclude(\"conf.d\")\n");
	put("conf.d/2.conf", "s { a = two }\n");
	put("conf.d/10.conf", "s { a = ten c = ten }\n");
	put("conf.d/.hidden.conf", "nonsense {{{\n");
	put("conf.d/0.txt", "nonsense {{{\n");
	put("conf.d/0.conf~", "nonsense {{{\n");

	TAP_CASE("a folder's *.conf are read in byte order, later ones win")
	conf = read_here("a.conf", 0);
	CHECK_STR(value_of(conf, "s", "a", &e), "two");
	CHECK(e && e->replaced && e->replaced->replaced);
	CHECK_STR(e->replaced->items[0], "ten");
	CHECK_STR(conf_where_text(&e->value_where, conf->arena),
	    at("conf.d/2.conf:1:9"));
	CHECK_STR(
	    conf_where_text(&e->replaced->replaced->value_where, conf->arena),
	    at("a.conf:1:9"));
	CHECK_STR(value_of(conf, "s", "b", &e), "main");
	CHECK_STR(value_of(conf, "s", "c", &e), "ten");
	CHECK_INT(conf->files, 3);
	conf_free(conf);

	TAP_CASE("include() without a path is conf.d, which may be missing")
	put("b.conf", "include()\n");
	put("conf.d/c.conf", "include()\n");
	conf = read_here("b.conf", 0);
	CHECK_STR(value_of(conf, "s", "a", &e), "two");
	conf_free(conf);

	TAP_CASE("paths start at the including file, in this folder as well")
	char *back = getcwd(NULL, 0);
	CHECK(back && chdir(folder) == 0);
	conf = conf_new();
	CHECK_INT(conf_read(conf, "a.conf", true), 0);
	CHECK_STR(value_of(conf, "s", "a", &e), "two");
	CHECK_STR(
	    conf_where_text(&e->value_where, conf->arena), "conf.d/2.conf:1:9");
	conf_free(conf);
	CHECK(back && chdir(back) == 0);
	free(back);

	TAP_CASE("a folder can be named to be read")
	conf = read_here("conf.d", 0);
	CHECK_STR(value_of(conf, "s", "a", &e), "two");
	conf_free(conf);

	TAP_CASE("a key that an included file set between is given twice still")
	put("d.conf", "s { a = 1 }\ninclude(e.conf)\ns { a = 3 }\n");
	put("e.conf", "s { a = 2 }\n");
	conf = read_here("d.conf", ERR_SYNTAX);
	CHECK_STR(errors_here(conf),
	    "d.conf:3:5: \"a\" is given twice, first at d.conf:1:5\n");
	conf_free(conf);

	TAP_CASE("mistakes of all files are found, each with its file")
	put("f.conf", "a b\ninclude(g.conf)\nc d\n");
	put("g.conf", "\n}\n");
	conf = read_here("f.conf", ERR_SYNTAX);
	CHECK_STR(errors_here(conf),
	    "f.conf:1:3: expected \"=\" or \"{\" before \"b\"\n"
	    "g.conf:2:1: \"}\" closes nothing that is open\n"
	    "f.conf:3:3: expected \"=\" or \"{\" before \"d\"\n");
	conf_free(conf);

	TAP_CASE("an empty file and /dev/null are no settings")
	put("empty.conf", "");
	conf = read_here("empty.conf", 0);
	CHECK_INT(conf_read(conf, "/dev/null", true), 0);
	CHECK_STR(tree_of(conf), "");
	conf_free(conf);
}

static void
test_loops(void)
{
	struct conf *conf;

	TAP_CASE("a loop of includes is found at its first turn")
	put("l1.conf", "include(l2.conf)\n");
	put("l2.conf", "a = 1\ninclude(link.conf)\n");
	CHECK_INT(unlink(at("link.conf")), -1);
	CHECK_INT(symlink("l1.conf", at("link.conf")), 0);
	conf = read_here("l1.conf", ERR_STATE);
	CHECK_STR(errors_here(conf),
	    "l2.conf:2:1: include() of \"l1.conf\", which is being read"
	    " already: a loop\n");
	conf_free(conf);

	TAP_CASE("a folder that holds the including file is a loop")
	CHECK_INT(mkdir(at("self.d"), 0755), 0);
	put("self.d/x.conf", "include(.)\n");
	conf = read_here("self.d/x.conf", ERR_STATE);
	CHECK_INT(conf->errors.n, 1);
	conf_free(conf);

	TAP_CASE("the same file twice, one after the other, is no loop")
	put("t1.conf", "include(t2.conf)\ninclude(t2.conf)\n");
	put("t2.conf", "a = 1\n");
	conf = read_here("t1.conf", 0);
	conf_free(conf);

	TAP_CASE("includes nest eight deep, not nine")
	for (int i = 0; i < 10; i++) {
		char name[32], text[64];
		snprintf(name, sizeof name, "n%d.conf", i);
		snprintf(text, sizeof text, "include(n%d.conf)\n", i + 1);
		put(name, i < 9 ? text : "a = 1\n");
	}
	conf = read_here("n1.conf", 0);
	CHECK_STR(errors_here(conf), "");
	conf_free(conf);
	conf = read_here("n0.conf", ERR_LIMIT);
	CHECK_STR(
	    errors_here(conf), "n8.conf:1:1: include() nested deeper than 8\n");
	conf_free(conf);
}

/* A tree of includes that no loop check stops. */
static void
test_fan_out(void)
{
	struct conf *conf;
	struct buf text;

	TAP_CASE("includes that multiply end at the limit of files")
	buf_init(&text, NULL, TEXT_MAX);
	repeat(&text, "include(f2.conf)\n", 100);
	put("f1.conf", buf_str(&text));
	buf_truncate(&text, 0);
	repeat(&text, "include(f3.conf)\n", 100);
	put("f2.conf", buf_str(&text));
	put("f3.conf", "");
	conf = read_here("f1.conf", ERR_LIMIT);
	CHECK_INT(conf->files, CONF_FILES_MAX);
	CHECK_INT(conf->errors.n, CONF_ERRORS_MAX + 1);
	conf_free(conf);
	buf_done(&text);
}

static void
check_mode(mode_t mode, bool trusted)
{
	struct conf *conf = conf_new();

	CHECK_INT(chmod(at("mode.conf"), mode), 0);
	CHECK_INT(
	    conf_read(conf, at("mode.conf"), true), trusted ? 0 : ERR_ACCESS);
	CHECK_INT(conf->errors.n, !trusted);
	conf_free(conf);
}

static void
test_rights(void)
{
	struct conf *conf;

	TAP_CASE("a file that all can write is refused")
	put("mode.conf", "a = 1\n");
	check_mode(0646, false);
	check_mode(0666, false);
	check_mode(0644, true);
	check_mode(0600, true);

	TAP_CASE("an included file is looked at as well")
	put("inc.conf", "\n include(mode.conf)\n");
	CHECK_INT(chmod(at("mode.conf"), 0666), 0);
	conf = read_here("inc.conf", ERR_ACCESS);
	CHECK_INT(conf->errors.n, 1);
	CHECK_INT(conf->errors.v[0].where.line, 2);
	conf_free(conf);

	if (geteuid() != 0) {
		tap_skip("rights that a group has", "only root can give files");
		return;
	}
	TAP_CASE("a group that can write it must be root's or ours")
	CHECK_INT(chown(at("mode.conf"), 0, 0), 0);
	check_mode(0664, true);
	CHECK_INT(chown(at("mode.conf"), 0, 12345), 0);
	check_mode(0664, false);
	check_mode(0640, true);

	TAP_CASE("its owner must be root, we, or the caller")
	CHECK_INT(chown(at("mode.conf"), 12345, 0), 0);
	check_mode(0644, false);
}

static void
test_missing(void)
{
	struct conf *conf = conf_new();
	struct buf text;

	TAP_CASE("a missing file is an error only when it was named")
	CHECK_INT(conf_read(conf, at("none.conf"), false), 0);
	CHECK_INT(conf_read_folder(conf, at("none.d")), 0);
	CHECK_INT(conf->errors.n, 0);
	CHECK_INT(conf_read(conf, at("none.conf"), true), ERR_NOTFOUND);
	CHECK_STR(errors_here(conf), "none.conf: No such file or directory\n");
	conf_free(conf);

	TAP_CASE("an include that is missing is told at the include")
	put("m.conf", "\n  include(\"none.conf\")\na = 1\n");
	conf = read_here("m.conf", ERR_NOTFOUND);
	CHECK_STR(errors_here(conf),
	    "m.conf:2:3: none.conf: No such file or directory\n");
	conf_free(conf);

	TAP_CASE("what is no regular file is refused and never waited for")
	CHECK_INT(mkfifo(at("fifo.conf"), 0600), 0);
	conf = read_here("fifo.conf", ERR_ACCESS);
	conf_free(conf);

	TAP_CASE("a file above the limit is refused, one of its size is read")
	buf_init(&text, NULL, TEXT_MAX);
	while (text.len < CONF_FILE_SIZE_MAX)
		buf_add_char(&text, '\n');
	put("big.conf", buf_str(&text));
	conf = read_here("big.conf", 0);
	conf_free(conf);
	buf_add_char(&text, '\n');
	put("big.conf", buf_str(&text));
	conf = read_here("big.conf", ERR_LIMIT);
	CHECK_STR(errors_here(conf), "big.conf: larger than 1048576 bytes\n");
	conf_free(conf);
	buf_done(&text);
}

static void
test_example(void)
{
	const char *srcdir = getenv("srcdir");
	char path[4096];

	snprintf(path, sizeof path, "%s/../shared/design/examples/assay.conf",
	    srcdir ? srcdir : ".");
	if (access(path, R_OK)) {
		tap_skip("the design's example is read", "not there");
		return;
	}
	TAP_CASE("the design's example is read")
	struct conf *conf = conf_new();
	const struct conf_entry *e;
	CHECK_INT(conf_read(conf, path, true), 0);
	CHECK_STR(errors_of(conf), "");
	CHECK_INT(conf->sections.n, 15);
	CHECK_STR(value_of(conf, "limits", "user_recipients", &e), "200/1h");
	CHECK_STR(value_of(conf, "milter", "socket", &e),
	    "unix:/var/spool/postfix/assay/milter.sock");
	value_of(conf, "milter", "internal", &e);
	CHECK(e && e->list && e->n == 3);
	const struct conf_section *s =
	    conf_find(conf, SPAN("policy"), SPAN("forwarded"));
	CHECK(s && s->entries.n == 2);
	conf_free(conf);
}

int
main(void)
{
	char command[64];

	test_good();
	test_bad();
	test_nul();
	test_environment();
	test_limits();
	test_deep();
	test_memory();
	test_set();
	test_precedence();
	test_example();
	if (!mkdtemp(folder))
		return 1;
	test_files();
	test_loops();
	test_fan_out();
	test_rights();
	test_missing();
	snprintf(command, sizeof command, "rm -r '%s'", folder);
	CHECK_INT(system(command), 0);
	return tap_done();
}
