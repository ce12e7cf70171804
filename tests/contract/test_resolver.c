/*
 * Both resolvers answer alike: one suite, asked from the zone file and through
 * libunbound from a name server that has the same zone. Then what only a
 * network can do: truncation, silence, replies that come late.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "filter/base/buf.h"
#include "filter/base/clock.h"
#include "filter/dns/dns.h"
#include "tests/contract/dns_server.h"
#include "tests/lib/tap.h"

/* Long for what is to be answered, however busy the machine; short for not. */
#define LONG_MS 30000
#define SHORT_MS 300

static const char zone_text[] =
    "host.example A 192.0.2.1\n"
    "host.example A 192.0.2.2\n"
    "host.example AAAA 2001:db8::1\n"
    "host.example MX 10 mail.EXAMPLE\n"
    "spf.example TXT \"v=spf1 \" \"-all\"\n"
    "nul.example TXT \"a\\000b\"\n"
    "nullmx.example MX 0 .\n"
    "alias.example CNAME host.example\n"
    "alias2.example CNAME alias.example\n"
    "dangling.example CNAME nowhere.example\n"
    "nodata.example CNAME spf.example\n"
    "loop.example CNAME loop2.example\n"
    "loop2.example CNAME loop.example\n"
    "bad.example SERVFAIL\n"
    "half.example SERVFAIL TXT\n"
    "half.example A 192.0.2.3\n"
    "ns.example NS ns1.example\n"
    "soa.example SOA ns.example host.example 1 2 3 4 5\n"
    "1.2.0.192.in-addr.arpa PTR host.example\n"
    "1.1.16.172.in-addr.arpa PTR private.example\n"
    "odd\\032name.example TXT odd\n"
    "host.test A 192.0.2.4\n"
    "slow.example TXT late\n"
    "silent.example TIMEOUT\n";

static const struct {
	const char *claim;
	const char *name, *type, *want;
} cases[] = {
    {"addresses", "host.example", "A", "c0000201|c0000202"},
    {"an IPv6 address", "host.example", "AAAA",
	"20010db8000000000000000000000001"},
    {"a name in upper case with a final dot", "HOST.example.", "A",
	"c0000201|c0000202"},
    {"a mail exchanger, in lower case", "host.example", "MX",
	"10:mail.example"},
    {"the null MX", "nullmx.example", "MX", "0:"},
    {"TXT strings joined", "spf.example", "TXT", "v=spf1 -all"},
    {"TXT with NUL", "nul.example", "TXT", "a%b"},
    {"a CNAME is followed", "alias.example", "A", "c0000201|c0000202"},
    {"two CNAMEs are", "alias2.example", "AAAA",
	"20010db8000000000000000000000001"},
    {"the CNAME itself", "alias2.example", "CNAME", "alias.example"},
    {"a CNAME to nowhere", "dangling.example", "A", "NXDOMAIN"},
    {"a CNAME to a name without the type", "nodata.example", "A", "NODATA"},
    {"a CNAME loop", "loop.example", "A", "SERVFAIL"},
    {"no such name", "none.example", "TXT", "NXDOMAIN"},
    {"no such type", "host.example", "TXT", "NODATA"},
    {"SERVFAIL", "bad.example", "TXT", "SERVFAIL"},
    {"SERVFAIL of one type", "half.example", "TXT", "SERVFAIL"},
    {"SERVFAIL of another type", "half.example", "A", "c0000203"},
    {"NS", "ns.example", "NS", "ns1.example"},
    {"SOA", "soa.example", "SOA", "ns.example host.example 1 2 3 4 5"},
    {"PTR of a documentation network", "1.2.0.192.in-addr.arpa", "PTR",
	"host.example"},
    {"PTR of a private network", "1.1.16.172.in-addr.arpa", "PTR",
	"private.example"},
    {"a name with a blank", "odd name.example", "TXT", "odd"},
    {"a name under .test", "host.test", "A", "c0000204"},
    {"a TXT of 3 KB", "large.example", "TXT", "*3000"},
    {"a TXT of 60 KB", "huge.example", "TXT", "*60000"},
};

static struct arena *arena;

