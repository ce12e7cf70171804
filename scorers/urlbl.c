#include "scorers/listed.h"

/* What DNS lists say of the domains and addresses in links. */

static int
urlbl_more(const struct scan_config *config, scorer_add_fn *add, void *arg)
{
	return listed_more(config, true, add, arg);
}

const struct scorer scorer_urlbl = {
    .name = "urlbl",
    .help = "DNS lists of domains in links",
    .more = urlbl_more,
};
