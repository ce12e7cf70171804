#include "filter/auth/spf.h"

#include "filter/auth/macro.h"
#include "filter/auth/spf_internal.h"
#include "filter/base/buf.h"
#include "filter/mail/domain.h"

/*
 * check_host() (RFC 7208): which identity is judged, names and macros, the
 * explanation and the term that matched. The evaluation of records itself is
 * in spf_library.c.
 */

#define EXPLANATION_MAX 400

const char *
spf_result_name(enum spf_result result)
{
	static const char *const names[] = {"none", "neutral", "pass", "fail",
	    "softfail", "temperror", "permerror"};

	return names[result];
}

void
spf_perm(struct spf_evaluation *e, const char *what, struct span detail)
{
	if (e->perm)
		return;
	e->perm = true;
	e->problem = arena_printf(
	    e->arena, "%s%.*s", what, SPAN_ARG(span_head(detail, 200)));
}

void
spf_temp(struct spf_evaluation *e, struct span name)
{
	e->temp = true;
	if (!e->problem.p)
		e->problem = arena_printf(
		    e->arena, "no answer for %.*s", SPAN_ARG(name));
}

/* --- names -------------------------------------------------------------------------- */

const struct dns_answer *
spf_ask(struct spf_evaluation *e, struct span name, enum dns_type type)
{
	return dns_get(e->dns, name, type);
}

bool
spf_failed(const struct dns_answer *answer)
{
	return answer->status == DNS_TIMEOUT || answer->status == DNS_SERVFAIL;
}

enum dns_type
spf_address_type(const struct spf_evaluation *e)
{
	return e->request->ip.family == 6 ? DNS_AAAA : DNS_A;
}

static bool
same_address(const struct ip *ip, const struct dns_record *record)
{
	size_t n = ip->family == 6 ? 16 : 4;

	return record->data.len == n &&
	       memcmp(record->data.p, ip->bytes, n) == 0;
}

/* True when the name's addresses hold the client's. */
static bool
confirms(struct spf_evaluation *e, struct span name)
{
	const struct dns_answer *a = spf_ask(e, name, spf_address_type(e));

	for (size_t i = 0; i < a->n; i++)
		if (same_address(&e->request->ip, &a->records[i]))
			return true;
	return false;
}

static bool
is_host_name(struct span name)
{
	for (size_t i = 0; i < name.len; i++)
		if (!ascii_is_alnum(name.p[i]) && name.p[i] != '-' &&
		    name.p[i] != '_' && name.p[i] != '.')
			return false;
	return name.len > 0;
}

struct span
spf_validated_name(struct spf_evaluation *e, struct span domain, bool any,
    const struct dns_answer *ptr)
{
	struct span below = SPAN(""), other = SPAN("");

	for (size_t i = 0; i < ptr->n && i < SPF_NAMES_MAX; i++) {
		struct span name = ptr->records[i].data;
		bool under = domain_is_below(name, domain);
		if (!is_host_name(name) || (!under && (!any || other.len)) ||
		    !confirms(e, name))
			continue;
		if (span_caseeq(name, domain))
			return name;
		if (under && !below.len)
			below = name;
		else if (!under)
			other = name;
	}
	return below.len ? below : other;
}

const struct dns_answer *
spf_ask_ptr(struct spf_evaluation *e)
{
	char reverse[IP_REVERSE_SIZE + 16];
	bool six = e->request->ip.family == 6;

	ip_reverse(&e->request->ip, reverse);
	strncat(reverse, six ? ".ip6.arpa" : ".in-addr.arpa",
	    sizeof reverse - strlen(reverse) - 1);
	return spf_ask(e, span_of(reverse), DNS_PTR);
}

/* %{p}; `arg` is the name expansion that asks. */
struct expansion {
	struct spf_evaluation *e;
	struct span domain;
};

static struct span
macro_p(void *arg)
{
	struct expansion *x = arg;
	struct span name =
	    spf_validated_name(x->e, x->domain, true, spf_ask_ptr(x->e));

	return name.len ? name : SPAN("unknown");
}

int
spf_expand(struct spf_evaluation *e, struct span domain, struct span spec,
    bool explanation, struct span *ret)
{
	struct expansion x = {e, domain};
	struct macro_context context = {
	    .sender_local = e->sender_local,
	    .sender_domain = e->sender_domain,
	    .helo = e->request->helo,
	    .domain = domain,
	    .ip = e->request->ip,
	    .receiver = e->request->receiver,
	    .time = e->request->time,
	    .validated_name = macro_p,
	    .arg = &x,
	};

	return macro_expand(&context, spec, explanation, e->arena, ret);
}

/* --- the term that matched ------------------------------------------------------------- */

static bool
holds_client(const struct spf_evaluation *e, const struct dns_answer *answer,
    const struct spf_term *term)
{
	struct ip_net net = {.ip = {.family = e->request->ip.family}};
	size_t n = net.ip.family == 6 ? 16 : 4;

	net.bits = net.ip.family == 6 ? term->cidr6 : term->cidr4;
	for (size_t i = 0; i < answer->n; i++) {
		if (answer->records[i].data.len != n)
			continue;
		memcpy(net.ip.bytes, answer->records[i].data.p, n);
		if (ip_in_net(&e->request->ip, &net))
			return true;
	}
	return false;
}

static const struct spf_term *matching_term(
    struct spf_evaluation *e, const struct spf_program *program);

