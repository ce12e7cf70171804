#include "filter/rule/rule_impl.h"

/*
 * What is said about rules, whether they are defined or not yet (rule
 * language, section 1.3): score, describe, tflags, priority, test.
 */

/*
 * A decimal number as whole thousandths, exactly; a fourth digit rounds, but
 * never to nothing: a score of 0 means that a rule is not run.
 */
static bool
to_milli(struct span s, int32_t *ret, bool *ret_rounded)
{
	bool negative = s.len && s.p[0] == '-', point = false;
	int64_t value = 0;
	unsigned places = 0, digits = 0, extra = 0;
	bool rest = false, up = false;

	if (s.len && (s.p[0] == '-' || s.p[0] == '+'))
		s = span_skip(s, 1);
	for (size_t i = 0; i < s.len; i++) {
		if (s.p[i] == '.' && !point) {
			point = true;
			continue;
		}
		if (!ascii_is_digit(s.p[i]))
			return false;
		digits++;
		if (point && places == 3) {
			up = up || (extra++ == 0 && s.p[i] >= '5');
			rest = rest || s.p[i] != '0';
			continue;
		}
		places += point;
		value = value * 10 + (s.p[i] - '0');
		if (value > (int64_t)SYMBOL_SCORE_MAX * 1000)
			return false;
	}
	for (; places < 3; places++)
		value *= 10;
	if (up || (rest && value == 0))
		value++;
	if (digits == 0 || value > (int64_t)SYMBOL_SCORE_MAX * 1000)
		return false;
	*ret = (int32_t)(negative ? -value : value);
	*ret_rounded = rest;
	return true;
}

static bool
read_score(struct rule_line *l, struct span word, int32_t base, int32_t *ret)
{
	bool relative =
	    word.len > 2 && word.p[0] == '(' && word.p[word.len - 1] == ')';
	bool rounded;
	int32_t value;
	int64_t sum;

	if (relative)
		word = span_make(word.p + 1, word.len - 2);
	if (!to_milli(word, &value, &rounded))
		return false;
	if (relative && !l->symbol->scored &&
	    l->symbol->kind != SYMBOL_NATIVE) {
		rule_complain(l, "relative score without one before");
		return false;
	}
	if (rounded)
		rule_warn(l, "score has more than three decimals");
	sum = (int64_t)value + (relative ? base : 0);
	if (sum > (int64_t)SYMBOL_SCORE_MAX * 1000 ||
	    sum < -(int64_t)SYMBOL_SCORE_MAX * 1000)
		return false;
	*ret = (int32_t)sum;
	return true;
}

void
rule_say_score(struct rule_line *l)
{
	struct symbol *symbol = l->symbol;
	struct span rest = l->value, word;
	int32_t scores[4];
	size_t n = 0, errors = l->set->errors;

	while ((word = span_word(&rest)).len) {
		if (n < 4 &&
		    read_score(l, word, symbol->scores_milli[n], &scores[n])) {
			n++;
			continue;
		}
		n = 5;
		break;
	}
	if (n != 1 && n != 4) {
		if (l->set->errors == errors)
			rule_complain(l,
			    "score needs one number or four, at most "
			    "a million");
		return;
	}
	for (size_t i = 0; i < 4; i++)
		symbol->scores_milli[i] = scores[n == 4 ? i : 0];
	symbol->scored = true;
	if (symbol->kind == SYMBOL_UNKNOWN) {
		symbol->file = l->place->file;
		symbol->line = l->place->line;
	}
}

void
rule_say_describe(struct rule_line *l)
{
	if (l->value.len == 0)
		rule_complain(l, "describe needs a text");
	else
		l->symbol->describe = l->value;
}

static const struct {
	const char *name;
	unsigned flag; /* 0: known, means nothing here */
} tflags[] = {
    {"nice", SYMBOL_NICE},
    {"net", SYMBOL_NET},
    {"learn", SYMBOL_LEARN},
    {"multiple", SYMBOL_MULTIPLE},
    {"nosubject", SYMBOL_NOSUBJECT},
    {"userconf", SYMBOL_USERCONF},
    {"noautolearn", SYMBOL_NOAUTOLEARN},
    {"shadow", SYMBOL_SHADOW},
    {"autolearn_body", 0},
    {"autolearn_force", 0},
    {"autolearn_header", 0},
    {"noawl", 0},
    {"nopublish", 0},
    {"publish", 0},
    {"a", 0},
    {"domains_only", 0},
    {"ips_only", 0},
    {"ns", 0},
    {"notrim", 0},
};

static bool
find_tflag(struct span word, unsigned *flags)
{
	for (size_t i = 0; i < sizeof tflags / sizeof *tflags; i++) {
		if (span_is(word, tflags[i].name)) {
			*flags |= tflags[i].flag;
			return true;
		}
	}
	return false;
}

#define MAXHITS_MAX 1000000

/* Replaces what an earlier tflags said; never merges. */
void
rule_say_tflags(struct rule_line *l)
{
	struct span rest = l->value, word;
	unsigned flags = 0, maxhits = 0;

	while ((word = span_word(&rest)).len) {
		struct span value = word;
		struct span key = span_cut(&value, '=');
		uint64_t n;
		if (span_is(key, "maxhits") && value.p) {
			if (span_to_u64(value, &n) || n > MAXHITS_MAX) {
				rule_complain(l, "maxhits needs a number");
				return;
			}
			maxhits = (unsigned)n;
		} else if (!find_tflag(word, &flags)) {
			rule_warn(l, "unknown tflag");
		}
	}
	l->symbol->flags = flags;
	l->symbol->maxhits = maxhits;
	l->symbol->tflags = l->value;
}

void
rule_say_priority(struct rule_line *l)
{
	int64_t value;

	if (span_to_i64(l->value, &value) || value < -100000 || value > 100000)
		rule_complain(
		    l, "priority needs a whole number, -100000 to 100000");
	else
		l->symbol->priority = (int)value;
}

/* test NAME ok|fail TEXT: kept by `rules test`; here only its form counts. */
void
rule_say_test(struct rule_line *l)
{
	struct span rest = l->value;
	struct span word = span_word(&rest);

	if ((!span_is(word, "ok") && !span_is(word, "fail")) ||
	    span_trim(rest).len == 0)
		rule_complain(l, "test needs ok or fail, and a text");
}
