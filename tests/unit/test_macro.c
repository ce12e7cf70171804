/* SPF macro strings: RFC 7208 section 7. */
#include "filter/auth/macro.h"

#include <stdlib.h>

#include "filter/base/buf.h"
#include "tests/lib/tap.h"

static struct arena *arena;
static unsigned asked;

static struct span
mx_example_org(void *arg)
{
	(void)arg;
	asked++;
	return SPAN("mx.example.org");
}

/* The sender of the examples in section 7.4. */
static struct macro_context
rfc_context(const char *address)
{
	struct macro_context context = {
	    .sender_local = SPAN("strong-bad"),
	    .sender_domain = SPAN("email.example.com"),
	    .helo = SPAN("mail.example.com"),
	    .domain = SPAN("email.example.com"),
	    .receiver = SPAN("mx.example.net"),
	    .time = 1234567890,
	    .validated_name = mx_example_org,
	};

	if (ip_parse(span_of(address), &context.ip))
		abort();
	return context;
}

/* The expansion, or a word for the error. */
static struct span
expand(const struct macro_context *context, const char *text, bool explanation)
{
	struct span out;

	switch (
	    macro_expand(context, span_of(text), explanation, arena, &out)) {
	case 0:
		return out;
	case ERR_SYNTAX:
		return SPAN("(syntax)");
	case ERR_LIMIT:
		return SPAN("(limit)");
	default:
		return SPAN("(other)");
	}
}

static void
test_examples(void)
{
	static const struct {
		const char *text, *want;
	} cases[] = {
	    {"%{s}", "strong-bad@email.example.com"},
	    {"%{o}", "email.example.com"},
	    {"%{d}", "email.example.com"},
	    {"%{d4}", "email.example.com"},
	    {"%{d3}", "email.example.com"},
	    {"%{d2}", "example.com"},
	    {"%{d1}", "com"},
	    {"%{dr}", "com.example.email"},
	    {"%{d2r}", "example.email"},
	    {"%{l}", "strong-bad"},
	    {"%{l-}", "strong.bad"},
	    {"%{lr}", "strong-bad"},
	    {"%{lr-}", "bad.strong"},
	    {"%{l1r-}", "strong"},
	    {"%{ir}.%{v}._spf.%{d2}", "3.2.0.192.in-addr._spf.example.com"},
	    {"%{lr-}.lp._spf.%{d2}", "bad.strong.lp._spf.example.com"},
	    {"%{lr-}.lp.%{ir}.%{v}._spf.%{d2}",
		"bad.strong.lp.3.2.0.192.in-addr._spf.example.com"},
	    {"%{ir}.%{v}.%{l1r-}.lp._spf.%{d2}",
		"3.2.0.192.in-addr.strong.lp._spf.example.com"},
	    {"%{d2}.trusted-domains.example.net",
		"example.com.trusted-domains.example.net"},
	};
	struct macro_context context = rfc_context("192.0.2.3");

	TAP_CASE("the examples of RFC 7208 section 7.4");
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		CHECK_STR(
		    expand(&context, cases[i].text, false), cases[i].want);
		CHECK(macro_valid(span_of(cases[i].text), false));
	}
	TAP_CASE("the example for IPv6 of RFC 7208 section 7.4");
	context = rfc_context("2001:db8::cb01");
	CHECK(span_caseeq(expand(&context, "%{ir}.%{v}._spf.%{d2}", false),
	    SPAN("1.0.b.c.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0."
		 "8.b.d.0.1.0.0.2.ip6._spf.example.com")));
}

static void
test_letters(void)
{
	static const struct {
		const char *text, *want;
	} cases[] = {
	    {"%{h}", "mail.example.com"},
	    {"%{p}", "mx.example.org"},
	    {"%{r}", "mx.example.net"},
	    {"%{t}", "1234567890"},
	    {"%{c}", "192.0.2.3"},
	    {"%{i}", "192.0.2.3"},
	    {"%{v}", "in-addr"},
	    {"%%|%_|%-", "%| |%20"},
	    {"See %{S} %{L-}", "See strong-bad%40email.example.com strong.bad"},
	    {"%{D2R}", "example.email"},
	    {"", ""},
	    {"plain text", "plain text"},
	};
	struct macro_context context = rfc_context("192.0.2.3");

	TAP_CASE("all letters and escapes, in an explanation");
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		CHECK_STR(expand(&context, cases[i].text, true), cases[i].want);
		CHECK(macro_valid(span_of(cases[i].text), true));
	}
	TAP_CASE("an IPv6 client is written short by %{c}");
	context = rfc_context("2001:db8::cb01");
	CHECK_STR(expand(&context, "%{c} %{v}", true), "2001:db8::cb01 ip6");
	TAP_CASE("receiver and client's name may be unknown");
	context.receiver = SPAN("");
	context.validated_name = NULL;
	CHECK_STR(expand(&context, "%{r} %{p}", true), "unknown unknown");
}

