/*
 * What a message asks DNS lists: which addresses, which domains, how many; and
 * what becomes of their answers.
 */
#include "filter/scan/scan_list.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "filter/base/clock.h"
#include "tests/lib/tap.h"

#define DOMAINS_MAX 20

static struct dns *
open_zone(const char *text)
{
	char path[] = "/tmp/assay-lists-XXXXXX";
	struct dns_options options = {.zone = path};
	struct dns *dns = NULL;
	struct err err;
	int fd = mkstemp(path);
	size_t len = strlen(text);

	if (fd < 0 || write(fd, text, len) != (ssize_t)len ||
	    dns_open(&options, &dns, &err))
		abort();
	close(fd);
	unlink(path);
	return dns;
}

/* Clients, links by registrable domain, links by host; each 127.0.0.2 only. */
static struct dnslist_code code;
static struct dnslist_symbol symbols[3];
static struct dnslist lists[3];
static struct scan_config config;

static void
make_lists(void)
{
	static const char *const names[] = {"clients", "links", "hosts"};
	static const char *const zones[] = {
	    "c.example", "l.example", "h.example"};
	static const char *const degraded[] = {
	    "dnsbl:clients", "dnsbl:links", "dnsbl:hosts"};

	if (dnslist_pattern_parse(SPAN("127.0.0.2"), &code.pattern))
		abort();
	for (unsigned i = 0; i < 3; i++) {
		symbols[i] = (struct dnslist_symbol){.list = i, .name = "X"};
		lists[i] = (struct dnslist){
		    .index = i,
		    .name = span_of(names[i]),
		    .zone = span_of(zones[i]),
		    .degraded = degraded[i],
		    .kind = i ? DNSLIST_BOTH : DNSLIST_ADDRESS,
		    .of_links = i > 0,
		    .whole_host = i == 2,
		    .codes = &code,
		    .n_codes = 1,
		    .symbols = &symbols[i],
		    .n_symbols = 1,
		    .timeout_ms = 60000,
		    .retry_ms = 60000,
		};
	}
	config = (struct scan_config){
	    .authserv_id = SPAN("mx.example.org"),
	    .dns_message_ms = 10000,
	    .dns_questions_max = 300,
	    .message_ms = 20000,
	    .network = true,
	    .lists = {lists, 3, DOMAINS_MAX, NULL, 0},
	};
}

static struct scan *
scan_of(struct arena *arena, struct dns *dns, const char *ip, const char *body)
{
	struct envelope *e = arena_zalloc(arena, sizeof *e);
	struct message_options options = message_options_default();
	struct message *m = message_new(arena, &options);
	struct span text = arena_printf(arena,
	    "From: a@example.com\r\nContent-Type: text/html\r\n\r\n%s\r\n",
	    body);

	if (!e || !m || message_read(m, text))
		abort();
	e->has_client = true;
	if (*ip && ip_parse(span_of(ip), &e->client_ip))
		abort();
	struct scan *scan = scan_new(arena, &config, e, m, dns);
	if (!scan)
		abort();
	scan_stage(scan, SCAN_MAIL);
	scan_stage(scan, SCAN_EOH);
	scan_body_done(scan);
	scan_stage(scan, SCAN_EOM);
	return scan;
}

/* How many questions went to the zone. */
static size_t
asked(const struct scan *scan, const char *zone)
{
	const struct dns_questions *q = dns_batch_questions(scan->lists->dns);
	size_t n = 0;

	for (size_t i = 0; i < q->n; i++)
		n += span_ends(q->v[i].name, span_of(zone));
	return n;
}

static bool
was_asked(const struct scan *scan, const char *name)
{
	const struct dns_questions *q = dns_batch_questions(scan->lists->dns);

	for (size_t i = 0; i < q->n; i++)
		if (span_is(q->v[i].name, name))
			return true;
	return false;
}

static bool
is_degraded(const struct scan *scan, const char *what)
{
	for (size_t i = 0; i < scan->degraded.n; i++)
		if (strcmp(scan->degraded.v[i], what) == 0)
			return true;
	return false;
}

static const struct {
	const char *claim, *ip;
	bool asked;
} clients[] = {
    {"a client is asked about", "192.0.2.66", true},
    {"an IPv6 client is", "2001:db8::66", true},
    {"a mapped address is the IPv4 address", "::ffff:192.0.2.66", true},
    {"an unknown client is not", "", false},
    {"a private address is not", "10.1.2.3", false},
    {"one of a carrier's network is not", "100.64.1.2", false},
    {"a loopback address is not", "127.0.0.2", false},
    {"a link-local address with a scope is not", "fe80::1%eth0", false},
};

