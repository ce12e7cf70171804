/* DKIM: whole messages made by tests/data/dkim/make-test-messages. */
#include "filter/auth/dkim.h"

#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "filter/base/buf.h"
#include "tests/lib/tap.h"

#define DATA ASSAY_SRCDIR "/tests/data/dkim"
#define NOW 1600000100
#define FILES_MAX 200
#define THREADS 4

static struct dns *dns;

struct file {
	char path[512];
	char want[64]; /* results, or "multiplied" */
	struct span text;
};

static struct file files[FILES_MAX];
static size_t n_files;

static struct span
load(const char *path)
{
	struct stat st;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0 || fstat(fd, &st))
		return SPAN_NONE;
	size_t size = (size_t)st.st_size;
	char *p = malloc(size + 1);
	if (p && read(fd, p, size) != st.st_size)
		size = 0;
	close(fd);
	return span_make(p, size);
}

/* NAME-RESULT.eml */
static void
find_files(void)
{
	DIR *dir = opendir(DATA);
	struct dirent *entry;

	while (dir && (entry = readdir(dir)) && n_files < FILES_MAX) {
		struct span name = span_of(entry->d_name);
		struct file *f = &files[n_files];
		if (!span_ends(name, SPAN(".eml")))
			continue;
		name.len -= 4;
		snprintf(f->path, sizeof f->path, DATA "/%s", entry->d_name);
		span_copy(span_skip(name, span_rfind_char(name, '-') + 1),
		    f->want, sizeof f->want);
		f->text = load(f->path);
		n_files++;
	}
	if (dir)
		closedir(dir);
}

static const struct dkim_facts *
verify_at(struct span text, size_t chunk, int64_t now, struct arena *a)
{
	struct header_list headers;

	header_init(&headers, a);
	struct span body = span_skip(text, header_parse(&headers, text));
	struct bodyhash_set *hashes = bodyhash_new(a);
	struct dns_batch *batch = dns_batch_new(dns, a, 1000, 100);
	struct dkim *dkim = dkim_begin(&headers, batch, hashes, now, a);
	for (; body.len; body = span_skip(body, chunk))
		bodyhash_update(hashes, span_head(body, chunk));
	bodyhash_final(hashes);
	return dkim_end(dkim, a);
}

static const struct dkim_facts *
verify(struct span text, struct arena *a)
{
	return verify_at(text, SIZE_MAX, NOW, a);
}

static struct span
results(const struct dkim_facts *facts, struct arena *a)
{
	struct span out = SPAN("");

	for (size_t i = 0; i < facts->n; i++) {
		const struct dkim_signature *s = &facts->signatures[i];
		out = arena_printf(a, "%.*s%s%s", SPAN_ARG(out), i ? "," : "",
		    s->multiplied.p ? "multiplied"
				    : dkim_result_name(s->result));
		/* A reason for whatever is no pass, and only for that. */
		CHECK((s->result == DKIM_PASS) == (s->problem.p == NULL));
	}
	return out;
}

/* The header with LF in its folds and at its line ends, the body untouched. */
static struct span
with_lf(struct span text, struct arena *a)
{
	size_t body = span_find(text, SPAN("\r\n\r\n"), 0);
	struct buf out;

	buf_init(&out, a, 1 << 20);
	for (size_t i = 0; i < text.len; i++)
		if (i > body + 3 || text.p[i] != '\r')
			buf_add_char(&out, text.p[i]);
	return buf_span(&out);
}

static void
test_files(void)
{
	struct arena *a = arena_new(0);

	TAP_CASE("the messages are there")
	CHECK(n_files > 70);
	for (size_t i = 0; i < n_files; i++) {
		const struct file *f = &files[i];
		tap_case(f->path + sizeof DATA);
		CHECK_STR(results(verify(f->text, a), a), f->want);
		CHECK_STR(results(verify_at(f->text, 1, NOW, a), a), f->want);
		CHECK_STR(results(verify(with_lf(f->text, a), a), a), f->want);
		arena_reset(a);
	}
	arena_free(a);
}

