/* Names of the domain system: one form, parents, registrable domain. */
#include "filter/mail/domain.h"

#include "tests/lib/tap.h"

static void
test_normalise(struct arena *a)
{
	static const struct {
		const char *claim, *from, *to; /* `to` NULL: refused */
	} cases[] = {
	    {"letters are folded", "WWW.Example.COM", "www.example.com"},
	    {"a final dot goes", "example.com.", "example.com"},
	    {"underscores pass", "_dmarc.example.com", "_dmarc.example.com"},
	    {"U-labels become A-labels (RFC 5891)",
		"b\xc3\xbc"
		"cher.example",
		"xn--bcher-kva.example"},
	    {"capitals beyond ASCII are folded too",
		"B\xc3\x9c"
		"CHER.example",
		"xn--bcher-kva.example"},
	    {"A-labels pass, folded", "XN--BCHER-KVA.example",
		"xn--bcher-kva.example"},
	    {"A-labels and U-labels mix",
		"xn--bcher-kva.b\xc3\xbc"
		"cher.example",
		"xn--bcher-kva.xn--bcher-kva.example"},
	    {"sharp s is itself (non-transitional)", "fa\xc3\x9f.example",
		"xn--fa-hia.example"},
	    {"ideographic full stops part labels",
		"a\xe3\x80\x82"
		"example",
		"a.example"},
	    {"full-width letters are letters", "\xef\xbd\x85xample.com",
		"example.com"},
	    {"empty is refused", "", NULL},
	    {"a dot alone is refused", ".", NULL},
	    {"an empty label is refused", "a..b", NULL},
	    {"a leading dot is refused", ".a.b", NULL},
	    {"two final dots are refused", "a.b..", NULL},
	    {"blanks are refused", "a b.example", NULL},
	    {"line ends are refused", "a.example\nb", NULL},
	    {"controls are refused", "a\x01.example", NULL},
	    {"controls are refused beside 8-bit text", "b\xc3\xbc\x01.example",
		NULL},
	    {"invalid UTF-8 is refused",
		"b\xfc"
		"cher.example",
		NULL},
	    {"overlong UTF-8 is refused", "\xc0\xaf.example", NULL},
	    {"a bidi control is refused", "a\xe2\x80\xae.example", NULL},
	};
	struct span got;

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		TAP_CASE(cases[i].claim)
		int rc = domain_normalise(span_of(cases[i].from), a, &got);
		CHECK_INT(rc, cases[i].to ? 0 : ERR_SYNTAX);
		if (cases[i].to && rc == 0)
			CHECK_STR(got, cases[i].to);
	}

	TAP_CASE("nothing is refused, whatever points to it")
	CHECK_INT(domain_normalise(SPAN_NONE, a, &got), ERR_SYNTAX);
	CHECK(!domain_is_fqdn(SPAN_NONE));
	CHECK_INT(domain_registrable(SPAN_NONE).len, 0);

	TAP_CASE("a NUL byte is refused, alone and in 8-bit text")
	CHECK_INT(domain_normalise(SPAN("a\0b.example"), a, &got), ERR_SYNTAX);
	CHECK_INT(
	    domain_normalise(SPAN("\xc3\xbc\0b.example"), a, &got), ERR_SYNTAX);

	TAP_CASE("labels of 63 and names of 253 bytes pass, one more does not")
	char name[300];
	memset(name, 'a', sizeof name);
	name[63] = name[127] = name[191] = '.';
	CHECK_INT(domain_normalise(span_make(name, 253), a, &got), 0);
	CHECK_INT(domain_normalise(span_make(name, 254), a, &got), ERR_SYNTAX);
	name[253] = '.';
	CHECK_INT(domain_normalise(span_make(name, 254), a, &got), 0);
	CHECK_INT(got.len, 253);
	CHECK_INT(domain_normalise(span_make(name + 128, 64), a, &got), 0);
	name[191] = 'a';
	CHECK_INT(
	    domain_normalise(span_make(name + 128, 64), a, &got), ERR_SYNTAX);

	TAP_CASE("an 8-bit name of any length is refused, not read past")
	char wide[4000];
	for (size_t i = 0; i < sizeof wide; i += 2)
		memcpy(wide + i, "\xc3\xbc", 2);
	CHECK_INT(domain_normalise(span_make(wide, sizeof wide), a, &got),
	    ERR_SYNTAX);
	CHECK_INT(domain_normalise(span_make(wide, 1012), a, &got), ERR_SYNTAX);

	TAP_CASE("no memory is said")
	arena_fail(a);
	CHECK_INT(domain_normalise(SPAN("example.com"), a, &got), ERR_NOMEM);
	CHECK_INT(
	    domain_normalise(SPAN("\xc3\xbc.example"), a, &got), ERR_NOMEM);
	arena_reset(a);
}