static void
show_record(struct buf *out, enum dns_type type, const struct dns_record *r)
{
	if (type == DNS_MX)
		buf_printf(out, "%u:", r->preference);
	if (r->data.len > 1000) {
		buf_printf(out, "*%zu", r->data.len);
		return;
	}
	for (size_t i = 0; i < r->data.len; i++) {
		char c = r->data.p[i];
		if (type == DNS_A || type == DNS_AAAA)
			buf_printf(out, "%02x", (unsigned char)c);
		else
			buf_add_char(out, c ? c : '%');
	}
}

static int
by_bytes(const void *a, const void *b)
{
	const struct dns_record *x = a, *y = b;

	return span_cmp(x->data, y->data);
}

static const char *
show(const struct dns_answer *answer, enum dns_type type)
{
	struct buf out;

	buf_init(&out, arena, 100000);
	if (answer->status != DNS_OK)
		buf_add_str(&out, dns_status_name(answer->status));
	/* A recursive server may turn records around. */
	struct dns_record *r =
	    arena_calloc(arena, answer->n, sizeof *answer->records);
	if (answer->n) {
		memcpy(r, answer->records, answer->n * sizeof *r);
		qsort(r, answer->n, sizeof *r, by_bytes);
	}
	for (size_t i = 0; i < answer->n; i++) {
		if (i)
			buf_add_char(&out, '|');
		show_record(&out, type, &r[i]);
	}
	return buf_str(&out);
}

static struct span
whole_zone(void)
{
	struct buf b;

	buf_init(&b, arena, 200000);
	buf_add_str(&b, zone_text);
	buf_add_str(&b, "large.example TXT ");
	for (int i = 0; i < 3000; i++)
		buf_add_char(&b, 'x');
	buf_add_str(&b, "\nhuge.example TXT ");
	for (int i = 0; i < 60000; i++)
		buf_add_char(&b, 'x');
	buf_add_str(&b, "\n");
	return buf_span(&b);
}

/* The same questions, all wanted before the first is got. */
static void
run_suite(struct dns *dns, const char *resolver)
{
	char claim[200];
	struct dns_batch *b = dns_batch_new(dns, arena, LONG_MS, 100);

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		dns_want(b, span_of(cases[i].name),
		    dns_type_of(span_of(cases[i].type)));
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		enum dns_type type = dns_type_of(span_of(cases[i].type));
		snprintf(
		    claim, sizeof claim, "%s: %s", resolver, cases[i].claim);
		TAP_CASE(claim)
		CHECK_STR(span_of(show(
			      dns_get(b, span_of(cases[i].name), type), type)),
		    cases[i].want);
	}
	snprintf(claim, sizeof claim, "%s: asked again, all is warm", resolver);
	TAP_CASE(claim)
	b = dns_batch_new(dns, arena, LONG_MS, 100);
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		enum dns_type type = dns_type_of(span_of(cases[i].type));
		CHECK_STR(span_of(show(
			      dns_get(b, span_of(cases[i].name), type), type)),
		    cases[i].want);
	}
	CHECK_INT(dns_batch_waited_ms(b), 0);
	arena_reset(arena);
}

static void
test_zone_file(void)
{
	char path[] = "/tmp/assay-zone-XXXXXX";
	int fd = mkstemp(path);
	struct span text = whole_zone();
	struct dns_options options = {.zone = path};
	struct dns *dns;
	struct err err;

	if (fd < 0 || write(fd, text.p, text.len) != (ssize_t)text.len)
		abort();
	close(fd);
	int rc = dns_open(&options, &dns, &err);
	unlink(path);
	if (rc) {
		printf("Bail out! %s\n", err.text);
		exit(1);
	}
	arena_reset(arena);
	run_suite(dns, "zone file");
	TAP_CASE("zone file: silence about one name, without waiting")
	struct dns_batch *b = dns_batch_new(dns, arena, LONG_MS, 10);
	CHECK_INT(
	    dns_get(b, SPAN("silent.example"), DNS_TXT)->status, DNS_TIMEOUT);
	CHECK_INT(dns_batch_waited_ms(b), 0);
	CHECK(dns_batch_timed_out(b));
	arena_reset(arena);
	dns_close(dns);
}

static struct dns *
open_on(const struct dns_server *server, int64_t timeout_ms)
{
	char address[40];
	struct span servers[1];
	struct dns_options options = {.nameservers = servers,
	    .n_nameservers = 1,
	    .timeout_ms = timeout_ms};
	struct dns *dns;
	struct err err;

	snprintf(address, sizeof address, "127.0.0.1@%u", server->port);
	servers[0] = span_of(address);
	if (dns_open(&options, &dns, &err)) {
		printf("Bail out! %s\n", err.text);
		exit(1);
	}
	return dns;
}

