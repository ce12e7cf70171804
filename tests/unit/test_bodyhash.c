/* Canonical bodies and their digests. */
#include "filter/auth/bodyhash.h"

#include <stdlib.h>

#include "filter/auth/bodyscan.h"
#include "filter/base/codec.h"
#include "tests/lib/tap.h"

#define EMPTY_SHA256 "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="

static struct span
hash_of(struct arena *a, struct span body, enum bodyhash_canon canon,
    enum bodyhash_digest digest, uint64_t limit, size_t chunk,
    uint64_t *ret_size)
{
	struct bodyhash_set *set = bodyhash_new(a);
	struct buf text;
	int job = bodyhash_add(set, canon, digest, limit);

	buf_init(&text, a, 100);
	for (; body.len; body = span_skip(body, chunk))
		bodyhash_update(set, span_head(body, chunk));
	bodyhash_final(set);
	const struct bodyhash_value *value = bodyhash_value(set, job);
	codec_base64_encode(
	    &text, span_make((const char *)value->digest, value->len));
	if (ret_size)
		*ret_size = value->body_size;
	return value->failed ? SPAN_NONE : buf_span(&text);
}

/* The plain digest of a text: simple canonicalisation of a text that is
 * already canonical leaves it alone. */
static struct span
plain(struct arena *a, struct span text)
{
	return text.len ? hash_of(a, text, BODYHASH_SIMPLE, BODYHASH_SHA256,
			      BODYHASH_NO_LIMIT, SIZE_MAX, NULL)
			: SPAN(EMPTY_SHA256);
}

static void
test_rfc(struct arena *a)
{
	static const struct {
		const char *claim;
		enum bodyhash_canon canon;
		enum bodyhash_digest digest;
		const char *want;
	} cases[] = {
	    {"simple, empty, SHA-1 (RFC 6376 section 3.4.3)", BODYHASH_SIMPLE,
		BODYHASH_SHA1, "uoq1oCgLlTqpdDX/iUbLy7J1Wic="},
	    {"simple, empty, SHA-256 (RFC 6376 section 3.4.3)", BODYHASH_SIMPLE,
		BODYHASH_SHA256,
		"frcCV1k9oG9oKj3dpUqdJg1PxRT2RSN/XKdLCPjaYaY="},
	    {"relaxed, empty, SHA-1 (RFC 6376 section 3.4.4)", BODYHASH_RELAXED,
		BODYHASH_SHA1, "2jmj7l5rSw0yVb/vlWAYkK/YBwk="},
	    {"relaxed, empty, SHA-256 (RFC 6376 section 3.4.4)",
		BODYHASH_RELAXED, BODYHASH_SHA256, EMPTY_SHA256},
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		TAP_CASE(cases[i].claim)
		CHECK_STR(hash_of(a, SPAN(""), cases[i].canon, cases[i].digest,
			      BODYHASH_NO_LIMIT, SIZE_MAX, NULL),
		    cases[i].want);
	}
}

struct canon_case {
	const char *claim;
	struct span body, simple, relaxed;
};

static const struct canon_case canon_cases[] = {
    {"the example of RFC 6376 section 3.4.5", SPAN(" C \r\nD \t E\r\n\r\n\r\n"),
	SPAN(" C \r\nD \t E\r\n"), SPAN(" C\r\nD E\r\n")},
    {"lines of text stay", SPAN("a b\r\nc\r\n"), SPAN("a b\r\nc\r\n"),
	SPAN("a b\r\nc\r\n")},
    {"a missing final line end is added", SPAN("abc"), SPAN("abc\r\n"),
	SPAN("abc\r\n")},
    {"empty lines at the end go", SPAN("a\r\n\r\n\r\n"), SPAN("a\r\n"),
	SPAN("a\r\n")},
    {"empty lines at the beginning and between stay",
	SPAN("\r\n\r\na\r\n\r\nb\r\n"), SPAN("\r\n\r\na\r\n\r\nb\r\n"),
	SPAN("\r\n\r\na\r\n\r\nb\r\n")},
    {"a body of empty lines", SPAN("\r\n\r\n\r\n"), SPAN("\r\n"), SPAN("")},
    {"a body of blanks", SPAN(" \t"), SPAN(" \t\r\n"), SPAN("")},
    {"lines of blanks", SPAN(" \r\n\t\r\n"), SPAN(" \r\n\t\r\n"), SPAN("")},
    {"lines of blanks at the end", SPAN("a\r\n \r\n\t"),
	SPAN("a\r\n \r\n\t\r\n"), SPAN("a\r\n")},
    {"lines of blanks between", SPAN("a\r\n \t\r\nb\r\n"),
	SPAN("a\r\n \t\r\nb\r\n"), SPAN("a\r\n\r\nb\r\n")},
    {"white space at a line's end", SPAN("a \r\nb\t\r\nc \t "),
	SPAN("a \r\nb\t\r\nc \t \r\n"), SPAN("a\r\nb\r\nc\r\n")},
    {"white space at a line's beginning", SPAN("  a\r\n\tb\r\n c\r\n"),
	SPAN("  a\r\n\tb\r\n c\r\n"), SPAN(" a\r\n b\r\n c\r\n")},
    {"runs of white space", SPAN("a  b\t\tc \t d\te\r\n"),
	SPAN("a  b\t\tc \t d\te\r\n"), SPAN("a b c d e\r\n")},
    {"a lone CR is text", SPAN("a\rb\r\n\r"), SPAN("a\rb\r\n\r\r\n"),
	SPAN("a\rb\r\n\r\r\n")},
    {"a lone LF is text", SPAN("a\nb\n"), SPAN("a\nb\n\r\n"),
	SPAN("a\nb\n\r\n")},
    {"CR CR LF ends a line of one CR", SPAN("\r\r\n\r\n"), SPAN("\r\r\n"),
	SPAN("\r\r\n")},
    {"white space before a lone CR stays", SPAN("a \t\rb \r"),
	SPAN("a \t\rb \r\r\n"), SPAN("a \rb \r\r\n")},
    {"NUL and 8-bit bytes are text", SPAN("\0 \xff\r\n"), SPAN("\0 \xff\r\n"),
	SPAN("\0 \xff\r\n")},
    {"vertical tab and form feed are text", SPAN("a \v\f b\r\n"),
	SPAN("a \v\f b\r\n"), SPAN("a \v\f b\r\n")},
};