static void
test_parts(void)
{
	TAP_CASE(
	    "fully qualified names have two labels of letters, digits, -, _")
	CHECK(domain_is_fqdn(SPAN("mail.example.com")));
	CHECK(domain_is_fqdn(SPAN("_x.a-b.example")));
	CHECK(!domain_is_fqdn(SPAN("localhost")));
	CHECK(!domain_is_fqdn(SPAN("")));
	CHECK(!domain_is_fqdn(SPAN("a.b.")));
	CHECK(!domain_is_fqdn(SPAN("a$b.example")));
	CHECK(!domain_is_fqdn(SPAN("a\xc3\xbc.example")));

	TAP_CASE("labels are counted")
	CHECK_INT(domain_labels(SPAN("")), 0);
	CHECK_INT(domain_labels(SPAN("com")), 1);
	CHECK_INT(domain_labels(SPAN("a.b.com")), 3);

	TAP_CASE("a suffix is the last labels, all when there are fewer")
	CHECK_STR(domain_suffix(SPAN("a.b.c.d"), 0), "");
	CHECK_STR(domain_suffix(SPAN("a.b.c.d"), 1), "d");
	CHECK_STR(domain_suffix(SPAN("a.b.c.d"), 3), "b.c.d");
	CHECK_STR(domain_suffix(SPAN("a.b.c.d"), 4), "a.b.c.d");
	CHECK_STR(domain_suffix(SPAN("a.b.c.d"), 9), "a.b.c.d");

	TAP_CASE("the parent of one label is empty")
	CHECK_STR(domain_parent(SPAN("a.b.c")), "b.c");
	CHECK_STR(domain_parent(SPAN("c")), "");
	CHECK_STR(domain_parent(SPAN("")), "");

	TAP_CASE("below means equal or under, at a label's border")
	CHECK(domain_is_below(SPAN("example.com"), SPAN("EXAMPLE.com")));
	CHECK(domain_is_below(SPAN("a.example.com"), SPAN("example.com")));
	CHECK(!domain_is_below(SPAN("badexample.com"), SPAN("example.com")));
	CHECK(!domain_is_below(SPAN("com"), SPAN("example.com")));
	CHECK(!domain_is_below(SPAN("example.com"), SPAN("")));
}

static void
test_registrable(void)
{
	static const struct {
		const char *claim, *name, *want;
	} cases[] = {
	    {"one below a public suffix", "a.b.example.com", "example.com"},
	    {"the name itself", "example.com", "example.com"},
	    {"suffixes of two labels", "www.example.co.uk", "example.co.uk"},
	    {"case is kept", "WWW.Example.CO.UK", "Example.CO.UK"},
	    {"a public suffix has none", "co.uk", ""},
	    {"one label has none", "com", ""},
	    {"wildcards of the list count", "a.b.foo.ck", "b.foo.ck"},
	    {"exceptions of the list count", "a.www.ck", "www.ck"},
	    {"A-labels are found in the list", "a.b.xn--55qx5d.cn",
		"b.xn--55qx5d.cn"},
	    {"an unknown top label counts as a suffix", "a.b.nosuchtld",
		"b.nosuchtld"},
	    {"an address has none", "192.0.2.1", ""},
	    {"empty has none", "", ""},
	    {"an empty label has none", "a..com", ""},
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		TAP_CASE(cases[i].claim)
		CHECK_STR(
		    domain_registrable(span_of(cases[i].name)), cases[i].want);
	}
}

int
main(void)
{
	struct arena *a = arena_new(0);

	test_normalise(a);
	test_parts();
	test_registrable();
	arena_free(a);
	return tap_done();
}
