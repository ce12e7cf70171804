/* Zone files: what is accepted, what it answers, and where faults are. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "filter/base/buf.h"
#include "filter/dns/dns.h"
#include "filter/dns/name.h"
#include "filter/dns/zone.h"
#include "tests/lib/tap.h"

static struct arena *arena;

/* A resolver over a zone that is written to a file first. */
static struct dns *
open_text(struct span text, struct err *err)
{
	char path[] = "/tmp/assay-zone-XXXXXX";
	int fd = mkstemp(path);
	struct dns *dns = NULL;

	if (fd < 0 || write(fd, text.p, text.len) != (ssize_t)text.len)
		abort();
	close(fd);
	struct dns_options options = {.zone = path};
	if (dns_open(&options, &dns, err))
		dns = NULL;
	unlink(path);
	return dns;
}

/*
 * An answer as text: its status, or its records with blanks between; bytes
 * that do not print are %XX.
 */
static const char *
ask(struct dns *dns, struct span name, const char *type_name)
{
	enum dns_type type = dns_type_of(span_of(type_name));
	struct dns_batch *batch = dns_batch_new(dns, arena, 1000, 100);
	const struct dns_answer *answer = dns_get(batch, name, type);
	struct buf out;

	buf_init(&out, arena, 4000);
	if (answer->status != DNS_OK)
		buf_add_str(&out, dns_status_name(answer->status));
	for (size_t i = 0; i < answer->n; i++) {
		const struct dns_record *r = &answer->records[i];
		if (i)
			buf_add_char(&out, '|');
		if (type == DNS_MX)
			buf_printf(&out, "%u:", r->preference);
		for (size_t k = 0; k < r->data.len; k++) {
			char c = r->data.p[k];
			if (type == DNS_A || type == DNS_AAAA || c < 0x20)
				buf_printf(&out, "%%%02x", (unsigned char)c);
			else
				buf_add_char(&out, c);
		}
	}
	return buf_str(&out);
}

static const char zone_text[] =
    "; comment\n"
    "\n"
    "plain.example A 192.0.2.1\n"
    "dotted.example. 300 IN A 192.0.2.2 ; comment\n"
    "swapped.example. IN 1h30m A 192.0.2.3\r\n"
    "UPPER.Example aaaa 2001:db8::1\n"
    "mapped.example AAAA ::ffff:192.0.2.9\n"
    "two.example A 192.0.2.4\n"
    "        A 192.0.2.5\n"
    "two.example A 192.0.2.6\n"
    "txt.example TXT \"v=spf1 \" \"-all\" plain;c\n"
    "escape.example TXT \"a\\\"b\\\\c\\000d\\255\" e\\ f\\;\n"
    "empty.example TXT \"\"\n"
    "paren.example IN TXT ( \"one\" ; first\n"
    "   \"two\" )\n"
    "mx.example MX 10 Mail.Example.\n"
    "mx.example MX 0 .\n"
    "ns.example NS ns1.example\n"
    "ptr.example PTR odd\\.label\\032x\\\\.example\n"
    "soa.example SOA ns.example host\\.master.example 1 2h 3 4 5\n"
    "alias.example CNAME plain.example\n"
    "alias2.example CNAME ALIAS.example.\n"
    "alias2.example TXT own\n"
    "dangling.example CNAME nowhere.example\n"
    "loop1.example CNAME loop2.example\n"
    "loop2.example CNAME loop1.example\n"
    "self.example CNAME self.example\n"
    "to-timeout.example CNAME slow.example\n"
    "slow.example TIMEOUT\n"
    "slow.example A 192.0.2.7\n"
    "half.example TIMEOUT TXT\n"
    "half.example A 192.0.2.8\n"
    "bad.example SERVFAIL\n"
    "badmx.example IN SERVFAIL MX\n"
    "badmx.example MX 1 a.example\n"
    "deep.below.example A 192.0.2.9\n"
    "*.wild.example A 192.0.2.10\n"
    "_dmarc.example TXT x\n"
    "nul\\000.example TXT nul\n"
    "7.2.0.192.in-addr.arpa PTR host.example\n"
    "$TTL 1d\n"
    "last.example A 192.0.2.99";

