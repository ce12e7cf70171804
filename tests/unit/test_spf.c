/* check_host() of RFC 7208 over a zone: every limit, every mechanism. */
#include "filter/auth/spf.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "filter/base/buf.h"
#include "tests/lib/tap.h"

static struct arena *arena;
static struct dns *dns;
static struct spf_answer answer;
static struct dns_batch *batch;

static const char zone_text[] =
    "plain.example.com. TXT \"v=spf1 ip4:192.0.2.0/24 ip6:2001:db8::/32 "
    "-all\"\n"
    "soft.example.com. TXT \"v=spf1 ip4:192.0.2.1 ~all\"\n"
    "open.example.com. TXT \"v=spf1 ip4:192.0.2.1\"\n"
    "empty.example.com. TXT \"v=spf1\"\n"
    "other.example.com. TXT \"something else\"\n"
    "two.example.com. TXT \"v=spf1 -all\"\n"
    "two.example.com. TXT \"v=spf1 +all\"\n"
    "both.example.com. TXT \"something else\"\n"
    "both.example.com. TXT \"v=spf1 -all\"\n"
    "nul.example.com. TXT \"v=spf1 ip4:192.0.2.1\\000 -all\"\n"
    "nul2.example.com. TXT \"v=spf1 \\000all\"\n"
    "nul3.example.com. TXT \"v=spf1 a:a.example.com\\000.evil.example\"\n"
    "late.example.com. TIMEOUT TXT\n"
    "broken.example.com. SERVFAIL TXT\n"
    "any.example.com. TXT \"v=spf1 ip4:0.0.0.0/0 -all\"\n"
    "any6.example.com. TXT \"v=spf1 ip6:::/0 -all\"\n"
    "mapped.example.com. TXT \"v=spf1 ip6:::ffff:192.0.2.1/64 -all\"\n"
    /* a and mx */
    "a.example.com. A 192.0.2.10\n"
    "a.example.com. A 192.0.2.11\n"
    "a.example.com. AAAA 2001:db8::10\n"
    "a.example.com. TXT \"v=spf1 a -all\"\n"
    "a24.example.com. TXT \"v=spf1 a:a.example.com/24//64 -all\"\n"
    "a0.example.com. TXT \"v=spf1 a:a.example.com/0//0 -all\"\n"
    "mx.example.com. MX 10 a.example.com.\n"
    "mx.example.com. MX 20 b.example.com.\n"
    "b.example.com. A 198.51.100.20\n"
    "mx.example.com. TXT \"v=spf1 mx -all\"\n"
    "mx24.example.com. TXT \"v=spf1 mx:mx.example.com/24 -all\"\n"
    "mx0.example.com. TXT \"v=spf1 mx:mx.example.com/0 -all\"\n"
    "nullmx.example.com. MX 0 .\n"
    "nullmx.example.com. TXT \"v=spf1 mx ~all\"\n"
    "slowhost.example.com. MX 10 late-host.example.com.\n"
    "slowhost.example.com. TXT \"v=spf1 mx -all\"\n"
    "late-host.example.com. TIMEOUT\n"
    "late-a.example.com. TXT \"v=spf1 a:late-host.example.com -all\"\n"
    "late-inc.example.com. TXT \"v=spf1 include:late.example.com -all\"\n"
    "late-unused.example.com. TXT \"v=spf1 ip4:192.0.2.1 "
    "a:late-host.example.com -all\"\n"
    "cname.example.com. CNAME a.example.com.\n"
    "viacname.example.com. TXT \"v=spf1 a:cname.example.com -all\"\n"
    /* exists */
    "exists.example.com. TXT \"v=spf1 exists:%{ir}.%{l}._spf.%{d} -all\"\n"
    "10.2.0.192.ann._spf.exists.example.com. A 127.0.0.2\n"
    /* include and redirect */
    "inc.example.com. TXT \"v=spf1 include:soft.example.com -all\"\n"
    "incnone.example.com. TXT \"v=spf1 include:other.example.com -all\"\n"
    "incbad.example.com. TXT \"v=spf1 include:two.example.com -all\"\n"
    "red.example.com. TXT \"v=spf1 redirect=soft.example.com\"\n"
    "rednone.example.com. TXT \"v=spf1 redirect=other.example.com\"\n"
    "red2.example.com. TXT \"v=spf1 redirect=red.example.com a:a.example.com "
    "x=y\"\n"
    "incsame.example.com. TXT \"v=spf1 -include:open.example.com -all\"\n"
    "inctwice.example.com. TXT \"v=spf1 ?include:incsame.example.com "
    "include:open.example.com ~all\"\n"
    "increed.example.com. TXT \"v=spf1 include:red.example.com ?all\"\n"
    "self.example.com. TXT \"v=spf1 include:self.example.com -all\"\n"
    "loop1.example.com. TXT \"v=spf1 include:loop2.example.com -all\"\n"
    "loop2.example.com. TXT \"v=spf1 redirect=loop1.example.com\"\n"
    "redself.example.com. TXT \"v=spf1 redirect=redself.example.com\"\n"
    /* explanations */
    "exp.example.com. TXT \"v=spf1 -all exp=why.example.com\"\n"
    "why.example.com. TXT \"%{i} is not of %{d}: %{s} (%{c} %{r} %{t} %{h})\"\n"
    "expred.example.com. TXT \"v=spf1 redirect=exp.example.com "
    "exp=notthis.example.com\"\n"
    "notthis.example.com. TXT \"the wrong one\"\n"
    "expinc.example.com. TXT \"v=spf1 include:exp.example.com -all\"\n"
    "expbare.example.com. TXT \"v=spf1 redirect=bare.example.com "
    "exp=notthis.example.com\"\n"
    "bare.example.com. TXT \"v=spf1 -all\"\n"
    "exptwo.example.com. TXT \"v=spf1 -all exp=twotexts.example.com\"\n"
    "twotexts.example.com. TXT \"one\"\n"
    "twotexts.example.com. TXT \"two\"\n"
    "expbad.example.com. TXT \"v=spf1 -all exp=badtext.example.com\"\n"
    "badtext.example.com. TXT \"%{q}\"\n"
    "exp8.example.com. TXT \"v=spf1 -all exp=text8.example.com\"\n"
    "text8.example.com. TXT \"caf\\195\\169\"\n"
    "expcrlf.example.com. TXT \"v=spf1 -all exp=crlf.example.com\"\n"
    "crlf.example.com. TXT \"a\\013\\010250 Ok\"\n"
    "expl.example.com. TXT \"v=spf1 -all exp=textl.example.com\"\n"
    "textl.example.com. TXT \"[%{l}]\"\n"
    "explate.example.com. TXT \"v=spf1 -all exp=late-host.example.com\"\n"
    "expmissing.example.com. TXT \"v=spf1 -all exp=nowhere.example.com\"\n"
    /* ptr and %{p} */
    "10.2.0.192.in-addr.arpa. PTR fake.example.net.\n"
    "10.2.0.192.in-addr.arpa. PTR a.example.com.\n"
    "fake.example.net. A 198.51.100.1\n"
    "ptr.example.com. TXT \"v=spf1 ptr:example.com -all\"\n"
    "ptrfake.example.com. TXT \"v=spf1 ptr:example.net -all\"\n"
    "p.example.com. TXT \"v=spf1 exists:%{p}.seen.example.com -all\"\n"
    "a.example.com.seen.example.com. A 127.0.0.2\n"
    "unknown.seen.example.com. A 127.0.0.2\n"
    "0.1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa. "
    "PTR a.example.com.\n"
    "99.2.0.192.in-addr.arpa. TIMEOUT PTR\n"
    /* limits */
    "void2.example.com. TXT \"v=spf1 a:v1.example.com mx:v2.example.com "
    "-all\"\n"
    "void3.example.com. TXT \"v=spf1 a:v1.example.com mx:v2.example.com "
    "exists:v3.example.com -all\"\n"
    "ten.example.com. TXT \"v=spf1 a:b.example.com a:b.example.com "
    "a:b.example.com a:b.example.com a:b.example.com a:b.example.com "
    "a:b.example.com a:b.example.com a:b.example.com a:b.example.com "
    "ip4:192.0.2.1 -all\"\n"
    "eleven.example.com. TXT \"v=spf1 a:b.example.com a:b.example.com "
    "a:b.example.com a:b.example.com a:b.example.com a:b.example.com "
    "a:b.example.com a:b.example.com a:b.example.com a:b.example.com "
    "a:b.example.com ip4:192.0.2.1 -all\"\n"
    "early.example.com. TXT \"v=spf1 ip4:192.0.2.1 a:b.example.com "
    "a:b.example.com a:b.example.com a:b.example.com a:b.example.com "
    "a:b.example.com a:b.example.com a:b.example.com a:b.example.com "
    "a:b.example.com a:b.example.com -all\"\n"
    "wide.example.com. TXT \"v=spf1 include:w1.example.com "
    "include:w2.example.com include:w3.example.com -all\"\n"
    "w1.example.com. TXT \"v=spf1 a:b.example.com a:b.example.com "
    "a:b.example.com a:b.example.com ?all\"\n"
    "w2.example.com. TXT \"v=spf1 redirect=w1.example.com\"\n"
    "w3.example.com. TXT \"v=spf1 ip4:192.0.2.1\"\n"
    /* loopback */
    "lo.example.com. TXT \"v=spf1 ip4:127.0.0.1 ip6:::1 a:lo-a.example.com "
    "-all\"\n"
    "lo-a.example.com. A 127.9.9.9\n"
    "lo24.example.com. TXT \"v=spf1 a:lo-a.example.com/24 -all\"\n"
    "loexists.example.com. TXT \"v=spf1 exists:%{ir}.x.example.com -all\"\n"
    "1.0.0.127.x.example.com. A 127.0.0.2\n"
    /* internationalised */
    "xn--bcher-kva.example. TXT \"v=spf1 ip4:192.0.2.1 -all\"\n"
    "eai.example.com. TXT \"v=spf1 exists:%{l}.x.example.com "
    "include:%{l}.x.example.com ~all\"\n"
    "\\195\\169.x.example.com. A 127.0.0.2\n"
    "\\195\\169.x.example.com. TXT \"v=spf1 +all\"\n"
    "helo.example.com. TXT \"v=spf1 ip4:192.0.2.7 -all\"\n";

