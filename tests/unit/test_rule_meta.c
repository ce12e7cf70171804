/*
 * meta: Perl's operators and numbers, SpamAssassin's lexer, readiness, cycles.
 * The values of names come from natives, so that no message matters.
 */
#include <stdio.h>

#include "tests/unit/rulekit.h"

static const char mail[] = "Subject: x\n\nbody\n";

/* state: the value; counts how often it was asked. */
struct source {
	int64_t value;
	int asked;
};

static int64_t
source_value(const void *state, struct scan *scan, const struct args *args)
{
	struct source *s = (struct source *)(uintptr_t)state;

	(void)scan;
	(void)args;
	s->asked++;
	return s->value;
}

static void
bind_source(
    struct kit *k, const char *name, struct source *source, enum rule_cost cost)
{
	struct rule_extern e = {
	    name, "a source", 0, source_value, source, cost, false};

	CHECK_INT(rule_bind_symbol(k->set, &e), 0);
}

struct value_case {
	const char *expr;
	const char *want; /* kit_hits(), "" no hit, NULL refused */
};

/* Names: A=1 B=2 C=3 Z=0 N=-2 */
static const struct value_case values[] = {
    {"A", "M=1"},
    {"Z", ""},
    {"B", "M=2"},
    {"N", "M=1"},
    {"A && C", "M=3"},
    {"C && A", "M=1"},
    {"A && Z", ""},
    {"Z || C", "M=3"},
    {"B || C", "M=2"},
    {"!A", ""},
    {"!Z", "M=1"},
    {"!!C", "M=1"},
    {"A + B * C", "M=7"},
    {"(A + B) * C", "M=9"},
    {"C - A - A", "M=1"},
    {"C - (A - A)", "M=3"},
    {"B / C * C", "M=2"},
    {"A / 4", "M=0.25"},
    {"A / Z", ""},
    {"A - C", "M=1"},
    {"- A + C", "M=2"},
    {"C > B", "M=1"},
    {"C < B", ""},
    {"B >= 2", "M=1"},
    {"B <= 1.5", ""},
    {"B == 2", "M=1"},
    {"B != 2", ""},
    {"A < B < C", "M=1"},
    {"A < C < B", ""},
    {"C > B > A", "M=1"},
    {"C > B > A == A", "M=1"},
    {"(A < B) == (B < C)", "M=1"},
    {"A + B + C > 5", "M=1"},
    {"!A + !Z", "M=1"},
    {"A ? B : C", "M=2"},
    {"Z ? B : C", "M=3"},
    {"Z ? A : Z ? B : C", "M=3"},
    {"A ? Z ? B : C : A", "M=3"},
    {"A ? B : C && Z", "M=2"},
    {"Z || A ? B : C", "M=2"},
    {"B ^ C", "M=1"},
    {"A ^ A", ""},
    {"A || B ^ C && Z", "M=1"},
    {"0.5 * A", "M=0.5"},
    {".5 + A", "M=1.5"},
    {"1", "M=1"},
    {"0", ""},
    {"()", ""},
    {"", ""},
    {"((((A))))", "M=1"},
    {"UNHEARD_OF", ""},
    {"!UNHEARD_OF", "M=1"},
    {"A&&B||Z", "M=2"},
    {"A>Z", "M=1"},
    {"A\t&&\tB", "M=2"},
    {"local_tests_only", ""},
    {"!local_tests_only", "M=1"},
    {"rules_matching(NOBODY_*)", ""},
    /* the lexer trap */
    {"A-1", NULL},
    {"A -1", NULL},
    {"A+1", NULL},
    {"A - 1", ""},
    {"A > -1", NULL},
    {"A-B", "M=1"},
    {"1.2.3", NULL},
    {"A --B", NULL},
    /* other refusals */
    {"A B", NULL},
    {"A &&", NULL},
    {"&& A", NULL},
    {"A & B", NULL},
    {"A | B", NULL},
    {"A ** B", NULL},
    {"A = B", NULL},
    {"(A", NULL},
    {"A)", NULL},
    {"( )", NULL},
    {"A ? B", NULL},
    {"A : B", NULL},
    {"(A ? B) : C", NULL},
    {"A ? (B : C)", NULL},
    {"A % B", NULL},
    {"A \xc3\xa9", NULL},
    {"A, B", NULL},
    {"'A'", NULL},
    {"rules_matching", NULL},
    {"rules_matching(", NULL},
    {"rules_matching()", NULL},
    {"rules_matching(A|B)", NULL},
    {"2A", NULL},
    {"!", NULL},
    {"plugin(A)", NULL},
};