static const struct {
	const char *claim;
	const char *name, *type, *want;
} lookups[] = {
    {"no TTL, no class", "plain.example", "A", "%c0%00%02%01"},
    {"names ignore case and a final dot", "PLAIN.example.", "a",
	"%c0%00%02%01"},
    {"TTL, class and a comment", "dotted.example", "A", "%c0%00%02%02"},
    {"class before a TTL with units, CRLF", "swapped.example", "A",
	"%c0%00%02%03"},
    {"AAAA", "upper.example", "AAAA",
	"%20%01%0d%b8%00%00%00%00%00%00%00%00%00%00%00%01"},
    {"a mapped AAAA stays one", "mapped.example", "AAAA",
	"%00%00%00%00%00%00%00%00%00%00%ff%ff%c0%00%02%09"},
    {"a blank begins a line of the name before", "two.example", "A",
	"%c0%00%02%04|%c0%00%02%05|%c0%00%02%06"},
    {"TXT strings are joined, a semicolon begins a comment", "txt.example",
	"TXT", "v=spf1 -allplain"},
    {"\\X and \\DDD, NUL too", "escape.example", "TXT", "a\"b\\c%00d%ffe f;"},
    {"an empty string is a record", "empty.example", "TXT", ""},
    {"parentheses join lines", "paren.example", "TXT", "onetwo"},
    {"MX in the file's order, the null MX is the root", "mx.example", "MX",
	"10:mail.example|0:"},
    {"NS", "ns.example", "NS", "ns1.example"},
    {"odd bytes in a name's labels are escaped", "ptr.example", "PTR",
	"odd\\046label\\032x\\092.example"},
    {"SOA", "soa.example", "SOA",
	"ns.example host\\046master.example 1 7200 3 4 5"},
    {"a CNAME is followed", "alias.example", "A", "%c0%00%02%01"},
    {"two CNAMEs are", "alias2.example", "A", "%c0%00%02%01"},
    {"a record beside a CNAME wins", "alias2.example", "TXT", "own"},
    {"the CNAME itself", "alias2.example", "CNAME", "alias.example"},
    {"no data behind a CNAME", "alias.example", "MX", "NODATA"},
    {"a CNAME to nowhere", "dangling.example", "A", "NXDOMAIN"},
    {"a CNAME loop of two", "loop1.example", "A", "SERVFAIL"},
    {"a CNAME loop of one", "self.example", "A", "SERVFAIL"},
    {"a CNAME to a timeout", "to-timeout.example", "TXT", "TIMEOUT"},
    {"TIMEOUT without type leaves records alone", "slow.example", "A",
	"%c0%00%02%07"},
    {"TIMEOUT without type is all the others", "slow.example", "MX", "TIMEOUT"},
    {"TIMEOUT of a type", "half.example", "TXT", "TIMEOUT"},
    {"TIMEOUT of another type", "half.example", "A", "%c0%00%02%08"},
    {"TIMEOUT of another type, no data", "half.example", "MX", "NODATA"},
    {"SERVFAIL", "bad.example", "A", "SERVFAIL"},
    {"a type that fails goes before its records", "badmx.example", "MX",
	"SERVFAIL"},
    {"a name without the type", "plain.example", "TXT", "NODATA"},
    {"a name that is not there", "none.example", "A", "NXDOMAIN"},
    {"a name that only has names below it", "below.example", "A", "NXDOMAIN"},
    {"a star is a name like any other", "a.wild.example", "A", "NXDOMAIN"},
    {"a star can be asked", "*.wild.example", "A", "%c0%00%02%0a"},
    {"an underscore", "_DMARC.example", "TXT", "x"},
    {"in-addr.arpa", "7.2.0.192.in-addr.arpa", "PTR", "host.example"},
    {"a last line without its end", "last.example", "A", "%c0%00%02%63"},
    {"an empty label asked", "a..example", "A", "NXDOMAIN"},
    {"nothing asked", "", "A", "NXDOMAIN"},
    {"the root asked", ".", "A", "NXDOMAIN"},
};

