#ifndef FILTER_CTL_WHY_H
#define FILTER_CTL_WHY_H

#include "filter/ctl/log_format.h"
#include "filter/policy.h"

/* `assay why`: which message is meant, what would have changed its verdict,
 * and all of it in words. Pure functions of a record. */

/* --- which message: why_find.c ----------------------------------------------- */

enum why_kind { WHY_REF, WHY_QUEUE_ID, WHY_MESSAGE_ID };

struct why_term {
	enum why_kind kind;
	uint64_t id;      /* of a ref */
	struct span text; /* as written; a Message-ID without brackets */
};
struct why_terms VEC(struct why_term);

#define WHY_TERMS_MAX 64 /* of each kind in a bounce */

/* What an argument may be, the likeliest first. `key` NULL: no refs. */
void why_terms_of(struct span text, const struct ref_key *key,
    struct arena *arena, struct why_terms *ret);

/*
 * What may name a message of ours in a bounce, or in any text around a ref:
 * first refs in any spelling, then queue ids, then Message-IDs, the last of
 * the text first (a bounce's own stands at its top). Looks into MIME parts.
 */
void why_terms_in(struct span text, const struct ref_key *key,
    struct arena *arena, struct why_terms *ret);

/* Twelve characters that a ref may have, in groups, but not one: somebody
 * misread a character. */
bool why_is_misread_ref(struct span text, const struct ref_key *key);

/* --- what would have changed it: why_turn.c ---------------------------------- */

/* What the record's thresholds say of a sum. */
enum action why_action_at(const struct record *r, int64_t score_milli);

/* Without these symbols the sum would be another action. */
struct why_change {
	const struct record_symbol *symbol;
	int64_t
	    score_milli; /* the sum without it; of a set: and those before */
	enum action action;
};
struct why_changes VEC(struct why_change);

struct why_turn {
	/* The thresholds explain what was (or would be) done. Not so when
	 * something else decided, or recipients' policies were merged. */
	bool by_sum;
	enum action action;     /* what the sum asks for */
	int64_t above_milli;    /* of the threshold reached; -1: accepted */
	enum action next;       /* the next harder one within thresholds ... */
	int64_t below_milli;    /* ... and how far away; -1: there is none */
	struct why_changes any; /* each one alone, heaviest first */
	/* Where none alone is enough to make it milder: the fewest together. */
	struct why_changes all;
};
void why_turn(
    const struct record *r, struct arena *arena, struct why_turn *ret);

/* --- in words: why_text.c ---------------------------------------------------- */

/* The describe text of a symbol; p NULL: not known. */
typedef struct span why_describe_fn(void *arg, struct span symbol);

struct why_view {
	const struct ref_key *key; /* NULL: refs cannot be shown */
	struct arena *arena;
	why_describe_fn *describe; /* or NULL */
	void *describe_arg;
};
void why_text(
    struct buf *out, const struct why_view *view, const struct record *r);

/* A line "  NAME      " as all of why_text() begin. */
void why_label(struct buf *out, const char *name);
/* The lines of SPF, DKIM, DMARC, ARC and of checks that did not run:
 * why_facts.c. */
void why_facts(
    struct buf *out, const struct why_view *view, const struct record *r);
/* The lines of points, symbols and the decision: why_points.c. */
void why_points(
    struct buf *out, const struct why_view *view, const struct record *r);

#endif
