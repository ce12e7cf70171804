#include "filter/auth/spf_internal.h"

#include <netinet/in.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <spf2/spf.h>

#include "filter/base/buf.h"

/*
 * libspf2, which sees nothing that others wrote. Debian's build can be crashed
 * by one record (CVE-2023-42118) and parses leniently, so each record is parsed
 * strictly and written anew: a domain is a token like "t7.x", a network that
 * holds the client is the client's address, other networks are left out. The
 * library evaluates that text and asks our hooks for its tokens; the hooks
 * expand macros, ask DNS, and count terms and void answers over the whole
 * evaluation.
 *
 * The library passes every loopback client unseen. Addresses are therefore
 * mapped by an exclusive or with one constant, the client's and all others in
 * the same way; the comparison of prefixes does not change by it.
 */

/* --- tokens ------------------------------------------------------------------------- */

static unsigned
add_token(struct spf_evaluation *e, enum spf_token_kind kind, struct span spec,
    const struct spf_program *from)
{
	struct spf_token *token = e->tokens.n < SPF_TOKENS_MAX
				      ? VEC_PUSH(e->arena, &e->tokens)
				      : NULL;

	if (!token) {
		spf_perm(e, "too many terms", SPAN(""));
		return 0;
	}
	*token = (struct spf_token){.kind = kind, .spec = spec, .from = from};
	return (unsigned)e->tokens.n - 1;
}

/* "t7.x" to its token; NULL for any other name. */
static struct spf_token *
find_token(struct spf_evaluation *e, const char *name)
{
	struct span s = span_of(name);
	uint64_t number;

	if (!span_starts(s, SPAN("t")) || !span_ends(s, SPAN(".x")) ||
	    span_to_u64(span_make(s.p + 1, s.len - 3), &number) ||
	    number >= e->tokens.n)
		return NULL;
	return &e->tokens.v[number];
}

/* The name a token stands for; false after a limit or an error. */
static bool
token_name(struct spf_evaluation *e, struct spf_token *token)
{
	if (token->expanded)
		return true;
	token->expanded = true;
	if (!token->spec.p) {
		token->name = token->from->domain;
	} else if (token->from && spf_expand(e, token->from->domain,
				      token->spec, false, &token->name)) {
		spf_perm(e, "cannot expand ", token->spec);
		return false;
	}
	return true;
}

/* Section 4.6.4: at most ten terms that ask DNS. */
static bool
count_term(struct spf_evaluation *e, struct spf_token *token)
{
	if (token->counted || token->kind == TOKEN_NAME)
		return true;
	token->counted = true;
	if (++e->terms > SPF_TERMS_MAX)
		spf_perm(e, "more than 10 terms that ask DNS", SPAN(""));
	return !e->perm;
}

/* Section 4.6.4: at most two names that do not exist or have no such record. */
static bool
count_void(struct spf_evaluation *e, const struct dns_answer *answer)
{
	if (answer->status != DNS_NXDOMAIN && answer->status != DNS_NODATA)
		return true;
	if (++e->voids > SPF_VOIDS_MAX)
		spf_perm(e, "more than 2 void lookups", SPAN(""));
	return !e->perm;
}

/* --- the library's questions ---------------------------------------------------------- */

static SPF_dns_rr_t *
reply(struct spf_evaluation *e, const char *name, ns_type type, int herrno)
{
	SPF_dns_rr_t *rr = SPF_dns_rr_new_init(e->hooks, name, type, 0, herrno);

	/* The library aborts on NULL; it does so itself when memory is out. */
	if (!rr)
		abort();
	return rr;
}

static bool
add_reply(SPF_dns_rr_t *rr, const void *data, size_t len)
{
	int n = rr->num_rr;

	if (SPF_dns_rr_buf_realloc(rr, n, len) != SPF_E_SUCCESS)
		return false;
	memcpy(rr->rr[n], data, len);
	rr->num_rr = n + 1;
	return true;
}

/* A and AAAA of a name, addresses mapped. */
static SPF_dns_rr_t *
reply_addresses(struct spf_evaluation *e, const char *name, ns_type type,
    struct spf_token *token, const struct dns_answer *answer)
{
	SPF_dns_rr_t *rr =
	    reply(e, name, type, answer->n ? NETDB_SUCCESS : HOST_NOT_FOUND);

	for (size_t i = 0; i < answer->n; i++) {
		uint8_t bytes[16];
		size_t n = answer->records[i].data.len;
		if (n > sizeof bytes)
			continue;
		memcpy(bytes, answer->records[i].data.p, n);
		bytes[0] ^= e->mask;
		if (!add_reply(rr, bytes, n))
			break;
	}
	(void)token;
	return rr;
}

