/* Rule files: lines, conditions, files, and a clear problem for each mistake. */
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/unit/rulekit.h"

static const char mail[] = "To: a@example.com\nSubject: x # y\n\nbody\n";

struct problem_case {
	const char *rules;
	const char *want; /* part of the first problem; "" none */
};

static const struct problem_case errors[] = {
    {"", ""},
    {"# comment\n\n   # another\n", ""},
    {"\n\nfrobnicate A\n", "3: unknown command \"frobnicate\""},
    {"haeder A exists:To\n", "did you mean \"header\"?"},
    {"mimeheader A Content-Type =~ /x/\n", "unknown command \"mimeheader\""},
    {"replace_tag A b\n", "unknown command \"replace_tag\""},
    {"askdns A b\n", "unknown command \"askdns\""},
    {"uri_detail A raw =~ /x/\n", "unknown command \"uri_detail\""},
    {"report_safe 1\n", "unknown command"},
    {"\x01\x02\x1b[31m x\n", "\\x01\\x02\\x1b[31m"},
    {"header\n", "header needs a rule's name"},
    {"header 9A exists:To\n", "not \"9A\""},
    {"header A-B exists:To\n", "not \"A-B\""},
    {"header A\n", "A: HEADER =~"},
    {"header A To /x/\n", "A: HEADER =~"},
    {"header A To =~ x\n", "not a pattern"},
    {"header A To =~ /x\n", "delimiter"},
    {"header A To:frob =~ /x/\n", "\":frob\" is not one of"},
    {"header A To:host =~ /x/\n", "\":host\" is not one of"},
    {"header A To:raw:addr:name =~ /x/\n", "at most two"},
    {"header A T(o =~ /x/\n", "header's name"},
    {"header A exists:\n", "header's name"},
    {"header A eval:f\n", "eval:NAME(ARGUMENTS)"},
    {"header A eval:f(\n", "eval:NAME(ARGUMENTS)"},
    {"header A eval:(1)\n", "eval:NAME(ARGUMENTS)"},
    {"header A eval:f(a b)\n", "arguments are"},
    {"header A eval:f(a,)\n", "arguments are"},
    {"header A eval:f('a)\n", "arguments are"},
    {"header A eval:f($x)\n", "arguments are"},
    {"header A eval:no_such_thing()\n",
	"unknown eval function \"no_such_thing\""},
    {"body A /(/\n", "1: pattern: missing closing parenthesis at offset 1"},
    {"body A /a/g\n", "modifier \"g\""},
    {"body A /a/b/\n", "needs a \\ before"},
    {"body A /a/ b\n", "not end with its delimiter"},
    {"body A /(?{system 'x'})/\n", "code in a pattern"},
    {"body A /%{NAME}/\n", "not supported"},
    {"body A /a%{2}/\n", ""},
    {"uri A eval:f()\n", "not a pattern"},
    {"meta A B-1\n", "A: invalid token"},
    {"meta A (B\n", "A: unbalanced"},
    {"meta A B &&\n", "A: a value is missing at the end"},
    {"score A\n", "A: score needs"},
    {"score A x\n", "A: score needs"},
    {"score A 1 2\n", "A: score needs"},
    {"score A 1 2 3 4 5\n", "A: score needs"},
    {"score A 1e3\n", "A: score needs"},
    {"score A 1000001\n", "A: score needs"},
    {"score A 99999999999999999999\n", "A: score needs"},
    {"score A nan\n", "A: score needs"},
    {"score A (1)\n", "A: relative score"},
    {"score A 1000000\nscore A (1)\n", "A: score needs"},
    {"score A .5\nscore B -.5\nscore C +1\nscore D 1.\n", ""},
    {"describe A\n", "A: describe needs a text"},
    {"tflags A multiple maxhits=x\n", "A: maxhits needs a number"},
    {"tflags A multiple maxhits=-1\n", "A: maxhits needs a number"},
    {"priority A x\n", "A: priority needs"},
    {"priority A -10\n", ""},
    {"test A ok text\n", ""},
    {"test A maybe text\n", "A: test needs ok or fail"},
    {"test A fail\n", "A: test needs ok or fail"},
    {"include other.cf\n", "include works in files only"},
    {"include\n", "include needs a file"},
    {"lang\n", "lang needs a language"},
    {"require_version 1.0\nrubbish\n", "the rest of the file is skipped"},
    {"require_version 4.000001\n", ""},
    {"require_version @@VERSION@@\n", ""},
    {"require_version (\n", "require_version:"},
    {"loadplugin\n", "loadplugin needs a class"},
    {"loadplugin Mail::SpamAssassin::Plugin::Nothing\n", "it stays off"},
    {"tryplugin Mail::SpamAssassin::Plugin::SPF\n", ""},
    {"if\nendif\n", "if: a condition is missing"},
    {"if frob\nendif\n", "if: unknown word \"frob\""},
    {"if (1\nendif\n", "if: unbalanced"},
    {"if 1\n", "1: if without endif"},
    {"else\n", "1: else without if"},
    {"endif\n", "1: endif without if"},
    {"if 1\nelse\nelse\nendif\n", "3: else without if"},
    {"if 0\nif rubbish\nfrob\nelse\nendif\nendif\n", ""},
};