static void
test_clients(struct dns *dns, struct arena *arena)
{
	for (size_t i = 0; i < sizeof clients / sizeof *clients; i++) {
		struct scan *scan = scan_of(arena, dns, clients[i].ip, "x");
		tap_case(clients[i].claim);
		CHECK_INT(asked(scan, ".c.example"), clients[i].asked);
		CHECK_INT(scan_list(scan, 0)->state,
		    clients[i].asked ? FACT_DONE : FACT_OFF);
		CHECK(!is_degraded(scan, "dnsbl:clients"));
		arena_reset(arena);
	}

	TAP_CASE("a client of ours is not asked about")
	struct ip_net ours;
	if (ip_net_parse(SPAN("192.0.2.0/24"), &ours))
		abort();
	config.direction.internal = &ours;
	config.direction.n_internal = 1;
	struct scan *scan = scan_of(arena, dns, "192.0.2.66", "x");
	CHECK_INT(asked(scan, ".c.example"), 0);
	CHECK_INT(scan_list(scan, 0)->state, FACT_OFF);
	config.direction.n_internal = 0;
	arena_reset(arena);

	TAP_CASE("without a network nothing is asked and nothing lacks")
	config.network = false;
	scan = scan_of(arena, dns, "192.0.2.66", "<a href=//bad.example>x</a>");
	CHECK(!scan->lists);
	CHECK_INT(scan_list(scan, 0)->state, FACT_OFF);
	CHECK_INT(scan_list(scan, 1)->state, FACT_OFF);
	CHECK_INT(scan->degraded.n, 0);
	config.network = true;
	arena_reset(arena);
}

static void
test_links(struct dns *dns, struct arena *arena)
{
	struct span skip[] = {SPAN("known.example")};
	const char *hit;

	TAP_CASE("links to one domain are one question, to its hosts several")
	struct scan *scan = scan_of(arena, dns, "",
	    "<a href='http://a.bad.example/1'>x</a>"
	    "<a href='http://b.bad.example/2'>x</a>"
	    "<a href='https://A.BAD.example/3'>x</a>"
	    "<img src='http://b.bad.example/4'>");
	CHECK_INT(asked(scan, ".l.example"), 1);
	CHECK(was_asked(scan, "bad.example.l.example"));
	CHECK_INT(asked(scan, ".h.example"), 2);
	CHECK(was_asked(scan, "b.bad.example.h.example"));
	TAP_CASE("what is listed is told with its key and answer")
	const struct list_facts *facts = scan_list(scan, 1);
	CHECK_INT(facts->state, FACT_DONE);
	CHECK_INT(facts->hits.n, 1);
	CHECK_STR(facts->hits.v[0].key, "bad.example");
	hit = (const char *)facts->hits.v[0].answer;
	CHECK_SPAN(span_make(hit, 4), span_make("\x7f\0\0\2", 4));
	CHECK(scan_listed(scan, &symbols[1]) == &facts->hits.v[0]);
	CHECK(!scan_listed(scan, &symbols[2]));
	arena_reset(arena);

	TAP_CASE("an address in a link is asked in reverse; a private one not")
	scan = scan_of(arena, dns, "",
	    "<a href='http://198.51.100.7/'>x</a><a href='http://10.0.0.1/'>x</a>"
	    "<a href='http://0xc6336407/'>the same</a>"
	    "<a href='http://[2001:db8::1]/'>x</a>");
	CHECK(was_asked(scan, "7.100.51.198.l.example"));
	CHECK_INT(asked(scan, ".l.example"), 2);
	arena_reset(arena);

	TAP_CASE("domains that are skipped, mail addresses, bare suffixes: not")
	config.lists.skip = skip;
	config.lists.n_skip = 1;
	scan = scan_of(arena, dns, "",
	    "<a href='http://www.known.example/'>x</a>"
	    "<a href='http://known.example/'>x</a>"
	    "<a href='mailto:a@bad.example'>x</a><a href='http://com/'>x</a>");
	CHECK_INT(asked(scan, ".l.example"), 0);
	CHECK_INT(scan_list(scan, 1)->state, FACT_OFF);
	TAP_CASE("a name that only ends like a skipped one is asked")
	arena_reset(arena);
	scan =
	    scan_of(arena, dns, "", "<a href='http://unknown.example/'>x</a>");
	CHECK_INT(asked(scan, ".l.example"), 1);
	config.lists.n_skip = 0;
	arena_reset(arena);
}

/* `n` links, those from `shown` on with a text. */
static struct scan *
many_links(struct arena *arena, struct dns *dns, int n, int shown)
{
	struct buf body;

	buf_init(&body, arena, (size_t)1 << 20);
	for (int i = 0; i < n; i++)
		buf_printf(&body, "<a href='http://w.d%d.example/'>%s</a>\n", i,
		    i < shown ? "" : "x");
	return scan_of(arena, dns, "", buf_str(&body));
}

