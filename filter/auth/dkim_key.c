#include "filter/auth/dkim_internal.h"

#include <stdlib.h>

#include "filter/auth/crypto.h"
#include "filter/auth/dkim.h"
#include "filter/base/codec.h"

/*
 * Key records (RFC 6376 section 3.6.1, RFC 8463) and what they verify. Decoding
 * a key takes OpenSSL several times as long as using it, so the parsed form
 * hangs on the DNS answer and is shared by all threads. RSA keys may be a
 * SubjectPublicKeyInfo, as everybody publishes them, or the bare RSAPublicKey
 * that the RFC's text asks for. Sizes and exponents are bounded: who publishes
 * a key chooses what its check costs us.
 */

#define KEY_DER_MAX (DKIM_KEY_BITS_MAX / 8 + 128)
#define KEY_EXPONENT_BITS 64
#define ED25519_KEY_SIZE 32

static const char kind_keys;

/* --- RSA --------------------------------------------------------------------------- */

/* Takes the whole DER or nothing. */
static EVP_PKEY *
decode_rsa(struct span der)
{
	const unsigned char *start = (const unsigned char *)der.p;
	const unsigned char *end = start + der.len, *p = start;
	EVP_PKEY *pkey = d2i_PUBKEY(NULL, &p, (long)der.len);

	if (!pkey) {
		p = start;
		pkey = d2i_PublicKey(EVP_PKEY_RSA, NULL, &p, (long)der.len);
	}
	/* A failed try leaves its reasons in a queue of the thread. */
	ERR_clear_error();
	if (pkey && p == end && EVP_PKEY_is_a(pkey, "RSA"))
		return pkey;
	EVP_PKEY_free(pkey);
	return NULL;
}

static const char *
exponent_problem(const EVP_PKEY *pkey)
{
	const char *problem = NULL;
	BIGNUM *e = NULL;

	if (!EVP_PKEY_get_bn_param(pkey, OSSL_PKEY_PARAM_RSA_E, &e))
		return "the key has no exponent";
	if (!BN_is_odd(e) || BN_is_one(e))
		problem = "the key's exponent is 1 or even";
	else if (BN_num_bits(e) > KEY_EXPONENT_BITS)
		problem = "the key's exponent is too large";
	BN_free(e);
	return problem;
}

static const char *
make_rsa(struct dkim_key *key, struct span der)
{
	if (der.len > KEY_DER_MAX)
		return "the key is too large";
	EVP_PKEY *pkey = decode_rsa(der);
	if (!pkey)
		return "p= is not an RSA key";
	key->pkey = pkey;
	key->bits = (unsigned)EVP_PKEY_get_bits(pkey);
	if (key->bits < DKIM_KEY_BITS_MIN) /* RFC 8301 section 3.2 */
		return "the key is too small";
	if (key->bits > DKIM_KEY_BITS_MAX)
		return "the key is too large";
	return exponent_problem(pkey);
}

/* --- Ed25519: the 32 bytes themselves (RFC 8463 section 4.2) ---------------------- */

static const char *
make_ed25519(struct dkim_key *key, struct span bytes)
{
	if (bytes.len != ED25519_KEY_SIZE)
		return "p= is not an Ed25519 key";
	key->pkey = EVP_PKEY_new_raw_public_key(
	    EVP_PKEY_ED25519, NULL, (const unsigned char *)bytes.p, bytes.len);
	ERR_clear_error();
	if (!key->pkey)
		return "p= is not an Ed25519 key";
	key->bits = 256;
	return NULL;
}

/* --- one record ------------------------------------------------------------------------ */

/* v= stands first or not at all, and is DKIM1. */
static bool
version_is_right(const struct tag_list *list)
{
	struct span v = taglist_get(list, "v");

	return !v.p ||
	       (span_is(list->tags.v[0].name, "v") && span_is(v, "DKIM1"));
}

static const char *
read_options(struct dkim_key *key, const struct tag_list *list)
{
	struct span h = taglist_get(list, "h");
	struct span k = taglist_get(list, "k");
	struct span s = taglist_get(list, "s");
	struct span t = taglist_get(list, "t");

	if (!version_is_right(list))
		return "the key's v= is not DKIM1";
	if (!k.p || span_caseis(k, "rsa"))
		key->algorithm = DKIM_RSA;
	else if (span_caseis(k, "ed25519"))
		key->algorithm = DKIM_ED25519;
	else
		return "the key's k= is not known";
	if (s.p && !taglist_has_item(s, "*") && !taglist_has_item(s, "email"))
		return "the key is not for mail";
	key->takes_sha1 = !h.p || taglist_has_item(h, "sha1");
	key->takes_sha256 = !h.p || taglist_has_item(h, "sha256");
	key->testing = t.p && taglist_has_item(t, "y");
	key->strict = t.p && taglist_has_item(t, "s");
	return NULL;
}

