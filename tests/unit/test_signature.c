/* Signatures: their form, and that our verifier takes them. */
#include "filter/auth/signature.h"

#include "filter/auth/dkim.h"
#include "filter/mail/message.h"
#include "tests/unit/signkit.h"

#define NOW 1700000000
#define TEXT                                                                   \
	"From: Joe <joe@example.com>\r\nTo: a@example.net,\r\n\tb@example.net" \
	"\r\nSubject:  two   words \r\nX-Assay: y\r\n\r\nHello  world \r\n"    \
	"\r\nbye\r\n\r\n\r\n"

static struct dns *dns;

struct signing {
	enum sign_algorithm algorithm;
	enum bodyhash_canon header, body;
	struct span identity, domain;
	const struct span *names; /* n 0: the default */
	size_t n_names;
	int64_t expires;
	struct span selector;
};

/* The field's value. */
static struct span
sign(struct span text, const struct signing *how, struct arena *a)
{
	struct bodyhash_set *hashes = bodyhash_new(a);
	int job =
	    bodyhash_add(hashes, how->body, BODYHASH_SHA256, BODYHASH_NO_LIMIT);
	struct header_list headers;
	size_t n, n_oversign;
	struct span *all = signature_spans(signature_default_names, a, &n);
	struct span *over =
	    signature_spans(signature_default_oversign, a, &n_oversign);

	header_init(&headers, a);
	size_t at = header_parse(&headers, text);
	bodyhash_update(hashes, span_skip(text, at));
	bodyhash_final(hashes);
	struct signature_request request = {
	    .key = kit_key(how->algorithm),
	    .domain = how->domain.p ? how->domain : SPAN("example.com"),
	    .selector = how->selector.p                     ? how->selector
			: how->algorithm == SIGN_RSA_SHA256 ? SPAN("rsa")
							    : SPAN("ed"),
	    .identity = how->identity,
	    .header_canon = how->header,
	    .body_canon = how->body,
	    .names = how->names,
	    .n_names = how->n_names,
	    .time = NOW,
	    .expires = how->expires ? how->expires : -1,
	    .body = bodyhash_value(hashes, job),
	    .index = header_index_new(&headers, a),
	};
	if (!request.n_names)
		request.names = signature_names(
		    &headers, all, n, over, n_oversign, a, &request.n_names);
	return signature_make(&request, a);
}

static struct span
with(struct span value, struct span text, struct arena *a)
{
	return arena_printf(
	    a, "DKIM-Signature: %.*s\r\n%.*s", SPAN_ARG(value), SPAN_ARG(text));
}

static const struct dkim_signature *
verify(struct span text, struct arena *a)
{
	struct bodyhash_set *hashes = bodyhash_new(a);
	struct dns_batch *batch = dns_batch_new(dns, a, 1000, 100);
	struct header_list headers;

	header_init(&headers, a);
	size_t at = header_parse(&headers, text);
	struct dkim *dkim = dkim_begin(&headers, batch, hashes, NOW + 1, a);
	bodyhash_update(hashes, span_skip(text, at));
	bodyhash_final(hashes);
	return &dkim_end(dkim, a)->signatures[0];
}

/* The longest line, a tab being eight columns. */
static size_t
width(struct span value, const char *name)
{
	size_t column = strlen(name) + 2, most = 0;

	for (size_t i = 0; i < value.len; i++) {
		if (value.p[i] == '\r') {
			CHECK(i + 2 < value.len && value.p[i + 1] == '\n' &&
			      value.p[i + 2] == '\t');
			i += 2;
			column = 8;
			continue;
		}
		CHECK(value.p[i] != '\n');
		column++;
		most = column > most ? column : most;
	}
	return most;
}

