/*
 * Patterns mean what they mean to Perl under /aa. The table says it by hand;
 * where perl is installed, the same patterns and subjects are also given to it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "filter/base/clock.h"
#include "filter/rule/rule.h"
#include "filter/rule/rule_pattern.h"
#include "filter/rule/rule_regex.h"
#include "tests/lib/tap.h"

static struct regex_env *env;
static struct arena *arena;
static struct rule_slot *slot;

/* Matches as //g counts them; -1: refused; -2: a limit. */
static int
count(struct span rule, struct span subject, bool optimise)
{
	struct span pattern;
	unsigned flags;
	struct rule_regex *regex;
	struct err err = {0};
	struct regex_hit hit = {0};
	bool at_empty = false;
	int n = 0;
	enum regex_result r = REGEX_NO;

	if (pattern_split(rule, &pattern, &flags, &err) ||
	    regex_compile(env, arena, pattern, flags, true, &regex, &err))
		return -1;
	if (optimise)
		regex_optimise(regex);
	for (size_t from = 0;; from = hit.to) {
		r = regex_match(regex, slot, 0, subject, from, at_empty, &hit);
		if (r != REGEX_YES && r != REGEX_MORE)
			break;
		n += r == REGEX_YES;
		at_empty = r == REGEX_YES && hit.from == hit.to;
	}
	regex_free(regex);
	return r == REGEX_LIMIT ? -2 : n;
}

struct semantic {
	const char *pattern;
	struct span subject;
	int want;
};