/* The names of MX hosts become tokens. */
static SPF_dns_rr_t *
reply_exchanges(
    struct spf_evaluation *e, const char *name, const struct dns_answer *answer)
{
	SPF_dns_rr_t *rr =
	    reply(e, name, ns_t_mx, answer->n ? NETDB_SUCCESS : HOST_NOT_FOUND);

	for (size_t i = 0; i < answer->n; i++) {
		char text[32];
		unsigned number =
		    add_token(e, TOKEN_NAME, answer->records[i].data, NULL);
		struct spf_token *t = &e->tokens.v[number];
		if (e->perm)
			break;
		t->name = t->spec;
		t->expanded = true;
		int n = snprintf(text, sizeof text, "t%u.x", number);
		if (!add_reply(rr, text, (size_t)n + 1))
			break;
	}
	return rr;
}

static SPF_dns_rr_t *
reply_found(
    struct spf_evaluation *e, const char *name, ns_type type, bool found)
{
	static const uint8_t any[4] = {192, 0, 2, 1};
	SPF_dns_rr_t *rr =
	    reply(e, name, type, found ? NETDB_SUCCESS : HOST_NOT_FOUND);

	if (found)
		(void)add_reply(rr, any, sizeof any);
	return rr;
}

static bool
any_exchange_address(struct spf_evaluation *e, const struct dns_answer *mx)
{
	for (size_t i = 0; i < mx->n && i < SPF_NAMES_MAX; i++)
		if (spf_ask(e, mx->records[i].data, spf_address_type(e))->n)
			return true;
	return false;
}

/* What a token's first question is. */
static enum dns_type
first_type(const struct spf_evaluation *e, enum spf_token_kind kind)
{
	if (kind == TOKEN_EXCHANGE || kind == TOKEN_ANY_EXCHANGE)
		return DNS_MX;
	if (kind == TOKEN_EXISTS)
		return DNS_A;
	return spf_address_type(e);
}

static SPF_dns_rr_t *
answer_token(struct spf_evaluation *e, struct spf_token *token,
    const char *name, ns_type type)
{
	enum dns_type want = first_type(e, token->kind);
	/* A token may move when tokens are added. */
	enum spf_token_kind kind = token->kind;
	struct span real = token->name;
	const struct dns_answer *a =
	    kind == TOKEN_PTR ? spf_ask_ptr(e) : spf_ask(e, real, want);

	if (kind != TOKEN_NAME && !count_void(e, a))
		return reply(e, name, type, TRY_AGAIN);
	if (kind == TOKEN_PTR)
		return reply_found(e, name, type,
		    spf_validated_name(e, real, false, a).len > 0);
	if (spf_failed(a)) {
		spf_temp(e, real);
		return reply(e, name, type, TRY_AGAIN);
	}
	if (want == DNS_MX && a->n > SPF_NAMES_MAX) {
		spf_perm(e, "more than 10 MX hosts at ", real);
		return reply(e, name, type, TRY_AGAIN);
	}
	switch (kind) {
	case TOKEN_EXCHANGE:
		return reply_exchanges(e, name, a);
	case TOKEN_EXISTS:
	case TOKEN_ANY_ADDRESS:
		return reply_found(e, name, type, a->n > 0);
	case TOKEN_ANY_EXCHANGE:
		return reply_found(e, name, type, any_exchange_address(e, a));
	case TOKEN_ADDRESS:
	case TOKEN_NAME:
		return reply_addresses(e, name, type, token, a);
	case TOKEN_DOMAIN:
	case TOKEN_PTR:
		break;
	}
	return reply(e, name, type, HOST_NOT_FOUND);
}

static SPF_dns_rr_t *
hook_lookup(
    SPF_dns_server_t *server, const char *name, ns_type type, int should_cache)
{
	struct spf_evaluation *e = server->hook;
	struct spf_token *token = find_token(e, name);

	(void)should_cache;
	if (!token)
		return reply(e, name, type, HOST_NOT_FOUND);
	if (e->perm || !count_term(e, token) || !token_name(e, token))
		return reply(e, name, type, TRY_AGAIN);
	return answer_token(e, token, name, type);
}

/* --- records -------------------------------------------------------------------------- */

/* The one record of a TXT answer; p NULL when there is none. */
static struct span
choose_record(struct spf_evaluation *e, const struct dns_answer *answer)
{
	struct span found = SPAN_NONE;

	for (size_t i = 0; i < answer->n; i++) {
		struct span text = answer->records[i].data;
		if (!spf_record_claims(text))
			continue;
		if (found.p) {
			spf_perm(e, "several SPF records", SPAN(""));
			return SPAN_NONE;
		}
		found = text;
	}
	return found;
}

