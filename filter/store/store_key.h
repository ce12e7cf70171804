#ifndef FILTER_STORE_STORE_KEY_H
#define FILTER_STORE_STORE_KEY_H

#include "filter/store/store.h"

/*
 * Whole keys: namespace, NUL, a letter for the kind, a digit for the version
 * of its meaning, NUL, name. No namespace holds a NUL and none is empty, so
 * none can reach into another, and what begins with a NUL is the backends' own.
 *
 * A name of more than STORE_NAME_MAX bytes is stored as its first
 * STORE_NAME_KEPT bytes and its SHA-256: one byte more than any other stored
 * name has, which is the mark. The same on every machine.
 */
#define STORE_NAME_KEPT (STORE_NAME_MAX + 1 - 32)
#define STORE_NAMESPACE_MAX 64
#define STORE_HEAD_MAX (STORE_NAMESPACE_MAX + 4)

struct store_keys {
	char heads[STORE_KINDS][STORE_HEAD_MAX];
	size_t head_len;
};

/* ERR_INVALID: longer than STORE_NAMESPACE_MAX, or with a NUL byte. An empty
 * one is "assay". */
int store_keys_init(
    struct store_keys *keys, struct span namespace, struct err *err) MUST_USE;

/* Bytes of a whole key, at most STORE_KEY_MAX. */
size_t store_key_len(const struct store_keys *keys, struct store_key key);
/* Writes it to `to`; returns store_key_len(). */
size_t store_key_write(
    const struct store_keys *keys, struct store_key key, char *to);
/* What the whole keys of a kind begin with whose names begin so; the name is
 * not hashed and has at most STORE_NAME_MAX bytes. */
size_t store_key_write_prefix(const struct store_keys *keys,
    enum store_kind kind, struct span prefix, char *to);
/* The name in a whole key of this namespace. */
struct span store_key_name(const struct store_keys *keys, struct span whole);

/* Kinds hold counts or values, never both. */
bool store_kind_counts(enum store_kind kind);

#endif
