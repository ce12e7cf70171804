#ifndef FILTER_REF_H
#define FILTER_REF_H

#include <stdbool.h>
#include <stdint.h>

#include "filter/base/err.h"
#include "filter/base/span.h"

/*
 * Refs: short names of messages that people read over the telephone, unique
 * over nodes and restarts, and not to be guessed: "7K3M-9QXD-2T5V".
 *
 * The clear number (55 bits: 31 of seconds since 2025-01-01, 16 of a counter, 8
 * of the node) is the key of rows; what is shown is its permutation under the
 * site's key, in Crockford's base32, with a check character (value mod 31).
 */
#define REF_TEXT_SIZE 15 /* with dashes and NUL */
#define REF_BITS 55
#define REF_EPOCH INT64_C(1735689600) /* 2025-01-01T00:00:00Z */
#define REF_KEY_SIZE 32

struct ref_key {
	uint8_t bytes[REF_KEY_SIZE];
};

/*
 * Reads `site.key` of the state folder, or makes it (mode 0640, random).
 * ERR_IO, ERR_ACCESS; ERR_SYNTAX when the file is no key.
 */
int ref_key_load(
    const char *folder, struct ref_key *ret, struct err *err) MUST_USE;
/* The same without making one: ERR_NOTFOUND, ERR_ACCESS. For commands. */
int ref_key_read(
    const char *folder, struct ref_key *ret, struct err *err) MUST_USE;
/* A key that lives as long as the process, where there is no state folder. */
int ref_key_random(struct ref_key *ret, struct err *err) MUST_USE;

/* Makes numbers. Thread: any. */
struct ref_source {
	struct ref_key key;    /* immutable */
	uint8_t node;          /* immutable */
	_Atomic uint64_t last; /* seconds << 16 | counter of the last one */
};

/* Numbers begin in the second after `now` (Unix time), so that a restart
 * within one second repeats none. */
void ref_source_init(struct ref_source *source, const struct ref_key *key,
    uint8_t node, int64_t now);
/* The next clear number. Never smaller than the one before, whatever the
 * clock does. */
uint64_t ref_next(struct ref_source *source, int64_t now);

void ref_format(
    const struct ref_key *key, uint64_t number, char text[REF_TEXT_SIZE]);
/*
 * What people type: any case, with or without dashes and blanks, O as 0, I and
 * L as 1. ERR_SYNTAX: no ref, or the check character is wrong.
 */
int ref_parse(
    const struct ref_key *key, struct span text, uint64_t *ret_number) MUST_USE;

/* Unix time in a clear number. */
int64_t ref_time(uint64_t number);

#endif
