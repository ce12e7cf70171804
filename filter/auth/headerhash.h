#ifndef FILTER_AUTH_HEADERHASH_H
#define FILTER_AUTH_HEADERHASH_H

#include "filter/auth/bodyhash.h"
#include "filter/base/arena.h"
#include "filter/base/span.h"
#include "filter/base/vec.h"
#include "filter/mail/header.h"

/*
 * Which header fields a signature covers, and their hash (RFC 6376 sections
 * 3.4.1, 3.4.2, 3.7 and 5.4.2). For DKIM and for signatures like it.
 */

/* Fields in the order in which h= names them. */
struct header_choice {
	struct header_chosen VEC(const struct header *) fields;
	size_t bytes; /* of names and values */
};

/*
 * The fields of a list for which names are looked up again and again: built
 * once for a message. NULL when memory is short.
 */
struct header_index;
struct header_index *header_index_new(
    const struct header_list *headers, struct arena *arena);

/*
 * Chooses from the bottom up, each field once; a name that no field is left
 * for chooses none. `except`, the signature's own field, is never chosen.
 */
int header_choose(struct header_index *index, const struct span *names,
    size_t n, const struct header *except, struct arena *arena,
    struct header_choice *ret) MUST_USE;

struct header_hash {
	unsigned char digest[32];
	size_t len;
};

/*
 * The hash of the chosen fields and of the signature's field, whose bytes
 * `cut` (inside its raw: the value of b=) are taken out.
 * ERR_NOMEM: or the digest could not be made.
 */
int header_hash(const struct header_choice *choice,
    const struct header *signature, struct span cut, enum bodyhash_canon canon,
    enum bodyhash_digest digest, struct header_hash *ret) MUST_USE;

/*
 * A hash of fields that signatures cover one after the other, each with all
 * that stands before it (the seals of RFC 8617 section 5.1.1): SHA-256, relaxed.
 * Adding a field costs its length, however many signatures follow. Failures
 * stick and show in header_chain_hash().
 */
struct header_chain {
	void *ctx;
	bool failed;
};
void header_chain_open(struct header_chain *chain);
void header_chain_close(struct header_chain *chain);
void header_chain_add(struct header_chain *chain, const struct header *field);
/* Of the fields added and of the signature's own, as header_hash() has it;
 * what was added stays. ERR_NOMEM: or the digest could not be made. */
int header_chain_hash(struct header_chain *chain,
    const struct header *signature, struct span cut,
    struct header_hash *ret) MUST_USE;

#endif
