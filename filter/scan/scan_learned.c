#include "filter/scan/scan.h"

/*
 * What the site's own mail taught. The message is taken apart between the two
 * calls to the store, so that a large one does not use up the store's time.
 */

static const struct learn_facts learned_off = {.state = FACT_OFF};
static const struct learn_facts learned_broken = {.state = FACT_BROKEN};

static int
judge(struct scan *scan, struct learn_facts *facts)
{
	struct bayes_result *bayes = &facts->bayes;
	struct token_list tokens;
	struct err err;
	int64_t deadline = scan_store_begin(scan);
	int rc = bayes_begin(scan->store, &scan->config->bayes, scan->now,
	    deadline, bayes, &err);

	scan_store_end(scan, rc);
	if (rc || !bayes->trained)
		return rc;
	rc = token_read(scan->message, scan->arena, &tokens);
	if (rc)
		return rc;
	deadline = scan_store_begin(scan);
	rc = bayes_end(scan->store, &tokens, scan->now, deadline, scan->arena,
	    bayes, &err);
	scan_store_end(scan, rc);
	return rc;
}

const struct learn_facts *
scan_learned(struct scan *scan)
{
	if (scan->learned)
		return scan->learned;
	if (!scan->store)
		return &learned_off;
	struct learn_facts *facts = arena_zalloc(scan->arena, sizeof *facts);
	if (!facts)
		return &learned_broken;
	scan->learned = facts;
	int rc = judge(scan, facts);
	if (rc == ERR_NOMEM)
		facts->state = FACT_BROKEN;
	else if (rc)
		facts->state = FACT_LATER;
	else
		facts->state = facts->bayes.trained ? FACT_DONE : FACT_OFF;
	return facts;
}