/* --- what is told of a signature --------------------------------------------------- */

static struct span
file_text(const char *name)
{
	for (size_t i = 0; i < n_files; i++)
		if (span_ends(span_of(files[i].path), span_of(name)))
			return files[i].text;
	return SPAN("");
}

static void
test_facts(struct arena *a)
{
	const struct dkim_facts *facts =
	    verify(file_text("/identity-pass.eml"), a);

	TAP_CASE("the tags of a signature are told")
	CHECK_INT(facts->n, 1);
	CHECK_INT(facts->result, DKIM_PASS);
	const struct dkim_signature *s = facts->signatures;
	CHECK_STR(s->domain, "example.com");
	CHECK_STR(s->selector, "rsa");
	CHECK_STR(s->identity, "joe doe@sub.example.com");
	CHECK_STR(s->algorithm, "rsa-sha256");
	CHECK_INT(s->key_bits, 2048);
	CHECK_INT(s->time, 1600000000);
	CHECK_INT(s->expires, -1);
	CHECK_INT(s->b.len, 344);
	CHECK(s->field != NULL);
	TAP_CASE("without i= the identity is @d")
	s = verify(file_text("/ed-simple-simple-pass.eml"), a)->signatures;
	CHECK_STR(s->identity, "@example.com");
	CHECK_STR(s->algorithm, "ed25519-sha256");
	CHECK(!s->testing);
	TAP_CASE("t=y of the key is told")
	s = verify(file_text("/k-testing-pass.eml"), a)->signatures;
	CHECK(s->testing);
	TAP_CASE("of several keys the one that verified is told")
	s = verify(file_text("/k-two-pass.eml"), a)->signatures;
	CHECK_INT(s->key_bits, 1024);
	TAP_CASE("an unreadable signature has no domain, others are judged")
	facts = verify(file_text("/junk-and-good-permerror,pass.eml"), a);
	CHECK(facts->signatures[0].domain.p == NULL);
	CHECK_INT(facts->result, DKIM_PASS);
	TAP_CASE("a key that did not come is told apart")
	facts = verify(file_text("/k-timeout-temperror.eml"), a);
	CHECK(facts->waited_out);
	CHECK_INT(facts->result, DKIM_TEMPERROR);
	CHECK(!verify(file_text("/k-servfail-temperror.eml"), a)->waited_out);
	TAP_CASE("a field that was multiplied is named")
	facts = verify(file_text("/from-added-multiplied.eml"), a);
	CHECK_STR(facts->signatures[0].multiplied, "from");
	CHECK_INT(facts->signatures[0].result, DKIM_PASS);
	TAP_CASE("a message without signature has none")
	facts = verify(SPAN("From: a@example.com\r\n\r\nx\r\n"), a);
	CHECK_INT(facts->n, 0);
	CHECK_INT(facts->result, DKIM_NONE);
	TAP_CASE("out of memory at the beginning is temporary")
	CHECK_INT(dkim_end(NULL, a)->result, DKIM_TEMPERROR);
}

/* A text with `more` behind it. */
static struct span
with_tail(struct arena *a, struct span text, const char *more)
{
	return arena_printf(a, "%.*s%s", SPAN_ARG(text), more);
}

static void
test_testing(struct arena *a)
{
	struct span good = file_text("/k-testing-pass.eml");

	TAP_CASE("a key for tests makes no signature worse than none (t=y)")
	CHECK_STR(
	    results(verify(with_tail(a, good, "more\r\n"), a), a), "neutral");
	struct span bad = arena_span(a, good);
	size_t at = span_find(bad, SPAN("dinner"), 0);
	memcpy((char *)(uintptr_t)bad.p + at, "supper", 6);
	CHECK_STR(results(verify(bad, a), a), "neutral");
	TAP_CASE("without t=y the same is a fail")
	good = file_text("/k-small-pass.eml");
	CHECK_STR(
	    results(verify(with_tail(a, good, "more\r\n"), a), a), "fail");
}

