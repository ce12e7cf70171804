/*
 * What DKIM costs with its keys warm, in one run, in microseconds of CPU a
 * message: libopendkim's whole verification, ours, and bare OpenSSL (the hash
 * of the body and one verification with a key that is at hand), for messages
 * of 1, 10 and 50 KB signed with RSA-2048 and with Ed25519. Then the speed of
 * body hashes over text. Messages and keys are made for the run.
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "filter/auth/crypto.h"
#include "filter/auth/dkim.h"
#include "filter/base/buf.h"
#include "filter/base/clock.h"
#include "tests/conformance/dkim_make.h"
#include "tests/conformance/opendkim_whole.h"

#define ROUNDS 300
#define TURNS 5 /* the best of so many counts */
#define BODY_SIZE ((size_t)8 * 1024 * 1024)

struct subject {
	struct dns *dns;
	struct header_list headers;
	struct span body;
	EVP_PKEY *key;
};

/* --- the three --------------------------------------------------------------- */

static bool
verify_ours(const struct subject *s, struct arena *arena)
{
	struct bodyhash_set *hashes = bodyhash_new(arena);
	struct dkim *dkim =
	    dkim_begin(&s->headers, dns_batch_new(s->dns, arena, 1000, 100),
		hashes, clock_wall(), arena);

	bodyhash_update(hashes, s->body);
	bodyhash_final(hashes);
	return dkim_end(dkim, arena)->result == DKIM_PASS;
}

static bool
verify_whole(const struct subject *s, struct arena *arena)
{
	struct whole whole;

	return whole_verify(&s->headers, s->body,
		   dns_batch_new(s->dns, arena, 1000, 100), arena, &whole) &&
	       whole.verdicts[0].result == WHOLE_PASS;
}

/* A signature that is wrong costs as much as a right one. */
static bool
verify_bare(const struct subject *s, struct arena *arena)
{
	static unsigned char sig[256];
	unsigned char digest[SHA256_DIGEST_LENGTH];
	bool ed = EVP_PKEY_is_a(s->key, "ED25519");
	EVP_MD_CTX *md = EVP_MD_CTX_new();
	EVP_PKEY_CTX *ctx = ed ? NULL : EVP_PKEY_CTX_new(s->key, NULL);
	bool good = EVP_Digest(
	    s->body.p, s->body.len, digest, NULL, EVP_sha256(), NULL);

	(void)arena;
	if (ed)
		good =
		    good &&
		    EVP_DigestVerifyInit(md, NULL, NULL, NULL, s->key) > 0 &&
		    EVP_DigestVerify(md, sig, 64, digest, sizeof digest) != 1;
	else
		good =
		    good && EVP_PKEY_verify_init(ctx) > 0 &&
		    EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PADDING) > 0 &&
		    EVP_PKEY_CTX_set_signature_md(ctx, EVP_sha256()) > 0 &&
		    EVP_PKEY_verify(
			ctx, sig, sizeof sig, digest, sizeof digest) != 1;
	EVP_MD_CTX_free(md);
	EVP_PKEY_CTX_free(ctx);
	ERR_clear_error();
	return good;
}

static double
measure(bool (*verify)(const struct subject *s, struct arena *arena),
    const struct subject *s)
{
	struct arena *arena = arena_new(0);
	int64_t best = INT64_MAX;

	for (int turn = 0; turn < TURNS; turn++) {
		int64_t start = clock_cpu_us();
		for (int i = 0; i < ROUNDS; i++) {
			if (!verify(s, arena))
				abort();
			arena_reset(arena);
		}
		int64_t us = clock_cpu_us() - start;
		if (us < best)
			best = us;
	}
	arena_free(arena);
	return (double)best / ROUNDS;
}

/* --- a message ---------------------------------------------------------------- */

static struct span
make_body(size_t size, bool base64, struct arena *arena)
{
	static const char text[] =
	    "Some words of a usual line of a usual mail, which is longer.\r\n";
	static const char coded[] =
	    "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8gISIjJCUmJygpKissLS4v"
	    "MDEyMzQ1\r\n";
	const char *line = base64 ? coded : text;
	struct buf out;

	buf_init(&out, arena, SIZE_MAX / 2);
	while (buf_span(&out).len < size)
		buf_add_str(&out, line);
	return buf_span(&out);
}

static void
bench_message(struct dns *dns, const char *selector, size_t size, bool base64)
{
	struct arena *arena = arena_new(0);
	struct span message =
	    make_usual(selector, make_body(size, base64, arena), arena);
	struct subject s = {.dns = dns, .key = make_key(selector)};

	header_init(&s.headers, arena);
	s.body = span_skip(message, header_parse(&s.headers, message));
	double whole = measure(verify_whole, &s);
	double ours = measure(verify_ours, &s);
	double bare = measure(verify_bare, &s);
	printf("%-4s %2zu KB %-6s %8.1f %8.1f %8.1f   %5.2f %6.2f\n", selector,
	    size / 1024, base64 ? "base64" : "text", whole, ours, bare,
	    ours / whole, ours / bare);
	fflush(stdout);
	arena_free(arena);
}

static void
bench_body(const char *what, const char *line, enum bodyhash_canon canon)
{
	char *p = malloc(BODY_SIZE + 100);
	struct arena *arena = arena_new(0);
	struct bodyhash_set *set = bodyhash_new(arena);
	size_t n = 0, len = strlen(line);

	if (!p || bodyhash_add(set, canon, BODYHASH_SHA256, UINT64_MAX) < 0)
		exit(1);
	for (; n < BODY_SIZE; n += len)
		memcpy(p + n, line, len);
	int64_t start = clock_cpu_us();
	for (size_t at = 0; at < n; at += 65536)
		bodyhash_update(
		    set, span_head(span_make(p + at, n - at), 65536));
	bodyhash_final(set);
	int64_t us = clock_cpu_us() - start;
	printf("%7.0f MB/s  %s\n", (double)n / (double)(us ? us : 1), what);
	arena_free(arena);
	free(p);
}

static struct dns *
open_zone(void)
{
	char path[] = "/tmp/assay-dkim-XXXXXX";
	int fd = mkstemp(path);
	FILE *f = fd < 0 ? NULL : fdopen(fd, "w");
	struct dns_options options = {.zone = path};
	struct dns *dns;

	if (!f)
		abort();
	make_open(f);
	fclose(f);
	if (dns_open(&options, &dns, NULL))
		abort();
	unlink(path);
	return dns;
}

int
main(void)
{
	static const size_t sizes[] = {1024, 10240, 51200};

	if (dkim_setup(NULL))
		return 1;
	whole_open();
	struct dns *dns = open_zone();
	printf("key  body         libopendkim ours   OpenSSL  ours to each\n");
	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
		bench_message(dns, "rsa", sizes[i], false);
		bench_message(dns, "ed", sizes[i], false);
	}
	bench_message(dns, "rsa", 51200, true);
	bench_body("simple", "Some words of a usual line of a usual mail.\r\n",
	    BODYHASH_SIMPLE);
	bench_body("relaxed, text",
	    "Some words of a usual line of a usual mail, which is longer.\r\n",
	    BODYHASH_RELAXED);
	bench_body("relaxed, base64",
	    "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8gISIjJCUmJygpKissLS4v"
	    "MDEyMzQ1\r\n",
	    BODYHASH_RELAXED);
	bench_body("relaxed, white space that changes", "\ta  b \t c   d\t\r\n",
	    BODYHASH_RELAXED);
	dns_close(dns);
	make_close();
	whole_close();
	dkim_teardown();
	return 0;
}
