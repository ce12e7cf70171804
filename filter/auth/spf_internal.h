#ifndef FILTER_AUTH_SPF_INTERNAL_H
#define FILTER_AUTH_SPF_INTERNAL_H

#include "filter/auth/spf.h"
#include "filter/auth/spf_record.h"

/*
 * One evaluation, shared by spf.c (check_host), spf_eval.c (names, limits,
 * DNS) and spf_library.c (libspf2).
 */

/* The first record, and one for each include and redirect. */
#define SPF_PROGRAMS_MAX (1 + SPF_TERMS_MAX)
#define SPF_NO_TERM SIZE_MAX

/* A record met in this evaluation. */
struct spf_program {
	const struct spf_record *record;
	struct span domain; /* where it stands */
	/* The first term that matches the client without asking DNS, if it is
	 * reached; SPF_NO_TERM when there is none. */
	size_t final;
	/* The last term that asked DNS, and what became of it. */
	size_t last;
	struct span name;                /* its domain, expanded */
	const struct dns_answer *answer; /* a, mx */
	bool matched;                    /* not for include and redirect */
	size_t inner;                    /* their program, 0: not there */
};

struct spf_evaluation {
	const struct spf_request *request;
	struct dns_batch *dns;
	struct arena *arena;
	struct span sender_local, sender_domain, helo;
	size_t n_programs;
	struct spf_program programs[SPF_PROGRAMS_MAX];
	unsigned terms, voids, wants; /* counts to their limits */
	bool perm, temp, none;        /* why there is no result */
	struct span problem;
};

/* --- spf_eval.c --------------------------------------------------------------- */

/*
 * The evaluation ends with permerror, temperror: the first to come counts.
 * `detail` may hold any byte.
 */
void spf_perm(struct spf_evaluation *e, const char *what, struct span detail);
void spf_temp(struct spf_evaluation *e, const char *what, struct span detail);

/* Expands a macro string that stands in a record of `domain`. */
int spf_expand(struct spf_evaluation *e, struct span domain, struct span spec,
    bool explanation, struct span *ret) MUST_USE;

/*
 * Fetches the first record (`from` SPF_NO_TERM), or that of an include or
 * redirect, and makes it the last program. False: the evaluation has ended.
 */
bool spf_load(struct spf_evaluation *e, size_t from, size_t term);

/*
 * Asks what a term of a program (a, mx, exists, ptr) asks first, and counts
 * it. The program then has `name`, `answer` and `matched`; for mx `matched`
 * is known when its hosts have been asked. False: the evaluation has ended.
 */
bool spf_ask_term(struct spf_evaluation *e, size_t program, size_t term);
/*
 * The addresses of host `host` of the MX answer at hand; NULL: the evaluation
 * has ended.
 */
const struct dns_answer *spf_ask_host(
    struct spf_evaluation *e, size_t program, size_t host);

/* The length of the client's prefix that the term (a, mx) compares. */
unsigned spf_term_bits(
    const struct spf_evaluation *e, const struct spf_term *term);

/* The program that decided, and its term that matched (NULL: none did). */
const struct spf_program *spf_decided(
    const struct spf_evaluation *e, const struct spf_term **ret_term);

/* --- spf_library.c ------------------------------------------------------------ */

/* Has libspf2 evaluate the record of sender_domain. */
enum spf_result spf_evaluate(struct spf_evaluation *e);

#endif