static const char *
read_key(struct dkim_key *key, struct span text, struct arena *arena)
{
	struct tag_list list;
	struct buf der;

	if (text.len > DKIM_KEY_RECORD_MAX)
		return "the key record is too long";
	if (taglist_parse(&list, text, arena))
		return "the key record is malformed";
	const char *problem = read_options(key, &list);
	if (problem)
		return problem;
	struct span p = taglist_get(&list, "p");
	if (!p.p)
		return "the key record has no p=";
	if (!p.len)
		return "the key is revoked";
	buf_init(&der, arena, DKIM_KEY_RECORD_MAX);
	if (codec_base64_strict(&der, p))
		return "p= is not base64";
	return key->algorithm == DKIM_RSA ? make_rsa(key, buf_span(&der))
					  : make_ed25519(key, buf_span(&der));
}

void
dkim_key_read(struct dkim_key *ret, struct span text, struct arena *arena)
{
	*ret = (struct dkim_key){0};
	ret->problem = read_key(ret, text, arena);
}

void
dkim_key_drop(struct dkim_key *key)
{
	EVP_PKEY_free(key->pkey);
	key->pkey = NULL;
}

/* --- the keys of an answer --------------------------------------------------------------- */

static void
drop_keys(void *form)
{
	struct dkim_keys *keys = form;

	for (size_t i = 0; i < keys->n; i++)
		dkim_key_drop(&keys->keys[i]);
	free(keys);
}

static void *
make_keys(const struct dns_answer *answer, void *arg)
{
	struct dkim_keys *keys = calloc(1, sizeof *keys);
	struct arena *arena = arena_new(0);

	(void)arg;
	if (!keys || !arena) {
		arena_free(arena);
		free(keys);
		return NULL;
	}
	for (size_t i = 0; i < answer->n && keys->n < DKIM_KEYS_MAX; i++)
		dkim_key_read(
		    &keys->keys[keys->n++], answer->records[i].data, arena);
	arena_free(arena);
	return keys;
}

const struct dkim_keys *
dkim_keys_of(const struct dns_answer *answer)
{
	return dns_parsed(answer, &kind_keys, make_keys, drop_keys, NULL);
}

/* --- use ------------------------------------------------------------------------------------ */

const char *
dkim_key_refuses(const struct dkim_key *key, const struct dkim_tags *tags)
{
	if (key->problem)
		return key->problem;
	if (key->algorithm != tags->algorithm)
		return "the key is of another kind than a=";
	if (tags->digest == BODYHASH_SHA1 ? !key->takes_sha1
					  : !key->takes_sha256)
		return "the key's h= does not allow the hash of a=";
	if (key->strict && !span_caseeq(tags->identity_domain, tags->domain))
		return "the key's t=s does not allow i= below d=";
	return NULL;
}

static bool
verify_rsa(EVP_PKEY *pkey, const struct dkim_tags *tags,
    const struct header_hash *hash)
{
	const EVP_MD *md =
	    tags->digest == BODYHASH_SHA1 ? EVP_sha1() : EVP_sha256();
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(pkey, NULL);
	bool right =
	    ctx && EVP_PKEY_verify_init(ctx) > 0 &&
	    EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PADDING) > 0 &&
	    EVP_PKEY_CTX_set_signature_md(ctx, md) > 0 &&
	    EVP_PKEY_verify(ctx, (const unsigned char *)tags->signature.p,
		tags->signature.len, hash->digest, hash->len) == 1;

	EVP_PKEY_CTX_free(ctx);
	return right;
}

/* PureEdDSA over the hash (RFC 8463 section 3). */
static bool
verify_ed25519(EVP_PKEY *pkey, const struct dkim_tags *tags,
    const struct header_hash *hash)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	bool right =
	    ctx && EVP_DigestVerifyInit(ctx, NULL, NULL, NULL, pkey) > 0 &&
	    EVP_DigestVerify(ctx, (const unsigned char *)tags->signature.p,
		tags->signature.len, hash->digest, hash->len) == 1;

	EVP_MD_CTX_free(ctx);
	return right;
}

bool
dkim_key_verify(const struct dkim_key *key, const struct dkim_tags *tags,
    const struct header_hash *hash)
{
	bool right = key->algorithm == DKIM_RSA
			 ? verify_rsa(key->pkey, tags, hash)
			 : verify_ed25519(key->pkey, tags, hash);

	ERR_clear_error();
	return right;
}
