#include "filter/auth/dkim.h"

#include "filter/auth/dkim_internal.h"

/*
 * DKIM verification. At the end of the headers every signature goes through
 * the guard, its key is wanted and its body hash planned; after the body each
 * is judged, cheapest first: key, body hash, header hash, signature. Only what
 * is right by then is looked at for what may keep it from counting (rsa-sha1,
 * text behind l=). Header hashes come from libopendkim where it is right
 * (dkim_library.c) and from headerhash.c elsewhere.
 */

struct entry {
	struct dkim_signature *out;
	struct dkim_tags tags;
	int job;   /* of the body hash */
	bool open; /* not yet decided */
	const struct dkim_keys *keys;
};

struct dkim {
	const struct header_list *headers;
	struct dns_batch *dns;
	struct bodyhash_set *hashes;
	size_t n; /* judged; the facts may have more */
	struct entry entries[DKIM_SIGNATURES_MAX];
	struct dkim_facts facts;
};

const char *
dkim_result_name(enum dkim_result result)
{
	static const char *const names[] = {
	    [DKIM_NONE] = "none",
	    [DKIM_PASS] = "pass",
	    [DKIM_FAIL] = "fail",
	    [DKIM_POLICY] = "policy",
	    [DKIM_NEUTRAL] = "neutral",
	    [DKIM_TEMPERROR] = "temperror",
	    [DKIM_PERMERROR] = "permerror",
	};

	return names[result];
}

static void
decide(struct entry *e, enum dkim_result result, const char *problem)
{
	e->open = false;
	e->out->result = result;
	e->out->problem = span_of(problem);
}

/* --- at the end of the headers --------------------------------------------------- */

static void
tell_tags(struct dkim_signature *out, const struct dkim_tags *tags)
{
	out->domain = tags->domain;
	out->selector = tags->selector;
	out->identity = tags->identity;
	out->algorithm = tags->algorithm_name;
	out->b = tags->b;
	out->time = tags->time;
	out->expires = tags->expires;
}

static void
begin_entry(
    struct dkim *dkim, struct entry *e, int64_t now, struct arena *arena)
{
	const struct header *field = e->out->field;
	const char *problem =
	    field->truncated ? "the field is too long"
			     : dkim_guard(&e->tags, field->raw, now, arena);

	tell_tags(e->out, &e->tags);
	if (problem) {
		decide(e, arena_failed(arena) ? DKIM_TEMPERROR : DKIM_PERMERROR,
		    problem);
		return;
	}
	e->job = bodyhash_add(
	    dkim->hashes, e->tags.body_canon, e->tags.digest, e->tags.limit);
	if (e->job < 0) {
		decide(e, DKIM_TEMPERROR, "no room for its body hash");
		return;
	}
	dns_want(dkim->dns, e->tags.key_name, DNS_TXT);
	e->open = true;
}

static bool
is_signature(const struct header *h)
{
	return span_caseis(span_trim(h->name), "DKIM-Signature");
}

static bool
make_facts(struct dkim *dkim, struct arena *arena)
{
	const struct header_list *headers = dkim->headers;
	struct dkim_facts *facts = &dkim->facts;

	facts->signatures =
	    arena_calloc(arena, header_count(headers, SPAN("DKIM-Signature")),
		sizeof *facts->signatures);
	if (!facts->signatures)
		return false;
	for (size_t i = 0; i < headers->fields.n; i++) {
		if (!is_signature(&headers->fields.v[i]))
			continue;
		facts->signatures[facts->n++] = (struct dkim_signature){
		    .result = DKIM_POLICY,
		    .problem = SPAN("too many signatures"),
		    .time = -1,
		    .expires = -1,
		    .field = &headers->fields.v[i],
		};
	}
	return true;
}

struct dkim *
dkim_begin(const struct header_list *headers, struct dns_batch *dns,
    struct bodyhash_set *hashes, int64_t now, struct arena *arena)
{
	struct dkim *dkim = arena_zalloc(arena, sizeof *dkim);

	if (!dkim)
		return NULL;
	dkim->headers = headers;
	dkim->dns = dns;
	dkim->hashes = hashes;
	if (!make_facts(dkim, arena))
		return NULL;
	for (size_t i = 0; i < dkim->facts.n && i < DKIM_SIGNATURES_MAX; i++) {
		struct entry *e = &dkim->entries[dkim->n++];
		e->out = &dkim->facts.signatures[i];
		e->out->problem = SPAN_NONE;
		begin_entry(dkim, e, now, arena);
	}
	return dkim;
}

