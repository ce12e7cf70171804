#ifndef FILTER_MAIL_TEXT_H
#define FILTER_MAIL_TEXT_H

#include "filter/mail/mime.h"

/*
 * The decoded bytes of a text part as UTF-8 (rule language, sections 3.5 and
 * 3.6). `decoded` is mime_decode()'s. At most `limit` bytes of it are read.
 */
struct span text_utf8(const struct mime_part *part, struct span decoded,
    size_t limit, struct arena *arena);

/* text/html by type or by file name (.htm .html .shtm .shtml). */
bool text_is_html(const struct mime_part *part);
/* A leaf that has visible text: text/plain or text/html. */
bool text_is_shown(const struct mime_part *part);

#endif
