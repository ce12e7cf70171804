#ifndef FILTER_AUTH_SPF_RECORD_H
#define FILTER_AUTH_SPF_RECORD_H

#include "filter/base/ip.h"
#include "filter/base/span.h"
#include "filter/dns/dns.h"

/* SPF records read by the letter of RFC 7208 section 12. */
enum spf_kind {
	SPF_ALL,
	SPF_INCLUDE,
	SPF_A,
	SPF_MX,
	SPF_PTR,
	SPF_IP4,
	SPF_IP6,
	SPF_EXISTS,
	SPF_REDIRECT,
};

struct spf_term {
	enum spf_kind kind;
	char qualifier;       /* '+', '-', '~', '?' */
	uint8_t cidr4, cidr6; /* a, mx: 32 and 128 when not given */
	struct span text;     /* as in the record */
	union {
		/* domain-spec, unexpanded; p NULL: the record's own domain */
		struct span domain;
		/* ip4, ip6: as written; a mapped one is IPv6 and holds no
		 * client (an IPv4-mapped client is IPv4 here). */
		struct ip_net net;
	};
};

enum spf_record_state {
	SPF_RECORD_GOOD,
	SPF_RECORD_NONE,    /* the text does not claim to be one (4.5) */
	SPF_RECORD_SEVERAL, /* more than one text does */
	SPF_RECORD_BAD,     /* syntax: a permerror */
};

/* All spans are views of the text that was read. */
struct spf_record {
	enum spf_record_state state;
	struct span bad; /* BAD: the first word that is no term */
	/*
	 * What can be reached, in order of evaluation: nothing behind `all` or
	 * behind the eleventh term that asks DNS; redirect last.
	 */
	size_t n;
	struct spf_term *terms;
	struct span exp; /* domain-spec; p NULL: none */
};

/* True for a term that counts for the limit of section 4.6.4. */
bool spf_term_asks(const struct spf_term *term);

/*
 * Reads one text; `ret` is to be given to spf_record_done(). ERR_NOMEM is the
 * only error: what is wrong with the text is in the state.
 */
int spf_record_parse(struct spf_record *ret, struct span text) MUST_USE;
void spf_record_done(struct spf_record *record);

/*
 * The record among the texts of an answer, on the heap; NULL when memory is
 * short. `arg` is not used: for dns_parsed().
 */
void *spf_record_make(const struct dns_answer *answer, void *arg);
void spf_record_drop(void *record);

/*
 * The record among the texts of a TXT answer, read once as long as the answer
 * is cached. Lives as the answer does. NULL when memory is short.
 */
const struct spf_record *spf_record_of(const struct dns_answer *answer);

#endif
