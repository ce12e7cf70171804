#ifndef FILTER_AUTH_SIGNATURE_H
#define FILTER_AUTH_SIGNATURE_H

#include "filter/auth/bodyhash.h"
#include "filter/auth/headerhash.h"
#include "filter/auth/sign_key.h"
#include "filter/base/arena.h"

/*
 * Makes DKIM-Signature fields (RFC 6376 section 5). ARC-Message-Signature, the
 * same thing by another name, is written by arc_seal.c in the form that its
 * seal asks for; which fields to sign is chosen here for both.
 */
struct signature_request {
	const struct sign_key *key;
	struct span domain, selector; /* A-labels */
	struct span identity;         /* i= of DKIM; empty: none */
	enum bodyhash_canon header_canon, body_canon;
	/* h= in order; a name that stands more often than there are fields is
	 * oversigned. */
	const struct span *names;
	size_t n_names;
	int64_t time, expires; /* t=, x=; -1: leave out */
	/* Job of bodyhash_add(body_canon, SHA256, BODYHASH_NO_LIMIT). */
	const struct bodyhash_value *body;
	struct header_index *index; /* of the fields that will leave */
};

/*
 * The field's value, folded by "\r\n\t" at no more than 78 columns (a tab is
 * eight; only a longer domain stands out), without leading blank and final line
 * end; it is signed as written behind "NAME: " (one blank). SPAN_NONE: no
 * memory, libcrypto failed, or a name that h= cannot hold.
 * Memory: arena. Thread: any.
 */
struct span signature_make(
    const struct signature_request *request, struct arena *arena);

/* A field name that may stand in h=: printable ASCII without `:` and `;`. */
bool signature_name_is_valid(struct span name);

/*
 * The names of h= for a message: From first, be it among `names` or not; then
 * each other of `names` as often as it stands in the message, and once more where it
 * is one of `oversign`: a field put in later breaks the signature. Those that
 * a relay adds where they lack (Date, Message-ID, MIME-Version, ...) are signed
 * once more only where one stands. At most SIGNATURE_NAMES_MAX. The array is
 * in the arena; NULL: no memory.
 */
struct span *signature_names(const struct header_list *headers,
    const struct span *names, size_t n, const struct span *oversign,
    size_t n_oversign, struct arena *arena, size_t *ret_n);

#define SIGNATURE_NAMES_MAX 400

/* What we sign by default (RFC 6376 section 5.4.1, RFC 8058 section 4), and
 * oversign: the fields that may stand only once. NULL-ended. */
extern const char *const signature_default_names[];
extern const char *const signature_default_oversign[];
/* The same as spans in the arena; NULL: no memory. */
struct span *signature_spans(
    const char *const *names, struct arena *arena, size_t *ret_n);

#endif
