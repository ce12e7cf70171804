#ifndef FILTER_AUTH_IPREV_H
#define FILTER_AUTH_IPREV_H

#include "filter/base/arena.h"
#include "filter/base/ip.h"
#include "filter/dns/dns.h"

/* Reverse and forward name of a client (RFC 8601 section 3). */
enum iprev_result {
	IPREV_PASS,
	IPREV_FAIL,
	IPREV_TEMPERROR,
	IPREV_PERMERROR,
};
const char *iprev_result_name(enum iprev_result result);

struct iprev_answer {
	enum iprev_result result;
	struct span name; /* that confirmed, else the first PTR; p NULL: none */
};

#define IPREV_NAMES_MAX 10 /* PTR names looked at */

/* Memory: arena. Thread: any; iprev_check() may block on DNS. */
void iprev_want(
    const struct ip *ip, struct dns_batch *dns, struct arena *arena);
void iprev_check(const struct ip *ip, struct dns_batch *dns,
    struct arena *arena, struct iprev_answer *ret);

#endif
