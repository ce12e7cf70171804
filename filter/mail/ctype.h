#ifndef FILTER_MAIL_CTYPE_H
#define FILTER_MAIL_CTYPE_H

#include "filter/base/arena.h"
#include "filter/base/span.h"

/* Content-Type and Content-Disposition (RFC 2045 5.1, 2183, 2231). */
struct ctype {
	struct span type;     /* "text/plain", lower case; never empty */
	struct span boundary; /* empty when there is none */
	struct span charset;  /* lower case */
	struct span name;     /* file name, UTF-8, RFC 2231 pieces joined */
	bool missing;         /* there was no field */
	bool malformed;       /* could not be read strictly */
};

#define CTYPE_PIECES_MAX 100
#define CTYPE_BOUNDARY_MAX 1000

/* Reads a Content-Type value by SpamAssassin's lenient rules (section 3.3 and
 * the corrections of 11.3 in the rule language's description). */
void ctype_parse(struct ctype *ret, struct span value, struct arena *arena);

/* `name` or `filename` of a Content-Disposition; `ret_attachment` may be NULL.
 * The more dangerous reading wins where `name` and `name*` differ. */
struct span ctype_disposition_name(
    struct span value, bool *ret_attachment, struct arena *arena);

#endif
