#ifndef FILTER_DNS_ZONE_H
#define FILTER_DNS_ZONE_H

#include "filter/dns/dns.h"

/*
 * A text file of DNS records: RFC 1035 section 5 with absolute names, and two
 * types of our own, `NAME TIMEOUT [TYPE]` and `NAME SERVFAIL [TYPE]`.
 * Immutable once parsed.
 */
struct zone;

struct zone_record {
	struct zone_record *next; /* of the same name, any type */
	enum dns_type type;
	enum dns_status status; /* DNS_OK, or how the type fails: no rdata */
	uint32_t ttl_s;
	struct span rdata; /* wire form */
};

/*
 * path  for messages. Returns ERR_SYNTAX with the first fault as
 * `path:line: ...` and the number of the others, ERR_NOMEM.
 */
int zone_parse(struct span text, const char *path, struct zone **ret,
    struct err *err) MUST_USE;
/* Reads it from a file, which may be a pipe. Also ERR_IO, ERR_LIMIT. */
int zone_load(const char *path, struct zone **ret, struct err *err) MUST_USE;
void zone_free(struct zone *zone);

/*
 * One step of an answer. With DNS_OK `*ret_first` is the first record of the
 * type, and zone_next() gives the others; or it is a CNAME that was not asked
 * for and has to be followed. A name that is not in the file is DNS_NXDOMAIN,
 * also when others lie below it.
 *
 * wire  lower case.
 */
enum dns_status zone_find(const struct zone *zone, struct span wire,
    enum dns_type type, const struct zone_record **ret_first);
const struct zone_record *zone_next(const struct zone_record *record);

#endif
