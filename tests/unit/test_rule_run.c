/* Rules on messages: texts, counts, scores, limits, and who is asked when. */
#include <stdio.h>

#include "filter/base/clock.h"
#include "tests/unit/rulekit.h"

static const char mail[] =
    "Received: from a.example by b.example; Mon, 1 Jan 2024 00:00:00 +0000\n"
    "From: \"Some One\" <one@example.com>\n"
    "To: two@example.net\n"
    "Subject: hello hello there\n"
    "X-Note: first\n"
    "X-Note: second\n"
    "X-Spam-Flag: YES\n"
    "Message-ID: <1@example.com>\n"
    "\n"
    "First paragraph, see http://www.example.com/path?x=1\n"
    "and more: hello.\n"
    "\n"
    "Second paragraph: hello hello hello.\n";

struct rule_case {
	const char *rules, *want, *why;
};

static const struct rule_case cases[] = {
    {"header A Subject =~ /hello/\n", "A=1", "a header rule hits once"},
    {"header A subject =~ /^hello/\n", "A=1", "names ignore case"},
    {"header A Subject =~ /there$/\n", "A=1", "the value ends in a newline"},
    {"header A Subject !~ /nothing/\n", "A=1", "!~ hits where =~ does not"},
    {"header A Subject !~ /hello/\n", "", "!~ does not hit where =~ does"},
    {"header A X-None =~ /^$/\n", "A=1", "no header matches as empty text"},
    {"header A X-None !~ /x/\n", "A=1", "no header and !~ hits"},
    {"header A X-None =~ /^unset$/ [if-unset: unset]\n", "A=1",
	"if-unset gives the text of a header that is not there"},
    {"header A Subject =~ /unset/ [if-unset: unset]\n", "",
	"if-unset says nothing about one that is there"},
    {"header A exists:X-Note\n", "A=1", "exists: of a header"},
    {"header A exists:X-None\n", "", "exists: of none"},
    {"header A exists:X-Spam-Flag\n", "", "X-Spam-* are not seen"},
    {"header A X-Note =~ /^first\\nsecond$/\n", "A=1",
	"all instances are joined"},
    {"header A X-Note:first =~ /second/\n", "", ":first is the topmost"},
    {"header A X-Note:last =~ /^second/\n", "A=1", ":last is the bottommost"},
    {"header A From:addr =~ /^one\\@example\\.com$/\n", "A=1", ":addr"},
    {"header A From:name =~ /^Some One$/\n", "A=1", ":name"},
    {"header A Subject:raw =~ /^ hello/\n", "A=1", ":raw keeps the blank"},
    {"header A ToCc =~ /two/\n", "A=1", "ToCc"},
    {"header A MESSAGEID =~ /<1\\@/\n", "A=1", "MESSAGEID"},
    {"header A ALL =~ /^X-Note: second$/m\n", "A=1", "ALL"},
    {"body A /hello/\n", "A=1", "body without multiple hits once"},
    {"body A /hello/\ntflags A multiple\n", "A=6",
	"multiple counts over all pieces, Subject too"},
    {"body A /hello/\ntflags A multiple maxhits=4\n", "A=4", "maxhits"},
    {"body A /hello/\ntflags A maxhits=4\n", "A=1",
	"maxhits means nothing without multiple"},
    {"body A /hello/\ntflags A multiple nosubject\n", "A=4",
	"nosubject skips the first piece"},
    {"body A /hello/\ntflags A multiple\ntflags A nice\n", "A=1",
	"tflags replaces"},
    {"body A /paragraph.*Second/s\n", "", "pieces are matched one by one"},
    {"body A /1 and more/\n", "A=1", "lines of a paragraph are joined"},
    {"rawbody A /x=1\\nand/\n", "A=1", "rawbody keeps newlines"},
    {"full A /^Subject: hello.*hello\\.$/ms\n", "A=1", "full is everything"},
    {"full A /hello/\ntflags A multiple\n", "A=6", "full counts too"},
    {"uri A m{^http://www\\.example\\.com/path}\n", "A=1", "uri"},
    {"header A Subject =~ /hello/\nscore A 0\n", "",
	"score 0: not run, not listed"},
    {"header __A Subject =~ /hello/\n", "", "sub-rules are not listed"},
    {"header A Subject =~ /hello/\ntflags A shadow\n", "A=1",
	"shadow is listed"},
};