static void
test_lookups(void)
{
	struct err err = {0};
	struct dns *dns =
	    open_text(span_make(zone_text, sizeof zone_text - 1), &err);

	TAP_CASE("the zone loads")
	if (!CHECK(dns != NULL)) {
		printf("# %s\n", err.text);
		return;
	}
	for (size_t i = 0; i < sizeof lookups / sizeof *lookups; i++) {
		TAP_CASE(lookups[i].claim)
		const char *got =
		    ask(dns, span_of(lookups[i].name), lookups[i].type);
		CHECK_STR(span_of(got), lookups[i].want);
	}
	TAP_CASE("a NUL in a name is a byte of it")
	CHECK_STR(span_of(ask(dns, SPAN("nul\0.example"), "TXT")), "nul");
	dns_close(dns);
}

#define L63 "aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffffggg"
#define LONG_NAME L63 "." L63 "." L63 "." L63

static const struct {
	const char *claim;
	const char *text, *want;
} faults[] = {
    {"a bad address", "a.example A 192.0.2.256\n",
	"zone:1: not an IPv4 address: 192.0.2.256"},
    {"an address with a tail", "a.example A 192.0.2.1x\n",
	"zone:1: not an IPv4 address: 192.0.2.1x"},
    {"an IPv6 address as A", "\na.example A 2001:db8::1\n",
	"zone:2: not an IPv4 address: 2001:db8::1"},
    {"a bad IPv6 address", "a.example AAAA ::g\n",
	"zone:1: not an IPv6 address: ::g"},
    {"nothing after the name", "a.example\n", "zone:1: the type is missing"},
    {"nothing after the TTL", "a.example 300 IN\n",
	"zone:1: the type is missing"},
    {"nothing after the type", "a.example A\n", "zone:1: not an IPv4 address"},
    {"an unknown type", "a.example SPF x\n", "zone:1: unknown type: SPF"},
    {"another class", "a.example CH TXT x\n", "zone:1: unknown type: CH"},
    {"a tail", "a.example A 192.0.2.1 192.0.2.2\n",
	"zone:1: more than the type takes: 192.0.2.2"},
    {"a name that is missing", "a.example MX 10\n",
	"zone:1: a name is missing"},
    {"a preference that is none", "a.example MX x m.example\n",
	"zone:1: not a number up to 65535: x"},
    {"a preference too large", "a.example MX 65536 m.example\n",
	"zone:1: not a number up to 65535: 65536"},
    {"an empty label", "a..example A 192.0.2.1\n",
	"zone:1: an empty label: a..example"},
    {"a leading dot", ".example A 192.0.2.1\n",
	"zone:1: an empty label: .example"},
    {"a label of 64", L63 "x.example A 192.0.2.1\n",
	"zone:1: a label over 63 bytes: "
	"aaaaaaaaaabbbbbbbbbbccccccccccdddddddddd"},
    {"a name of 255", LONG_NAME " A 192.0.2.1\n",
	"zone:1: a name over 253 bytes: "
	"aaaaaaaaaabbbbbbbbbbccccccccccdddddddddd"},
    {"an origin", "@ A 192.0.2.1\n",
	"zone:1: @ means nothing, there is no origin: @"},
    {"$ORIGIN", "$ORIGIN example.\n", "zone:1: unknown directive: $ORIGIN"},
    {"a TTL with an unknown unit is no TTL", "a.example 5y A 192.0.2.1\n",
	"zone:1: unknown type: 5y"},
    {"a TTL too large is no TTL", "a.example 4294967296 A 192.0.2.1\n",
	"zone:1: unknown type: 4294967296"},
    {"a TTL of many digits is no TTL", "a.example 99999999999 A 192.0.2.1\n",
	"zone:1: unknown type: 99999999999"},
    {"$TTL without a time", "$TTL x\n", "zone:1: not a time: x"},
    {"\\DDD above 255", "a.example TXT \"\\256\"\n",
	"zone:1: a bad escape: \\256"},
    {"\\DDD of two digits", "a.example TXT \"\\12x\"\n",
	"zone:1: a bad escape: \\12x"},
    {"a bad escape in a name", "a\\9.example TXT x\n",
	"zone:1: a bad escape: a\\9.example"},
    {"a backslash at a line's end", "a.example TXT x\\\nb.example TXT y\n",
	"zone:1: a backslash at the end of a line"},
    {"a string without its end", "a.example TXT \"abc\nb.example TXT y\n",
	"zone:1: a quoted string without its end"},
    {"a string without its end, at the end", "a.example TXT \"abc",
	"zone:1: a quoted string without its end"},
    {"a parenthesis without its end", "\na.example TXT ( x\n\n",
	"zone:2: parentheses do not pair"},
    {"a parenthesis inside another", "a.example TXT ( ( x ) )\n",
	"zone:1: parentheses do not pair"},
    {"a closing one alone", "a.example TXT x )\n",
	"zone:1: parentheses do not pair"},
    {"a record without a name", "  A 192.0.2.1\n",
	"zone:1: the name is missing: A"},
    {"TIMEOUT of an unknown type", "a.example TIMEOUT FOO\n",
	"zone:1: unknown type: FOO"},
    {"TIMEOUT with a tail", "a.example TIMEOUT A x\n",
	"zone:1: more than the type takes: x"},
    {"controls in a word are coded", "a.example \001 x\n",
	"zone:1: unknown type: %01"},
    {"all faults are counted, and one spoils no other line",
	"a A x\nb.example A 192.0.2.1\nc MX\n\n  A x\nd.example SERVFAIL\n",
	"zone:1: not an IPv4 address: x (and 2 more)"},
};