static void
test_many(struct dns *dns, struct arena *arena)
{
	TAP_CASE("of many domains as many are asked as may be, of each list")
	struct scan *scan = many_links(arena, dns, 3000, 0);
	CHECK_INT(asked(scan, ".l.example"), DOMAINS_MAX);
	CHECK_INT(asked(scan, ".h.example"), DOMAINS_MAX);
	size_t first = 0;
	char name[40];
	for (int i = 0; i < DOMAINS_MAX; i++) {
		snprintf(name, sizeof name, "d%d.example.l.example", i);
		first += was_asked(scan, name);
	}
	TAP_CASE("not just the first, which a sender could fill up")
	CHECK(first < DOMAINS_MAX);
	arena_reset(arena);
	TAP_CASE("those behind a text come first, wherever they stand")
	scan = many_links(arena, dns, 1000, 995);
	for (int i = 995; i < 1000; i++) {
		snprintf(name, sizeof name, "d%d.example.l.example", i);
		CHECK(was_asked(scan, name));
	}
	CHECK_INT(asked(scan, ".l.example"), DOMAINS_MAX);
	arena_reset(arena);
}

static void
test_failing(struct arena *arena)
{
	struct dns *dns = open_zone("66.2.0.192.c.example TIMEOUT\n"
				    "bad.example.l.example SERVFAIL\n"
				    "worse.example.l.example A 127.0.0.2\n"
				    "bad.example.h.example A 127.255.255.254\n"
				    "worse.example.h.example A 127.0.0.2\n");
	static const char body[] = "<a href='http://worse.example/'>x</a>"
				   "<a href='http://bad.example/'>x</a>";

	for (unsigned i = 0; i < 3; i++)
		lists[i].refused = NULL, lists[i].n_refused = 0;
	static struct dnslist_pattern refused;
	if (dnslist_pattern_parse(SPAN("127.255.255.*"), &refused))
		abort();
	lists[2].refused = &refused;
	lists[2].n_refused = 1;

	struct scan *scan = scan_of(arena, dns, "192.0.2.66", body);
	TAP_CASE("a list that does not answer is said")
	CHECK_INT(scan_list(scan, 0)->state, FACT_LATER);
	CHECK(is_degraded(scan, "dnsbl:clients"));
	TAP_CASE("what was listed before a failure counts")
	CHECK_INT(scan_list(scan, 1)->state, FACT_LATER);
	CHECK_INT(scan_list(scan, 1)->hits.n, 1);
	CHECK(is_degraded(scan, "dnsbl:links"));
	TAP_CASE("what was listed before a refusal does not")
	CHECK_INT(scan_list(scan, 2)->state, FACT_LATER);
	CHECK_INT(scan_list(scan, 2)->hits.n, 0);
	CHECK(is_degraded(scan, "dnsbl:hosts"));
	TAP_CASE("only the refusal turned a list off so far")
	CHECK_INT(scan->list_news.n, 1);
	CHECK(scan->list_news.v[0].list == &lists[2]);
	arena_reset(arena);

	TAP_CASE("a list that is off is not asked, and said where it would be")
	scan = scan_of(arena, dns, "192.0.2.66", body);
	CHECK_INT(asked(scan, ".h.example"), 0);
	CHECK_INT(scan_list(scan, 2)->state, FACT_LATER);
	CHECK(is_degraded(scan, "dnsbl:hosts"));
	arena_reset(arena);
	TAP_CASE("a message without links does not miss it")
	scan = scan_of(arena, dns, "192.0.2.66", "plain");
	CHECK_INT(scan_list(scan, 2)->state, FACT_OFF);
	CHECK(!is_degraded(scan, "dnsbl:hosts"));
	arena_reset(arena);

	TAP_CASE("three failures in a row turn a list off")
	scan = scan_of(arena, dns, "192.0.2.66", body);
	(void)scan_list(scan, 0);
	scan = scan_of(arena, dns, "192.0.2.66", body);
	(void)scan_list(scan, 0);
	CHECK_INT(scan->list_news.n, 1);
	scan = scan_of(arena, dns, "192.0.2.66", body);
	CHECK_INT(asked(scan, ".c.example"), 0);
	arena_reset(arena);

	TAP_CASE("an arena that is full is a message without lists")
	struct arena *tight = arena_new(60000);
	scan = scan_of(tight, dns, "192.0.2.67", body);
	while (!arena_failed(tight))
		(void)arena_alloc(tight, 64);
	for (unsigned i = 0; i < 3; i++)
		CHECK(scan_list(scan, i)->hits.n == 0);
	arena_free(tight);
	dns_close(dns);
}

