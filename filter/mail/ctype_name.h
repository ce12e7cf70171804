#ifndef FILTER_MAIL_CTYPE_NAME_H
#define FILTER_MAIL_CTYPE_NAME_H

#include "filter/mail/ctype.h"

/*
 * File names in the parameters of Content-Type and Content-Disposition, for
 * ctype.c: `name` and `filename`, plain, extended (RFC 2231 section 4) and in
 * pieces (section 3). Values are unfolded.
 */
struct ctype_piece {
	struct span text; /* NULL: not there */
	bool coded;       /* percent-encoded */
};

struct ctype_family {
	struct span plain;    /* UTF-8, the most dangerous of several */
	struct span extended; /* the same */
	struct ctype_piece pieces[CTYPE_PIECES_MAX];
	size_t n; /* pieces up to the last that is there */
};

struct ctype_names {
	struct ctype_family family[2]; /* filename, name */
	bool malformed; /* comments, no `=`, unclosed quotes, twice the same */
};

/* Reads the parameters behind the first `;`. */
void ctype_names_read(
    struct ctype_names *ret, struct span value, struct arena *arena);

/* The most dangerous of all readings, `loose` too; empty when there is none. */
struct span ctype_names_choose(
    const struct ctype_names *names, struct span loose, struct arena *arena);

/* SpamAssassin's reading of a value that begins at value[at]: blanks skipped,
 * up to the next `;`, without one quote at each end. */
struct span ctype_value_loose(struct span value, size_t at);

/* SpamAssassin's reading of a name in Content-Type. */
struct span ctype_name_loose(struct span value, struct arena *arena);

#endif
