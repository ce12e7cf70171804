/* The trust walk over a header block. */
#include <assert.h>

#include "filter/mail/relay.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* 192.0.2.0/24 */
static const struct ip_net relays[] = {{{4, {192, 0, 2}}, 24}};
static const struct ip relay = {4, {192, 0, 2, 10}};
static const struct ip foreign = {4, {203, 0, 113, 7}};
static const struct ip local = {4, {127, 0, 0, 1}};

/* Who counts is no relay, and nothing below his line has a say in it. */
static void
check_walk(struct span text, const struct ip *client, struct arena *arena)
{
	struct header_list all, upper;
	struct relay_client found, again;
	unsigned lines = 0;

	header_init(&all, arena);
	header_init(&upper, arena);
	(void)header_parse(&all, text);
	bool known = relay_find(&all, 0, client, relays, 1, arena, &found);
	assert(found.hops <= RELAY_LINES_MAX);
	assert(known == (found.ip.family != 0));
	if (!known)
		return;
	assert(!ip_in_net(&found.ip, &relays[0]));
	assert(!ip_is_loopback(&found.ip));
	for (size_t i = 0; i < all.fields.n && lines <= found.hops; i++) {
		const struct header *h = &all.fields.v[i];
		lines += span_caseis(span_trim(h->name), "Received");
		header_add(&upper, h->name, h->raw);
	}
	assert(relay_find(&upper, 0, client, relays, 1, arena, &again));
	assert(ip_eq(&found.ip, &again.ip) && found.hops == again.hops);
}

/* Below a relay's line anything may stand. */
static void
check_below(struct span text, struct arena *arena)
{
	struct header_list list;
	struct relay_client found;

	header_init(&list, arena);
	header_add(&list, SPAN("Received"),
	    SPAN("from h (c [203.0.113.7]) by mx (Postfix) with ESMTP id 1; "
		 "Fri, 21 Nov 1997 09:55:06 -0600"));
	header_add(&list, SPAN("Received"), text);
	(void)header_parse(&list, text);
	assert(relay_find(&list, 0, &relay, relays, 1, arena, &found));
	assert(ip_eq(&found.ip, &foreign) && found.hops == 0);
	assert(!relay_is_fetched(&list, 0, arena));
}

/* A greeting that servers let pass: no blank, bracket, quote or semicolon. */
static void
check_greeting(struct span text, struct arena *arena)
{
	struct header_list list;
	struct relay_client found;
	struct buf line;

	buf_init(&line, arena, 4096);
	buf_add_str(&line, "from x");
	for (size_t i = 0; i < text.len && i < 1000; i++)
		if (!ascii_is_space(text.p[i]) && text.p[i] != '(' &&
		    text.p[i] != ')' && text.p[i] != ';' && text.p[i] != '\\')
			buf_add_char(&line, text.p[i]);
	buf_add_str(&line, " (c [203.0.113.7]) by mx (Postfix) with ESMTP id 1;"
			   " Fri, 21 Nov 1997 09:55:06 -0600");
	header_init(&list, arena);
	header_add(&list, SPAN("Received"), buf_span(&line));
	if (relay_find(&list, 0, &relay, relays, 1, arena, &found))
		assert(ip_eq(&found.ip, &foreign));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *arena = arena_new(0);
	struct span text = span_make((const char *)data, size);

	check_walk(text, &relay, arena);
	check_walk(text, &local, arena);
	check_below(text, arena);
	check_greeting(text, arena);
	arena_free(arena);
	return 0;
}