static void
test_cases(void)
{
	TAP_CASE("kinds of rules on a message")
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct kit k;
		kit_begin(&k, true, false);
		kit_read(&k, cases[i].rules);
		kit_finish(&k);
		CHECK_STR(span_of(kit_problem(&k, 0)), "");
		kit_run(&k, mail, false);
		tap_span(__FILE__, __LINE__, span_of(kit_hits(&k)),
		    span_of(cases[i].want), cases[i].why);
		kit_end(&k);
	}
}

static void
test_scores(void)
{
	static const struct {
		const char *rules;
		int64_t milli;
		const char *why;
	} sums[] = {
	    {"header A exists:To\n", 1000, "a rule scores 1 by default"},
	    {"header T_A exists:To\n", 10, "T_ scores 0.01"},
	    {"header A exists:To\ntflags A nice\n", -1000, "nice is negative"},
	    {"header A exists:To\ntflags A nice\nscore A 2\n", 2000,
		"but a score that was given stays"},
	    {"header A exists:To\nscore A 1.234\n", 1234, "three decimals"},
	    {"score A 1\nheader A exists:To\nscore A (0.5)\n", 1500,
		"a score in parentheses adds"},
	    {"score A 1\nheader A exists:To\nscore A (-2)\n", -1000,
		"or subtracts"},
	    {"header A exists:To\nscore A 1 2 3 4\n", 2000,
		"of four the second: network and no learner"},
	    {"body A /hello/\ntflags A multiple maxhits=3\nscore A 0.1\n", 300,
		"multiple scores each time"},
	    {"body __A /hello/\ntflags __A multiple\nmeta M __A\nscore M 0.1\n",
		100, "a meta scores once"},
	    {"header A exists:To\ntflags A shadow\nscore A 5\n", 0,
		"shadow scores nothing"},
	    {"header A exists:To\nscore A 0.0001\n", 1,
		"a tiny score does not become 0"},
	    {"header A exists:To\nscore A 1.0005\n", 1001, "a half rounds up"},
	    {"header A exists:To\nscore A 1.0004\n", 1000, "less does not"},
	    {"header A exists:To\nscore A -1.5\nheader B exists:From\n", -500,
		"the sum is exact"},
	};

	TAP_CASE("scores in whole thousandths")
	for (size_t i = 0; i < sizeof sums / sizeof *sums; i++) {
		struct kit k;
		kit_begin(&k, true, false);
		kit_read(&k, sums[i].rules);
		kit_finish(&k);
		CHECK_INT(rule_set_errors(k.set), 0);
		kit_run(&k, mail, false);
		tap_int(__FILE__, __LINE__, rule_run_score(k.run),
		    sums[i].milli, sums[i].why);
		kit_end(&k);
	}

	TAP_CASE("without network the first score counts")
	struct kit k;
	kit_begin(&k, false, false);
	kit_read(&k, "header A exists:To\nscore A 1 2 3 4\n");
	kit_finish(&k);
	kit_run(&k, mail, false);
	CHECK_INT(rule_run_score(k.run), 1000);
	kit_end(&k);
}

/* --- externs ------------------------------------------------------------------ */

static struct rule_run *asking;
static const struct symbol *asked;
static int calls;

static int64_t
count_args(const void *state, struct scan *scan, const struct args *args)
{
	int64_t total = 0;

	(void)state;
	(void)scan;
	calls++;
	for (size_t i = 0; i < args->n; i++)
		total = total * 100 + (int64_t)args->v[i].len;
	return total;
}

static int64_t
ask_other(const void *state, struct scan *scan, const struct args *args)
{
	(void)state;
	(void)scan;
	(void)args;
	rule_run_evidence(asking, SPAN("before"));
	int64_t value = (int64_t)rule_run_value(asking, asked);
	rule_run_evidence(asking, SPAN("because"));
	return value + 1;
}

