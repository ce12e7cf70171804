#include "filter/auth/spf_internal.h"

#include "filter/auth/iprev.h"
#include "filter/auth/macro.h"
#include "filter/base/buf.h"
#include "filter/mail/domain.h"

/*
 * What an evaluation of SPF asks and remembers: records with their domains,
 * names with their macros, the limits of RFC 7208 section 4.6.4 over the whole
 * evaluation, and which term matched. Which term comes next is decided by the
 * library.
 *
 * Names of a record that need no macro are wanted when it is read, so that
 * they are under way together; there are never more of them than the terms
 * that an evaluation may ask for anyway.
 */

#define PROBLEM_MAX 200

/* --- the end of an evaluation ------------------------------------------------- */

static void
set_problem(struct spf_evaluation *e, const char *what, struct span detail)
{
	struct buf text;

	buf_init(&text, e->arena, PROBLEM_MAX);
	buf_add_str(&text, what);
	detail = span_head(detail, PROBLEM_MAX - text.len);
	for (size_t i = 0; i < detail.len; i++) {
		char c = detail.p[i];
		buf_add_char(&text, c >= ' ' && c < 0x7f ? c : '?');
	}
	e->problem = buf_span(&text);
}

void
spf_perm(struct spf_evaluation *e, const char *what, struct span detail)
{
	if (e->perm || e->temp)
		return;
	e->perm = true;
	set_problem(e, what, detail);
}

void
spf_temp(struct spf_evaluation *e, const char *what, struct span detail)
{
	if (e->perm || e->temp)
		return;
	e->temp = true;
	set_problem(e, what, detail);
}

static bool
failed(const struct dns_answer *answer)
{
	return answer->status == DNS_TIMEOUT || answer->status == DNS_SERVFAIL;
}

/* At most ten terms that ask DNS. */
static bool
count_term(struct spf_evaluation *e)
{
	if (++e->terms > SPF_TERMS_MAX)
		spf_perm(e, "more than 10 terms that ask DNS", SPAN(""));
	return !e->perm;
}

/* At most two names that do not exist or have no such record. */
static bool
count_void(struct spf_evaluation *e, const struct dns_answer *answer)
{
	bool is_void =
	    answer->status == DNS_NXDOMAIN || answer->status == DNS_NODATA;

	if (is_void && ++e->voids > SPF_VOIDS_MAX)
		spf_perm(e, "more than 2 names without records", SPAN(""));
	return !e->perm;
}

/* --- addresses and the client's name ------------------------------------------ */

/* A or AAAA, as the client is. */
static enum dns_type
address_type(const struct spf_evaluation *e)
{
	return e->request->ip.family == 6 ? DNS_AAAA : DNS_A;
}

unsigned
spf_term_bits(const struct spf_evaluation *e, const struct spf_term *term)
{
	return e->request->ip.family == 6 ? term->cidr6 : term->cidr4;
}

/* True when an address of the answer shares `bits` with the client's. */
static bool
holds_client(const struct spf_evaluation *e, const struct dns_answer *answer,
    unsigned bits)
{
	struct ip_net net = {
	    .ip.family = e->request->ip.family, .bits = (uint8_t)bits};
	size_t size = net.ip.family == 6 ? 16 : 4;

	for (size_t i = 0; i < answer->n; i++) {
		if (answer->records[i].data.len != size)
			continue;
		memcpy(net.ip.bytes, answer->records[i].data.p, size);
		if (ip_in_net(&e->request->ip, &net))
			return true;
	}
	return false;
}

