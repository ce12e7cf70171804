/* The client that counts, behind relays: forms of common servers, and what a
 * sender may write to be taken for another. */
#include "filter/mail/relay.h"

#include "filter/base/buf.h"
#include "tests/lib/tap.h"

#define DATE "; Fri, 21 Nov 1997 09:55:06 -0600"
/* Our relay's addresses: 192.0.2.0/24 and 2001:db8:1::/48. */
#define RELAY "192.0.2.10"
#define MX                                                                     \
	"by mx.example.net (Postfix) with ESMTP id 4ABC\n\tfor <a@example.org>"
#define CLIENT "from helo.example (c.example [203.0.113.7])\n\t" MX DATE
#define SHOWN "203.0.113.7|c.example|helo.example"

static struct ip_net relays[2];

static struct ip
ip_of(const char *text)
{
	struct ip ip = {0};

	CHECK_INT(ip_parse(span_of(text), &ip), 0);
	return ip;
}

static void
add_lines(struct header_list *list, const char *const *lines, size_t n)
{
	for (size_t i = 0; i < n && lines[i]; i++) {
		header_add(list, SPAN("Received"), span_of(lines[i]));
		header_add(list, SPAN("X-Between"), SPAN(" Received: from x"));
	}
}

/* "ip|name|helo hops", "-" before hops when nothing is known. */
static struct span
find(struct arena *a, const char *client, unsigned own,
    const char *const *lines, size_t n)
{
	struct header_list list;
	struct relay_client found;
	struct ip ip = ip_of(client);
	char text[IP_TEXT_SIZE];

	header_init(&list, a);
	add_lines(&list, lines, n);
	bool known = relay_find(&list, own, &ip, relays, 2, a, &found);
	if (!known) {
		CHECK_INT(found.ip.family, 0);
		return arena_printf(
		    a, "- %u%s", found.hops, found.fetched ? " fetched" : "");
	}
	ip_format(&found.ip, text);
	return arena_printf(a, "%s|%.*s|%.*s %u%s", text, SPAN_ARG(found.name),
	    SPAN_ARG(found.helo), found.hops, found.fetched ? " fetched" : "");
}

#define LINES 8
struct walk {
	const char *claim, *client, *lines[LINES], *shown;
};

static void
check_walks(struct arena *a, const struct walk *walks, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		TAP_CASE(walks[i].claim)
		CHECK_STR(find(a, walks[i].client, 0, walks[i].lines, LINES),
		    walks[i].shown);
		arena_reset(a);
	}
}

/* --- relays --------------------------------------------------------------------- */

