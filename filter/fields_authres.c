#include "filter/auth/spf_field.h"
#include "filter/fields_internal.h"
#include "filter/mail/authres.h"

/*
 * Our Authentication-Results (RFC 8601): facts of the scan to results and
 * properties, in the order auth, spf, dkim, dmarc, arc, iprev, x-tls; and
 * Received-SPF. How text gets there safely is filter/mail/authres.c's business;
 * which of the facts apply, the scan's.
 */

#define SIGNATURES_MAX 20      /* written to Authentication-Results */
#define SIGNATURE_SHOWN 8      /* bytes of b= (RFC 6008) ... */
#define SIGNATURE_SHOWN_MAX 63 /* ... and more to tell two apart */

static void
add_spf(struct authres *ar, const struct envelope *envelope, struct scan *scan)
{
	const struct spf_facts *spf = scan_spf(scan);

	if (spf->state == FACT_OFF || spf->state == FACT_BROKEN)
		return;
	authres_result(
	    ar, "spf", spf_result_name(spf->mail.result), spf->mail.problem);
	if (spf->of_helo)
		authres_prop(ar, "smtp.helo",
		    spf->mail.domain.len ? spf->mail.domain
					 : scan->client.helo);
	else if (span_is_ascii(envelope->mail_from))
		authres_prop(ar, "smtp.mailfrom", envelope->mail_from);
	else
		authres_prop(ar, "smtp.mailfrom", spf->mail.domain);
}

static bool
default_identity(const struct dkim_signature *s)
{
	return s->identity.len == 0 ||
	       (s->identity.p[0] == '@' &&
		   span_caseeq(span_skip(s->identity, 1), s->domain));
}

/* What a reader ought to know of a signature, beside its result. */
static struct span
signature_comment(const struct dkim_signature *s, struct arena *arena)
{
	if (s->problem.len)
		return s->problem;
	if (s->multiplied.p)
		return arena_printf(arena, "%.*s stands there more than once",
		    SPAN_ARG(s->multiplied));
	return s->testing ? SPAN("key for tests") : SPAN_NONE;
}

/* RFC 6008 section 4: so much of b= that no other signature begins so. */
static struct span
short_b(const struct dkim_facts *dkim, size_t which)
{
	struct span b = dkim->signatures[which].b;
	size_t shown = SIGNATURE_SHOWN;

	for (size_t i = 0; i < dkim->n && i < SIGNATURES_MAX; i++) {
		struct span other = dkim->signatures[i].b;
		size_t same = 0;
		if (i == which)
			continue;
		while (same < b.len && same < other.len &&
		       same < SIGNATURE_SHOWN_MAX && b.p[same] == other.p[same])
			same++;
		if (same >= shown)
			shown = same + 1;
	}
	return span_head(b, shown);
}

static void
add_signature(struct authres *ar, const struct dkim_facts *dkim, size_t which)
{
	const struct dkim_signature *s = &dkim->signatures[which];

	authres_result(ar, "dkim", dkim_result_name(dkim_worth(s)),
	    signature_comment(s, ar->text.out.arena));
	authres_prop(ar, "header.d", s->domain);
	if (!default_identity(s))
		authres_prop(ar, "header.i", s->identity);
	authres_prop(ar, "header.s", s->selector);
	authres_prop(ar, "header.a", s->algorithm);
	authres_prop(ar, "header.b", short_b(dkim, which));
}

static void
add_dkim(struct authres *ar, struct scan *scan)
{
	const struct scan_dkim_facts *facts = scan_dkim(scan);
	const struct dkim_facts *dkim = facts->dkim;

	if (facts->state == FACT_OFF || facts->state == FACT_BROKEN || !dkim)
		return;
	if (dkim->n == 0)
		authres_result(ar, "dkim", "none", SPAN_NONE);
	for (size_t i = 0; i < dkim->n && i < SIGNATURES_MAX; i++)
		add_signature(ar, dkim, i);
}

/* "p=reject, mailing_list": what is asked for, and why less was done. Without a
 * semicolon: who reads such fields by a simple pattern ends a result there. */
static struct span
dmarc_comment(const struct scan_dmarc_facts *facts,
    const struct verdict *verdict, struct arena *arena)
{
	const struct dmarc_facts *dmarc = &facts->dmarc;

	if (dmarc->published == DMARC_POLICY_UNKNOWN)
		return dmarc->problem;
	const char *policy = dmarc_policy_name(dmarc->published);
	if (facts->rescuer.p)
		return arena_printf(arena, "p=%s, arc: trusted sealer %.*s",
		    policy, SPAN_ARG(facts->rescuer));
	if (verdict->dmarc_reason)
		return arena_printf(
		    arena, "p=%s, %s", policy, verdict->dmarc_reason);
	return arena_printf(arena, "p=%s", policy);
}

