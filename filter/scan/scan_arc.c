#include "filter/scan/scan_arc.h"

#include "filter/mail/authres.h"

/*
 * The ARC chain of mail that came in, and whether somebody whom the site
 * trusts vouches for it. Anybody can make a chain that passes: what it is worth
 * is what its sealers are worth, all of them, for each could have changed what
 * those before it saw (RFC 8617 section 9). Decision record 0017.
 */

static const struct scan_arc_facts arc_off = {.state = FACT_OFF};
static const struct scan_arc_facts arc_broken = {.state = FACT_BROKEN};

static bool
looks(const struct scan *scan)
{
	return scan->direction != DIRECTION_OUT && scan->config->network;
}

void
scan_arc_begin(struct scan *scan)
{
	if (!looks(scan))
		return;
	scan->arc = arc_begin(message_headers(scan->message), scan->dns,
	    scan->hashes, scan->now, scan->arena);
	if (scan->config->seal.len)
		scan->seal_job = bodyhash_add(scan->hashes, BODYHASH_RELAXED,
		    BODYHASH_SHA256, BODYHASH_NO_LIMIT);
}

const struct bodyhash_value *
scan_seal_body(const struct scan *scan)
{
	return scan->seal_job < 0
		   ? NULL
		   : bodyhash_value(scan->hashes, scan->seal_job);
}

/* --- trust ------------------------------------------------------------------------- */

static bool
is_ours_or_listed(const struct scan_config *config, struct span domain)
{
	if (!domain.len)
		return false;
	if (span_caseeq(domain, config->seal))
		return true;
	for (size_t i = 0; i < config->n_sealers; i++)
		if (span_caseeq(domain, config->sealers[i]))
			return true;
	return false;
}

/*
 * Where the first sealer already saw DMARC fail, its seal is an honest word
 * against the message. That later ones did is what ARC is for.
 */
static bool
failed_at_first(const struct arc_set *first, struct arena *arena)
{
	struct span id, rest, result, word;

	if (!authres_split(first->results, arena, &id, &rest))
		return false;
	while (authres_next(&rest, &result))
		if (authres_of(result, "dmarc", &word) &&
		    span_caseis(word, "fail"))
			return true;
	return false;
}

/* Every sealer is listed or is us, one at least is listed, and what they sealed
 * is what people are shown. */
static bool
is_vouched(const struct scan_config *config, const struct arc_facts *arc,
    struct arena *arena)
{
	bool foreign = false;

	if (!arc->sets || arc->multiplied.p)
		return false;
	for (unsigned i = 0; i < arc->instances; i++) {
		struct span domain = arc->sets[i].domain;
		if (!is_ours_or_listed(config, domain))
			return false;
		foreign |= !span_caseeq(domain, config->seal);
	}
	return foreign && !failed_at_first(&arc->sets[0], arena);
}

static void
take_trust(struct scan *scan, struct scan_arc_facts *facts)
{
	const struct arc_facts *arc = facts->arc;
	bool pass = arc->result == ARC_PASS;

	if ((!pass && arc->result != ARC_TEMPERROR) ||
	    !is_vouched(scan->config, arc, scan->arena))
		return;
	if (pass)
		facts->trusted = arc->sets[arc->instances - 1].domain;
	else
		facts->may_be_trusted = true;
}

const struct scan_arc_facts *
scan_arc(struct scan *scan)
{
	if (scan->arc_facts)
		return scan->arc_facts;
	if (!looks(scan))
		return &arc_off;
	struct scan_arc_facts *facts = arena_zalloc(scan->arena, sizeof *facts);
	if (!facts)
		return &arc_broken;
	scan->arc_facts = facts;
	facts->state = FACT_BROKEN;
	facts->arc = arc_end(scan->arc, scan->arena);
	if (!facts->arc)
		return facts;
	facts->state = FACT_DONE;
	if (facts->arc->result == ARC_TEMPERROR) {
		facts->state = FACT_LATER;
		scan_degrade(scan, "dns");
	}
	take_trust(scan, facts);
	return facts;
}
