#ifndef FILTER_LOG_LOG_TEXT_H
#define FILTER_LOG_LOG_TEXT_H

#include "filter/base/buf.h"
#include "filter/base/span.h"

/*
 * Bytes from the network as TEXT that any tool can show: a byte that is a
 * control character (C0, DEL, C1) or part of no UTF-8 sequence, and the
 * backslash, is written \xHH; all else stands as it is. The form is reversible
 * and there is one only for each text, so that encoded texts compare like the
 * texts.
 */

/* Does it stand as it is? */
bool log_text_is_plain(struct span text);
void log_text_encode(struct buf *out, struct span text);
/* A `\` without two digits behind it (nobody's doing) stays. */
void log_text_decode(struct buf *out, struct span text);

#endif
