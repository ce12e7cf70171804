#include "scorers/scorer.h"

#include <stdlib.h>

/*
 * What a sender's past says. The evidence is decayed and shrunk (learn/repute),
 * so one message never makes a reputation; and the points are few, so a
 * reputation never decides alone.
 */

struct reputation {
	double confidence; /* below it nothing is said */
};

static const struct option options[] = {
    {"confidence", OPTION_INT, "60", 1, 99, NULL,
	"percent of trust in the evidence below which nothing is said;"
	" 60 is some eight messages",
	0},
    OPTION_END,
};

static int
reputation_open(
    const struct section *section, void **ret_state, struct err *err)
{
	struct reputation *state = malloc(sizeof *state);

	if (!state)
		return err_set(err, ERR_NOMEM, "reputation: out of memory");
	state->confidence = (double)section_number(section, "confidence") / 100;
	*ret_state = state;
	return 0;
}

static void
reputation_close(void *state)
{
	free(state);
}

/* True when what is known puts the sender into [from, to). */
static bool
stands(
    const struct reputation *state, struct scan *scan, double from, double to)
{
	const struct repute_facts *facts = scan_reputation(scan);
	const struct repute_result *r = &facts->repute;
	const struct repute_standing *best = NULL;

	if (facts->state != FACT_DONE || r->confidence < state->confidence ||
	    r->badness < from || r->badness >= to)
		return false;
	for (int i = 0; i < REPUTE_SUBJECTS; i++)
		if (r->v[i].known &&
		    (!best || r->v[i].confidence > best->confidence))
			best = &r->v[i];
	scan_evidence(scan, "%.*s: %.1f bad, %.1f good", SPAN_ARG(best->key),
	    best->bad, best->good);
	return true;
}

static int64_t
value_bad(const void *state, struct scan *scan, const struct args *args)
{
	(void)args;
	return stands(state, scan, 0.9, 2);
}

static int64_t
value_poor(const void *state, struct scan *scan, const struct args *args)
{
	(void)args;
	return stands(state, scan, 0.7, 0.9);
}

static int64_t
value_good(const void *state, struct scan *scan, const struct args *args)
{
	(void)args;
	return stands(state, scan, -1, 0.1);
}

static const struct symbol_def symbols[] = {
    {"REPUTATION_BAD", "Nearly all that this sender sent here was unwanted",
	2000, value_bad, RULE_NETWORK},
    {"REPUTATION_POOR", "Most of what this sender sent here was unwanted", 1000,
	value_poor, RULE_NETWORK},
    {"REPUTATION_GOOD", "What this sender sent here was wanted", -1000,
	value_good, RULE_NETWORK},
    {0},
};

const struct scorer scorer_reputation = {
    .name = "reputation",
    .help = "what a sender's past says",
    .options = options,
    .symbols = symbols,
    .open = reputation_open,
    .close = reputation_close,
};
