/* SPF records: the grammar of RFC 7208 section 12 by the letter. */
#include "filter/auth/spf_record.h"

#include <stdlib.h>

#include "filter/base/buf.h"
#include "tests/lib/tap.h"

static struct arena *arena;

static const char *const kinds[] = {
    "all", "include", "a", "mx", "ptr", "ip4", "ip6", "exists", "redirect"};

/* A record in one canonical line: what was kept of it. */
static struct span
show(struct span text)
{
	struct spf_record record;
	struct buf out;
	char ip[IP_TEXT_SIZE];

	if (spf_record_parse(&record, text))
		abort();
	buf_init(&out, arena, 10000);
	if (record.state == SPF_RECORD_NONE)
		buf_add_str(&out, "none");
	if (record.state == SPF_RECORD_BAD)
		buf_printf(&out, "bad %.*s", SPAN_ARG(record.bad));
	for (size_t i = 0; i < record.n; i++) {
		const struct spf_term *t = &record.terms[i];
		buf_printf(
		    &out, "%s%c%s", i ? " " : "", t->qualifier, kinds[t->kind]);
		if (t->kind == SPF_IP4 || t->kind == SPF_IP6) {
			ip_format(&t->net.ip, ip);
			buf_printf(&out, ":%s/%u", ip, t->net.bits);
		} else if (t->domain.p) {
			buf_printf(&out, ":%.*s", SPAN_ARG(t->domain));
		}
		if (t->kind == SPF_A || t->kind == SPF_MX)
			buf_printf(&out, "/%u//%u", t->cidr4, t->cidr6);
	}
	if (record.exp.p)
		buf_printf(&out, " exp:%.*s", SPAN_ARG(record.exp));
	spf_record_done(&record);
	return buf_span(&out);
}

static void
test_accepted(void)
{
	static const struct {
		const char *claim, *text, *want;
	} cases[] = {
	    {"a version alone is a record", "v=spf1", ""},
	    {"blanks may follow", "v=spf1   ", ""},
	    {"capitals are the same", "V=SPF1 -ALL", "-all"},
	    {"the qualifiers", "v=spf1 +a -mx ~ptr ?all",
		"+a/32//128 -mx/32//128 ~ptr ?all"},
	    {"no qualifier is +", "v=spf1 all", "+all"},
	    {"several blanks part terms", "v=spf1  a   -all ",
		"+a/32//128 -all"},
	    {"a domain", "v=spf1 a:example.com", "+a:example.com/32//128"},
	    {"prefix lengths of both families", "v=spf1 a/24//64 mx//0 a/0",
		"+a/24//64 +mx/32//0 +a/0//128"},
	    {"a domain and lengths", "v=spf1 mx:example.com/30//126",
		"+mx:example.com/30//126"},
	    {"a slash inside a domain is of it",
		"v=spf1 a:foo:bar/baz.example.com",
		"+a:foo:bar/baz.example.com/32//128"},
	    {"a slash as a macro's delimiter", "v=spf1 a:%{l/}/8",
		"+a:%{l/}/8//128"},
	    {"networks", "v=spf1 ip4:192.0.2.0/24 ip4:192.0.2.1 ip4:0.0.0.0/0",
		"+ip4:192.0.2.0/24 +ip4:192.0.2.1/32 +ip4:0.0.0.0/0"},
	    {"IPv6 networks", "v=spf1 ip6:2001:DB8::/32 ip6:::1 ip6:::/0",
		"+ip6:2001:db8::/32 +ip6:::1/128 +ip6:::/0"},
	    {"a mapped network stays IPv6, with its length",
		"v=spf1 ip6:::ffff:192.0.2.1/64", "+ip6:::ffff:192.0.2.1/64"},
	    {"include and exists", "v=spf1 include:a.example exists:%{i}.b.c",
		"+include:a.example +exists:%{i}.b.c"},
	    {"ptr with a name", "v=spf1 -ptr:example.com", "-ptr:example.com"},
	    {"redirect is evaluated last", "v=spf1 redirect=a.example a ptr",
		"+a/32//128 +ptr ?redirect:a.example"},
	    {"redirect does not count where all is (6.1)",
		"v=spf1 redirect=a.example -all", "-all"},
	    {"what follows all is checked, not kept", "v=spf1 -all a mx",
		"-all"},
	    {"exp", "v=spf1 exp=%{d2}.exp.example -all",
		"-all exp:%{d2}.exp.example"},
	    {"modifiers' names in capitals",
		"v=spf1 EXP=a.example REDIRECT=b.example",
		"?redirect:b.example exp:a.example"},
	    {"unknown modifiers", "v=spf1 x=y a.b-c_d=%{d}/8 moo= -all",
		"-all"},
	    {"an unknown modifier twice", "v=spf1 x=1 x=2 -all", "-all"},
	    {"a final dot", "v=spf1 a:example.com.", "+a:example.com./32//128"},
	    {"a name that ends in a per cent sign (7.1)", "v=spf1 a:a.b%%",
		"+a:a.b%%/32//128"},
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		TAP_CASE(cases[i].claim);
		CHECK_STR(show(span_of(cases[i].text)), cases[i].want);
	}
}

