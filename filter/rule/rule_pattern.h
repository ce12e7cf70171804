#ifndef FILTER_RULE_RULE_PATTERN_H
#define FILTER_RULE_RULE_PATTERN_H

#include "filter/base/buf.h"
#include "filter/base/err.h"
#include "filter/base/span.h"

/*
 * A pattern as rule files write it: delimiters, modifiers, and Perl's dialect
 * made PCRE2's (rule language, sections 2.1 and 2.2). Text only; compiling is
 * rule_regex.h's.
 */
enum pattern_flag {
	PATTERN_CASELESS = 1 << 0,   /* i */
	PATTERN_MULTILINE = 1 << 1,  /* m */
	PATTERN_DOTALL = 1 << 2,     /* s */
	PATTERN_EXTENDED = 1 << 3,   /* x */
	PATTERN_EXTENDED2 = 1 << 4,  /* xx */
	PATTERN_NO_CAPTURE = 1 << 5, /* n */
};

/*
 * Takes `/re/mods`, `m{re}mods`, `qr!re!mods` apart.
 * ERR_SYNTAX says what is wrong with it.
 */
int pattern_split(struct span text, struct span *ret_pattern,
    unsigned *ret_flags, struct err *err) MUST_USE;

/*
 * Writes the pattern so that PCRE2 in byte mode matches what Perl matches
 * under /aa: quantified anchors, {,n}, code points above 0xFF (which no byte
 * can be), escapes that Perl takes literally, flags that PCRE2 lacks.
 */
int pattern_rewrite(struct span pattern, unsigned flags, struct buf *out,
    struct err *err) MUST_USE;

/* Why a pattern hits everything or looks unfinished, or NULL: lint's. */
const char *pattern_doubt(struct span pattern);

#endif
