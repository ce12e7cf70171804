#ifndef FILTER_AUTH_BODYHASH_H
#define FILTER_AUTH_BODYHASH_H

#include "filter/base/arena.h"
#include "filter/base/span.h"

/*
 * Body hashes of DKIM and ARC (RFC 6376 section 3.4) in one streaming pass.
 * Jobs are added at end of headers; equal ones are shared. The body comes as
 * CRLF bytes in any pieces.
 */
enum bodyhash_canon { BODYHASH_SIMPLE, BODYHASH_RELAXED };
enum bodyhash_digest { BODYHASH_SHA1, BODYHASH_SHA256 };

#define BODYHASH_NO_LIMIT UINT64_MAX
#define BODYHASH_JOBS_MAX 32

struct bodyhash_set;
struct bodyhash_set *bodyhash_new(struct arena *arena);
/* The job's number, or ERR_LIMIT, ERR_NOMEM. `limit` is l=. */
int bodyhash_add(struct bodyhash_set *set, enum bodyhash_canon canon,
    enum bodyhash_digest digest, uint64_t limit) MUST_USE;
void bodyhash_update(struct bodyhash_set *set, struct span chunk);
void bodyhash_final(struct bodyhash_set *set);

struct bodyhash_value {
	unsigned char digest[32];
	size_t len;         /* 20 or 32 */
	uint64_t body_size; /* canonical bytes in all, hashed or not */
	bool failed;        /* the digest could not be made */
};
const struct bodyhash_value *bodyhash_value(
    const struct bodyhash_set *set, int job);

#endif
