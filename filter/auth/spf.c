#include "filter/auth/spf.h"

#include "filter/auth/macro.h"
#include "filter/auth/spf_internal.h"
#include "filter/base/buf.h"
#include "filter/mail/domain.h"

/*
 * check_host() (RFC 7208): which identity is judged, the explanation of a fail
 * and the term that matched. Records, names and limits are in spf_eval.c, the
 * evaluation itself is the library's behind spf_library.c.
 */

#define EXPLANATION_MAX 400
/* Macros copy parts of these often; RFC 5321 section 4.5.3.1 has 256. */
#define IDENTITY_MAX 1024

const char *
spf_result_name(enum spf_result result)
{
	static const char *const names[] = {"none", "neutral", "pass", "fail",
	    "softfail", "temperror", "permerror"};

	return names[result];
}

/* --- identity ------------------------------------------------------------------ */

/* Without a source route ("@a,@b:user@c"), which means nothing (RFC 5321 C). */
static struct span
without_route(struct span from)
{
	size_t colon = span_find_char(from, ':');

	if (from.len && from.p[0] == '@' && colon != SPAN_NPOS)
		return span_skip(from, colon + 1);
	return from;
}

/* %{h}; RFC 8616 section 4: as A-labels when it has others. */
static struct span
helo_name(struct spf_evaluation *e)
{
	struct span helo = span_head(e->request->helo, IDENTITY_MAX), name;

	if (!span_is_ascii(helo) && !domain_normalise(helo, e->arena, &name))
		return name;
	return helo;
}

/* Local part and domain of the identity; false: the result is none (4.3). */
static bool
set_identity(struct spf_evaluation *e)
{
	struct span from = without_route(e->request->mail_from);
	size_t at = span_rfind_char(from, '@');
	struct span domain = at == SPAN_NPOS ? from : span_skip(from, at + 1);

	e->helo = helo_name(e);
	e->sender_local = SPAN("postmaster");
	if (!from.len)
		domain = e->request->helo;
	else if (at != SPAN_NPOS && at > 0)
		e->sender_local = span_head(from, at);
	if (e->sender_local.len > IDENTITY_MAX) {
		e->problem = SPAN("address too long");
		return false;
	}
	if (domain_normalise(domain, e->arena, &e->sender_domain) ||
	    !domain_is_fqdn(e->sender_domain)) {
		e->sender_domain = SPAN("");
		e->problem = domain.len ? SPAN("not the name of a domain")
					: SPAN("no domain");
		return false;
	}
	return true;
}

/* --- explanation ---------------------------------------------------------------- */

/* Printable ASCII, cut: it may come near a reply. */
static struct span
clean(struct span text, struct arena *arena)
{
	struct buf out;

	buf_init(&out, arena, EXPLANATION_MAX);
	text = span_head(text, EXPLANATION_MAX);
	for (size_t i = 0; i < text.len; i++)
		buf_add_char(&out,
		    text.p[i] >= ' ' && text.p[i] < 0x7f ? text.p[i] : '?');
	return buf_failed(&out) ? SPAN_NONE : buf_span(&out);
}

/* Section 6.2: any trouble means no explanation. */
static struct span
explain(struct spf_evaluation *e, const struct spf_program *program)
{
	struct span domain = program->domain, exp = program->record->exp;
	struct span name, text;

	if (!exp.p || spf_expand(e, domain, exp, false, &name) ||
	    !span_is_ascii(name))
		return SPAN_NONE;
	const struct dns_answer *answer = dns_get(e->dns, name, DNS_TXT);
	if (answer->n != 1 || !macro_valid(answer->records[0].data, true) ||
	    spf_expand(e, domain, answer->records[0].data, true, &text))
		return SPAN_NONE;
	return clean(text, e->arena);
}

/* --- check_host() ---------------------------------------------------------------- */

static void
judge(struct spf_evaluation *e, struct spf_answer *ret)
{
	const struct spf_term *term;

	if (!set_identity(e)) {
		ret->problem = e->problem;
		return;
	}
	ret->domain = e->sender_domain;
	if (!e->request->ip.family) {
		ret->problem = SPAN("no client address");
		return;
	}
	ret->result = spf_evaluate(e);
	ret->problem = e->problem;
	const struct spf_program *program = spf_decided(e, &term);
	if (e->perm || e->temp || e->none || !program)
		return;
	if (term)
		ret->mechanism = term->text;
	if (ret->result == SPF_FAIL)
		ret->explanation = explain(e, program);
}

void
spf_check(const struct spf_request *request, struct dns_batch *dns,
    struct arena *arena, struct spf_answer *ret)
{
	struct spf_evaluation e = {
	    .request = request, .dns = dns, .arena = arena};

	*ret = (struct spf_answer){.result = SPF_NONE};
	judge(&e, ret);
	if (arena_failed(arena))
		*ret = (struct spf_answer){.result = SPF_TEMPERROR,
		    .domain = ret->domain,
		    .problem = SPAN("out of memory")};
}

void
spf_want(const struct spf_request *request, struct dns_batch *dns,
    struct arena *arena)
{
	struct spf_evaluation e = {
	    .request = request, .dns = dns, .arena = arena};

	if (request->ip.family && set_identity(&e))
		dns_want(dns, e.sender_domain, DNS_TXT);
}