static void
test_faults(void)
{
	for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) {
		struct zone *zone = NULL;
		struct err err = {0};
		TAP_CASE(faults[i].claim)
		CHECK_INT(
		    zone_parse(span_of(faults[i].text), "zone", &zone, &err),
		    ERR_SYNTAX);
		CHECK_STR(span_of(err.text), faults[i].want);
		zone_free(zone);
	}
	TAP_CASE("a file that is not there is named")
	struct dns_options options = {.zone = "/nonexistent/zone"};
	struct dns *dns = NULL;
	struct err err = {0};
	CHECK(dns_open(&options, &dns, &err) != 0);
	CHECK(span_starts(span_of(err.text), SPAN("/nonexistent/zone: ")));
	dns_close(dns);
}

/* A zone with one TXT record of `len` bytes in strings of `piece`. */
static struct span
txt_zone(size_t len, size_t piece)
{
	struct buf b;

	buf_init(&b, arena, 2000000);
	buf_add_str(&b, "big.example TXT ");
	for (size_t at = 0; at < len; at += piece) {
		buf_add_str(&b, " \"");
		for (size_t i = at; i < len && i < at + piece; i++)
			buf_add_char(&b, (char)('a' + i % 26));
		buf_add_str(&b, "\"");
	}
	buf_add_str(&b, "\n");
	return buf_span(&b);
}

static void
test_large(void)
{
	static const struct {
		const char *claim;
		size_t len, piece;
		bool good;
	} cases[] = {
	    {"a TXT of 64 KB in strings of 255", 65279, 255, true},
	    {"a TXT of 64 KB in one string", 65279, 100000, true},
	    {"a TXT of 32 KB in strings of one byte", 32767, 1, true},
	    {"a TXT that no message could carry", 65280, 255, false},
	    {"strings of one byte that no message could carry", 32768, 1,
		false},
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct err err = {0};
		TAP_CASE(cases[i].claim)
		arena_reset(arena);
		struct dns *dns =
		    open_text(txt_zone(cases[i].len, cases[i].piece), &err);
		CHECK_INT(dns != NULL, cases[i].good);
		if (!dns) {
			CHECK(err.text[0] != 0);
			continue;
		}
		struct dns_batch *b = dns_batch_new(dns, arena, 1000, 10);
		const struct dns_answer *a =
		    dns_get(b, SPAN("big.example"), DNS_TXT);
		CHECK_INT(a->n, 1);
		CHECK_INT(a->records[0].data.len, cases[i].len);
		bool same = true;
		for (size_t k = 0; k < a->records[0].data.len; k++)
			same &= a->records[0].data.p[k] == (char)('a' + k % 26);
		CHECK(same);
		arena_reset(arena);
		dns_close(dns);
	}
}

