#ifndef FILTER_CONF_LEX_H
#define FILTER_CONF_LEX_H

#include "filter/base/arena.h"
#include "filter/base/span.h"
#include "filter/base/vec.h"

/*
 * Configuration text to tokens. Internal to this folder.
 *
 * A word holds anything but blanks, control bytes, `"`, `{`, `}`, `,`, `=` and
 * `#`. Parentheses are punctuation only behind the word `include` and on its
 * line, else part of words. A string stands between double quotes on one line and knows \" \\
 * \n \t. Text is UTF-8; comments may be anything without control bytes.
 */
enum lex_kind {
	LEX_END, /* the last token, always there */
	LEX_WORD,
	LEX_STRING,
	LEX_OPEN,  /* { */
	LEX_CLOSE, /* } */
	LEX_EQUALS,
	LEX_COMMA,
	LEX_PAREN_OPEN,
	LEX_PAREN_CLOSE,
	LEX_BAD, /* `text` says what is wrong */
};

struct lex_token {
	enum lex_kind kind;
	bool hides; /* LEX_BAD: braces may have been swallowed with it */
	unsigned line, column; /* from 1; columns count bytes */
	struct span text;
};

struct lex_tokens VEC(struct lex_token);

/*
 * Tokens stand in `scratch`; their texts in `text`, or in `arena` where an
 * escape was resolved. ERR_NOMEM; mistakes in the text are tokens.
 */
int lex_text(struct span text, struct arena *arena, struct arena *scratch,
    struct lex_tokens *ret) MUST_USE;

/* Whether the byte may stand in a word, as far as one byte can tell. */
bool lex_is_word_byte(char c);

/* Offset of the first control character (C0, DEL, C1) or of the first byte
 * that is no UTF-8; SPAN_NPOS when there is none. */
size_t lex_find_unclean(struct span text);

#endif
