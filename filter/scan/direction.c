#include "filter/scan/direction.h"

#include "filter/scan/scan.h"

/*
 * Direction is decided from the envelope, before any header is seen, so that it
 * holds for early answers too. One thing alone is found out later, in the
 * header: that mail from an internal client was fetched from a mailbox
 * (scan_client.c).
 */

const char *
direction_name(enum direction direction)
{
	static const char *const names[] = {
	    [DIRECTION_IN] = "in",
	    [DIRECTION_OUT] = "out",
	    [DIRECTION_RELAY] = "relay",
	};

	return names[direction];
}

static bool
is_originating(const struct direction_config *config, struct span name)
{
	for (size_t i = 0; i < config->n_originating; i++)
		if (name.len && span_eq(config->originating[i], name))
			return true;
	return false;
}

static bool
is_among(const struct ip *ip, const struct ip_net *nets, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (ip_in_net(ip, &nets[i]))
			return true;
	return false;
}

bool
direction_is_internal(
    const struct direction_config *config, const struct envelope *envelope)
{
	return !envelope->has_client ||
	       is_among(
		   &envelope->client_ip, config->internal, config->n_internal);
}

bool
direction_is_relay(const struct direction_config *config, const struct ip *ip)
{
	return is_among(ip, config->relays, config->n_relays);
}

enum direction
direction_of(
    const struct direction_config *config, const struct envelope *envelope)
{
	if (envelope->has_client &&
	    direction_is_relay(config, &envelope->client_ip))
		return DIRECTION_RELAY;
	if (envelope->auth_user.len ||
	    is_originating(config, envelope->daemon_name) ||
	    direction_is_internal(config, envelope))
		return DIRECTION_OUT;
	return DIRECTION_IN;
}

bool
direction_may_fetch(
    const struct direction_config *config, const struct envelope *envelope)
{
	return envelope->has_client && !envelope->auth_user.len &&
	       !is_originating(config, envelope->daemon_name) &&
	       direction_is_internal(config, envelope);
}