/* --- a zone and a question -------------------------------------------------------- */

static void
add_repeated(struct buf *zone, const char *name, const char *first,
    const char *text, unsigned times, const char *last)
{
	size_t in_string = strlen(first);

	buf_printf(zone, "%s.example.com. TXT \"%s", name, first);
	for (unsigned i = 0; i < times; i++) {
		/* A string has at most 255 bytes. */
		if (in_string + strlen(text) > 250) {
			buf_add_str(zone, "\" \"");
			in_string = 0;
		}
		buf_add_str(zone, text);
		in_string += strlen(text);
	}
	buf_printf(zone, "\" \"%s\"\n", last);
}

/* What is too long or too much to be written out. */
static void
add_large(struct buf *zone)
{
	char letters[201];

	memset(letters, 'a', 200);
	letters[200] = '\0';
	add_repeated(zone, "cve", "v=spf1 a:", "%{d}", 127, "");
	buf_truncate(zone, zone->len - 1);
	for (int i = 0; i < 30; i++)
		buf_printf(zone, " \"%s\"", letters);
	buf_add_char(zone, '\n');
	/* The same with an end that makes it a domain-spec. */
	add_repeated(zone, "cve2", "v=spf1 a:", "%{d}", 127, ".com -all");
	add_repeated(zone, "cve3", "v=spf1 -all x=", "%{d}", 127, letters);
	add_repeated(zone, "cve4", "v=spf1 -all exp=", "%{d}", 200, ".com");
	add_repeated(zone, "nets", "v=spf1 ", "ip4:198.51.100.1 ", 3000,
	    "ip4:192.0.2.1 -all");
	add_repeated(zone, "nets6", "v=spf1 ",
	    "ip6:2001:db8:1111:2222:3333:4444:5555:6666 ", 200,
	    "ip6:2001:db8:aaaa:bbbb:cccc:dddd:eeee:ffff -all");
	add_repeated(
	    zone, "expbig", "v=spf1 -all exp=big.example.com", "", 0, "");
	add_repeated(zone, "big", "", "twenty letters long.", 3000, "end");
	add_repeated(
	    zone, "expamp", "v=spf1 -all exp=amp.example.com", "", 0, "");
	add_repeated(zone, "amp", "", "%{s}%{h}", 8000, "end");
	for (int i = 0; i < 11; i++) {
		buf_printf(zone, "mx11.example.com. MX 10 b.example.com.\n");
		buf_printf(
		    zone, "many.example.com. MX %d m%d.example.com.\n", i, i);
		if (i < 10)
			buf_printf(zone,
			    "ten-mx.example.com. MX %d m%d.example.com.\n", i,
			    i);
		buf_printf(zone, "m%d.example.com. A 203.0.113.%d\n", i, i);
	}
	buf_add_str(zone, "many.example.com. TXT \"v=spf1 mx -all\"\n"
			  "ten-mx.example.com. TXT \"v=spf1 mx -all\"\n");
	for (int i = 0; i < 300; i++) {
		buf_printf(zone,
		    "50.2.0.192.in-addr.arpa. PTR h%03d.example.com.\n", i);
		buf_printf(zone, "h%03d.example.com. A %s\n", i,
		    i == 250 ? "192.0.2.50" : "203.0.113.1");
	}
	for (int i = 0; i < 11; i++)
		buf_printf(zone,
		    "51.2.0.192.in-addr.arpa. PTR %s%d.example.com.\n",
		    i == 9 ? "good" : "bad", i);
	buf_add_str(zone, "good9.example.com. A 192.0.2.51\n");
	/* Ten includes, each of which includes ten (row 37). */
	add_repeated(
	    zone, "tree", "v=spf1", " include:leaf.example.com", 10, " -all");
	add_repeated(
	    zone, "leaf", "v=spf1", " include:open.example.com", 10, " -all");
}