static void
test_relays(struct arena *a)
{
	static const struct walk walks[] = {
	    {"one relay", RELAY, {CLIENT}, SHOWN " 0"},
	    {"two hops of one relay", RELAY,
		{"from in.relay.example (in.relay.example [192.0.2.11])\n\tby "
		 "out.relay.example (Postfix) with ESMTPS id 4" DATE,
		    CLIENT},
		SHOWN " 1"},
	    {"a relay that receives and sends under different names", RELAY,
		{"from a.inner.example (in.relay.example [192.0.2.12])\n\tby "
		 "b.inner.example (Postfix) with ESMTP id 5" DATE,
		    "from helo.example (c.example [203.0.113.7])\n\tby "
		    "backup.example.org (Postfix) with ESMTP id 4" DATE},
		SHOWN " 1"},
	    {"hops that authenticate to each other", RELAY,
		{"from in.relay.example (in.relay.example [192.0.2.11])\n\t"
		 "(using TLSv1.3 with cipher X (256/256 bits))\n\t"
		 "(No client certificate requested)\n\t"
		 "(Authenticated sender: relay)\n\tby out.relay.example "
		 "(Postfix) with ESMTPSA id 4" DATE,
		    CLIENT},
		SHOWN " 1"},
	    {"a client that authenticated to the relay", RELAY,
		{"from helo.example (c.example [203.0.113.7])\n\t"
		 "(Authenticated sender: joe)\n\tby mx.example.net (Postfix) "
		 "with ESMTPSA id 4" DATE},
		SHOWN " 0"},
	    {"IPv6 literals, the relay's and the client's", "2001:db8:1::5",
		{"from in.relay.example (unknown [IPv6:2001:db8:1::6]) by "
		 "out.relay.example (Postfix) with ESMTP id 4" DATE,
		    "from [IPv6:2001:db8:2::7] (c.example "
		    "[IPv6:2001:db8:2::7]) by in.relay.example (Postfix) with "
		    "ESMTP id 4" DATE},
		"2001:db8:2::7|c.example|[IPv6:2001:db8:2::7] 1"},
	    {"an IPv4 address in IPv6", RELAY,
		{"from h (unknown [IPv6:::ffff:192.0.2.11]) " MX DATE, CLIENT},
		SHOWN " 1"},
	    {"a content filter on the relay", RELAY,
		{"from localhost (localhost [127.0.0.1])\n\t" MX DATE,
		    "from mx.example.net ([127.0.0.1])\n\tby localhost "
		    "(mx.example.net [127.0.0.1]) (amavisd-new, port 10024)"
		    "\n\twith ESMTP id x" DATE,
		    CLIENT},
		SHOWN " 2"},
	    {"a relay that hands on within itself by LMTP", RELAY,
		{"from mx.example.net\n\tby mx.example.net with LMTP\n\tid "
		 "x" DATE,
		    CLIENT},
		SHOWN " 1"},
	    {"foreign lines are not looked at", RELAY,
		{CLIENT, "from x (x [198.51.100.9]) " MX DATE,
		    "not a line at all"},
		SHOWN " 0"},
	    {"no line", RELAY, {NULL}, "- 0"},
	    {"relays only", RELAY,
		{"from in (in [192.0.2.11]) " MX DATE,
		    "from in (in [192.0.2.12]) " MX DATE},
		"- 2"},
	    {"a private address that is not listed is judged as it is", RELAY,
		{"from in (in [10.0.0.5]) " MX DATE, CLIENT},
		"10.0.0.5|in|in 0"},
	    {"a client that is no relay is not believed", "203.0.113.9",
		{CLIENT}, "- 0"},
	};

	check_walks(a, walks, sizeof walks / sizeof *walks);

	TAP_CASE("stored mail: our own MTA's line comes first")
	const char *const stored[] = {
	    "from out.relay.example (out.relay.example [192.0.2.10])\n\tby "
	    "mx.example.org (Postfix) with ESMTP id 9" DATE,
	    CLIENT};
	CHECK_STR(find(a, RELAY, 1, stored, 2), SHOWN " 1");
}

