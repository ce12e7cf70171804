#ifndef FILTER_AUTH_SIGN_KEY_H
#define FILTER_AUTH_SIGN_KEY_H

#include "filter/base/buf.h"
#include "filter/base/err.h"
#include "filter/base/span.h"

/*
 * A private key for signatures and seals (RFC 6376, 8301, 8463): parsed once,
 * used by all threads at once.
 */
#define SIGN_KEY_BITS_MIN 1024 /* RFC 8301 section 3.2 */
#define SIGN_KEY_BITS_MAX 8192

enum sign_algorithm { SIGN_RSA_SHA256, SIGN_ED25519_SHA256 };
const char *sign_algorithm_name(enum sign_algorithm algorithm); /* a= */

struct sign_key;

/*
 * Reads a key in PEM (PKCS#1 or PKCS#8), or in base64 of its DER, from a file.
 * ERR_ACCESS: file_open_private() refuses it; ERR_NOTFOUND; ERR_IO; ERR_LIMIT;
 * ERR_INVALID: no key, an encrypted one, a kind that DKIM does not know, RSA
 * below 1024 or above 8192 bits.
 */
int sign_key_load(
    const char *path, struct sign_key **ret, struct err *err) MUST_USE;
/* The same from the text of such a file. */
int sign_key_parse(
    struct span pem, struct sign_key **ret, struct err *err) MUST_USE;
/* A new one. `bits` of RSA alone: 1024 to 8192. */
int sign_key_make(enum sign_algorithm algorithm, unsigned bits,
    struct sign_key **ret, struct err *err) MUST_USE;
void sign_key_free(struct sign_key *key); /* accepts NULL */

enum sign_algorithm sign_key_algorithm(const struct sign_key *key);
unsigned sign_key_bits(const struct sign_key *key);
/* The private key as PEM (PKCS#8). */
int sign_key_pem(const struct sign_key *key, struct buf *out) MUST_USE;
/* p= of the key record: base64 of the SubjectPublicKeyInfo (RSA) or of the 32
 * bytes (Ed25519, RFC 8463 section 4.2). */
int sign_key_public(const struct sign_key *key, struct buf *out) MUST_USE;

/*
 * Why a published key record does not let others verify what this key signs,
 * for people: a constant; NULL when it does. t=y, under which a verifier may
 * take a signature for none, is such a reason (RFC 6376 section 3.6.1).
 */
const char *sign_key_refuses(
    const struct sign_key *key, struct span record, struct arena *arena);

/*
 * Signs a SHA-256 digest: the base64 of b= without white space is added to
 * `out`. RSA: PKCS#1 v1.5 of the digest; Ed25519: of the digest's 32 bytes
 * (RFC 8463 section 3). Thread: any. 0, ERR_NOMEM or ERR_STATE.
 */
int sign_key_digest(const struct sign_key *key, const unsigned char digest[32],
    struct buf *out) MUST_USE;

#endif
