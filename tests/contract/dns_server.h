#ifndef TESTS_CONTRACT_DNS_SERVER_H
#define TESTS_CONTRACT_DNS_SERVER_H

#include <stdatomic.h>
#include <stdint.h>

#include "filter/dns/zone.h"

/*
 * A name server for tests: answers from a zone on a port of 127.0.0.1, over
 * UDP and TCP, in a thread of its own. It plays the recursive server of an
 * administrator: CNAMEs are followed. What the zone says fails, fails here:
 * SERVFAIL is sent, TIMEOUT is silence. Replies that do not fit are truncated.
 */
struct dns_server {
	/* To be set before start. */
	const struct zone *zone;
	const char *slow_name; /* with NULL for none: its replies come late */
	int64_t slow_ms;
	atomic_bool silent; /* says nothing at all; may change */

	uint16_t port;
	_Atomic unsigned udp_questions, tcp_questions;
	struct dns_server_state *state;
};

void dns_server_start(struct dns_server *server);
void dns_server_stop(struct dns_server *server);

#endif
