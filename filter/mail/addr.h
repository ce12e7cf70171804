#ifndef FILTER_MAIL_ADDR_H
#define FILTER_MAIL_ADDR_H

#include "filter/base/arena.h"
#include "filter/base/span.h"
#include "filter/base/vec.h"

/* Addresses of a header field or of an envelope (RFC 5322 3.4, 5321, 6532). */
struct addr {
	struct span name;   /* display name, quotes and encoded words undone;
			       else a comment; may be empty */
	struct span local;  /* unquoted local part */
	struct span domain; /* as written, without a final dot; may be empty */
	struct span spec;   /* local@domain as one text, quoting kept */
	bool quoted;        /* the local part was a quoted string */
};

struct addr_list {
	struct addr_items VEC(struct addr) items;
	bool ambiguous; /* programs may disagree: junk between, an address in
			   the name or in a comment, an encoded word around the
			   address, route, NUL or control bytes, unclosed quote */
	bool group;     /* group syntax was used */
	bool truncated; /* more than ADDR_MAX */
};

#define ADDR_MAX 1000
#define ADDR_DEPTH 32 /* nested comments */

/*
 * Reads all addresses of a field's value (folded or not), leniently: finds
 * what mail programs would show. Linear. Memory: arena; parts are views of the
 * text or copies. Never fails; nothing found gives no items.
 */
void addr_parse(struct addr_list *ret, struct span text, struct arena *arena);

/*
 * One envelope path: "<a@b>", "a@b", "<@x,@y:a@b>" (route dropped), "<>",
 * quoted local parts. False when there is no '@' or no domain; local then holds
 * the whole text.
 */
bool addr_parse_path(struct addr *ret, struct span text, struct arena *arena);

#endif
