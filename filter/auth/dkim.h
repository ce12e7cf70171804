#ifndef FILTER_AUTH_DKIM_H
#define FILTER_AUTH_DKIM_H

#include "filter/auth/bodyhash.h"
#include "filter/base/arena.h"
#include "filter/base/span.h"
#include "filter/dns/dns.h"
#include "filter/mail/header.h"

enum dkim_result {
	DKIM_NONE,
	DKIM_PASS,
	DKIM_FAIL,
	DKIM_POLICY, /* right, but must not count: l=, rsa-sha1, cap */
	DKIM_NEUTRAL,
	DKIM_TEMPERROR,
	DKIM_PERMERROR,
};
const char *dkim_result_name(enum dkim_result result);

struct dkim_signature {
	enum dkim_result result;
	struct span domain;    /* d=, A-labels; p == NULL: unreadable */
	struct span selector;  /* s= */
	struct span identity;  /* i=, decoded, or "@d" */
	struct span algorithm; /* a= as written, lower case */
	struct span b;         /* b= without white space, for header.b */
	struct span problem;   /* why not a pass; p == NULL */
	/* A field that may stand only once, is signed, and stands there more
	 * often than it is signed (RFC 6376 section 8.15): the signature is
	 * right, and says nothing of what people see. p == NULL: none. */
	struct span multiplied;
	unsigned key_bits;
	bool testing;          /* t=y in the key: a fail is neutral then */
	int64_t time, expires; /* -1: not given */
	const struct header *field;
};

/* A pass that says something of the message that people are shown: what DMARC,
 * symbols and reputation go by. */
static inline bool
dkim_counts(const struct dkim_signature *s)
{
	return s->result == DKIM_PASS && !s->multiplied.p;
}

/* The result with that in it: right with a field multiplied is `policy`. */
static inline enum dkim_result
dkim_worth(const struct dkim_signature *s)
{
	return s->result == DKIM_PASS && !dkim_counts(s) ? DKIM_POLICY
							 : s->result;
}

struct dkim_facts {
	size_t n; /* one entry for each DKIM-Signature field, in order */
	struct dkim_signature *signatures;
	enum dkim_result result; /* pass when any passed, else the "best" */
	bool waited_out;         /* a key did not come in time */
};

#define DKIM_SIGNATURES_MAX 15 /* judged; the others are `policy` */
#define DKIM_FIELD_MAX 16384   /* bytes of a signature field */
#define DKIM_SIGNED_MAX 500    /* names in h= */
#define DKIM_KEY_BITS_MIN 1024 /* RFC 8301 */
#define DKIM_KEY_BITS_MAX 8192

/*
 * Verification of one message (RFC 6376 section 6). dkim_begin() after the last header field: reads
 * the signatures, wants the keys, and adds its body hash jobs to `hashes`,
 * which the caller feeds the body. dkim_end() after the body: judges.
 *
 * Memory: arena; library handles are freed by its cleanups. Thread: one at a
 * time; dkim_end() may block on DNS.
 */
struct dkim;
struct dkim *dkim_begin(const struct header_list *headers,
    struct dns_batch *dns, struct bodyhash_set *hashes, int64_t now,
    struct arena *arena);
/* d= of the signature with this number, before it is judged; p NULL: it cannot
 * be read, or there is none. */
struct span dkim_domain(const struct dkim *dkim, size_t number);
/* `dkim` NULL (out of memory): all temperror. Never NULL unless arena failed. */
const struct dkim_facts *dkim_end(struct dkim *dkim, struct arena *arena);

/* Once per process, before threads: 0 or ERR_NOMEM. dkim_teardown() after all.
 * (libopendkim itself has a dkim_init().) */
int dkim_setup(struct err *err) MUST_USE;
void dkim_teardown(void);

#endif
