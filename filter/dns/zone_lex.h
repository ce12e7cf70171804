#ifndef FILTER_DNS_ZONE_LEX_H
#define FILTER_DNS_ZONE_LEX_H

#include "filter/base/span.h"

/*
 * Tokens of a master file (RFC 1035 section 5.1): words, quoted strings, the
 * end of each entry. Comments and parentheses are gone.
 */
enum zone_token {
	ZONE_WORD,
	ZONE_STRING,
	ZONE_END, /* of the entry, at a line's end or the text's */
	ZONE_FAULT,
};

struct zone_lex {
	struct span rest;
	size_t line;       /* of the next byte, from 1 */
	size_t token_line; /* of the last token */
	size_t inside;     /* line of the open parenthesis, or 0 */
	enum zone_token token;
	struct span text; /* of a word or string: escapes as they stand */
	const char *fault;
};

/* True at a word or a string. */
static inline bool
zone_lex_at_text(const struct zone_lex *lex)
{
	return lex->token == ZONE_WORD || lex->token == ZONE_STRING;
}

void zone_lex_init(struct zone_lex *lex, struct span text);
/* False when nothing is left. Says whether the next entry begins with blanks. */
bool zone_lex_more(struct zone_lex *lex, bool *ret_blank);
/* Reads the next token into `lex`. */
enum zone_token zone_lex_next(struct zone_lex *lex);
/* Goes on behind the next line's end, whatever stands before it. */
void zone_lex_skip_line(struct zone_lex *lex);

/*
 * The next byte of a token's text, its escape (\DDD or \X) undone. False at
 * the end, or at a bad escape: then `text` is not empty.
 */
bool zone_lex_byte(struct span *text, char *ret, bool *ret_escaped);

#endif