static void
test_evals(void)
{
	struct rule_extern e = {
	    "check_args", NULL, 0, count_args, NULL, RULE_LOCAL, false};
	struct kit k;

	TAP_CASE("evals get their arguments; quotes are taken off")
	kit_begin(&k, true, false);
	CHECK_INT(rule_bind_eval(k.set, &e), 0);
	kit_read(&k, "header A eval:check_args('abc', \"d,e\" , 1.2)\n"
		     "body B eval:check_args()\n"
		     "rawbody C eval:check_args(ab-c:d)\n"
		     "header D rbleval:check_args('')\n"
		     "full E eval:check_args('it\"s', \"it's\")\n");
	kit_finish(&k);
	CHECK_STR(span_of(kit_problem(&k, 0)), "");
	kit_run(&k, mail, false);
	CHECK_STR(span_of(kit_hits(&k)), "A=30303 C=6 E=404");
	kit_end(&k);

	TAP_CASE("evals with tflag net do not run without network, nor learn")
	kit_begin(&k, false, false);
	CHECK_INT(rule_bind_eval(k.set, &e), 0);
	kit_read(&k, "header A eval:check_args('abc')\ntflags A net\n"
		     "header B eval:check_args('abc')\ntflags B learn\n"
		     "header C eval:check_args('abc')\n");
	kit_finish(&k);
	calls = 0;
	kit_run(&k, mail, false);
	CHECK_STR(span_of(kit_hits(&k)), "C=3");
	CHECK_INT(calls, 1);
	kit_end(&k);
}

static void
test_natives(void)
{
	struct rule_extern self = {
	    "SELF", "asks", 500, ask_other, NULL, RULE_LOCAL, false};
	struct kit k;

	TAP_CASE("an extern may ask for a symbol; for itself it gets 0")
	for (int round = 0; round < 2; round++) {
		kit_begin(&k, true, false);
		CHECK_INT(rule_bind_symbol(k.set, &self), 0);
		kit_read(&k, "meta DEEP __D && __D\nmeta __D 4\n");
		kit_finish(&k);
		struct message_options options = message_options_default();
		struct rule_run_options run = {.slot = kit_slot};
		kit_current = k.slot;
		k.message = message_new(k.arena, &options);
		CHECK_INT(message_read(k.message, span_of(mail)), 0);
		k.run = rule_run_new(k.set, k.message, NULL, &run, k.arena);
		asking = k.run;
		asked = kit_symbol(&k, round ? "SELF" : "DEEP");
		rule_run_all(k.run);
		CHECK_STR(span_of(kit_hits(&k)),
		    round ? "DEEP=4 SELF=1" : "DEEP=4 SELF=5");
		const struct symbol_hits *hits = rule_run_hits(k.run);
		for (size_t i = 0; i < hits->n; i++)
			if (span_is(hits->v[i].symbol->name, "SELF"))
				CHECK_STR(hits->v[i].evidence, "because");
		CHECK_INT(rule_run_score(k.run), 1500);
		kit_end(&k);
	}

	TAP_CASE("a native symbol keeps its meaning; files may score it")
	kit_begin(&k, true, false);
	struct rule_extern native = {
	    "NATIVE", "ours", 500, count_args, NULL, RULE_FACT, false};
	CHECK_INT(rule_bind_symbol(k.set, &native), 0);
	CHECK(rule_bind_symbol(k.set, &native) != 0);
	kit_read(&k, "header NATIVE exists:To\nscore NATIVE 2\n"
		     "describe NATIVE mine\n");
	kit_finish(&k);
	CHECK_INT(rule_set_errors(k.set), 0);
	CHECK(strstr(kit_problem(&k, 0), "1: NATIVE is built in") != NULL);
	CHECK_INT(kit_symbol(&k, "NATIVE")->kind, SYMBOL_NATIVE);
	CHECK_INT(kit_symbol(&k, "NATIVE")->score_milli, 2000);
	CHECK_STR(kit_symbol(&k, "NATIVE")->describe, "mine");
	kit_run(&k, mail, false);
	CHECK_STR(span_of(kit_hits(&k)), "");
	kit_end(&k);

	TAP_CASE("without network the rule of the file is the one")
	kit_begin(&k, false, false);
	CHECK_INT(rule_bind_symbol(k.set, &native), 0);
	kit_read(&k, "header NATIVE exists:To\n");
	kit_finish(&k);
	CHECK_STR(span_of(kit_problem(&k, 0)), "");
	kit_run(&k, mail, false);
	CHECK_STR(span_of(kit_hits(&k)), "NATIVE=1");
	kit_end(&k);
}