static void
test_errors(void)
{
	TAP_CASE("every mistake has its line and its reason")
	for (size_t i = 0; i < sizeof errors / sizeof *errors; i++) {
		struct kit k;
		kit_begin(&k, true, false);
		kit_read(&k, errors[i].rules);
		kit_finish(&k);
		const char *got = kit_problem(&k, 0);
		bool good = errors[i].want[0]
				? strstr(got, errors[i].want) != NULL
				: got[0] == '\0';
		if (!tap_check(__FILE__, __LINE__, good, errors[i].rules))
			printf("# got: %s\n", got);
		kit_run(&k, mail, true);
		kit_end(&k);
	}
}

struct line_case {
	const char *rules, *want, *why;
};

static const struct line_case lines[] = {
    {"header A exists:To # comment\n", "A=1", "comments end a line"},
    {"header A Subject =~ /x # y/\n", NULL, "also inside a pattern"},
    {"header A Subject =~ /x \\# y/\n", "A=1", "but for \\#"},
    {"  HEADER\tA \t exists:To  \r\n", "A=1", "blanks, case and CR"},
    {"header A exists:To", "A=1", "the last line needs no end"},
    {"\xef\xbb\xbfheader A exists:To\n", "A=1", "a byte order mark is skipped"},
    {"require-version 4.000001\nheader A exists:To\n", "A=1",
	"- stands for _ in commands"},
    {"lang zz header A exists:To\n", "", "lang of another locale"},
    {"if 1\nheader A exists:To\nelse\nheader B exists:To\nendif\n", "A=1",
	"if"},
    {"if 0\nheader A exists:To\nelse\nheader B exists:To\nendif\n", "B=1",
	"else"},
    {"if 0\nif 1\nheader A exists:To\nelse\nheader B exists:To\nendif\nelse\n"
     "header C exists:To\nendif\n",
	"C=1", "a skipped block skips its inner else"},
    {"if (version >= 3.004002) && !plugin(Mail::SpamAssassin::Plugin::Foo)\n"
     "header A exists:To\nendif\n",
	"A=1", "version and plugin()"},
    {"if version < 4\nheader A exists:To\nendif\n", "", "version compares"},
    {"if can(Mail::SpamAssassin::Conf::feature_bug6558_free)\n"
     "header A exists:To\nendif\n",
	"A=1", "can() of what we have"},
    {"if has(Mail::SpamAssassin::Conf::feature_of_tomorrow)\n"
     "header A exists:To\nendif\n",
	"", "has() of what we have not"},
    {"if perl_version >= 5.010\nheader A exists:To\nendif\n", "A=1",
	"perl_version"},
    {"if local_tests_only\nheader A exists:To\nendif\n", "",
	"local_tests_only"},
    {"ifplugin Mail::SpamAssassin::Plugin::Check\nheader A exists:To\nendif\n",
	"A=1", "ifplugin of what is there"},
    {"ifplugin Mail::SpamAssassin::Plugin::MIMEHeader\nheader A exists:To\n"
     "endif\n",
	"", "ifplugin of what is not built"},
    {"header A exists:To\nheader A exists:None\n", "",
	"a later definition replaces the earlier one"},
    {"header A exists:To\nmeta A 1\n", "A=1", "also one of another kind"},
    {"header A exists:To\nheader A To =~ /(/\n", NULL,
	"one in error leaves it in force"},
};

static void
test_lines(void)
{
	TAP_CASE("lines, comments and conditions")
	for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
		struct kit k;
		kit_begin(&k, true, false);
		kit_read(&k, lines[i].rules);
		kit_finish(&k);
		tap_int(__FILE__, __LINE__, rule_set_errors(k.set) > 0,
		    lines[i].want == NULL, lines[i].why);
		kit_run(&k, mail, false);
		if (lines[i].want)
			tap_span(__FILE__, __LINE__, span_of(kit_hits(&k)),
			    span_of(lines[i].want), lines[i].why);
		kit_end(&k);
	}

	TAP_CASE("a definition in error leaves the earlier one in force")
	struct kit k;
	kit_begin(&k, true, false);
	kit_read(&k, "header A exists:To\nheader A To =~ /(/\n"
		     "meta B 1\nmeta B (\n");
	kit_finish(&k);
	kit_run(&k, mail, false);
	CHECK_STR(span_of(kit_hits(&k)), "A=1 B=1");
	kit_end(&k);
}

