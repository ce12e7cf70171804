#include "filter/auth/spf_internal.h"

#include <netinet/in.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <spf2/spf.h>

#include "filter/base/buf.h"

/*
 * libspf2, which sees nothing that others wrote. Debian's build can be crashed
 * by one record (CVE-2023-42118) and reads leniently, so each record is read
 * strictly (spf_record.c) and written anew: a domain is a token like "t0.7.x"
 * (term 7 of program 0), a network that holds the client is the client's
 * address, other networks are left out. The library evaluates that text and
 * asks our hooks for its tokens: terms in their order, qualifiers, prefixes,
 * includes and redirects are its work, names and limits are spf_eval.c's.
 *
 * Addresses go through an exclusive or with a constant that turns the client's
 * into one and the same for all evaluations. Equal prefixes stay equal, and no
 * client is loopback, which the library would pass unseen.
 */

#define CLIENT4 "192.0.2.1"
#define CLIENT6 "2001:db8::1"
#define TOKEN_SIZE 64
#define TEXT_MAX 2048 /* 11 terms with a token each and one without fit */

static const uint8_t client4[16] = {192, 0, 2, 1};
static const uint8_t client6[16] = {
    0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1};

/* What the hooks get. */
struct library {
	SPF_dns_server_t hooks; /* first: the library has a pointer to it */
	struct spf_evaluation *e;
	/* The answer for the end of an evaluation, made before it began: the
	 * library must never get NULL. */
	SPF_dns_rr_t *spare;
	uint8_t flip[16];
};

/* --- never abort -------------------------------------------------------------- */

/*
 * The library ends the process when it finds itself in an impossible state.
 * Only a fault of ours or a lack of memory gets there, and it holds no lock
 * and keeps no state then: the evaluation is left by a jump. A handler has no
 * argument, hence the one variable per thread; it is set only while the
 * library runs and belongs to no session.
 */
static _Thread_local jmp_buf *way_out;

__attribute__((noreturn)) static void
on_error(const char *file, int line, const char *text)
{
	(void)file;
	(void)line;
	(void)text;
	if (way_out)
		longjmp(*way_out, 1);
	abort();
}

static pthread_once_t once = PTHREAD_ONCE_INIT;

static void
set_handlers(void)
{
	SPF_error_handler = on_error;
	SPF_warning_handler = NULL;
	SPF_info_handler = NULL;
	SPF_debug_handler = NULL;
}

/*
 * A server as the library makes it; evaluations use copies. Made by the first,
 * then only read, for ever.
 */
static SPF_dns_server_t no_hooks;
static _Atomic(SPF_server_t *) prototype;

static SPF_server_t *
new_server(void)
{
	SPF_response_t *response = NULL;
	SPF_server_t *server = SPF_server_new_dns(&no_hooks, 0);

	if (!server)
		return NULL;
	/* Names and texts that the library would put into its comments. */
	bool good =
	    SPF_server_set_rec_dom(server, "r.x") == SPF_E_SUCCESS &&
	    SPF_server_set_explanation(server, "x", &response) == SPF_E_SUCCESS;
	if (response)
		SPF_response_free(response);
	if (!good) {
		SPF_server_free(server);
		return NULL;
	}
	/* Our own limits come first. */
	SPF_server_set_max_dns_mech(server, 1000);
	SPF_server_set_max_dns_mx(server, 1000);
	SPF_server_set_max_dns_ptr(server, 1000);
	return server;
}

/* NULL when memory is short; the next evaluation tries again. */
static SPF_server_t *
get_prototype(void)
{
	SPF_server_t *server = atomic_load(&prototype);
	SPF_server_t *before = NULL;
	jmp_buf here;

	if (server)
		return server;
	(void)pthread_once(&once, set_handlers);
	way_out = &here;
	if (setjmp(here)) {
		way_out = NULL;
		return NULL;
	}
	SPF_server_t *made = new_server();
	way_out = NULL;
	if (!made || atomic_compare_exchange_strong(&prototype, &before, made))
		return made;
	SPF_server_free(made);
	return before;
}

/* --- tokens ------------------------------------------------------------------- */

