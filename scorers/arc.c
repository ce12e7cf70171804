#include "scorers/scorer.h"

/* ARC chains as symbols (RFC 8617). ARC_SIGNED, ARC_VALID and ARC_INVALID mean
 * what they mean in SpamAssassin. Anybody can seal: a valid chain alone says
 * next to nothing. */

static const struct arc_facts *
facts_of(struct scan *scan)
{
	return scan_arc(scan)->arc;
}

static int64_t
result_is(struct scan *scan, enum arc_result result)
{
	const struct arc_facts *arc = facts_of(scan);

	if (!arc || arc->result != result)
		return 0;
	if (result == ARC_PASS)
		scan_evidence(scan, "i=%u, sealed by %.*s", arc->instances,
		    SPAN_ARG(arc->sets[arc->instances - 1].domain));
	else
		scan_evidence_span(scan, arc->problem);
	return 1;
}

static int64_t
arc_signed(const void *state, struct scan *scan, const struct args *args)
{
	const struct arc_facts *arc = facts_of(scan);

	(void)state;
	(void)args;
	return arc && arc->result != ARC_NONE;
}

static int64_t
arc_valid(const void *state, struct scan *scan, const struct args *args)
{
	(void)state;
	(void)args;
	return result_is(scan, ARC_PASS);
}

static int64_t
arc_invalid(const void *state, struct scan *scan, const struct args *args)
{
	(void)state;
	(void)args;
	return result_is(scan, ARC_FAIL);
}

static int64_t
arc_temperror(const void *state, struct scan *scan, const struct args *args)
{
	(void)state;
	(void)args;
	return result_is(scan, ARC_TEMPERROR);
}

static int64_t
arc_trusted(const void *state, struct scan *scan, const struct args *args)
{
	const struct scan_arc_facts *facts = scan_arc(scan);

	(void)state;
	(void)args;
	if (!facts->trusted.p)
		return 0;
	scan_evidence_span(scan, facts->trusted);
	return 1;
}

static const struct symbol_def symbols[] = {
    {"ARC_SIGNED", "Has an ARC chain, valid or not", 1, arc_signed,
	RULE_NETWORK},
    {"ARC_VALID", "Has a valid ARC chain", -1, arc_valid, RULE_NETWORK},
    {"ARC_INVALID", "Has an ARC chain that is broken", 100, arc_invalid,
	RULE_NETWORK},
    {"ARC_TEMPERROR", "An ARC key could not be had now", 1, arc_temperror,
	RULE_NETWORK},
    {"ARC_TRUSTED", "Has a valid ARC chain of trusted sealers", -100,
	arc_trusted, RULE_NETWORK},
    {0},
};

const struct scorer scorer_arc = {
    .name = "arc",
    .help = "ARC chains (RFC 8617)",
    .symbols = symbols,
};
