/*
 * When a message asks DNS: all that can be known is wanted before its body
 * comes, each name once; behind the body only what answers ask for.
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "filter/scan/scan.h"
#include "tests/lib/tap.h"

#define ZONE                                                                    \
	"bounces.example.org TXT \"v=spf1 include:_spf.example.net mx -all\"\n" \
	"_spf.example.net TXT \"v=spf1 a:out.example.net -all\"\n"              \
	"out.example.net A 192.0.2.99\n"                                        \
	"bounces.example.org MX 10 mx.example.org\n"                            \
	"mx.example.org A 192.0.2.10\n"                                         \
	"one._domainkey.example.com TXT \"v=DKIM1; p=\"\n"                      \
	"two._domainkey.other.example TIMEOUT TXT\n"                            \
	"ark._domainkey.arc.example TXT \"v=DKIM1; p=\"\n"                      \
	"_dmarc.example.com TXT \"v=DMARC1; p=none\"\n"

#define BH "bh=47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="
#define SIGNED(d, s)                                                           \
	"DKIM-Signature: v=1; a=rsa-sha256; d=" d "; s=" s "; h=from; " BH     \
	"; b=AAAA\r\n"

#define MESSAGE                                                                \
	"ARC-Seal: i=1; a=rsa-sha256; t=1; cv=none; d=arc.example; s=ark; "    \
	"b=AAAA\r\n"                                                           \
	"ARC-Message-Signature: i=1; a=rsa-sha256; c=relaxed/relaxed; "        \
	"d=arc.example; s=ark; h=from; " BH "; b=AAAA\r\n"                     \
	"ARC-Authentication-Results: i=1; mx.example; none\r\n" SIGNED(        \
	    "example.com", "one") SIGNED("example.com", "one")                 \
	    SIGNED("other.example",                                            \
		"two") "From: Joe <joe@deep.sub.example.com>\r\n\r\nText.\r\n"

static struct dns *
open_zone(void)
{
	char path[] = "/tmp/assay-scan-XXXXXX";
	struct dns_options options = {.zone = path};
	struct dns *dns = NULL;
	int fd = mkstemp(path);

	if (fd < 0 || write(fd, ZONE, sizeof ZONE - 1) != sizeof ZONE - 1 ||
	    dns_open(&options, &dns, NULL))
		abort();
	close(fd);
	unlink(path);
	return dns;
}

static struct scan *
scan_of(struct arena *arena, struct dns *dns)
{
	static const struct scan_config config = {
	    .authserv_id = SPAN("mx.example.org"),
	    .dns_message_ms = 10000,
	    .dns_questions_max = 300,
	    .message_ms = 20000,
	    .network = true,
	};
	struct envelope *e = arena_zalloc(arena, sizeof *e);
	struct message_options options = message_options_default();
	struct message *m = message_new(arena, &options);

	if (!e || !m || message_read(m, SPAN(MESSAGE)) ||
	    ip_parse(SPAN("192.0.2.10"), &e->client_ip))
		abort();
	e->has_client = true;
	e->helo = SPAN("out.example.org");
	e->mail_from = SPAN("b@bounces.example.org");
	e->mail_from_known = true;
	struct scan *scan = scan_new(arena, &config, e, m, dns);
	if (!scan)
		abort();
	return scan;
}

static size_t
times(const struct scan *scan, struct span name, enum dns_type type)
{
	const struct dns_questions *q = dns_batch_questions(scan->dns);
	size_t n = 0;

	for (size_t i = 0; i < q->n; i++)
		n += q->v[i].type == type && span_eq(q->v[i].name, name);
	return n;
}

static bool
each_once(const struct scan *scan)
{
	const struct dns_questions *q = dns_batch_questions(scan->dns);

	for (size_t i = 0; i < q->n; i++)
		if (times(scan, q->v[i].name, q->v[i].type) != 1)
			return false;
	return q->n > 0;
}

static void
ask_all(struct scan *scan)
{
	CHECK_INT(scan_spf(scan)->mail.result, SPF_PASS);
	CHECK_INT(scan_dkim(scan)->dkim->n, 3);
	CHECK_INT(scan_dmarc(scan)->dmarc.result, DMARC_FAIL);
	CHECK(scan_arc(scan)->arc != NULL);
}

static const struct {
	const char *name;
	enum dns_type type;
} early[] = {
    {"bounces.example.org", DNS_TXT},
    {"one._domainkey.example.com", DNS_TXT},
    {"two._domainkey.other.example", DNS_TXT},
    {"ark._domainkey.arc.example", DNS_TXT},
    {"_dmarc.deep.sub.example.com", DNS_TXT},
    {"_dmarc.sub.example.com", DNS_TXT},
    {"_dmarc.example.com", DNS_TXT},
};

/* What SPF's record asks for can be known only from it. */
static const char *const late[] = {"_spf.example.net", "out.example.net",
    "bounces.example.org", "mx.example.org"};

static bool
is_late(const struct dns_question *q)
{
	for (size_t i = 0; i < sizeof late / sizeof *late; i++)
		if (span_is(q->name, late[i]))
			return true;
	return false;
}

static void
test_order(struct arena *arena, struct dns *dns)
{
	struct scan *scan = scan_of(arena, dns);
	const struct dns_questions *q = dns_batch_questions(scan->dns);

	TAP_CASE("SPF's record is asked for at MAIL")
	scan_stage(scan, SCAN_MAIL);
	CHECK_INT(times(scan, SPAN("bounces.example.org"), DNS_TXT), 1);
	scan_stage(scan, SCAN_RCPT);
	TAP_CASE("all keys, DMARC's and ARC's names before the body comes")
	scan_stage(scan, SCAN_EOH);
	for (size_t i = 0; i < sizeof early / sizeof *early; i++)
		CHECK_INT(
		    times(scan, span_of(early[i].name), early[i].type), 1);
	size_t before = q->n;
	TAP_CASE("nobody waits for them before the body has come")
	for (size_t i = 0; i < q->n; i++)
		CHECK(q->v[i].answer == NULL);
	CHECK_INT(dns_batch_waited_ms(scan->dns), 0);
	TAP_CASE("the body asks nothing")
	scan_body(scan, SPAN("Text.\r\n"));
	scan_body_done(scan);
	scan_stage(scan, SCAN_EOM);
	CHECK_INT(q->n, before);
	TAP_CASE("behind it only what SPF's record names is asked")
	ask_all(scan);
	for (size_t i = before; i < q->n; i++)
		if (!CHECK(is_late(&q->v[i])))
			printf("# %.*s\n", SPAN_ARG(q->v[i].name));
	CHECK(q->n > before);
	TAP_CASE("no name is asked twice, by whoever wants it")
	CHECK(each_once(scan));
	ask_all(scan);
	CHECK(each_once(scan));
}

int
main(void)
{
	struct dns *dns = open_zone();
	struct arena *arena = arena_new(0);

	if (dkim_setup(NULL))
		return 1;
	test_order(arena, dns);
	arena_free(arena);
	dns_close(dns);
	dkim_teardown();
	return tap_done();
}
