#ifndef FILTER_FIELDS_H
#define FILTER_FIELDS_H

#include "filter/policy.h"

/*
 * The header fields that a verdict adds and removes, as a list of edits: what
 * the milter carries out and what `assay check --format mail` shows.
 */
struct signing;

struct fields_request {
	struct arena *arena;
	const struct settings *settings;
	struct scan *scan;
	const struct examination *examination;
	const struct verdict *verdict;
	const char *ref; /* "" where none was made: X-Assay-Ref is left out */
	const struct signing *signing; /* signing_plan()'s; NULL: unsigned */
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

#endif
