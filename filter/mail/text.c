#include "filter/mail/text.h"

#include "filter/mail/word.h"

/* Decoded bytes of a part to UTF-8, and which parts are shown as text. */

bool
text_is_html(const struct mime_part *part)
{
	return part->html_name || span_is(part->ctype.type, "text/html");
}

bool
text_is_shown(const struct mime_part *part)
{
	return part->leaf &&
	       (text_is_html(part) || span_is(part->ctype.type, "text/plain"));
}

struct span
text_utf8(const struct mime_part *part, struct span decoded, size_t limit,
    struct arena *arena)
{
	return word_utf8(
	    span_head(decoded, limit), part->ctype.charset, false, arena);
}
