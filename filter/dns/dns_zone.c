#include "filter/dns/resolver.h"

#include <stdlib.h>

#include "filter/dns/draft.h"
#include "filter/dns/name.h"
#include "filter/dns/zone.h"

/*
 * The resolver that answers from a zone file: at once, in the thread that
 * asks, from memory that never changes. It follows CNAMEs, as a recursive
 * server would for us. Nothing is waited for: a name that times out says so
 * immediately.
 */

#define CNAME_HOPS_MAX 16

struct dns_zone {
	struct resolver resolver; /* first */
	struct zone *zone;
};

/* Follows CNAMEs; `wire` is scratch that begins with the name asked. */
static enum dns_status
look_up(const struct zone *zone, struct span wire, enum dns_type type,
    const struct zone_record **ret_first)
{
	for (int hops = 0; hops <= CNAME_HOPS_MAX; hops++) {
		enum dns_status status = zone_find(zone, wire, type, ret_first);
		if (status != DNS_OK || (*ret_first)->type == type)
			return status;
		wire = (*ret_first)->rdata;
	}
	return DNS_SERVFAIL;
}

static void
zone_ask(struct resolver *resolver, struct dns_query *query)
{
	struct dns_zone *z = (struct dns_zone *)(void *)resolver;
	uint8_t wire[NAME_WIRE_MAX];
	size_t len = name_to_wire(query_name(query), wire);
	const struct zone_record *first = NULL;
	struct answer_draft draft;

	answer_draft_init(&draft);
	enum dns_status status = look_up(
	    z->zone, span_make((const char *)wire, len), query->type, &first);
	if (status == DNS_OK)
		for (const struct zone_record *r = first; r; r = zone_next(r))
			(void)answer_draft_rdata(&draft, r->type, r->rdata);
	if (status == DNS_OK && draft.n == 0)
		status = DNS_SERVFAIL; /* past our limits */
	query_done(query,
	    answer_new(query_name(query), query->type, status, &draft),
	    status == DNS_OK ? (int64_t)first->ttl_s : 0);
	answer_draft_done(&draft);
	query_unref(query);
}

static void
zone_close(struct resolver *resolver)
{
	struct dns_zone *z = (struct dns_zone *)(void *)resolver;

	zone_free(z->zone);
	free(z);
}

int
resolver_open_zone(const char *path, struct resolver **ret, struct err *err)
{
	struct dns_zone *z = calloc(1, sizeof *z);

	if (!z)
		return err_set(err, ERR_NOMEM, "out of memory");
	int rc = zone_load(path, &z->zone, err);
	if (rc) {
		free(z);
		return rc;
	}
	z->resolver = (struct resolver){.ask = zone_ask, .close = zone_close};
	*ret = &z->resolver;
	return 0;
}
