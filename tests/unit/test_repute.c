#include "filter/learn/repute.h"

#include <stdio.h>
#include <stdlib.h>

#include "filter/base/clock.h"
#include "tests/lib/tap.h"

/* Reputation on a store in memory: what marks do, and how they fade. */

#define NOW INT64_C(1795521600) /* within a week of periods */
#define WEEK REPUTE_PERIOD_S

static struct arena *arena;

/* What these tests stand on does not work. */
static void
give_up(const char *why)
{
	fprintf(stderr, "%s\n", why);
	exit(1);
}

static struct store *
fresh_store(void)
{
	struct store_options options = {
	    .url = SPAN("memory:"),
	    .namespace = SPAN("test"),
	    .timeout_ms = 1000,
	    .queue_max = 1 << 20,
	    .readers = 4,
	};
	struct store *store = NULL;
	struct err err;

	if (store_open(&options, &store, &err))
		give_up(err.text);
	return store;
}

static struct repute_sender
sender_of(const char *ip, const char *spf, const char *aligned)
{
	struct repute_sender s = {
	    .spf_domain = span_of(spf), .aligned_domain = span_of(aligned)};

	if (ip && ip_parse(span_of(ip), &s.ip))
		give_up(ip);
	return s;
}

static void
note(struct store *store, const struct repute_sender *sender, int bad, int good,
    int64_t now)
{
	for (int i = 0; i < bad; i++)
		repute_note(store, sender, true, false, now, arena);
	for (int i = 0; i < good; i++)
		repute_note(store, sender, false, true, now, arena);
	if (store_flush(store, clock_deadline(10000)))
		give_up("the queue is not written");
}

static struct repute_result
judge(struct store *store, const struct repute_sender *sender, int64_t now)
{
	struct repute_result r = {0};
	struct err err;

	if (repute_judge(
		store, sender, now, clock_deadline(5000), arena, &r, &err))
		give_up(err.text);
	return r;
}

static void
test_unknown(void)
{
	struct store *store = fresh_store();
	struct repute_sender s = sender_of("192.0.2.1", "a.example", NULL);
	struct repute_result r = judge(store, &s, NOW);

	TAP_CASE("nobody knows a new sender: in the middle, no confidence")
	CHECK(r.badness == 0.5 && r.confidence == 0);
	TAP_CASE("a domain that nothing proved is no subject")
	CHECK(r.v[REPUTE_ADDRESS].known && r.v[REPUTE_SPF].known &&
	      !r.v[REPUTE_ALIGNED].known);
	TAP_CASE("an IPv4 prefix is a /24")
	CHECK(span_is(r.v[REPUTE_PREFIX].key, "192.0.2.0/24"));
	s = sender_of("2001:db8:1:2:3::4", NULL, NULL);
	r = judge(store, &s, NOW);
	TAP_CASE("an IPv6 prefix is a /64")
	CHECK(span_is(r.v[REPUTE_PREFIX].key, "2001:db8:1:2::/64"));
	s = sender_of(NULL, NULL, NULL);
	r = judge(store, &s, NOW);
	TAP_CASE("without any subject nothing is asked")
	CHECK(r.confidence == 0);
	store_close(store);
}

static void
test_marks(void)
{
	struct store *store = fresh_store();
	struct repute_sender bad = sender_of("192.0.2.1", "bad.example", NULL);
	struct repute_sender near = sender_of("192.0.2.9", NULL, NULL);
	struct repute_sender good =
	    sender_of("198.51.100.1", "good.example", "GOOD.example");

	note(store, &bad, 20, 0, NOW);
	note(store, &good, 0, 20, NOW);
	struct repute_result r = judge(store, &bad, NOW);
	TAP_CASE("twenty bad marks make a bad reputation")
	CHECK(r.badness > 0.9 && r.confidence > 0.7);
	r = judge(store, &near, NOW);
	TAP_CASE("a neighbour shares the prefix, not the address")
	CHECK(r.v[REPUTE_PREFIX].bad == 20 && r.v[REPUTE_ADDRESS].bad == 0);
	r = judge(store, &good, NOW);
	TAP_CASE("twenty good marks make a good one")
	CHECK(r.badness < 0.1);
	CHECK(repute_is_good(&r.v[REPUTE_ALIGNED]));
	struct repute_sender few = sender_of(NULL, NULL, "few.example");
	struct repute_sender mixed = sender_of(NULL, NULL, "mixed.example");
	note(store, &few, 0, 7, NOW);
	note(store, &mixed, 4, 20, NOW);
	struct repute_result one = judge(store, &few, NOW);
	TAP_CASE("seven do not, nor do twenty with four bad ones between")
	CHECK(!repute_is_good(&one.v[REPUTE_ALIGNED]));
	one = judge(store, &mixed, NOW);
	CHECK(!repute_is_good(&one.v[REPUTE_ALIGNED]));
	TAP_CASE("who is not known is not good")
	CHECK(!repute_is_good(&one.v[REPUTE_SPF]));
	TAP_CASE("domains are counted without regard to case")
	CHECK(span_is(r.v[REPUTE_ALIGNED].key, "good.example") &&
	      r.v[REPUTE_ALIGNED].good == 20);
	struct repute_sender other = sender_of("203.0.113.5", NULL, NULL);
	note(store, &other, 1, 0, NOW);
	r = judge(store, &other, NOW);
	TAP_CASE("one message makes no reputation")
	CHECK(r.confidence < 0.3 && r.badness < 0.7);
	store_close(store);
}

