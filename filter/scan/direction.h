#ifndef FILTER_SCAN_DIRECTION_H
#define FILTER_SCAN_DIRECTION_H

#include "filter/base/ip.h"
#include "filter/base/span.h"

/* Which way a message goes, and whose client counts (product.md, Direction). */
enum direction { DIRECTION_IN, DIRECTION_OUT, DIRECTION_RELAY };
/* "in", "out", "relay" */
const char *direction_name(enum direction direction);

struct direction_config {
	const struct ip_net *internal;
	size_t n_internal;
	const struct span *originating; /* daemon names, case-sensitive */
	size_t n_originating;
	const struct ip_net *relays; /* backup MX, provider's relay */
	size_t n_relays;
	const struct ip_net *forwarders; /* spared from auth.dmarc = reject */
	size_t n_forwarders;
};

struct envelope;
enum direction direction_of(
    const struct direction_config *config, const struct envelope *envelope);

/* True without a network client, and for one of milter.internal. */
bool direction_is_internal(
    const struct direction_config *config, const struct envelope *envelope);
bool direction_is_relay(
    const struct direction_config *config, const struct ip *ip);
/* An internal client that may hand in what it fetched from a mailbox: its
 * header decides. Never one that authenticated itself. */
bool direction_may_fetch(
    const struct direction_config *config, const struct envelope *envelope);

#endif
