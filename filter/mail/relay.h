#ifndef FILTER_MAIL_RELAY_H
#define FILTER_MAIL_RELAY_H

#include "filter/base/arena.h"
#include "filter/base/ip.h"
#include "filter/mail/header.h"

/*
 * The client that counts, behind relays of ours: read from the Received lines
 * that they wrote (product.md, Direction).
 */
struct relay_client {
	struct ip ip; /* family 0: not known */
	/* verified host name as the relay wrote it, or empty */
	struct span name;
	struct span helo;
	/* Received lines above the one that names the client: of relays, or of
	 * our own MTA. All that are believed when none names it. */
	unsigned hops;
	bool fetched; /* fetchmail, getmail: from a mailbox, not by SMTP */
};

/*
 * Walks the Received fields from the top. `client` is who connected to us; it
 * is one of `relays`, or it fetched. Each line is believed only as long as the
 * one that handed it over is one of `relays`, or the host itself (loopback,
 * inner hand-overs; behind a mailbox also LMTP and private networks). `own` of
 * them on top were written by our own MTA: 0 in a milter, 1 in stored mail.
 * False when a line on the way is unreadable or lacks: then only `hops` and
 * `fetched` are known. At most RELAY_LINES_MAX lines are read.
 */
#define RELAY_LINES_MAX 50
bool relay_find(const struct header_list *headers, unsigned own,
    const struct ip *client, const struct ip_net *relays, size_t n_relays,
    struct arena *arena, struct relay_client *ret);

/* True when the topmost Received line, below `own` ones, is fetchmail's or
 * getmail's. */
bool relay_is_fetched(
    const struct header_list *headers, unsigned own, struct arena *arena);

#endif
