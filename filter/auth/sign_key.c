#include "filter/auth/sign_key.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "filter/auth/crypto.h"
#include "filter/auth/dkim_internal.h"
#include "filter/base/codec.h"
#include "filter/base/file.h"

/*
 * Private keys. Decoding one takes OpenSSL several times as long as signing
 * with it, so it is done once; an EVP_PKEY may be used by all threads at a
 * time, each with a context of its own. Text that held a key is wiped before
 * its memory is given back. No password is ever asked for: a daemon has no
 * terminal, and a command that reads a message must not stop at a prompt.
 */

#define KEY_FILE_MAX 65536
#define ED25519_KEY_SIZE 32
#define RSA_KEY_SIZE_MAX (SIGN_KEY_BITS_MAX / 8)

struct sign_key {
	EVP_PKEY *pkey;
	enum sign_algorithm algorithm;
	unsigned bits;
};

const char *
sign_algorithm_name(enum sign_algorithm algorithm)
{
	return algorithm == SIGN_RSA_SHA256 ? "rsa-sha256" : "ed25519-sha256";
}

/* --- reading ------------------------------------------------------------------------- */

static int
no_password(char *buf, int size, int writing, void *arg)
{
	(void)buf;
	(void)size;
	(void)writing;
	(void)arg;
	return -1;
}

static EVP_PKEY *
decode_pem(struct span text)
{
	BIO *bio = BIO_new_mem_buf(text.p, (int)text.len);
	EVP_PKEY *pkey =
	    bio ? PEM_read_bio_PrivateKey(bio, NULL, no_password, NULL) : NULL;

	BIO_free(bio);
	return pkey;
}

/* OpenDKIM's tables hold keys as base64 of the DER. */
static EVP_PKEY *
decode_base64(struct span text)
{
	EVP_PKEY *pkey = NULL;
	struct buf der;

	buf_init(&der, NULL, KEY_FILE_MAX);
	if (text.len && codec_base64_strict(&der, text) == 0 && der.len) {
		const unsigned char *p = (const unsigned char *)der.p;
		pkey = d2i_AutoPrivateKey(NULL, &p, (long)der.len);
	}
	if (der.p)
		OPENSSL_cleanse(der.p, der.size);
	buf_done(&der);
	return pkey;
}

static int
set_key(struct sign_key *key, EVP_PKEY *pkey, struct err *err)
{
	bool rsa = EVP_PKEY_is_a(pkey, "RSA");
	int bits = EVP_PKEY_get_bits(pkey);

	if (!rsa && !EVP_PKEY_is_a(pkey, "ED25519"))
		return err_set(
		    err, ERR_INVALID, "a key that is neither RSA nor Ed25519");
	if (rsa && (bits < SIGN_KEY_BITS_MIN || bits > SIGN_KEY_BITS_MAX))
		return err_set(err, ERR_INVALID,
		    "an RSA key of %d bits; DKIM takes %d to %d", bits,
		    SIGN_KEY_BITS_MIN, SIGN_KEY_BITS_MAX);
	key->pkey = pkey;
	key->algorithm = rsa ? SIGN_RSA_SHA256 : SIGN_ED25519_SHA256;
	key->bits = (unsigned)bits;
	return 0;
}

/* Takes `pkey` over, whatever happens. */
static int
wrap(EVP_PKEY *pkey, struct sign_key **ret, struct err *err)
{
	struct sign_key *key = calloc(1, sizeof *key);
	int rc = key ? set_key(key, pkey, err)
		     : err_set(err, ERR_NOMEM, "out of memory");

	if (rc) {
		EVP_PKEY_free(pkey);
		free(key);
		return rc;
	}
	*ret = key;
	return 0;
}

int
sign_key_parse(struct span pem, struct sign_key **ret, struct err *err)
{
	bool armoured = span_find(pem, SPAN("-----BEGIN"), 0) != SPAN_NPOS;

	if (pem.len > KEY_FILE_MAX)
		return err_set(err, ERR_LIMIT, "larger than a key can be");
	EVP_PKEY *pkey = armoured ? decode_pem(pem) : decode_base64(pem);
	/* A failed try leaves its reasons in a queue of the thread. */
	ERR_clear_error();
	if (pkey)
		return wrap(pkey, ret, err);
	if (span_find(pem, SPAN("ENCRYPTED"), 0) != SPAN_NPOS)
		return err_set(err, ERR_INVALID,
		    "the key is encrypted with a password; nobody could"
		    " type it");
	return err_set(err, ERR_INVALID, "no private key in PEM");
}

