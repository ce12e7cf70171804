/* The client's name and back (RFC 8601 sections 2.7.3 and 3), over a zone. */
#include "filter/auth/iprev.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "filter/base/buf.h"
#include "filter/base/clock.h"
#include "tests/lib/tap.h"

static struct arena *arena;
static struct dns *dns;
static struct dns_batch *batch;

static const char zone_text[] =
    "1.2.0.192.in-addr.arpa. PTR one.example.com.\n"
    "one.example.com. A 192.0.2.1\n"
    "one.example.com. AAAA 2001:db8::1\n"
    "2.2.0.192.in-addr.arpa. PTR one.example.com.\n"
    "3.2.0.192.in-addr.arpa. PTR nowhere.example.com.\n"
    "4.2.0.192.in-addr.arpa. TIMEOUT PTR\n"
    "5.2.0.192.in-addr.arpa. SERVFAIL PTR\n"
    "6.2.0.192.in-addr.arpa. TXT \"no name\"\n"
    "7.2.0.192.in-addr.arpa. PTR late.example.com.\n"
    "late.example.com. TIMEOUT A\n"
    "8.2.0.192.in-addr.arpa. PTR late.example.com.\n"
    "8.2.0.192.in-addr.arpa. PTR eight.example.com.\n"
    "eight.example.com. A 192.0.2.8\n"
    "9.2.0.192.in-addr.arpa. PTR six.example.com.\n"
    "six.example.com. AAAA 2001:db8::9\n"
    "10.2.0.192.in-addr.arpa. CNAME 10.0-25.2.0.192.in-addr.arpa.\n"
    "10.0-25.2.0.192.in-addr.arpa. PTR ten.example.com.\n"
    "ten.example.com. A 198.51.100.1\n"
    "ten.example.com. A 192.0.2.10\n"
    "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa. "
    "PTR one.example.com.\n"
    "13.2.0.192.in-addr.arpa. PTR .\n"
    "14.2.0.192.in-addr.arpa. PTR a\\010b\\(\\\".example.com.\n";

static void
open_zone(void)
{
	char path[] = "/tmp/assay-iprev-XXXXXX";
	struct dns_options options = {.zone = path};
	struct err err = {0};
	struct buf zone;
	int fd = mkstemp(path);

	buf_init(&zone, NULL, 1000000);
	buf_add_str(&zone, zone_text);
	for (int i = 1; i <= 300; i++) {
		buf_printf(&zone,
		    "11.2.0.192.in-addr.arpa. PTR h%d.example.com.\n"
		    "12.2.0.192.in-addr.arpa. PTR k%d.example.com.\n",
		    i, i);
		buf_printf(&zone,
		    "h%d.example.com. A 192.0.2.%d\n"
		    "k%d.example.com. A 192.0.2.%d\n",
		    i, i == 11 ? 11 : 100, i, i == 10 ? 12 : 100);
	}
	if (fd < 0 || buf_failed(&zone) ||
	    write(fd, zone.p, zone.len) != (ssize_t)zone.len)
		abort();
	close(fd);
	if (dns_open(&options, &dns, &err)) {
		fprintf(stderr, "%s\n", err.text);
		abort();
	}
	unlink(path);
	buf_done(&zone);
}

static struct span
ask(const char *text)
{
	struct iprev_answer answer;
	struct ip ip = {0};

	arena_reset(arena);
	batch = dns_batch_new(dns, arena, 1000, 1000);
	if (*text && ip_parse(span_of(text), &ip))
		abort();
	iprev_check(&ip, batch, clock_deadline(1000), &answer);
	return arena_printf(arena, "%s %.*s", iprev_result_name(answer.result),
	    SPAN_ARG(answer.name.p ? answer.name : SPAN("-")));
}

static void
test_results(void)
{
	static const struct {
		const char *claim, *ip, *want;
	} cases[] = {
	    {"a name that leads back passes", "192.0.2.1",
		"pass one.example.com"},
	    {"of an IPv6 client too", "2001:db8::1", "pass one.example.com"},
	    {"an IPv4-mapped client is IPv4", "::ffff:192.0.2.1",
		"pass one.example.com"},
	    {"a name with other addresses fails", "192.0.2.2",
		"fail one.example.com"},
	    {"a name that does not exist fails", "192.0.2.3",
		"fail nowhere.example.com"},
	    {"a name with addresses of the other family fails", "192.0.2.9",
		"fail six.example.com"},
	    {"no name is permerror", "192.0.2.77", "permerror -"},
	    {"other data is no name", "192.0.2.6", "permerror -"},
	    {"no answer about names is temperror", "192.0.2.4", "temperror -"},
	    {"a server's failure is temperror", "192.0.2.5", "temperror -"},
	    {"no answer about addresses is temperror", "192.0.2.7",
		"temperror late.example.com"},
	    {"unless another name confirms", "192.0.2.8",
		"pass eight.example.com"},
	    {"classless delegation (RFC 2317) and the second address",
		"192.0.2.10", "pass ten.example.com"},
	    {"the tenth name counts", "192.0.2.12", "pass k10.example.com"},
	    {"of 300 names the eleventh is not looked at", "192.0.2.11",
		"fail h1.example.com"},
	    {"a PTR to the root fails", "192.0.2.13", "fail "},
	    {"a name of odd bytes comes as \\DDD", "192.0.2.14",
		"fail a\\010b(\".example.com"},
	    {"no client is permerror", "", "permerror -"},
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		TAP_CASE(cases[i].claim);
		CHECK_STR(ask(cases[i].ip), cases[i].want);
	}
	TAP_CASE("300 names make eleven questions");
	(void)ask("192.0.2.11");
	CHECK_INT(dns_batch_questions(batch)->n, 11);
}

static void
test_time(void)
{
	struct iprev_answer answer;
	struct ip ip;

	if (ip_parse(SPAN("192.0.2.1"), &ip))
		abort();
	TAP_CASE("names and addresses are wanted before they are needed");
	arena_reset(arena);
	batch = dns_batch_new(dns, arena, 1000, 1000);
	iprev_want(&ip, batch);
	CHECK_INT(dns_batch_questions(batch)->n, 2);
	TAP_CASE("wanting again asks nothing again");
	iprev_want(&ip, batch);
	iprev_check(&ip, batch, 0, &answer);
	CHECK_INT(dns_batch_questions(batch)->n, 2);
	CHECK_INT(answer.result, IPREV_PASS);
	TAP_CASE("no client, no question");
	batch = dns_batch_new(dns, arena, 1000, 1000);
	iprev_want(&(struct ip){0}, batch);
	CHECK_INT(dns_batch_questions(batch)->n, 0);
	TAP_CASE("without a resolver it is temperror");
	batch = dns_batch_new(NULL, arena, 1000, 1000);
	iprev_want(&ip, batch);
	iprev_check(&ip, batch, clock_deadline(1000), &answer);
	CHECK_INT(answer.result, IPREV_TEMPERROR);
	CHECK(!answer.name.p);
	TAP_CASE("past its questions too");
	batch = dns_batch_new(dns, arena, 1000, 1);
	iprev_check(&ip, batch, clock_deadline(1000), &answer);
	CHECK_INT(answer.result, IPREV_TEMPERROR);
	CHECK_STR(answer.name, "one.example.com");
}

int
main(void)
{
	arena = arena_new(0);
	open_zone();
	test_results();
	test_time();
	dns_close(dns);
	arena_free(arena);
	return tap_done();
}
