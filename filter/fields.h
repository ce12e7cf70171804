#ifndef FILTER_FIELDS_H
#define FILTER_FIELDS_H

#include "filter/policy.h"

/*
 * The header fields that a verdict adds and removes, as a list of edits: what
 * the milter carries out and what `assay check --format mail` shows.
 */
struct keyring;
struct signing;

struct fields_request {
	struct arena *arena;
	const struct settings *settings;
	struct scan *scan;
	const struct examination *examination;
	const struct verdict *verdict;
	const char *ref; /* "" where none was made: X-Assay-Ref is left out */
	const struct signing *signing; /* signing_plan()'s; NULL: unsigned */
	const struct keyring *keyring; /* for a seal; NULL: unsealed */
	/* Values begin with a blank of their own. */
	bool leading_space;
};

struct field_removal {
	struct span name;
	unsigned nth; /* from 1, among fields of that name, any case */
};

struct field {
	const char *name;
	const char *value; /* ASCII, folded by "\n\t" */
};

struct fields {
	/* In the order to carry out: the last one of a name first, so that
	 * numbers stay right however the MTA counts after a removal. */
	struct field_removals VEC(struct field_removal) removals;
	/* From top to bottom; to be put above all others. */
	struct field_additions VEC(struct field) additions;
	/* The new value of the first Subject; NULL: leave. */
	const char *subject;
	bool has_subject; /* else `subject` is a field to add */
};

/* Memory: request->arena. False when it failed: do nothing then. */
bool fields_make(const struct fields_request *request, struct fields *ret);

/*
 * The header as it leaves once the edits are done: views of the message and of
 * `fields`. Memory: request->arena; NULL when it failed.
 */
const struct header_list *fields_leaving(
    const struct fields_request *request, const struct fields *fields);

/*
 * For fields that are made when the others are known, signatures and seals: a
 * value folded by CRLF or LF as an addition has it, NULL without memory; and
 * `top` put above all additions, unless memory ends.
 */
const char *fields_value(
    const struct fields_request *request, struct span value);
void fields_put_on_top(const struct fields_request *request,
    struct fields *fields, const struct field_additions *top);

#endif
