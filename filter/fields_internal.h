#ifndef FILTER_FIELDS_INTERNAL_H
#define FILTER_FIELDS_INTERNAL_H

#include "filter/fields.h"

/* Among fields.c and fields_*.c alone. */

/* A field below those added so far. */
void fields_add(const struct fields_request *request, struct fields *ret,
    const char *name, struct span value);

/*
 * True when the headers (in mode full) get our Authentication-Results, and lose
 * those that could be taken for ours: on mail that comes in, and on what an
 * authenticated user sends to mailboxes here alone.
 */
bool fields_has_authres(const struct scan *scan);
/* Authentication-Results, and what stands beside it (fields_authres.c). */
void fields_add_authres(
    const struct fields_request *request, struct fields *ret);
/* X-Spam-Flag, -Score, -Level, -Status (fields_spam.c). */
void fields_add_spam(const struct fields_request *request, struct fields *ret);

#endif