static void
test_unbound(struct zone *zone)
{
	struct dns_server server = {.zone = zone};

	dns_server_start(&server);
	struct dns *dns = open_on(&server, LONG_MS);
	run_suite(dns, "libunbound");
	TAP_CASE("libunbound: what does not fit into UDP comes over TCP")
	CHECK(atomic_load(&server.tcp_questions) >= 2);
	dns_close(dns);
	dns_server_stop(&server);
}

static void
test_dead(struct zone *zone)
{
	struct dns_server server = {.zone = zone, .silent = true};

	dns_server_start(&server);
	struct dns *dns = open_on(&server, SHORT_MS);
	struct dns_batch *b = dns_batch_new(dns, arena, LONG_MS, 10);

	TAP_CASE("a dead server costs the time of a name, not 17 s")
	int64_t start = clock_mono_ms();
	dns_want(b, SPAN("1.example"), DNS_A);
	dns_want(b, SPAN("2.example"), DNS_A);
	CHECK_INT(dns_get(b, SPAN("1.example"), DNS_A)->status, DNS_TIMEOUT);
	CHECK_INT(dns_get(b, SPAN("2.example"), DNS_A)->status, DNS_TIMEOUT);
	int64_t took = clock_mono_ms() - start;
	CHECK(took >= SHORT_MS - 1 && took < 10000);
	CHECK(dns_batch_timed_out(b));

	TAP_CASE("a server that is back is asked again")
	atomic_store(&server.silent, false);
	int64_t until = clock_deadline(LONG_MS);
	enum dns_status status;
	do {
		/* A timeout is kept for some seconds: other names. */
		char name[32];
		snprintf(
		    name, sizeof name, "m%d.example", (int)clock_left(until));
		b = dns_batch_new(dns, arena, LONG_MS, 10);
		status = dns_get(b, span_of(name), DNS_A)->status;
	} while (status != DNS_NXDOMAIN && clock_left(until));
	CHECK_INT(status, DNS_NXDOMAIN);

	TAP_CASE("closing does not wait for a dead server")
	atomic_store(&server.silent, true);
	dns_want(b, SPAN("3.example"), DNS_A);
	start = clock_mono_ms();
	arena_reset(arena);
	dns_close(dns);
	CHECK(clock_mono_ms() - start < 10000);
	dns_server_stop(&server);
}

static void
test_silence(struct zone *zone)
{
	struct dns_server server = {.zone = zone};

	dns_server_start(&server);
	struct dns *dns = open_on(&server, SHORT_MS);
	struct dns_batch *b = dns_batch_new(dns, arena, LONG_MS, 10);
	TAP_CASE("libunbound: silence about one name")
	CHECK_INT(
	    dns_get(b, SPAN("silent.example"), DNS_TXT)->status, DNS_TIMEOUT);
	arena_reset(arena);
	dns_close(dns);
	dns_server_stop(&server);
}

static void
test_late(struct zone *zone)
{
	struct dns_server server = {
	    .zone = zone, .slow_name = "slow.example", .slow_ms = 100};

	dns_server_start(&server);
	struct dns *dns = open_on(&server, LONG_MS);
	struct dns_batch *b = dns_batch_new(dns, arena, LONG_MS, 10);

	TAP_CASE("a slow answer is waited for")
	CHECK_STR(
	    span_of(show(dns_get(b, SPAN("slow.example"), DNS_TXT), DNS_TXT)),
	    "late");
	CHECK(dns_batch_waited_ms(b) >= 99);
	arena_reset(arena);
	dns_close(dns);
	dns_server_stop(&server);

	TAP_CASE("an answer that comes too late warms the cache")
	server = (struct dns_server){
	    .zone = zone, .slow_name = "slow.example", .slow_ms = SHORT_MS};
	dns_server_start(&server);
	dns = open_on(&server, SHORT_MS / 10);
	b = dns_batch_new(dns, arena, LONG_MS, 10);
	CHECK_INT(
	    dns_get(b, SPAN("slow.example"), DNS_TXT)->status, DNS_TIMEOUT);
	int64_t until = clock_deadline(LONG_MS);
	const struct dns_answer *a;
	do {
		/* Waiting for another name is as good as any event. */
		b = dns_batch_new(dns, arena, 20, 10);
		(void)dns_get(b, SPAN("silent.example"), DNS_A);
		a = dns_get(b, SPAN("slow.example"), DNS_TXT);
	} while (a->status != DNS_OK && clock_left(until));
	CHECK_INT(a->status, DNS_OK);
	arena_reset(arena);
	dns_close(dns);
	dns_server_stop(&server);
}