/* RFC 6376 section 8.15 for each field that may stand once. */
static void
test_multiplied(struct arena *a)
{
	static const char *const fields[] = {"From: x@example.org\r\n",
	    "To: x@example.org\r\n", "Subject: other\r\n", "Date: other\r\n",
	    "Message-ID: <2@example.com>\r\n", "from \t: x@example.org\r\n",
	    "SUBJECT:\r\n"};
	struct span good = file_text("/rsa-relaxed-relaxed-pass.eml");
	struct span over = file_text("/oversigned-pass.eml");

	TAP_CASE("no field that may stand once is covered when it is doubled")
	for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
		struct span text =
		    arena_printf(a, "%s%.*s", fields[i], SPAN_ARG(good));
		const struct dkim_facts *facts = verify(text, a);
		CHECK_STR(results(facts, a), "multiplied");
		CHECK(!dkim_counts(&facts->signatures[0]));
	}
	TAP_CASE("a field of another name may be doubled")
	CHECK(dkim_counts(
	    &verify(arena_printf(a, "X-Other: 1\r\n%.*s", SPAN_ARG(good)), a)
		 ->signatures[0]));
	TAP_CASE("what is signed once more often fails instead")
	CHECK_STR(results(verify(arena_printf(
				     a, "Subject: x\r\n%.*s", SPAN_ARG(over)),
			      a),
		      a),
	    "fail");
}

/* All of it in so much memory; NULL: not even begun. */
static const struct dkim_facts *
verify_within(
    const struct header_list *headers, struct span body, struct arena *small)
{
	struct bodyhash_set *hashes = bodyhash_new(small);
	struct dns_batch *batch = dns_batch_new(dns, small, 1000, 100);

	if (!hashes || !batch)
		return NULL;
	struct dkim *dkim = dkim_begin(headers, batch, hashes, NOW, small);
	bodyhash_update(hashes, body);
	bodyhash_final(hashes);
	return dkim_end(dkim, small);
}

static void
test_memory(struct arena *a)
{
	struct span text = file_text("/two-pass,pass.eml");
	struct header_list headers;
	unsigned passed = 0, later = 0;

	header_init(&headers, a);
	struct span body = span_skip(text, header_parse(&headers, text));
	TAP_CASE("too little memory is temporary, wherever it ends")
	for (size_t budget = 1000; budget < 200000; budget += 500) {
		struct arena *small = arena_new(budget);
		const struct dkim_facts *facts =
		    verify_within(&headers, body, small);
		for (size_t i = 0; facts && i < facts->n; i++) {
			enum dkim_result r = facts->signatures[i].result;
			passed += r == DKIM_PASS;
			later += r == DKIM_TEMPERROR;
			CHECK(r == DKIM_PASS || r == DKIM_TEMPERROR);
		}
		arena_free(small);
	}
	CHECK(passed > 0);
	CHECK(later > 0);
}

static void
test_times(struct arena *a)
{
	struct span text = file_text("/not-expired-pass.eml");
	int64_t end = 1600000000 + 86400LL * 3650;

	TAP_CASE("a signature holds until x=, with some seconds of grace")
	CHECK_STR(results(verify_at(text, 99, end + 300, a), a), "pass");
	CHECK_STR(results(verify_at(text, 99, end + 301, a), a), "permerror");
	TAP_CASE("a signature of the future does not count (row 43)")
	CHECK_STR(results(verify_at(text, 99, 1600000000 - 300, a), a), "pass");
	CHECK_STR(
	    results(verify_at(text, 99, 1600000000 - 301, a), a), "permerror");
}

/* --- limits ---------------------------------------------------------------------------- */

/* `n` fields in front of a message. */
static struct span
with_fields(struct arena *a, const char *field, unsigned n, struct span text)
{
	struct buf out;

	buf_init(&out, a, 1 << 24);
	for (unsigned i = 0; i < n; i++)
		buf_printf(&out, "%s\r\n", field);
	buf_add_span(&out, text);
	return buf_span(&out);
}

