#ifndef FILTER_AUTH_IPREV_H
#define FILTER_AUTH_IPREV_H

#include "filter/base/arena.h"
#include "filter/base/ip.h"
#include "filter/dns/dns.h"

/* Reverse and forward name of a client (RFC 8601 section 3). */
enum iprev_result {
	IPREV_PASS,
	IPREV_FAIL,      /* no name leads back to the client */
	IPREV_TEMPERROR, /* names that may yet, or no answer about names */
	IPREV_PERMERROR, /* the client has no name */
};
/* The words of RFC 8601 section 2.7.3. */
const char *iprev_result_name(enum iprev_result result);

struct iprev_answer {
	enum iprev_result result;
	struct span name; /* that confirmed, else the first PTR; p NULL: none */
};

#define IPREV_NAMES_MAX 10 /* PTR names looked at */
#define IPREV_REVERSE_SIZE (IP_REVERSE_SIZE + sizeof ".in-addr.arpa")

/* The name under which the PTR records of an address stand. */
struct span iprev_reverse(const struct ip *ip, char name[IPREV_REVERSE_SIZE]);
/* True when an A or AAAA answer holds the address. */
bool iprev_confirms(const struct dns_answer *answer, const struct ip *ip);

/*
 * Begins to ask for the client's names and, when those have come, for their
 * addresses: to be called now and again. Never waits.
 */
void iprev_want(const struct ip *ip, struct dns_batch *dns);
/*
 * Waits until `deadline` (clock_mono_ms), for what has not come by then the
 * result is temperror. Not a part of the batch's time: this is information,
 * and nothing that decides should lack an answer because of it.
 * Memory: answers that the batch holds. Thread: any; may block on DNS.
 */
void iprev_check(const struct ip *ip, struct dns_batch *dns, int64_t deadline,
    struct iprev_answer *ret);

#endif
