/* The guard in front of libopendkim, and its header hashes against ours. */
#include "filter/auth/dkim_internal.h"

#include "filter/auth/dkim.h"
#include "filter/base/buf.h"
#include "tests/lib/tap.h"

#define NOW 1600000100
#define BH "bh=47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=;"
#define FRONT "v=1; a=rsa-sha256; d=example.com; s=x; " BH
#define GOOD FRONT " h=from; b=AAAA"

struct guard_case {
	const char *claim, *text;
	const char *problem; /* NULL: passes */
};

static const struct guard_case guard_cases[] = {
    {"the tags that must be there are enough", GOOD, NULL},
    {"white space and folds stand anywhere between",
	" v = 1 ;\r\n a=rsa-sha256;\n\td=example.com ; s= x;h= from :\r\n\tto;" BH
	" b= AA\r\n AA ;",
	NULL},
    {"v= is missing", "a=rsa-sha256; d=example.com; s=x; h=from;" BH "b=AAAA",
	"v= is missing"},
    {"v= of another version",
	"v=2; a=rsa-sha256; d=example.com; s=x; h=from;" BH "b=AAAA",
	"v= is not 1"},
    {"v= with a zero before it",
	"v=01; a=rsa-sha256; d=example.com; s=x; h=from;" BH "b=AAAA",
	"v= is not 1"},
    {"d= is missing", "v=1; a=rsa-sha256; s=x; h=from;" BH "b=AAAA",
	"d= is missing"},
    {"d= is empty", "v=1; a=rsa-sha256; d=; s=x; h=from;" BH "b=AAAA",
	"d= is not a domain"},
    {"d= of one label",
	"v=1; a=rsa-sha256; d=localhost; s=x; h=from;" BH "b=AAAA",
	"d= is not a domain"},
    {"d= with white space in it",
	"v=1; a=rsa-sha256; d=exam ple.com; s=x; h=from;" BH "b=AAAA",
	"d= is not a domain"},
    {"d= with a final dot",
	"v=1; a=rsa-sha256; d=example.com.; s=x; h=from;" BH "b=AAAA",
	"d= is not a domain"},
    {"d= with an empty label",
	"v=1; a=rsa-sha256; d=example..com; s=x; h=from;" BH "b=AAAA",
	"d= is not a domain"},
    {"d= with other characters",
	"v=1; a=rsa-sha256; d=ex*mple.com; s=x; h=from;" BH "b=AAAA",
	"d= is not a domain"},
    {"d= twice (3.2)", GOOD "; d=example.com", "a tag twice"},
    {"an unknown tag twice", GOOD "; zz=1; zz=1", "a tag twice"},
    {"s= is missing", "v=1; a=rsa-sha256; d=example.com; h=from;" BH "b=AAAA",
	"s= is missing"},
    {"s= is empty", "v=1; a=rsa-sha256; d=example.com; s=; h=from;" BH "b=AAAA",
	"s= is not a selector"},
    {"s= of several labels",
	"v=1; a=rsa-sha256; d=example.com; s=a.b_c.d-e; h=from;" BH "b=AAAA",
	NULL},
    {"s= that leaves its place",
	"v=1; a=rsa-sha256; d=example.com; s=a/b; h=from;" BH "b=AAAA",
	"s= is not a selector"},
    {"a= is missing", "v=1; d=example.com; s=x; h=from;" BH "b=AAAA",
	"a= is missing"},
    {"a= is not known",
	"v=1; a=rsa-sha512; d=example.com; s=x; h=from;" BH "b=AAAA",
	"a= is not known"},
    {"a= in capitals",
	"v=1; a=RSA-SHA256; d=example.com; s=x; h=from;" BH "b=AAAA", NULL},
    {"b= is missing", FRONT " h=from", "b= is missing"},
    {"b= is empty", FRONT " h=from; b= ", "b= is not base64"},
    {"b= with foreign characters", FRONT " h=from; b=AA!!!AA",
	"b= is not base64"},
    {"b= with padding in the middle", FRONT " h=from; b=AA==AAAA",
	"b= is not base64"},
    {"b= cut", FRONT " h=from; b=AAAAA", "b= is not base64"},
    {"bh= is missing", "v=1; a=rsa-sha256; d=example.com; s=x; h=from; b=AAAA",
	"bh= is missing"},
    {"bh= is not base64",
	"v=1; a=rsa-sha256; d=example.com; s=x; h=from; b=AAAA; bh=%%%",
	"bh= is not base64"},
    {"bh= of another hash",
	"v=1; a=rsa-sha1; d=example.com; s=x; h=from;" BH "b=AAAA",
	"bh= has the wrong length"},
    {"h= is missing", FRONT " b=AAAA", "h= is missing"},
    {"h= is empty", FRONT " b=AAAA; h=", "h= is not a list of names"},
    {"h= without From (5.4)", FRONT " b=AAAA; h=to:subject",
	"h= does not name From"},
    {"h= with an empty name", FRONT " b=AAAA; h=from::to",
	"h= is not a list of names"},
    {"h= with a space in a name", FRONT " b=AAAA; h=from:reply to",
	"h= is not a list of names"},
    {"h= names From in any case", FRONT " b=AAAA; h=to: FROM", NULL},
    {"c= of one word", GOOD "; c=relaxed", NULL},
    {"c= in capitals", GOOD "; c=Relaxed/SIMPLE", NULL},
    {"c= is not known", GOOD "; c=nowsp", "c= is not known"},
    {"c= with an unknown second word", GOOD "; c=simple/nowsp",
	"c= is not known"},
    {"c= with an empty second word", GOOD "; c=simple/", "c= is not known"},
    {"c= with three words", GOOD "; c=simple/simple/simple", "c= is not known"},
    {"q= as everybody writes it", GOOD "; q=dns/txt", NULL},
    {"q= with unknown methods beside it", GOOD "; q=http : DNS/TXT", NULL},
    {"q= with unknown methods alone", GOOD "; q=http",
	"q= has no known method"},
    {"q= without options", GOOD "; q=dns", "q= has no known method"},
    {"i= equal to d=", GOOD "; i=@example.com", NULL},
    {"i= below d=", GOOD "; i=a@b.Example.COM", NULL},
    {"i= beside d=", GOOD "; i=a@example.org", "i= is not below d="},
    {"i= that only ends like d=", GOOD "; i=a@badexample.com",
	"i= is not below d="},
    {"i= above d=", GOOD "; i=@com", "i= is not below d="},
    {"i= without '@'", GOOD "; i=example.com", "i= is not an address"},
    {"i= with '@' in a quoted local part", GOOD "; i=\"a@b\"@example.com",
	NULL},
    {"i= with escapes", GOOD "; i=a=3Bb=40c@example.com", NULL},
    {"i= with an escape cut at the end (row 39)", GOOD "; i=@example.com=4",
	"i= is malformed or too long"},
    {"i= with '=' alone at the end",
	GOOD "; i=@example.com=", "i= is malformed or too long"},
    {"i= with an escape that is none", GOOD "; i=a=ZZ@example.com",
	"i= is malformed or too long"},
    {"i= with a control, escaped", GOOD "; i=a=0Ab@example.com",
	"i= is malformed or too long"},
    {"i= with NUL, escaped", GOOD "; i=a@example.com=00",
	"i= is malformed or too long"},
    {"l= of zero", GOOD "; l=0", NULL},
    {"l= that is negative", GOOD "; l=-1", "l= is not a usable number"},
    {"l= with a sign", GOOD "; l=+1", "l= is not a usable number"},
    {"l= empty", GOOD "; l=", "l= is not a usable number"},
    {"l= of 64 bits", GOOD "; l=18446744073709551615",
	"l= is not a usable number"},
    {"l= of more than 64 bits", GOOD "; l=18446744073709551616",
	"l= is not a usable number"},
    {"t= of now", GOOD "; t=1600000100", NULL},
    {"t= no number", GOOD "; t=yesterday", "t= is not a time"},
    {"t= negative", GOOD "; t=-5", "t= is not a time"},
    {"t= in the future", GOOD "; t=1600009999", "signed in the future"},
    {"t= beyond 64 bits (row 43)", GOOD "; t=99999999999999999999999",
	"signed in the future"},
    {"x= past", GOOD "; x=1500000000", "expired"},
    {"x= zero", GOOD "; x=0", "expired"},
    {"x= to come", GOOD "; x=1700000000", NULL},
    {"x= beyond 64 bits", GOOD "; x=18446744073709551617", NULL},
    {"x= no number", GOOD "; x=1e9", "x= is not a time"},
    {"x= before t=", GOOD "; t=1600000000; x=1599999999",
	"x= is not behind t="},
    {"x= at t=", GOOD "; t=1600000000; x=1600000000", "x= is not behind t="},
    {"no list at all", " hello", "not a list of tags"},
    {"nothing", "", "not a list of tags"},
    {"controls", GOOD "; n=\x01", "not a list of tags"},
    {"an empty tag", FRONT "; h=from; b=AAAA", "not a list of tags"},
};