/*
 * "t0.x"      the first domain
 * "t1.2.x"    what term 2 of program 1 asks
 * "t1.2.3.x"  host 3 of it, an mx
 */
struct token {
	size_t n; /* numbers, 1 to 3 */
	size_t number[3];
};

static bool
token_parse(const char *name, struct token *ret)
{
	struct span rest = span_of(name);
	uint64_t value;

	if (!span_starts(rest, SPAN("t")) || !span_ends(rest, SPAN(".x")))
		return false;
	rest = span_make(rest.p + 1, rest.len - 3);
	for (ret->n = 0; rest.p; ret->n++) {
		if (ret->n == 3 || span_to_u64(span_cut(&rest, '.'), &value))
			return false;
		ret->number[ret->n] = (size_t)value;
	}
	return true;
}

/* The term of a token of two numbers; NULL when there is none. */
static const struct spf_term *
token_term(const struct spf_evaluation *e, const struct token *token)
{
	if (token->n < 2 || token->number[0] >= e->n_programs)
		return NULL;
	const struct spf_record *record = e->programs[token->number[0]].record;
	return token->number[1] < record->n ? &record->terms[token->number[1]]
					    : NULL;
}

/* --- texts of our own --------------------------------------------------------- */

static void
add_cidr(const struct spf_evaluation *e, const struct spf_term *term,
    struct buf *out)
{
	bool six = e->request->ip.family == 6;
	unsigned bits = spf_term_bits(e, term);

	/* The library takes no 0: its answers are the client's address then.
	 * And it takes all bits for the default. */
	if (bits && bits < (six ? 128u : 32u))
		buf_printf(out, six ? "//%u" : "/%u", bits);
}

static void
add_term(
    const struct spf_evaluation *e, size_t program, size_t i, struct buf *out)
{
	/* ptr is decided here: it is there or not. */
	static const char *const names[] = {
	    [SPF_INCLUDE] = "include:",
	    [SPF_A] = "a:",
	    [SPF_MX] = "mx:",
	    [SPF_PTR] = "exists:",
	    [SPF_EXISTS] = "exists:",
	    [SPF_REDIRECT] = "redirect=",
	};
	const struct spf_term *term = &e->programs[program].record->terms[i];

	buf_add_char(out, ' ');
	if (term->kind != SPF_REDIRECT)
		buf_add_char(out, term->qualifier);
	if (term->kind == SPF_ALL) {
		buf_add_str(out, "all");
	} else if (!spf_term_asks(term)) {
		buf_add_str(out, e->request->ip.family == 6 ? "ip6:" CLIENT6
							    : "ip4:" CLIENT4);
	} else {
		buf_printf(out, "%st%zu.%zu.x", names[term->kind], program, i);
		if (term->kind == SPF_A || term->kind == SPF_MX)
			add_cidr(e, term, out);
	}
}

/* The last program as the library gets it; NULL when memory is short. */
static const char *
write_text(const struct spf_evaluation *e)
{
	const struct spf_program *program = &e->programs[e->n_programs - 1];
	size_t i = 0;
	struct buf out;

	buf_init(&out, e->arena, TEXT_MAX);
	buf_add_str(&out, "v=spf1");
	for (; i < program->record->n && i < program->final; i++)
		if (spf_term_asks(&program->record->terms[i]))
			add_term(e, e->n_programs - 1, i, &out);
	if (program->final != SPF_NO_TERM)
		add_term(e, e->n_programs - 1, program->final, &out);
	return buf_failed(&out) ? NULL : buf_str(&out);
}

/* --- answers ------------------------------------------------------------------ */

/* Ends the evaluation; spf_perm() or spf_temp() has said why. */
static SPF_dns_rr_t *
reply_end(struct library *library)
{
	SPF_dns_rr_t *rr = library->spare;

	/* The library asks nothing more after this answer. */
	if (!rr)
		on_error(__FILE__, __LINE__, "asked again");
	library->spare = NULL;
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
	rr->herrno = NETDB_SUCCESS;
	return true;
}

