#include "filter/auth/arc_internal.h"

#include "filter/auth/dkim.h"
#include "filter/mail/authres.h"

/*
 * From header fields to ARC sets. First all ARC fields are put to their
 * instance, by nothing but their i=; a chain of wrong shape (a field that
 * lacks or stands twice, a gap, more sets than the RFC allows) ends here and
 * costs neither DNS nor a hash. Then each set's tags are read by the grammar
 * of DKIM signatures.
 */

#define POSITION_DIGITS 2 /* RFC 8617 section 4.2.1: 1*2DIGIT */
#define POSITION_MAX 99
#define FIELDS_MAX (3 * ARC_SETS_MAX) /* of a chain that may be right */

enum kind { KIND_AAR, KIND_AMS, KIND_SEAL, KINDS };

static const char *const kind_names[KINDS] = {
    [KIND_AAR] = "ARC-Authentication-Results",
    [KIND_AMS] = "ARC-Message-Signature",
    [KIND_SEAL] = "ARC-Seal",
};

/* The fields by instance; [0] is not used. */
struct table {
	const struct header *fields[KINDS][POSITION_MAX + 1];
	unsigned n; /* fields in all */
	unsigned highest;
	unsigned last[KINDS];  /* instance of the field above, or 0 */
	struct span newest_cv; /* of the seal with the highest i= */
	struct span problem;   /* the first one; p == NULL */
};

static void
blame(struct table *t, struct span problem)
{
	if (!t->problem.p)
		t->problem = problem.p ? problem : SPAN("out of memory");
}

/* --- i= --------------------------------------------------------------------------- */

/* `[CFWS] position [CFWS]`, or 0. */
static unsigned
read_position(struct span s)
{
	unsigned value = 0;
	size_t n = 0;

	if (!authres_skip_cfws(&s))
		return 0;
	for (; n < s.len && ascii_is_digit(s.p[n]); n++) {
		if (n == POSITION_DIGITS)
			return 0;
		value = value * 10 + (unsigned)(s.p[n] - '0');
	}
	s = span_skip(s, n);
	return authres_skip_cfws(&s) && s.len == 0 ? value : 0;
}

/* `[CFWS] "i" [CFWS] "=" position ";"`, and then what RFC 8601 says. */
static unsigned
read_aar(struct span raw, struct span *ret_results)
{
	struct span s = raw;

	if (!authres_skip_cfws(&s) || !s.len || s.p[0] != 'i')
		return 0;
	s = span_skip(s, 1);
	if (!authres_skip_cfws(&s) || !s.len || s.p[0] != '=')
		return 0;
	s = span_skip(s, 1);
	struct span position = span_cut(&s, ';');
	if (!s.p)
		return 0;
	*ret_results = s;
	return read_position(position);
}

/* Of a seal or an AMS: a list of tags. */
static unsigned
read_tagged(struct span raw, struct arena *arena, struct span *ret_cv)
{
	struct tag_list list;

	if (raw.len > DKIM_FIELD_MAX || taglist_parse(&list, raw, arena))
		return 0;
	*ret_cv = taglist_get(&list, "cv");
	return read_position(taglist_get(&list, "i"));
}

/* --- the table ----------------------------------------------------------------------- */

/* KINDS: none of ours. */
static enum kind
kind_of(const struct header *h)
{
	struct span name = span_trim(h->name);
	enum kind kind = KIND_AAR;

	while (kind < KINDS && !span_caseis(name, kind_names[kind]))
		kind++;
	return kind;
}

static void
put(struct table *t, const struct header *h, enum kind kind,
    struct arena *arena)
{
	struct span ignored, cv = SPAN_NONE;
	bool too_long = h->truncated || h->raw.len > ARC_RESULTS_MAX;
	unsigned i = 0;

	if (!too_long)
		i = kind == KIND_AAR ? read_aar(h->raw, &ignored)
				     : read_tagged(h->raw, arena, &cv);
	if (!i) {
		blame(t, arena_printf(arena,
			     "%s without a usable i=", kind_names[kind]));
		return;
	}
	if (t->fields[kind][i]) {
		blame(t, arena_printf(arena, "i=%u: two %s fields", i,
			     kind_names[kind]));
		return;
	}
	/* Differs from RFC 8617: each set is put on top of those before it, and
	 * trace fields are not reordered (RFC 5322 section 3.6.7), so a chain
	 * that stands otherwise was put together by somebody. Decision record
	 * 0017. */
	if (t->last[kind] && t->last[kind] < i)
		blame(t, arena_printf(arena, "%s fields out of order",
			     kind_names[kind]));
	t->last[kind] = i;
	t->fields[kind][i] = h;
	if (i > t->highest) {
		t->highest = i;
		t->newest_cv = SPAN_NONE;
	}
	if (i == t->highest && kind == KIND_SEAL)
		t->newest_cv = cv;
}

/*
 * Newest first, as they stand in an honest message. More fields than any right
 * chain has are not looked at.
 */
static void
fill(struct table *t, const struct header_list *headers, struct arena *arena)
{
	for (size_t i = 0; i < headers->fields.n; i++) {
		enum kind kind = kind_of(&headers->fields.v[i]);
		if (kind == KINDS)
			continue;
		if (t->n++ == FIELDS_MAX) {
			blame(t, SPAN("more than 50 ARC sets"));
			put(t, &headers->fields.v[i], kind, arena);
			return;
		}
		put(t, &headers->fields.v[i], kind, arena);
	}
}

