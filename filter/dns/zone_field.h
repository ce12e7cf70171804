#ifndef FILTER_DNS_ZONE_FIELD_H
#define FILTER_DNS_ZONE_FIELD_H

#include "filter/base/buf.h"
#include "filter/dns/dns.h"
#include "filter/dns/zone_lex.h"

/*
 * Fields of an entry, read from the token at hand and added to `out` in wire
 * form. They return NULL, or what is wrong with the token at hand.
 */

/* A name, in lower case. Leaves its token at hand. */
const char *zone_field_name(struct zone_lex *lex, struct buf *out);
/* All that a record of the type has, up to the entry's end. */
const char *zone_field_all(
    struct zone_lex *lex, enum dns_type type, struct buf *out);

/* Seconds, with the units of BIND, as in 1h30m. False when it is none. */
bool zone_field_ttl(struct span text, uint64_t *ret);

/* What to say of the token at hand when it is not `what`. */
const char *zone_field_missing(const struct zone_lex *lex, const char *what);

#endif
