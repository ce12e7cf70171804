#ifndef FILTER_AUTH_BODYHASH_H
#define FILTER_AUTH_BODYHASH_H

#include "filter/base/arena.h"
#include "filter/base/span.h"

/*
 * Body hashes of DKIM and ARC (RFC 6376 section 3.4) in one streaming pass.
 * Jobs are added at end of headers; equal ones are shared. The body comes as
 * CRLF bytes in any pieces; a lone CR or LF is an ordinary byte.
 *
 * Memory: arena; the digests' contexts are freed by its cleanups. Thread: one
 * at a time.
 */
enum bodyhash_canon { BODYHASH_SIMPLE, BODYHASH_RELAXED };
enum bodyhash_digest { BODYHASH_SHA1, BODYHASH_SHA256 };

#define BODYHASH_NO_LIMIT UINT64_MAX
#define BODYHASH_JOBS_MAX 32

struct bodyhash_set;
/* NULL when memory is short. */
struct bodyhash_set *bodyhash_new(struct arena *arena);
/*
 * The job's number; ERR_LIMIT, ERR_NOMEM, or ERR_STATE once the body has
 * begun. `limit` is l=: so many canonical bytes are hashed.
 */
int bodyhash_add(struct bodyhash_set *set, enum bodyhash_canon canon,
    enum bodyhash_digest digest, uint64_t limit) MUST_USE;
void bodyhash_update(struct bodyhash_set *set, struct span chunk);
/* The body has ended. More calls do nothing. */
void bodyhash_final(struct bodyhash_set *set);

struct bodyhash_value {
	unsigned char digest[32];
	size_t len;         /* 20 or 32 */
	uint64_t body_size; /* canonical bytes in all, hashed or not */
	bool failed;        /* the digest could not be made */
};
/* Of a number that bodyhash_add() gave, after bodyhash_final(). */
const struct bodyhash_value *bodyhash_value(
    const struct bodyhash_set *set, int job);

#endif
