#include "filter/store/store_key.h"

#include <assert.h>

#include "filter/base/sha256.h"
#include "filter/store/backend.h"

/*
 * Names to whole keys. Senders choose most names: they may hold any bytes and
 * be of any length, and two that differ must never meet. The README has the
 * table of kinds; a letter is never used anew, a digit grows when the meaning
 * of a kind's entries changes.
 */

static const struct {
	char letter, version;
	bool counts;
} kinds[STORE_KINDS] = {
    [STORE_CORPUS] = {'c', '1', true},
    [STORE_TOKEN] = {'t', '1', true},
    [STORE_TRAINED] = {'m', '1', false},
    [STORE_REPUTE] = {'r', '1', true},
    [STORE_REPORT] = {'d', '1', false},
    [STORE_REPORTED] = {'n', '1', true},
    [STORE_MARK] = {'k', '1', false},
    [STORE_FAILURE] = {'f', '1', false},
    [STORE_FAILURES] = {'g', '1', true},
};

_Static_assert(STORE_HEAD_MAX + STORE_NAME_MAX + 1 <= STORE_KEY_MAX,
    "every key fits the backends");

bool
store_kind_counts(enum store_kind kind)
{
	return kinds[kind].counts;
}

int
store_keys_init(struct store_keys *keys, struct span namespace, struct err *err)
{
	if (namespace.len == 0)
	namespace = SPAN("assay");
	if (namespace.len > STORE_NAMESPACE_MAX)
		return err_set(err, ERR_INVALID,
		    "store.namespace: more than %d bytes", STORE_NAMESPACE_MAX);
	if (span_find_char(namespace, '\0') != SPAN_NPOS)
		return err_set(
		    err, ERR_INVALID, "store.namespace: a NUL byte in it");
	for (size_t i = 0; i < STORE_KINDS; i++) {
		char *p = keys->heads[i];
		memcpy(p, namespace.p, namespace.len);
		p += namespace.len;
		*p++ = '\0';
		*p++ = kinds[i].letter;
		*p++ = kinds[i].version;
		*p++ = '\0';
	}
	keys->head_len = namespace.len + 4;
	return 0;
}

size_t
store_key_len(const struct store_keys *keys, struct store_key key)
{
	bool long_name = key.name.len > STORE_NAME_MAX;

	return keys->head_len + (long_name ? STORE_NAME_MAX + 1 : key.name.len);
}

size_t
store_key_write_prefix(const struct store_keys *keys, enum store_kind kind,
    struct span prefix, char *to)
{
	assert((unsigned)kind < STORE_KINDS && prefix.len <= STORE_NAME_MAX);
	memcpy(to, keys->heads[kind], keys->head_len);
	if (prefix.len)
		memcpy(to + keys->head_len, prefix.p, prefix.len);
	return keys->head_len + prefix.len;
}

size_t
store_key_write(const struct store_keys *keys, struct store_key key, char *to)
{
	struct sha256 sha;

	if (key.name.len <= STORE_NAME_MAX)
		return store_key_write_prefix(keys, key.kind, key.name, to);
	size_t n = store_key_write_prefix(
	    keys, key.kind, span_head(key.name, STORE_NAME_KEPT), to);
	sha256_init(&sha);
	sha256_add(&sha, key.name);
	sha256_done(&sha, (uint8_t *)to + n);
	return n + SHA256_SIZE;
}

struct span
store_key_name(const struct store_keys *keys, struct span whole)
{
	return span_skip(whole, keys->head_len);
}