static void
open_zone(void)
{
	char path[] = "/tmp/assay-spf-XXXXXX";
	struct dns_options options = {.zone = path};
	struct err err = {0};
	struct buf zone;
	int fd = mkstemp(path);

	buf_init(&zone, NULL, 10000000);
	buf_add_str(&zone, zone_text);
	add_large(&zone);
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

static void
ask(const char *ip, struct span helo, struct span from)
{
	struct spf_request request = {.helo = helo,
	    .mail_from = from,
	    .receiver = SPAN("mx.example.net"),
	    .time = 1234567890};

	arena_reset(arena);
	batch = dns_batch_new(dns, arena, 1000, 1000);
	if (*ip && ip_parse(span_of(ip), &request.ip))
		abort();
	spf_check(&request, batch, arena, &answer);
}

/* What the answer says: result, then mechanism or problem. */
static struct span
show(void)
{
	struct span why =
	    answer.mechanism.p ? answer.mechanism : answer.problem;
	const char *result = spf_result_name(answer.result);

	if (!why.p)
		return span_of(result);
	return arena_printf(arena, "%s %.*s", result, SPAN_ARG(why));
}

struct row {
	const char *claim, *ip, *domain, *want;
};

static void
run(const struct row *rows, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		TAP_CASE(rows[i].claim);
		char from[300];
		(void)snprintf(from, sizeof from, "ann@%s", rows[i].domain);
		ask(rows[i].ip, SPAN("helo.example.com"), span_of(from));
		CHECK_STR(show(), rows[i].want);
	}
}

