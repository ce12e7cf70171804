#ifndef SCORERS_SCORER_H
#define SCORERS_SCORER_H

#include "filter/conf/option.h"
#include "filter/rule/rule.h"
#include "filter/scan/scan.h"

/*
 * A scorer turns facts into opinions: symbols with scores, and functions that
 * rule files call as eval:NAME(args). One file each, one exported table,
 * `scorer_NAME`; the list SCORERS in local.mk makes the table of all.
 *
 * A function gets the immutable state that open() made and the scan. It may
 * ask the scan for facts, take scratch memory from scan->arena, and say why
 * by scan_evidence(). It must not keep pointers, log, lock or wait by itself.
 */
struct symbol_def {
	const char *name, *describe;
	int32_t score_milli;
	rule_value_fn *value;
	enum rule_cost cost;
};

struct eval_def {
	const char *name;
	const char *args; /* for people: "('name', number)" */
	rule_value_fn *value;
	enum rule_cost cost;
};

/* Gives one more symbol, with a state of its own, to the rule set. The texts
 * and the state live as long as the configuration. 0 or ERR_*, and then the
 * scorer returns it. */
typedef int scorer_add_fn(
    void *arg, const struct symbol_def *def, const void *state);

struct scorer {
	const char *name;
	const char *help;
	const struct option *options; /* section `NAME { }`; may be NULL */
	const struct symbol_def
	    *symbols;                 /* end with a NULL name; may be NULL */
	const struct eval_def *evals; /* the same */
	/* Reads options into a state; may be NULL. */
	int (*open)(
	    const struct section *section, void **ret_state, struct err *err);
	void (*close)(void *state);
	/* Symbols that the configuration makes; may be NULL. */
	int (*more)(
	    const struct scan_config *config, scorer_add_fn *add, void *arg);
	/* Early at each stage: dns_want(). Never waits. May be NULL. */
	void (*want)(
	    const void *state, struct scan *scan, enum scan_stage stage);
};

extern const struct scorer *const scorers[]; /* NULL-ended, generated */

#endif
