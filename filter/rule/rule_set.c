#include "filter/rule/rule_impl.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "filter/base/unconst.h"

/*
 * A set from its making to its freeing: options, externs, problems, and the
 * step from definitions to an immutable graph. Reading is rule_read.c's,
 * evaluating rule_run.c's.
 */

#define RULE_DEFAULT 1000
#define TEST_DEFAULT 10 /* names that begin T_ */

struct rule_set *
rule_set_new(const struct rule_options *options)
{
	struct rule_set *set = calloc(1, sizeof *set);

	if (!set)
		return NULL;
	set->options = *options;
	set->arena = arena_new(0);
	set->env = regex_env_new();
	if (!set->arena || !set->env) {
		rule_set_free(set);
		return NULL;
	}
	symbol_init(&set->symbols, set->arena);
	map_init(&set->evals, set->arena, false);
	map_init(&set->files, set->arena, false);
	map_init(&set->header_index, set->arena, false);
	return set;
}

void
rule_set_free(struct rule_set *set)
{
	if (!set)
		return;
	for (size_t i = 0; i < set->regexes.n; i++)
		regex_free(set->regexes.v[i]);
	regex_env_free(set->env);
	arena_free(set->arena);
	free(set);
}

/* --- problems ---------------------------------------------------------------- */

void
rule_problem(struct rule_set *set, const struct rule_place *place, bool warning,
    const char *fmt, ...)
{
	char text[1024];
	va_list ap;

	if (!warning)
		set->errors++;
	if (set->problems.n >= RULE_PROBLEMS_MAX)
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	struct buf safe;
	buf_init(&safe, set->arena, sizeof text * 4);
	for (const char *c = text; *c; c++) {
		/* What a rule file holds must not move a terminal's cursor. */
		if (ascii_is_control(*c) || ascii_is_8bit(*c))
			buf_printf(&safe, "\\x%02x", (unsigned char)*c);
		else
			buf_add_char(&safe, *c);
	}
	struct rule_problem *p = VEC_PUSH(set->arena, &set->problems);
	if (p)
		*p = (struct rule_problem){
		    place->file, place->line, warning, buf_span(&safe)};
}

const struct rule_problems *
rule_set_problems(const struct rule_set *set)
{
	return &set->problems;
}

size_t
rule_set_errors(const struct rule_set *set)
{
	return set->errors;
}

const struct symbol_table *
rule_set_symbols(const struct rule_set *set)
{
	return &set->symbols;
}

/* --- externs ------------------------------------------------------------------- */

static struct rule_extern *
keep_extern(struct rule_set *set, const struct rule_extern *given)
{
	struct rule_extern *e = arena_alloc(set->arena, sizeof *e);

	if (e)
		*e = *given;
	return e;
}

int
rule_bind_symbol(struct rule_set *set, const struct rule_extern *given)
{
	struct span name = span_of(given->name);
	struct symbol *symbol = symbol_intern(&set->symbols, name);
	struct rule_extern *e = keep_extern(set, given);
	struct rule_body *body = arena_zalloc(set->arena, sizeof *body);

	if (!symbol || !e || !body)
		return ERR_NOMEM;
	if (!symbol_name_valid(name) || symbol->kind != SYMBOL_UNKNOWN)
		return ERR_STATE;
	*body = (struct rule_body){.kind = SYMBOL_NATIVE, .fn = e};
	symbol->kind = SYMBOL_NATIVE;
	symbol->body = body;
	symbol->describe = span_of(given->describe ? given->describe : "");
	symbol->file = SPAN("native");
	for (size_t i = 0; i < 4; i++)
		symbol->scores_milli[i] = given->score_milli;
	if (given->shadow)
		symbol->flags |= SYMBOL_SHADOW;
	return 0;
}

int
rule_bind_eval(struct rule_set *set, const struct rule_extern *given)
{
	struct rule_extern *e = keep_extern(set, given);

	if (!e)
		return ERR_NOMEM;
	if (map_get(&set->evals, span_of(given->name)))
		return ERR_STATE;
	return map_put(&set->evals, span_of(e->name), e);
}

/* --- finishing ------------------------------------------------------------------- */

static struct rule_place
place_of(const struct symbol *symbol)
{
	return (struct rule_place){symbol->file, symbol->line};
}

