#ifndef FILTER_AUTH_SPF_INTERNAL_H
#define FILTER_AUTH_SPF_INTERNAL_H

#include "filter/auth/spf.h"
#include "filter/auth/spf_record.h"
#include "filter/base/vec.h"

/* One evaluation of SPF, shared by spf.c (protocol) and spf_library.c (hooks). */
#define SPF_TOKENS_MAX 4096
#define SPF_LOOPBACK_MASK 0x80 /* for evaluation.mask */

enum spf_token_kind {
	TOKEN_DOMAIN,   /* include, redirect, and the first domain */
	TOKEN_ADDRESS,  /* a */
	TOKEN_EXCHANGE, /* mx */
	TOKEN_EXISTS,
	TOKEN_PTR,
	TOKEN_ANY_ADDRESS,  /* a/0: there is an address at all */
	TOKEN_ANY_EXCHANGE, /* mx/0 */
	TOKEN_NAME,         /* an MX host: a literal name */
};

/* A record that was read in this evaluation. */
struct spf_program {
	struct spf_record record;
	struct span domain; /* it was found at */
	/* per term: the token that stands for it, 0 none */
	unsigned *tokens;
};

struct spf_token {
	enum spf_token_kind kind;
	struct span spec; /* domain-spec; p NULL: the program's own */
	const struct spf_program
	    *from;                  /* where it stands; NULL for the first */
	struct spf_program *loaded; /* TOKEN_DOMAIN: what was found */
	struct span name;           /* expanded, once asked */
	bool expanded, counted, matched;
};

struct spf_evaluation {
	const struct spf_request *request;
	struct dns_batch *dns;
	struct arena *arena;
	struct spf_tokens VEC(struct spf_token) tokens;
	struct span sender_local, sender_domain;
	unsigned terms, voids;
	uint8_t mask; /* exclusive or for the first byte of addresses */
	bool perm, temp, none;
	struct span problem;
	struct span client_name; /* validated, for %{p}; p NULL: not asked */
	void *hooks;             /* of the library */
};

/* A limit was passed or a record is in error: the result is permerror. */
void spf_perm(struct spf_evaluation *e, const char *what, struct span detail);
/* A name could not be had: temperror, unless the evaluation ends before. */
void spf_temp(struct spf_evaluation *e, struct span name);

const struct dns_answer *spf_ask(
    struct spf_evaluation *e, struct span name, enum dns_type type);
bool spf_failed(const struct dns_answer *answer);
/* A or AAAA, as the client is. */
enum dns_type spf_address_type(const struct spf_evaluation *e);
/* PTR of the client's address. */
const struct dns_answer *spf_ask_ptr(struct spf_evaluation *e);

/*
 * The client's name by PTR and back (section 5.5): one that is `domain`, else
 * one below it, else with `any` the first that is confirmed. Errors of DNS are
 * no match. Empty when there is none.
 */
struct span spf_validated_name(struct spf_evaluation *e, struct span domain,
    bool any, const struct dns_answer *ptr);

/* Expands a macro string that stands in a record of `domain`. */
int spf_expand(struct spf_evaluation *e, struct span domain, struct span spec,
    bool explanation, struct span *ret) MUST_USE;

/*
 * Has the library evaluate the record of token 0, which must be there with its
 * name set. The programs it met stay in the tokens.
 */
enum spf_result spf_evaluate(struct spf_evaluation *e);

#endif