static void
test_forms(struct arena *a)
{
	static const struct walk walks[] = {
	    {"Sendmail", RELAY,
		{"from helo.example (c.example [203.0.113.7])\n\tby "
		 "mx.example.net (8.17.1/8.17.1) with ESMTPS id 0AB\n\t"
		 "(version=TLSv1.3 cipher=X bits=256 verify=NO)\n\tfor "
		 "<a@example.org>" DATE},
		SHOWN " 0"},
	    {"Sendmail: a name that may be forged is none", RELAY,
		{"from helo.example (c.example [203.0.113.7] (may be forged))"
		 "\n\tby mx.example.net (8.17.1/8.17.1) with ESMTP id "
		 "0AB" DATE},
		"203.0.113.7||helo.example 0"},
	    {"Sendmail: IPv6", RELAY,
		{"from h.example (c.example [IPv6:2001:db8:2:0:0:0:0:7]) by m "
		 "(8.17.1/8.17.1) with ESMTP id 0AB" DATE},
		"2001:db8:2::7|c.example|h.example 0"},
	    {"Exim", RELAY,
		{"from c.example ([203.0.113.7]:5555 helo=helo.example)\n\tby "
		 "mx.example.net with esmtps (TLS1.3) tls X\n\t(Exim 4.96)\n\t"
		 "(envelope-from <joe@example.com>)\n\tid 1abc\n\tfor "
		 "a@example.org" DATE},
		SHOWN " 0"},
	    {"Exim, no name, the greeting is the address", RELAY,
		{"from [203.0.113.7] by mx.example.net with esmtp (Exim 4.96) "
		 "id 1abc" DATE},
		"203.0.113.7||[203.0.113.7] 0"},
	    {"Exim, no name", RELAY,
		{"from [203.0.113.7] (port=1 helo=helo.example) by m with "
		 "esmtp (Exim 4.96) id 1abc" DATE},
		"203.0.113.7||helo.example 0"},
	    {"qmail: its queue's line is on top", RELAY,
		{"(qmail 1234 invoked from network); 21 Nov 1997 15:55:06 "
		 "-0000",
		    "from c.example (HELO helo.example) (203.0.113.7)\n  by "
		    "mx.example.net with SMTP; 21 Nov 1997 15:55:06 -0000"},
		SHOWN " 1"},
	    {"qmail, no name", RELAY,
		{"(qmail 1234 invoked from network); 21 Nov 1997 15:55:06 "
		 "-0000",
		    "from unknown (HELO helo.example) (joe@203.0.113.7) by m "
		    "with ESMTPS; 21 Nov 1997 15:55:06 -0000"},
		"203.0.113.7||helo.example 1"},
	    {"Exchange", RELAY,
		{"from helo.example (203.0.113.7) by EX2.example.net "
		 "(192.0.2.11) with Microsoft SMTP Server (version=TLS1_2,\r\n "
		 "cipher=X) id 15.20.1.1 via Frontend Transport" DATE},
		"203.0.113.7||helo.example 0"},
	    {"Exchange Online, inner hops listed", RELAY,
		{"from A.example.net (2001:db8:1:a::1) by B.example.net "
		 "(2001:db8:1:b::1) with Microsoft SMTP Server (version=TLS1_3,"
		 " cipher=X) id 15.20.1.1" DATE,
		    "from A.example.net (2001:db8:1:a:cafe::1) by A.example.net"
		    " (2001:db8:1:a::1) with HTTPS" DATE,
		    "from helo.example (203.0.113.7) by A.example.net "
		    "(192.0.2.30) with Microsoft SMTP Server (version=TLS1_3, "
		    "cipher=X) id 15.20.1.1 via Frontend Transport" DATE},
		"203.0.113.7||helo.example 2"},
	    {"Gmail: a hop of its own has no from", RELAY,
		{"by 2002:a05:6638:1:b0:1:1 with SMTP id a; Fri, 21 Nov 1997 "
		 "07:55:06 -0800 (PST)",
		    "from helo.example (c.example. [203.0.113.7])        by "
		    "mx.google.com with ESMTPS id abc.1.2        for "
		    "<a@example.org>        (version=TLS1_3 cipher=X "
		    "bits=128/128);        Fri, 21 Nov 1997 07:55:06 -0800 "
		    "(PST)"},
		SHOWN " 1"},
	    {"Postfix did not know the client", RELAY,
		{"from helo.example (unknown [unknown]) " MX DATE, CLIENT},
		"- 0"},
	    {"a user of the relay's host, Postfix", RELAY,
		{"by mx.example.net (Postfix, from userid 33)\n\tid 4" DATE,
		    CLIENT},
		"- 0"},
	    {"a user of the relay's host, Sendmail", RELAY,
		{"(from www@localhost)\n\tby mx.example.net (8.17.1/8.17.1/"
		 "Submit) id 0AB" DATE,
		    CLIENT},
		"- 0"},
	    {"a user of the relay's host, Exim", RELAY,
		{"from www-data by m with local (Exim 4.96) id 1" DATE, CLIENT},
		"- 0"},
	    {"a user of the relay's host, qmail", RELAY,
		{"(qmail 1234 invoked by uid 33); 21 Nov 1997 15:55:06 -0000",
		    CLIENT},
		"- 0"},
	    {"Microsoft's pickup folder", RELAY,
		{"from mail pickup service by m with Microsoft SMTPSVC" DATE,
		    CLIENT},
		"- 0"},
	};

	check_walks(a, walks, sizeof walks / sizeof *walks);
}

/* --- mailboxes ------------------------------------------------------------------- */

