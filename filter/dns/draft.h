#ifndef FILTER_DNS_DRAFT_H
#define FILTER_DNS_DRAFT_H

#include "filter/base/buf.h"
#include "filter/dns/dns.h"

#define ANSWER_RECORDS_MAX 256
#define ANSWER_BYTES_MAX ((size_t)64 * 1024) /* of all records together */

/* Records on their way into an answer. */
struct answer_draft {
	struct buf bytes;
	size_t n;
	struct {
		size_t at, len;
		uint16_t preference;
	} record[ANSWER_RECORDS_MAX];
};

void answer_draft_init(struct answer_draft *draft);
void answer_draft_done(struct answer_draft *draft);
/* Copies. A record past the limits is left out: false. */
bool answer_draft_add(
    struct answer_draft *draft, struct span data, uint16_t preference);
/*
 * Adds a record from its wire form (RFC 1035 section 3.3, RFC 3596). One that
 * is malformed is left out: false.
 */
bool answer_draft_rdata(
    struct answer_draft *draft, enum dns_type type, struct span rdata);

#endif
