#ifndef FILTER_AUTH_DKIM_INTERNAL_H
#define FILTER_AUTH_DKIM_INTERNAL_H

#include "filter/auth/bodyhash.h"
#include "filter/auth/headerhash.h"
#include "filter/auth/taglist.h"
#include "filter/dns/dns.h"

/* Inside of DKIM: guard, keys, and the border to libopendkim. */

enum dkim_algorithm { DKIM_RSA, DKIM_ED25519 };

/* --- dkim_guard.c: one signature field, read strictly ------------------------ */

/* RFC 6376 section 3.5. Spans are views of the field, or in the arena. */
struct dkim_tags {
	struct span domain;   /* d=, A-labels; p == NULL until it was read */
	struct span selector; /* s=, A-labels */
	struct span identity; /* i=, decoded, or "@d" */
	struct span identity_domain; /* A-labels */
	struct span algorithm_name;  /* a=, lower case */
	enum dkim_algorithm algorithm;
	enum bodyhash_digest digest;
	enum bodyhash_canon header_canon, body_canon;
	struct span b;       /* text without white space */
	struct span b_whole; /* all between '=' and ';', to be taken out */
	bool b_plain; /* "b=VALUE;" with nothing that libopendkim trips over */
	struct span signature;                    /* b=, decoded */
	struct span body_hash;                    /* bh=, decoded */
	struct dkim_names VEC(struct span) names; /* h= */
	size_t names_len;                         /* of its text */
	uint64_t limit;                           /* l=, or BODYHASH_NO_LIMIT */
	int64_t time, expires;                    /* -1: not given */
	struct span key_name;                     /* s._domainkey.d */
};

/*
 * How far a sender's clock may be off, in seconds, for t= and x=.
 */
#define DKIM_CLOCK_SKEW 300
#define DKIM_IDENTITY_MAX 255 /* libopendkim reads past longer ones */

/*
 * Reads and checks a signature. Returns NULL, or what is wrong, as a text for
 * people; `ret` then holds what was read before that.
 */
const char *dkim_guard(
    struct dkim_tags *ret, struct span raw, int64_t now, struct arena *arena);

/*
 * The same for the fields of ARC, which are signatures of fewer tags (RFC 8617
 * sections 4.1.2 and 4.1.3). In both i= is a number and no identity, and v= is
 * not known; a seal has neither h= nor bh=, c= and l=. Other tags are left to
 * the caller in `ret_list`, which is empty when the field is no list of tags.
 */
enum dkim_form { DKIM_FORM_SIGNATURE, DKIM_FORM_AMS, DKIM_FORM_SEAL };
const char *dkim_guard_form(enum dkim_form form, struct dkim_tags *ret,
    struct span raw, int64_t now, struct arena *arena,
    struct tag_list *ret_list);

/* A field that may stand only once, is signed, and stands there more often than
 * it is signed (RFC 6376 section 8.15). p == NULL: none. */
struct span dkim_find_multiplied(
    const struct header_list *headers, const struct dkim_tags *tags);

/* --- dkim_key.c: a key record, parsed once for each DNS answer --------------- */

#define DKIM_KEYS_MAX 4           /* records of one name that are looked at */
#define DKIM_KEY_RECORD_MAX 16384 /* bytes of one */

struct dkim_key {
	const char *problem; /* static text: why it cannot be used; or NULL */
	void *pkey;          /* EVP_PKEY */
	unsigned bits;
	enum dkim_algorithm algorithm;
	bool takes_sha1, takes_sha256; /* h= */
	bool strict;                   /* t=s: i= must be d= */
	bool testing;                  /* t=y */
};

struct dkim_keys {
	size_t n;
	struct dkim_key keys[DKIM_KEYS_MAX];
};

/* Reads one record. What it needs of `arena` is needed no more after it; the
 * key is freed with dkim_key_drop(). */
void dkim_key_read(struct dkim_key *ret, struct span text, struct arena *arena);
void dkim_key_drop(struct dkim_key *key);

/* The keys of an answer with status DNS_OK; NULL: out of memory. They live
 * as long as the answer. Thread: any. */
const struct dkim_keys *dkim_keys_of(const struct dns_answer *answer);

/* Why the key must not be used for this signature, or NULL (RFC 6376 section
 * 6.1.2). */
const char *dkim_key_refuses(
    const struct dkim_key *key, const struct dkim_tags *tags);

/* True when the signature is right for this hash. */
bool dkim_key_verify(const struct dkim_key *key, const struct dkim_tags *tags,
    const struct header_hash *hash);

/* --- dkim_library.c: header hashes by libopendkim ----------------------------- */

struct dkim_candidate {
	const struct dkim_tags *tags;
	const struct header *field;
	struct header_choice choice;
	bool hashed; /* by the library */
	struct header_hash hash;
};

/*
 * Has libopendkim hash the headers for those candidates where it can be right;
 * the others stay without `hashed`. The candidates are in the order of the
 * header. Thread: any.
 */
void dkim_library_hash(const struct header_list *headers,
    struct dkim_candidate *candidates, size_t n, struct arena *arena);

int dkim_library_open(struct err *err) MUST_USE;
void dkim_library_close(void);

#endif
