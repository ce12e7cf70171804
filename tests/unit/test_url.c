/* Links are found in text as SpamAssassin finds them, rewritten as it does,
 * and read as browsers read them. */
#include "filter/mail/url.h"

#include <stdlib.h>

#include "filter/base/buf.h"
#include "tests/lib/tap.h"

/* A claim that fits in a line of TAP. */
static const char *
claim(struct arena *a, const char *text)
{
	char *copy = arena_cstr(a, span_of(text));

	for (size_t i = 0; copy && copy[i]; i++)
		if (ascii_is_control(copy[i]) || copy[i] == '#')
			copy[i] = '_';
	return copy ? copy : "";
}

/* The texts of all links found, with a blank between. */
static struct span
find(struct arena *a, struct span text)
{
	struct url_finder finder;
	struct buf out;

	url_finder_init(&finder, a);
	url_find(&finder, text);
	buf_init(&out, a, SIZE_MAX / 4);
	for (size_t i = 0; i < finder.list.n; i++) {
		if (i)
			buf_add_char(&out, ' ');
		buf_add_span(&out, finder.list.v[i].text);
	}
	return buf_span(&out);
}

static void
test_find(struct arena *a)
{
	static const struct {
		const char *text, *found;
	} cases[] = {
	    {"see http://example.com/x?y.", "http://example.com/x?y"},
	    {"HTTPS://Example.COM", "HTTPS://Example.COM"},
	    {"ftp://example.com/f", "ftp://example.com/f"},
	    {"xhttp://example.com", "http://example.com"},
	    {"www.example.com", "http://www.example.com"},
	    {"www2.example.com, x", "http://www2.example.com"},
	    {"ftp.example.com", "ftp://ftp.example.com"},
	    {"(http://example.com/a)b", "http://example.com/a"},
	    {"http://example.com/(a)", "http://example.com/(a"},
	    {"<http://example.com/>", "http://example.com/"},
	    {"\"http://example.com/\"x", "http://example.com/"},
	    {"[http://example.com/]x", "http://example.com/"},
	    {"http://example.com/!!!", "http://example.com/"},
	    {"http://localhost/", ""},
	    {"http://192.0.2.1/x", "http://192.0.2.1/x"},
	    {"http://example.invalidtld/", ""},
	    {"http://", ""},
	    {"joe@example.com", "mailto:joe@example.com"},
	    {"mail joe@example.com, now", "mailto:joe@example.com"},
	    {"Email:joe@example.com", "mailto:joe@example.com"},
	    {"mailto:joe@example.com?subject=x",
		"mailto:joe@example.com?subject=x"},
	    {"mailto:joe%40example.com", ""},
	    {"mailto:j%6fe@example.com", "mailto:joe@example.com"},
	    {"joe@localhost", ""},
	    {"Vi@gra", ""},
	    {"cid:x.y@example.com", ""},
	    {"example.com", "http://example.com"},
	    {"visit example.com/x now", "http://example.com/x"},
	    {"example.com:8080/x", "http://example.com:8080/x"},
	    {"example.com, now", ""},
	    {"example.com. Now", "http://example.com"},
	    {"example.com/", ""},
	    {"file.txt", ""},
	    {"example.co.uk", "http://example.co.uk"},
	    {"a.b_c.com", ""},
	    {"_dmarc.example.com", ""},
	    {"x/y@example.com", "http://x/y@example.com"},
	    {"p.m. and e.g. and 2.4.19-ac10", ""},
	    {"http://example.com http://example.com", "http://example.com"},
	    {"\x1b(Bhttp://example.com\x1b(J", "http://example.com"},
	    {"caf\xc3\xa9 http://example.com/\xc3\xa9",
		"http://example.com/\xc3\xa9"},
	    {"", ""},
	    {".", ""},
	    {"@", ""},
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		TAP_CASE(claim(a, cases[i].text))
		CHECK_STR(find(a, span_of(cases[i].text)), cases[i].found);
	}
}

static bool
has_form(const struct url_forms *forms, const char *want)
{
	for (size_t i = 0; i < forms->n; i++)
		if (span_is(forms->v[i], want))
			return true;
	return false;
}

