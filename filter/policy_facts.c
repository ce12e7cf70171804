#include "filter/policy.h"

/*
 * What policies look at, read off a finished scan. What speaks for an indirect
 * flow is asked only where DMARC would act: the reputation of signers is a
 * question to the store.
 */

#define COMMENT_MAX ((size_t)512)

/* Names whose refusals have codes of their own (RFC 7372). */
static enum reply_class
class_of(const struct symbol *symbol)
{
	if (symbol->kind != SYMBOL_NATIVE)
		return REPLY_CONTENT;
	if (span_starts(symbol->name, SPAN("DMARC_")))
		return REPLY_DMARC;
	if (span_starts(symbol->name, SPAN("SPF_")))
		return REPLY_SPF;
	if (span_starts(symbol->name, SPAN("DKIM_")))
		return REPLY_DKIM;
	return REPLY_CONTENT;
}

static bool
is_forwarder(const struct scan *scan)
{
	const struct direction_config *config = &scan->config->direction;

	for (size_t i = 0; i < config->n_forwarders; i++)
		if (ip_in_net(&scan->client.ip, &config->forwarders[i]))
			return true;
	return false;
}

/*
 * The chain in the words of RFC 8617 section 7.2.2, the newest seal first, as
 * far as it fits. NULL: no memory.
 */
static const char *
chain_comment(const struct arc_facts *arc, struct arena *arena)
{
	struct buf out;

	buf_init(&out, arena, COMMENT_MAX);
	buf_add_str(&out, "arc=pass");
	for (unsigned i = arc->instances; i > 0; i--) {
		const struct arc_set *set = &arc->sets[i - 1];
		size_t before = out.len;
		buf_printf(&out, " as[%u].d=%.*s as[%u].s=%.*s", i,
		    SPAN_ARG(set->domain), i, SPAN_ARG(set->selector));
		if (!buf_failed(&out))
			continue;
		out.failed = false;
		buf_truncate(&out, before);
		break;
	}
	return arena_cstr(arena, buf_span(&out));
}

static void
take_indirect(struct scan *scan, struct policy_facts *ret)
{
	const struct scan_arc_facts *arc = scan_arc(scan);
	struct span signer;

	ret->list = scan_is_list(scan);
	ret->forwarder = is_forwarder(scan);
	if (scan_dmarc(scan)->rescuer.p) {
		ret->rescue = chain_comment(arc->arc, scan->arena);
		return;
	}
	if (arc->may_be_trusted)
		ret->seal = "arc: a key of trusted sealers cannot be had now";
	if (ret->list || ret->forwarder || ret->seal)
		return;
	signer = scan_good_signer(scan);
	if (signer.p)
		ret->signer = arena_cstr(
		    scan->arena, arena_printf(scan->arena,
				     "dkim: signed by %.*s, well known here",
				     SPAN_ARG(signer)));
}

void
policy_facts_of(struct scan *scan, const struct examination *examination,
    struct policy_facts *ret)
{
	const struct scan_dmarc_facts *dmarc = scan_dmarc(scan);

	*ret = (struct policy_facts){
	    .direction = scan->direction,
	    .score_milli = examination->score_milli,
	    .dmarc_fail =
		dmarc->state == FACT_DONE && dmarc->dmarc.result == DMARC_FAIL,
	    .disposition = dmarc->dmarc.disposition,
	    .heaviest = REPLY_CONTENT,
	};
	if (ret->dmarc_fail && (ret->disposition == DMARC_POLICY_REJECT ||
				   ret->disposition == DMARC_POLICY_QUARANTINE))
		take_indirect(scan, ret);
	/* By weight: the first that adds points is what weighs most. */
	for (size_t i = 0; i < examination->hits.n; i++) {
		const struct symbol_hit *hit = &examination->hits.v[i];
		if (hit->score_milli > 0) {
			ret->heaviest = class_of(hit->symbol);
			break;
		}
	}
	/* The last: what was asked above may have failed. */
	ret->degraded = scan->degraded.v;
	ret->n_degraded = scan->degraded.n;
}
