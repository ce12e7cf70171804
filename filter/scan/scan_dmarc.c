#include "filter/mail/domain.h"
#include "filter/scan/scan_internal.h"

/*
 * DMARC of a message: what SPF and DKIM found, brought before filter/auth's
 * judgement, and its names wanted early: of the From domains, and of those
 * domains beside them that may turn out to be authenticated.
 */

/* Signatures whose domain is asked about early: a sender writes them, and each
 * costs a walk. */
#define SIGNERS_WANTED 2

static const struct scan_dmarc_facts dmarc_off = {.state = FACT_OFF};
static const struct scan_dmarc_facts dmarc_broken = {.state = FACT_BROKEN};

/* --- what will be asked --------------------------------------------------------------- */

static struct span
domain_of(struct span mail_from)
{
	size_t at = span_rfind_char(mail_from, '@');

	return at == SPAN_NPOS ? SPAN_NONE : span_skip(mail_from, at + 1);
}

void
scan_want_dmarc(struct scan *scan)
{
	const struct addr_list *from = message_from(scan->message);
	struct span author = scan_from_domain(scan);

	if (!author.len)
		return;
	for (size_t i = 0; i < from->items.n && i < DMARC_DOMAINS_MAX; i++)
		dmarc_want(from->items.v[i].domain, scan->dns, scan->arena);
	dmarc_want_aligned(author, domain_of(scan->envelope->mail_from),
	    scan->dns, scan->arena);
	for (size_t i = 0; i < SIGNERS_WANTED; i++)
		dmarc_want_aligned(
		    author, dkim_domain(scan->dkim, i), scan->dns, scan->arena);
}

/* --- what was found --------------------------------------------------------------------- */

/* A signature over a field that was multiplied since says nothing of the From
 * that is shown. False when memory is short. */
static bool
take_dkim(const struct dkim_facts *dkim, struct arena *arena,
    struct dmarc_request *request)
{
	size_t n = dkim ? dkim->n : 0;
	struct span *passed = arena_calloc(arena, n, sizeof *passed);
	struct span *unsure = arena_calloc(arena, n, sizeof *unsure);

	if (!passed || !unsure)
		return false;
	request->dkim_domains = passed;
	request->unsure_dkim = unsure;
	request->dkim_temperror = !dkim;
	for (size_t i = 0; i < n; i++) {
		const struct dkim_signature *s = &dkim->signatures[i];
		if (dkim_counts(s))
			passed[request->n_dkim++] = s->domain;
		else if (s->result == DKIM_TEMPERROR)
			unsure[request->n_unsure_dkim++] = s->domain;
	}
	return true;
}

static void
take_spf(const struct spf_facts *spf, struct dmarc_request *request)
{
	if (spf->state == FACT_LATER) {
		request->unsure_spf = &spf->mail.domain;
		request->n_unsure_spf = 1;
	} else if (spf->state == FACT_DONE && spf->mail.result == SPF_PASS) {
		request->spf_domains = &spf->mail.domain;
		request->n_spf = 1;
	}
}

static void
take_from(struct scan *scan, struct dmarc_request *request)
{
	const struct header_list *headers = message_headers(scan->message);

	request->from = message_from(scan->message);
	request->from_fields = header_count(headers, SPAN("From"));
	request->from_lookalike = header_lookalike(headers, SPAN("From"));
}

const struct scan_dmarc_facts *
scan_dmarc(struct scan *scan)
{
	struct dmarc_request request = {0};

	if (scan->dmarc)
		return scan->dmarc;
	if (!scan_authenticates(scan))
		return &dmarc_off;
	const struct spf_facts *spf = scan_spf(scan);
	const struct scan_dkim_facts *dkim = scan_dkim(scan);
	struct scan_dmarc_facts *facts =
	    arena_zalloc(scan->arena, sizeof *facts);
	if (!facts || !take_dkim(dkim->dkim, scan->arena, &request))
		return &dmarc_broken;
	scan->dmarc = facts;
	take_spf(spf, &request);
	take_from(scan, &request);
	dmarc_check(&request, scan->dns, scan->arena, &facts->dmarc);
	facts->state =
	    facts->dmarc.result == DMARC_TEMPERROR ? FACT_LATER : FACT_DONE;
	if (facts->state == FACT_LATER)
		scan_degrade(scan, "dns");
	if (facts->dmarc.result == DMARC_FAIL)
		facts->rescuer = scan_arc(scan)->trusted;
	return facts;
}