/* A name that was only mentioned: scores and descriptions of nothing. */
static void
check_unknown(struct rule_set *set, const struct symbol *symbol)
{
	struct rule_place place = place_of(symbol);

	if (set->options.lint && symbol->scored && !symbol->sub)
		rule_problem(set, &place, true,
		    "score for %.*s, which no rule defines",
		    SPAN_ARG(symbol->name));
}

static void
bind_eval(struct rule_set *set, struct symbol *symbol, struct rule_body *body)
{
	struct rule_place place = place_of(symbol);

	body->fn = map_get(&set->evals, body->eval);
	if (body->fn)
		return;
	rule_problem(set, &place, false, "unknown eval function \"%.*s\"",
	    SPAN_ARG(body->eval));
	symbol->bad = true;
}

/* Scores that nobody gave, and the one of the set in force. */
static void
settle_score(const struct rule_set *set, struct symbol *symbol)
{
	int32_t score =
	    span_starts(symbol->name, SPAN("T_")) ? TEST_DEFAULT : RULE_DEFAULT;

	if (symbol->flags & SYMBOL_NICE)
		score = -score;
	if (!symbol->scored && symbol->kind != SYMBOL_NATIVE)
		for (size_t i = 0; i < 4; i++)
			symbol->scores_milli[i] = score;
	symbol->score_milli =
	    symbol->sub ? 0 : symbol->scores_milli[set->options.network];
}

/*
 * True when SpamAssassin would not run it: a score of 0 stops a regex or an
 * eval, a set without network or learner its evals.
 */
static bool
is_off(const struct rule_set *set, const struct symbol *symbol)
{
	bool zero = !symbol->sub && symbol->score_milli == 0;

	if (symbol->bad || symbol->kind == SYMBOL_UNKNOWN)
		return true;
	if (symbol->kind == SYMBOL_NATIVE || symbol->kind == SYMBOL_META)
		return false;
	if (symbol->kind == SYMBOL_EVAL &&
	    ((symbol->flags & SYMBOL_NET && !set->options.network) ||
		symbol->flags & SYMBOL_LEARN))
		return true;
	return zero;
}

static enum cost_class
leaf_cost(const struct symbol *symbol, const struct rule_body *body)
{
	switch (symbol->kind) {
	case SYMBOL_HEADER:
		return COST_HEADER;
	case SYMBOL_BODY:
	case SYMBOL_URI:
		return COST_LOCAL;
	case SYMBOL_RAWBODY:
		return COST_RAWBODY;
	case SYMBOL_FULL:
		return COST_FULL;
	case SYMBOL_EVAL:
	case SYMBOL_NATIVE:
		if (body->fn && body->fn->cost == RULE_NETWORK)
			return COST_NETWORK;
		return body->fn && body->fn->cost == RULE_LOCAL ? COST_LOCAL
								: COST_FACT;
	case SYMBOL_UNKNOWN:
	case SYMBOL_META:
		break;
	}
	return COST_FACT;
}

static int
settle(struct rule_set *set)
{
	size_t n = set->symbols.items.n;

	set->nodes = arena_calloc(set->arena, n, sizeof *set->nodes);
	if (!set->nodes)
		return ERR_NOMEM;
	for (size_t i = 0; i < n; i++) {
		struct symbol *symbol = set->symbols.items.v[i];
		struct rule_node *node = &set->nodes[i];
		node->body = unconst(symbol->body);
		if (symbol->kind == SYMBOL_NATIVE && node->body->fn->shadow)
			symbol->flags |= SYMBOL_SHADOW;
		if (symbol->kind == SYMBOL_UNKNOWN)
			check_unknown(set, symbol);
		else if (symbol->kind == SYMBOL_EVAL)
			bind_eval(set, symbol, node->body);
		settle_score(set, symbol);
		node->off = is_off(set, symbol);
		if (node->body) {
			node->cost = (uint8_t)leaf_cost(symbol, node->body);
			if (node->body->regex && !node->off)
				regex_optimise(node->body->regex);
		}
	}
	return 0;
}

int
rule_set_finish(struct rule_set *set, struct err *err)
{
	int rc = settle(set);

	if (rc == 0)
		rc = rule_graph(set);
	if (rc == 0 && arena_failed(set->arena))
		rc = ERR_NOMEM;
	return rc ? err_set(err, rc, "out of memory") : 0;
}
