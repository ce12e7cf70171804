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
	return tap_done();
}
