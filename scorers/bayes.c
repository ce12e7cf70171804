#include "scorers/scorer.h"

#include <stdio.h>

/*
 * What the site's own mail says, by the names and ranges that SpamAssassin has
 * for it; BAYES_999 stands beside BAYES_99. The evidence is the probability and
 * the clues that decided. Nothing is said before enough was trained.
 *
 * The scores are such that BAYES alone tags only what is nearly certain, never
 * rejects, and takes away less than it adds: see decision 0009 for what was
 * measured.
 */

#define PERCENT_ROOM 16

/* "99.97", of which a 100 is never more than nearly certain. */
static void
format_percent(double probability, char text[PERCENT_ROOM])
{
	int64_t parts = (int64_t)(probability * 10000 + 0.5);

	if (parts > 9999)
		parts = 9999;
	if (parts < 1)
		parts = 1;
	snprintf(text, PERCENT_ROOM, "%d.%02d", (int)(parts / 100),
	    (int)(parts % 100));
}

/* Words of the text in quotes; marks as they are. */
static void
add_clue(struct buf *buf, struct span token)
{
	bool mark = span_find_char(token, ':') != SPAN_NPOS;

	buf_add_char(buf, ' ');
	if (!mark)
		buf_add_char(buf, '"');
	buf_add_span(buf, token);
	if (!mark)
		buf_add_char(buf, '"');
}

#define EVIDENCE_ROOM 160

static void
give_evidence(struct scan *scan, const struct bayes_result *bayes)
{
	char percent[PERCENT_ROOM];
	struct buf buf;

	format_percent(bayes->probability, percent);
	buf_init(&buf, scan->arena, SIZE_MAX / 2);
	buf_printf(&buf, "%s %%:", percent);
	for (size_t i = 0; i < bayes->n_clues && buf.len < EVIDENCE_ROOM; i++)
		if ((bayes->clues[i].probability > 0.5) ==
		    (bayes->probability > 0.5))
			add_clue(&buf, bayes->clues[i].token);
	scan_evidence_span(scan, buf_span(&buf));
}

static int64_t
within(struct scan *scan, double from, double to)
{
	const struct learn_facts *facts = scan_learned(scan);

	if (facts->state != FACT_DONE || facts->bayes.probability < from ||
	    facts->bayes.probability >= to)
		return 0;
	give_evidence(scan, &facts->bayes);
	return 1;
}

#define RANGE(name, from, to)                                                  \
	static int64_t name(                                                   \
	    const void *state, struct scan *scan, const struct args *args)     \
	{                                                                      \
		(void)state;                                                   \
		(void)args;                                                    \
		return within(scan, from, to);                                 \
	}

RANGE(bayes_00, 0, 0.01)
RANGE(bayes_05, 0.01, 0.05)
RANGE(bayes_20, 0.05, 0.20)
RANGE(bayes_40, 0.20, 0.40)
RANGE(bayes_50, 0.40, 0.60)
RANGE(bayes_60, 0.60, 0.80)
RANGE(bayes_80, 0.80, 0.95)
RANGE(bayes_95, 0.95, 0.99)
RANGE(bayes_99, 0.99, 2)
RANGE(bayes_999, 0.999, 2)

static const struct symbol_def symbols[] = {
    {"BAYES_00", "Spam by what was learned: under 1 %", -1900, bayes_00,
	RULE_NETWORK},
    {"BAYES_05", "Spam by what was learned: 1 to 5 %", -500, bayes_05,
	RULE_NETWORK},
    {"BAYES_20", "Spam by what was learned: 5 to 20 %", -1, bayes_20,
	RULE_NETWORK},
    {"BAYES_40", "Spam by what was learned: 20 to 40 %", -1, bayes_40,
	RULE_NETWORK},
    {"BAYES_50", "Spam by what was learned: 40 to 60 %", 1, bayes_50,
	RULE_NETWORK},
    {"BAYES_60", "Spam by what was learned: 60 to 80 %", 500, bayes_60,
	RULE_NETWORK},
    {"BAYES_80", "Spam by what was learned: 80 to 95 %", 1500, bayes_80,
	RULE_NETWORK},
    {"BAYES_95", "Spam by what was learned: 95 to 99 %", 2500, bayes_95,
	RULE_NETWORK},
    {"BAYES_99", "Spam by what was learned: over 99 %", 3500, bayes_99,
	RULE_NETWORK},
    {"BAYES_999", "Spam by what was learned: over 99.9 %", 1700, bayes_999,
	RULE_NETWORK},
    {0},
};

const struct scorer scorer_bayes = {
    .name = "bayes",
    .help = "what the site's own mail taught",
    .symbols = symbols,
};
