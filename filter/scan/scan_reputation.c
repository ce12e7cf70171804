#include "filter/scan/scan.h"

#include "filter/mail/domain.h"

/*
 * Who a message is from, as far as it was proved: the address by TCP, the
 * domain of SPF by a pass, the From domain by DMARC. Claims that nothing proves
 * have no reputation: else anybody could spend or spoil another's.
 */

/* Signers whose reputation is asked of one message: who signs with many
 * domains gets no more tries. */
#define SIGNERS_MAX 3

static const struct repute_facts reputation_off = {.state = FACT_OFF};
static const struct repute_facts reputation_broken = {.state = FACT_BROKEN};

static void
find_sender(struct scan *scan, struct repute_sender *ret)
{
	const struct spf_facts *spf = scan_spf(scan);
	const struct scan_dmarc_facts *dmarc = scan_dmarc(scan);

	if (!ip_is_private(&scan->client.ip))
		ret->ip = scan->client.ip;
	if (spf->state == FACT_DONE && spf->mail.result == SPF_PASS)
		ret->spf_domain = spf->mail.domain;
	if (dmarc->state == FACT_DONE && dmarc->dmarc.result == DMARC_PASS)
		ret->aligned_domain = dmarc->dmarc.from_domain;
}

const struct repute_facts *
scan_reputation(struct scan *scan)
{
	struct err err;

	if (scan->reputation)
		return scan->reputation;
	if (!scan->store || scan->direction == DIRECTION_OUT)
		return &reputation_off;
	struct repute_facts *facts = arena_zalloc(scan->arena, sizeof *facts);
	if (!facts)
		return &reputation_broken;
	scan->reputation = facts;
	facts->state = FACT_LATER;
	find_sender(scan, &facts->sender);
	int64_t deadline = scan_store_begin(scan);
	int rc = repute_judge(scan->store, &facts->sender, scan->now, deadline,
	    scan->arena, &facts->repute, &err);
	scan_store_end(scan, rc);
	if (rc == 0)
		facts->state = FACT_DONE;
	return facts;
}

/* --- signers ---------------------------------------------------------------------- */

static bool
is_well_known(struct scan *scan, struct span domain)
{
	struct repute_sender sender = {.aligned_domain = domain};
	struct repute_result result;
	struct err err;
	int64_t deadline = scan_store_begin(scan);
	int rc = repute_judge(scan->store, &sender, scan->now, deadline,
	    scan->arena, &result, &err);

	scan_store_end(scan, rc);
	return rc == 0 && repute_is_good(&result.v[REPUTE_ALIGNED]);
}

struct span
scan_good_signer(struct scan *scan)
{
	const struct dkim_facts *dkim = scan_dkim(scan)->dkim;
	unsigned asked = 0;

	if (!scan->store || !dkim)
		return SPAN_NONE;
	for (size_t i = 0; i < dkim->n && asked < SIGNERS_MAX; i++) {
		const struct dkim_signature *s = &dkim->signatures[i];
		if (!dkim_counts(s))
			continue;
		asked++;
		if (is_well_known(scan, s->domain))
			return s->domain;
	}
	return SPAN_NONE;
}
