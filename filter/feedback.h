#ifndef FILTER_FEEDBACK_H
#define FILTER_FEEDBACK_H

#include "filter/policy.h"

/*
 * What a verdict teaches: just before the end of a message returns, and only
 * into the store's queue. It says what the content was found to be, never that
 * the message was delivered. Incoming mail that was examined whole alone.
 */
void feedback_note(struct scan *scan, const struct examination *examination,
    const struct verdict *verdict);

#endif
