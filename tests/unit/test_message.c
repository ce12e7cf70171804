/* A message keeps the bytes that came, in memory or in a file, says what it
 * could not keep, and answers each question once. */
#include "filter/mail/message.h"

#include <dirent.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "filter/base/buf.h"
#include "tests/lib/tap.h"

static char spool[] = "/tmp/assay-test-XXXXXX";

static unsigned
files_in_spool(void)
{
	DIR *dir = opendir(spool);
	unsigned n = 0;

	for (struct dirent *e; dir && (e = readdir(dir));)
		n += e->d_name[0] != '.';
	if (dir)
		closedir(dir);
	return n;
}

static struct span
pattern(struct arena *a, size_t n)
{
	char *p = arena_alloc(a, n + 1);

	for (size_t i = 0; i < n; i++)
		p[i] = (char)('a' + i * 7 % 26);
	return span_make(p, n);
}

/* Feeds `body` in steps; the last code of message_body(). */
static int
feed(struct message *m, struct span body, size_t step)
{
	int rc = 0;

	message_header(m, SPAN("Subject"), SPAN(" x"));
	message_headers_done(m);
	while (body.len) {
		rc = message_body(m, span_head(body, step));
		body = span_skip(body, step);
	}
	message_done(m);
	return rc;
}

static void
test_bytes(struct arena *a)
{
	static const size_t steps[] = {1, 2, 3, 7, 4096, 1000000};
	struct span body =
	    SPAN("one\r\ntwo\r\r\n\0three\n.\r\n\r\nfour\r"); /* row 11 */

	for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
		struct message_options options = message_options_default();
		struct message *m = message_new(a, &options);
		TAP_CASE("the body's bytes stay, wherever chunks are cut")
		CHECK_INT(feed(m, body, steps[i]), 0);
		CHECK_SPAN(message_body_bytes(m), body);
		CHECK_INT(message_body_size(m), body.len);
		CHECK_INT(message_size(m), 7 + 1 + 2 + 2 + 2 + body.len);
		CHECK_INT(message_lacks(m), 0);
	}
	struct message_options options = message_options_default();
	struct message *m = message_new(a, &options);
	TAP_CASE("a message without a body is one")
	CHECK_INT(feed(m, SPAN(""), 1), 0);
	CHECK_SPAN(message_body_bytes(m), SPAN(""));
	CHECK(message_tree(m)->root != NULL);
}

static void
test_file(void)
{
	static const size_t steps[] = {1, 999, 4096, 100000};

	for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
		struct arena *a = arena_new(0);
		struct message_options options = message_options_default();
		_Atomic int64_t memory = 0;
		struct span body = pattern(a, 50000);
		options.memory_max = 10000;
		options.memory = &memory;
		options.memory_limit = INT64_MAX;
		options.spool = spool;
		options.size_hint = (size_t)1 << 40;
		struct message *m = message_new(a, &options);
		TAP_CASE("past memory_max the body is in an unlinked file")
		CHECK_INT(feed(m, body, steps[i]), 0);
		CHECK_SPAN(message_body_bytes(m), body);
		CHECK_INT(atomic_load(&memory), 0);
		CHECK_INT(files_in_spool(), 0);
		CHECK_INT(message_lacks(m), 0);
		arena_free(a);
	}
}

static void
test_limits(void)
{
	struct arena *a = arena_new(0);
	struct message_options options = message_options_default();
	_Atomic int64_t memory = 0;
	struct span body = pattern(a, 300000);

	options.size_max = 1000;
	struct message *m = message_new(a, &options);
	TAP_CASE("past size_max bytes are only counted (row 25)")
	CHECK_INT(feed(m, body, 999), 0);
	CHECK_SPAN(message_body_bytes(m), span_head(body, 1000));
	CHECK_INT(message_body_size(m), body.len);
	CHECK_INT(message_lacks(m), MESSAGE_LACK_SIZE);
	arena_reset(a);

	body = pattern(a, 300000);
	options = message_options_default();
	options.memory = &memory;
	options.memory_limit = 100000;
	options.memory_short = 5000;
	m = message_new(a, &options);
	TAP_CASE("bodies in memory are accounted for")
	CHECK_INT(feed(m, span_head(body, 50000), 1000), 0);
	CHECK(atomic_load(&memory) >= 50000);
	CHECK(atomic_load(&memory) <= 131072);
	CHECK_INT(message_lacks(m), 0);

	TAP_CASE("above memory_limit only memory_short is kept")
	struct arena *b = arena_new(0);
	atomic_store(&memory, 200000);
	struct message *other = message_new(b, &options);
	CHECK_INT(feed(other, body, 1000), 0);
	CHECK_INT(message_body_bytes(other).len, 5000);
	CHECK_INT(message_lacks(other), MESSAGE_LACK_MEMORY);
	CHECK_INT(message_body_size(other), body.len);
	arena_free(b);
	arena_free(a);
	TAP_CASE("what was accounted for goes with the arena")
	CHECK(atomic_load(&memory) <= 200000 && atomic_load(&memory) >= 68000);
}

static void
test_disk(void)
{
	struct arena *a = arena_new(0);
	struct message_options options = message_options_default();
	struct span body = pattern(a, 50000);

	options.memory_max = 10000;
	options.spool = "/nonexistent/folder";
	struct message *m = message_new(a, &options);
	TAP_CASE("a spool that fails is said, the message goes on")
	message_headers_done(m);
	CHECK_INT(message_body(m, span_head(body, 9000)), 0);
	CHECK_INT(message_body(m, span_skip(body, 9000)), ERR_IO);
	message_done(m);
	CHECK_INT(message_lacks(m), MESSAGE_LACK_DISK);
	CHECK_SPAN(message_body_bytes(m), span_head(body, 9000));
	CHECK_INT(message_body_size(m), body.len);
	CHECK(message_tree(m)->root != NULL);
	arena_free(a);
}

