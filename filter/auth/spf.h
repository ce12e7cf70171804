#ifndef FILTER_AUTH_SPF_H
#define FILTER_AUTH_SPF_H

#include "filter/base/arena.h"
#include "filter/base/ip.h"
#include "filter/base/span.h"
#include "filter/dns/dns.h"

/* The words of RFC 8601 section 2.7.2. */
enum spf_result {
	SPF_NONE,
	SPF_NEUTRAL,
	SPF_PASS,
	SPF_FAIL,
	SPF_SOFTFAIL,
	SPF_TEMPERROR,
	SPF_PERMERROR,
};
const char *spf_result_name(enum spf_result result); /* "softfail" ... */

struct spf_request {
	struct ip ip; /* family 0: SPF_NONE */
	struct span helo;
	struct span mail_from; /* without brackets; empty: postmaster@helo */
	struct span receiver;  /* our name for %{r}, may be empty */
	int64_t time;          /* for %{t} */
};

struct spf_answer {
	enum spf_result result;
	struct span domain; /* judged, A-labels; empty when none */
	/* Expanded exp= of a fail, printable ASCII, at most 400 bytes;
	 * p == NULL: none. */
	struct span explanation;
	/* Why there is no result, for people: printable ASCII, at most 200
	 * bytes; p == NULL: there is one, or simply no record. */
	struct span problem;
	/* The term that matched, as in the record, of the record that decided
	 * (redirects followed, includes not); p == NULL: none did. */
	struct span mechanism;
};

/*
 * check_host() of RFC 7208 for MAIL FROM, or for HELO when mail_from is empty.
 * Loopback clients are judged by the record like any other.
 * Memory: arena, and answers that the batch holds. Thread: any; may block on
 * DNS. Never fails: trouble of ours is SPF_TEMPERROR.
 */
void spf_check(const struct spf_request *request, struct dns_batch *dns,
    struct arena *arena, struct spf_answer *ret);

/* Begins to ask for what spf_check() will want first; never waits. */
void spf_want(const struct spf_request *request, struct dns_batch *dns,
    struct arena *arena);

#define SPF_TERMS_MAX 10 /* RFC 7208 section 4.6.4 */
#define SPF_VOIDS_MAX 2
#define SPF_NAMES_MAX 10 /* MX and PTR names looked at */

#endif