static void
test_transformers(void)
{
	static const struct {
		const char *local, *text, *want;
	} cases[] = {
	    {"a-b+c", "%{l-+}", "a.b.c"},
	    {"a-b+c", "%{l+}", "a-b.c"},
	    {"a.b-c", "%{l-}", "a.b.c"},
	    {"a.b-c", "%{l1-}", "c"},
	    {"a,b/c_d=e", "%{l,/_=}", "a.b.c.d.e"},
	    {"a-b-c", "%{l2r-}", "b.a"},
	    {"a-b-c", "%{L2R-}", "b.a"},
	    {"a-b-c", "%{l3r-}", "c.b.a"},
	    {"a-b-c", "%{l127r-}", "c.b.a"},
	    {"a-b-c", "%{l99999999999999999999-}", "a.b.c"},
	    {"a-b-c", "%{l02-}", "b.c"},
	    {"-a-", "%{l-}", ".a."},
	    {"-a-", "%{lr-}", ".a."},
	    {"-a-", "%{l1-}", ""},
	    {"-a-", "%{l1r-}", ""},
	    {"", "%{lr-}", ""},
	    {"a b\"c", "%{L}", "a%20b%22c"},
	    {"~a_b.c-d", "%{L}", "~a_b.c-d"},
	    {"\xc3\xa9", "%{L}", "%C3%A9"},
	};
	struct macro_context context = rfc_context("192.0.2.3");

	TAP_CASE("digits, r and delimiters");
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		context.sender_local = span_of(cases[i].local);
		CHECK_STR(expand(&context, cases[i].text, true), cases[i].want);
	}
	TAP_CASE("a value of 500 parts is cut and reversed exactly");
	struct buf many;
	buf_init(&many, arena, 10000);
	for (unsigned i = 0; i < 500; i++)
		buf_printf(&many, "%s%u", i ? "-" : "", i);
	context.sender_local = buf_span(&many);
	CHECK_STR(expand(&context, "%{l3-}", false), "497.498.499");
	CHECK_STR(expand(&context, "%{l3r-}", false), "2.1.0");
	TAP_CASE("NUL stays in a value");
	context.sender_local = SPAN("a\0b");
	CHECK_SPAN(expand(&context, "%{l}.x", false), SPAN("a\0b.x"));
	CHECK_SPAN(expand(&context, "%{L}.x", false), SPAN("a%00b.x"));
}

static void
test_refused(void)
{
	static const char *const always[] = {"%", "a%", "%(s)", "%{", "%{}",
	    "%{s", "%{a}", "%{x}", "%{s0}", "%{s00}", "%{s-1}", "%{sr2}",
	    "%{srr}", "%{s*}", "%{ s}", "%{s }", "%{s:}", "%{%}", "%x", "% ",
	    "tab\there", "\x7f", "\xc3\xa9", "line\nfeed"};
	static const char *const names[] = {
	    "%{c}", "%{r}", "%{t}", "%{C}", "two words"};
	struct macro_context context = rfc_context("192.0.2.3");

	TAP_CASE("what is no macro string is refused");
	for (size_t i = 0; i < sizeof always / sizeof *always; i++) {
		CHECK(!macro_valid(span_of(always[i]), true));
		CHECK(!macro_valid(span_of(always[i]), false));
	}
	CHECK(!macro_valid(SPAN("a\0b"), true));
	CHECK(!macro_valid(SPAN("%{\0}"), true));
	CHECK(!macro_valid(SPAN("%{s\0}"), true));
	CHECK(!macro_valid(SPAN("%\0"), true));
	TAP_CASE("c, r, t and blanks stand in explanations only (7.2)");
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		CHECK(!macro_valid(span_of(names[i]), false));
		CHECK(macro_valid(span_of(names[i]), true));
	}
	CHECK_STR(expand(&context, "%{c}.x", false), "(syntax)");
	TAP_CASE("expansion refuses what validation refuses");
	CHECK_STR(expand(&context, "%{s0}", true), "(syntax)");
	CHECK_STR(expand(&context, "a%", true), "(syntax)");
	CHECK_STR(expand(&context, "%{z}", true), "(syntax)");
	CHECK_STR(expand(&context, "%{d", true), "(syntax)");
}

