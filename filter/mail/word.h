#ifndef FILTER_MAIL_WORD_H
#define FILTER_MAIL_WORD_H

#include "filter/base/arena.h"
#include "filter/base/span.h"

/*
 * Decodes RFC 2047 encoded words to UTF-8: white space between two words is
 * dropped, neighbours of one charset are joined as bytes first, an RFC 2231
 * language is ignored, unknown charsets give replacement characters, 8-bit
 * text outside of words is made UTF-8 (word_utf8). The text is unfolded.
 * Linear; memory: arena.
 */
struct span word_decode(struct span text, struct arena *arena);

/*
 * Bytes of a charset to UTF-8 as SpamAssassin normalises them (the rule
 * language's section 3.5): `insist` takes the declared charset even for text
 * that is valid UTF-8. Bounded: at most 4 bytes out per byte in, and unknown or
 * stateful endless charsets fall back to Windows-1252.
 */
struct span word_utf8(
    struct span bytes, struct span charset, bool insist, struct arena *arena);

/* An encoded word ("=?UTF-8?Q?...?=") for text that is not plain ASCII; plain
 * text comes back as it is. Cannot emit CR or LF. */
struct span word_encode(struct span utf8, struct arena *arena);

#endif