static void
test_guard(struct arena *a)
{
	struct dkim_tags tags;

	for (size_t i = 0; i < sizeof guard_cases / sizeof *guard_cases; i++) {
		const struct guard_case *c = &guard_cases[i];
		TAP_CASE(c->claim)
		CHECK_STR(span_of(dkim_guard(&tags, span_of(c->text), NOW, a)),
		    c->problem ? c->problem : "");
	}
}

/* --- sizes ------------------------------------------------------------------------ */

static struct span
repeat(struct arena *a, const char *head, const char *item, size_t n,
    const char *tail)
{
	struct buf out;

	buf_init(&out, a, 1 << 20);
	buf_add_str(&out, head);
	for (size_t i = 0; i < n; i++)
		buf_add_str(&out, item);
	buf_add_str(&out, tail);
	return buf_span(&out);
}

static void
check_size(struct arena *a, const char *head, const char *item, size_t most,
    const char *tail, const char *problem)
{
	struct dkim_tags tags;

	CHECK_STR(span_of(dkim_guard(
		      &tags, repeat(a, head, item, most, tail), NOW, a)),
	    "");
	CHECK_STR(span_of(dkim_guard(
		      &tags, repeat(a, head, item, most + 1, tail), NOW, a)),
	    problem);
}

static void
test_sizes(struct arena *a)
{
	static const char end[] = "@example.com";

	TAP_CASE("i= may have 255 bytes once decoded, not 256 (row 39)")
	check_size(a, GOOD "; i=", "a", DKIM_IDENTITY_MAX - (sizeof end - 1),
	    end, "i= is malformed or too long");
	check_size(a, GOOD "; i=", "=41", DKIM_IDENTITY_MAX - (sizeof end - 1),
	    end, "i= is malformed or too long");
	TAP_CASE("h= may have so many names and not more (row 40)")
	check_size(a, FRONT " b=AAAA; h=from", ":x", DKIM_SIGNED_MAX - 1, "",
	    "h= has too many names");
	TAP_CASE("a field may be so long and not longer (row 40)")
	check_size(a, GOOD "; n=", "n", DKIM_FIELD_MAX - (sizeof GOOD - 1) - 4,
	    "", "the field is too long");
	TAP_CASE("the key's name must fit into DNS")
	check_size(a,
	    "v=1; a=rsa-sha256; h=from;" BH "b=AAAA; d=example.com; s=a", ".b",
	    (253 - sizeof "a._domainkey.example.com" + 1) / 2, "",
	    "the key's name is too long");
	TAP_CASE("there may be so many tags")
	struct dkim_tags tags;
	struct buf many;
	buf_init(&many, a, 1 << 20);
	buf_add_str(&many, GOOD);
	for (int i = 0; i < TAGLIST_TAGS_MAX; i++)
		buf_printf(&many, ";z%d=", i);
	CHECK_STR(span_of(dkim_guard(&tags, buf_span(&many), NOW, a)),
	    "too many tags");
}

