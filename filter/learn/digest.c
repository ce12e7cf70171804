#include "filter/learn/digest.h"

#include "filter/base/sha256.h"

/*
 * 128 bits of SHA-256. Of the body the beginning is enough, since the rest may
 * not have been kept; the Subject is left out, since filters mark it. White
 * space at the ends changes on the way: mboxes add an empty line.
 */

#define BODY_MAX ((size_t)64 * 1024)

static void
add_field(struct sha256 *sha, struct message *m, struct span name)
{
	const struct header *h = header_first(message_headers(m), name);

	if (h)
		sha256_add(
		    sha, span_trim(header_unfold(h->raw, message_arena(m))));
	sha256_add(sha, SPAN("\0"));
}

void
digest_message(struct message *m, char ret[DIGEST_SIZE])
{
	static const char digits[] = "0123456789abcdef";
	uint8_t bytes[SHA256_SIZE];
	struct sha256 sha;

	sha256_init(&sha);
	add_field(&sha, m, SPAN("From"));
	add_field(&sha, m, SPAN("To"));
	add_field(&sha, m, SPAN("Date"));
	add_field(&sha, m, SPAN("Message-ID"));
	sha256_add(&sha, span_trim(span_head(message_body_bytes(m), BODY_MAX)));
	sha256_done(&sha, bytes);
	for (size_t i = 0; i < DIGEST_SIZE / 2; i++) {
		ret[2 * i] = digits[bytes[i] >> 4];
		ret[2 * i + 1] = digits[bytes[i] & 15];
	}
}
