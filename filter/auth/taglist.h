#ifndef FILTER_AUTH_TAGLIST_H
#define FILTER_AUTH_TAGLIST_H

#include "filter/base/arena.h"
#include "filter/base/span.h"
#include "filter/base/vec.h"

/* The one strict tag=value parser (RFC 6376 section 3.2): DKIM signatures and
 * keys, DMARC records, ARC. */
struct tag {
	struct span name;  /* case kept: tags are case-sensitive */
	struct span value; /* folding white space trimmed at both ends */
};

struct tag_list {
	struct tags VEC(struct tag) tags;
};

#define TAGLIST_TAGS_MAX 100

/*
 * ERR_SYNTAX: not of the form (bad name, no '=', a byte that is not allowed in
 * a value, bad folding); ERR_INVALID: a tag twice; ERR_LIMIT: too many.
 * A final ';' may stand or lack. Views into `text`; the array is in the arena.
 */
int taglist_parse(
    struct tag_list *ret, struct span text, struct arena *arena) MUST_USE;

/* p == NULL when the tag is not there. */
struct span taglist_get(const struct tag_list *list, const char *name);

/* The value with all white space removed (b=, bh=, p=), in the arena. */
struct span taglist_unspaced(struct span value, struct arena *arena);

#endif
