#ifndef FILTER_MAIL_HEADER_H
#define FILTER_MAIL_HEADER_H

#include "filter/base/arena.h"
#include "filter/base/map.h"
#include "filter/base/span.h"
#include "filter/base/vec.h"

/*
 * Header fields in the order received, bytes untouched. Nothing is cut or
 * repaired here: NUL, 8-bit, bare CR stand as they came.
 */
struct header {
	struct span
	    name;        /* as received, without colon; blanks before it stay */
	struct span raw; /* all behind the colon: leading blank, folds as the
			     MTA gave them (LF or CRLF), no final line end */
	unsigned
	    nth; /* 1.. among fields of that name: smfi_chgheader's index */
	bool truncated; /* cut at a limit */
	bool odd;       /* the name is no RFC 5322 token: empty, blanks,
			   controls or 8-bit bytes in it */
};

struct header_list {
	struct header_fields VEC(struct header) fields;
	struct arena *arena;
	struct map names; /* name to struct header_name, see header.c */
	size_t bytes;     /* of all names and values kept */
	unsigned dropped; /* fields past the limits, not kept */
	bool odd_lines;   /* a line that is no field was met (parse only) */
};

#define HEADER_FIELDS_MAX 10000
#define HEADER_BYTES_MAX ((size_t)4 * 1024 * 1024)

void header_init(struct header_list *list, struct arena *arena);

/*
 * Has fields of this name counted even when the first of them comes past the
 * limits: for names whose fields must be removed by number, all of them.
 */
void header_watch(struct header_list *list, struct span name);

/* Copies a field to the end. Past the limits it is counted and dropped. */
void header_add(struct header_list *list, struct span name, struct span raw);

/* Adds a field without copying name and value, which must live as long as the
 * list; its number is counted anew. */
void header_share(struct header_list *list, const struct header *header);

/*
 * Takes the header block off the front of a message (LF or CRLF lines; folds
 * stay as LF or CRLF), by SpamAssassin's rules: ends at the first empty line,
 * at a line beginning "--" and at the 4th line that is no field. A line with a
 * colon that is no field is kept under its odd name (one line, continuation in
 * the value), others are skipped. A leading mbox "From " line is skipped.
 * Returns the offset of the body.
 */
size_t header_parse(struct header_list *list, struct span text);

/*
 * The first (last) field of a name, ASCII case and blanks around the name
 * ignored; NULL when none was kept.
 */
const struct header *header_first(
    const struct header_list *list, struct span name);
const struct header *header_last(
    const struct header_list *list, struct span name);

/* How many fields of a name came: those kept, and those dropped if one of
 * that name was kept or the name is watched. */
size_t header_count(const struct header_list *list, struct span name);

/*
 * The first field that some program may take for `name` although its name is
 * odd: blanks before the colon, NUL, control or 8-bit bytes in it. NULL when
 * there is none. header_first() finds only the form with blanks.
 */
const struct header *header_lookalike(
    const struct header_list *list, struct span name);

/* The value in one line: each fold (line end and blanks) is one space, ends
 * trimmed. In the arena, or a view of `raw` where nothing changes. */
struct span header_unfold(struct span raw, struct arena *arena);

#endif