static const struct semantic semantics[] = {
    /* anchors and newlines */
    {"/a$/", SPAN("a\n"), 1},
    {"/a$/", SPAN("a\n\n"), 0},
    {"/a\\z/", SPAN("a\n"), 0},
    {"/^a/m", SPAN("a\na\na"), 3},
    {"/^/m", SPAN("a\n"), 1},
    {"/.+/", SPAN("a\rb\nc"), 2},
    {"/a.b/s", SPAN("a\nb"), 1},
    {"/\\R/", SPAN("\r\n\x85"), 2},
    /* quantified anchors */
    {"/a$?b/", SPAN("ab"), 1},
    {"/^*a/", SPAN("ba"), 1},
    {"/^+a/", SPAN("ba"), 0},
    {"/\\b+a/", SPAN("a a"), 2},
    {"/a\\b{1,2}/", SPAN("a"), -1},
    {"/\\G?a/", SPAN("aa"), 2},
    /* classes are ASCII */
    {"/\\w/", SPAN("\xe9"), 0},
    {"/\\s/", SPAN("\x0b\xa0\x85"), 1},
    {"/\\h/", SPAN(" \xa0"), 2},
    {"/\\v/", SPAN("\n\x85"), 2},
    {"/[[:alpha:]]/", SPAN("\xe9z"), 1},
    {"/[[:^alpha:]]/", SPAN("\xe9z"), 1},
    {"/\\bz/", SPAN("\xe9z"), 1},
    /* case above 0x7F is Latin-1's */
    {"/\xe9/i", SPAN("\xc9\xe9"), 2},
    {"/[\xe0-\xf6]/i", SPAN("\xc0\xd6\xd7"), 2},
    {"/\xd7/i", SPAN("\xf7"), 0},
    {"/\xdf/i", SPAN("ss"), 0},
    {"/\xff/i", SPAN("\xdf"), 0},
    {"/\xb5/i", SPAN("\xb5"), 1},
    {"/k/i", SPAN("\xe2\x84\xaa"), 0},
    {"/(\xe9)\\1/i", SPAN("\xe9\xc9"), 1},
    {"/\xc3\xa9/i", SPAN("\xc3\x89"), 0},
    {"/\xc3\xa9/i", SPAN("\xe3\xa9"), 1},
    /* no interpolation */
    {"/a@b\\.c/", SPAN("a@b.c"), 1},
    {"/$x/", SPAN("$x"), 0},
    /* code points that no byte is */
    {"/\\x{100}|b/", SPAN("ab"), 1},
    {"/a\\x{100}*b/", SPAN("ab"), 1},
    {"/a\\x{20ac}?b/", SPAN("ab"), 1},
    {"/[^\\x{100}]/", SPAN("ab"), 2},
    {"/[\\x{100}]/", SPAN("ab"), 0},
    {"/[\\x{100}^a]/", SPAN("^ab"), 2},
    {"/[a\\x{100}-c]/", SPAN("abc"), -1},
    {"/[\\x{80}-\\x{200}]/", SPAN("\x7f\x80\xff"), 2},
    {"/[\\x{100}-\\x{200}b]/", SPAN("ab"), 1},
    {"/[\\x{100}-c]/", SPAN("c"), -1},
    {"/\\x{e9}/", SPAN("\xe9"), 1},
    {"/\\x{ 41 }/", SPAN("A"), 1},
    {"/\\o{101}/", SPAN("A"), 1},
    {"/\\N{U+41}/", SPAN("A"), 1},
    {"/\\N{2}/", SPAN("ab"), 1},
    /* braces */
    {"/ab{,2}c/", SPAN("abbc"), 1},
    {"/ab{ 1, 2 }c/", SPAN("abbc"), 1},
    {"/ab{,}c/", SPAN("ab{,}c"), 1},
    {"/x{1,2/", SPAN("x{1,2"), 1},
    {"/a{2}+b/", SPAN("aab"), 1},
    {"/\\{,3\\}/", SPAN("{,3}"), 1},
    /* escapes that only Perl's own strings know, or nobody */
    {"/\\Qa\\E/", SPAN("QaE"), 1},
    {"/a\\Lb/", SPAN("aLb"), 1},
    {"/\\y/", SPAN("y"), 1},
    {"/\\j\\m\\q\\T/", SPAN("jmqT"), 1},
    {"/[\\A]/", SPAN("A"), 1},
    {"/[\\R]/", SPAN("R"), 1},
    {"/\\C/", SPAN("a"), -1},
    /* classes */
    {"/[a-\\d]/", SPAN("-5a"), 3},
    {"/[\\d-z]/", SPAN("-5z"), 3},
    {"/[]a]/", SPAN("]a"), 2},
    {"/[^]a]/", SPAN("]ab"), 1},
    {"/[a-]/", SPAN("-a"), 2},
    {"/[-a]/", SPAN("-a"), 2},
    {"/[+--]/", SPAN("+,-."), 3},
    {"/[\\x41-\\x43]/", SPAN("ABCD"), 3},
    {"/[\\101-\\103]/", SPAN("ABCD"), 3},
    {"/[\\pL]/", SPAN("a1"), 1},
    {"/[\\cA]/", SPAN("\x01"), 1},
    {"/[[:alpha:]-z]/", SPAN("-"), 1},
    {"/[[]/", SPAN("["), 1},
    {"/[\\^a]/", SPAN("^a"), 2},
    {"/[a^]/", SPAN("^a"), 2},
    {"/[$@%]/", SPAN("$@%"), 3},
    /* groups and flags */
    {"/(?i)a/", SPAN("A"), 1},
    {"/(?aai:a)/", SPAN("A"), 1},
    {"/(?^:a)/i", SPAN("A"), 0},
    {"/(?aa)a/", SPAN("a"), 1},
    {"/(?-i:a)b/i", SPAN("aB"), 1},
    {"/(?#comment)a/", SPAN("a"), 1},
    {"/(?<n>a)(?<n>b)/", SPAN("ab"), 1},
    {"/(?P<n>a)(?P=n)/", SPAN("aa"), 1},
    {"/(a)(?|(b)|(c))\\2/", SPAN("acc"), 1},
    {"/a b # c/x", SPAN("ab"), 1},
    {"/[a b]/xx", SPAN(" "), 0},
    {"/(a)\\1/n", SPAN("aa"), -1},
    {"/(*UTF)a/", SPAN("a"), -1},
    {"/(*LIMIT_MATCH=1)a/", SPAN("a"), -1},
    {"/a(*FAIL)|b/", SPAN("ab"), 1},
    {"/(?{ 1 })/", SPAN("a"), -1},
    {"/(??{ 1 })/", SPAN("a"), -1},
    /* bytes */
    {"/\\x00/", SPAN("a\0b"), 1},
    {"/a.b/", SPAN("a\0b"), 1},
    {"/./", SPAN("\xc3\xa9"), 2},
    /* //g */
    {"/a*/", SPAN("aab"), 3},
    {"/x*/", SPAN("abc"), 4},
    {"/(?=a)|a/", SPAN("aa"), 4},
    {"/\\b/", SPAN("ab cd"), 4},
    {"/aa/", SPAN("aaaa"), 2},
    {"/^a/", SPAN("aaa"), 1},
    {"/(?<=a)b/", SPAN("abab"), 2},
    {"/$/", SPAN("a\n"), 2},
    {"//", SPAN("ab"), 3},
};

