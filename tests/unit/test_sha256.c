#include "filter/base/sha256.h"

#include <stdlib.h>

#include "filter/base/buf.h"
#include "filter/base/codec.h"
#include "tests/lib/tap.h"

/* Hashes `bytes`, given in pieces of `step`; the text lives until the next. */
static struct span
hash(struct span bytes, size_t step)
{
	static char text[2 * SHA256_SIZE + 1];
	uint8_t digest[SHA256_SIZE];
	struct sha256 sha;
	struct buf hex;

	sha256_init(&sha);
	for (; bytes.len; bytes = span_skip(bytes, step))
		sha256_add(&sha, span_head(bytes, step));
	sha256_done(&sha, digest);
	buf_init(&hex, NULL, sizeof text);
	codec_hex_encode(&hex, span_make((const char *)digest, sizeof digest));
	(void)span_copy(buf_span(&hex), text, sizeof text);
	buf_done(&hex);
	return span_of(text);
}

static const struct {
	const char *claim;
	struct span text;
	const char *want;
} cases[] = {
    {"nothing", SPAN(""),
	"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
    {"FIPS 180-2 appendix B.1: one block", SPAN("abc"),
	"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
    {"FIPS 180-2 appendix B.2: two blocks",
	SPAN("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"),
	"248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
};

static void
test_hmac(void)
{
	char longer[100], cut[64];
	uint8_t a[SHA256_SIZE], b[SHA256_SIZE];
	struct buf hex;

	TAP_CASE("HMAC: RFC 4231 test case 2");
	sha256_hmac(SPAN("Jefe"), SPAN("what do ya want for nothing?"), a);
	buf_init(&hex, NULL, 2 * SHA256_SIZE);
	codec_hex_encode(&hex, span_make((const char *)a, sizeof a));
	CHECK_STR(buf_span(&hex), "5bdcc146bf60754e6a042426089575c7"
				  "5a003f089d2739839dec58b964ec3843");
	buf_done(&hex);

	TAP_CASE("HMAC: 64 bytes of a key count, and all of them");
	memset(longer, 'k', sizeof longer);
	memset(cut, 'k', sizeof cut);
	sha256_hmac(span_make(longer, sizeof longer), SPAN("x"), a);
	sha256_hmac(span_make(cut, sizeof cut), SPAN("x"), b);
	CHECK(memcmp(a, b, sizeof a) == 0);
	sha256_hmac(span_make(cut, sizeof cut - 1), SPAN("x"), b);
	CHECK(memcmp(a, b, sizeof a) != 0);
}

int
main(void)
{
	char *many = malloc(1000000);

	if (!many)
		return 1;
	memset(many, 'a', 1000000);
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		tap_case(cases[i].claim);
		CHECK_STR(hash(cases[i].text, 1000), cases[i].want);
	}

	tap_case("FIPS 180-2 appendix B.3: a million times a");
	CHECK_STR(hash(span_make(many, 1000000), 1000000),
	    "cdc76e5c9914fb9281a1c7e284d73e67"
	    "f1809a48a497200e046d39ccc7112cd0");

	tap_case("pieces of any size give the same");
	for (size_t len = 50; len < 135; len++) {
		char whole[2 * SHA256_SIZE + 1];
		(void)span_copy(
		    hash(span_make(many, len), len), whole, sizeof whole);
		for (size_t step = 1; step < 70; step += 3)
			CHECK_STR(hash(span_make(many, len), step), whole);
	}
	free(many);
	test_hmac();
	return tap_done();
}
