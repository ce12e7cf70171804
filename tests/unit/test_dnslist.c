/*
 * DNS lists: what answers mean, by which names a list is asked, and when it is
 * believed.
 */
#include "filter/dns/dnslist.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "tests/lib/tap.h"

static const char zone_text[] = "two.example A 127.0.0.2\n"
				"many.example A 127.0.0.4\n"
				"many.example A 127.0.0.11\n"
				"bits.example A 127.0.0.72\n"
				"odd.example A 127.0.0.77\n"
				"refused.example A 127.255.255.254\n"
				"both.example A 127.0.0.2\n"
				"both.example A 127.255.255.252\n"
				"foreign.example A 203.0.113.80\n"
				"mixed.example A 203.0.113.80\n"
				"mixed.example A 127.0.0.2\n"
				"text.example TXT x\n"
				"fails.example SERVFAIL\n"
				"silent.example TIMEOUT\n";

static struct dns *
open_zone(void)
{
	char path[] = "/tmp/assay-lists-XXXXXX";
	struct dns_options options = {.zone = path};
	struct dns *dns = NULL;
	struct err err;
	int fd = mkstemp(path);

	if (fd < 0 ||
	    write(fd, zone_text, sizeof zone_text - 1) !=
		(ssize_t)sizeof zone_text - 1 ||
	    dns_open(&options, &dns, &err))
		abort();
	close(fd);
	unlink(path);
	return dns;
}

/* --- patterns ---------------------------------------------------------------- */

static const struct {
	const char *text;
	const char *yes, *no; /* an answer that it means, and not; NULL: bad */
} patterns[] = {
    {"127.0.0.2", "127.0.0.2", "127.0.0.3"},
    {"127.0.0.4-7", "127.0.0.7", "127.0.0.8"},
    {"127.0.0.4-7", "127.0.0.4", "127.0.0.3"},
    {"127.0.*.3", "127.0.255.3", "127.1.0.3"},
    {"127.255.255.*", "127.255.255.0", "127.255.254.0"},
    {"127.*.*.*", "127.255.255.255", "126.0.0.1"},
    {"&8", "127.0.0.72", "127.0.0.64"},
    {"&0x48", "127.0.0.72", "127.0.0.8"},
    {"&0x010002", "127.1.0.2", "127.0.0.2"},
    {"&8", "127.9.9.9", "128.0.0.8"},
    {"", NULL, NULL},
    {"127.0.0", NULL, NULL},
    {"127.0.0.", NULL, NULL},
    {"127.0.0.2.", NULL, NULL},
    {"127.0.0.2.3", NULL, NULL},
    {"127.0.0.256", NULL, NULL},
    {"127.0.0.-1", NULL, NULL},
    {"127.0.0.7-4", NULL, NULL},
    {"127.0.0.4-", NULL, NULL},
    {"127.0.0.4-7-9", NULL, NULL},
    {"127.0.0.0002", NULL, NULL},
    {"127.0.0. 2", NULL, NULL},
    {"*.0.0.2", NULL, NULL},
    {"126-127.0.0.2", NULL, NULL},
    {"192.0.2.1", NULL, NULL},
    {"::1", NULL, NULL},
    {"&", NULL, NULL},
    {"&0", NULL, NULL},
    {"&0x", NULL, NULL},
    {"&0xg", NULL, NULL},
    {"&16777216", NULL, NULL},
    {"&0x1000000", NULL, NULL},
    {"&-1", NULL, NULL},
};

static bool
means(const struct dnslist_pattern *pattern, const char *text)
{
	const struct dnslist_code code = {*pattern, 0};
	struct dnslist list = {.codes = &code, .n_codes = 1};
	struct ip ip;

	if (ip_parse(span_of(text), &ip))
		abort();
	struct dns_record record = {
	    .data = span_make((const char *)ip.bytes, 4)};
	struct dns_answer answer = {DNS_OK, false, 1, &record};
	return dnslist_record(&list, &answer, 0) == &record;
}

static void
test_patterns(void)
{
	for (size_t i = 0; i < sizeof patterns / sizeof *patterns; i++) {
		struct dnslist_pattern p;
		char claim[80];
		int rc = dnslist_pattern_parse(span_of(patterns[i].text), &p);
		snprintf(claim, sizeof claim, "\"%s\" is %s", patterns[i].text,
		    patterns[i].yes ? "an answer" : "none");
		tap_case(claim);
		CHECK_INT(rc, patterns[i].yes ? 0 : ERR_SYNTAX);
		if (rc)
			continue;
		CHECK(means(&p, patterns[i].yes));
		CHECK(!means(&p, patterns[i].no));
	}
}