/* --- limits --------------------------------------------------------------------- */

static int ticks_left;

static bool
tick(struct scan *scan)
{
	(void)scan;
	return ticks_left-- > 0;
}

static void
run_with(
    struct kit *k, const struct rule_run_options *options, const char *text)
{
	struct message_options m = message_options_default();

	kit_current = k->slot;
	k->message = message_new(k->arena, &m);
	CHECK_INT(message_read(k->message, span_of(text)), 0);
	k->run = rule_run_new(k->set, k->message, NULL, options, k->arena);
	CHECK(k->run != NULL);
	rule_run_all(k->run);
}

static void
test_stop(void)
{
	struct rule_run_options options = {.slot = kit_slot, .tick = tick};
	struct kit k;

	TAP_CASE("a tick that says no ends the run; nothing half-known hits")
	kit_begin(&k, true, false);
	kit_read(&k, "header A exists:To\nheader B exists:None\n"
		     "header __C exists:From\nmeta D A && !__C\n"
		     "meta E !__C\n");
	kit_finish(&k);
	ticks_left = 2;
	run_with(&k, &options, mail);
	CHECK_STR(span_of(kit_hits(&k)), "A=1");
	CHECK(rule_run_cut(k.run));

	TAP_CASE("a deadline that is over lets nothing run")
	options.tick = NULL;
	options.deadline = 1;
	run_with(&k, &options, mail);
	CHECK_STR(span_of(kit_hits(&k)), "");
	CHECK(rule_run_cut(k.run));

	TAP_CASE("no slot: cut, not a crash")
	options = (struct rule_run_options){0};
	run_with(&k, &options, mail);
	CHECK(!rule_run_cut(k.run));
	kit_end(&k);
	kit_begin(&k, true, false);
	kit_read(&k, "header A To =~ /x/\n");
	kit_finish(&k);
	run_with(&k, &options, mail);
	CHECK(rule_run_cut(k.run));
	kit_end(&k);
}

static void
test_bombs(void)
{
	struct buf b;
	struct kit k;

	TAP_CASE("8 KB of a against nested quantifiers: the rule is noted, the "
		 "others run")
	kit_begin(&k, true, false);
	kit_read(&k, "header BOMB Subject =~ /^(a+)+$/\n"
		     "header ANTI Subject !~ /^(a+)+$/\n"
		     "header GOOD Subject =~ /aaa/\n");
	kit_finish(&k);
	buf_init(&b, k.arena, 20000);
	buf_add_str(&b, "Subject: ");
	for (int i = 0; i < 8000; i++)
		buf_add_char(&b, 'a');
	buf_add_str(&b, "!\n\nx\n");
	int64_t started = clock_cpu_us();
	kit_run(&k, buf_str(&b), false);
	CHECK(clock_cpu_us() - started < 5000000);
	CHECK_STR(span_of(kit_hits(&k)), "GOOD=1");
	CHECK_INT(rule_run_limited(k.run)->n, 2);
	CHECK(!rule_run_cut(k.run));
	kit_end(&k);
}

static void
test_memory(void)
{
	struct kit k;
	struct message_options options = message_options_default();
	struct rule_run_options run = {.slot = kit_slot};
	int ran = 0;

	TAP_CASE("an arena that fails anywhere gives no crash")
	kit_begin(&k, true, false);
	kit_read(&k, "header A To =~ /x/\nbody __B /hello/\n"
		     "meta C __B && (1 + __B)\nuri D /example/\n");
	kit_finish(&k);
	kit_current = k.slot;
	for (size_t budget = 200; budget < 60000; budget += 200) {
		struct arena *small = arena_new(budget);
		struct message *m = message_new(small, &options);
		struct rule_run *r = NULL;
		if (m && message_read(m, span_of(mail)) == 0)
			r = rule_run_new(k.set, m, NULL, &run, small);
		if (r) {
			rule_run_all(r);
			ran++;
			if (arena_failed(small))
				CHECK(rule_run_cut(r) ||
				      rule_run_hits(r)->n <= 2);
		}
		arena_free(small);
	}
	CHECK(ran > 0);
	kit_end(&k);
}

int
main(void)
{
	test_cases();
	test_scores();
	test_evals();
	test_natives();
	test_stop();
	test_bombs();
	test_memory();
	return tap_done();
}