/* Records as the library gets them, `fill` adds them; never NULL. */
static SPF_dns_rr_t *
reply(struct library *library, const char *name, ns_type type,
    bool (*fill)(const struct library *library, SPF_dns_rr_t *rr,
	const struct token *token, const struct dns_answer *answer),
    const struct token *token, const struct dns_answer *answer)
{
	SPF_dns_rr_t *rr =
	    SPF_dns_rr_new_init(&library->hooks, name, type, 0, NO_DATA);

	if (rr && fill(library, rr, token, answer))
		return rr;
	if (rr)
		SPF_dns_rr_free(rr);
	spf_temp(library->e, "out of memory", SPAN(""));
	return reply_end(library);
}

static bool
fill_addresses(const struct library *library, SPF_dns_rr_t *rr,
    const struct token *token, const struct dns_answer *answer)
{
	const struct spf_evaluation *e = library->e;
	bool six = e->request->ip.family == 6;
	bool any = spf_term_bits(e, token_term(e, token)) == 0;
	size_t size = six ? 16 : 4;
	uint8_t bytes[16];

	for (size_t i = 0; i < answer->n; i++) {
		if (answer->records[i].data.len != size)
			continue;
		memcpy(bytes, answer->records[i].data.p, size);
		for (size_t k = 0; k < size; k++)
			bytes[k] ^= library->flip[k];
		if (!add_reply(
			rr, any ? (six ? client6 : client4) : bytes, size))
			return false;
	}
	return true;
}

/* Tokens for the hosts. */
static bool
fill_hosts(const struct library *library, SPF_dns_rr_t *rr,
    const struct token *token, const struct dns_answer *answer)
{
	char text[TOKEN_SIZE];

	(void)library;
	for (size_t i = 0; i < answer->n; i++) {
		int n = snprintf(text, sizeof text, "t%zu.%zu.%zu.x",
		    token->number[0], token->number[1], i);
		if (!add_reply(rr, text, (size_t)n + 1))
			return false;
	}
	return true;
}

static bool
fill_match(const struct library *library, SPF_dns_rr_t *rr,
    const struct token *token, const struct dns_answer *answer)
{
	const struct spf_evaluation *e = library->e;

	(void)answer;
	return !e->programs[token->number[0]].matched ||
	       add_reply(rr, client4, 4);
}

static SPF_dns_rr_t *
lookup_term(struct library *library, const char *name, ns_type type,
    const struct token *token, const struct spf_term *term)
{
	struct spf_evaluation *e = library->e;

	if (!spf_ask_term(e, token->number[0], token->number[1]))
		return reply_end(library);
	return reply(library, name, type,
	    term->kind == SPF_A    ? fill_addresses
	    : term->kind == SPF_MX ? fill_hosts
				   : fill_match,
	    token, e->programs[token->number[0]].answer);
}

static SPF_dns_rr_t *
lookup_host(struct library *library, const char *name, ns_type type,
    const struct token *token)
{
	const struct spf_program *program =
	    &library->e->programs[token->number[0]];
	const struct dns_answer *answer = NULL;

	/* Hosts are asked while their term is the last one. */
	if (program->last == token->number[1] &&
	    token->number[2] < program->answer->n)
		answer = spf_ask_host(
		    library->e, token->number[0], token->number[2]);
	return answer
		   ? reply(library, name, type, fill_addresses, token, answer)
		   : reply_end(library);
}

/* --- hooks -------------------------------------------------------------------- */

static SPF_dns_rr_t *
hook_lookup(
    SPF_dns_server_t *server, const char *name, ns_type type, int should_cache)
{
	struct library *library = server->hook;
	struct token token = {0};
	const struct spf_term *term =
	    token_parse(name, &token) ? token_term(library->e, &token) : NULL;

	(void)should_cache;
	if (term && token.n == 2)
		return lookup_term(library, name, type, &token, term);
	if (term && term->kind == SPF_MX)
		return lookup_host(library, name, type, &token);
	spf_temp(library->e, "libspf2 asked for ", span_of(name));
	return reply_end(library);
}