static void
test_values(struct arena *a)
{
	struct dkim_tags tags;
	struct span text = SPAN(" v=1; a=Ed25519-SHA256;d=b\xc3\xbc"
				"cher.Example;s=S.x;h=From: To ;c=relaxed;"
				"l=12;t=5;x=1700000000;i=J=2E@a.b\xc3\xbc"
				"cher.example;b= AA\r\n AA ;" BH);

	TAP_CASE("values come out as they are meant")
	CHECK(dkim_guard(&tags, text, NOW, a) == NULL);
	CHECK_STR(tags.domain, "xn--bcher-kva.example");
	CHECK_STR(tags.key_name, "s.x._domainkey.xn--bcher-kva.example");
	CHECK_STR(tags.algorithm_name, "ed25519-sha256");
	CHECK_INT(tags.algorithm, DKIM_ED25519);
	CHECK_INT(tags.header_canon, BODYHASH_RELAXED);
	CHECK_INT(tags.body_canon, BODYHASH_SIMPLE);
	CHECK_INT(tags.names.n, 2);
	CHECK_STR(tags.names.v[1], "To");
	CHECK_INT(tags.limit, 12);
	CHECK_INT(tags.time, 5);
	CHECK_STR(tags.identity_domain, "a.xn--bcher-kva.example");
	CHECK_STR(tags.b, "AAAA");
	CHECK_STR(tags.b_whole, " AA\r\n AA ");
	CHECK_INT(tags.signature.len, 3);
	TAP_CASE("the domain of a faulty signature is told where it is read")
	CHECK(dkim_guard(&tags, SPAN(FRONT), NOW, a) != NULL);
	CHECK_STR(tags.domain, "example.com");
}

