/* How many rows of reports a process begins in a day. */
#include "filter/report.h"

#include <stdio.h>
#include <stdlib.h>

#include "filter/mail/domain.h"
#include "filter/report_mark.h"
#include "tests/lib/tap.h"

/* Names are known by 31 bits of a random hash: so many may pass for others. */
#define CHANCE 3
#define DAY 20000

static bool
room(struct report_gather *g, int64_t day, unsigned name, const char *domain)
{
	char text[32];
	int n = snprintf(text, sizeof text, "name %u", name);

	return report_gather_room(
	    g, day, span_make(text, (size_t)n), span_of(domain));
}

/* How many of `n` rows of a domain there is room for. */
static unsigned
fill(struct report_gather *g, int64_t day, unsigned first, unsigned n,
    const char *domain)
{
	unsigned taken = 0;

	for (unsigned i = 0; i < n; i++)
		taken += room(g, day, first + i, domain);
	return taken;
}

static void
test_domain(void)
{
	struct report_gather *g = report_gather_new();

	TAP_CASE("a row that is known needs no room");
	for (unsigned i = 0; i < 2 * REPORT_FRESH_DOMAIN_MAX; i++)
		if (!CHECK(room(g, DAY, 1, "a.example")))
			break;

	TAP_CASE("the domains that share a counter begin so many rows");
	unsigned n = 2 * REPORT_FRESH_DOMAIN_MAX;
	unsigned taken = fill(g, DAY, 2, n, "a.example");
	CHECK(taken >= REPORT_FRESH_DOMAIN_MAX - 1);
	CHECK(taken <= REPORT_FRESH_DOMAIN_MAX + CHANCE);
	CHECK_INT(report_gather_left_out(g), n - taken);

	/* Any one of them may share its counter with the first. */
	TAP_CASE("others still can");
	CHECK(room(g, DAY, 900000, "b.example") ||
	      room(g, DAY, 900001, "c.example") ||
	      room(g, DAY, 900002, "d.example") ||
	      room(g, DAY, 900003, "e.example"));

	TAP_CASE("the next day begins with nothing");
	CHECK(room(g, DAY + 1, 900001, "a.example"));

	TAP_CASE("a straggler of the day before opens no limit anew");
	(void)fill(g, DAY + 1, 2, n, "a.example");
	(void)room(g, DAY, 900002, "z.example");
	unsigned more = fill(g, DAY + 1, 1000000, 100, "a.example");
	CHECK(more <= CHANCE);

	TAP_CASE("a clock that is set back begins with nothing");
	CHECK(room(g, DAY - 9, 900003, "a.example"));
	report_gather_free(g);
}

static void
test_all(void)
{
	struct report_gather *g = report_gather_new();
	unsigned taken = 0;
	char domain[32];

	TAP_CASE("all domains together begin so many rows");
	for (unsigned i = 0; i < REPORT_FRESH_MAX / 100 + 100; i++) {
		snprintf(domain, sizeof domain, "d%u.example", i);
		taken += fill(g, DAY, i * 100, 100, domain);
	}
	CHECK(taken >= REPORT_FRESH_MAX);
	CHECK(taken <= REPORT_FRESH_MAX + CHANCE);
	CHECK(!room(g, DAY, 99999999, "new.example"));
	report_gather_free(g);
	report_gather_free(NULL);
}

static void
test_mark(void)
{
	char domain[DOMAIN_MAX], address[64 + 1 + DOMAIN_MAX];
	char text[REPORT_MARK_VALUE_MAX + 1];
	struct report_sent sent = {REPORT_HANDING, INT64_MAX, UINT64_MAX,
	    span_make(domain, sizeof domain),
	    span_make(address, sizeof address)};
	struct report_sent back;

	memset(domain, 'd', sizeof domain);
	memset(address, 'a', sizeof address);
	TAP_CASE("a mark keeps the longest domain and address whole");
	report_sent_write(&sent, text);
	CHECK_INT(report_sent_read(&back, span_of(text)), 0);
	CHECK(span_eq(back.domain, sent.domain));
	CHECK(span_eq(back.address, sent.address));
}

int
main(void)
{
	test_mark();
	test_domain();
	test_all();
	return tap_done();
}