static void
test_fetched(struct arena *a)
{
#define FETCHMAIL                                                              \
	"from pop.example.net [192.0.2.99]\n\tby localhost with POP3 "         \
	"(fetchmail-6.4.29)\n\tfor <joe@localhost> (single-drop); Fri, 21 "    \
	"Nov 1997 09:55:06 -0600 (CST)"
	static const struct walk walks[] = {
	    {"fetchmail from localhost", "127.0.0.1", {FETCHMAIL, CLIENT},
		SHOWN " 1 fetched"},
	    {"fetchmail over IPv6 loopback, IMAP", "::1",
		{"from imap.example.net [IPv6:2001:db8::1]\n\tby host.example."
		 "org with IMAP (fetchmail-6.4.37 polling imap.example.net "
		 "account joe)\n\tfor <joe@localhost> (single-drop)" DATE,
		    CLIENT},
		SHOWN " 1 fetched"},
	    {"an old fetchmail without the address", "127.0.0.1",
		{"from pop.example.net\n\tby localhost with POP3 "
		 "(fetchmail-5.1.2)\n\tfor joe@localhost (single-drop)" DATE,
		    CLIENT},
		SHOWN " 1 fetched"},
	    {"getmail", "127.0.0.1",
		{"from pop.example.net by host.example.org with POP3-SSL "
		 "getmail6 msgid:4711 for <joe@example.org>; 21 Nov 1997 "
		 "15:55:06 -0000",
		    CLIENT},
		SHOWN " 1 fetched"},
	    {"getmail, IMAP", "127.0.0.1",
		{"from imap.example.net by host.example.org with IMAP4-SSL "
		 "getmail6; 21 Nov 1997 15:55:06 -0000",
		    CLIENT},
		SHOWN " 1 fetched"},
	    {"the provider hands on by LMTP and in its own network",
		"127.0.0.1",
		{FETCHMAIL,
		    "from mx3.example.net ([198.51.100.3])\n\tby "
		    "store.example.net with LMTP\n\tid x" DATE,
		    "from mx1.example.net (mx1 [10.1.2.3])\n\tby "
		    "mx3.example.net (Postfix) with ESMTP id 1" DATE,
		    CLIENT},
		SHOWN " 3 fetched"},
	    {"Gmail's mailbox", "127.0.0.1",
		{FETCHMAIL,
		    "by 2002:a05:6638:1:b0:1:1 with SMTP id a; Fri, 21 Nov "
		    "1997 07:55:06 -0800 (PST)",
		    "from helo.example (c.example. [203.0.113.7]) by "
		    "mx.google.com with ESMTPS id abc.1.2; Fri, 21 Nov 1997 "
		    "07:55:06 -0800 (PST)"},
		SHOWN " 2 fetched"},
	    {"a listed relay that fetched", RELAY, {FETCHMAIL, CLIENT},
		SHOWN " 1 fetched"},
	    {"an internal client that did not fetch is not believed",
		"127.0.0.1", {CLIENT, FETCHMAIL}, "- 0"},
	    {"the mailbox was filled by hand", "127.0.0.1", {FETCHMAIL},
		"- 1 fetched"},
	};
	struct header_list list;

	check_walks(a, walks, sizeof walks / sizeof *walks);

	TAP_CASE("only the topmost line says that mail was fetched")
	const char *const lines[] = {FETCHMAIL, CLIENT};
	header_init(&list, a);
	CHECK(!relay_is_fetched(&list, 0, a));
	add_lines(&list, lines, 2);
	CHECK(relay_is_fetched(&list, 0, a));
	CHECK(!relay_is_fetched(&list, 1, a));
	CHECK(!relay_is_fetched(&list, 2, a));
	const char *const below[] = {CLIENT, FETCHMAIL};
	header_init(&list, a);
	add_lines(&list, below, 2);
	CHECK(!relay_is_fetched(&list, 0, a));
	CHECK(relay_is_fetched(&list, 1, a));

	TAP_CASE("a greeting does not make a server a mailbox")
	const char *const greeting[] = {
	    "from a by b with POP3 (fetchmail-6.4) (c.example [203.0.113.7]) "
	    "by mx.example.net (Postfix) with ESMTP id 4" DATE};
	header_init(&list, a);
	add_lines(&list, greeting, 1);
	CHECK(!relay_is_fetched(&list, 0, a));
}

/* --- senders who want to be others ----------------------------------------------- */