/* --- libopendkim's header hash against ours ---------------------------------------- */

static uint32_t state = 11;

static uint32_t
pick(uint32_t n)
{
	state = state * 1664525u + 1013904223u;
	return (state >> 16) % n;
}

#define PICK(array) (array)[pick(sizeof(array) / sizeof *(array))]

static const char *const spaces[] = {"", "", " ", "\r\n\t", "\n ", "  "};

static struct span
random_value(struct arena *a)
{
	static const char *const pieces[] = {" ", "\t", "\r\n ", "\n\t",
	    " \r\n \t", "a", "Hello", "\xc3\xbc", "=;", "b=", "x@y", ":", " ;",
	    "\r\n \r\n "};
	struct buf out;

	buf_init(&out, a, 10000);
	for (uint32_t n = pick(8); n; n--)
		buf_add_str(&out, PICK(pieces));
	return buf_span(&out);
}

static struct span
random_signature(struct arena *a)
{
	static const char *const canons[] = {
	    "", "c=simple/simple;", "c=relaxed;", "c=relaxed/relaxed;"};
	static const char *const tags[] = {"", " t=5;", " z=From:a|To:b=3D;",
	    " n=b;", " i=a=3Bb@example.com;"};
	static const char *const names[] = {
	    "Subject", "to", "X-A", "x-none", "From", "Cc"};
	struct buf out;

	buf_init(&out, a, 10000);
	buf_printf(&out,
	    "%sv=1;%sa=rsa-sha256;%s%s%s%sd=example.com; s=%ss;%sh=",
	    PICK(spaces), PICK(spaces), PICK(spaces), PICK(canons),
	    PICK(spaces), PICK(tags), PICK(spaces), PICK(spaces));
	buf_add_str(&out, "from");
	for (uint32_t n = pick(6); n; n--)
		buf_printf(
		    &out, "%s:%s%s", PICK(spaces), PICK(spaces), PICK(names));
	buf_printf(&out, ";" BH "%sb=%sAb%sCd", PICK(spaces), PICK(spaces),
	    PICK(spaces));
	if (pick(2))
		buf_printf(&out, ";%sr=y", PICK(spaces));
	return buf_span(&out);
}