static SPF_errcode_t
hook_get_spf(SPF_server_t *server, SPF_request_t *request,
    SPF_response_t *response, SPF_record_t **ret)
{
	struct library *library = server->resolver->hook;
	struct spf_evaluation *e = library->e;
	struct token token = {0};
	size_t from = SPF_NO_TERM, i = 0;

	if (!token_parse(request->cur_dom, &token))
		return SPF_E_INTERNAL_ERROR;
	if (token.n == 2 && token_term(e, &token)) {
		from = token.number[0];
		i = token.number[1];
	} else if (token.n != 1 || e->n_programs) {
		return SPF_E_INTERNAL_ERROR;
	}
	if (!spf_load(e, from, i))
		return e->temp ? SPF_E_DNS_ERROR : SPF_E_NOT_SPF;
	const char *text = write_text(e);
	if (!text) {
		spf_temp(e, "out of memory", SPAN(""));
		return SPF_E_DNS_ERROR;
	}
	return SPF_record_compile(server, response, ret, text);
}

/* --- one evaluation ----------------------------------------------------------- */

static enum spf_result
result_of(const struct spf_evaluation *e, SPF_result_t result)
{
	if (e->perm)
		return SPF_PERMERROR;
	if (e->none)
		return SPF_NONE;
	if (e->temp)
		return SPF_TEMPERROR;
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
	case SPF_RESULT_TEMPERROR:
	case SPF_RESULT_PERMERROR:
	case SPF_RESULT_INVALID:
		break;
	}
	/* Our hooks say why there is no result; without them it was memory. */
	return SPF_TEMPERROR;
}

static bool
set_request(struct library *library, SPF_request_t *request)
{
	const struct ip *ip = &library->e->request->ip;
	struct in_addr v4;
	struct in6_addr v6;

	for (size_t i = 0; i < sizeof library->flip; i++)
		library->flip[i] =
		    ip->bytes[i] ^ (ip->family == 6 ? client6 : client4)[i];
	memcpy(&v4, client4, sizeof v4);
	memcpy(&v6, client6, sizeof v6);
	if (ip->family == 6)
		SPF_request_set_ipv6(request, v6);
	else
		SPF_request_set_ipv4(request, v4);
	return SPF_request_set_helo_dom(request, "t0.x") == SPF_E_SUCCESS &&
	       SPF_request_set_env_from(request, "u@t0.x") == 0;
}

/* False when it jumped out; then `*response` cannot be told from garbage. */
static bool
query(SPF_request_t *request, SPF_response_t **response)
{
	jmp_buf here;

	way_out = &here;
	if (setjmp(here) == 0) {
		(void)SPF_request_query_mailfrom(request, response);
		way_out = NULL;
		return true;
	}
	way_out = NULL;
	return false;
}

static SPF_result_t
run(struct library *library, SPF_request_t *request)
{
	SPF_response_t *response = NULL;
	SPF_result_t result = SPF_RESULT_INVALID;

	if (!set_request(library, request) || !query(request, &response))
		return SPF_RESULT_INVALID;
	if (response) {
		result = SPF_response_result(response);
		SPF_response_free(response);
	}
	return result;
}

enum spf_result
spf_evaluate(struct spf_evaluation *e)
{
	struct library library = {
	    .hooks = {.lookup = hook_lookup,
		.get_spf = hook_get_spf,
		.name = "assay",
		.hook = &library},
	    .e = e,
	};
	SPF_result_t result = SPF_RESULT_INVALID;

	const SPF_server_t *made = get_prototype();

	if (!made) {
		spf_temp(e, "out of memory", SPAN(""));
		return SPF_TEMPERROR;
	}
	SPF_server_t server = *made;
	server.resolver = &library.hooks;
	SPF_request_t *request = SPF_request_new(&server);
	library.spare =
	    SPF_dns_rr_new_init(&library.hooks, NULL, ns_t_a, 0, TRY_AGAIN);
	if (request && library.spare)
		result = run(&library, request);
	if (request)
		SPF_request_free(request);
	if (library.spare)
		SPF_dns_rr_free(library.spare);
	enum spf_result mine = result_of(e, result);
	if (mine == SPF_TEMPERROR)
		spf_temp(e, "no result of libspf2", SPAN(""));
	return mine;
}
