#include "scorers/scorer.h"

/* DKIM results as symbols. DKIM_SIGNED, DKIM_VALID, DKIM_VALID_AU,
 * DKIM_VALID_EF and DKIM_INVALID mean what they mean in SpamAssassin; but that a
 * signature is not valid whose field was multiplied since (RFC 6376 section
 * 8.15). */

static const struct dkim_facts *
facts_of(struct scan *scan)
{
	return scan_dkim(scan)->dkim;
}

/* How many signatures have that result; evidence names the domains. */
static int64_t
count_result(struct scan *scan, enum dkim_result result)
{
	const struct dkim_facts *dkim = facts_of(scan);
	struct buf domains;
	int64_t n = 0;

	buf_init(&domains, scan->arena, 1000);
	for (size_t i = 0; dkim && i < dkim->n; i++) {
		const struct dkim_signature *s = &dkim->signatures[i];
		if (dkim_worth(s) != result)
			continue;
		buf_printf(&domains, "%s%.*s%s%.*s", n ? ", " : "",
		    SPAN_ARG(s->domain), s->problem.len ? ": " : "",
		    SPAN_ARG(s->problem));
		n++;
	}
	if (n)
		scan_evidence_span(scan, buf_span(&domains));
	return n;
}

static int64_t
any(struct scan *scan, enum dkim_result result)
{
	return count_result(scan, result) > 0;
}

/* A passing signature of exactly this domain. */
static int64_t
valid_of(struct scan *scan, struct span domain)
{
	const struct dkim_facts *dkim = facts_of(scan);

	for (size_t i = 0; dkim && i < dkim->n; i++) {
		const struct dkim_signature *s = &dkim->signatures[i];
		if (dkim_counts(s) && domain.len &&
		    span_caseeq(s->domain, domain)) {
			scan_evidence_span(scan, s->domain);
			return 1;
		}
	}
	return 0;
}

static int64_t
dkim_signed(const void *state, struct scan *scan, const struct args *args)
{
	const struct dkim_facts *dkim = facts_of(scan);

	(void)state;
	(void)args;
	return dkim && dkim->n > 0;
}

static int64_t
dkim_valid(const void *state, struct scan *scan, const struct args *args)
{
	(void)state;
	(void)args;
	return any(scan, DKIM_PASS);
}

/* Author domain: the domain of the first From address. */
static int64_t
dkim_valid_au(const void *state, struct scan *scan, const struct args *args)
{
	(void)state;
	(void)args;
	return valid_of(scan, scan_from_domain(scan));
}

/* Envelope-from domain. */
static int64_t
dkim_valid_ef(const void *state, struct scan *scan, const struct args *args)
{
	struct span from = scan->envelope->mail_from;
	size_t at = span_rfind_char(from, '@');

	(void)state;
	(void)args;
	return at == SPAN_NPOS ? 0 : valid_of(scan, span_skip(from, at + 1));
}

static int64_t
dkim_invalid(const void *state, struct scan *scan, const struct args *args)
{
	(void)state;
	(void)args;
	if (any(scan, DKIM_PASS))
		return 0;
	return any(scan, DKIM_FAIL) || any(scan, DKIM_PERMERROR) ||
	       any(scan, DKIM_POLICY);
}

static int64_t
dkim_permerror(const void *state, struct scan *scan, const struct args *args)
{
	(void)state;
	(void)args;
	return any(scan, DKIM_PERMERROR);
}

static int64_t
dkim_policy(const void *state, struct scan *scan, const struct args *args)
{
	(void)state;
	(void)args;
	return any(scan, DKIM_POLICY);
}

static int64_t
dkim_temperror(const void *state, struct scan *scan, const struct args *args)
{
	(void)state;
	(void)args;
	return any(scan, DKIM_TEMPERROR);
}

static const struct symbol_def symbols[] = {
    {"DKIM_SIGNED", "Has a DKIM signature, valid or not", 1, dkim_signed,
	RULE_NETWORK},
    {"DKIM_VALID", "Has a valid DKIM signature", -100, dkim_valid,
	RULE_NETWORK},
    {"DKIM_VALID_AU", "Has a valid DKIM signature of the author's domain", -100,
	dkim_valid_au, RULE_NETWORK},
    {"DKIM_VALID_EF",
	"Has a valid DKIM signature of the envelope sender's domain", -1,
	dkim_valid_ef, RULE_NETWORK},
    {"DKIM_INVALID", "Has DKIM signatures and none is valid", 100, dkim_invalid,
	RULE_NETWORK},
    {"DKIM_PERMERROR", "A DKIM signature or its key is in error", 100,
	dkim_permerror, RULE_NETWORK},
    {"DKIM_POLICY", "A DKIM signature is right but must not count", 100,
	dkim_policy, RULE_NETWORK},
    {"DKIM_TEMPERROR", "A DKIM key could not be had now", 1, dkim_temperror,
	RULE_NETWORK},
    {0},
};

const struct scorer scorer_dkim = {
    .name = "dkim",
    .help = "DKIM signatures (RFC 6376)",
    .symbols = symbols,
};