#define RUN(rows) run((rows), sizeof(rows) / sizeof *(rows))

/* --- cases ------------------------------------------------------------------------ */

static void
test_results(void)
{
	static const struct row rows[] = {
	    {"pass", "192.0.2.1", "plain.example.com", "pass ip4:192.0.2.0/24"},
	    {"fail", "198.51.100.1", "plain.example.com", "fail -all"},
	    {"softfail", "198.51.100.1", "soft.example.com", "softfail ~all"},
	    {"neutral where nothing matches", "198.51.100.1",
		"open.example.com", "neutral"},
	    {"neutral of an empty record", "192.0.2.1", "empty.example.com",
		"neutral"},
	    {"none without a record", "192.0.2.1", "other.example.com", "none"},
	    {"none of a name that does not exist", "192.0.2.1",
		"nowhere.example.com", "none"},
	    {"permerror of two records (4.5)", "192.0.2.1", "two.example.com",
		"permerror several SPF records at two.example.com"},
	    {"other texts do not count", "192.0.2.1", "both.example.com",
		"fail -all"},
	    {"temperror of a record that does not come", "192.0.2.1",
		"late.example.com",
		"temperror no answer for the record of late.example.com"},
	    {"temperror of a server's failure", "192.0.2.1",
		"broken.example.com",
		"temperror no answer for the record of broken.example.com"},
	    {"IPv6", "2001:db8::1", "plain.example.com",
		"pass ip6:2001:db8::/32"},
	    {"IPv6 that is not listed", "2001:db9::1", "plain.example.com",
		"fail -all"},
	    {"an IPv4-mapped client is IPv4 (5, hostile row 57)",
		"::ffff:192.0.2.1", "plain.example.com",
		"pass ip4:192.0.2.0/24"},
	    {"an ip6 term of a mapped network holds no IPv4 client",
		"192.0.2.1", "mapped.example.com", "fail -all"},
	    {"nor does it with the address mapped", "::ffff:192.0.2.1",
		"mapped.example.com", "fail -all"},
	    {"all of IPv4", "203.0.113.9", "any.example.com",
		"pass ip4:0.0.0.0/0"},
	    {"is nothing of IPv6", "2001:db8::1", "any.example.com",
		"fail -all"},
	    {"all of IPv6", "2001:db8::1", "any6.example.com", "pass ip6:::/0"},
	    {"is nothing of IPv4", "192.0.2.1", "any6.example.com",
		"fail -all"},
	    {"no client address is none (hostile row 57)", "",
		"plain.example.com", "none no client address"},
	};

	RUN(rows);
}