static void
test_read(struct arena *a)
{
	static const struct {
		const char *claim, *text, *body;
		size_t fields, size;
	} cases[] = {
	    {"a file with LF", "A: b\n\nx\ny\n", "x\r\ny\r\n", 1, 14},
	    {"a file with CRLF", "A: b\r\n\r\nx\r\ny\r\n", "x\r\ny\r\n", 1, 14},
	    {"an mbox line goes", "From a@example.com Mon\nA: b\n\nx\n",
		"x\r\n", 1, 0},
	    {"without body", "A: b\n", "", 1, 0},
	    {"without header", "\nx\n", "x\r\n", 0, 0},
	    {"empty", "", "", 0, 0},
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct message_options options = message_options_default();
		struct message *m = message_new(a, &options);
		TAP_CASE(cases[i].claim)
		CHECK_INT(message_read(m, span_of(cases[i].text)), 0);
		CHECK_STR(message_body_bytes(m), cases[i].body);
		CHECK_INT(message_headers(m)->fields.n, cases[i].fields);
		if (cases[i].size)
			CHECK_INT(message_size(m), cases[i].size);
	}
}

static void
test_questions(struct arena *a)
{
	struct message_options options = message_options_default();
	struct message *m = message_new(a, &options);

	CHECK_INT(message_read(
		      m, SPAN("From: A <a@example.com>\nFrom : b@example.org\n"
			      "Subject: =?utf-8?q?caf=C3=A9?=\n"
			      "Content-Type: multipart/mixed; boundary=b\n\n"
			      "--b\nContent-Type: text/html\n\n"
			      "<a href=http://www.example.co.uk/>x</a> "
			      "http://user@example.net/\n--b\n\ny\n--b--\n")),
	    0);
	TAP_CASE("all From fields give their addresses, in order (row 1)")
	const struct addr_list *from = message_from(m);
	CHECK_INT(from->items.n, 2);
	CHECK_STR(from->items.v[0].spec, "a@example.com");
	CHECK_STR(from->items.v[1].spec, "b@example.org");

	TAP_CASE("a blank before the colon makes From ambiguous (row 3)")
	CHECK(from->ambiguous);

	TAP_CASE("header text is decoded, once")
	const struct header *h =
	    header_first(message_headers(m), SPAN("Subject"));
	struct span text = message_header_text(m, h);
	CHECK_STR(text, "caf\xc3\xa9");
	CHECK(message_header_text(m, h).p == text.p);

	TAP_CASE("links of text and of HTML, each as a browser reads it")
	const struct url_list *urls = message_urls(m);
	CHECK_INT(urls->n, 2);
	CHECK_STR(urls->v[0].host, "example.net");
	CHECK(urls->v[0].userinfo && !urls->v[0].from_html);
	CHECK_STR(urls->v[1].registrable, "example.co.uk");
	CHECK(urls->v[1].from_html);
	CHECK_STR(urls->v[1].anchor, "x");
	CHECK(message_urls(m) == urls);

	TAP_CASE("only HTML parts have HTML")
	const struct mime_tree *tree = message_tree(m);
	CHECK(message_part_html(m, tree->parts.v[0]) == NULL);
	CHECK(message_part_html(m, tree->parts.v[1]) != NULL);
	CHECK(message_part_html(m, tree->parts.v[2]) == NULL);

	TAP_CASE("the envelope's sender is what was said, empty or not")
	CHECK(message_envelope_from(m).p == NULL);
	message_set_envelope_from(m, SPAN(""));
	CHECK(message_envelope_from(m).p != NULL);
}

/* All texts together share one budget (row 25). */
static void
test_decoded_budget(void)
{
	struct arena *a = arena_new((size_t)64 << 20);
	struct message_options options = message_options_default();
	struct arena *t = arena_new(0);
	struct buf b;

	buf_init(&b, t, SIZE_MAX / 4);
	buf_add_str(&b, "Content-Type: multipart/mixed; boundary=b\n\n");
	for (int i = 0; i < 900; i++) {
		buf_add_str(&b, "--b\nContent-Type: text/html\n\n");
		for (int k = 0; k < 1000; k++)
			buf_add_str(&b, "<p>0123456789012345678901234567\n");
	}
	struct message *m = message_new(a, &options);
	TAP_CASE("29 MB of text parts: read up to text_max, and it is said")
	CHECK_INT(message_read(m, buf_span(&b)), 0);
	const struct mime_tree *tree = message_tree(m);
	size_t total = 0;
	for (size_t i = 0; i < tree->parts.n; i++) {
		(void)message_part_html(m, tree->parts.v[i]);
		total += message_part_decoded(m, tree->parts.v[i]).len;
	}
	CHECK(total <= options.text_max);
	CHECK(total > options.text_max / 2);
	CHECK(message_lacks(m) & MESSAGE_LACK_TEXT);
	CHECK(!arena_failed(a));
	arena_free(a);
	arena_free(t);
}

int
main(void)
{
	struct arena *a = arena_new(0);

	if (!mkdtemp(spool))
		return 1;
	test_bytes(a);
	test_file();
	test_limits();
	test_disk();
	test_read(a);
	test_questions(a);
	test_decoded_budget();
	arena_free(a);
	rmdir(spool);
	return tap_done();
}