static bool
matches_net(const struct spf_evaluation *e, const struct spf_term *term)
{
	return ip_in_net(&e->request->ip, &term->net);
}

/*
 * The client's own address, mapped: what a network that holds it is written
 * as. The library compares it whole.
 */
static void
add_client(struct spf_evaluation *e, struct buf *out)
{
	struct ip ip = e->request->ip;
	char text[IP_TEXT_SIZE];

	ip.bytes[0] ^= e->mask;
	ip_format(&ip, text);
	buf_printf(out, "ip%u:%s", ip.family, text);
}

static void
add_host_term(struct spf_evaluation *e, struct spf_program *program, size_t i,
    struct buf *out)
{
	const struct spf_term *term = &program->record.terms.v[i];
	bool six = e->request->ip.family == 6;
	bool zero = (six ? term->cidr6 : term->cidr4) == 0;
	bool mx = term->kind == SPF_MX;
	enum spf_token_kind kind =
	    zero ? (mx ? TOKEN_ANY_EXCHANGE : TOKEN_ANY_ADDRESS)
		 : (mx ? TOKEN_EXCHANGE : TOKEN_ADDRESS);
	unsigned number = add_token(e, kind, term->domain, program);

	program->tokens[i] = number;
	if (zero)
		buf_printf(out, "exists:t%u.x", number);
	else if (six)
		buf_printf(
		    out, "%s:t%u.x//%u", mx ? "mx" : "a", number, term->cidr6);
	else
		buf_printf(
		    out, "%s:t%u.x/%u", mx ? "mx" : "a", number, term->cidr4);
}

/* Writes one term; false when nothing behind it can be reached. */
static bool
add_term(struct spf_evaluation *e, struct spf_program *program, size_t i,
    struct buf *out)
{
	static const enum spf_token_kind kinds[] = {
	    [SPF_INCLUDE] = TOKEN_DOMAIN,
	    [SPF_PTR] = TOKEN_PTR,
	    [SPF_EXISTS] = TOKEN_EXISTS,
	};
	const struct spf_term *term = &program->record.terms.v[i];
	bool net = term->kind == SPF_IP4 || term->kind == SPF_IP6;

	/* A network without the client never matches: not written at all. */
	if (net && !matches_net(e, term))
		return true;
	buf_printf(out, " %c", term->qualifier);
	switch (term->kind) {
	case SPF_ALL:
		buf_add_str(out, "all");
		return false;
	case SPF_IP4:
	case SPF_IP6:
		add_client(e, out);
		return false;
	case SPF_A:
	case SPF_MX:
		add_host_term(e, program, i, out);
		return true;
	case SPF_INCLUDE:
	case SPF_PTR:
	case SPF_EXISTS:
		break;
	}
	program->tokens[i] =
	    add_token(e, kinds[term->kind], term->domain, program);
	buf_printf(out, "%s:t%u.x",
	    term->kind == SPF_INCLUDE ? "include" : "exists",
	    program->tokens[i]);
	return true;
}

/* The text for the library. */
static struct span
write_program(struct spf_evaluation *e, struct spf_program *program)
{
	const struct spf_record *record = &program->record;
	unsigned before = (unsigned)e->tokens.n;
	bool open = true;
	struct buf out;

	buf_init(&out, e->arena, SPF_RECORD_MAX);
	buf_add_str(&out, "v=spf1");
	for (size_t i = 0; open && i < record->terms.n && !e->perm; i++) {
		open = add_term(e, program, i, &out);
		/* The library counts terms in a byte; the eleventh that asks
		 * DNS ends the evaluation, so none behind it is reached. */
		if (e->tokens.n - before > SPF_TERMS_MAX)
			open = false;
	}
	/* Redirect counts only where nothing matched, wherever it stands. */
	if (open && record->redirect.p) {
		unsigned number =
		    add_token(e, TOKEN_DOMAIN, record->redirect, program);
		program->tokens[record->terms.n] = number;
		buf_printf(&out, " redirect=t%u.x", number);
	}
	if (buf_failed(&out))
		spf_perm(e, "record too long", SPAN(""));
	return buf_span(&out);
}

