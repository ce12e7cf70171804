#ifndef FILTER_LEARN_TOKEN_H
#define FILTER_LEARN_TOKEN_H

#include "filter/mail/message.h"

/*
 * A message as a set of tokens, each once: header words marked with their
 * field's name, words of the visible text, adjacent pairs, links and their
 * hosts, marks of structure (types, charsets, file names). Never a token: what
 * we or others wrote as a verdict (X-Spam-*, X-Assay-*, X-Virus-*, Status,
 * Authentication-Results, ...).
 */
struct token_list VEC(struct span);

#define TOKEN_MAX_BYTES 64 /* longer words become a mark of their shape */
#define TOKENS_MAX 8192    /* of one message */

/*
 * Fills `ret`; tokens hold no control characters. In order of appearance, header
 * fields that are common first. Read twice, a message gives the same.
 * Linear. Memory: arena. ERR_NOMEM.
 */
int token_read(
    struct message *m, struct arena *arena, struct token_list *ret) MUST_USE;

#endif