static void
add_dmarc(struct authres *ar, struct scan *scan, const struct verdict *verdict)
{
	const struct scan_dmarc_facts *facts = scan_dmarc(scan);
	const struct dmarc_facts *dmarc = &facts->dmarc;

	if (facts->state == FACT_OFF || facts->state == FACT_BROKEN)
		return;
	authres_result(ar, "dmarc", dmarc_result_name(dmarc->result),
	    dmarc_comment(facts, verdict, ar->text.out.arena));
	authres_prop(ar, "header.from", dmarc->from_domain);
	if (dmarc->disposition != DMARC_POLICY_UNKNOWN)
		authres_prop(ar, "policy.dmarc",
		    span_of(dmarc_policy_name(dmarc->disposition)));
}

/* "i=2, sealed by lists.example.org (trusted)": the comment of arc=. */
static struct span
arc_comment(const struct scan_arc_facts *facts, struct arena *arena)
{
	const struct arc_facts *arc = facts->arc;

	if (arc->result != ARC_PASS)
		return arc->problem;
	return arena_printf(arena, "i=%u, sealed by %.*s%s", arc->instances,
	    SPAN_ARG(arc->sets[arc->instances - 1].domain),
	    facts->trusted.p ? ", trusted" : "");
}

/* RFC 8617 sections 4.1 and 10.1. A message without a chain says nothing. */
static void
add_arc(struct authres *ar, struct scan *scan)
{
	const struct scan_arc_facts *facts = scan_arc(scan);
	const struct arc_facts *arc = facts->arc;
	char text[IP_TEXT_SIZE];

	if (!arc || arc->result == ARC_NONE)
		return;
	authres_result(ar, "arc", arc_result_name(arc->result),
	    arc_comment(facts, ar->text.out.arena));
	if (scan->client.ip.family) {
		ip_format(&scan->client.ip, text);
		authres_prop(ar, "smtp.remote-ip", span_of(text));
	}
	if (arc->result == ARC_PASS)
		authres_prop(ar, "header.oldest-pass",
		    arena_printf(ar->text.out.arena, "%u", arc->oldest_pass));
}

static void
add_iprev(struct authres *ar, struct scan *scan)
{
	const struct iprev_facts *facts = scan_iprev(scan);
	char ip[IP_TEXT_SIZE];

	if (facts->state == FACT_OFF || facts->state == FACT_BROKEN)
		return;
	authres_result(ar, "iprev", iprev_result_name(facts->iprev.result),
	    facts->iprev.name);
	ip_format(&scan->client.ip, ip);
	authres_prop(ar, "policy.iprev", span_of(ip));
}

/* RFC 4954 as RFC 8601 section 2.7.4 says it. */
static void
add_auth(struct authres *ar, const struct envelope *envelope)
{
	if (!envelope->auth_user.len)
		return;
	authres_result(ar, "auth", "pass", envelope->auth_type);
	authres_prop(ar, "smtp.auth", envelope->auth_user);
}

/* No registered method; the form is that of others (decision 0014). */
static void
add_tls(struct authres *ar, const struct envelope *envelope)
{
	struct span subject = SPAN_NONE;

	if (!envelope->tls_version.len)
		return;
	if (envelope->tls_subject.len)
		subject = arena_printf(ar->text.out.arena,
		    "verified client certificate %.*s",
		    SPAN_ARG(envelope->tls_subject));
	authres_result(ar, "x-tls", "pass", subject);
	authres_prop(ar, "smtp.version", envelope->tls_version);
	authres_prop(ar, "smtp.cipher", envelope->tls_cipher);
	authres_prop(ar, "smtp.bits", envelope->tls_bits);
}

/* Above what came, so that it stands above our own Received (RFC 7208 9.1). */
static void
add_received_spf(const struct fields_request *request, struct fields *ret)
{
	struct scan *scan = request->scan;
	const struct spf_facts *spf = scan_spf(scan);
	struct spf_request asked = {
	    .ip = scan->client.ip,
	    .helo = scan->client.helo,
	    .mail_from = scan->envelope->mail_from,
	    .receiver = request->settings->authserv_id,
	};

	if (spf->state == FACT_DONE || spf->state == FACT_LATER)
		fields_add(request, ret, "Received-SPF",
		    spf_field(&asked, &spf->mail, request->arena));
}

bool
fields_has_authres(const struct scan *scan)
{
	return scan->direction != DIRECTION_OUT ||
	       (scan->envelope->auth_user.len && scan->envelope->rcpts.n &&
		   scan->envelope->stays_local);
}

void
fields_add_authres(const struct fields_request *request, struct fields *ret)
{
	struct scan *scan = request->scan;
	struct authres ar;

	authres_begin(&ar, request->arena, request->settings->authserv_id);
	if (scan->direction == DIRECTION_OUT)
		add_auth(&ar, scan->envelope);
	add_spf(&ar, scan->envelope, scan);
	add_dkim(&ar, scan);
	add_dmarc(&ar, scan, request->verdict);
	add_arc(&ar, scan);
	add_iprev(&ar, scan);
	/* A relay's session with us says nothing of the sender's with it. */
	if (scan->direction != DIRECTION_RELAY)
		add_tls(&ar, scan->envelope);
	fields_add(request, ret, "Authentication-Results", authres_end(&ar));
	if (request->settings->received_spf)
		add_received_spf(request, ret);
}