static void
test_symbols(void)
{
	struct kit k;

	TAP_CASE("what is said about a rule is kept with it")
	kit_begin(&k, true, false);
	kit_read(&k, "score A 1 -2 3.5 0\n"
		     "header A To =~ /x/i  # why\n"
		     "describe A  Has an \\# x \n"
		     "tflags A net nice maxhits=3\n"
		     "priority A -7\n");
	kit_finish(&k);
	const struct symbol *a = kit_symbol(&k, "A");
	CHECK(a != NULL && a->kind == SYMBOL_HEADER && a->scored && !a->bad);
	CHECK_INT(a->scores_milli[0], 1000);
	CHECK_INT(a->scores_milli[1], -2000);
	CHECK_INT(a->scores_milli[2], 3500);
	CHECK_INT(a->scores_milli[3], 0);
	CHECK_INT(a->score_milli, -2000);
	CHECK_INT(a->flags, SYMBOL_NET | SYMBOL_NICE);
	CHECK_INT(a->maxhits, 3);
	CHECK_INT(a->priority, -7);
	CHECK_INT(a->line, 2);
	CHECK_STR(a->file, "test.cf");
	CHECK_STR(a->describe, "Has an # x");
	CHECK_STR(a->tflags, "net nice maxhits=3");
	CHECK_STR(a->source, "header A To =~ /x/i");
	kit_end(&k);

	TAP_CASE("lint says more, and it is not an error")
	kit_begin(&k, true, true);
	kit_read(&k, "score NOBODY 1\nmeta A GONE\nbody B //\nbody C /a||b/\n"
		     "score B 1.23456\ntflags B frob\n"
		     "meta A2345678901234567890123456789012345678901 1\n");
	kit_finish(&k);
	CHECK_INT(rule_set_errors(k.set), 0);
	CHECK_INT(rule_set_problems(k.set)->n, 7);
	kit_end(&k);
}

static void
test_hostile(void)
{
	struct kit k;
	struct buf b;

	TAP_CASE("a line past 1 MiB is one problem; the next line is read")
	kit_begin(&k, true, false);
	buf_init(&b, k.arena, 8 * RULE_LINE_MAX);
	buf_add_str(&b, "body A /");
	for (size_t i = 0; i < RULE_LINE_MAX; i++)
		buf_add_char(&b, 'a');
	buf_add_str(&b, "/\nheader B exists:To\n");
	CHECK_INT(rule_read_text(k.set, "long.cf", buf_span(&b)), 0);
	kit_finish(&k);
	CHECK_INT(rule_set_problems(k.set)->n, 1);
	CHECK(strstr(kit_problem(&k, 0), "1: line is longer") != NULL);
	kit_run(&k, mail, false);
	CHECK_STR(span_of(kit_hits(&k)), "B=1");
	kit_end(&k);

	TAP_CASE("a pattern of 300 KB is refused")
	kit_begin(&k, true, false);
	buf_init(&b, k.arena, 8 * RULE_LINE_MAX);
	buf_add_str(&b, "body A /");
	for (size_t i = 0; i < 300 * 1024; i++)
		buf_add_char(&b, 'a');
	buf_add_str(&b, "/\n");
	CHECK_INT(rule_read_text(k.set, "long.cf", buf_span(&b)), 0);
	CHECK(strstr(kit_problem(&k, 0), "pattern is longer") != NULL);
	kit_end(&k);

	TAP_CASE("binary data ends a file with one problem")
	kit_begin(&k, true, false);
	CHECK_INT(rule_read_text(k.set, "bin.cf",
		      SPAN("\x7f"
			   "ELF\0\0\0\nx\ny\nz\n")),
	    0);
	CHECK_INT(rule_set_problems(k.set)->n, 1);
	CHECK(strstr(kit_problem(&k, 0), "NUL byte") != NULL);
	kit_end(&k);

	TAP_CASE("garbage gives a bounded number of problems")
	kit_begin(&k, true, false);
	buf_init(&b, k.arena, 8 * RULE_LINE_MAX);
	for (int i = 0; i < 50000; i++)
		buf_printf(&b, "\xff%d\n", i);
	CHECK_INT(rule_read_text(k.set, "bad.cf", buf_span(&b)), 0);
	CHECK(rule_set_problems(k.set)->n <= 10000);
	CHECK_INT(rule_set_errors(k.set), 50000);
	kit_end(&k);

	TAP_CASE("100,000 nested ifs, and lang a 100,000 times, cost no stack")
	kit_begin(&k, true, false);
	buf_init(&b, k.arena, 8 * RULE_LINE_MAX);
	for (int i = 0; i < 100000; i++)
		buf_add_str(&b, "if 1\n");
	for (int i = 0; i < 100000; i++)
		buf_add_str(&b, "endif\n");
	for (int i = 0; i < 100000; i++)
		buf_add_str(&b, "lang e ");
	buf_add_str(&b, "header A exists:To\n");
	CHECK_INT(rule_read_text(k.set, "deep.cf", buf_span(&b)), 0);
	CHECK_INT(rule_set_problems(k.set)->n, 1);
	CHECK(strstr(kit_problem(&k, 0), "65: conditions are nested") != NULL);
	kit_end(&k);
}

