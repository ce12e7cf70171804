#ifndef FILTER_MAIL_FIELDTEXT_H
#define FILTER_MAIL_FIELDTEXT_H

#include "filter/base/arena.h"
#include "filter/base/buf.h"
#include "filter/base/span.h"

/*
 * The value of a header field that we write. Whatever the text, what comes out
 * is printable ASCII and the writer's own folds ("\n\t", lines of about 78
 * columns): control and other bytes become "?".
 */
struct fieldtext {
	struct buf out;
	size_t column;
};

/* `name` is the field's, which takes room on the first line. */
void fieldtext_init(
    struct fieldtext *ft, struct arena *arena, const char *name, size_t max);
/* A blank before `len` more columns, or a fold where they do not fit. */
void fieldtext_gap(struct fieldtext *ft, size_t len);
void fieldtext_fold(struct fieldtext *ft);
/* Our own words: as they are. */
void fieldtext_char(struct fieldtext *ft, char c);
void fieldtext_str(struct fieldtext *ft, const char *text);
/* Text of the network, where nothing in it can have a meaning: the caller has
 * looked. */
void fieldtext_text(struct fieldtext *ft, struct span text);
/* An address or a domain as it is written: its last 320 bytes, the domain as
 * A-labels. */
struct span fieldtext_ascii(struct fieldtext *ft, struct span text);
/* A quoted string (RFC 5322 section 3.2.4). */
void fieldtext_quoted(struct fieldtext *ft, struct span text);
/* A gap and a comment in (), which may break at its blanks; nothing for blanks
 * alone. */
void fieldtext_comment(struct fieldtext *ft, struct span text);

#endif