static void
test_hostile(struct arena *a)
{
	static const struct walk walks[] = {
	    {"the greeting is an address of the relay's", RELAY,
		{"from [192.0.2.11] (unknown [203.0.113.7]) " MX DATE,
		    "from x (bank.example [198.51.100.1]) " MX DATE},
		"203.0.113.7||[192.0.2.11] 0"},
	    {"the greeting has a comment with an address", RELAY,
		{"from x (bank.example [198.51.100.1]) (c.example "
		 "[203.0.113.7]) " MX DATE},
		"- 0"},
	    {"the greeting has a whole line", RELAY,
		{"from x (bank.example [198.51.100.1]) by mx.example.net "
		 "(Postfix) with ESMTP id 4 (c.example [203.0.113.7]) " MX
			DATE},
		"- 0"},
	    {"the greeting has an address behind it", RELAY,
		{"from x [198.51.100.1] (c.example [203.0.113.7]) " MX DATE},
		"- 0"},
	    {"the greeting's address alone", RELAY,
		{"from [198.51.100.1] by mx.example.net with SMTP id "
		 "4" DATE},
		"- 0"},
	    {"the name of the client is an address", RELAY,
		{"from helo.example (198.51.100.1 [203.0.113.7]) " MX DATE},
		"- 0"},
	    {"the user's name has an address (RFC 1413)", RELAY,
		{"from unknown (HELO helo.example) (a@198.51.100.1@203.0.113.7)"
		 " by m with SMTP; 21 Nov 1997 15:55:06 -0000"},
		"203.0.113.7||helo.example 0"},
	    {"HELO in qmail's form is an address of the relay's", RELAY,
		{"from unknown (HELO 192.0.2.11) (203.0.113.7) by m with SMTP; "
		 "21 Nov 1997 15:55:06 -0000"},
		"203.0.113.7||192.0.2.11 0"},
	    {"forged lines of a mailbox below the relay's", RELAY,
		{CLIENT,
		    "from pop.example.net [192.0.2.99] by localhost with POP3 "
		    "(fetchmail-6.4)" DATE,
		    "from x (bank.example [198.51.100.1]) " MX DATE},
		SHOWN " 0"},
	    {"a line that names nobody ends the walk", RELAY,
		{"from x by mx.example.net with SMTP id 4" DATE, CLIENT},
		"- 0"},
	    {"an unclosed comment", RELAY,
		{"from x (y [203.0.113.7] by (Postfix) with SMTP", CLIENT},
		"- 0"},
	    {"an empty line", RELAY, {"", CLIENT}, "- 0"},
	    {"NUL and escapes", RELAY,
		{"from \x1b[2J (\x07 [203.0.113.7]) " MX DATE},
		"203.0.113.7|\x07|\x1b[2J 0"},
	};
	struct header_list list;
	struct relay_client found;
	struct ip ip = ip_of(RELAY);

	check_walks(a, walks, sizeof walks / sizeof *walks);

	TAP_CASE("500 lines of relays are bounded")
	header_init(&list, a);
	for (int i = 0; i < 500; i++)
		header_add(&list, SPAN("Received"),
		    SPAN("from in (in [192.0.2.11]) " MX DATE));
	header_add(&list, SPAN("Received"), SPAN(CLIENT));
	CHECK(!relay_find(&list, 0, &ip, relays, 2, a, &found));
	CHECK_INT(found.hops, RELAY_LINES_MAX);
	CHECK_INT(found.ip.family, 0);

	TAP_CASE("blanks before the colon hide no line")
	header_init(&list, a);
	header_add(&list, SPAN("received  "), SPAN("hidden"));
	header_add(&list, SPAN("Received"), SPAN(CLIENT));
	CHECK(!relay_find(&list, 0, &ip, relays, 2, a, &found));

	TAP_CASE("without memory nothing is known")
	struct arena *small = arena_new(4096);
	header_init(&list, a);
	header_add(&list, SPAN("Received"), SPAN(CLIENT));
	while (!arena_failed(small))
		(void)arena_alloc(small, 64);
	(void)relay_find(&list, 0, &ip, relays, 2, small, &found);
	arena_free(small);
}

int
main(void)
{
	struct arena *a = arena_new(0);

	CHECK_INT(ip_net_parse(SPAN("192.0.2.0/24"), &relays[0]), 0);
	CHECK_INT(ip_net_parse(SPAN("2001:db8:1::/48"), &relays[1]), 0);
	test_relays(a);
	test_forms(a);
	test_fetched(a);
	test_hostile(a);
	arena_free(a);
	return tap_done();
}