struct span
dkim_domain(const struct dkim *dkim, size_t number)
{
	if (!dkim || number >= dkim->n)
		return SPAN_NONE;
	return dkim->facts.signatures[number].domain;
}

/* --- after the body: key and body hash ---------------------------------------------- */

/* Decides unless one of the keys may be used. */
static void
judge_keys(struct entry *e)
{
	const char *problem = "there is no key";

	for (size_t i = 0; e->keys && i < e->keys->n; i++) {
		const struct dkim_key *key = &e->keys->keys[i];
		const char *refusal = dkim_key_refuses(key, &e->tags);
		if (i == 0 || !refusal) {
			e->out->key_bits = key->bits;
			e->out->testing = key->testing;
			problem = refusal;
		}
		if (!refusal)
			return;
	}
	decide(e, e->keys ? DKIM_PERMERROR : DKIM_TEMPERROR,
	    e->keys ? problem : "out of memory");
}

static void
get_keys(struct dkim *dkim, struct entry *e)
{
	const struct dns_answer *answer =
	    dns_get(dkim->dns, e->tags.key_name, DNS_TXT);

	switch (answer->status) {
	case DNS_OK:
		e->keys = dkim_keys_of(answer);
		judge_keys(e);
		break;
	case DNS_NXDOMAIN:
	case DNS_NODATA:
		decide(e, DKIM_PERMERROR, "there is no key");
		break;
	case DNS_TIMEOUT:
		dkim->facts.waited_out = true;
		decide(e, DKIM_TEMPERROR, "the key did not come in time");
		break;
	case DNS_SERVFAIL:
		decide(e, DKIM_TEMPERROR, "the key cannot be looked up");
		break;
	}
}

static const struct bodyhash_value *
body_of(const struct dkim *dkim, const struct entry *e)
{
	return bodyhash_value(dkim->hashes, e->job);
}

/* Not right. A key with t=y must not make it worse than no signature (RFC 6376
 * section 3.6.1). */
static void
decide_fail(struct entry *e, const char *problem)
{
	decide(e, e->out->testing ? DKIM_NEUTRAL : DKIM_FAIL, problem);
}

static void
judge_body(struct dkim *dkim, struct entry *e)
{
	const struct bodyhash_value *body = body_of(dkim, e);
	struct span hash = span_make((const char *)body->digest, body->len);

	if (body->failed)
		decide(e, DKIM_TEMPERROR, "the body could not be hashed");
	else if (e->tags.limit != BODYHASH_NO_LIMIT &&
		 e->tags.limit > body->body_size) /* section 3.5, l= */
		decide(e, DKIM_PERMERROR, "l= is larger than the body");
	else if (!span_eq(hash, e->tags.body_hash))
		decide_fail(e, "the body was changed");
}

/* --- header hash and signature --------------------------------------------------------- */

/* Fields that RFC 5322 section 3.6 and RFC 2045 allow once, and that decide
 * what people are shown. */
static const char *const singletons[] = {"from", "sender", "reply-to", "to",
    "cc", "subject", "date", "message-id", "in-reply-to", "references",
    "mime-version", "content-type", "content-transfer-encoding"};

static size_t
times_signed(const struct dkim_tags *tags, const char *name)
{
	size_t n = 0;

	for (size_t i = 0; i < tags->names.n; i++)
		n += span_caseis(tags->names.v[i], name);
	return n;
}

/* RFC 6376 section 8.15: a second From above or below the signed one. */
struct span
dkim_find_multiplied(
    const struct header_list *headers, const struct dkim_tags *tags)
{
	for (size_t i = 0; i < sizeof singletons / sizeof *singletons; i++) {
		struct span name = span_of(singletons[i]);
		size_t there = header_count(headers, name);
		if (there < 2)
			continue;
		size_t covered = times_signed(tags, singletons[i]);
		if (covered && covered < there)
			return name;
	}
	return SPAN_NONE;
}

