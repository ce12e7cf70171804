#ifndef FILTER_LEARN_TOKEN_SET_H
#define FILTER_LEARN_TOKEN_SET_H

#include "filter/base/map.h"
#include "filter/learn/token.h"

/* The set that token_read() fills; for token*.c only. */
struct token_set {
	struct arena *arena;
	struct map seen;
	struct token_list *list;
	size_t region_end; /* `list` is not filled past it */
};

/* From here on at most `n` more tokens are taken. */
void token_region(struct token_set *set, size_t n);
/* Adds PREFIX WORD, once. Bytes that no token has become '?'. */
void token_add(struct token_set *set, struct span prefix, struct span word);
/* Adds PREFIX FIRST SECOND with a blank between the two. */
void token_add_pair(struct token_set *set, struct span prefix,
    struct span first, struct span second);

/* Tokens of the header fields, marked "hdr:name=". */
void token_read_headers(struct token_set *set, struct message *m);

#endif
