#ifndef FILTER_RULE_RULE_IMPL_H
#define FILTER_RULE_RULE_IMPL_H

#include "filter/base/map.h"
#include "filter/base/vec.h"
#include "filter/rule/rule.h"
#include "filter/rule/rule_expr.h"
#include "filter/rule/rule_regex.h"

/* What the files of this folder share; nobody else includes it. */

/* The texts of one header spec, shared by all rules that look at it. */
struct rule_header {
	struct span name;
	unsigned flags; /* enum view_header_flag */
	unsigned index; /* in the set's headers */
};

/* Lists of symbols that a rules_matching() or a meta stands for. */
struct rule_ids VEC(unsigned);

/* The definition of a symbol, by its kind: symbol->body. */
struct rule_body {
	enum symbol_kind kind;
	/* regex kinds */
	struct rule_regex *regex; /* NULL of a header rule: exists: */
	bool negate;
	unsigned header;   /* index in the set's headers */
	struct span unset; /* [if-unset: ...]; p NULL: none */
	/* native and eval */
	const struct rule_extern *fn;
	struct args args;
	struct span eval; /* name, until it is bound */
	/* meta */
	struct expr expr;
	struct rule_globs VEC(struct span) globs; /* EXPR_GLOB's `at` */
	const struct rule_ids *lists;             /* the same, resolved */
};

/* What a run needs to know of a symbol; by id. */
struct rule_node {
	struct rule_body *body; /* NULL: no definition, 0 */
	uint8_t cost;           /* enum cost_class */
	bool off;               /* not run: counts 0 */
	/* A meta with score 0 that hits is never ready, nor is what mentions
	 * it (rule language, section 6). `mortal`: that can happen here. */
	bool mortal;
	struct rule_ids *deps;    /* of a meta: each name once */
	struct rule_ids *mortals; /* those of deps that are mortal */
};

/* The order of asking: classes of cost, cheapest first. */
enum cost_class {
	COST_FACT,
	COST_HEADER,
	COST_LOCAL,
	COST_RAWBODY,
	COST_FULL,
	COST_NETWORK,
};

struct rule_set {
	struct rule_options options;
	struct arena *arena;
	struct symbol_table symbols;
	struct rule_problems problems;
	size_t errors;
	struct map evals; /* name: struct rule_extern */
	struct map files; /* paths read, as keys */
	struct rule_headers VEC(struct rule_header *) headers;
	struct map header_index; /* "flags name": struct rule_header */
	struct rule_regexes VEC(struct rule_regex *) regexes; /* to be freed */
	struct regex_env *env;
	/* after rule_set_finish() */
	struct rule_node *nodes;
	struct rule_ids roots; /* what scores, in order of asking */
	struct rule_ids all;   /* everything, in order of asking */
	unsigned stack_depth;  /* most places one expression needs */
};

#define RULE_PROBLEMS_MAX 10000

/* Where a definition stands; what a problem names. */
struct rule_place {
	struct span file;
	unsigned line;
};

void rule_problem(struct rule_set *set, const struct rule_place *place,
    bool warning, const char *fmt, ...) PRINTF(4, 5);
/* For "%.*s" in a problem: cut at 80 bytes. rule_problem() makes it safe. */
#define RULE_SHOWN(s) SPAN_ARG(span_head((s), 80))

/*
 * One command line, conditions already decided. `line` lives as long as the
 * set. False when no such command exists.
 */
bool rule_command(struct rule_set *set, const struct rule_place *place,
    struct span command, struct span value, struct span line);
/* The command that is meant by a misspelled one, or NULL. */
const char *rule_command_nearest(struct span command);

/* One command that a rule's name follows, taken apart. */
struct rule_line {
	struct rule_set *set;
	const struct rule_place *place;
	struct span text;      /* the whole line, for `rules show` */
	enum symbol_kind kind; /* of the definition, where it has one */
	struct symbol *symbol;
	struct span value; /* what follows the rule's name */
};

void rule_complain(struct rule_line *l, const char *what);
void rule_warn(struct rule_line *l, const char *what); /* lint only */

void rule_define_header(struct rule_line *l);
void rule_define_text(struct rule_line *l); /* body, rawbody, full */
void rule_define_uri(struct rule_line *l);
void rule_define_meta(struct rule_line *l);
void rule_say_score(struct rule_line *l);
void rule_say_describe(struct rule_line *l);
void rule_say_tflags(struct rule_line *l);
void rule_say_priority(struct rule_line *l);
void rule_say_test(struct rule_line *l);

/* Compiles and notes a pattern `/re/mods`; NULL when that was a problem. */
struct rule_regex *rule_pattern(struct rule_set *set,
    const struct rule_place *place, struct span text, bool long_text);

/* meta's expression; names are made known. */
int rule_meta_compile(struct rule_set *set, struct span text,
    struct rule_body *body, struct err *err) MUST_USE;
/* Dependencies, rules_matching(), cycles, order. */
int rule_graph(struct rule_set *set) MUST_USE;

/* `if`'s expression. */
int rule_cond_eval(struct rule_set *set, struct span text, bool *ret,
    struct err *err) MUST_USE;
/* `ifplugin`'s class. */
bool rule_cond_plugin(struct rule_set *set, struct span name);
bool rule_cond_plugin_known(struct span name);

/* "4.000001" */
#define RULE_VERSION 4.000001

#endif