static void
test_forms(struct arena *a)
{
	static const struct {
		const char *url;
		size_t n; /* of all forms */
		const char *form;
	} cases[] = {
	    {"http://example.com/", 1, "http://example.com/"},
	    {" http://example.com/\r\nx", 1, "http://example.com/x"},
	    {"http:\\\\example.com\\x", 2, "http://example.com/x"},
	    {"http:/example.com", 2, "http://example.com"},
	    {"http:example.com", 2, "http://example.com"},
	    {"www.example.com", 2, "http://www.example.com"},
	    {"ftp.example.com", 2, "ftp://ftp.example.com"},
	    {"http://ex%61mple.com/%41", 2, "http://example.com/A"},
	    {"http://example.com/%20%0a%ff", 1, "http://example.com/%20%0a%ff"},
	    {"http://example.com/%41\"<", 2, "http://example.com/A%22%3c"},
	    {"http://example.com?x", 2, "http://example.com/?x"},
	    {"http://example.com#x", 2, "http://example.com/#x"},
	    {"http://x/&#101;xample&#x2e;com/", 3, "http://x/example.com/"},
	    /* The '#' is taken for a fragment first. */
	    {"http://&#101;xample&#x2e;com/", 4, "http://&/#101;xample.com/"},
	    {"http://x/a&#12290;b", 3, "http://x/a.b"},
	    {"http://bank.example@evil.example.com/", 1,
		"http://bank.example@evil.example.com/"},
	    {"http://a@b@example.com/", 2, "http://example.com/"},
	    {"http://example.com:80/x", 2, "http://example.com/x"},
	    {"https://example.com:443/x", 2, "https://example.com/x"},
	    {"http://example.com:8080/x", 1, "http://example.com:8080/x"},
	    {"http://exa\x01mple.com/", 2, "http://example.com/"},
	    {"http://example.com!!!/", 2, "http://example.com/"},
	    {"http://0300.0.2.1/", 2, "http://192..2.1/"},
	    {"http://0xc0.0x0.2.1/", 2, "http://192..2.1/"},
	    {"http://0xc0000201/", 2, "http://192.0.2.1/"},
	    {"http://3221225985/", 2, "http://192.0.2.1/"},
	    {"http://label/x", 2, "http://www.label.com/x"},
	    {"http://www.label/x", 2, "http://www.label.com/x"},
	    {"http://localhost/x", 1, "http://localhost/x"},
	    {"http://example.com/r?http://example.org/x&y", 2,
		"http://example.org/x"},
	    {"http://a.com/http:/b.com/http:/c.com/", 5, "http://c.com/"},
	    {"mailto:a@example.com?subject=x", 2, "mailto:a@example.com"},
	    {"mailto:a@example.com&x", 2, "mailto:a@example.com"},
	    {"mailto:%20a@example.com", 2, "mailto:a@example.com"},
	    {"mailto:\"A\"%20<a@example.com>", 2, "mailto:a@example.com"},
	    {"/x", 1, "/x"},
	    {"#x", 1, "#x"},
	    {"x", 1, "x"},
	    {"//example.com", 2, "http:////example.com"},
	    {"", 1, ""},
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct url_forms forms = {0};
		url_forms(&forms, span_of(cases[i].url), a);
		TAP_CASE(claim(a, cases[i].url))
		CHECK_INT(forms.n, cases[i].n);
		CHECK(has_form(&forms, cases[i].form));
	}
}