static void
check_canon(struct arena *a, struct span body, enum bodyhash_canon canon,
    struct span want)
{
	uint64_t size = 0;

	for (size_t chunk = 1; chunk <= body.len + 1; chunk++) {
		struct span got = hash_of(a, body, canon, BODYHASH_SHA256,
		    BODYHASH_NO_LIMIT, chunk, &size);
		CHECK_SPAN(got, plain(a, want));
		CHECK_INT(size, want.len);
	}
}

static void
test_canon(struct arena *a)
{
	for (size_t i = 0; i < sizeof canon_cases / sizeof *canon_cases; i++) {
		const struct canon_case *c = &canon_cases[i];
		TAP_CASE(c->claim)
		check_canon(a, c->body, BODYHASH_SIMPLE, c->simple);
		check_canon(a, c->body, BODYHASH_RELAXED, c->relaxed);
	}
}

/* --- against a plain reference, in pieces --------------------------------------- */

static uint32_t
next_random(uint32_t *state)
{
	*state = *state * 1664525u + 1013904223u;
	return *state >> 16;
}

static struct span
random_body(struct arena *a, uint32_t *state, size_t len)
{
	static const char pieces[][3] = {
	    " ", "\t", "\r\n", "\r\n", "a", "b", "cd", "\r", "\n", "  ", "xy"};
	char *p = arena_alloc(a, len + 2);
	size_t n = 0;

	while (n < len) {
		/* Mostly text, so that runs are longer than a word. */
		const char *piece =
		    next_random(state) % 3
			? "w"
			: pieces[next_random(state) %
				 (sizeof pieces / sizeof *pieces)];
		size_t k = strlen(piece);
		memcpy(p + n, piece, k);
		n += k;
	}
	return span_make(p, n);
}

/* The relaxed form of one line, without its end. */
static size_t
reference_line(char *to, struct span line)
{
	size_t n = 0;

	for (size_t i = 0; i < line.len; i++) {
		if (!ascii_is_blank(line.p[i]))
			to[n++] = line.p[i];
		else if (n == 0 || to[n - 1] != ' ')
			to[n++] = ' ';
	}
	return n && to[n - 1] == ' ' ? n - 1 : n;
}

/* Line by line, as the RFC tells it. */
static struct span
reference(struct arena *a, struct span body)
{
	char *p = arena_alloc(a, body.len + 2);
	size_t n = 0, good = 0;

	while (body.p) {
		size_t at = span_find(body, SPAN("\r\n"), 0);
		struct span line = span_head(body, at);
		body = at == SPAN_NPOS ? SPAN_NONE : span_skip(body, at + 2);
		size_t k = reference_line(p + n, line);
		n += k;
		if (!k && !body.p)
			break;
		memcpy(p + n, "\r\n", 2);
		n += 2;
		if (k)
			good = n;
	}
	return span_make(p, good);
}