static void
test_verify(struct arena *a)
{
	TAP_CASE("our verifier takes each canonicalisation and each algorithm")
	for (unsigned i = 0; i < 8; i++) {
		struct signing how = {
		    .algorithm = i & 1 ? SIGN_ED25519_SHA256 : SIGN_RSA_SHA256,
		    .header = i & 2 ? BODYHASH_RELAXED : BODYHASH_SIMPLE,
		    .body = i & 4 ? BODYHASH_RELAXED : BODYHASH_SIMPLE,
		};
		struct span value = sign(SPAN(TEXT), &how, a);
		const struct dkim_signature *s =
		    verify(with(value, SPAN(TEXT), a), a);
		CHECK_INT(s->result, DKIM_PASS);
		CHECK_INT(s->time, NOW);
		CHECK_INT(s->expires, -1);
		CHECK(width(value, "DKIM-Signature") <= 78);
	}

	TAP_CASE("i= and x= are there when asked for, quoted where they must")
	struct signing how = {
	    .header = BODYHASH_RELAXED,
	    .body = BODYHASH_RELAXED,
	    .identity = SPAN("a;b=c \xc3\xa9@mail.example.com"),
	    .expires = NOW + 3600,
	};
	struct span value = sign(SPAN(TEXT), &how, a);
	const struct dkim_signature *s = verify(with(value, SPAN(TEXT), a), a);
	CHECK_INT(s->result, DKIM_PASS);
	CHECK_STR(s->identity, "a;b=c \xc3\xa9@mail.example.com");
	CHECK_INT(s->expires, NOW + 3600);

	TAP_CASE("a message without a body and without most fields")
	struct signing plain = {.header = BODYHASH_SIMPLE};
	value = sign(SPAN("From: joe@example.com\r\n\r\n"), &plain, a);
	s = verify(with(value, SPAN("From: joe@example.com\r\n\r\n"), a), a);
	CHECK_INT(s->result, DKIM_PASS);
}

static void
test_changes(struct arena *a)
{
	static const struct {
		const char *put; /* on top of what was signed */
		enum dkim_result want;
	} cases[] = {
	    {"X-Other: 1\r\n", DKIM_PASS},
	    {"Received: from x by y\r\n", DKIM_PASS},
	    {"From: ceo@bank.example\r\n", DKIM_FAIL},
	    {"Subject: other\r\n", DKIM_FAIL},
	    {"To: other@example.net\r\n", DKIM_FAIL},
	    {"Cc: other@example.net\r\n", DKIM_FAIL},
	    {"Reply-To: other@example.net\r\n", DKIM_FAIL},
	    /* what relays add to mail that lacks it */
	    {"Date: Mon, 1 Jan 2024 00:00:00 +0000\r\n", DKIM_PASS},
	    {"Message-ID: <1@example.net>\r\n", DKIM_PASS},
	    {"MIME-Version: 1.0\r\n", DKIM_PASS},
	    {"Sender: x@example.net\r\n", DKIM_PASS},
	};
	struct signing how = {
	    .header = BODYHASH_RELAXED, .body = BODYHASH_RELAXED};
	struct span field = with(sign(SPAN(TEXT), &how, a), SPAN(""), a);

	TAP_CASE("fields put in later break it, but those that relays add")
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct span text = arena_printf(
		    a, "%s%.*s%s", cases[i].put, SPAN_ARG(field), TEXT);
		if (verify(text, a)->result != cases[i].want)
			CHECK_STR(SPAN("another result"), cases[i].put);
	}

	TAP_CASE("a relay's Date is covered once there is one")
	struct span dated = SPAN("Date: x\r\n" TEXT);
	struct span value = sign(dated, &how, a);
	CHECK_INT(verify(with(value, dated, a), a)->result, DKIM_PASS);
	CHECK_INT(verify(with(value, SPAN("Date: y\r\nDate: x\r\n" TEXT), a), a)
		      ->result,
	    DKIM_FAIL);
}

static void
test_form(struct arena *a)
{
	char domain[254], name[200];
	struct span names[] = {SPAN("From"), SPAN("subject"), SPAN("FROM")};
	struct signing how = {
	    .names = names,
	    .n_names = 3,
	    .header = BODYHASH_RELAXED,
	    .body = BODYHASH_SIMPLE,
	};
	struct span value = sign(SPAN(TEXT), &how, a);

	TAP_CASE("h= is as asked for, in order and case")
	CHECK(span_starts(value,
	    SPAN("v=1; a=rsa-sha256; c=relaxed/simple; d=example.com; s=rsa;"
		 "\r\n\tt=1700000000; h=From:subject:FROM;")));

	TAP_CASE("the value of b= begins behind the = and ends the field")
	size_t b = span_find(value, SPAN(" b="), 0);
	if (b == SPAN_NPOS)
		b = span_find(value, SPAN("\tb="), 0);
	CHECK(b != SPAN_NPOS && ascii_is_alnum(value.p[b + 3]));
	CHECK_INT(span_find_char(span_skip(value, b), ';'), SPAN_NPOS);

	TAP_CASE("only a domain that is longer than a line stands out")
	memset(domain, 'a', sizeof domain - 1);
	for (size_t i = 50; i < sizeof domain - 1; i += 51)
		domain[i] = '.';
	memset(name, 'n', sizeof name);
	struct span long_names[400];
	for (size_t i = 0; i < 400; i++)
		long_names[i] = span_make(name, 1 + i % 60);
	struct signing far = {
	    .domain = span_make(domain, sizeof domain - 1),
	    .names = long_names,
	    .n_names = 400,
	};
	value = sign(SPAN(TEXT), &far, a);
	CHECK_INT(width(value, "DKIM-Signature"), 8 + 2 + 253 + 1);
	far.domain = SPAN("example.com");
	CHECK(width(sign(SPAN(TEXT), &far, a), "DKIM-Signature") <= 78);

	TAP_CASE("a name that h= cannot hold gives nothing")
	static const char *const bad[] = {
	    "", "a:b", "a;b", "a b", "a\r\nb", "\xc3\xa9", "a\tb"};
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		names[1] = span_of(bad[i]);
		how.names = names;
		how.n_names = 3;
		CHECK(!sign(SPAN(TEXT), &how, a).p);
		CHECK(!signature_name_is_valid(names[1]));
	}
}

