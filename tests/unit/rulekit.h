#ifndef TESTS_UNIT_RULEKIT_H
#define TESTS_UNIT_RULEKIT_H

#include <stdio.h>
#include <stdlib.h>

#include "filter/rule/rule.h"
#include "tests/lib/tap.h"

/* A rule set from text, a message from text, one run: for the rule tests. */
struct kit {
	struct rule_set *set;
	struct rule_slot *slot;
	struct arena *arena;
	struct message *message;
	struct rule_run *run;
};

/* The slot of the kit that runs; tests run one at a time. */
static struct rule_slot *kit_current;

static inline struct rule_slot *
kit_slot(struct scan *scan)
{
	(void)scan;
	return kit_current;
}

static inline void
kit_begin(struct kit *k, bool network, bool lint)
{
	struct rule_options options = {.network = network, .lint = lint};

	*k = (struct kit){.set = rule_set_new(&options),
	    .slot = rule_slot_new(),
	    .arena = arena_new(0)};
	if (!k->set || !k->slot || !k->arena)
		exit(1);
}

static inline void
kit_end(struct kit *k)
{
	rule_set_free(k->set);
	rule_slot_free(k->slot);
	arena_free(k->arena);
}

static inline void
kit_read(struct kit *k, const char *text)
{
	CHECK_INT(rule_read_text(k->set, "test.cf", span_of(text)), 0);
}

static inline void
kit_finish(struct kit *k)
{
	struct err err = {0};

	CHECK_INT(rule_set_finish(k->set, &err), 0);
}

/* Runs on a message; `everything` also lists "__" names. */
static inline void
kit_run(struct kit *k, const char *message, bool everything)
{
	struct message_options options = message_options_default();
	struct rule_run_options run = {
	    .everything = everything, .deadline = INT64_MAX, .slot = kit_slot};

	kit_current = k->slot;
	k->message = message_new(k->arena, &options);
	CHECK(k->message != NULL);
	CHECK_INT(message_read(k->message, span_of(message)), 0);
	k->run = rule_run_new(k->set, k->message, NULL, &run, k->arena);
	CHECK(k->run != NULL);
	rule_run_all(k->run);
}

/* "NAME=count NAME=count", names in byte order. */
static inline const char *
kit_hits(struct kit *k)
{
	const struct symbol_hits *hits = rule_run_hits(k->run);
	struct buf b;
	struct span last = SPAN_NONE;

	buf_init(&b, k->arena, 100000);
	for (size_t n = 0; n < hits->n; n++) {
		const struct symbol_hit *best = NULL;
		for (size_t i = 0; i < hits->n; i++) {
			const struct symbol_hit *h = &hits->v[i];
			if ((!last.p || span_cmp(h->symbol->name, last) > 0) &&
			    (!best || span_cmp(h->symbol->name,
					  best->symbol->name) < 0))
				best = h;
		}
		if (!best)
			break;
		last = best->symbol->name;
		buf_printf(&b, "%s%.*s=%g", b.len ? " " : "", SPAN_ARG(last),
		    best->count);
	}
	return buf_str(&b);
}

/* The first problem as "line: text", or "". */
static inline const char *
kit_problem(struct kit *k, size_t i)
{
	const struct rule_problems *p = rule_set_problems(k->set);

	if (i >= p->n)
		return "";
	struct span text = arena_printf(
	    k->arena, "%u: %.*s", p->v[i].line, SPAN_ARG(p->v[i].text));
	return text.p ? text.p : "";
}

static inline const struct symbol *
kit_symbol(struct kit *k, const char *name)
{
	return symbol_find(rule_set_symbols(k->set), span_of(name));
}

#endif
