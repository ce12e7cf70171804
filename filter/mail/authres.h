#ifndef FILTER_MAIL_AUTHRES_H
#define FILTER_MAIL_AUTHRES_H

#include "filter/base/arena.h"
#include "filter/base/span.h"
#include "filter/mail/fieldtext.h"

/*
 * Authentication-Results (RFC 8601): writing ours, recognising those that
 * claim to be ours.
 */

/*
 * The authserv-id of a field's value: comments skipped, quotes undone, folds
 * undone, lower case, A-labels, final dot removed. False when unreadable.
 */
bool authres_id(struct span value, struct arena *arena, struct span *ret_id);

/* Skips blanks and comments (CFWS); false when a comment is never closed. */
bool authres_skip_cfws(struct span *s);

/*
 * A field's value in its parts (authres_part.c): the id as authres_id() gives
 * it, and the text of the results behind the first ';', unfolded. False when
 * there is no readable id.
 */
bool authres_split(struct span value, struct arena *arena, struct span *ret_id,
    struct span *ret_results);
/*
 * The next result of such a text, trimmed: up to a ';' outside of comments and
 * quoted strings. Empty ones and "none" are passed over. False at the end.
 */
bool authres_next(struct span *rest, struct span *ret);
/* True when a result is of that method, in any case; its word in ret_word. */
bool authres_of(struct span result, const char *method, struct span *ret_word);

/*
 * True when a field must be removed because it could be taken for one with
 * our id by any program: comments, quoting, case, folding, trailing dot,
 * version number, Unicode forms; also when our id stands where a lenient
 * reader would see it although the field is malformed. Malformed fields of
 * others that name our id anywhere are ours too; well-formed ones are theirs
 * whatever their comments and results say. Also true when the arena has failed;
 * false for an empty `our_id`. Linear.
 */
bool authres_claims(struct span value, struct span our_id, struct arena *arena);

/*
 * Builds a value. Calls: authres_begin(), then authres_result() for each
 * method with its authres_prop()s, then authres_end(). Text from the network
 * is written as a token or quoted string, non-ASCII and control bytes replaced;
 * no CR or LF can come out but the writer's own folds ("\n\t", lines of about
 * 78 columns).
 */
struct authres {
	struct fieldtext text;
	bool any;
};
void authres_begin(
    struct authres *ar, struct arena *arena, struct span authserv_id);
/* `reason` is a comment in (), may be empty; cut at 120 bytes. */
void authres_result(struct authres *ar, const char *method, const char *result,
    struct span reason);
/* `name` is "smtp.mailfrom", "header.d" ...; empty values are left out, of
 * long ones the last 320 bytes are kept, domains in UTF-8 written as A-labels. */
void authres_prop(struct authres *ar, const char *name, struct span value);
/* The finished value without leading blank, "id; none" when nothing was added;
 * SPAN_NONE when it did not fit (64 KB) or the arena failed. */
struct span authres_end(struct authres *ar);

#endif