/* --- several threads on one resolver --------------------------------------------- */

#define THREADS 8
#define NAMES 100

struct worker {
	pthread_t thread;
	struct dns *dns;
	unsigned good;
};

static void *
work(void *arg)
{
	struct worker *w = arg;
	struct arena *own = arena_new(0);
	struct dns_batch *b = dns_batch_new(w->dns, own, LONG_MS, NAMES);
	char name[32];

	for (int i = 0; i < NAMES; i++) {
		snprintf(name, sizeof name, "n%d.example", i);
		dns_want(b, span_of(name), DNS_A);
	}
	for (int i = 0; i < NAMES; i++) {
		snprintf(name, sizeof name, "n%d.example", i);
		w->good += dns_get(b, span_of(name), DNS_A)->status == DNS_OK;
	}
	arena_free(own);
	return NULL;
}

static void
test_threads(void)
{
	struct buf text;
	struct zone *zone;
	struct worker workers[THREADS] = {0};
	unsigned good = 0;

	buf_init(&text, arena, 100000);
	for (int i = 0; i < NAMES; i++)
		buf_printf(&text, "n%d.example A 192.0.2.%d\n", i, i);
	if (zone_parse(buf_span(&text), "zone", &zone, NULL))
		abort();
	struct dns_server server = {.zone = zone};
	dns_server_start(&server);
	char address[40];
	snprintf(address, sizeof address, "127.0.0.1@%u", server.port);
	struct span servers[1] = {span_of(address)};
	struct dns_options options = {
	    .nameservers = servers, .n_nameservers = 1, .timeout_ms = 30000};
	struct dns *dns;
	if (dns_open(&options, &dns, NULL))
		abort();

	TAP_CASE("many threads want the same names, each is asked once")
	for (int i = 0; i < THREADS; i++) {
		workers[i].dns = dns;
		if (pthread_create(&workers[i].thread, NULL, work, &workers[i]))
			abort();
	}
	for (int i = 0; i < THREADS; i++) {
		pthread_join(workers[i].thread, NULL);
		good += workers[i].good;
	}
	CHECK_INT(good, THREADS * NAMES);
	struct dns_counts c;
	dns_counts(dns, &c);
	CHECK_INT(c.entries, NAMES);
	/* libunbound may repeat a question when we are slow. */
	CHECK(atomic_load(&server.udp_questions) < 4 * NAMES);
	dns_close(dns);
	dns_server_stop(&server);
	zone_free(zone);
	arena_reset(arena);
}

static void
test_options(void)
{
	struct span servers[] = {SPAN("192.0.2.1"), SPAN("not an address")};
	struct dns_options options = {
	    .nameservers = servers, .n_nameservers = 2};
	struct dns *dns;
	struct err err = {0};

	TAP_CASE("a bad address of a name server is named")
	CHECK_INT(dns_open(&options, &dns, &err), ERR_INVALID);
	CHECK(span_ends(span_of(err.text), SPAN("not an address")));

	TAP_CASE("own recursion opens and closes without a question")
	options = (struct dns_options){.recursive = true};
	CHECK_INT(dns_open(&options, &dns, &err), 0);
	dns_close(dns);

	if (access("/usr/share/dns/root.key", R_OK)) {
		tap_skip("DNSSEC opens", "no root key");
		return;
	}
	TAP_CASE("DNSSEC opens")
	options.dnssec = true;
	CHECK_INT(dns_open(&options, &dns, &err), 0);
	dns_close(dns);
}

int
main(void)
{
	struct zone *zone;
	struct err err;

	arena = arena_new(0);
	if (zone_parse(whole_zone(), "zone", &zone, &err)) {
		printf("Bail out! %s\n", err.text);
		return 1;
	}
	test_zone_file();
	test_unbound(zone);
	test_silence(zone);
	test_dead(zone);
	test_late(zone);
	test_threads();
	test_options();
	zone_free(zone);
	arena_free(arena);
	return tap_done();
}
