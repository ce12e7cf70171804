#ifndef SCORERS_LISTED_H
#define SCORERS_LISTED_H

#include "scorers/scorer.h"

/* scorer.more of the lists of one kind: of domains in links, or of addresses. */
int listed_more(const struct scan_config *config, bool of_links,
    scorer_add_fn *add, void *arg);

#endif
