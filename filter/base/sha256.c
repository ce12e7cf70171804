#include "filter/base/sha256.h"

/*
 * Straight from FIPS 180-4 section 6.2; the names are the standard's. The
 * message schedule is kept as 16 words that are overwritten in turn.
 */

static const uint32_t constants[64] = {0x428a2f98, 0x71374491, 0xb5c0fbcf,
    0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5, 0xd807aa98,
    0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7,
    0xc19bf174, 0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f,
    0x4a7484aa, 0x5cb0a9dc, 0x76f988da, 0x983e5152, 0xa831c66d, 0xb00327c8,
    0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967, 0x27b70a85,
    0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e,
    0x92722c85, 0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819,
    0xd6990624, 0xf40e3585, 0x106aa070, 0x19a4c116, 0x1e376c08, 0x2748774c,
    0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3, 0x748f82ee,
    0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7,
    0xc67178f2};

static inline uint32_t
rotr(uint32_t x, unsigned n)
{
	return x >> n | x << (32 - n);
}

static inline uint32_t
load32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 |
	       (uint32_t)p[2] << 8 | p[3];
}

static inline void
store32(uint8_t *p, uint32_t x)
{
	p[0] = (uint8_t)(x >> 24);
	p[1] = (uint8_t)(x >> 16);
	p[2] = (uint8_t)(x >> 8);
	p[3] = (uint8_t)x;
}

/* The t-th word of the schedule, for t >= 16 made from earlier ones. */
static inline uint32_t
schedule(uint32_t w[16], unsigned t)
{
	if (t < 16)
		return w[t];
	uint32_t w2 = w[(t - 2) & 15], w15 = w[(t - 15) & 15];
	uint32_t s1 = rotr(w2, 17) ^ rotr(w2, 19) ^ w2 >> 10;
	uint32_t s0 = rotr(w15, 7) ^ rotr(w15, 18) ^ w15 >> 3;
	return w[t & 15] += s1 + w[(t - 7) & 15] + s0;
}

static void
compress(uint32_t h[8], const uint8_t *p)
{
	uint32_t w[16];
	uint32_t v[8];

	for (unsigned t = 0; t < 16; t++)
		w[t] = load32(p + 4 * t);
	memcpy(v, h, sizeof v);
	for (unsigned t = 0; t < 64; t++) {
		uint32_t a = v[0], e = v[4];
		uint32_t t1 = v[7] + (rotr(e, 6) ^ rotr(e, 11) ^ rotr(e, 25)) +
			      ((e & v[5]) ^ (~e & v[6])) + constants[t] +
			      schedule(w, t);
		uint32_t t2 = (rotr(a, 2) ^ rotr(a, 13) ^ rotr(a, 22)) +
			      ((a & v[1]) ^ (a & v[2]) ^ (v[1] & v[2]));
		memmove(v + 1, v, 7 * sizeof *v);
		v[4] += t1;
		v[0] = t1 + t2;
	}
	for (unsigned i = 0; i < 8; i++)
		h[i] += v[i];
}

void
sha256_init(struct sha256 *sha)
{
	*sha = (struct sha256){
	    .state = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
		0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19},
	};
}

void
sha256_add(struct sha256 *sha, struct span bytes)
{
	size_t used = sha->total % 64;

	sha->total += bytes.len;
	while (bytes.len) {
		if (used == 0 && bytes.len >= 64) {
			compress(sha->state, (const uint8_t *)bytes.p);
			bytes = span_skip(bytes, 64);
			continue;
		}
		size_t n = bytes.len < 64 - used ? bytes.len : 64 - used;
		memcpy(sha->block + used, bytes.p, n);
		bytes = span_skip(bytes, n);
		used += n;
		if (used == 64) {
			compress(sha->state, sha->block);
			used = 0;
		}
	}
}

void
sha256_done(struct sha256 *sha, uint8_t ret[SHA256_SIZE])
{
	uint64_t bits = sha->total * 8;
	size_t used = sha->total % 64;

	sha->block[used++] = 0x80;
	if (used > 56) {
		memset(sha->block + used, 0, 64 - used);
		compress(sha->state, sha->block);
		used = 0;
	}
	memset(sha->block + used, 0, 56 - used);
	store32(sha->block + 56, (uint32_t)(bits >> 32));
	store32(sha->block + 60, (uint32_t)bits);
	compress(sha->state, sha->block);
	for (unsigned i = 0; i < 8; i++)
		store32(ret + 4 * i, sha->state[i]);
}

void
sha256_hmac(struct span key, struct span text, uint8_t ret[SHA256_SIZE])
{
	static const char pads[2] = {0x36, 0x5c};
	const struct span inner = span_make((const char *)ret, SHA256_SIZE);
	struct sha256 sha;
	char block[64];

	key = span_head(key, sizeof block);
	for (int pass = 0; pass < 2; pass++) {
		memset(block, pads[pass], sizeof block);
		for (size_t i = 0; i < key.len; i++)
			block[i] = (char)(block[i] ^ key.p[i]);
		sha256_init(&sha);
		sha256_add(&sha, span_make(block, sizeof block));
		sha256_add(&sha, pass ? inner : text);
		sha256_done(&sha, ret);
	}
}
