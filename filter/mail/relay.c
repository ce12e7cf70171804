#include "filter/mail/relay.h"

#include "filter/mail/received.h"

/*
 * The trust walk. A relay writes its Received line above all that it was given,
 * so the lines from the top are its own as long as each names one more relay;
 * the first that names somebody else ends the walk, and nothing below it is
 * looked at: that is the sender's to invent. Names in a line are never
 * compared: a relay may receive under one name and send under another.
 *
 * Between two hops a host often hands a message to itself: to a content filter
 * and back (loopback), from one program to the next (Gmail's `by` alone, qmail's
 * queue). Such lines are skipped. Mail that a user of the relay's host handed in
 * names no client, and what is below it may be that user's text: unreadable.
 */

enum line {
	LINE_CLIENT,  /* names an address */
	LINE_INNER,   /* of a hand-over within the host */
	LINE_FETCHED, /* from a mailbox */
	LINE_OTHER,   /* unreadable, or of a local user */
};

static struct span
protocol_of(const struct received *r)
{
	struct span rest = r->with;

	return span_word(&rest);
}

/* What stands for a protocol where a mailbox was read. fetchmail writes the
 * bare name, getmail POP3-SSL and IMAP4-SSL too; SMTP servers never do. */
static bool
is_mailbox(const struct received *r)
{
	static const char *const names[] = {
	    "POP2", "POP3", "IMAP", "APOP", "KPOP", "RPOP", "SDPS"};
	struct span protocol = protocol_of(r);

	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		if (span_casestarts(protocol, span_of(names[i])))
			return true;
	return false;
}

/* SMTP, ESMTPSA, UTF8SMTP, LMTP ...: by a socket, not by a user's program. */
static bool
is_transport(const struct received *r, const char *kind)
{
	struct span protocol = protocol_of(r);

	if (span_casestarts(protocol, SPAN("UTF8")))
		protocol = span_skip(protocol, 4);
	if (span_casestarts(protocol, SPAN("E")))
		protocol = span_skip(protocol, 1);
	return span_casestarts(protocol, span_of(kind));
}

/* qmail writes two lines: the queue's, and below it smtpd's with the client. */
static bool
is_qmail_queue(struct span value, struct arena *arena)
{
	struct span s = span_trim(header_unfold(value, arena));

	return span_starts(s, SPAN("(qmail ")) &&
	       span_find(s, SPAN(" invoked from network);"), 0) != SPAN_NPOS;
}

static enum line
read_line(struct span value, struct arena *arena, struct received *r)
{
	bool client = received_parse(r, value, arena);

	if (r->unsure)
		return LINE_OTHER;
	if (r->by.len && is_mailbox(r))
		return LINE_FETCHED;
	if (client && r->ip.family)
		return LINE_CLIENT;
	if (client)
		return is_transport(r, "LMTP") ? LINE_INNER : LINE_OTHER;
	if (!r->helo.p && r->by.len &&
	    (is_transport(r, "SMTP") || is_transport(r, "LMTP")))
		return LINE_INNER;
	return is_qmail_queue(value, arena) ? LINE_INNER : LINE_OTHER;
}

static bool
is_among(const struct ip *ip, const struct ip_net *nets, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (ip_in_net(ip, &nets[i]))
			return true;
	return false;
}

/* The next Received field from index *i on, which moves behind it; or NULL. */
static const struct header *
next_received(const struct header_list *headers, size_t *i)
{
	while (*i < headers->fields.n) {
		const struct header *h = &headers->fields.v[(*i)++];
		if (span_caseis(span_trim(h->name), "Received"))
			return h;
	}
	return NULL;
}

bool
relay_find(const struct header_list *headers, unsigned own,
    const struct ip *client, const struct ip_net *relays, size_t n_relays,
    struct arena *arena, struct relay_client *ret)
{
	/* Of a client that is no relay a line is believed that says that it
	 * fetched, and no other. */
	bool believed = is_among(client, relays, n_relays);
	struct received r;
	size_t i = 0;

	*ret = (struct relay_client){0};
	for (; ret->hops < RELAY_LINES_MAX; ret->hops++) {
		const struct header *h = next_received(headers, &i);
		if (!h)
			return false;
		if (ret->hops < own)
			continue;
		enum line line = read_line(h->raw, arena, &r);
		if (line == LINE_OTHER || (!believed && line != LINE_FETCHED))
			return false;
		believed = true;
		ret->fetched |= line == LINE_FETCHED;
		if (line != LINE_CLIENT || ip_is_loopback(&r.ip) ||
		    is_among(&r.ip, relays, n_relays))
			continue;
		/* A mailbox's provider hands on within its own network. */
		if (ret->fetched &&
		    (ip_is_private(&r.ip) || is_transport(&r, "LMTP")))
			continue;
		ret->ip = r.ip;
		ret->name = r.forged ? SPAN_NONE : r.rdns;
		ret->helo = r.helo;
		return true;
	}
	return false;
}

bool
relay_is_fetched(
    const struct header_list *headers, unsigned own, struct arena *arena)
{
	const struct header *h = NULL;
	struct received r;
	size_t i = 0;

	for (unsigned n = 0; n <= own; n++) {
		h = next_received(headers, &i);
		if (!h)
			return false;
	}
	return read_line(h->raw, arena, &r) == LINE_FETCHED;
}
