#include "filter/feedback.h"

/*
 * Reputation must not feed on itself: its own symbols are taken out of the sum
 * before a message is called bad or good, and what lies between leaves no mark.
 */

#define BAD_MILLI 5000  /* without a tag threshold */
#define GOOD_MILLI 1000 /* below: nothing of weight speaks against it */

static int64_t
score_without_reputation(const struct examination *examination)
{
	int64_t score = examination->score_milli;

	for (size_t i = 0; i < examination->hits.n; i++) {
		const struct symbol_hit *hit = &examination->hits.v[i];
		if (span_starts(hit->symbol->name, SPAN("REPUTATION_")))
			score -= hit->score_milli;
	}
	return score;
}

void
feedback_note(struct scan *scan, const struct examination *examination,
    const struct verdict *verdict)
{
	int64_t bad_from = verdict->policy->tag;

	/* What says that it was fetched came with the message: whoever is in
	 * milter.internal could spoil or adorn anybody. */
	if (scan->degraded.n ||
	    (scan->direction == DIRECTION_RELAY &&
		!direction_is_relay(
		    &scan->config->direction, &scan->envelope->client_ip)))
		return;
	const struct repute_facts *facts = scan_reputation(scan);
	if (facts->state != FACT_DONE)
		return;
	if (bad_from == OPTION_OFF)
		bad_from = BAD_MILLI;
	int64_t score = score_without_reputation(examination);
	bool bad = score >= bad_from;
	bool good = !bad && score < GOOD_MILLI;
	if (bad || good)
		repute_note(scan->store, &facts->sender, bad, good, scan->now,
		    scan->arena);
}