static void
test_value(const struct value_case *c)
{
	static struct source a = {1, 0}, b = {2, 0}, three = {3, 0},
			     zero = {0, 0}, n = {-2, 0};
	struct kit k;
	char text[300];

	kit_begin(&k, true, false);
	bind_source(&k, "A", &a, RULE_FACT);
	bind_source(&k, "B", &b, RULE_FACT);
	bind_source(&k, "C", &three, RULE_FACT);
	bind_source(&k, "Z", &zero, RULE_FACT);
	bind_source(&k, "N", &n, RULE_FACT);
	snprintf(text, sizeof text, "meta M %s\n", c->expr);
	kit_read(&k, text);
	kit_finish(&k);
	bool refused = rule_set_errors(k.set) > 0;
	tap_int(__FILE__, __LINE__, refused, c->want == NULL, c->expr);
	kit_run(&k, mail, false);
	if (c->want)
		tap_span(__FILE__, __LINE__, span_of(kit_hits(&k)),
		    span_of(c->want), c->expr);
	kit_end(&k);
}

static void
test_values(void)
{
	TAP_CASE("operators, precedence, values, and what is refused")
	for (size_t i = 0; i < sizeof values / sizeof *values; i++)
		test_value(&values[i]);
}

static void
test_short_circuit(void)
{
	struct source yes = {1, 0}, no = {0, 0}, left = {1, 0}, never = {1, 0};
	struct kit k;

	TAP_CASE("a name that cannot matter is not asked; others once")
	kit_begin(&k, true, false);
	bind_source(&k, "YES", &yes, RULE_FACT);
	bind_source(&k, "NO", &no, RULE_FACT);
	bind_source(&k, "LEFT", &left, RULE_FACT);
	bind_source(&k, "NEVER", &never, RULE_FACT);
	kit_read(&k, "meta __A NO && NEVER\n"
		     "meta __B YES || NEVER\n"
		     "meta M __A + __B + (YES ? LEFT : NEVER)\n");
	kit_finish(&k);
	kit_run(&k, mail, false);
	CHECK_STR(span_of(kit_hits(&k)), "M=2");
	CHECK_INT(yes.asked, 1);
	CHECK_INT(no.asked, 1);
	CHECK_INT(left.asked, 1);
	CHECK_INT(never.asked, 0);

	TAP_CASE("with everything each symbol is asked, once")
	kit_run(&k, mail, true);
	CHECK_INT(never.asked, 1);
	CHECK_INT(yes.asked, 2);
	CHECK_STR(span_of(kit_hits(&k)), "M=2 __B=1");
	kit_end(&k);
}

static void
test_ready(void)
{
	static const struct {
		const char *rules, *want, *why;
	} cases[] = {
	    {"header X exists:Subject\nscore X 0\nmeta M !X\n", "M=1",
		"a regex rule with score 0 is not run and counts 0"},
	    {"meta X 0\nscore X 0\nmeta M !X\n", "M=1",
		"a meta with score 0 that is false counts 0"},
	    {"meta X 1\nscore X 0\nmeta M !X\n", "",
		"a meta with score 0 that is true is never ready"},
	    {"meta X 1\nscore X 0\nmeta M 1 || X\n", "",
		"also where a short circuit would not look"},
	    {"meta X 1\nscore X 0\nmeta __Y !X\nmeta M !__Y\n", "",
		"what waits for it is never ready either"},
	    {"meta __X 1\nscore __X 0\nmeta M __X\n", "M=1",
		"sub-rules have no score that could stop them"},
	    {"meta X 1\nscore X 0 1 0 1\nmeta M X\n", "M=1 X=1",
		"the score set in force decides"},
	    {"meta NAT 1\nmeta M NAT\nscore NAT 0\n", "M=1",
		"a native symbol with score 0 is asked all the same"},
	};
	struct source one = {1, 0};

	TAP_CASE("scores of 0 and readiness, as SpamAssassin has them")
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct kit k;
		kit_begin(&k, true, false);
		bind_source(&k, "NAT", &one, RULE_FACT);
		kit_read(&k, cases[i].rules);
		kit_finish(&k);
		kit_run(&k, mail, false);
		tap_span(__FILE__, __LINE__, span_of(kit_hits(&k)),
		    span_of(cases[i].want), cases[i].why);
		kit_end(&k);
	}
}

static void
test_cycles(void)
{
	struct kit k;

	TAP_CASE("metas in a cycle are 0 and named; those outside go on")
	kit_begin(&k, true, false);
	kit_read(&k, "meta A B || 1\nmeta B C\nmeta C A\n"
		     "meta SELF !SELF\nmeta OUT !A\n");
	kit_finish(&k);
	CHECK_INT(rule_set_errors(k.set), 0);
	CHECK_INT(rule_set_problems(k.set)->n, 4);
	CHECK(strstr(kit_problem(&k, 0), "depends on itself") != NULL);
	kit_run(&k, mail, false);
	CHECK_STR(span_of(kit_hits(&k)), "OUT=1");
	kit_end(&k);
}