static void
test_many(void)
{
	struct buf b;
	struct err err = {0};

	TAP_CASE("records past 256 are left out")
	arena_reset(arena);
	buf_init(&b, arena, 1000000);
	for (unsigned i = 0; i < 400; i++)
		buf_printf(
		    &b, "many.example A 192.0.%u.%u\n", i / 200, i % 200);
	struct dns *dns = open_text(buf_span(&b), &err);
	struct dns_batch *batch = dns_batch_new(dns, arena, 1000, 10);
	const struct dns_answer *a =
	    dns_get(batch, SPAN("many.example"), DNS_A);
	CHECK_INT(a->status, DNS_OK);
	CHECK_INT(a->n, 256);
	arena_reset(arena);
	dns_close(dns);

	TAP_CASE("bytes past 64 KB are left out, record by record")
	buf_init(&b, arena, 1000000);
	for (unsigned i = 0; i < 3; i++) {
		buf_add_str(&b, "fat.example TXT \"");
		for (unsigned k = 0; k < 30000; k++)
			buf_add_char(&b, 'x');
		buf_add_str(&b, "\"\n");
	}
	buf_add_str(&b, "fat.example TXT small\n");
	dns = open_text(buf_span(&b), &err);
	batch = dns_batch_new(dns, arena, 1000, 10);
	a = dns_get(batch, SPAN("fat.example"), DNS_TXT);
	CHECK_INT(a->n, 3);
	CHECK_STR(a->records[2].data, "small");
	arena_reset(arena);
	dns_close(dns);
}

static void
test_names(void)
{
	char folded[NAME_FOLDED_MAX], text[NAME_TEXT_MAX];
	size_t len;

	TAP_CASE("a name of 253 bytes is the longest (RFC 1035 2.3.4)")
	static const char long_name[] = LONG_NAME;
	struct span name = span_make(long_name, 253);
	CHECK_INT(name_fold(name, folded), 253);
	CHECK_INT(name_fold(span_make(long_name, 254), folded), 0);
	uint8_t wire[NAME_WIRE_MAX];
	CHECK_INT(name_to_wire(name, wire), 255);
	CHECK_INT(name_to_text(span_make((char *)wire, 255), text, &len), 255);
	CHECK_SPAN(span_make(text, len), name);

	TAP_CASE("a label of 63 bytes is the longest")
	CHECK_INT(name_fold(SPAN(L63), folded), 63);
	CHECK_INT(name_fold(SPAN(L63 "x"), folded), 0);

	static const struct {
		const char *claim;
		struct span wire;
	} bad[] = {
	    {"a pointer is refused", {"\300\014", 2}},
	    {"a label past the end is refused", {"\005ab", 3}},
	    {"a label up to the end, without root, is refused", {"\002ab", 3}},
	    {"nothing is no name", {"", 0}},
	    {"a reserved label type is refused", {"\100a\000", 3}},
	};
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		TAP_CASE(bad[i].claim)
		CHECK_INT(name_to_text(bad[i].wire, text, &len), 0);
	}
	TAP_CASE("a name that never ends is refused")
	char endless[400];
	for (size_t i = 0; i < sizeof endless; i += 2)
		memcpy(endless + i, "\001a", 2);
	CHECK_INT(
	    name_to_text(span_make(endless, sizeof endless), text, &len), 0);
}

int
main(void)
{
	arena = arena_new(0);
	test_lookups();
	test_faults();
	test_large();
	test_many();
	test_names();
	arena_free(arena);
	return tap_done();
}