static void
test_semantics(void)
{
	TAP_CASE("what Perl makes of it, with machine code and without")
	for (size_t i = 0; i < sizeof semantics / sizeof *semantics; i++) {
		const struct semantic *s = &semantics[i];
		for (int optimise = 0; optimise < 2; optimise++) {
			int got =
			    count(span_of(s->pattern), s->subject, optimise);
			tap_int(__FILE__, __LINE__, got, s->want, s->pattern);
		}
	}
}

/* Gives each semantic to perl as hex; it answers the count, or -1. */
static const char script[] =
    "while (<>) { my ($p, $s) = map { pack 'H*', $_ } split /[ \\n]/, $_, -1;"
    " my ($re, $m) = $p =~ m{^/(.*)/([a-z]*)$}s; local $SIG{__WARN__} = sub {};"
    " my $q = eval { $m ne '' ? qr/(?$m)$re/aa : qr/$re/aa };"
    " my $n = -1; if (defined $q) { $n = 0; $n++ while $s =~ /$q/g; }"
    " print \"$n\\n\"; }";

static void
put_hex(FILE *f, struct span s)
{
	for (size_t i = 0; i < s.len; i++)
		fprintf(f, "%02x", (unsigned char)s.p[i]);
}

static bool
write_cases(const char *path)
{
	FILE *f = fopen(path, "w");

	if (!f)
		return false;
	for (size_t i = 0; i < sizeof semantics / sizeof *semantics; i++) {
		for (size_t k = 0; k < sizeof semantics / sizeof *semantics;
		     k++) {
			put_hex(f, span_of(semantics[i].pattern));
			fputc(' ', f);
			put_hex(f, semantics[k].subject);
			fputc('\n', f);
		}
	}
	return fclose(f) == 0;
}

static void
compare_perl(FILE *answers)
{
	char line[64];
	size_t n = sizeof semantics / sizeof *semantics;
	int wrong = 0;

	for (size_t i = 0; i < n * n; i++) {
		const char *pattern = semantics[i / n].pattern;
		if (!fgets(line, sizeof line, answers)) {
			CHECK(!"perl gave too few answers");
			return;
		}
		int got =
		    count(span_of(pattern), semantics[i % n].subject, true);
		if (got == atoi(line))
			continue;
		wrong++;
		printf("# %s on subject %zu: %d, perl %s", pattern, i % n, got,
		    line);
	}
	CHECK_INT(wrong, 0);
}

static void
test_perl(void)
{
	char dir[] = "/tmp/assay-regex-XXXXXX", path[64], command[2048];

	if (system("perl -e 'exit !($] >= 5.034)' >/dev/null 2>&1") ||
	    !mkdtemp(dir)) {
		tap_skip("every pattern on every subject as perl has it",
		    "perl 5.34 or newer is not installed");
		return;
	}
	TAP_CASE("every pattern on every subject as perl has it")
	snprintf(path, sizeof path, "%s/cases", dir);
	CHECK(write_cases(path));
	char file[64];
	snprintf(file, sizeof file, "%s/script", dir);
	FILE *f = fopen(file, "w");
	CHECK(f && fputs(script, f) >= 0 && fclose(f) == 0);
	snprintf(command, sizeof command, "perl %s %s", file, path);
	FILE *answers = popen(command, "r");
	CHECK(answers != NULL);
	if (answers) {
		compare_perl(answers);
		pclose(answers);
	}
	unlink(path);
	unlink(file);
	rmdir(dir);
}