static void
random_header(struct header_list *headers, struct arena *a)
{
	static const char *const names[] = {
	    "Subject", "TO", "X-A", "Received", "Cc", "List-Id"};

	header_init(headers, a);
	for (uint32_t n = 1 + pick(3); n; n--) {
		for (uint32_t k = pick(4); k; k--)
			header_add(
			    headers, span_of(PICK(names)), random_value(a));
		header_add(
		    headers, SPAN("DKIM-Signature"), random_signature(a));
	}
	header_add(headers, SPAN("From"), SPAN(" a@b.example"));
	for (uint32_t k = pick(4); k; k--)
		header_add(headers, span_of(PICK(names)), random_value(a));
}

/* All signatures of a header; each must be hashed alike. Returns how many the
 * library hashed. */
static size_t
compare_hashes(const struct header_list *headers, struct arena *a)
{
	struct dkim_candidate candidates[8];
	struct dkim_tags tags[8];
	struct header_index *index = header_index_new(headers, a);
	size_t n = 0, hashed = 0;

	for (size_t i = 0; i < headers->fields.n; i++) {
		const struct header *h = &headers->fields.v[i];
		if (!span_is(h->name, "DKIM-Signature") ||
		    dkim_guard(&tags[n], h->raw, NOW, a))
			continue;
		candidates[n] =
		    (struct dkim_candidate){.tags = &tags[n], .field = h};
		CHECK_INT(header_choose(index, tags[n].names.v, tags[n].names.n,
			      h, a, &candidates[n].choice),
		    0);
		n++;
	}
	dkim_library_hash(headers, candidates, n, a);
	for (size_t i = 0; i < n; i++) {
		struct header_hash own;
		CHECK_INT(header_hash(&candidates[i].choice,
			      candidates[i].field, tags[i].b_whole,
			      tags[i].header_canon, tags[i].digest, &own),
		    0);
		if (!candidates[i].hashed)
			continue;
		hashed++;
		CHECK(own.len == candidates[i].hash.len &&
		      !memcmp(own.digest, candidates[i].hash.digest, own.len));
	}
	return hashed;
}

static void
test_library(struct arena *a)
{
	struct header_list headers;
	size_t hashed = 0;

	TAP_CASE("libopendkim's header hashes and ours are the same")
	for (int round = 0; round < 500; round++) {
		struct arena *one = arena_new(0);
		random_header(&headers, one);
		hashed += compare_hashes(&headers, one);
		arena_free(one);
	}
	TAP_CASE("libopendkim hashes most of them")
	CHECK(hashed > 300);
	TAP_CASE("it is not asked about what it would get wrong")
	header_init(&headers, a);
	header_add(&headers, SPAN("From"), SPAN(" a@b.example"));
	header_add(&headers, SPAN("Subject \t"), SPAN(" x"));
	header_add(&headers, SPAN("DKIM-Signature"),
	    SPAN(FRONT " b=AAAA; h=from:subject"));
	CHECK_INT(compare_hashes(&headers, a), 0);
	header_add(
	    &headers, SPAN("DKIM-Signature"), SPAN(FRONT " h=from; b=AAAA ;"));
	CHECK_INT(compare_hashes(&headers, a), 0);
	header_add(&headers, SPAN("DKIM-Signature"),
	    SPAN(FRONT " h=from:dkim-signature; b=AAAA"));
	CHECK_INT(compare_hashes(&headers, a), 0);
	TAP_CASE("it is asked about the usual")
	header_add(&headers, SPAN("DKIM-Signature"), SPAN(GOOD));
	CHECK_INT(compare_hashes(&headers, a), 1);
	TAP_CASE("what it finds in error is hashed by us: no assertion")
	header_add(&headers, SPAN("DKIM-Signature"), SPAN(GOOD "; l=7"));
	CHECK_INT(compare_hashes(&headers, a), 1);
}

int
main(void)
{
	struct arena *a = arena_new(0);

	if (dkim_setup(NULL))
		return 1;
	test_guard(a);
	test_sizes(a);
	test_values(a);
	test_library(a);
	dkim_teardown();
	arena_free(a);
	return tap_done();
}