/* A token's answers are in the batch: asking again costs nothing. */
static bool
token_matches(struct spf_evaluation *e, const struct spf_term *term,
    const struct spf_token *token)
{
	enum dns_type type = spf_address_type(e);
	const struct dns_answer *mx;

	switch (term->kind) {
	case SPF_A:
		return holds_client(e, spf_ask(e, token->name, type), term);
	case SPF_MX:
		mx = spf_ask(e, token->name, DNS_MX);
		for (size_t i = 0; i < mx->n && i < SPF_NAMES_MAX; i++)
			if (holds_client(
				e, spf_ask(e, mx->records[i].data, type), term))
				return true;
		return false;
	case SPF_PTR:
		return spf_validated_name(e, token->name, false, spf_ask_ptr(e))
			   .len > 0;
	case SPF_EXISTS:
		return spf_ask(e, token->name, DNS_A)->n > 0;
	case SPF_INCLUDE:
		if (token->loaded) {
			const struct spf_term *inner =
			    matching_term(e, token->loaded);
			return inner && inner->qualifier == '+';
		}
		return false;
	case SPF_ALL:
	case SPF_IP4:
	case SPF_IP6:
		break;
	}
	return false;
}

/* The first term that matches, among those that were reached. Nested no
 * deeper than includes are followed. */
static const struct spf_term *
matching_term(struct spf_evaluation *e, const struct spf_program *program)
{
	for (size_t i = 0; i < program->record.terms.n; i++) {
		const struct spf_term *term = &program->record.terms.v[i];
		const struct spf_token *token =
		    &e->tokens.v[program->tokens[i]];
		bool net = term->kind == SPF_IP4 || term->kind == SPF_IP6;
		if (term->kind == SPF_ALL ||
		    (net && ip_in_net(&e->request->ip, &term->net)) ||
		    (program->tokens[i] && token->expanded &&
			token_matches(e, term, token)))
			return term;
	}
	return NULL;
}

/* The program that decided: the last of a chain of redirects that was read. */
static const struct spf_program *
deciding_program(const struct spf_evaluation *e)
{
	const struct spf_program *p = e->tokens.v[0].loaded;

	for (unsigned i = 0; p && i <= SPF_TERMS_MAX; i++) {
		unsigned next = p->tokens[p->record.terms.n];
		if (!next || !e->tokens.v[next].loaded)
			break;
		p = e->tokens.v[next].loaded;
	}
	return p;
}

/* --- explanation ------------------------------------------------------------------------ */

/* Printable ASCII, cut; it may come near a reply. */
static struct span
clean_explanation(struct span text, struct arena *arena)
{
	struct buf out;

	buf_init(&out, arena, EXPLANATION_MAX);
	for (size_t i = 0; i < text.len && i < EXPLANATION_MAX; i++)
		buf_add_char(&out,
		    text.p[i] >= ' ' && text.p[i] < 0x7f ? text.p[i] : '?');
	return buf_span(&out);
}

/* Section 6.2: any trouble means no explanation. */
static struct span
explain(struct spf_evaluation *e, const struct spf_program *program)
{
	struct span name, text;

	if (!program || !program->record.exp.p ||
	    spf_expand(e, program->domain, program->record.exp, false, &name))
		return SPAN_NONE;
	const struct dns_answer *answer = spf_ask(e, name, DNS_TXT);
	if (answer->n != 1 || !macro_valid(answer->records[0].data, true) ||
	    spf_expand(
		e, program->domain, answer->records[0].data, true, &text))
		return SPAN_NONE;
	return clean_explanation(text, e->arena);
}

/* --- check_host() ------------------------------------------------------------------------ */

/* Local part and domain of the identity; false: the result is none (4.3). */
static bool
identity(struct spf_evaluation *e)
{
	struct span from = e->request->mail_from;
	size_t at = span_rfind_char(from, '@');
	struct span domain = at == SPAN_NPOS ? from : span_skip(from, at + 1);

	if (!from.len)
		domain = e->request->helo;
	e->sender_local = at == SPAN_NPOS || at == 0 ? SPAN("postmaster")
						     : span_head(from, at);
	if (domain_normalise(domain, e->arena, &e->sender_domain) ||
	    !domain_is_fqdn(e->sender_domain)) {
		e->problem =
		    domain.len ? SPAN("no usable domain") : SPAN("no domain");
		e->sender_domain = SPAN("");
		return false;
	}
	return true;
}

static void
decide(struct spf_evaluation *e, struct spf_answer *ret)
{
	struct spf_token *first = VEC_PUSH(e->arena, &e->tokens);

	ret->result = SPF_TEMPERROR;
	ret->problem = SPAN("out of memory");
	if (!first)
		return;
	*first = (struct spf_token){.kind = TOKEN_DOMAIN,
	    .name = e->sender_domain,
	    .expanded = true,
	    .counted = true};
	if (ip_is_loopback(&e->request->ip))
		e->mask = SPF_LOOPBACK_MASK;
	ret->result = spf_evaluate(e);
	ret->problem =
	    ret->result == SPF_PERMERROR || ret->result == SPF_TEMPERROR
		? e->problem
		: SPAN_NONE;
	const struct spf_program *program = deciding_program(e);
	if (!program || ret->problem.p)
		return;
	const struct spf_term *term = matching_term(e, program);
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
	if (!identity(&e)) {
		ret->problem = e.problem;
		return;
	}
	ret->domain = e.sender_domain;
	if (!request->ip.family) {
		ret->problem = SPAN("no client address");
		return;
	}
	decide(&e, ret);
}

void
spf_want(const struct spf_request *request, struct dns_batch *dns,
    struct arena *arena)
{
	struct spf_evaluation e = {
	    .request = request, .dns = dns, .arena = arena};

	if (request->ip.family && identity(&e))
		dns_want(dns, e.sender_domain, DNS_TXT);
}