static void
check_names(struct arena *a, struct span text, struct span want_names,
    struct span oversign, const char *want)
{
	struct header_list headers;
	struct buf got;
	struct span names[16], over[16];
	size_t n = 0, n_over = 0, n_got;

	header_init(&headers, a);
	(void)header_parse(&headers, text);
	while (want_names.p)
		names[n++] = span_cut(&want_names, ' ');
	while (oversign.p)
		over[n_over++] = span_cut(&oversign, ' ');
	struct span *list =
	    signature_names(&headers, names, n, over, n_over, a, &n_got);
	buf_init(&got, a, 65536);
	for (size_t i = 0; i < n_got; i++) {
		buf_add_str(&got, i ? ":" : "");
		buf_add_span(&got, list[i]);
	}
	CHECK_STR(buf_span(&got), want);
}

static void
test_names(struct arena *a)
{
	TAP_CASE("names stand as often as their fields, oversigned ones once"
		 " more")
	check_names(a, SPAN("From: x\r\nTo: y\r\nTo: z\r\n\r\n"),
	    SPAN("From To Cc Subject"), SPAN("from cc"), "From:From:To:To:Cc");
	TAP_CASE("From comes first when nobody names it")
	check_names(a, SPAN("From: x\r\nTo: y\r\n\r\n"), SPAN("To"),
	    SPAN("From"), "From:From:To");
	TAP_CASE("a name that is given twice counts once")
	check_names(a, SPAN("From: x\r\nTo: y\r\n\r\n"),
	    SPAN("From To to FROM"), SPAN("To"), "From:To:To");
	TAP_CASE("what a relay may add is oversigned only where it stands")
	check_names(a, SPAN("From: x\r\nDate: y\r\n\r\n"),
	    SPAN("From Date Message-ID"), SPAN("Date Message-ID"),
	    "From:Date:Date");

	TAP_CASE("thousands of fields of one name stay within the limit")
	struct header_list headers;
	struct span to = SPAN("To");
	size_t n;
	header_init(&headers, a);
	for (int i = 0; i < 5000; i++)
		header_add(&headers, to, SPAN(" x"));
	CHECK(signature_names(&headers, &to, 1, NULL, 0, a, &n) != NULL);
	CHECK_INT(n, SIGNATURE_NAMES_MAX);

	TAP_CASE("a field that fills the list does not push From out")
	const struct span listed[] = {SPAN("To"), SPAN("From")};
	header_add(&headers, SPAN("From"), SPAN(" x"));
	const struct span *got =
	    signature_names(&headers, listed, 2, NULL, 0, a, &n);
	CHECK(got && n == SIGNATURE_NAMES_MAX && span_is(got[0], "From"));
}

int
main(void)
{
	struct arena *a = arena_new(0);
	struct dns_options options = {0};
	struct err err;

	kit_begin();
	options.zone = kit_write(a, "zone",
	    arena_printf(a,
		"rsa._domainkey.example.com TXT \"p=%.*s\"\n"
		"ed._domainkey.example.com TXT \"k=ed25519; p=%.*s\"\n",
		SPAN_ARG(kit_public(a, kit_key(SIGN_RSA_SHA256))),
		SPAN_ARG(kit_public(a, kit_key(SIGN_ED25519_SHA256)))),
	    0644);
	if (dkim_setup(&err) || dns_open(&options, &dns, &err)) {
		fprintf(stderr, "%s\n", err.text);
		return 1;
	}
	test_verify(a);
	test_changes(a);
	test_form(a);
	test_names(a);
	arena_free(a);
	dns_close(dns);
	dkim_teardown();
	kit_end();
	return tap_done();
}
