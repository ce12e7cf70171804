#ifndef FILTER_BASE_SHA256_H
#define FILTER_BASE_SHA256_H

#include <stddef.h>
#include <stdint.h>

#include "filter/base/span.h"

/*
 * SHA-256 (FIPS 180-4) for the layers that do not link libcrypto: names that
 * must be the same on every machine and that senders must not make collide.
 * Some 250 MB/s; what hashes whole bodies uses libcrypto.
 */
#define SHA256_SIZE 32

struct sha256 {
	uint32_t state[8];
	uint64_t total;    /* bytes seen */
	uint8_t block[64]; /* the last total % 64 of them */
};

void sha256_init(struct sha256 *sha);
void sha256_add(struct sha256 *sha, struct span bytes);
/* Ends it; `sha` needs sha256_init() before it is used again. */
void sha256_done(struct sha256 *sha, uint8_t ret[SHA256_SIZE]);

/* HMAC-SHA-256 (RFC 2104); a key of more than 64 bytes is cut there. */
void sha256_hmac(struct span key, struct span text, uint8_t ret[SHA256_SIZE]);

#endif