static void
check_shape(struct table *t, struct arena *arena)
{
	if (t->highest > ARC_SETS_MAX)
		blame(t, SPAN("more than 50 ARC sets"));
	for (unsigned i = 1; i <= t->highest && !t->problem.p; i++)
		for (enum kind kind = 0; kind < KINDS; kind++)
			if (!t->fields[kind][i])
				blame(t, arena_printf(arena, "i=%u: no %s", i,
					     kind_names[kind]));
}

/* --- sets ---------------------------------------------------------------------------- */

static bool
names_seal(const struct dkim_tags *tags)
{
	for (size_t i = 0; i < tags->names.n; i++)
		if (span_caseis(tags->names.v[i], "arc-seal"))
			return true;
	return false;
}

static const char *
check_ams(struct dkim_tags *tags, const struct header *field, int64_t now,
    struct arena *arena)
{
	struct tag_list list;
	const char *problem =
	    dkim_guard_form(DKIM_FORM_AMS, tags, field->raw, now, arena, &list);

	if (!problem && tags->digest != BODYHASH_SHA256)
		problem = "rsa-sha1 is not accepted"; /* RFC 8301 section 3.1 */
	if (!problem && names_seal(tags))             /* section 4.1.2 */
		problem = "h= names ARC-Seal";
	return problem;
}

static const char *
check_seal(struct dkim_tags *tags, const struct arc_set *set, int64_t now,
    struct arena *arena)
{
	const char *want = set->instance == 1 ? "none" : "pass";
	struct tag_list list;
	const char *problem = dkim_guard_form(
	    DKIM_FORM_SEAL, tags, set->seal->raw, now, arena, &list);

	if (!problem && tags->digest != BODYHASH_SHA256)
		problem = "rsa-sha1 is not accepted";
	if (!problem && taglist_find(&list, "h")) /* section 4.1.3 */
		problem = "h= is not allowed";
	/* Section 5.2 step 3; the ABNF has the words in lower case, and in ABNF
	 * they stand for any. */
	if (!problem && !span_caseis(set->cv, want))
		problem =
		    set->instance == 1 ? "cv= is not none" : "cv= is not pass";
	return problem;
}

static void
blame_set(struct arc *arc, const struct arc_set *set, const char *field,
    const char *problem, struct arena *arena)
{
	if (arc->facts.result == ARC_FAIL)
		return;
	arc->facts.result = ARC_FAIL;
	arc->facts.problem =
	    arena_printf(arena, "i=%u: %s: %s", set->instance, field, problem);
}

/* The tags of one set. Of old AMS nothing is asked but that they are there. */
static void
read_set(struct arc *arc, unsigned i, int64_t now, struct arena *arena)
{
	struct arc_set *set = &arc->facts.sets[i];
	struct arc_entry *entry = &arc->entries[i];
	bool newest = i + 1 == arc->facts.instances;
	const char *seal = check_seal(&entry->seal, set, now, arena);
	const char *ams = check_ams(&entry->ams, set->ams, now, arena);

	entry->job = -1;
	set->domain = entry->seal.domain;
	set->selector = entry->seal.selector;
	set->ams_domain = entry->ams.domain;
	if (seal)
		blame_set(arc, set, kind_names[KIND_SEAL], seal, arena);
	if (ams && newest)
		blame_set(arc, set, kind_names[KIND_AMS], ams, arena);
	if (ams)
		entry->ams.key_name = SPAN_NONE;
}

static bool
make_sets(struct arc *arc, const struct table *t, struct arena *arena)
{
	struct arc_set *sets = arena_calloc(arena, t->highest, sizeof *sets);
	struct span cv = SPAN_NONE;

	arc->entries = arena_calloc(arena, t->highest, sizeof *arc->entries);
	if (!sets || !arc->entries)
		return false;
	for (unsigned i = 0; i < t->highest; i++) {
		struct arc_set *set = &sets[i];
		set->instance = i + 1;
		set->aar = t->fields[KIND_AAR][i + 1];
		set->ams = t->fields[KIND_AMS][i + 1];
		set->seal = t->fields[KIND_SEAL][i + 1];
		(void)read_aar(set->aar->raw, &set->results);
		(void)read_tagged(set->seal->raw, arena, &cv);
		set->cv = cv;
	}
	arc->facts.sets = sets;
	return true;
}

void
arc_read(struct arc *arc, int64_t now, struct arena *arena)
{
	struct arc_facts *facts = &arc->facts;
	struct table t = {0};

	fill(&t, arc->headers, arena);
	if (!t.n) {
		facts->result = ARC_NONE;
		return;
	}
	facts->instances = t.highest;
	facts->closed = span_caseis(t.newest_cv, "fail");
	facts->result = ARC_FAIL;
	/* Section 5.2 step 2: a chain that was closed is not looked at. */
	if (facts->closed)
		facts->problem = SPAN("the newest seal says cv=fail");
	check_shape(&t, arena);
	if (t.problem.p) {
		if (!facts->closed)
			facts->problem = t.problem;
		return;
	}
	if (!make_sets(arc, &t, arena)) {
		facts->problem = SPAN("out of memory");
		return;
	}
	if (!facts->closed)
		facts->result = ARC_PASS;
	for (unsigned i = facts->instances; i > 0; i--)
		read_set(arc, i - 1, now, arena);
}
