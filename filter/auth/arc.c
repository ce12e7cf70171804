#include "filter/auth/arc_internal.h"

/*
 * ARC validation (RFC 8617 section 5.2). At the end of the headers the sets are
 * read and the keys wanted of what counts: the newest AMS, which must cover the
 * message as it is, and all seals. After the body these are verified, and then,
 * for oldest_pass alone, older AMS until one does not. Seals cover all sets up
 * to their own, so one running hash serves them all; old AMS may cover the same
 * large fields again and again, so their bytes are bounded in all.
 */

enum check { CHECK_PASS, CHECK_FAIL, CHECK_LATER };

const char *
arc_result_name(enum arc_result result)
{
	static const char *const names[] = {
	    [ARC_NONE] = "none",
	    [ARC_PASS] = "pass",
	    [ARC_FAIL] = "fail",
	    [ARC_TEMPERROR] = "temperror",
	};

	return names[result];
}

/* --- at the end of the headers -------------------------------------------------- */

/* l= would give each old AMS a digest of its own: not for oldest_pass. */
static void
plan_body(struct arc *arc, unsigned i)
{
	struct arc_entry *entry = &arc->entries[i];
	bool newest = i + 1 == arc->facts.instances;

	if (!entry->ams.key_name.p ||
	    (!newest && entry->ams.limit != BODYHASH_NO_LIMIT))
		return;
	entry->job = bodyhash_add(arc->hashes, entry->ams.body_canon,
	    entry->ams.digest, entry->ams.limit);
}

struct arc *
arc_begin(const struct header_list *headers, struct dns_batch *dns,
    struct bodyhash_set *hashes, int64_t now, struct arena *arena)
{
	struct arc *arc = arena_zalloc(arena, sizeof *arc);

	if (!arc)
		return NULL;
	arc->headers = headers;
	arc->dns = dns;
	arc->hashes = hashes;
	arc_read(arc, now, arena);
	arc->decided = arc->facts.result != ARC_PASS;
	if (arc->decided)
		return arc;
	unsigned n = arc->facts.instances;
	dns_want(dns, arc->entries[n - 1].ams.key_name, DNS_TXT);
	for (unsigned i = n; i > 0; i--) {
		dns_want(dns, arc->entries[i - 1].seal.key_name, DNS_TXT);
		plan_body(arc, i - 1);
	}
	return arc;
}

const struct arc_facts *
arc_form(const struct arc *arc)
{
	return &arc->facts;
}

/* --- one signature ---------------------------------------------------------------- */

/* A key that may be used and verifies; the last refusal else. */
static enum check
try_keys(const struct dkim_keys *keys, const struct dkim_tags *tags,
    const struct header_hash *hash, const char **ret_problem)
{
	*ret_problem = "there is no key";
	for (size_t i = 0; i < keys->n; i++) {
		const struct dkim_key *key = &keys->keys[i];
		const char *refusal = dkim_key_refuses(key, tags);
		if (refusal)
			*ret_problem = refusal;
		else if (dkim_key_verify(key, tags, hash))
			return CHECK_PASS;
		else
			*ret_problem = "the signature does not match";
	}
	return CHECK_FAIL;
}

static enum check
check_signature(struct arc *arc, const struct dkim_tags *tags,
    const struct header_hash *hash, const char **ret_problem)
{
	const struct dns_answer *answer =
	    dns_get(arc->dns, tags->key_name, DNS_TXT);
	const struct dkim_keys *keys;

	switch (answer->status) {
	case DNS_OK:
		keys = dkim_keys_of(answer);
		if (keys)
			return try_keys(keys, tags, hash, ret_problem);
		*ret_problem = "out of memory";
		return CHECK_LATER;
	case DNS_NXDOMAIN:
	case DNS_NODATA:
		*ret_problem = "there is no key";
		return CHECK_FAIL;
	case DNS_TIMEOUT:
		*ret_problem = "the key did not come in time";
		break;
	case DNS_SERVFAIL:
		*ret_problem = "the key cannot be looked up";
		break;
	}
	return CHECK_LATER;
}

/* --- AMS ------------------------------------------------------------------------------ */

static enum check
check_body(
    const struct arc *arc, const struct arc_entry *entry, const char **problem)
{
	if (entry->job < 0) {
		*problem = "no room for its body hash";
		return CHECK_LATER;
	}
	const struct bodyhash_value *body =
	    bodyhash_value(arc->hashes, entry->job);
	struct span hash = span_make((const char *)body->digest, body->len);
	uint64_t limit = entry->ams.limit;

	if (body->failed) {
		*problem = "the body could not be hashed";
		return CHECK_LATER;
	}
	if (!span_eq(hash, entry->ams.body_hash)) {
		*problem = "the body was changed";
		return CHECK_FAIL;
	}
	if (limit != BODYHASH_NO_LIMIT && limit != body->body_size) {
		/* RFC 6376 sections 3.5 and 8.2 */
		*problem = limit > body->body_size
			       ? "l= is larger than the body"
			       : "l= leaves text of the body unsigned";
		return CHECK_FAIL;
	}
	return CHECK_PASS;
}