static bool
any_key_verifies(const struct entry *e, const struct header_hash *hash)
{
	for (size_t i = 0; i < e->keys->n; i++) {
		const struct dkim_key *key = &e->keys->keys[i];
		if (dkim_key_refuses(key, &e->tags) ||
		    !dkim_key_verify(key, &e->tags, hash))
			continue;
		e->out->key_bits = key->bits;
		e->out->testing = key->testing;
		return true;
	}
	return false;
}

static void
judge_signature(
    struct dkim *dkim, struct entry *e, const struct header_hash *hash)
{
	if (!any_key_verifies(e, hash)) {
		decide_fail(e, "the signature does not match");
	} else if (e->tags.digest == BODYHASH_SHA1) { /* RFC 8301 section 3.1 */
		decide(e, DKIM_POLICY, "rsa-sha1 is not accepted");
	} else if (e->tags.limit < body_of(dkim, e)->body_size) {
		/* RFC 6376 section 8.2 */
		decide(e, DKIM_POLICY, "l= leaves text of the body unsigned");
	} else {
		decide(e, DKIM_PASS, NULL);
		e->out->multiplied =
		    dkim_find_multiplied(dkim->headers, &e->tags);
	}
}

/* The open entries with the fields they cover. Entries whose choice cannot be
 * kept are decided. */
static size_t
make_candidates(
    struct dkim *dkim, struct dkim_candidate *candidates, struct arena *arena)
{
	struct header_index *index = header_index_new(dkim->headers, arena);
	size_t n = 0;

	for (size_t i = 0; i < dkim->n; i++) {
		struct entry *e = &dkim->entries[i];
		struct dkim_candidate *c = &candidates[n];
		if (!e->open)
			continue;
		*c = (struct dkim_candidate){
		    .tags = &e->tags, .field = e->out->field};
		if (!index || header_choose(index, e->tags.names.v,
				  e->tags.names.n, c->field, arena, &c->choice))
			decide(e, DKIM_TEMPERROR, "out of memory");
		else
			n++;
	}
	return n;
}

static bool
hash_candidate(struct dkim_candidate *c)
{
	const struct dkim_tags *tags = c->tags;

	return c->hashed ||
	       header_hash(&c->choice, c->field, tags->b_whole,
		   tags->header_canon, tags->digest, &c->hash) == 0;
}

static void
judge_signatures(struct dkim *dkim, struct arena *arena)
{
	struct dkim_candidate candidates[DKIM_SIGNATURES_MAX];
	size_t n = make_candidates(dkim, candidates, arena), at = 0;

	dkim_library_hash(dkim->headers, candidates, n, arena);
	for (size_t i = 0; i < dkim->n; i++) {
		struct entry *e = &dkim->entries[i];
		if (!e->open)
			continue;
		struct dkim_candidate *c = &candidates[at++];
		if (hash_candidate(c))
			judge_signature(dkim, e, &c->hash);
		else
			decide(e, DKIM_TEMPERROR, "out of memory");
	}
}

/* ---------------------------------------------------------------------------------------- */

/* One word for all signatures, for lines that have room for one. */
static enum dkim_result
best(const struct dkim_facts *facts)
{
	static const enum dkim_result order[] = {DKIM_PASS, DKIM_TEMPERROR,
	    DKIM_POLICY, DKIM_NEUTRAL, DKIM_FAIL, DKIM_PERMERROR};

	for (size_t o = 0; o < sizeof order / sizeof *order; o++)
		for (size_t i = 0; i < facts->n; i++)
			if (facts->signatures[i].result == order[o])
				return order[o];
	return DKIM_NONE;
}

const struct dkim_facts *
dkim_end(struct dkim *dkim, struct arena *arena)
{
	bool any_open = false;

	if (!dkim) {
		struct dkim_facts *facts = arena_zalloc(arena, sizeof *facts);
		if (facts)
			facts->result = DKIM_TEMPERROR;
		return facts;
	}
	for (size_t i = 0; i < dkim->n; i++) {
		struct entry *e = &dkim->entries[i];
		if (e->open)
			get_keys(dkim, e);
		if (e->open)
			judge_body(dkim, e);
		any_open |= e->open;
	}
	if (any_open)
		judge_signatures(dkim, arena);
	dkim->facts.result = best(&dkim->facts);
	return &dkim->facts;
}

int
dkim_setup(struct err *err)
{
	return dkim_library_open(err);
}

void
dkim_teardown(void)
{
	dkim_library_close();
}