/* Row 29: the host as a browser reads it (WHATWG URL). */
static void
test_parse(struct arena *a)
{
	static const struct {
		const char *url, *host, *registrable;
	} cases[] = {
	    {"http://www.example.co.uk/x", "www.example.co.uk",
		"example.co.uk"},
	    {"HTTP://WWW.Example.COM./", "www.example.com", "example.com"},
	    {"https://bank.example@evil.example.com", "evil.example.com",
		"example.com"},
	    {"http://a:b@c@example.com:80/", "example.com", "example.com"},
	    {"http:\\\\example.com\\x", "example.com", "example.com"},
	    {"http:/example.com", "example.com", "example.com"},
	    {"http:example.com", "example.com", "example.com"},
	    {"http:////example.com", "example.com", "example.com"},
	    {"//example.com/x", "example.com", "example.com"},
	    {"ht\ntp://exa\tmple.com/", "example.com", "example.com"},
	    {"http://ex%61mple%2ecom/", "example.com", "example.com"},
	    {"http://192.0.2.1/", "192.0.2.1", ""},
	    {"http://0xc0.0.0x2.01/", "192.0.2.1", ""},
	    {"http://3221225985/", "192.0.2.1", ""},
	    {"http://192.513/", "192.0.2.1", ""},
	    {"http://[2001:db8::1]:80/", "[2001:db8::1]", ""},
	    {"http://b\xc3\xbc"
	     "cher.example.com/",
		"xn--bcher-kva.example.com", "example.com"},
	    {"http://example\xe3\x80\x82"
	     "com/",
		"example.com", "example.com"},
	    {"mailto:a@example.com?x", "example.com", "example.com"},
	    {"example.com:8080/x", "example.com", "example.com"},
	    {"ftp://example.com/", "example.com", "example.com"},
	};
	static const char *const none[] = {"", "/x", "javascript:x()",
	    "data:text/html,x", "cid:x@example.com", "tel:1", "mailto:a",
	    "http://", "http://a b/", "http://[x/", "http://a..b/"};
	struct url url;

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		TAP_CASE(claim(a, cases[i].url))
		CHECK(url_parse(&url, span_of(cases[i].url), a));
		CHECK_STR(url.host, cases[i].host);
		CHECK_STR(url.registrable, cases[i].registrable);
	}
	for (size_t i = 0; i < sizeof none / sizeof *none; i++) {
		TAP_CASE(claim(a, none[i]))
		CHECK(!url_parse(&url, span_of(none[i]), a));
	}
	TAP_CASE("a user part before the host is noted")
	CHECK(url_parse(&url, SPAN("http://a@example.com"), a));
	CHECK(url.userinfo);
	CHECK(url_parse(&url, SPAN("http://example.com/@"), a));
	CHECK(!url.userinfo);
}

static struct span
repeat(struct arena *a, const char *unit, size_t n)
{
	struct buf b;

	buf_init(&b, a, SIZE_MAX / 4);
	for (size_t i = 0; i < n; i++)
		buf_add_str(&b, unit);
	return buf_span(&b);
}

static void
test_hostile(void)
{
	static const struct {
		const char *claim, *unit;
		size_t n;
	} cases[] = {
	    {"1 MB without a break", "a", 1000000},
	    {"1 MB of dots", ".", 1000000},
	    {"1 MB of '@'", "@", 1000000},
	    {"500,000 hosts in one run", "a.", 500000},
	    {"500,000 starts in one run", "a:", 500000},
	    {"1 MB of commas and dots", ",a.", 333333},
	    {"250,000 times www. in one run", "www.", 250000},
	    {"250,000 times mailto: in one run", "mailto:", 150000},
	    {"an address every four bytes", "a@b,", 250000},
	    {"1 MB of parentheses", "()", 500000},
	    {"links inside links", "http://a.com/", 80000},
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct arena *a = arena_new((size_t)64 << 20);
		struct span text = repeat(a, cases[i].unit, cases[i].n);
		TAP_CASE(cases[i].claim)
		(void)find(a, text);
		CHECK(!arena_failed(a));
		arena_free(a);
	}

	struct arena *a = arena_new((size_t)128 << 20);
	struct url_finder finder;
	struct buf b;
	buf_init(&b, a, SIZE_MAX / 4);
	for (int i = 0; i < 100000; i++)
		buf_printf(&b, "http://h%d.example.com/ ", i);
	url_finder_init(&finder, a);
	url_find(&finder, buf_span(&b));
	TAP_CASE("100,000 links: a cap, and it is said (row 31)")
	CHECK_INT(finder.list.n, URL_MAX);
	CHECK(finder.truncated && !arena_failed(a));

	struct url_forms forms = {0};
	url_forms(&forms, repeat(a, "http://a.com/", 600), a);
	TAP_CASE("a chain of redirectors is followed a bounded way (row 31)")
	CHECK(forms.n > 2 && forms.n < 50);
	arena_free(a);
}

int
main(void)
{
	struct arena *a = arena_new(0);

	test_find(a);
	test_forms(a);
	test_parse(a);
	test_hostile();
	arena_free(a);
	return tap_done();
}
