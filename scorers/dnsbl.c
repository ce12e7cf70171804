#include "scorers/listed.h"

/* What DNS lists say of the client. */

static int
dnsbl_more(const struct scan_config *config, scorer_add_fn *add, void *arg)
{
	return listed_more(config, false, add, arg);
}

const struct scorer scorer_dnsbl = {
    .name = "dnsbl",
    .help = "DNS lists of addresses",
    .more = dnsbl_more,
};
