#ifndef FILTER_MAIL_MIME_INTERNAL_H
#define FILTER_MAIL_MIME_INTERNAL_H

#include "filter/mail/mime.h"

/* The nodes of a tree (mime_part.c), for the walk (mime.c). */

bool mime_is_multipart(const struct mime_part *part);
/* message/rfc822 or message/global: holds a message. */
bool mime_is_message(const struct mime_part *part);

/* A part at the end of `parent` (NULL: the root). NULL at the limit, which is
 * flagged, or when the arena failed. */
struct mime_part *mime_part_new(
    struct mime_tree *tree, struct mime_part *parent, struct arena *arena);

/* Content-Type, -Disposition and -Transfer-Encoding out of its headers. */
void mime_part_read_type(
    struct mime_tree *tree, struct mime_part *part, struct arena *arena);

/* Puts the tree's list in the order of the message and numbers it. */
void mime_number_parts(struct mime_tree *tree);

/* Flags what is odd about the bytes: NUL, CR and LF alone. */
void mime_note_bytes(struct mime_tree *tree, struct span body);

#endif