static void
test_random(struct arena *a)
{
	uint32_t state = 7;

	TAP_CASE("relaxed bodies in pieces equal a plain reference")
	for (int round = 0; round < 300; round++) {
		struct span body =
		    random_body(a, &state, next_random(&state) % 200);
		struct span want = plain(a, reference(a, body));
		size_t chunk = 1 + next_random(&state) % 40;
		CHECK_SPAN(hash_of(a, body, BODYHASH_RELAXED, BODYHASH_SHA256,
			       BODYHASH_NO_LIMIT, SIZE_MAX, NULL),
		    want);
		CHECK_SPAN(hash_of(a, body, BODYHASH_RELAXED, BODYHASH_SHA256,
			       BODYHASH_NO_LIMIT, chunk, NULL),
		    want);
		CHECK_SPAN(hash_of(a, body, BODYHASH_SIMPLE, BODYHASH_SHA256,
			       BODYHASH_NO_LIMIT, 1, NULL),
		    hash_of(a, body, BODYHASH_SIMPLE, BODYHASH_SHA256,
			BODYHASH_NO_LIMIT, SIZE_MAX, NULL));
	}
}

static void
test_runs(void)
{
	static const struct {
		const char *claim, *text;
		size_t want;
	} cases[] = {
	    {"a run goes to the end", "abcdefghijklmnopq", 17},
	    {"single spaces and line ends before text are in it",
		"ab cd\r\nef gh ij\r\nkl", 19},
	    {"a tab ends it", "abcdefghijk\tm", 11},
	    {"a space before a space ends it", "abcdefg  b", 7},
	    {"a space before a tab ends it", "abcdefgh \tb", 8},
	    {"a space before a line end ends it", "abc \r\nd", 3},
	    {"a space at the end ends it", "abcdefghijklmno ", 15},
	    {"a line end at the end ends it", "abcdefgh\r\n", 8},
	    {"a line end before a blank ends it", "abcdefgh\r\n x", 8},
	    {"an empty line ends it", "abcdefgh\r\n\r\nx", 8},
	    {"a lone CR ends it", "abcdefgh\rx234567890", 8},
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct span text = span_of(cases[i].text);
		TAP_CASE(cases[i].claim)
		CHECK_INT(bodyscan_run(text.p, text.p + text.len) - text.p,
		    cases[i].want);
	}
}

/* --- jobs ------------------------------------------------------------------------- */

static void
test_limit(struct arena *a)
{
	uint64_t size = 0;

	TAP_CASE("l= hashes a part and tells the whole size")
	CHECK_SPAN(hash_of(a, SPAN("ab\r\nrest"), BODYHASH_RELAXED,
		       BODYHASH_SHA256, 4, 1, &size),
	    plain(a, SPAN("ab\r\n")));
	CHECK_INT(size, 10);
	TAP_CASE("l=0 hashes nothing")
	CHECK_STR(hash_of(a, SPAN("abc"), BODYHASH_SIMPLE, BODYHASH_SHA256, 0,
		      SIZE_MAX, &size),
	    EMPTY_SHA256);
	CHECK_INT(size, 5);
	TAP_CASE("a limit beyond the body hashes all of it")
	CHECK_SPAN(hash_of(a, SPAN("ab\r\n"), BODYHASH_SIMPLE, BODYHASH_SHA256,
		       1000, SIZE_MAX, NULL),
	    plain(a, SPAN("ab\r\n")));
}

static void
test_jobs(struct arena *a)
{
	struct bodyhash_set *set = bodyhash_new(a);

	TAP_CASE("equal jobs are one, others are not")
	int first = bodyhash_add(
	    set, BODYHASH_RELAXED, BODYHASH_SHA256, BODYHASH_NO_LIMIT);
	CHECK_INT(bodyhash_add(set, BODYHASH_RELAXED, BODYHASH_SHA256,
		      BODYHASH_NO_LIMIT),
	    first);
	int other = bodyhash_add(set, BODYHASH_RELAXED, BODYHASH_SHA256, 10);
	CHECK(other >= 0 && other != first);
	TAP_CASE("there is a limit of jobs")
	int rc = 0;
	for (uint64_t l = 100; rc >= 0 && l < 200; l++)
		rc = bodyhash_add(set, BODYHASH_SIMPLE, BODYHASH_SHA1, l);
	CHECK_INT(rc, ERR_LIMIT);
	TAP_CASE("nothing is added once the body has begun")
	bodyhash_update(set, SPAN("x"));
	CHECK_INT(
	    bodyhash_add(set, BODYHASH_SIMPLE, BODYHASH_SHA256, 5), ERR_STATE);
	TAP_CASE("what comes after the end is not heard")
	bodyhash_final(set);
	bodyhash_update(set, SPAN("y"));
	bodyhash_final(set);
	CHECK_INT(bodyhash_value(set, first)->body_size, 3);
	TAP_CASE("a set without jobs takes a body")
	set = bodyhash_new(a);
	bodyhash_update(set, SPAN("abc\r\n"));
	bodyhash_final(set);
	CHECK(set != NULL);
}

int
main(void)
{
	struct arena *a = arena_new(0);

	test_rfc(a);
	test_canon(a);
	test_random(a);
	test_runs();
	test_limit(a);
	test_jobs(a);
	arena_free(a);
	return tap_done();
}
