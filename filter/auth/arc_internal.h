#ifndef FILTER_AUTH_ARC_INTERNAL_H
#define FILTER_AUTH_ARC_INTERNAL_H

#include "filter/auth/arc.h"
#include "filter/auth/dkim_internal.h"

/* Inside of ARC: reading a chain (arc_read.c), judging it (arc.c). */

/* What is signed in a set, read. */
struct arc_entry {
	struct dkim_tags ams, seal;
	int job; /* of the AMS's body hash; negative: none */
};

struct arc {
	const struct header_list *headers;
	struct dns_batch *dns;
	struct bodyhash_set *hashes;
	struct arc_entry *entries; /* facts.instances of them, like the sets */
	bool decided;              /* fails by its form: nothing to verify */
	struct arc_facts facts;
};

/*
 * Finds the ARC sets of a message and checks their form (RFC 8617 section 5.2
 * steps 1 to 3): facts.result is ARC_NONE or ARC_FAIL when that decides, and
 * ARC_PASS as long as nothing speaks against it. Fills facts and entries.
 */
void arc_read(struct arc *arc, int64_t now, struct arena *arena);

#endif