static void
test_split(void)
{
	static const struct {
		const char *text, *want; /* NULL: refused */
		unsigned flags;
	} cases[] = {
	    {"/a/", "a", 0},
	    {"/a/i", "a", PATTERN_CASELESS},
	    {"/a/msxin", "a",
		PATTERN_CASELESS | PATTERN_MULTILINE | PATTERN_DOTALL |
		    PATTERN_EXTENDED | PATTERN_NO_CAPTURE},
	    {"/a/xx", "a", PATTERN_EXTENDED | PATTERN_EXTENDED2},
	    {"m{a{2}}", "a{2}", 0},
	    {"m!a/b!i", "a/b", PATTERN_CASELESS},
	    {"qr(ab)", "ab", 0},
	    {"m<a>", "a", 0},
	    {"m[a]i", "a", PATTERN_CASELESS},
	    {"m'a'", "a", 0},
	    {"/a\\/b/", "a\\/b", 0},
	    {"//", "", 0},
	    {"m##", "", 0},
	    {"/a/b/", NULL, 0},
	    {"/a/g", NULL, 0},
	    {"/a/o", NULL, 0},
	    {"/a/e", NULL, 0},
	    {"/a/ge", NULL, 0},
	    {"/a", NULL, 0},
	    {"/", NULL, 0},
	    {"a", NULL, 0},
	    {"", NULL, 0},
	    {"m", NULL, 0},
	    {"mxax", NULL, 0},
	    {"m a ", NULL, 0},
	    {"m\\a\\", NULL, 0},
	    {"/a/ i", NULL, 0},
	    {"/a/I", NULL, 0},
	};

	TAP_CASE("delimiters and modifiers")
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct span pattern = SPAN_NONE;
		unsigned flags = 0;
		struct err err = {0};
		int rc = pattern_split(
		    span_of(cases[i].text), &pattern, &flags, &err);
		tap_int(__FILE__, __LINE__, rc == 0, cases[i].want != NULL,
		    cases[i].text);
		if (rc == 0 && cases[i].want) {
			CHECK_STR(pattern, cases[i].want);
			CHECK_INT(flags, cases[i].flags);
		}
	}

	TAP_CASE("what lint doubts about a pattern")
	CHECK(pattern_doubt(SPAN("")) != NULL);
	CHECK(pattern_doubt(SPAN("a||b")) != NULL);
	CHECK(pattern_doubt(SPAN("|a")) != NULL);
	CHECK(pattern_doubt(SPAN("a|")) != NULL);
	CHECK(pattern_doubt(SPAN("a|b")) == NULL);
	CHECK(pattern_doubt(SPAN("a\\||b")) == NULL);
	CHECK(pattern_doubt(SPAN("a\\|")) == NULL);
}

/* An alternation of `n` words, as the fuzzy rules make them. */
static struct span
large_pattern(unsigned n)
{
	struct buf b;

	buf_init(&b, arena, RULE_PATTERN_MAX * 2);
	buf_add_str(&b, "/(?:");
	for (unsigned i = 0; i < n; i++)
		buf_printf(&b, "%s[%cx]word%u(?:a|b)?", i ? "|" : "",
		    'a' + (int)(i % 26), i);
	buf_add_str(&b, ")$/i");
	return buf_span(&b);
}

