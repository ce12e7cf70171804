#ifndef FILTER_AUTH_SPF_FIELD_H
#define FILTER_AUTH_SPF_FIELD_H

#include "filter/auth/spf.h"

/*
 * The value of Received-SPF (RFC 7208 section 9.1), without leading blank,
 * folded by "\n\t", printable ASCII: for what was asked and answered.
 * SPAN_NONE when the arena failed. Memory: arena.
 */
struct span spf_field(const struct spf_request *request,
    const struct spf_answer *answer, struct arena *arena);

#endif
