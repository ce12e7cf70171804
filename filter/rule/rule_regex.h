#ifndef FILTER_RULE_RULE_REGEX_H
#define FILTER_RULE_RULE_REGEX_H

#include "filter/base/arena.h"
#include "filter/base/err.h"
#include "filter/base/span.h"

/*
 * Patterns over bytes with Perl's /aa meaning (rule language, section 2.2).
 * Compiled patterns are immutable and shared; a match needs a slot that no
 * other thread uses at that time.
 */
struct regex_env; /* character tables and contexts of a rule set */
struct rule_regex;
struct rule_slot;

/* NULL when memory is short. Freed after the last pattern made with it. */
struct regex_env *regex_env_new(void);
void regex_env_free(struct regex_env *env);

/*
 * pattern  between its delimiters, as the rule file has it.
 * flags    enum pattern_flag.
 * long_text  it will be matched against more than some KB at once.
 * ERR_SYNTAX with PCRE2's reason; ERR_NOMEM. Scratch memory: arena.
 */
int regex_compile(struct regex_env *env, struct arena *arena,
    struct span pattern, unsigned flags, bool long_text,
    struct rule_regex **ret, struct err *err) MUST_USE;
/* Machine code, where the platform has it. Slow: for patterns that stay. */
void regex_optimise(struct rule_regex *regex);
void regex_free(struct rule_regex *regex);
/* True when it needed the 32-bit library (code over 64 K units). */
bool regex_is_wide(const struct rule_regex *regex);

enum regex_result {
	REGEX_NO,
	REGEX_YES,
	REGEX_LIMIT, /* a limit ended it: not known */
	REGEX_MORE,  /* none that starts before ret_hit->from: go on there */
};

/* Backtracking of one call: about 20 ms of machine code, 200 ms without. */
#define REGEX_MATCH_LIMIT 10000000
/* Nested backtracking points and their memory, without machine code. */
#define REGEX_DEPTH_LIMIT 250000
#define REGEX_HEAP_KIB (20 * 1024)
/* The most of a subject that a wide pattern is matched against. */
#define REGEX_WIDE_MAX ((size_t)4 * 1024 * 1024)
/*
 * A pattern that scans to the end from every start is quadratic without any
 * backtracking, and no limit of PCRE2 ends it. So a call tries only as many
 * starts in a long text as make this product of starts and length (a third of
 * a second at worst), and the caller looks at the clock between calls.
 */
#define REGEX_CALL_WORK ((size_t)1 << 29)

struct regex_hit {
	size_t from, to; /* offsets in the subject */
};

/*
 * Looks for the first match at or after `from`. `at_empty`: the last match was
 * empty and ended at `from`; an empty one there does not count again, as Perl's
 * //g has it.
 *
 * match_limit  0 = REGEX_MATCH_LIMIT.
 */
enum regex_result regex_match(const struct rule_regex *regex,
    struct rule_slot *slot, unsigned match_limit, struct span subject,
    size_t from, bool at_empty, struct regex_hit *ret_hit);

#endif