/* --- names ------------------------------------------------------------------- */

static struct span
address_name(
    const struct dnslist *list, const char *text, char to[DNSLIST_QUESTION_MAX])
{
	struct ip ip = {0};

	if (*text && ip_parse(span_of(text), &ip))
		abort();
	return span_make(to, dnslist_ask_address(list, &ip, to));
}

#define V6_NAME                                                                \
	"7.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2"
#define MAPPED_NAME                                                            \
	".0.0.0.0.0.0.f.7.f.f.f.f.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0"

static void
test_names(struct arena *arena)
{
	struct dnslist list = {.zone = SPAN("bl.example")};
	char to[DNSLIST_QUESTION_MAX], zone[DNSLIST_ZONE_MAX], domain[120];

	TAP_CASE("an IPv4 address is reversed")
	CHECK_STR(
	    address_name(&list, "192.0.2.66", to), "66.2.0.192.bl.example");
	TAP_CASE("an IPv6 address is reversed by nibbles")
	CHECK_STR(
	    address_name(&list, "2001:db8::7", to), V6_NAME ".bl.example");
	TAP_CASE("a mapped address is the IPv4 address")
	CHECK_STR(address_name(&list, "::ffff:192.0.2.66", to),
	    "66.2.0.192.bl.example");
	TAP_CASE("no address is no question")
	CHECK_INT(address_name(&list, "", to).len, 0);
	TAP_CASE("a list is not asked about a family that it does not know")
	list.families = DNSLIST_IPV4;
	CHECK_INT(address_name(&list, "2001:db8::7", to).len, 0);
	list.families = DNSLIST_IPV6;
	CHECK_INT(address_name(&list, "192.0.2.66", to).len, 0);
	CHECK(address_name(&list, "2001:db8::7", to).len > 0);
	list.families = DNSLIST_ANY_FAMILY;
	TAP_CASE("a list of addresses is not asked about domains, and back")
	CHECK_INT(dnslist_ask_domain(&list, SPAN("a.example"), to), 0);
	list.kind = DNSLIST_DOMAIN;
	CHECK_INT(address_name(&list, "192.0.2.66", to).len, 0);
	CHECK_STR(
	    span_make(to, dnslist_ask_domain(&list, SPAN("a.example"), to)),
	    "a.example.bl.example");

	TAP_CASE("a name that would be over 253 bytes is not asked")
	memset(zone, 'z', sizeof zone);
	memset(domain, 'd', sizeof domain);
	list.zone = span_make(zone, sizeof zone);
	CHECK_INT(dnslist_ask_domain(&list, span_make(domain, 72), to), 253);
	CHECK_INT(dnslist_ask_domain(&list, span_make(domain, 73), to), 0);
	CHECK_INT(dnslist_ask_domain(&list, SPAN(""), to), 0);
	TAP_CASE("the longest zone has room for an IPv6 address")
	list.kind = DNSLIST_ADDRESS;
	CHECK_INT(address_name(&list, "2001:db8::7", to).len,
	    63 + 1 + DNSLIST_ZONE_MAX);

	list = (struct dnslist){.zone = SPAN("bl.example")};
	TAP_CASE("RFC 5782 section 5: test points of IPv4 lists")
	CHECK_STR(dnslist_test_name(&list, SPAN(""), true, arena),
	    "2.0.0.127.bl.example");
	CHECK_STR(dnslist_test_name(&list, SPAN(""), false, arena),
	    "1.0.0.127.bl.example");
	TAP_CASE("RFC 5782 section 5: test points of IPv6 lists")
	list.families = DNSLIST_IPV6;
	CHECK_STR(dnslist_test_name(&list, SPAN(""), true, arena),
	    "2" MAPPED_NAME ".bl.example");
	CHECK_STR(dnslist_test_name(&list, SPAN(""), false, arena),
	    "1" MAPPED_NAME ".bl.example");
	TAP_CASE("RFC 5782 section 5: test points of lists of domains")
	list.kind = DNSLIST_DOMAIN;
	CHECK_STR(
	    dnslist_test_name(&list, SPAN(""), true, arena), "test.bl.example");
	CHECK_STR(dnslist_test_name(&list, SPAN(""), false, arena),
	    "invalid.bl.example");
	TAP_CASE("a list's own test point, a domain or an address")
	CHECK_STR(dnslist_test_name(&list, SPAN("a.example"), true, arena),
	    "a.example.bl.example");
	CHECK_STR(dnslist_test_name(&list, SPAN("192.0.2.1"), true, arena),
	    "1.2.0.192.bl.example");
}