/* The test points, as messages carry them. */
static void
test_points(struct arena *arena)
{
	struct dns *dns = open_zone("66.2.0.192.c.example A 127.0.0.2\n"
				    "2.0.0.127.c.example A 127.0.0.2\n"
				    "66.2.0.192.l.example A 127.0.0.2\n"
				    "1.0.0.127.l.example A 127.0.0.2\n"
				    "2.0.0.127.l.example A 127.0.0.2\n"
				    "66.2.0.192.h.example A 127.0.0.2\n");

	for (unsigned i = 0; i < 3; i++) {
		lists[i].kind = DNSLIST_ADDRESS;
		lists[i].of_links = false;
		lists[i].test_listed =
		    dnslist_test_name(&lists[i], SPAN(""), true, arena);
		lists[i].test_clean =
		    dnslist_test_name(&lists[i], SPAN(""), false, arena);
	}
	struct arena *own = arena_new(0);
	scan_lists_start(&config.lists, dns);
	struct dns_counts counts;
	dns_counts(dns, &counts);
	TAP_CASE("test points are asked at start")
	CHECK_INT(counts.misses, 6);
	struct scan *scan = scan_of(own, dns, "192.0.2.66", "x");
	TAP_CASE("a list whose test points are right is believed")
	CHECK_INT(scan_list(scan, 0)->hits.n, 1);
	TAP_CASE("one that lists everything is not, from its first answer on")
	CHECK_INT(scan_list(scan, 1)->state, FACT_LATER);
	CHECK_INT(scan_list(scan, 1)->hits.n, 0);
	TAP_CASE("nor one that does not know its test point")
	CHECK_INT(scan_list(scan, 2)->state, FACT_LATER);
	CHECK_INT(scan_list(scan, 2)->hits.n, 0);
	CHECK_INT(scan->list_news.n, 2);
	CHECK_INT(scan->list_news.v[0].cause, DNSLIST_EVENT_EVERYTHING);
	CHECK_INT(scan->list_news.v[1].cause, DNSLIST_EVENT_NOTHING);
	TAP_CASE("test points that were right are left alone then")
	scan = scan_of(own, dns, "192.0.2.66", "x");
	CHECK_INT(dns_batch_questions(scan->lists->dns)->n, 1);
	arena_reset(own);
	dns_close(dns);

	dns = open_zone("66.2.0.192.c.example A 127.0.0.2\n"
			"2.0.0.127.c.example TIMEOUT\n"
			"66.2.0.192.l.example A 127.0.0.2\n"
			"2.0.0.127.l.example A 127.255.255.254\n"
			"1.0.0.127.l.example SERVFAIL\n"
			"66.2.0.192.h.example SERVFAIL\n"
			"2.0.0.127.h.example SERVFAIL\n");
	lists[1].refused = lists[2].refused;
	lists[1].n_refused = 1;
	scan = scan_of(own, dns, "192.0.2.66", "x");
	TAP_CASE("a test point that is silent does not take a listing back")
	CHECK_INT(scan_list(scan, 0)->state, FACT_DONE);
	CHECK_INT(scan_list(scan, 0)->hits.n, 1);
	CHECK(!is_degraded(scan, "dnsbl:clients"));
	TAP_CASE("one that is refused does")
	CHECK_INT(scan_list(scan, 1)->state, FACT_LATER);
	CHECK_INT(scan_list(scan, 1)->hits.n, 0);
	if (CHECK_INT(scan->list_news.n, 1))
		CHECK_INT(scan->list_news.v[0].cause, DNSLIST_EVENT_REFUSED);
	TAP_CASE("a message counts one failure of a list, not each question's")
	(void)scan_list(scan, 2);
	scan = scan_of(own, dns, "192.0.2.66", "x");
	(void)scan_list(scan, 2);
	CHECK_INT(scan->list_news.n, 0);
	scan = scan_of(own, dns, "192.0.2.66", "x");
	(void)scan_list(scan, 2);
	CHECK_INT(scan->list_news.n, 1);
	arena_free(own);
	dns_close(dns);
}

int
main(void)
{
	struct dns *dns = open_zone("bad.example.l.example A 127.0.0.2\n"
				    "66.2.0.192.c.example A 127.0.0.2\n");
	struct arena *arena = arena_new(0);

	make_lists();
	test_clients(dns, arena);
	test_links(dns, arena);
	test_many(dns, arena);
	test_failing(arena);
	test_points(arena);
	arena_free(arena);
	dns_close(dns);
	return tap_done();
}
