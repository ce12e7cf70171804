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
	struct span
	    name; /* verified host name as the relay wrote it, or empty */
	struct span helo;
	unsigned hops; /* Received lines skipped, those of our relays */
	bool fetched;  /* fetchmail, getmail: from a mailbox, not by SMTP */
};

/*
 * Walks the Received fields from the top. `client` is who connected to us; it
 * is one of `relays`, or it fetched. Each line is believed only as long as the
 * one that handed it over is one of `relays`. False when a line on the way is
 * unreadable or lacks: nothing is known then.
 */
bool relay_find(const struct header_list *headers, const struct ip *client,
    const struct ip_net *relays, size_t n_relays, struct arena *arena,
    struct relay_client *ret);

/* True when the topmost Received line is fetchmail's or getmail's. */
bool relay_is_fetched(const struct header_list *headers, struct arena *arena);

#endif
