#ifndef FILTER_AUTH_ARC_SEAL_H
#define FILTER_AUTH_ARC_SEAL_H

#include "filter/auth/arc.h"
#include "filter/auth/signature.h"

/*
 * Sealing (RFC 8617 section 5.1): the three fields of the next ARC set.
 */
struct arc_seal_request {
	const struct sign_key *key;
	struct span domain, selector; /* A-labels */
	struct span authserv_id;
	/* What stands behind "i=N; authserv-id;" in the AAR, in one line. */
	struct span results;
	/* Whether the chain was found right: cv= of the seal, where the message
	 * has ARC fields. NONE without, by `facts`, whatever stands here. */
	enum arc_result chain;
	const struct arc_facts *facts;     /* of the message as it came */
	const struct header_list *headers; /* as the message will leave */
	/* h= of the AMS as it shall be, but for A-R and the fields of ARC, which
	 * are never signed; must name From. n 0: the default, with all
	 * DKIM-Signatures (RFC 8617 section 4.1.2). */
	const struct span *names;
	size_t n_names;
	int64_t time; /* t= */
	/* relaxed, SHA-256, no limit; NULL: not sealed */
	const struct bodyhash_value *body;
};

struct arc_seal {
	/* Values without leading blank, folded by CRLF and a blank; to be put
	 * on top in the order seal, ams, aar. p NULL: not sealed. */
	struct span seal, ams, aar;
	const char *reason; /* why not sealed: a constant; NULL */
};

/*
 * Not sealed: the newest seal says cv=fail, there are ARC_SETS_MAX sets, the
 * chain is neither pass nor fail, no body hash, or no memory. Tags stand in the
 * order of their names. Memory: arena. Thread: any.
 */
void arc_seal_make(const struct arc_seal_request *request, struct arena *arena,
    struct arc_seal *ret);

#endif
