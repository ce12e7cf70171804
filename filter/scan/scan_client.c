#include "filter/scan/scan_client.h"

#include "filter/mail/relay.h"

/*
 * Who handed the message over. Mostly it is who connected; behind a relay of
 * ours it is who handed it to the relay, which the header tells. Where the
 * header does not tell, nobody is judged for it: SPF is none, lists and
 * reputation of an address are not asked, and the log says so.
 */

void
scan_direct(struct scan *scan, enum direction direction)
{
	const struct envelope *e = scan->envelope;

	scan->direction = direction;
	scan->client = (struct scan_client){0};
	if (direction != DIRECTION_RELAY)
		scan->client =
		    (struct scan_client){e->client_ip, e->client_name, e->helo};
}

void
scan_client_find(struct scan *scan)
{
	const struct direction_config *config = &scan->config->direction;
	const struct header_list *headers = message_headers(scan->message);
	struct relay_client found;

	if (scan->direction != DIRECTION_RELAY) {
		if (!direction_may_fetch(config, scan->envelope) ||
		    !relay_is_fetched(headers, scan->own_received, scan->arena))
			return;
		scan->direction = DIRECTION_RELAY;
	}
	bool known =
	    relay_find(headers, scan->own_received, &scan->envelope->client_ip,
		config->relays, config->n_relays, scan->arena, &found);
	/* The line that names the client is the relay's, too. */
	scan->relay_received = found.hops + 1;
	scan->client = (struct scan_client){found.ip, found.name, found.helo};
	if (!known)
		scan_degrade(scan, "relay");
}