/* Fetches and reads the record of a token's domain. */
static SPF_errcode_t
load(struct spf_evaluation *e, unsigned number, struct span *ret_text)
{
	struct spf_token *token = &e->tokens.v[number];
	bool first = number == 0;
	struct span problem;

	if (!first && !count_term(e, token))
		return SPF_E_BIG_DNS;
	if (!token_name(e, token))
		return SPF_E_SYNTAX;
	struct span domain = token->name;
	const struct dns_answer *answer = spf_ask(e, domain, DNS_TXT);
	if (spf_failed(answer)) {
		spf_temp(e, domain);
		return SPF_E_DNS_ERROR;
	}
	struct span text = choose_record(e, answer);
	if (e->perm)
		return SPF_E_MULTIPLE_RECORDS;
	if (!text.p) {
		e->none = first;
		if (!first)
			spf_perm(e, "no SPF record at ", domain);
		return SPF_E_NOT_SPF;
	}
	struct spf_program *program = arena_zalloc(e->arena, sizeof *program);
	if (!program)
		return SPF_E_NO_MEMORY;
	program->domain = domain;
	if (spf_record_parse(&program->record, text, e->arena, &problem)) {
		spf_perm(e, "bad term: ", problem);
		return SPF_E_SYNTAX;
	}
	program->tokens = arena_calloc(
	    e->arena, program->record.terms.n + 1, sizeof(unsigned));
	if (!program->tokens)
		return SPF_E_NO_MEMORY;
	token->loaded = program;
	*ret_text = write_program(e, program);
	return e->perm ? SPF_E_SYNTAX : SPF_E_SUCCESS;
}

static SPF_errcode_t
hook_get_spf(SPF_server_t *server, SPF_request_t *request,
    SPF_response_t *response, SPF_record_t **ret)
{
	struct spf_evaluation *e = server->resolver->hook;
	struct spf_token *token = find_token(e, request->cur_dom);
	struct span text;

	if (e->perm || !token)
		return SPF_E_SYNTAX;
	SPF_errcode_t rc = load(e, (unsigned)(token - e->tokens.v), &text);
	if (rc != SPF_E_SUCCESS)
		return rc;
	return SPF_record_compile(server, response, ret, text.p);
}

/* --- the library ---------------------------------------------------------------------- */

static enum spf_result
result_of(const struct spf_evaluation *e, SPF_result_t result)
{
	if (e->perm)
		return SPF_PERMERROR;
	if (e->none)
		return SPF_NONE;
	switch (result) {
	case SPF_RESULT_NEUTRAL:
		return SPF_NEUTRAL;
	case SPF_RESULT_PASS:
		return SPF_PASS;
	case SPF_RESULT_FAIL:
		return SPF_FAIL;
	case SPF_RESULT_SOFTFAIL:
		return SPF_SOFTFAIL;
	case SPF_RESULT_NONE:
		return SPF_NONE;
	case SPF_RESULT_TEMPERROR:
		return SPF_TEMPERROR;
	case SPF_RESULT_INVALID:
	case SPF_RESULT_PERMERROR:
		break;
	}
	return e->temp || arena_failed(e->arena) ? SPF_TEMPERROR
						 : SPF_PERMERROR;
}

static void
set_client(const struct spf_evaluation *e, SPF_request_t *request)
{
	uint8_t bytes[16];
	struct in_addr v4;
	struct in6_addr v6;

	memcpy(bytes, e->request->ip.bytes, sizeof bytes);
	bytes[0] ^= e->mask;
	if (e->request->ip.family == 4) {
		memcpy(&v4, bytes, sizeof v4);
		SPF_request_set_ipv4(request, v4);
	} else {
		memcpy(&v6, bytes, sizeof v6);
		SPF_request_set_ipv6(request, v6);
	}
}

enum spf_result
spf_evaluate(struct spf_evaluation *e)
{
	SPF_dns_server_t hooks = {
	    .lookup = hook_lookup,
	    .get_spf = hook_get_spf,
	    .name = "assay",
	    .hook = e,
	};

	e->hooks = &hooks;
	SPF_server_t *server = SPF_server_new_dns(&hooks, 0);
	SPF_request_t *request = server ? SPF_request_new(server) : NULL;
	SPF_response_t *response = NULL;
	enum spf_result result = SPF_TEMPERROR;

	if (request && SPF_server_set_rec_dom(server, "r.x") == SPF_E_SUCCESS) {
		/* Our own limits come first. */
		server->max_dns_mech = 1000;
		server->max_dns_mx = 1000;
		server->max_dns_ptr = 1000;
		set_client(e, request);
		if (SPF_request_set_helo_dom(request, "t0.x") ==
			SPF_E_SUCCESS &&
		    SPF_request_set_env_from(request, "u@t0.x") == 0) {
			(void)SPF_request_query_mailfrom(request, &response);
			result = result_of(e,
			    response ? response->result : SPF_RESULT_INVALID);
		}
	}
	SPF_response_free(response);
	SPF_request_free(request);
	if (server)
		SPF_server_free(server);
	return result;
}
