#ifndef FILTER_MAIL_ADDR_SPEC_H
#define FILTER_MAIL_ADDR_SPEC_H

#include "filter/base/buf.h"
#include "filter/mail/addr_token.h"

/* An address while it is put together. */
struct addr_spec {
	struct buf text;  /* as written, without white space and comments */
	struct buf local; /* unquoted */
	size_t at;        /* of the last `@` in text, SPAN_NPOS */
	size_t words;     /* since the start or the last `@` */
	bool quoted;
	bool many; /* several `@`: all before the last is the local part */
	bool over; /* the address is complete, other words follow */
	bool odd;  /* of what makes a list ambiguous */
};

void addr_spec_init(struct addr_spec *sp, struct arena *arena);
void addr_spec_reset(struct addr_spec *sp);

/*
 * A word of an address. A blank before it parts it from what was there, unless
 * there is a dot between (obsolete syntax of RFC 5322 section 4.4). Returns
 * true when an address may begin here, as after words of a phrase.
 */
bool addr_spec_word(struct addr_spec *sp, const struct addr_token *t);

/* `@`: what is there so far is the local part; of `a@b@c`, `a@b`. */
void addr_spec_at(struct addr_spec *sp, bool spaced);

/* The text so far, without the dot that may end a domain. */
struct span addr_spec_span(const struct addr_spec *sp);

#endif