static void
test_mechanisms(void)
{
	static const struct row rows[] = {
	    {"a", "192.0.2.11", "a.example.com", "pass a"},
	    {"a, IPv6", "2001:db8::10", "a.example.com", "pass a"},
	    {"a does not match a neighbour", "192.0.2.12", "a.example.com",
		"fail -all"},
	    {"a with a prefix", "192.0.2.200", "a24.example.com",
		"pass a:a.example.com/24//64"},
	    {"and beyond it", "192.0.3.10", "a24.example.com", "fail -all"},
	    {"a with an IPv6 prefix", "2001:db8::ffff", "a24.example.com",
		"pass a:a.example.com/24//64"},
	    {"and beyond it, IPv6", "2001:db8:0:1::10", "a24.example.com",
		"fail -all"},
	    {"a/0 matches all where there is an address", "203.0.113.1",
		"a0.example.com", "pass a:a.example.com/0//0"},
	    {"a//0", "2001:db9::", "a0.example.com",
		"pass a:a.example.com/0//0"},
	    {"a through CNAME", "192.0.2.10", "viacname.example.com",
		"pass a:cname.example.com"},
	    {"mx", "192.0.2.10", "mx.example.com", "pass mx"},
	    {"the second mx", "198.51.100.20", "mx.example.com", "pass mx"},
	    {"mx of another", "203.0.113.1", "mx.example.com", "fail -all"},
	    {"mx with a prefix", "198.51.100.99", "mx24.example.com",
		"pass mx:mx.example.com/24"},
	    {"mx/0", "203.0.113.99", "mx0.example.com",
		"pass mx:mx.example.com/0"},
	    {"mx/0 is of IPv4 alone", "2001:db9::1", "mx0.example.com",
		"fail -all"},
	    {"a null MX matches nothing (RFC 7505)", "192.0.2.1",
		"nullmx.example.com", "softfail ~all"},
	    {"exists with macros", "192.0.2.10", "exists.example.com",
		"pass exists:%{ir}.%{l}._spf.%{d}"},
	    {"exists not", "192.0.2.11", "exists.example.com", "fail -all"},
	    {"include that passes", "192.0.2.1", "inc.example.com",
		"pass include:soft.example.com"},
	    {"include that does not pass is no match", "192.0.2.2",
		"inc.example.com", "fail -all"},
	    {"include of no record is permerror (5.2)", "192.0.2.2",
		"incnone.example.com",
		"permerror no SPF record at other.example.com"},
	    {"include of an error is permerror", "192.0.2.2",
		"incbad.example.com",
		"permerror several SPF records at two.example.com"},
	    {"include of a redirect", "192.0.2.1", "increed.example.com",
		"pass include:red.example.com"},
	    {"redirect", "192.0.2.1", "red.example.com", "pass ip4:192.0.2.1"},
	    {"redirect's result is the result", "192.0.2.2", "red.example.com",
		"softfail ~all"},
	    {"redirect comes last, wherever it stands", "192.0.2.10",
		"red2.example.com", "pass a:a.example.com"},
	    {"a chain of redirects", "192.0.2.1", "red2.example.com",
		"pass ip4:192.0.2.1"},
	    {"redirect to no record is permerror (6.1)", "192.0.2.2",
		"rednone.example.com",
		"permerror no SPF record at other.example.com"},
	    {"which of two terms of one qualifier", "192.0.2.1",
		"incsame.example.com", "fail -include:open.example.com"},
	    {"or the other", "192.0.2.2", "incsame.example.com", "fail -all"},
	    {"through two includes", "192.0.2.1", "inctwice.example.com",
		"pass include:open.example.com"},
	    {"or none of them", "192.0.2.2", "inctwice.example.com",
		"softfail ~all"},
	    {"ptr, the confirmed name", "192.0.2.10", "ptr.example.com",
		"pass ptr:example.com"},
	    {"ptr over IPv6", "2001:db8::10", "ptr.example.com",
		"pass ptr:example.com"},
	    {"ptr, a name that is not confirmed", "192.0.2.10",
		"ptrfake.example.com", "fail -all"},
	    {"ptr without names", "203.0.113.77", "ptr.example.com",
		"fail -all"},
	    {"ptr that times out does not match (5.5)", "192.0.2.99",
		"ptr.example.com", "fail -all"},
	    {"%{p}", "192.0.2.10", "p.example.com",
		"pass exists:%{p}.seen.example.com"},
	    {"%{p} of a client without a name is unknown", "203.0.113.77",
		"p.example.com", "pass exists:%{p}.seen.example.com"},
	    {"temperror of a", "192.0.2.1", "late-a.example.com",
		"temperror no answer for late-host.example.com"},
	    {"temperror of an mx host", "192.0.2.1", "slowhost.example.com",
		"temperror no answer for late-host.example.com"},
	    {"temperror of an include", "192.0.2.1", "late-inc.example.com",
		"temperror no answer for the record of late.example.com"},
	    {"but not of what is not reached", "192.0.2.1",
		"late-unused.example.com", "pass ip4:192.0.2.1"},
	};

	RUN(rows);
}

