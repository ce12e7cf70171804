#ifndef FILTER_RULE_RULE_H
#define FILTER_RULE_RULE_H

#include "filter/base/arena.h"
#include "filter/base/err.h"
#include "filter/base/span.h"
#include "filter/mail/message.h"
#include "filter/rule/symbol.h"

/*
 * The rule engine: rule files in SpamAssassin's language and the symbols of
 * scorers in one graph, evaluated on demand. It knows no scorer, no DNS and no
 * authentication: what it does not know is an extern, bound at open.
 *
 * Building: rule_set_new(), rule_bind_symbol() and rule_bind_eval(), then
 * rule_read_*(), then rule_set_finish(). After that the set is immutable and
 * shared by all threads; each run needs a slot of its own.
 */
struct scan; /* handed through to externs, never looked into */
struct rule_set;
struct rule_run;

struct args {
	size_t n;
	const struct span *v;
};

enum rule_cost {
	RULE_FACT,    /* an answer that is there */
	RULE_LOCAL,   /* CPU */
	RULE_NETWORK, /* may wait: asked last */
};

/* Times hit, 0 = no. Evidence through rule_run_evidence(). */
typedef int64_t rule_value_fn(
    const void *state, struct scan *scan, const struct args *args);

struct rule_extern {
	const char *name;
	const char *describe; /* symbols only */
	int32_t score_milli;  /* symbols only: the default */
	rule_value_fn *value;
	const void *state;
	enum rule_cost cost;
	bool shadow; /* symbols only */
};

struct rule_options {
	bool lint;            /* also say what only lint says */
	bool network;         /* tflag net evals may run (score set 1 and 3) */
	unsigned match_limit; /* PCRE2, 0 = default */
	unsigned match_ms; /* time for one rule on one message, 0 = default */
};

struct rule_problem {
	struct span file;
	unsigned line; /* 0: the file as a whole */
	bool warning;  /* loading goes on and the rule works */
	struct span text;
};
struct rule_problems VEC(struct rule_problem);

#define RULE_LINE_MAX (1024 * 1024)
#define RULE_FILE_MAX ((size_t)64 * 1024 * 1024)
#define RULE_INCLUDE_DEPTH 8
#define RULE_PATTERN_MAX (256 * 1024)

struct rule_set *rule_set_new(const struct rule_options *options);
void rule_set_free(struct rule_set *set);

int rule_bind_symbol(
    struct rule_set *set, const struct rule_extern *symbol) MUST_USE;
/* eval:NAME(args) of rule files. */
int rule_bind_eval(
    struct rule_set *set, const struct rule_extern *eval) MUST_USE;

/* A .cf file or a folder of them (byte order). Problems are noted in the set;
 * ERR_IO and ERR_ACCESS when it cannot be read at all. */
int rule_read_path(
    struct rule_set *set, const char *path, struct err *err) MUST_USE;
int rule_read_text(
    struct rule_set *set, const char *name, struct span text) MUST_USE;

/* Compiles everything: metas, dependencies, order. Only memory can fail it;
 * rules in error are noted and left out. */
int rule_set_finish(struct rule_set *set, struct err *err) MUST_USE;

const struct rule_problems *rule_set_problems(const struct rule_set *set);
/* Number of problems that are errors. */
size_t rule_set_errors(const struct rule_set *set);
const struct symbol_table *rule_set_symbols(const struct rule_set *set);

/*
 * What one run needs and a thread must not share: match data, JIT stack.
 * Made by the caller's pool, lent to a run, taken back while it waits.
 */
struct rule_slot;
struct rule_slot *rule_slot_new(void);
void rule_slot_free(struct rule_slot *slot);

struct rule_run_options {
	bool
	    everything; /* every symbol, also what nobody asks: check -v, shadow */
	bool timing;    /* fill symbol_hit.us */
	int64_t deadline; /* clock.h; past it what is left is not run */
	/* Called before each rule and in long ones; false: stop. May be NULL. */
	bool (*tick)(struct scan *scan);
	/* The slot to use now; called before each match. */
	struct rule_slot *(*slot)(struct scan *scan);
};

/* NULL when the arena failed. Memory: arena. */
struct rule_run *rule_run_new(const struct rule_set *set, struct message *m,
    struct scan *scan, const struct rule_run_options *options,
    struct arena *arena);

/*
 * Evaluates every scored symbol (all, with `everything`), cheapest first,
 * those that wait for the network last. Hits with a score that is not zero,
 * and shadow ones, are listed in no order; "__" names only with `everything`.
 */
void rule_run_all(struct rule_run *run);
/* One symbol's value, evaluated if need be; for externs that ask for others. */
double rule_run_value(struct rule_run *run, const struct symbol *symbol);

const struct symbol_hits *rule_run_hits(const struct rule_run *run);
int64_t rule_run_score(const struct rule_run *run); /* milli */
/* Why the extern that runs now hit; copied into the arena, cut at 200 bytes. */
void rule_run_evidence(struct rule_run *run, struct span text);
/* True when the deadline, a tick or a limit left symbols out. */
bool rule_run_cut(const struct rule_run *run);
/* Rules whose match limit was met: their symbols. */
const struct symbol_items *rule_run_limited(const struct rule_run *run);

#endif
