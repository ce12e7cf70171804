#ifndef FILTER_MAIL_CTYPE_H
#define FILTER_MAIL_CTYPE_H

#include "filter/base/arena.h"
#include "filter/base/span.h"

/* Content-Type and Content-Disposition (RFC 2045 5.1, 2183, 2231). */
struct ctype {
	struct span type;     /* "text/plain", lower case; never empty; text of
				 a kind that SpamAssassin does not know is
				 text/plain */
	struct span declared; /* the same, but as the field has it; may be
				 empty */
	struct span boundary; /* empty when there is none */
	struct span charset;  /* lower case */
	struct span name;     /* file name, UTF-8, RFC 2231 pieces joined */
	struct span sa_name;  /* bytes that SpamAssassin takes for the name */
	bool missing;         /* there was no field */
	bool malformed;       /* could not be read strictly, has comments, or a
				 parameter twice: programs may disagree */
};

#define CTYPE_PIECES_MAX 100
#define CTYPE_BOUNDARY_MAX 1000 /* a longer one is none */

/*
 * Reads a Content-Type value (folded or not) by SpamAssassin's lenient rules
 * (section 3.3 and the corrections of 11.3 in the rule language's
 * description). `name` is read by RFC 2231 and by what mail programs forgive;
 * the more dangerous reading wins where they differ. SPAN_NONE or a blank
 * value: missing, text/plain, us-ascii. Linear. Memory: arena, or views.
 */
void ctype_parse(struct ctype *ret, struct span value, struct arena *arena);

/*
 * `name` or `filename` of a Content-Disposition, UTF-8; empty when there is
 * none; `ret_attachment` may be NULL. The more dangerous reading wins where
 * `name` and `name*`, or two of one name, differ.
 */
struct span ctype_disposition_name(
    struct span value, bool *ret_attachment, struct arena *arena);

/*
 * The file name that SpamAssassin sees, which decides its effective type (rule
 * language, 3.6): Content-Disposition's (may be SPAN_NONE), else `sa_name`.
 */
struct span ctype_sa_name(
    struct span disposition, const struct ctype *ctype, struct arena *arena);

#endif