/* --- answers ------------------------------------------------------------------ */

static const struct {
	const char *claim, *name;
	enum dnslist_verdict verdict;
	unsigned symbols; /* set of bits */
} answers[] = {
    {"127.0.0.2 is a listing", "two.example", DNSLIST_LISTED, 1},
    {"several answers are several listings", "many.example", DNSLIST_LISTED,
	2 | 4},
    {"one answer's bits are several listings", "bits.example", DNSLIST_LISTED,
	8 | 16},
    {"an unknown code is a listing that gives no symbol", "odd.example",
	DNSLIST_LISTED, 8 | 16},
    {"127.255.255.x is a refusal", "refused.example", DNSLIST_REFUSED, 0},
    {"a refusal beside a listing is a refusal", "both.example", DNSLIST_REFUSED,
	1},
    {"an address outside 127/8 is no listing", "foreign.example",
	DNSLIST_FOREIGN, 0},
    {"an address outside 127/8 beside a listing does not count",
	"mixed.example", DNSLIST_LISTED, 1},
    {"no such name is clean", "none.example", DNSLIST_CLEAN, 0},
    {"a name without address is clean", "text.example", DNSLIST_CLEAN, 0},
    {"SERVFAIL is no answer", "fails.example", DNSLIST_FAILED, 0},
    {"silence is no answer", "silent.example", DNSLIST_FAILED, 0},
};

static void
pattern(struct dnslist_pattern *to, const char *text)
{
	if (dnslist_pattern_parse(span_of(text), to))
		abort();
}

static void
test_answers(struct dns *dns, struct arena *arena)
{
	struct dnslist_code codes[] = {{.symbol = 0}, {.symbol = 1},
	    {.symbol = 2}, {.symbol = 3}, {.symbol = 4}};
	struct dnslist_pattern refused;
	struct dnslist list = {
	    .codes = codes, .n_codes = 5, .refused = &refused, .n_refused = 1};
	struct dns_batch *batch = dns_batch_new(dns, arena, 0, 100);

	pattern(&codes[0].pattern, "127.0.0.2");
	pattern(&codes[1].pattern, "127.0.0.4-7");
	pattern(&codes[2].pattern, "127.0.0.10-11");
	pattern(&codes[3].pattern, "&8");
	pattern(&codes[4].pattern, "&64");
	pattern(&refused, "127.255.255.*");
	/* 11 has the bit 8. */
	codes[3].pattern.low[3] = codes[4].pattern.low[3] = 64;
	for (size_t i = 0; i < sizeof answers / sizeof *answers; i++) {
		const struct dns_answer *answer =
		    dns_get(batch, span_of(answers[i].name), DNS_A);
		unsigned symbols = 0;
		for (unsigned s = 0; s < 5; s++)
			if (dnslist_record(&list, answer, s))
				symbols |= 1u << s;
		tap_case(answers[i].claim);
		CHECK_INT(dnslist_judge(&list, answer), answers[i].verdict);
		if (answers[i].verdict != DNSLIST_REFUSED)
			CHECK_INT(symbols, answers[i].symbols);
	}

	TAP_CASE("an AAAA record or a short one is no answer of a list")
	struct dns_record records[] = {
	    {.data = SPAN("\x7f\0\0\2\0\0\0\0\0\0\0\0\0\0\0\0")},
	    {.data = SPAN("\x7f\0\0")}, {.data = SPAN("")}};
	struct dns_answer odd = {DNS_OK, false, 3, records};
	CHECK_INT(dnslist_judge(&list, &odd), DNSLIST_FOREIGN);
	CHECK(!dnslist_record(&list, &odd, 0));
}

/* --- health ------------------------------------------------------------------- */

#define MINUTE 60000
#define HOUR (60 * MINUTE)

static struct dnslist
a_list(const char *name, bool test)
{
	return (struct dnslist){
	    .name = span_of(name),
	    .zone = SPAN("bl.example"),
	    .test_listed = test ? SPAN("2.0.0.127.bl.example") : SPAN_NONE,
	    .retry_ms = MINUTE,
	};
}

/* 'a' it is asked, 't' its test points are. */
static const char *
turn(struct dnslist_health *health, int64_t now)
{
	struct dnslist_turn t = dnslist_begin(health, now);

	return t.ask ? (t.test ? "at" : "a") : (t.test ? "t" : "");
}