static void
test_limits(void)
{
	static const char terms[] = "permerror more than 10 terms that ask DNS";
	static const struct row rows[] = {
	    {"ten terms that ask DNS are allowed (4.6.4)", "192.0.2.1",
		"ten.example.com", "pass ip4:192.0.2.1"},
	    {"the eleventh is permerror", "192.0.2.1", "eleven.example.com",
		terms},
	    {"unless something matched before", "192.0.2.1",
		"early.example.com", "pass ip4:192.0.2.1"},
	    {"the limit is over all records together (row 37)", "192.0.2.1",
		"wide.example.com", terms},
	    {"ten includes that include ten end (row 37)", "192.0.2.2",
		"tree.example.com", terms},
	    {"an include of itself ends", "192.0.2.1", "self.example.com",
		terms},
	    {"a loop of include and redirect ends", "192.0.2.1",
		"loop1.example.com", terms},
	    {"a redirect to itself ends", "192.0.2.1", "redself.example.com",
		terms},
	    {"two void lookups are allowed", "192.0.2.1", "void2.example.com",
		"fail -all"},
	    {"the third is permerror", "192.0.2.1", "void3.example.com",
		"permerror more than 2 names without records"},
	    {"ten mail exchangers are asked", "203.0.113.9",
		"ten-mx.example.com", "pass mx"},
	    {"eleven are permerror (4.6.4)", "203.0.113.3", "many.example.com",
		"permerror more than 10 mail exchangers of many.example.com"},
	    {"of 300 PTR names ten are looked at", "192.0.2.50",
		"ptr.example.com", "fail -all"},
	    {"the tenth counts", "192.0.2.51", "ptr.example.com",
		"pass ptr:example.com"},
	    {"NUL in a record is permerror (row 36)", "192.0.2.1",
		"nul.example.com",
		"permerror not a term of SPF: "
		"ip4:192.0.2.1?"},
	    {"also in front of a term", "192.0.2.1", "nul2.example.com",
		"permerror not a term of SPF: ?all"},
	    {"also inside a name", "192.0.2.10", "nul3.example.com",
		"permerror not a term of SPF: a:a.example.com?.evil.example"},
	    {"a record of 3000 networks is read to its end", "192.0.2.1",
		"nets.example.com", "pass ip4:192.0.2.1"},
	    {"so is one of long IPv6 networks",
		"2001:db8:aaaa:bbbb:cccc:dddd:eeee:ffff", "nets6.example.com",
		"pass ip6:2001:db8:aaaa:bbbb:cccc:dddd:eeee:ffff"},
	    {"an unknown modifier of CVE-2023-42118's shape is nothing",
		"192.0.2.1", "cve3.example.com", "fail -all"},
	    {"exp of that shape gives no explanation", "192.0.2.1",
		"cve4.example.com", "fail -all"},
	};

	RUN(rows);
	TAP_CASE("the record of CVE-2023-42118 is permerror (row 35)");
	ask("192.0.2.1", SPAN("x.example.com"), SPAN("ann@cve.example.com"));
	CHECK_INT(answer.result, SPF_PERMERROR);
	CHECK(answer.problem.len <= 200);
	TAP_CASE("as a valid domain-spec its name is cut and asked");
	ask("192.0.2.1", SPAN("x.example.com"), SPAN("ann@cve2.example.com"));
	CHECK_STR(show(), "fail -all");
	TAP_CASE("questions stay few for 300 PTR names");
	ask("192.0.2.50", SPAN("x.example.com"), SPAN("ann@ptr.example.com"));
	CHECK(dns_batch_questions(batch)->n <= 12);
	TAP_CASE("a loop asks few names");
	ask("192.0.2.1", SPAN("x.example.com"), SPAN("ann@loop1.example.com"));
	CHECK(dns_batch_questions(batch)->n <= 3);
}

