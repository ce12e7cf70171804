/* Received-SPF (RFC 7208 section 9.1). */
#include "filter/auth/spf_field.h"

#include <stdlib.h>

#include "tests/lib/tap.h"

static struct arena *arena;

static struct span
write_field(const char *ip, struct span helo, struct span from,
    const struct spf_answer *answer)
{
	struct spf_request request = {.helo = helo,
	    .mail_from = from,
	    .receiver = SPAN("mx.example.net")};

	arena_reset(arena);
	if (*ip && ip_parse(span_of(ip), &request.ip))
		abort();
	return spf_field(&request, answer, arena);
}

static void
test_forms(void)
{
	static const struct {
		const char *claim, *ip, *helo, *from;
		struct spf_answer answer;
		const char *want;
	} cases[] = {
	    {"a pass", "192.0.2.1", "mail.example.com", "ann@example.com",
		{.result = SPF_PASS,
		    .domain = SPAN("example.com"),
		    .mechanism = SPAN("ip4:192.0.2.0/24")},
		"pass (example.com permits 192.0.2.1) receiver=mx.example.net;"
		"\n\tidentity=mailfrom; client-ip=192.0.2.1;"
		"\n\tenvelope-from=\"ann@example.com\";"
		" mechanism=\"ip4:192.0.2.0/24\";"
		"\n\thelo=mail.example.com"},
	    {"HELO for <>, IPv6, nothing matched", "2001:db8::1",
		"mail.example.com", "",
		{.result = SPF_NEUTRAL, .domain = SPAN("mail.example.com")},
		"neutral (mail.example.com says nothing of 2001:db8::1)"
		"\n\treceiver=mx.example.net; identity=helo;"
		" client-ip=\"2001:db8::1\";"
		"\n\tmechanism=default; helo=mail.example.com"},
	    {"an error says why", "192.0.2.1", "x", "ann@example.com",
		{.result = SPF_PERMERROR,
		    .domain = SPAN("example.com"),
		    .problem = SPAN("not a term of SPF: a:(b)\"")},
		"permerror (not a term of SPF: a:\\(b\\)\")"
		"\n\treceiver=mx.example.net; identity=mailfrom;"
		" client-ip=192.0.2.1;"
		"\n\tenvelope-from=\"ann@example.com\";"
		" problem=\"not a term of SPF: a:(b)\\\"\";\n\thelo=x"},
	    {"no address, no HELO", "", "", "",
		{.result = SPF_NONE, .problem = SPAN("no domain")},
		"none (no domain) receiver=mx.example.net; identity=helo;"
		"\n\tproblem=\"no domain\"; helo=\"\""},
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		TAP_CASE(cases[i].claim)
		CHECK_STR(write_field(cases[i].ip, span_of(cases[i].helo),
			      span_of(cases[i].from), &cases[i].answer),
		    cases[i].want);
	}
}

static void
test_hostile(void)
{
	static const struct spf_answer fail = {
	    .result = SPF_FAIL, .domain = SPAN("example.com")};
	static char from[2000];
	struct span got;

	TAP_CASE("bytes of the sender end no value and no field")
	got = write_field("192.0.2.1", SPAN("a;b\r\nX: y\0\xff"),
	    SPAN("\"a\\\"; helo=good\"@example.com"), &fail);
	CHECK(span_find(got,
		  SPAN("envelope-from=\"\\\"a\\\\\\\"; "
		       "helo=good\\\"@example.com\";"),
		  0) != SPAN_NPOS);
	CHECK(span_ends(got, SPAN("helo=\"a;b??X: y??\"")));
	TAP_CASE("no line is longer than 998 bytes, whatever is")
	memset(from, 'x', sizeof from);
	got = write_field("192.0.2.1", span_make(from, sizeof from),
	    span_make(from, sizeof from), &fail);
	CHECK(got.p);
	for (struct span line; got.p;) {
		line = span_cut(&got, '\n');
		CHECK(line.len < 998);
	}
	TAP_CASE("domains are A-labels")
	got = write_field("192.0.2.1",
	    SPAN("b\xc3\xbc"
		 "cher.example"),
	    SPAN("ann@b\xc3\xbc"
		 "cher.example"),
	    &fail);
	CHECK(span_find(got, SPAN("\"ann@xn--bcher-kva.example\""), 0) !=
	      SPAN_NPOS);
	CHECK(span_ends(got, SPAN("helo=xn--bcher-kva.example")));
}

int
main(void)
{
	arena = arena_new(0);
	test_forms();
	test_hostile();
	arena_free(arena);
	return tap_done();
}