static void
test_decay(void)
{
	struct store *store = fresh_store();
	struct repute_sender s = sender_of("192.0.2.1", NULL, NULL);

	note(store, &s, 16, 0, NOW);
	double fresh = judge(store, &s, NOW).v[REPUTE_ADDRESS].bad;
	double month = judge(store, &s, NOW + 4 * WEEK).v[REPUTE_ADDRESS].bad;
	double gone =
	    judge(store, &s, NOW + REPUTE_PERIODS * WEEK).v[REPUTE_ADDRESS].bad;
	TAP_CASE("marks of this week count whole")
	CHECK(fresh == 16);
	TAP_CASE("four weeks later they count half")
	CHECK(month > 7.99 && month < 8.01);
	TAP_CASE("after nine weeks they are gone")
	CHECK(gone == 0);
	note(store, &s, 0, 8, NOW + 4 * WEEK);
	struct repute_result r = judge(store, &s, NOW + 4 * WEEK);
	TAP_CASE("newer good marks make up for older bad ones")
	CHECK(r.v[REPUTE_ADDRESS].badness > 0.49 &&
	      r.v[REPUTE_ADDRESS].badness < 0.51);
	store_close(store);
}

static void
test_show(void)
{
	struct store *store = fresh_store();
	struct repute_sender s = sender_of("192.0.2.1", NULL, NULL);
	struct repute_week weeks[REPUTE_PERIODS];
	struct repute_standing standing;
	struct err err;

	note(store, &s, 3, 1, NOW - WEEK);
	note(store, &s, 0, 2, NOW);
	int rc = repute_show(store, REPUTE_ADDRESS, SPAN("192.0.2.1"), NOW,
	    clock_deadline(5000), arena, weeks, &standing, &err);
	TAP_CASE("the weeks are shown newest first, each with its own marks")
	CHECK(rc == 0 && weeks[0].good == 2 && weeks[0].bad == 0 &&
	      weeks[1].bad == 3 && weeks[1].good == 1);
	TAP_CASE("a week says when it began")
	CHECK(weeks[0].begins <= NOW && weeks[0].begins > NOW - WEEK &&
	      weeks[0].begins - weeks[1].begins == WEEK);
	store_close(store);
}

static void
test_keys(void)
{
	static const struct {
		const char *claim, *text;
		const char *want; /* NULL: refused */
		enum repute_subject subject;
	} cases[] = {
	    {"an address is a key", "192.0.2.1", "192.0.2.1", REPUTE_ADDRESS},
	    {"a mapped address is the IPv4 one", "::ffff:192.0.2.1",
		"192.0.2.1", REPUTE_ADDRESS},
	    {"IPv6 is written in one way", "2001:DB8::1", "2001:db8::1",
		REPUTE_ADDRESS},
	    {"a /24 loses its host bits", "192.0.2.77/24", "192.0.2.0/24",
		REPUTE_PREFIX},
	    {"a /64 too", "2001:db8::1/64", "2001:db8::/64", REPUTE_PREFIX},
	    {"other prefixes are not kept", "192.0.2.0/16", NULL, 0},
	    {"a domain in lower case, without final dot", "Mail.Example.ORG.",
		"mail.example.org", REPUTE_ALIGNED},
	    {"a U-label becomes an A-label",
		"b\xc3\xbc"
		"cher.example",
		"xn--bcher-kva.example", REPUTE_ALIGNED},
	    {"one label is no domain", "localhost", NULL, 0},
	    {"blanks are refused", "two words.example", NULL, 0},
	    {"nothing is refused", "", NULL, 0},
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct repute_key key = {0};
		struct err err;
		int rc =
		    repute_key_parse(span_of(cases[i].text), arena, &key, &err);
		bool good = cases[i].want
				? rc == 0 && key.subject == cases[i].subject &&
				      span_is(key.text, cases[i].want)
				: rc != 0;
		TAP_CASE(cases[i].claim)
		CHECK(good);
	}
}

int
main(void)
{
	arena = arena_new(0);
	test_unknown();
	test_marks();
	test_decay();
	test_show();
	test_keys();
	arena_free(arena);
	return tap_done();
}