static void
test_identity(void)
{
	static const struct {
		const char *claim, *helo, *from, *want, *domain;
	} cases[] = {
	    {"an empty MAIL FROM is postmaster at HELO (2.4)",
		"helo.example.com", "", "fail -all", "helo.example.com"},
	    {"HELO that is an address is none", "[192.0.2.1]", "",
		"none not the name of a domain", ""},
	    {"HELO of one label is none", "localhost", "",
		"none not the name of a domain", ""},
	    {"nothing at all is none", "", "", "none no domain", ""},
	    {"a domain without a dot is none (4.3)", "helo.example.com",
		"ann@localhost", "none not the name of a domain", ""},
	    {"an empty label is none", "helo.example.com", "ann@a..example.com",
		"none not the name of a domain", ""},
	    {"a domain literal is none", "helo.example.com", "ann@[192.0.2.1]",
		"none not the name of a domain", ""},
	    {"no local part is postmaster", "helo.example.com",
		"@plain.example.com", "pass ip4:192.0.2.0/24",
		"plain.example.com"},
	    {"the last @ parts (row 58)", "helo.example.com",
		"\"a@b.example.net\"@plain.example.com",
		"pass ip4:192.0.2.0/24", "plain.example.com"},
	    {"a source route means nothing (row 58)", "helo.example.com",
		"@x.example,@y.example:ann@plain.example.com",
		"pass ip4:192.0.2.0/24", "plain.example.com"},
	    {"letters are folded, a final dot goes", "helo.example.com",
		"ann@PLAIN.Example.COM.", "pass ip4:192.0.2.0/24",
		"plain.example.com"},
	    {"a domain in UTF-8 is asked as A-labels (RFC 8616)",
		"helo.example.com",
		"ann@b\xc3\xbc"
		"cher.example",
		"pass ip4:192.0.2.1", "xn--bcher-kva.example"},
	    {"a local part that is not ASCII matches no name (RFC 8616 4)",
		"helo.example.com", "\xc3\xa9@eai.example.com", "softfail ~all",
		"eai.example.com"},
	    {"shell characters are just bytes", "helo.example.com",
		"$(id)|`id`%s%n@plain.example.com", "pass ip4:192.0.2.0/24",
		"plain.example.com"},
	};
	struct buf from;

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		TAP_CASE(cases[i].claim);
		ask("192.0.2.1", span_of(cases[i].helo),
		    span_of(cases[i].from));
		CHECK_STR(show(), cases[i].want);
		CHECK_STR(answer.domain, cases[i].domain);
	}
	TAP_CASE("a MAIL FROM of 100,000 bytes is none");
	buf_init(&from, NULL, 200000);
	for (int i = 0; i < 100000; i++)
		buf_add_char(&from, 'x');
	buf_add_str(&from, "@plain.example.com");
	ask("192.0.2.1", SPAN("helo.example.com"), buf_span(&from));
	CHECK_STR(show(), "none address too long");
	TAP_CASE("one of 1,000 bytes is judged");
	ask("192.0.2.1", SPAN("helo.example.com"),
	    span_skip(buf_span(&from), 99000));
	CHECK_STR(show(), "pass ip4:192.0.2.0/24");
	TAP_CASE("a HELO of 100,000 bytes does no harm");
	ask("192.0.2.1", span_head(buf_span(&from), 100000),
	    SPAN("ann@expamp.example.com"));
	CHECK_STR(show(), "fail -all");
	CHECK(!answer.explanation.p);
	CHECK(arena_used(arena) < 1000000);
	buf_done(&from);
	TAP_CASE("NUL in the domain is none");
	ask("192.0.2.1", SPAN("helo.example.com"),
	    SPAN("ann@plain.example.com\0.evil.example"));
	CHECK_INT(answer.result, SPF_NONE);
	TAP_CASE("NUL in the local part does no harm");
	ask("192.0.2.10", SPAN("helo.example.com"),
	    SPAN("ann\0x@exists.example.com"));
	CHECK_STR(show(), "fail -all");
}

static void
test_explanation(void)
{
	static const struct {
		const char *claim, *domain, *want; /* NULL: none */
	} cases[] = {
	    {"exp with macros", "exp",
		"192.0.2.1 is not of exp.example.com: ann@exp.example.com "
		"(192.0.2.1 mx.example.net 1234567890 helo.example.com)"},
	    {"redirect takes the other's exp (6.2)", "expred",
		"192.0.2.1 is not of exp.example.com: ann@expred.example.com "
		"(192.0.2.1 mx.example.net 1234567890 helo.example.com)"},
	    {"include does not", "expinc", NULL},
	    {"redirect to a record without exp has none", "expbare", NULL},
	    {"two texts are none", "exptwo", NULL},
	    {"a text with a bad macro is none", "expbad", NULL},
	    {"a text beyond ASCII is none", "exp8", NULL},
	    {"a text with CR LF is none (row 38)", "expcrlf", NULL},
	    {"a text that does not come is none", "explate", NULL},
	    {"a name without text is none", "expmissing", NULL},
	    {"a record without exp", "bare", NULL},
	};
	char from[64];

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		TAP_CASE(cases[i].claim);
		(void)snprintf(
		    from, sizeof from, "ann@%s.example.com", cases[i].domain);
		ask("192.0.2.1", SPAN("helo.example.com"), span_of(from));
		CHECK_INT(answer.result, SPF_FAIL);
		if (cases[i].want)
			CHECK_STR(answer.explanation, cases[i].want);
		else
			CHECK(!answer.explanation.p);
	}
	TAP_CASE("what macros bring is cleaned (row 38)");
	ask("192.0.2.1", SPAN("helo.example.com"),
	    SPAN("a\r\n\x1b[1m\0\xc3\xa9@expl.example.com"));
	CHECK_STR(answer.explanation, "[a???[1m???]");
	TAP_CASE("a text of 60 KB is cut at 400 bytes (row 38)");
	ask("192.0.2.1", SPAN("helo.example.com"),
	    SPAN("ann@expbig.example.com"));
	CHECK_INT(answer.explanation.len, 400);
	TAP_CASE("a pass has no explanation");
	ask("192.0.2.1", SPAN("helo.example.com"), SPAN("a@plain.example.com"));
	CHECK(!answer.explanation.p);
}

