#ifndef FILTER_SEALING_H
#define FILTER_SEALING_H

#include "filter/fields.h"

/*
 * Puts an ARC set (RFC 8617 section 5.1) on top of the fields to add, where
 * auth.seal says so and the message came in: made with the domain's first RSA
 * key, or its first one, over the header as `fields` leaves it. The results are
 * those of our own Authentication-Results among the additions.
 *
 * A chain that was closed, is full, or is not known now gets none. Without
 * memory or where libcrypto fails the message goes on without; an error is
 * logged. Memory: request->arena.
 */
void sealing_add(const struct fields_request *request, struct fields *fields);

#endif