#define CHAIN 100000

static void
test_depth(void)
{
	struct kit k;
	struct buf b;

	TAP_CASE("a chain of 100,000 metas costs no stack")
	kit_begin(&k, true, false);
	buf_init(&b, k.arena, SIZE_MAX / 4);
	for (int i = 0; i < CHAIN; i++)
		buf_printf(&b, "meta __M%d __M%d && 1\n", i, i + 1);
	buf_printf(&b, "meta __M%d 1\nmeta TOP __M0\n", CHAIN);
	CHECK_INT(rule_read_text(k.set, "chain.cf", buf_span(&b)), 0);
	kit_finish(&k);
	kit_run(&k, mail, false);
	CHECK_STR(span_of(kit_hits(&k)), "TOP=1");
	kit_end(&k);

	TAP_CASE(
	    "100,000 parentheses, negations and ternaries cost none either")
	kit_begin(&k, true, false);
	buf_init(&b, k.arena, SIZE_MAX / 4);
	buf_add_str(&b, "meta P ");
	for (int i = 0; i < CHAIN; i++)
		buf_add_char(&b, '(');
	buf_add_char(&b, '1');
	for (int i = 0; i < CHAIN; i++)
		buf_add_char(&b, ')');
	buf_add_str(&b, "\nmeta Q ");
	for (int i = 0; i < CHAIN; i++)
		buf_add_char(&b, '!');
	buf_add_str(&b, "1\nmeta R ");
	for (int i = 0; i < CHAIN; i++)
		buf_add_str(&b, "0?0:");
	buf_add_str(&b, "1\n");
	CHECK_INT(rule_read_text(k.set, "deep.cf", buf_span(&b)), 0);
	kit_finish(&k);
	CHECK_INT(rule_set_errors(k.set), 0);
	kit_run(&k, mail, false);
	CHECK_STR(span_of(kit_hits(&k)), "P=1 Q=1 R=1");
	kit_end(&k);
}

static void
test_globs(void)
{
	struct kit k;

	TAP_CASE("rules_matching sums what matches, itself left out")
	kit_begin(&k, true, false);
	kit_read(&k, "meta __X_1 2\nmeta __X_22 3\nmeta __Y 5\n"
		     "meta __X_ALL rules_matching(__X_*)\n"
		     "meta M rules_matching(__X_?) * 100 + __X_ALL\n"
		     "meta N rules_matching(*_2?)\n"
		     "meta O rules_matching(__X*1*) ? 7 : 8\n");
	kit_finish(&k);
	kit_run(&k, mail, false);
	CHECK_STR(span_of(kit_hits(&k)), "M=205 N=3 O=7");
	kit_end(&k);
}

/* Appends its name to `order` when asked. */
static char order[64];

static int64_t
note_order(const void *state, struct scan *scan, const struct args *args)
{
	(void)scan;
	(void)args;
	snprintf(order + strlen(order), sizeof order - strlen(order), "%s ",
	    (const char *)state);
	return 1;
}

static void
test_order(void)
{
	static const struct {
		const char *name;
		enum rule_cost cost;
	} natives[] = {{"NET", RULE_NETWORK}, {"LOCAL", RULE_LOCAL},
	    {"FACT", RULE_FACT}, {"NET2", RULE_NETWORK}};
	struct kit k;

	TAP_CASE("cheap ones first; what touches the network last")
	kit_begin(&k, true, false);
	for (size_t i = 0; i < 4; i++) {
		struct rule_extern e = {natives[i].name, NULL, 0, note_order,
		    natives[i].name, natives[i].cost, false};
		CHECK_INT(rule_bind_symbol(k.set, &e), 0);
	}
	kit_read(&k, "meta M1 NET2\nmeta M2 LOCAL\nmeta M3 FACT && NET\n"
		     "meta M4 FACT\nscore NET2 0\n");
	kit_finish(&k);
	kit_run(&k, mail, false);
	CHECK_STR(span_of(order), "FACT LOCAL NET2 NET ");
	CHECK_STR(span_of(kit_hits(&k)), "M1=1 M2=1 M3=1 M4=1");
	kit_end(&k);
}

int
main(void)
{
	test_values();
	test_short_circuit();
	test_ready();
	test_cycles();
	test_depth();
	test_globs();
	test_order();
	return tap_done();
}