/* `left`: bytes of fields that may still be hashed. */
static enum check
check_ams(struct arc *arc, struct header_index *index, unsigned i, size_t *left,
    struct arena *arena, const char **problem)
{
	const struct arc_entry *entry = &arc->entries[i];
	const struct header *field = arc->facts.sets[i].ams;
	struct header_choice choice;
	struct header_hash hash;

	enum check check = check_body(arc, entry, problem);
	if (check != CHECK_PASS)
		return check;
	*problem = "out of memory";
	if (!index || header_choose(index, entry->ams.names.v,
			  entry->ams.names.n, field, arena, &choice))
		return CHECK_LATER;
	*problem = "it covers too much";
	if (choice.bytes > *left)
		return CHECK_LATER;
	*left -= choice.bytes;
	*problem = "out of memory";
	if (header_hash(&choice, field, entry->ams.b_whole,
		entry->ams.header_canon, BODYHASH_SHA256, &hash))
		return CHECK_LATER;
	return check_signature(arc, &entry->ams, &hash, problem);
}

/* --- the chain ------------------------------------------------------------------------ */

/* Notes what speaks against a pass; false when that is final. */
static bool
take(struct arc *arc, enum check check, unsigned i, const char *field,
    const char *problem, struct arena *arena)
{
	struct arc_facts *facts = &arc->facts;

	if (check == CHECK_PASS ||
	    (check == CHECK_LATER && facts->result == ARC_TEMPERROR))
		return true;
	facts->result = check == CHECK_FAIL ? ARC_FAIL : ARC_TEMPERROR;
	facts->problem = arena_printf(arena, "i=%u: %s: %s", i, field, problem);
	return check != CHECK_FAIL;
}

/* Section 5.2 step 6: each seal over the sets up to its own. */
static void
judge_seals(struct arc *arc, struct arena *arena)
{
	struct arc_facts *facts = &arc->facts;
	struct header_chain chain;
	struct header_hash hash;
	const char *problem = "out of memory";
	bool going = true;

	header_chain_open(&chain);
	for (unsigned i = 0; i < facts->instances && going; i++) {
		const struct arc_set *set = &facts->sets[i];
		const struct dkim_tags *tags = &arc->entries[i].seal;
		enum check check = CHECK_LATER;
		header_chain_add(&chain, set->aar);
		header_chain_add(&chain, set->ams);
		if (!header_chain_hash(&chain, set->seal, tags->b_whole, &hash))
			check = check_signature(arc, tags, &hash, &problem);
		going = take(arc, check, i + 1, "ARC-Seal", problem, arena);
		header_chain_add(&chain, set->seal);
	}
	header_chain_close(&chain);
}

/* Step 5: down from the newest but one, as long as they verify. */
static void
find_oldest(struct arc *arc, struct header_index *index, struct arena *arena)
{
	size_t left = ARC_OLDER_BYTES;
	unsigned i = arc->facts.instances - 1;
	const char *ignored;

	while (
	    i > 0 && arc->entries[i - 1].job >= 0 &&
	    check_ams(arc, index, i - 1, &left, arena, &ignored) == CHECK_PASS)
		i--;
	arc->facts.oldest_pass = i ? i + 1 : 0;
}

static void
judge(struct arc *arc, struct arena *arena)
{
	struct header_index *index = header_index_new(arc->headers, arena);
	unsigned newest = arc->facts.instances - 1;
	size_t all = SIZE_MAX;
	const char *problem = NULL;
	enum check check = check_ams(arc, index, newest, &all, arena, &problem);

	if (take(arc, check, newest + 1, "ARC-Message-Signature", problem,
		arena))
		judge_seals(arc, arena);
	if (arc->facts.result != ARC_PASS)
		return;
	find_oldest(arc, index, arena);
	arc->facts.multiplied =
	    dkim_find_multiplied(arc->headers, &arc->entries[newest].ams);
}

const struct arc_facts *
arc_end(struct arc *arc, struct arena *arena)
{
	if (!arc) {
		struct arc_facts *facts = arena_zalloc(arena, sizeof *facts);
		if (facts)
			facts->result = ARC_TEMPERROR;
		return facts;
	}
	if (!arc->decided)
		judge(arc, arena);
	arc->decided = true;
	return &arc->facts;
}