#define CHECK_TURN(health, now, want)                                          \
	CHECK_STR(span_of(turn(health, now)), want)

static void
test_failures(struct dns *dns)
{
	struct dnslist list = a_list("fails", true);
	struct dnslist_health *h = dnslist_health(dns, &list);
	int64_t now = 1000;

	TAP_CASE("a new list is asked, and its test points beside")
	CHECK_TURN(h, now, "at");
	TAP_CASE("two failures in a row do not turn a list off")
	CHECK_INT(dnslist_tell(h, DNSLIST_EVENT_FAILED, now), 0);
	CHECK_INT(dnslist_tell(h, DNSLIST_EVENT_FAILED, now), 0);
	CHECK_INT(dnslist_tell(h, DNSLIST_EVENT_GOOD, now), 0);
	CHECK_INT(dnslist_tell(h, DNSLIST_EVENT_FAILED, now), 0);
	CHECK_INT(dnslist_tell(h, DNSLIST_EVENT_FAILED, now), 0);
	CHECK_TURN(h, now, "a");
	TAP_CASE("test points rest after a failure, which the cache still has")
	CHECK_TURN(h, now + MINUTE, "at");
	TAP_CASE("three do, and it costs nothing from then on")
	CHECK_INT(dnslist_tell(h, DNSLIST_EVENT_FAILED, now), MINUTE);
	CHECK_TURN(h, now, "");
	CHECK_TURN(h, now + MINUTE - 1, "");
	TAP_CASE("what comes late neither helps nor harms it")
	CHECK_INT(dnslist_tell(h, DNSLIST_EVENT_FAILED, now + 10), 0);
	CHECK_INT(dnslist_tell(h, DNSLIST_EVENT_GOOD, now + 10), 0);
	CHECK_INT(dnslist_tell(h, DNSLIST_EVENT_REFUSED, now + 10), 0);
	CHECK_TURN(h, now + 10, "");
	TAP_CASE("after its time only test points are asked")
	now += MINUTE;
	CHECK_TURN(h, now, "t");
	TAP_CASE("as long as they fail it is off for twice as long")
	int64_t off = 2 * MINUTE;
	for (int i = 0; i < 12;
	     i++, off = off < 2 * HOUR ? 2 * off : 4 * HOUR) {
		CHECK_INT(dnslist_tell(h, DNSLIST_EVENT_FAILED, now), off);
		CHECK_TURN(h, now + off - 1, "");
		now += off;
		CHECK_TURN(h, now, "t");
	}
	TAP_CASE("four hours at most")
	CHECK_INT(dnslist_tell(h, DNSLIST_EVENT_NOTHING, now), 4 * HOUR);
	now += 4 * HOUR;
	TAP_CASE("an ordinary answer does not turn on what has test points")
	CHECK_INT(dnslist_tell(h, DNSLIST_EVENT_GOOD, now), 0);
	CHECK_TURN(h, now, "t");
	TAP_CASE("right test points do; then they rest for an hour")
	CHECK_INT(dnslist_tell(h, DNSLIST_EVENT_TEST_GOOD, now), 0);
	CHECK_TURN(h, now, "a");
	CHECK_TURN(h, now + HOUR - 1, "a");
	CHECK_TURN(h, now + HOUR, "at");
	TAP_CASE("one that fails again soon is off for as long as before")
	CHECK_INT(dnslist_tell(h, DNSLIST_EVENT_REFUSED, now + HOUR), 4 * HOUR);
	now += 5 * HOUR;
	CHECK_INT(dnslist_tell(h, DNSLIST_EVENT_TEST_GOOD, now), 0);
	TAP_CASE("one that was good for long begins with a minute")
	CHECK_INT(
	    dnslist_tell(h, DNSLIST_EVENT_REFUSED, now + 9 * HOUR), MINUTE);
}

static void
test_causes(struct dns *dns)
{
	static const enum dnslist_event at_once[] = {DNSLIST_EVENT_REFUSED,
	    DNSLIST_EVENT_EVERYTHING, DNSLIST_EVENT_NOTHING,
	    DNSLIST_EVENT_FOREIGN};
	char name[] = "at-once-0";

	for (size_t i = 0; i < sizeof at_once / sizeof *at_once; i++) {
		char claim[80];
		name[8] = (char)('0' + i);
		struct dnslist list = a_list(name, true);
		struct dnslist_health *h = dnslist_health(dns, &list);
		snprintf(claim, sizeof claim, "%s turns a list off at once",
		    dnslist_event_name(at_once[i]));
		tap_case(claim);
		CHECK_INT(dnslist_tell(h, at_once[i], 1000), MINUTE);
		CHECK_TURN(h, 1000, "");
	}
}