static const struct dns_answer *
ask_reverse(struct spf_evaluation *e)
{
	char name[IPREV_REVERSE_SIZE];

	return dns_get(e->dns, iprev_reverse(&e->request->ip, name), DNS_PTR);
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

/*
 * The client's name by PTR and back (section 5.5): one that is `domain`, else
 * one below it, else with `any` the first that is confirmed. Trouble with DNS
 * is no match. Empty when there is none.
 */
static struct span
validated_name(struct spf_evaluation *e, struct span domain, bool any,
    const struct dns_answer *ptr)
{
	struct span below = SPAN(""), other = SPAN("");

	for (size_t i = 0; i < ptr->n && i < SPF_NAMES_MAX; i++) {
		struct span name = ptr->records[i].data;
		bool under = domain_is_below(name, domain);
		if (!is_host_name(name) || (!under && (!any || other.len)))
			continue;
		if (!iprev_confirms(dns_get(e->dns, name, address_type(e)),
			&e->request->ip))
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

/* --- names -------------------------------------------------------------------- */

struct name_request {
	struct spf_evaluation *e;
	struct span domain;
};

/* %{p} */
static struct span
client_name(void *arg)
{
	const struct name_request *r = arg;

	return validated_name(r->e, r->domain, true, ask_reverse(r->e));
}

int
spf_expand(struct spf_evaluation *e, struct span domain, struct span spec,
    bool explanation, struct span *ret)
{
	struct name_request request = {e, domain};
	struct macro_context context = {
	    .sender_local = e->sender_local,
	    .sender_domain = e->sender_domain,
	    .helo = e->helo,
	    .domain = domain,
	    .ip = e->request->ip,
	    .receiver = e->request->receiver,
	    .time = e->request->time,
	    .validated_name = client_name,
	    .arg = &request,
	};

	return macro_expand(&context, spec, explanation, e->arena, ret);
}

/* The domain a term asks about. */
static bool
term_name(struct spf_evaluation *e, const struct spf_program *program,
    const struct spf_term *term, struct span *ret)
{
	if (!term->domain.p) {
		*ret = program->domain;
		return true;
	}
	int rc = spf_expand(e, program->domain, term->domain, false, ret);
	if (rc == ERR_NOMEM)
		spf_temp(e, "out of memory", SPAN(""));
	else if (rc)
		spf_perm(e, "cannot be expanded: ", term->text);
	return rc == 0;
}

/* --- records ------------------------------------------------------------------ */

static size_t
final_term(const struct spf_evaluation *e, const struct spf_record *record)
{
	for (size_t i = 0; i < record->n; i++) {
		const struct spf_term *term = &record->terms[i];
		if (term->kind == SPF_ALL ||
		    (!spf_term_asks(term) &&
			ip_in_net(&e->request->ip, &term->net)))
			return i;
	}
	return SPF_NO_TERM;
}

static enum dns_type
first_type(const struct spf_evaluation *e, const struct spf_term *term)
{
	switch (term->kind) {
	case SPF_INCLUDE:
	case SPF_REDIRECT:
		return DNS_TXT;
	case SPF_MX:
		return DNS_MX;
	case SPF_EXISTS:
		return DNS_A;
	case SPF_PTR:
		return DNS_PTR;
	case SPF_A:
	case SPF_ALL:
	case SPF_IP4:
	case SPF_IP6:
		break;
	}
	return address_type(e);
}

static void
want_term(struct spf_evaluation *e, const struct spf_program *program,
    const struct spf_term *term)
{
	char reverse[IPREV_REVERSE_SIZE];
	struct span name = term->domain.p ? term->domain : program->domain;

	if (term->kind == SPF_PTR)
		name = iprev_reverse(&e->request->ip, reverse);
	if (span_find_char(name, '%') != SPAN_NPOS)
		return;
	dns_want(e->dns, name, first_type(e, term));
	e->wants++;
}

/* Begins to ask for what the terms that may be reached will ask. */
static void
want_terms(struct spf_evaluation *e, const struct spf_program *program)
{
	for (size_t i = 0; i < program->record->n && i < program->final &&
			   e->wants < SPF_TERMS_MAX;
	     i++)
		if (spf_term_asks(&program->record->terms[i]))
			want_term(e, program, &program->record->terms[i]);
}

static bool
usable(struct spf_evaluation *e, const struct spf_record *record,
    struct span domain)
{
	if (!record) {
		spf_temp(e, "out of memory", SPAN(""));
		return false;
	}
	switch (record->state) {
	case SPF_RECORD_GOOD:
		return true;
	case SPF_RECORD_NONE:
		/* Sections 5.2 and 6.1: below the first record it is an
		 * error. */
		if (e->n_programs == 0)
			e->none = true;
		else
			spf_perm(e, "no SPF record at ", domain);
		return false;
	case SPF_RECORD_SEVERAL:
		spf_perm(e, "several SPF records at ", domain);
		return false;
	case SPF_RECORD_BAD:
		spf_perm(e, "not a term of SPF: ", record->bad);
		return false;
	}
	return false;
}

/*
 * RFC 8616 section 4: a term whose name would hold non-ASCII characters, of
 * the sender's local part, does not match. An include of this does not.
 */
static const struct spf_record nothing = {.state = SPF_RECORD_GOOD};
static const struct spf_record no_record = {.state = SPF_RECORD_NONE};
static const struct dns_answer no_answer = {.status = DNS_NODATA};

static const struct spf_record *
fetch(struct spf_evaluation *e, struct span domain)
{
	const struct dns_answer *answer = dns_get(e->dns, domain, DNS_TXT);

	if (failed(answer)) {
		spf_temp(e, "no answer for the record of ", domain);
		return &no_record;
	}
	return answer->n ? spf_record_of(answer) : &no_record;
}

bool
spf_load(struct spf_evaluation *e, size_t from, size_t term)
{
	struct spf_program *outer = NULL;
	struct span domain = e->sender_domain;
	const struct spf_record *record = NULL;

	if (from != SPF_NO_TERM) {
		outer = &e->programs[from];
		if (!count_term(e) ||
		    !term_name(e, outer, &outer->record->terms[term], &domain))
			return false;
		outer->last = term;
		outer->inner = 0;
	}
	if (outer && !span_is_ascii(domain) &&
	    outer->record->terms[term].kind == SPF_INCLUDE)
		record = &nothing;
	else
		record = fetch(e, domain);
	if (e->temp || !usable(e, record, domain) ||
	    e->n_programs == SPF_PROGRAMS_MAX)
		return false;
	if (outer)
		outer->inner = e->n_programs;
	struct spf_program *program = &e->programs[e->n_programs++];
	*program = (struct spf_program){.record = record,
	    .domain = domain,
	    .final = final_term(e, record),
	    .last = SPF_NO_TERM};
	want_terms(e, program);
	return true;
}

/* --- terms -------------------------------------------------------------------- */

static const struct dns_answer *
first_answer(
    struct spf_evaluation *e, const struct spf_term *term, struct span name)
{
	if (!span_is_ascii(name))
		return &no_answer;
	if (term->kind == SPF_PTR)
		return ask_reverse(e);
	return dns_get(e->dns, name, first_type(e, term));
}

bool
spf_ask_term(struct spf_evaluation *e, size_t number, size_t i)
{
	struct spf_program *program = &e->programs[number];
	const struct spf_term *term = &program->record->terms[i];
	struct span name;

	if (!count_term(e) || !term_name(e, program, term, &name))
		return false;
	const struct dns_answer *answer = first_answer(e, term, name);
	program->last = i;
	program->name = name;
	program->answer = answer;
	program->matched = false;
	if (answer != &no_answer && !count_void(e, answer))
		return false;
	if (failed(answer) && term->kind != SPF_PTR) {
		spf_temp(e, "no answer for ", name);
		return false;
	}
	if (term->kind == SPF_MX && answer->n > SPF_NAMES_MAX) {
		spf_perm(e, "more than 10 mail exchangers of ", name);
		return false;
	}
	if (term->kind == SPF_A)
		program->matched =
		    holds_client(e, answer, spf_term_bits(e, term));
	else if (term->kind == SPF_EXISTS)
		program->matched = answer->n > 0;
	else if (term->kind == SPF_PTR)
		program->matched =
		    validated_name(e, name, false, answer).len > 0;
	return true;
}

const struct dns_answer *
spf_ask_host(struct spf_evaluation *e, size_t number, size_t host)
{
	struct spf_program *program = &e->programs[number];
	const struct spf_term *term = &program->record->terms[program->last];
	struct span name = program->answer->records[host].data;
	const struct dns_answer *answer =
	    dns_get(e->dns, name, address_type(e));

	if (failed(answer)) {
		spf_temp(e, "no answer for ", name);
		return NULL;
	}
	program->matched |= holds_client(e, answer, spf_term_bits(e, term));
	return answer;
}

/* --- which term it was -------------------------------------------------------- */

/* What a program came to: '+' pass, ... ; its term, NULL: none matched. */
struct outcome {
	char qualifier;
	const struct spf_term *term;
};

static struct outcome
outcome_of(const struct spf_program *program, const struct outcome inner[])
{
	const struct spf_term *terms = program->record->terms;

	if (program->last != SPF_NO_TERM) {
		const struct spf_term *last = &terms[program->last];
		if (last->kind == SPF_REDIRECT)
			return inner[program->inner];
		bool matched = last->kind == SPF_INCLUDE
				   ? program->inner &&
					 inner[program->inner].qualifier == '+'
				   : program->matched;
		if (matched)
			return (struct outcome){last->qualifier, last};
	}
	if (program->final != SPF_NO_TERM)
		return (struct outcome){
		    terms[program->final].qualifier, &terms[program->final]};
	return (struct outcome){'?', NULL};
}

const struct spf_program *
spf_decided(const struct spf_evaluation *e, const struct spf_term **ret_term)
{
	struct outcome outcomes[SPF_PROGRAMS_MAX] = {{'?', NULL}};
	const struct spf_program *program = e->programs;

	*ret_term = NULL;
	if (e->n_programs == 0)
		return NULL;
	/* What is included comes behind what includes it. */
	for (size_t i = e->n_programs; i > 0; i--)
		outcomes[i - 1] = outcome_of(&e->programs[i - 1], outcomes);
	*ret_term = outcomes[0].term;
	while (program->last != SPF_NO_TERM && program->inner &&
	       program->record->terms[program->last].kind == SPF_REDIRECT)
		program = &e->programs[program->inner];
	return program;
}
