#ifndef FILTER_SCAN_DIRECTION_H
#define FILTER_SCAN_DIRECTION_H

#include "filter/base/ip.h"
#include "filter/base/span.h"

/* Which way a message goes, and whose client counts (product.md, Direction). */
enum direction { DIRECTION_IN, DIRECTION_OUT };
const char *direction_name(enum direction direction); /* "in", "out" */

struct direction_config {
	const struct ip_net *internal;
	size_t n_internal;
	const struct span *originating; /* daemon names, case-sensitive */
	size_t n_originating;
};

struct envelope;
enum direction direction_of(
    const struct direction_config *config, const struct envelope *envelope);

#endif
