#include "filter/scan/direction.h"

#include "filter/scan/scan.h"

/*
 * Direction is decided from the envelope alone, before any header is seen, so
 * that it holds for early answers too.
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

bool
direction_is_internal(
    const struct direction_config *config, const struct envelope *envelope)
{
	if (!envelope->has_client)
		return true;
	for (size_t i = 0; i < config->n_internal; i++)
		if (ip_in_net(&envelope->client_ip, &config->internal[i]))
			return true;
	return false;
}

enum direction
direction_of(
    const struct direction_config *config, const struct envelope *envelope)
{
	if (envelope->auth_user.len ||
	    is_originating(config, envelope->daemon_name) ||
	    direction_is_internal(config, envelope))
		return DIRECTION_OUT;
	return DIRECTION_IN;
}