static void
test_none(void)
{
	static const char *const texts[] = {"", "v=spf", "v=spf10", "v=spf1\t",
	    "v=spf1-all", " v=spf1", "spf2.0/pra -all", "v=spf2 -all",
	    "v=spf1\xc2\xa0-all", "\"v=spf1 -all\""};

	TAP_CASE("other texts do not claim to be records (4.5)");
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
		CHECK_STR(show(span_of(texts[i])), "none");
}

static void
test_refused(void)
{
	static const char *const words[] = {/* mechanisms */
	    "foo", "foo:bar.com", "-", "+", "--all", "+-all", "!all",
	    "all:", "all.", "all/8", "all:example.com", "alla", "al",
	    "+redirect=a.b", "-exp=a.b", "a=b c", "a:", "a:/24",
	    "mx:", "ptr:", "ptr/0", "ptr:example.com/8", "include",
	    "include:", "include/8", "include:a.example/24", "exists",
	    "exists:", "exists/8", "exists:a.example/8", "a:com", "a:192.0.2.1",
	    "a:example.com:8080", "a:abc.123", "a:example.com,b",
	    "a:example.-com", "a:ex%ample.com", "a:%{x}.com", "a:%{c}",
	    "a:%{d0}.com", "a:%{d", "a:museum",
	    /* lengths */
	    "a/", "a//", "a/33", "a//129", "a/024", "a/00", "a/-1", "a/+1",
	    "a/1 /2", "a/24/64", "a//64/24", "a///64", "a/24//", "a/999",
	    "a/4294967297", "mx:example.com/", "a:example.com/33",
	    /* addresses */
	    "ip4", "ip4:", "ip4/8", "ip4:192.0.2", "ip4:192.0.2.256",
	    "ip4:192.0.02.1", "ip4:192.0.2.1.", "ip4:192.0.2.1/", "ip4:::1",
	    "ip4:192.0.2.1/33", "ip4:192.0.2.1/08", "ip4:192.0.2.1//32",
	    "ip4:192.0.2.1:25", "ip4:1.2.3.4%eth0", "ip4:0x7f.1", "ip6",
	    "ip6:", "ip6:192.0.2.1", "ip6:::1%eth0", "ip6:IPv6:::1",
	    "ip6:::1/129", "ip6:::1//64", "ip6:1:2:3", "ip6:[::1]",
	    "ip6:2001:db8::/032", "ip6::::1", "ip4=192.0.2.1 x",
	    /* modifiers */
	    "redirect=", "redirect:a.example", "redirect=a", "redirect=a.b/8",
	    "redirect", "exp=", "exp=a", "exp", "exp:a.b",
	    "redirect=a.example redirect=a.example",
	    "exp=a.example EXP=a.example", "x=%", "x=%{c}", "x=%{d0}",
	    "x=\xc3\xa9", "x=\t", "1=a", "=a", "-x=a", "_x=a", "x y",
	    /* bytes */
	    "\xc3\xa9", "a:ex\xc3\xa9mple.com", "a\tmx", "a\nmx", "a\rmx",
	    "a:exam\x01ple.com", "\200all", "a\xe2\x80\x8b"};
	struct buf text;

	TAP_CASE("every word that is not in the grammar spoils the record");
	buf_init(&text, arena, 1000);
	for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
		buf_truncate(&text, 0);
		buf_printf(&text, "v=spf1 %s -all", words[i]);
		if (!CHECK(span_starts(show(buf_span(&text)), SPAN("bad"))))
			CHECK_STR(buf_span(&text), "(refused)");
	}
	TAP_CASE("also behind all");
	CHECK_STR(show(SPAN("v=spf1 -all foo")), "bad foo");
	TAP_CASE("NUL is in no term (hostile row 36)");
	CHECK(span_starts(show(SPAN("v=spf1 \0all")), SPAN("bad")));
	CHECK(span_starts(show(SPAN("v=spf1 a\0 -all")), SPAN("bad")));
	CHECK(span_starts(show(SPAN("v=spf1 -\0all")), SPAN("bad")));
	CHECK(span_starts(show(SPAN("v=spf1 \0")), SPAN("bad")));
	CHECK(span_starts(
	    show(SPAN("v=spf1 ip4:192.0.2.5\0 -all")), SPAN("bad")));
	CHECK(span_starts(
	    show(SPAN("v=spf1 ip4:192.0.2.5\0.x/8 -all")), SPAN("bad")));
	CHECK(span_starts(show(SPAN("v=spf1 x=\0")), SPAN("bad")));
	CHECK(span_starts(show(SPAN("v=spf1 x\0=a")), SPAN("bad")));
	CHECK_STR(show(SPAN("v=spf1\0-all")), "none");
}

