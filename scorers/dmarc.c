#include "scorers/scorer.h"

/* DMARC results as symbols (RFC 9989). DMARC_PASS, DMARC_NONE, DMARC_QUAR,
 * DMARC_REJECT and DMARC_MISSING mean what they mean in SpamAssassin. A failure
 * that a trusted ARC sealer makes up for is ARC_RESCUED and none of them. */

static const struct dmarc_facts *
facts_of(struct scan *scan)
{
	const struct scan_dmarc_facts *facts = scan_dmarc(scan);

	if (facts->state != FACT_DONE && facts->state != FACT_LATER)
		return NULL;
	return &facts->dmarc;
}

static int64_t
result_is(struct scan *scan, enum dmarc_result result)
{
	const struct dmarc_facts *dmarc = facts_of(scan);

	if (!dmarc || dmarc->result != result)
		return 0;
	scan_evidence(scan, "%.*s%s%.*s", SPAN_ARG(dmarc->from_domain),
	    dmarc->problem.len ? ": " : "", SPAN_ARG(dmarc->problem));
	return 1;
}

static int64_t
fail_with(struct scan *scan, enum dmarc_policy disposition)
{
	const struct dmarc_facts *dmarc = facts_of(scan);

	if (!dmarc || dmarc->result != DMARC_FAIL ||
	    dmarc->disposition != disposition || scan_dmarc(scan)->rescuer.p)
		return 0;
	scan_evidence(scan, "%.*s publishes p=%s",
	    SPAN_ARG(dmarc->record_domain),
	    dmarc_policy_name(dmarc->published));
	return 1;
}

static int64_t
rescued(struct scan *scan)
{
	const struct scan_dmarc_facts *facts = scan_dmarc(scan);

	if (!facts->rescuer.p)
		return 0;
	scan_evidence(scan, "%.*s publishes p=%s, sealed by %.*s",
	    SPAN_ARG(facts->dmarc.record_domain),
	    dmarc_policy_name(facts->dmarc.published),
	    SPAN_ARG(facts->rescuer));
	return 1;
}

#define SYMBOL(name, expression)                                               \
	static int64_t name(                                                   \
	    const void *state, struct scan *scan, const struct args *args)     \
	{                                                                      \
		(void)state;                                                   \
		(void)args;                                                    \
		return expression;                                             \
	}

SYMBOL(dmarc_pass, result_is(scan, DMARC_PASS))
SYMBOL(dmarc_missing, result_is(scan, DMARC_NONE))
SYMBOL(dmarc_permerror, result_is(scan, DMARC_PERMERROR))
SYMBOL(dmarc_temperror, result_is(scan, DMARC_TEMPERROR))
SYMBOL(dmarc_reject, fail_with(scan, DMARC_POLICY_REJECT))
SYMBOL(dmarc_quar, fail_with(scan, DMARC_POLICY_QUARANTINE))
SYMBOL(dmarc_none, fail_with(scan, DMARC_POLICY_NONE))
SYMBOL(arc_rescued, rescued(scan))

static const struct symbol_def symbols[] = {
    {"DMARC_PASS", "The From domain authenticates (DMARC pass)", -1, dmarc_pass,
	RULE_NETWORK},
    {"DMARC_REJECT", "DMARC fails and the From domain asks to reject", 3500,
	dmarc_reject, RULE_NETWORK},
    {"DMARC_QUAR", "DMARC fails and the From domain asks to quarantine", 2000,
	dmarc_quar, RULE_NETWORK},
    {"DMARC_NONE", "DMARC fails and the From domain asks for nothing", 500,
	dmarc_none, RULE_NETWORK},
    {"ARC_RESCUED",
	"DMARC fails, and a trusted ARC sealer vouches for the message", -1,
	arc_rescued, RULE_NETWORK},
    {"DMARC_MISSING", "The From domain publishes no DMARC record", 1,
	dmarc_missing, RULE_NETWORK},
    {"DMARC_PERMERROR", "From or the DMARC record cannot be used", 500,
	dmarc_permerror, RULE_NETWORK},
    {"DMARC_TEMPERROR", "DMARC could not be decided now", 1, dmarc_temperror,
	RULE_NETWORK},
    {0},
};

const struct scorer scorer_dmarc = {
    .name = "dmarc",
    .help = "DMARC results (RFC 9989)",
    .symbols = symbols,
};