/* The file's text on the heap, in one block: the caller wipes and frees it. */
static int
read_all(int fd, struct buf *text, struct err *err)
{
	if (!buf_reserve(text, KEY_FILE_MAX))
		return err_set(err, ERR_NOMEM, "out of memory");
	while (text->len < KEY_FILE_MAX) {
		ssize_t n =
		    read(fd, text->p + text->len, KEY_FILE_MAX - text->len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_set_errno(err, errno, "read");
		if (n == 0)
			return 0;
		text->len += (size_t)n;
	}
	return err_set(err, ERR_LIMIT, "larger than a key can be");
}

int
sign_key_load(const char *path, struct sign_key **ret, struct err *err)
{
	struct buf text;
	int fd;
	int rc = file_open_private(path, &fd, err);

	if (rc)
		return rc;
	buf_init(&text, NULL, KEY_FILE_MAX);
	rc = read_all(fd, &text, err);
	close(fd);
	if (rc == 0)
		rc = sign_key_parse(buf_span(&text), ret, err);
	if (rc)
		err_prefix(err, "%s: ", path);
	if (text.p)
		OPENSSL_cleanse(text.p, text.size);
	buf_done(&text);
	return rc;
}

int
sign_key_make(enum sign_algorithm algorithm, unsigned bits,
    struct sign_key **ret, struct err *err)
{
	EVP_PKEY *pkey = NULL;

	if (algorithm == SIGN_RSA_SHA256) {
		if (bits < SIGN_KEY_BITS_MIN || bits > SIGN_KEY_BITS_MAX)
			return err_set(err, ERR_INVALID,
			    "RSA keys have %d to %d bits", SIGN_KEY_BITS_MIN,
			    SIGN_KEY_BITS_MAX);
		pkey = EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)bits);
	} else {
		pkey = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
	}
	ERR_clear_error();
	if (!pkey)
		return err_set(err, ERR_STATE, "libcrypto made no key");
	return wrap(pkey, ret, err);
}

void
sign_key_free(struct sign_key *key)
{
	if (!key)
		return;
	EVP_PKEY_free(key->pkey);
	free(key);
}

/* --- what a key says ------------------------------------------------------------------- */

enum sign_algorithm
sign_key_algorithm(const struct sign_key *key)
{
	return key->algorithm;
}

unsigned
sign_key_bits(const struct sign_key *key)
{
	return key->bits;
}

int
sign_key_pem(const struct sign_key *key, struct buf *out)
{
	BIO *bio = BIO_new(BIO_s_secmem());
	char *text = NULL;
	int rc = ERR_STATE;

	if (bio && PEM_write_bio_PKCS8PrivateKey(
		       bio, key->pkey, NULL, NULL, 0, NULL, NULL)) {
		long len = BIO_get_mem_data(bio, &text);
		buf_add(out, text, (size_t)len);
		rc = buf_failed(out) ? ERR_NOMEM : 0;
	}
	ERR_clear_error();
	BIO_free(bio);
	return rc;
}

static int
add_base64(struct buf *out, const unsigned char *p, size_t len)
{
	codec_base64_encode(out, span_make((const char *)p, len));
	return buf_failed(out) ? ERR_NOMEM : 0;
}

int
sign_key_public(const struct sign_key *key, struct buf *out)
{
	unsigned char raw[ED25519_KEY_SIZE], *der = NULL;
	size_t len = sizeof raw;

	if (key->algorithm == SIGN_ED25519_SHA256)
		return EVP_PKEY_get_raw_public_key(key->pkey, raw, &len)
			   ? add_base64(out, raw, len)
			   : ERR_STATE;
	int n = i2d_PUBKEY(key->pkey, &der);
	if (n <= 0)
		return ERR_STATE;
	int rc = add_base64(out, der, (size_t)n);
	OPENSSL_free(der);
	return rc;
}

static const char *
compare(const struct sign_key *key, const struct dkim_key *published)
{
	bool rsa = published->algorithm == DKIM_RSA;

	if (published->problem)
		return published->problem;
	if (rsa != (key->algorithm == SIGN_RSA_SHA256))
		return rsa ? "the record is for RSA, the private key is Ed25519"
			   : "the record is for Ed25519, the private key is RSA";
	if (EVP_PKEY_eq(published->pkey, key->pkey) != 1)
		return "the record is of another key";
	if (!published->takes_sha256)
		return "h= does not allow sha256";
	if (published->testing)
		return "t=y: the record says that it is a test";
	return NULL;
}

const char *
sign_key_refuses(
    const struct sign_key *key, struct span record, struct arena *arena)
{
	struct dkim_key published;
	const char *problem;

	dkim_key_read(&published, record, arena);
	problem = compare(key, &published);
	dkim_key_drop(&published);
	ERR_clear_error();
	return problem;
}

/* --- signing ----------------------------------------------------------------------------- */

/* RFC 8017 section 8.2, over a digest that was made already. */
static bool
sign_rsa(EVP_PKEY *pkey, const unsigned char digest[32], unsigned char *to,
    size_t *len)
{
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(pkey, NULL);
	bool done = ctx && EVP_PKEY_sign_init(ctx) > 0 &&
		    EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PADDING) > 0 &&
		    EVP_PKEY_CTX_set_signature_md(ctx, EVP_sha256()) > 0 &&
		    EVP_PKEY_sign(ctx, to, len, digest, 32) > 0;

	EVP_PKEY_CTX_free(ctx);
	return done;
}

/* PureEdDSA over the digest (RFC 8463 section 3). */
static bool
sign_ed25519(EVP_PKEY *pkey, const unsigned char digest[32], unsigned char *to,
    size_t *len)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	bool done = ctx &&
		    EVP_DigestSignInit(ctx, NULL, NULL, NULL, pkey) > 0 &&
		    EVP_DigestSign(ctx, to, len, digest, 32) > 0;

	EVP_MD_CTX_free(ctx);
	return done;
}

int
sign_key_digest(
    const struct sign_key *key, const unsigned char digest[32], struct buf *out)
{
	unsigned char signature[RSA_KEY_SIZE_MAX];
	size_t len = sizeof signature;
	bool done = key->algorithm == SIGN_RSA_SHA256
			? sign_rsa(key->pkey, digest, signature, &len)
			: sign_ed25519(key->pkey, digest, signature, &len);

	if (!done) {
		ERR_clear_error();
		return ERR_STATE;
	}
	return add_base64(out, signature, len);
}