static void
test_sizes(void)
{
	struct spf_record record;
	struct buf text;

	TAP_CASE("of terms that ask DNS only eleven are kept");
	buf_init(&text, arena, 100000);
	buf_add_str(&text, "v=spf1");
	for (int i = 0; i < 20000; i++)
		buf_add_str(&text, " ?a");
	buf_add_str(&text, " redirect=a.example");
	CHECK_INT(spf_record_parse(&record, buf_span(&text)), 0);
	CHECK_INT(record.state, SPF_RECORD_GOOD);
	CHECK_INT(record.n, 11);
	spf_record_done(&record);
	TAP_CASE("ten and a redirect are eleven");
	CHECK_STR(show(SPAN("v=spf1 ptr ptr ptr ptr ptr ptr ptr ptr ptr ptr "
			    "redirect=b.c")),
	    "+ptr +ptr +ptr +ptr +ptr +ptr +ptr +ptr +ptr +ptr "
	    "?redirect:b.c");
	TAP_CASE("networks are all kept");
	buf_truncate(&text, 6);
	for (int i = 0; i < 5000; i++)
		buf_printf(&text, " ip4:10.%d.%d.0", i / 256, i % 256);
	CHECK_INT(spf_record_parse(&record, buf_span(&text)), 0);
	CHECK_INT(record.n, 5000);
	CHECK_INT(record.terms[4999].net.ip.bytes[2], 4999 % 256);
	spf_record_done(&record);
	TAP_CASE("the texts are views of what was read");
	struct span own = SPAN("v=spf1 ~a:example.com/24 -all");
	CHECK_INT(spf_record_parse(&record, own), 0);
	CHECK(record.terms[0].text.p == own.p + 7);
	CHECK_STR(record.terms[0].text, "~a:example.com/24");
	spf_record_done(&record);
}

static void
test_choice(void)
{
	struct dns_record texts[] = {{.data = SPAN("unrelated")},
	    {.data = SPAN("v=spf1 -all")}, {.data = SPAN("V=SPF1 foo")},
	    {.data = SPAN("\0v=spf1 a")}};
	const struct {
		const char *claim;
		size_t first, n;
		enum spf_record_state state;
	} cases[] = {
	    {"no text, no record", 0, 0, SPF_RECORD_NONE},
	    {"other texts are none of our business", 0, 1, SPF_RECORD_NONE},
	    {"the one record among others", 0, 2, SPF_RECORD_GOOD},
	    {"two are several, whatever they say", 0, 3, SPF_RECORD_SEVERAL},
	    {"a bad one is bad", 2, 2, SPF_RECORD_BAD},
	    {"a NUL in front is not a record", 3, 1, SPF_RECORD_NONE},
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		/* An answer of a batch; the forms hang on the whole of it. */
		TAP_CASE(cases[i].claim);
		struct dns_answer answer = {.status = DNS_OK,
		    .n = cases[i].n,
		    .records = texts + cases[i].first};
		struct spf_record *record = spf_record_make(&answer, NULL);
		CHECK(record && record->state == cases[i].state);
		spf_record_drop(record);
	}
}

int
main(void)
{
	arena = arena_new(0);
	test_accepted();
	test_none();
	test_refused();
	test_sizes();
	test_choice();
	arena_free(arena);
	return tap_done();
}