static void
test_large(void)
{
	struct span pattern, rule = large_pattern(9000);
	unsigned flags;
	struct rule_regex *regex = NULL;
	struct err err = {0};

	TAP_CASE("200 KB of pattern compile with the 32-bit library and match")
	CHECK(rule.len > 150000 && rule.len < RULE_PATTERN_MAX);
	CHECK_INT(pattern_split(rule, &pattern, &flags, &err), 0);
	CHECK_INT(
	    regex_compile(env, arena, pattern, flags, true, &regex, &err), 0);
	CHECK(regex && regex_is_wide(regex));
	regex_free(regex);
	CHECK_INT(count(rule, SPAN("say xWORD8999B"), true), 1);
	CHECK_INT(count(rule, SPAN("say xWORD8999C"), true), 0);

	TAP_CASE("wide patterns fold Latin-1 and count as //g")
	struct buf b;
	buf_init(&b, arena, RULE_PATTERN_MAX * 2);
	buf_add_str(&b, "/\xe9|");
	buf_add_span(&b, span_skip(large_pattern(9000), 1));
	CHECK_INT(count(buf_span(&b), SPAN("\xc9\xe9"), true), 2);

	TAP_CASE("a pattern past the limit is refused")
	CHECK_INT(count(large_pattern(20000), SPAN("a"), false), -1);
}

static enum regex_result
first_call(struct span rule, struct span subject)
{
	struct span pattern;
	unsigned flags;
	struct rule_regex *regex;
	struct err err = {0};
	struct regex_hit hit;

	if (pattern_split(rule, &pattern, &flags, &err) ||
	    regex_compile(env, arena, pattern, flags, true, &regex, &err))
		return REGEX_LIMIT;
	regex_optimise(regex);
	int64_t started = clock_cpu_us();
	enum regex_result r =
	    regex_match(regex, slot, 0, subject, 0, false, &hit);
	CHECK(clock_cpu_us() - started < 5000000);
	regex_free(regex);
	return r;
}

static void
test_limits(void)
{
	struct buf b;

	TAP_CASE("nested quantifiers on 8 KB end at the limit, soon")
	buf_init(&b, arena, 1 << 20);
	for (int i = 0; i < 8192; i++)
		buf_add_char(&b, 'a');
	buf_add_str(&b, "!c");
	for (int optimise = 0; optimise < 2; optimise++) {
		int64_t started = clock_cpu_us();
		CHECK_INT(count(SPAN("/^(a+)+$/"), buf_span(&b), optimise), -2);
		CHECK_INT(
		    count(SPAN("/^(?:a|a)*c/"), buf_span(&b), optimise), -2);
		int64_t us = clock_cpu_us() - started;
		printf("# %s: %lld us for both\n",
		    optimise ? "machine code" : "interpreter", (long long)us);
		CHECK(us < 10000000);
	}
	buf_truncate(&b, 8192);

	TAP_CASE("a pattern that overflows the machine code's stack is a limit")
	for (int i = 0; i < 900000; i++)
		buf_add_char(&b, 'a');
	int got = count(SPAN("/^((?:a(?1))?)$/"), buf_span(&b), true);
	CHECK(got == 1 || got == -2);

	TAP_CASE("a quadratic scan of 900 KB comes back in pieces")
	CHECK_INT(first_call(SPAN("/(?:(a)|b)*+c/"), buf_span(&b)), REGEX_MORE);

	TAP_CASE("in pieces nothing is lost and nothing found twice")
	buf_truncate(&b, 0);
	for (int i = 0; i < 60000; i++)
		buf_add_str(&b, "word. ");
	CHECK_INT(count(SPAN("/word/"), buf_span(&b), true), 60000);
	CHECK_INT(count(SPAN("/\\b/"), buf_span(&b), true), 120000);
	CHECK_INT(count(SPAN("/x*/"), buf_span(&b), true), 360001);
	CHECK_INT(count(SPAN("/(?<=d\\. )w/"), buf_span(&b), true), 59999);
	CHECK_INT(count(SPAN("/^word/"), buf_span(&b), true), 1);
	CHECK_INT(count(SPAN("/ $/"), buf_span(&b), true), 1);
}

int
main(void)
{
	env = regex_env_new();
	arena = arena_new(0);
	slot = rule_slot_new();
	test_split();
	test_semantics();
	test_perl();
	test_large();
	test_limits();
	rule_slot_free(slot);
	regex_env_free(env);
	arena_free(arena);
	return tap_done();
}
