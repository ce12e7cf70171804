#ifndef TESTS_CONFORMANCE_DKIM_MAKE_H
#define TESTS_CONFORMANCE_DKIM_MAKE_H

#include <stdio.h>

#include "filter/base/arena.h"
#include "filter/base/span.h"

/*
 * Messages for comparing verifiers: odd ones with right signatures, and
 * mutations of any. All comes from one seeded generator, so that a run can be
 * repeated.
 */
struct random {
	uint64_t state; /* not 0 */
};

/* 0 .. n - 1 */
uint32_t random_below(struct random *random, uint32_t n);

/* Makes the keys of this run and writes their records as a zone. */
void make_open(FILE *zone);
void make_close(void);

/*
 * A message of random fields, body, canonicalisations, white space, keys and
 * tags, with one or two signatures that are right as far as we can make them.
 */
struct span make_message(struct random *random, struct arena *arena);

/* A message as most are, relaxed/relaxed, signed by the key "rsa" or "ed". */
struct span make_usual(
    const char *selector, struct span body, struct arena *arena);
/* That key: an EVP_PKEY. */
void *make_key(const char *selector);

/* A copy with a few changes, of bytes or of what they mean. */
struct span make_mutation(
    struct random *random, struct span message, struct arena *arena);

#endif
