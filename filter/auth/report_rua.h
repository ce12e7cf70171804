#ifndef FILTER_AUTH_REPORT_RUA_H
#define FILTER_AUTH_REPORT_RUA_H

#include "filter/auth/dmarc.h"
#include "filter/base/vec.h"

/*
 * Where the aggregate reports of a domain go: its rua= tag, and whether those
 * who are named there want them (RFC 9990 sections 3.4 and 4).
 */
struct report_target {
	struct span address; /* local@domain: printable ASCII that needs no
				quoting in a header field; domain: A-labels */
	struct span host;    /* its domain */
	uint64_t max_size;   /* "!10m": bytes that it takes; 0: not said */
};

struct report_targets {
	struct report_target_list VEC(struct report_target) v;
	unsigned ignored; /* URIs that are no address that we would write to */
	unsigned beyond;  /* past REPORT_TARGETS_MAX */
};

#define REPORT_TARGETS_MAX 10

/*
 * Takes the addresses out of a rua= tag, each once, in order. Ignored are
 * other schemes than mailto, URIs with header fields ("?cc="), addresses with
 * bytes that would need quoting or that MTAs read as commands or routes
 * (RFC 9990: malformed URIs are ignored). Memory: arena. Never fails.
 */
void report_targets_parse(
    struct report_targets *ret, struct span rua, struct arena *arena);

enum report_answer {
	REPORT_YES,
	REPORT_NO,
	REPORT_LATER, /* DNS does not say now */
};

/*
 * The policy record that stands at `domain` now. REPORT_NO: there is none, or
 * none that can be read. Memory: arena. May block on DNS.
 */
enum report_answer report_find_record(struct span domain, struct dns_batch *dns,
    struct arena *arena, struct dmarc_record *ret);

/*
 * Whether reports about `domain`, where the record stands, may go to `target`
 * (RFC 9990 section 4): it is of the same organisation, or says that it takes
 * them. REPORT_YES: `ret` holds where they go, `target` or what it names
 * instead at the same host. Memory: arena. May block on DNS.
 */
enum report_answer report_target_allowed(struct span domain,
    const struct report_target *target, struct dns_batch *dns,
    struct arena *arena, struct report_targets *ret);
/* The same for failure reports: ruf= takes the place of rua= (RFC 9991
 * section 5). */
enum report_answer report_failure_target_allowed(struct span domain,
    const struct report_target *target, struct dns_batch *dns,
    struct arena *arena, struct report_targets *ret);

#endif