static void
test_loopback(void)
{
	static const struct row rows[] = {
	    {"a loopback client is judged by the record", "127.0.0.1",
		"plain.example.com", "fail -all"},
	    {"so is that of IPv6", "::1", "plain.example.com", "fail -all"},
	    {"the record may list it", "127.0.0.1", "lo.example.com",
		"pass ip4:127.0.0.1"},
	    {"and ::1", "::1", "lo.example.com", "pass ip6:::1"},
	    {"another of 127/8 is another", "127.0.0.2", "lo.example.com",
		"fail -all"},
	    {"a finds it", "127.9.9.9", "lo.example.com",
		"pass a:lo-a.example.com"},
	    {"with a prefix", "127.9.9.1", "lo24.example.com",
		"pass a:lo-a.example.com/24"},
	    {"and not beyond it", "127.9.8.9", "lo24.example.com", "fail -all"},
	    {"macros show the true address", "127.0.0.1",
		"loexists.example.com", "pass exists:%{ir}.x.example.com"},
	    {"mapped loopback is loopback", "::ffff:127.0.0.1",
		"lo.example.com", "pass ip4:127.0.0.1"},
	    {"the addresses of our own text are nothing special", "192.0.2.1",
		"lo.example.com", "fail -all"},
	    {"nor is the complement", "255.255.255.255", "lo.example.com",
		"fail -all"},
	    {"nor 0.0.0.0", "0.0.0.0", "any.example.com", "pass ip4:0.0.0.0/0"},
	};

	RUN(rows);
}

/* Terms are wanted together; a batch without time answers from what is there. */
static void
test_questions(void)
{
	struct spf_request request = {
	    .mail_from = SPAN("ann@inctwice.example.com")};

	TAP_CASE("the record is wanted before it is needed");
	arena_reset(arena);
	if (ip_parse(SPAN("192.0.2.1"), &request.ip))
		abort();
	batch = dns_batch_new(dns, arena, 1000, 100);
	spf_want(&request, batch, arena);
	const struct dns_questions *q = dns_batch_questions(batch);
	CHECK_INT(q->n, 1);
	CHECK_STR(q->v[0].name, "inctwice.example.com");
	CHECK_INT(q->v[0].type, DNS_TXT);
	TAP_CASE("nothing is wanted for no domain or no address");
	request.mail_from = SPAN("ann@localhost");
	spf_want(&request, batch, arena);
	request.mail_from = SPAN("ann@plain.example.com");
	request.ip.family = 0;
	spf_want(&request, batch, arena);
	CHECK_INT(dns_batch_questions(batch)->n, 1);
	TAP_CASE("names of terms that may be reached are wanted together");
	ask("192.0.2.2", SPAN("x"), SPAN("ann@inctwice.example.com"));
	q = dns_batch_questions(batch);
	CHECK_INT(q->n, 3);
	CHECK_STR(q->v[1].name, "incsame.example.com");
	CHECK_STR(q->v[2].name, "open.example.com");
	TAP_CASE("those behind a network that holds the client are not");
	ask("192.0.2.1", SPAN("x"), SPAN("ann@late-unused.example.com"));
	CHECK_INT(dns_batch_questions(batch)->n, 1);
	TAP_CASE("no resolver: temperror");
	request = (struct spf_request){
	    .ip = {.family = 4}, .mail_from = SPAN("ann@plain.example.com")};
	arena_reset(arena);
	batch = dns_batch_new(NULL, arena, 1000, 100);
	spf_check(&request, batch, arena, &answer);
	CHECK_INT(answer.result, SPF_TEMPERROR);
	TAP_CASE("no batch: temperror");
	spf_check(&request, NULL, arena, &answer);
	CHECK_INT(answer.result, SPF_TEMPERROR);
	TAP_CASE("too many questions for the batch: temperror");
	arena_reset(arena);
	batch = dns_batch_new(dns, arena, 1000, 2);
	request.mail_from = SPAN("ann@mx.example.com");
	spf_check(&request, batch, arena, &answer);
	CHECK_INT(answer.result, SPF_TEMPERROR);
}

/* Memory that ends at any point makes a temperror, never another result. */
static void
test_memory(void)
{
	struct spf_request request = {.helo = SPAN("helo.example.com"),
	    .mail_from = SPAN("ann@exp.example.com")};
	bool done = false;

	TAP_CASE("an arena that ends anywhere is temperror");
	if (ip_parse(SPAN("192.0.2.1"), &request.ip))
		abort();
	for (size_t budget = 500; budget < 100000 && !done; budget += 97) {
		struct arena *small = arena_new(budget);
		struct dns_batch *b =
		    small ? dns_batch_new(dns, small, 1000, 100) : NULL;
		if (b) {
			spf_check(&request, b, small, &answer);
			done = answer.result == SPF_FAIL;
			CHECK(done || answer.result == SPF_TEMPERROR);
			CHECK(done || answer.problem.p);
		}
		arena_free(small);
	}
	CHECK(done);
}

int
main(void)
{
	arena = arena_new(0);
	open_zone();
	test_results();
	test_mechanisms();
	test_limits();
	test_identity();
	test_explanation();
	test_loopback();
	test_questions();
	test_memory();
	arena_free(arena);
	dns_close(dns);
	return tap_done();
}
