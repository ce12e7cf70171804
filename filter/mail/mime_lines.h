#ifndef FILTER_MAIL_MIME_LINES_H
#define FILTER_MAIL_MIME_LINES_H

#include "filter/base/buf.h"
#include "filter/mail/mime.h"

/*
 * Appends the lines of a part's body as SpamAssassin has them before it
 * decodes: LF line ends, of a long run of blank lines the first and the last
 * 19, lines over 2048 bytes cut inside multiparts. Reads `body`, the first
 * bytes of the part's body.
 */
void mime_add_lines(
    struct buf *out, const struct mime_part *part, struct span body);

#endif
