#ifndef FILTER_MAIL_ADDR_H
#define FILTER_MAIL_ADDR_H

#include "filter/base/arena.h"
#include "filter/base/span.h"
#include "filter/base/vec.h"

/* Addresses of a header field or of an envelope (RFC 5322 3.4, 5321, 6532). */
struct addr {
	struct span name;     /* display name, quotes and encoded words undone;
				 else a comment; may be empty */
	struct span raw_name; /* the same, encoded words left */
	struct span local;    /* unquoted local part */
	struct span domain; /* as written, without a final dot; may be empty */
	struct span spec;   /* local@domain as one text, quoting kept; empty
				 for a name without an address */
	bool quoted;        /* the local part was a quoted string */
};

struct addr_list {
	struct addr_items VEC(struct addr) items;
	bool ambiguous; /* programs may disagree, see below */
	bool group;     /* group syntax was used */
	bool truncated; /* more than ADDR_MAX, or than ADDR_BYTES_MAX */
};

#define ADDR_MAX 1000
#define ADDR_BYTES_MAX ((size_t)256 * 1024) /* of a field; more is not read */
#define ADDR_DEPTH 32                       /* nested comments */

/*
 * Reads all addresses of a field's value (folded or not), leniently: finds
 * what mail programs would show. Linear. Memory: arena; parts are views of the
 * text or copies. Never fails; nothing found gives no items.
 *
 * `ambiguous` says that two programs, or a program and a person, may see
 * different senders: words or a second address beside the first; another
 * address in a comment, in an unquoted name, or in angle brackets inside a
 * name; an encoded word in or around the address; comments or blanks inside
 * it; a route; `@`, `<`, `>` or `,` in a quoted local part; several `@`; an
 * unclosed quote, bracket, comment or group; a nested group; comments deeper
 * than ADDR_DEPTH; more than ADDR_BYTES_MAX; NUL, control bytes, bare CR or
 * LF; invalid UTF-8 in the address. A group or several addresses in proper
 * syntax are not ambiguous.
 *
 * A name without an address (`Joe Doe`) is an item without `spec`; a single
 * word (`root`) is a local part. `Doe, Joe <joe@x>` is one item.
 */
void addr_parse(struct addr_list *ret, struct span text, struct arena *arena);

/*
 * One envelope path: "<a@b>", "a@b", "<@x,@y:a@b>" (route dropped), "<>",
 * quoted local parts. False when there is no '@' or no domain; local then holds
 * the whole text.
 */
bool addr_parse_path(struct addr *ret, struct span text, struct arena *arena);

/*
 * The first text in `s` that a reader takes for an address (x@y.z, without
 * quoting), a view; empty when there is none.
 */
struct span addr_find(struct span s);

#endif
