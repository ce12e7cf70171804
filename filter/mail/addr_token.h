#ifndef FILTER_MAIL_ADDR_TOKEN_H
#define FILTER_MAIL_ADDR_TOKEN_H

#include "filter/base/arena.h"
#include "filter/base/span.h"

/* The words of an address field, for addr.c. */
enum addr_token_kind {
	ADDR_TOKEN_END,
	ADDR_TOKEN_ATOM, /* a run of other bytes, dots included */
	ADDR_TOKEN_QUOTED,
	ADDR_TOKEN_LITERAL, /* with its brackets */
	ADDR_TOKEN_COMMENT,
	ADDR_TOKEN_CHAR, /* one of < > @ , ; : */
};

struct addr_token {
	enum addr_token_kind kind;
	struct span text; /* without quotes, quoted pairs and line ends */
	bool spaced;      /* white space or a comment before it */
};

struct addr_reader {
	struct span s;
	size_t i;
	struct arena *arena;
	bool ambiguous; /* unclosed, too deep, or odd */
	bool no_quotes, no_comments, no_literals; /* one is never closed: from
						     now on a byte like others */
	bool spaced;                              /* for the next token */
};

/* False at the end. Each byte is read at most twice. */
bool addr_token_next(struct addr_reader *r, struct addr_token *ret);

#endif
