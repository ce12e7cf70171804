#ifndef FILTER_LEARN_TOKEN_WORDS_H
#define FILTER_LEARN_TOKEN_WORDS_H

#include "filter/learn/token.h"

/*
 * Takes text apart into words: runs of letters, digits and 8-bit characters,
 * with single dots, hyphens, apostrophes, commas, underscores and at signs
 * inside. Characters without width are left out, letters of writing without
 * blanks (Han, Kana, Thai ...) are words by themselves. Text that begins with
 * a scheme ("http://...") is passed over: links are read elsewhere.
 */
struct token_words {
	struct span rest;
	bool fold; /* lower case */
	unsigned turn;
	char text[2][TOKEN_MAX_BYTES];
};

void token_words_init(struct token_words *words, struct span text, bool fold);

/*
 * The next word; false at the end. It lives until the next but one is asked
 * for. Long words come as a mark of their length ("~32"), long numbers as one
 * of their digits ("#6").
 */
bool token_words_next(struct token_words *words, struct span *ret);

#endif
