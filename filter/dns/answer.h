#ifndef FILTER_DNS_ANSWER_H
#define FILTER_DNS_ANSWER_H

#include <stdatomic.h>

#include "filter/dns/dns.h"

/* Inside of a `struct dns_answer`. */

struct answer_draft;
struct answer_form;

/*
 * One block of memory with its records and their bytes. What it answers
 * stands beside it, as the cache's key. Immutable but for `refs` and `forms`.
 */
struct answer {
	struct dns_answer pub; /* first: a pointer to it is one to the whole */
	_Atomic uint32_t refs;
	_Atomic(struct answer_form *) forms; /* pushed only */
	bool fixed;       /* static: counted by nobody, keeps no forms */
	size_t size;      /* bytes of the block */
	uint64_t hash;    /* of name and type */
	struct span name; /* folded */
	enum dns_type type;
};

/* The hash under which in-flight table, cache and batches look for a name. */
static inline uint64_t
answer_hash(struct span folded, enum dns_type type)
{
	return span_hash(folded) ^ (uint64_t)type * 0x9e3779b97f4a7c15u;
}

static inline bool
answer_is(const struct answer *answer, struct span folded, enum dns_type type,
    uint64_t hash)
{
	return answer->hash == hash && answer->type == type &&
	       span_eq(answer->name, folded);
}

/*
 * An answer with one reference, the caller's. `draft` gives the records; NULL
 * for none. NULL when memory is short.
 */
struct answer *answer_new(struct span folded, enum dns_type type,
    enum dns_status status, const struct answer_draft *draft);
void answer_ref(struct answer *answer);
/* The last one frees forms and block. Accepts NULL. */
void answer_unref(struct answer *answer);
/* Frees the forms: for an answer that lies inside something else. */
void answer_drop_forms(struct answer *answer);

#endif
