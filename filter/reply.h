#ifndef FILTER_REPLY_H
#define FILTER_REPLY_H

#include "filter/base/buf.h"
#include "filter/policy.h"

/*
 * What the MTA tells the sender of a refusal: code, status and one line of
 * printable ASCII. Says what class of thing was wrong, names the sender's own
 * domain, the ref and the help address, and nothing of rules, scores or other
 * recipients unless the policy asks for that. Where SPF refused, what the
 * sender's domain explains stands there as its words (RFC 7208 section 6.2).
 */
#define REPLY_TEXT_MAX 400
#define REPLY_TEXT_SIZE (REPLY_TEXT_MAX + 1)

struct reply {
	const char *code;   /* "550" */
	const char *status; /* "5.7.1" */
	char text[REPLY_TEXT_SIZE];
};

struct reply_request {
	enum reply_class class;
	bool temporary;          /* tempfail: a 4xx of the class */
	struct span domain;      /* of the sender, A-labels; may be empty */
	struct span explanation; /* REPLY_SPF: of the domain; may be empty */
	const char *ref;         /* "7K3M-..." or "" */
	struct span help_url;    /* may hold %{ref}; may be empty */
	/* policy.reply_detail = rules; NULL: say nothing of them */
	const struct symbol_hits *hits;
};

void reply_make(const struct reply_request *request, struct reply *ret);

/* Doubles each `%`: libmilter drops a text with a single one. `size` of twice
 * the text and one byte is always enough. */
void reply_escape(const char *text, char *to, size_t size);

#endif
