#ifndef FILTER_AUTH_SPF_RECORD_H
#define FILTER_AUTH_SPF_RECORD_H

#include "filter/base/arena.h"
#include "filter/base/ip.h"
#include "filter/base/span.h"
#include "filter/base/vec.h"

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
};

struct spf_term {
	enum spf_kind kind;
	char qualifier; /* '+', '-', '~', '?' */
	struct span
	    domain; /* domain-spec, unexpanded; p NULL: the current one */
	struct ip_net net;    /* ip4, ip6; as written, not mapped */
	uint8_t cidr4, cidr6; /* a, mx: 32 and 128 when not given */
	struct span text;     /* as in the record */
};

struct spf_record {
	struct spf_terms VEC(struct spf_term) terms;
	struct span redirect, exp; /* domain-specs; p NULL: none */
};

#define SPF_RECORD_TERMS_MAX 2000
#define SPF_RECORD_MAX ((size_t)64 * 1024)

/* True for a text that claims to be an SPF record (section 4.5). */
bool spf_record_claims(struct span text);

/*
 * Reads a record that claims to be one. ERR_SYNTAX: a permerror, with the
 * offending term in *ret_problem. All spans are views of `text`.
 */
int spf_record_parse(struct spf_record *ret, struct span text,
    struct arena *arena, struct span *ret_problem) MUST_USE;

#endif
