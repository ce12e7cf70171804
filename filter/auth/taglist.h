#ifndef FILTER_AUTH_TAGLIST_H
#define FILTER_AUTH_TAGLIST_H

#include "filter/base/arena.h"
#include "filter/base/span.h"
#include "filter/base/vec.h"

/* The one strict tag=value parser (RFC 6376 section 3.2): DKIM signatures and
 * keys, ARC. DMARC asks for the same form but wants faults forgiven, see
 * taglist_parse_lenient(). */
struct tag {
	struct span name;  /* case kept: tags are case-sensitive */
	struct span value; /* folding white space trimmed at both ends */
	/* From behind the '=' up to the ';' or the end: what section 3.7
	 * deletes of a b= tag. */
	struct span whole;
};

struct tag_list {
	struct tags VEC(struct tag) tags;
};

#define TAGLIST_TAGS_MAX 100

/*
 * Reads a tag-list. A line end (CRLF or LF) may stand where folding white
 * space may, with a blank behind it; values may hold UTF-8 (RFC 8616
 * section 5). A final ';' may stand or lack.
 *
 * Returns ERR_SYNTAX: not of the form (empty, bad name, no '=', a byte that is
 * not allowed in a value, bad folding); ERR_INVALID: a tag twice (the whole
 * list is void); ERR_LIMIT: too many; ERR_NOMEM.
 * Memory: views into `text`; the array is in the arena.
 */
int taglist_parse(
    struct tag_list *ret, struct span text, struct arena *arena) MUST_USE;

/*
 * The same for DMARC (RFC 9989 section 4.8: syntax errors are discarded):
 * pieces between ';' that are no tag are left out. Never ERR_SYNTAX.
 */
int taglist_parse_lenient(
    struct tag_list *ret, struct span text, struct arena *arena) MUST_USE;

/* p == NULL when the tag is not there. */
struct span taglist_get(const struct tag_list *list, const char *name);
/* The tag, or NULL. */
const struct tag *taglist_find(const struct tag_list *list, const char *name);

/* The value with all white space removed (b=, bh=, p=), in the arena, or the
 * value itself when it has none. p == NULL: out of memory. */
struct span taglist_unspaced(struct span value, struct arena *arena);

/*
 * The next item of a list with `separator` (':' in h=, s=, t=, q=), trimmed.
 * Loop: while (rest.p) { item = taglist_item(&rest, ':'); ... }
 */
struct span taglist_item(struct span *rest, char separator);

/* True when a ':' list has that item, ASCII case ignored. */
bool taglist_has_item(struct span list, const char *item);

#endif