static void
test_trial(struct dns *dns)
{
	struct dnslist list = a_list("trial", false);
	struct dnslist_health *h = dnslist_health(dns, &list);
	int64_t now = 1000;

	TAP_CASE("a list without test points is tried by a message")
	CHECK_TURN(h, now, "a");
	CHECK_INT(dnslist_tell(h, DNSLIST_EVENT_REFUSED, now), MINUTE);
	CHECK_TURN(h, now, "");
	now += MINUTE;
	CHECK_TURN(h, now, "a");
	TAP_CASE("one failure is enough then")
	CHECK_INT(dnslist_tell(h, DNSLIST_EVENT_FAILED, now), 2 * MINUTE);
	now += 2 * MINUTE;
	CHECK_TURN(h, now, "a");
	TAP_CASE("and one answer turns it on")
	CHECK_INT(dnslist_tell(h, DNSLIST_EVENT_GOOD, now), 0);
	CHECK_INT(dnslist_tell(h, DNSLIST_EVENT_FAILED, now), 0);
	CHECK_TURN(h, now, "a");
}

static void
test_identity(struct dns *dns)
{
	struct dnslist list = a_list("same", true);
	struct dnslist again = list, other = list, longer = list;
	struct dnslist_state states[64];

	TAP_CASE("a list read again has its state; another zone has another")
	other.zone = SPAN("bl2.example");
	longer.name = SPAN("same2");
	CHECK(dnslist_health(dns, &list) == dnslist_health(dns, &again));
	CHECK(dnslist_health(dns, &list) != dnslist_health(dns, &other));
	CHECK(dnslist_health(dns, &list) != dnslist_health(dns, &longer));

	TAP_CASE("people can see which list is off, why, and for how long")
	CHECK_INT(dnslist_tell(dnslist_health(dns, &longer),
		      DNSLIST_EVENT_EVERYTHING, 5000),
	    MINUTE);
	size_t n = dnslist_states(dns, 6000, states, 64), off = 0, on = 0;
	for (size_t i = 0; i < n; i++) {
		if (span_is(span_of(states[i].name), "same2")) {
			off++;
			CHECK_INT(states[i].off_ms, MINUTE - 1000);
			CHECK_INT(states[i].cause, DNSLIST_EVENT_EVERYTHING);
		}
		on += span_is(span_of(states[i].name), "same") &&
		      states[i].off_ms == 0;
	}
	CHECK_INT(off, 1);
	CHECK_INT(on, 2);
	CHECK_INT(dnslist_states(dns, 6000, states, 1), 1);
}

#define THREADS 6
#define ROUNDS 2000

/* Each finds lists, begins, and tells all that can happen. */
static void *
hammer(void *arg)
{
	struct dns *dns = arg;
	char name[] = "hammer-0";

	for (int i = 0; i < ROUNDS; i++) {
		name[7] = (char)('0' + i % 7);
		struct dnslist list = a_list(name, i % 2 == 0);
		struct dnslist_health *h = dnslist_health(dns, &list);
		int64_t now = (int64_t)i * 1000;
		if (h && dnslist_begin(h, now).ask)
			(void)dnslist_tell(h, (enum dnslist_event)(i % 7), now);
	}
	return NULL;
}

static void
test_threads(struct dns *dns)
{
	pthread_t threads[THREADS];
	struct dnslist_state states[64];
	size_t n = 0;

	for (int i = 0; i < THREADS; i++)
		if (pthread_create(&threads[i], NULL, hammer, dns))
			abort();
	for (int i = 0; i < THREADS; i++)
		(void)pthread_join(threads[i], NULL);
	TAP_CASE("many threads make one state for each list")
	size_t all = dnslist_states(dns, 0, states, 64);
	for (size_t i = 0; i < all; i++)
		n += span_starts(span_of(states[i].name), SPAN("hammer-"));
	CHECK_INT(n, 7);
}

int
main(void)
{
	struct dns *dns = open_zone();
	struct arena *arena = arena_new(0);

	test_patterns();
	test_names(arena);
	test_answers(dns, arena);
	test_failures(dns);
	test_causes(dns);
	test_trial(dns);
	test_identity(dns);
	test_threads(dns);
	arena_free(arena);
	dns_close(dns);
	return tap_done();
}