static void
test_cap(struct arena *a)
{
	static const char other[] =
	    "DKIM-Signature: v=1; a=rsa-sha256; d=example.com; s=none; "
	    "h=from; bh=47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=; b=AAAA";
	struct span text = file_text("/rsa-relaxed-relaxed-pass.eml");
	const struct dkim_facts *facts =
	    verify(with_fields(a, other, DKIM_SIGNATURES_MAX - 1, text), a);

	TAP_CASE("the last signature within the cap is judged")
	CHECK_INT(facts->n, DKIM_SIGNATURES_MAX);
	CHECK_INT(facts->signatures[DKIM_SIGNATURES_MAX - 1].result, DKIM_PASS);
	CHECK_INT(facts->signatures[0].result, DKIM_PERMERROR);
	TAP_CASE("what is beyond the cap is policy, and not looked up (row 40)")
	facts = verify(with_fields(a, other, 150, text), a);
	CHECK_INT(facts->n, 151);
	CHECK_INT(
	    facts->signatures[DKIM_SIGNATURES_MAX - 1].result, DKIM_PERMERROR);
	CHECK_INT(facts->signatures[DKIM_SIGNATURES_MAX].result, DKIM_POLICY);
	CHECK_INT(facts->signatures[150].result, DKIM_POLICY);
	CHECK(facts->signatures[150].domain.p == NULL);
	CHECK_INT(facts->result, DKIM_POLICY);
}

static void
test_many_fields(struct arena *a)
{
	struct span text = file_text("/oversigned-pass.eml");

	TAP_CASE("thousands of fields cost no more than their number (row 9)")
	CHECK_STR(
	    results(verify(with_fields(a, "X-Many: y", 9000, text), a), a),
	    "pass");
	TAP_CASE("other fields of a covered name above do no harm")
	CHECK_STR(results(verify(with_fields(a, "Received: by x", 5,
				     file_text("/bottom-up-pass.eml")),
			      a),
		      a),
	    "pass");
	TAP_CASE("a large header is hashed whole")
	struct buf big;
	buf_init(&big, a, 1 << 22);
	buf_add_str(&big, "Subject:");
	for (int i = 0; i < 20000; i++)
		buf_add_str(&big, " word\t");
	struct span more = with_fields(a, buf_str(&big), 1, text);
	CHECK_STR(results(verify(more, a), a), "fail");
}

/* --- threads ------------------------------------------------------------------------- */

static void *
run_thread(void *arg)
{
	struct arena *a = arena_new(0);
	size_t *bad = arg;

	for (size_t i = 0; i < n_files; i++) {
		const struct dkim_facts *facts = verify(files[i].text, a);
		bool pass = span_is(SPAN("pass"), files[i].want);
		if (pass != (facts->result == DKIM_PASS && facts->n == 1 &&
				!facts->signatures[0].multiplied.p))
			*bad += strchr(files[i].want, ',') == NULL;
		arena_reset(a);
	}
	arena_free(a);
	return NULL;
}

static void
test_threads(void)
{
	pthread_t threads[THREADS];
	size_t bad[THREADS] = {0};

	TAP_CASE("many messages are judged at once")
	for (int i = 0; i < THREADS; i++)
		CHECK_INT(
		    pthread_create(&threads[i], NULL, run_thread, &bad[i]), 0);
	for (int i = 0; i < THREADS; i++) {
		pthread_join(threads[i], NULL);
		CHECK_INT(bad[i], 0);
	}
}

int
main(void)
{
	struct dns_options options = {.zone = DATA "/zone"};
	struct arena *a = arena_new(0);
	struct err err = {.text = ""};

	if (dkim_setup(&err) || dns_open(&options, &dns, &err)) {
		fprintf(stderr, "%s\n", err.text);
		return 1;
	}
	find_files();
	test_files();
	test_facts(a);
	test_testing(a);
	test_multiplied(a);
	test_memory(a);
	test_times(a);
	test_cap(a);
	test_many_fields(a);
	test_threads();
	arena_free(a);
	dns_close(dns);
	dkim_teardown();
	for (size_t i = 0; i < n_files; i++)
		free((void *)(uintptr_t)files[i].text.p);
	return tap_done();
}