/* --- files ------------------------------------------------------------------------- */

static char folder[] = "/tmp/assay-rules-XXXXXX";

static void
put(const char *name, const char *text)
{
	char path[200];

	snprintf(path, sizeof path, "%s/%s", folder, name);
	FILE *f = fopen(path, "w");
	CHECK(f && fputs(text, f) >= 0 && fclose(f) == 0);
	CHECK_INT(chmod(path, 0644), 0);
}

static void
take_away(const char *name)
{
	char path[200];

	snprintf(path, sizeof path, "%s/%s", folder, name);
	unlink(path);
}

static void
test_files(void)
{
	struct kit k;
	struct err err = {0};
	char path[200];

	CHECK(mkdtemp(folder) != NULL);
	TAP_CASE(
	    "a folder is read in byte order, .pre first, others not at all")
	put("20.cf", "header B exists:To\n");
	put("10.CF", "header B exists:None\n");
	put("99.pre", "header B exists:None\nheader C exists:To\n");
	put("30.txt", "rubbish\n");
	kit_begin(&k, true, false);
	CHECK_INT(rule_read_path(k.set, folder, &err), 0);
	kit_finish(&k);
	CHECK_STR(span_of(kit_problem(&k, 0)), "");
	kit_run(&k, mail, false);
	CHECK_STR(span_of(kit_hits(&k)), "B=1 C=1");
	kit_end(&k);
	take_away("20.cf");
	take_away("10.CF");
	take_away("99.pre");
	take_away("30.txt");

	TAP_CASE("include is relative to its file; a loop is named")
	put("a.cf", "include b.cf\nheader A exists:To\n");
	put("b.cf", "header B exists:To\ninclude a.cf\n");
	kit_begin(&k, true, false);
	snprintf(path, sizeof path, "%s/a.cf", folder);
	CHECK_INT(rule_read_path(k.set, path, &err), 0);
	kit_finish(&k);
	CHECK_INT(rule_set_problems(k.set)->n, 1);
	CHECK(strstr(kit_problem(&k, 0), "2: include loop") != NULL);
	kit_run(&k, mail, false);
	CHECK_STR(span_of(kit_hits(&k)), "A=1 B=1");
	kit_end(&k);

	TAP_CASE("a missing include is a problem of its line")
	put("a.cf", "\ninclude none.cf\nheader A exists:To\n");
	kit_begin(&k, true, false);
	CHECK_INT(rule_read_path(k.set, path, &err), 0);
	CHECK(strstr(kit_problem(&k, 0), "2: ") != NULL);
	CHECK_INT(rule_set_errors(k.set), 1);
	kit_end(&k);

	TAP_CASE("an unclosed if does not reach into the next file")
	put("a.cf", "if 0\nheader A exists:To\n");
	put("b.cf", "header B exists:To\n");
	kit_begin(&k, true, false);
	CHECK_INT(rule_read_path(k.set, folder, &err), 0);
	kit_finish(&k);
	kit_run(&k, mail, false);
	CHECK_STR(span_of(kit_hits(&k)), "B=1");
	kit_end(&k);

	TAP_CASE("a file that others can write is refused")
	snprintf(path, sizeof path, "%s/b.cf", folder);
	CHECK_INT(chmod(path, 0666), 0);
	kit_begin(&k, true, false);
	CHECK_INT(rule_read_path(k.set, path, &err), ERR_ACCESS);
	CHECK_INT(rule_read_path(k.set, folder, &err), 0);
	CHECK(rule_set_errors(k.set) == 1);
	CHECK_INT(rule_read_path(k.set, "/nonexistent", &err), ERR_NOTFOUND);
	kit_end(&k);
	take_away("a.cf");
	take_away("b.cf");
	rmdir(folder);
}

int
main(void)
{
	setenv("LANGUAGE", "en_GB.UTF-8", 1);
	test_errors();
	test_lines();
	test_symbols();
	test_hostile();
	test_files();
	return tap_done();
}