static void
test_domain_spec(void)
{
	static const char *const good[] = {"example.com", "example.com.",
	    "%{d}", "a.%{d}", "%{i}._spf.%{d2}", "%%", "a%%", "%{d}%_", ".com",
	    "foo:bar/baz.example.com", "a.b-c", "a.1a", "a.a1", "a.1-1",
	    "%{d}.example.com", "*.example", "_spf.example.com"};
	static const char *const bad[] = {"", "com", "localhost", ".",
	    "example..", "a.1", "a.-b", "a.b-", "a.b_c", "%{d}com", "%{d}.",
	    "%{d}.1", "%{d}/24", "a.b/24", "a.%%com", "%{a}.com", "a b.com",
	    "a.com\r", "a.\xc3\xa9"};

	TAP_CASE("a domain-spec ends in a top label or a macro (7.1)");
	for (size_t i = 0; i < sizeof good / sizeof *good; i++)
		CHECK(macro_is_domain_spec(span_of(good[i])));
	TAP_CASE("what ends otherwise is none");
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		CHECK(!macro_is_domain_spec(span_of(bad[i])));
	CHECK(!macro_is_domain_spec(SPAN("a.com\0")));
}

static struct span
repeated(const char *text, size_t times)
{
	struct buf out;

	buf_init(&out, arena, 10000000);
	for (size_t i = 0; i < times; i++)
		buf_add_str(&out, text);
	return buf_span(&out);
}

static void
test_limits(void)
{
	struct macro_context context = rfc_context("192.0.2.3");
	struct span out;

	TAP_CASE("a name loses labels from the left until it has 253 bytes");
	context.sender_local = repeated("abcdefghi.", 30);
	CHECK_INT(
	    macro_expand(&context, SPAN("%{l}example.com"), false, arena, &out),
	    0);
	CHECK_INT(out.len, 251); /* 24 of them */
	CHECK(span_starts(out, SPAN("abcdefghi.abc")));
	CHECK(span_ends(out, SPAN("abcdefghi.example.com")));
	TAP_CASE("a final dot does not count, and goes");
	context.sender_local = repeated("a", 248);
	CHECK_INT(
	    macro_expand(&context, SPAN("%{l}.com."), false, arena, &out), 0);
	CHECK_INT(out.len, 252);
	TAP_CASE("an explanation is not cut");
	context.sender_local = repeated("abcdefghi.", 30);
	CHECK_INT(macro_expand(&context, SPAN("%{l}"), true, arena, &out), 0);
	CHECK_INT(out.len, 300);
	TAP_CASE("a long label stays long, for DNS to refuse");
	context.sender_local = repeated("a", 300);
	CHECK_INT(macro_expand(&context, SPAN("%{l}"), false, arena, &out), 0);
	CHECK_INT(out.len, 300);
	TAP_CASE("past 64 KB it ends with an error, soon");
	struct span text = repeated("%{s}", 16000);
	context.sender_local = repeated("a", 1000);
	CHECK_INT(macro_expand(&context, text, true, arena, &out), ERR_LIMIT);
	CHECK(arena_used(arena) < 5000000);
	TAP_CASE("the client's name is asked once, and only if it is there");
	asked = 0;
	CHECK_INT(macro_expand(&context, SPAN("%{d}"), true, arena, &out), 0);
	CHECK_INT(asked, 0);
	CHECK_INT(
	    macro_expand(&context, repeated("%{p}", 100), true, arena, &out),
	    0);
	CHECK_INT(asked, 1);
	TAP_CASE("an arena without memory is told apart");
	struct arena *small = arena_new(20000);
	context.sender_local = repeated("a", 10000);
	CHECK_INT(
	    macro_expand(&context, SPAN("%{l}%{l}%{l}"), true, small, &out),
	    ERR_NOMEM);
	arena_free(small);
}

int
main(void)
{
	arena = arena_new(0);
	test_examples();
	test_letters();
	test_transformers();
	test_refused();
	test_domain_spec();
	test_limits();
	arena_free(arena);
	return tap_done();
}
