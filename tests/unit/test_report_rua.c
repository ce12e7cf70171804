/* Where aggregate reports go: rua= and the consent of others (hostile row 50). */
#include "filter/auth/report_rua.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "filter/base/buf.h"
#include "tests/lib/tap.h"

static struct span
join(const struct report_targets *targets, struct arena *a)
{
	struct buf out;

	buf_init(&out, a, 65536);
	for (size_t i = 0; i < targets->v.n; i++) {
		const struct report_target *t = &targets->v.v[i];
		buf_printf(&out, "%s%.*s", i ? " " : "", SPAN_ARG(t->address));
		if (t->max_size)
			buf_printf(
			    &out, "!%llu", (unsigned long long)t->max_size);
	}
	return out.len ? buf_span(&out) : SPAN("");
}

static const struct {
	const char *claim;
	struct span rua;
	const char *want;
	unsigned ignored;
} uris[] = {
    {"one address", SPAN("mailto:d@example.com"), "d@example.com", 0},
    {"several, with white space",
	SPAN(" mailto:d@example.com ,\tmailto:e@x.example"),
	"d@example.com e@x.example", 0},
    {"empty items are nothing", SPAN(",,mailto:d@example.com,"),
	"d@example.com", 0},
    {"the scheme in any case, the domain in lower case",
	SPAN("MailTo:Dmarc@EXAMPLE.com"), "Dmarc@example.com", 0},
    {"the same address again",
	SPAN("mailto:d@example.com,mailto:D@Example.COM"), "d@example.com", 0},
    {"a size in bytes", SPAN("mailto:d@example.com!5000"), "d@example.com!5000",
	0},
    {"a size in megabytes", SPAN("mailto:d@example.com!10m"),
	"d@example.com!10485760", 0},
    {"a size in any case", SPAN("mailto:d@example.com!1K"),
	"d@example.com!1024", 0},
    {"a size past all numbers is the largest one",
	SPAN("mailto:d@example.com!18446744073709551615t"),
	"d@example.com!18446744073709551615", 0},
    {"a size that is none", SPAN("mailto:d@example.com!10x"), "", 1},
    {"a size of nothing", SPAN("mailto:d@example.com!0"), "", 1},
    {"an empty size", SPAN("mailto:d@example.com!"), "", 1},
    {"two sizes", SPAN("mailto:d@example.com!1m!2m"), "", 1},
    {"a number too large", SPAN("mailto:d@example.com!99999999999999999999"),
	"", 1},
    {"percent-encoding is undone", SPAN("mailto:a%2Bb@example.com"),
	"a+b@example.com", 0},
    {"an encoded '!' is a route, not a size", SPAN("mailto:a%21b@example.com"),
	"", 1},
    {"an encoded ',' is not plain", SPAN("mailto:a%2cb@example.com"), "", 1},
    {"half an encoding", SPAN("mailto:a%2@example.com"), "", 1},
    {"an encoding that is none", SPAN("mailto:a%zz@example.com"), "", 1},
    {"an encoding at the end", SPAN("mailto:a@example.com%"), "", 1},
    {"another scheme", SPAN("https://example.com/d"), "", 1},
    {"no scheme", SPAN("d@example.com"), "", 1},
    {"header fields",
	SPAN("mailto:d@example.com?subject=x&cc=v@victim.example"), "", 1},
    {"header fields before the address", SPAN("mailto:?to=v@victim.example"),
	"", 1},
    {"encoded header fields", SPAN("mailto:d@example.com%3fcc=x"), "", 1},
    {"CR LF", SPAN("mailto:d@example.com\r\nBcc: v@victim.example"), "", 1},
    {"encoded CR LF", SPAN("mailto:d%0d%0aBcc:v@example.com"), "", 1},
    {"encoded CR LF in the domain", SPAN("mailto:d@example.com%0d%0a.x"), "",
	1},
    {"NUL", SPAN("mailto:d%00@example.com"), "", 1},
    {"a bare NUL", SPAN("mailto:d\0@example.com"), "", 1},
    {"a space", SPAN("mailto:a%20b@example.com"), "", 1},
    {"a quoted local part", SPAN("mailto:%22a%22@example.com"), "", 1},
    {"brackets", SPAN("mailto:<d@example.com>"), "", 1},
    {"two addresses in one", SPAN("mailto:a@b.example@example.com"), "", 1},
    {"a source route", SPAN("mailto:@b.example:a@example.com"), "", 1},
    {"the percent hack", SPAN("mailto:a%25b.example@example.com"), "", 1},
    {"a command", SPAN("mailto:|id@example.com"), "", 1},
    {"a file", SPAN("mailto:/etc/passwd@example.com"), "", 1},
    {"an include", SPAN("mailto::include:/x@example.com"), "", 1},
    {"UTF-8 in the local part", SPAN("mailto:\xc3\xa4@example.com"), "", 1},
    {"a domain in U-labels becomes A-labels",
	SPAN("mailto:d@b%C3%BCcher.example"), "d@xn--bcher-kva.example", 0},
    {"an address literal", SPAN("mailto:d@[192.0.2.1]"), "", 1},
    {"a host of ours", SPAN("mailto:root@localhost"), "", 1},
    {"no host", SPAN("mailto:d@"), "", 1},
    {"no local part", SPAN("mailto:@example.com"), "", 1},
    {"dots where none may be",
	SPAN("mailto:.a@example.com,mailto:a.@x.example,"
	     "mailto:a..b@x.example"),
	"", 3},
    {"a local part of 64 bytes and one of 65",
	SPAN(
	    "mailto:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	    "aaaaaa@example.com,"
	    "mailto:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	    "aaaaaa@example.com"),
	"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	"@example.com",
	1},
    {"nothing", SPAN(""), "", 0},
    {"no tag", SPAN_NONE, "", 0},
};

static void
test_uris(struct arena *a)
{
	struct report_targets got;

	for (size_t i = 0; i < sizeof uris / sizeof *uris; i++) {
		tap_case(uris[i].claim);
		report_targets_parse(&got, uris[i].rua, a);
		CHECK_STR(join(&got, a), uris[i].want);
		CHECK_INT(got.ignored, uris[i].ignored);
	}
}

static void
test_many(struct arena *a)
{
	struct report_targets got;
	struct buf rua;

	TAP_CASE("a hundred addresses: the first ten, the rest is counted");
	buf_init(&rua, a, 1 << 20);
	for (int i = 0; i < 100; i++)
		buf_printf(&rua, "junk,mailto:a%d@example.com,", i);
	report_targets_parse(&got, buf_span(&rua), a);
	CHECK_INT(got.v.n, REPORT_TARGETS_MAX);
	CHECK_STR(got.v.v[9].address, "a9@example.com");
	CHECK_INT(got.beyond, 90);
	CHECK_INT(got.ignored, 100);
}

/* --- DNS ------------------------------------------------------------------------------ */

static const char zone_text[] =
    "_dmarc.a.example TXT \"v=DMARC1; p=none; rua=mailto:d@a.example\"\n"
    "_dmarc.two.example TXT \"v=DMARC1; p=none\"\n"
    "_dmarc.two.example TXT \"v=DMARC1; p=reject\"\n"
    "_dmarc.twice.example TXT \"v=DMARC1; p=none; p=reject\"\n"
    "_dmarc.other.example TXT \"v=spf1 -all\"\n"
    "_dmarc.later.example TIMEOUT TXT\n"
    "_dmarc.broken.example SERVFAIL TXT\n"
    "_dmarc.org.example TXT \"v=DMARC1; p=none\"\n"
    "_dmarc.bank TXT \"v=DMARC1; p=reject; psd=y\"\n"
    "a.example._report._dmarc.yes.example TXT \"v=DMARC1\"\n"
    "a.example._report._dmarc.semi.example TXT \"v=DMARC1;\"\n"
    "*._report._dmarc.all.example TXT \"v=DMARC1\"\n"
    "a.example._report._dmarc.all.example TXT \"v=DMARC1\"\n"
    "a.example._report._dmarc.no.example TXT \"no\"\n"
    "a.example._report._dmarc.no.example TXT \"p=none; v=DMARC1\"\n"
    "a.example._report._dmarc.mixed.example TXT \"x\"\n"
    "a.example._report._dmarc.mixed.example TXT \"v=DMARC1; "
    "rua=mailto:m@mixed.example\"\n"
    "a.example._report._dmarc.away.example TXT \"v=DMARC1; "
    "rua=mailto:ok@away.example,mailto:v@victim.example\"\n"
    "a.example._report._dmarc.sub.away.example TXT \"v=DMARC1; "
    "rua=mailto:ok@away.example\"\n"
    "a.example._report._dmarc.junk.example TXT \"v=DMARC1; rua=junk\"\n"
    "a.example._report._dmarc.void.example TXT \"v=DMARC1; a=b; a=c\"\n"
    "a.example._report._dmarc.later.example TIMEOUT TXT\n"
    "a.example._report._dmarc.bad.example SERVFAIL TXT\n"
    "b.example._report._dmarc.victim.example TXT \"v=DMARC1\"\n";

static const struct {
	const char *claim, *domain, *host;
	enum report_answer want;
	const char *targets;
} consents[] = {
    {"the domain itself", "a.example", "a.example", REPORT_YES, "d@a.example"},
    {"a host of the organisation", "a.example", "sub.a.example", REPORT_YES,
	"d@sub.a.example"},
    {"a domain of the organisation", "sub.org.example", "mail.org.example",
	REPORT_YES, "d@mail.org.example"},
    {"a third party that agrees", "a.example", "yes.example", REPORT_YES,
	"d@yes.example"},
    {"one that agrees with a final ';'", "a.example", "semi.example",
	REPORT_YES, "d@semi.example"},
    {"one that is silent (row 50)", "a.example", "silent.example", REPORT_NO,
	NULL},
    {"one that agrees to others (row 50)", "a.example", "victim.example",
	REPORT_NO, NULL},
    {"one that says something else", "a.example", "no.example", REPORT_NO,
	NULL},
    {"a record whose tags are twice", "a.example", "void.example", REPORT_NO,
	NULL},
    {"one that names another address of its own", "a.example", "mixed.example",
	REPORT_YES, "m@mixed.example"},
    {"one that names a third (RFC 9990 section 4)", "a.example", "away.example",
	REPORT_NO, NULL},
    {"one that names its parent", "a.example", "sub.away.example", REPORT_NO,
	NULL},
    {"one that names what is no address", "a.example", "junk.example",
	REPORT_NO, NULL},
    {"no answer now", "a.example", "later.example", REPORT_LATER, NULL},
    {"a failure of the server", "a.example", "bad.example", REPORT_LATER, NULL},
    {"an organisation that is not known now", "a.example", "broken.example",
	REPORT_LATER, NULL},
    {"under one public suffix (psd=y) are many organisations", "x.bank",
	"y.bank", REPORT_NO, NULL},
};

static void
test_consent(struct dns *dns, struct arena *a)
{
	for (size_t i = 0; i < sizeof consents / sizeof *consents; i++) {
		struct report_targets got = {0};
		struct span host = span_of(consents[i].host);
		struct report_target target = {
		    .address = arena_printf(a, "d@%.*s", SPAN_ARG(host)),
		    .host = host,
		    .max_size = 7,
		};
		tap_case(consents[i].claim);
		struct dns_batch *batch = dns_batch_new(dns, a, 1000, 100);
		CHECK_INT(report_target_allowed(span_of(consents[i].domain),
			      &target, batch, a, &got),
		    consents[i].want);
		if (consents[i].targets && CHECK_INT(got.v.n, 1))
			CHECK_STR(got.v.v[0].address, consents[i].targets);
	}
}

static void
test_long_name(struct dns *dns, struct arena *a)
{
	char domain[252], host[252];
	struct report_targets got;

	TAP_CASE("a question that would be too long is a no (step 4)");
	for (size_t i = 0; i < sizeof domain; i++) {
		domain[i] = i % 50 == 49 ? '.' : 'a';
		host[i] = i % 50 == 49 ? '.' : 'b';
	}
	struct report_target target = {
	    .address = SPAN("d@b"), .host = {host, sizeof host}};
	struct dns_batch *batch = dns_batch_new(dns, a, 1000, 100);
	CHECK_INT(report_target_allowed(span_make(domain, sizeof domain),
		      &target, batch, a, &got),
	    REPORT_NO);
}

static void
test_records(struct dns *dns, struct arena *a)
{
	static const struct {
		const char *claim, *domain;
		enum report_answer want;
	} cases[] = {
	    {"a record", "a.example", REPORT_YES},
	    {"none", "none.example", REPORT_NO},
	    {"two are none", "two.example", REPORT_NO},
	    {"one whose tags are twice", "twice.example", REPORT_NO},
	    {"something else", "other.example", REPORT_NO},
	    {"no answer now: the record", "later.example", REPORT_LATER},
	    {"a failure: the record", "broken.example", REPORT_LATER},
	};
	struct dmarc_record record;

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		tap_case(cases[i].claim);
		struct dns_batch *batch = dns_batch_new(dns, a, 1000, 100);
		CHECK_INT(report_find_record(
			      span_of(cases[i].domain), batch, a, &record),
		    cases[i].want);
	}
}

static struct dns *
open_zone(char path[64])
{
	struct dns_options options = {.zone = path};
	struct dns *dns;
	struct err err;

	snprintf(path, 64, "/tmp/assay-rua-XXXXXX");
	int fd = mkstemp(path);
	if (fd < 0 ||
	    write(fd, zone_text, sizeof zone_text - 1) !=
		(ssize_t)sizeof zone_text - 1 ||
	    dns_open(&options, &dns, &err))
		exit(1);
	close(fd);
	return dns;
}

int
main(void)
{
	struct arena *a = arena_new(0);
	char path[64];
	struct dns *dns = open_zone(path);

	test_uris(a);
	test_many(a);
	test_consent(dns, a);
	test_long_name(dns, a);
	test_records(dns, a);
	arena_free(a);
	dns_close(dns);
	unlink(path);
	return tap_done();
}
