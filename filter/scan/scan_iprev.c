#include "filter/scan/scan_iprev.h"

#include "filter/base/clock.h"

/*
 * The client's name as a fact (filter/auth/iprev.h). Nobody decides by it, so
 * no message waits long for it: it is asked at MAIL and its addresses when the
 * names have come, and at the end what is missing gets a second.
 */

#define WAIT_MS 1000

static bool
applies(const struct scan *scan)
{
	return scan->direction != DIRECTION_OUT && scan->config->network &&
	       scan->client.ip.family;
}

void
scan_iprev_stage(struct scan *scan)
{
	if (scan->config->iprev && applies(scan))
		iprev_want(&scan->client.ip, scan->dns);
}

static const struct iprev_facts iprev_off = {.state = FACT_OFF};
static const struct iprev_facts iprev_broken = {.state = FACT_BROKEN};

const struct iprev_facts *
scan_iprev(struct scan *scan)
{
	if (scan->iprev)
		return scan->iprev;
	if (!applies(scan))
		return &iprev_off;
	struct iprev_facts *facts = arena_zalloc(scan->arena, sizeof *facts);
	if (!facts)
		return &iprev_broken;
	scan->iprev = facts;
	int64_t deadline = clock_deadline(WAIT_MS);
	if (deadline > scan->deadline)
		deadline = scan->deadline;
	iprev_check(&scan->client.ip, scan->dns, deadline, &facts->iprev);
	facts->state =
	    facts->iprev.result == IPREV_TEMPERROR ? FACT_LATER : FACT_DONE;
	return facts;
}
