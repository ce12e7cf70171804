#include "filter/mail/addr_token.h"

#include "filter/mail/addr.h"

/*
 * Splits an address field in words (RFC 5322 sections 3.2 and 4.1). What is
 * opened and never closed is found once; after that the opening byte is an
 * ordinary one, so that neither an address is lost nor time spent again.
 */

/* Without quoted pairs and line ends; a view where there are none. */
static struct span
plain_text(struct span s, struct arena *arena)
{
	size_t n = 0;

	if (span_find_any(s, "\\\r\n") == SPAN_NPOS)
		return s;
	char *to = arena_alloc(arena, s.len);
	if (!to)
		return SPAN_NONE;
	for (size_t i = 0; i < s.len; i++) {
		if (s.p[i] == '\\' && i + 1 < s.len)
			i++;
		if (s.p[i] != '\r' && s.p[i] != '\n')
			to[n++] = s.p[i];
	}
	return span_make(to, n);
}

/* The offset behind the quote that closes the one at s[i]; 0 for none. */
static size_t
quoted_end(struct span s, size_t i)
{
	for (i++; i < s.len; i++) {
		if (s.p[i] == '\\')
			i++;
		else if (s.p[i] == '"')
			return i + 1;
	}
	return 0;
}

static size_t
comment_end(struct addr_reader *r)
{
	unsigned depth = 0;

	for (size_t i = r->i; i < r->s.len; i++) {
		char c = r->s.p[i];
		if (c == '\\')
			i++;
		else if (c == '(' && ++depth > ADDR_DEPTH)
			r->ambiguous = true;
		else if (c == ')' && --depth == 0)
			return i + 1;
	}
	return 0;
}

static size_t
literal_end(struct span s, size_t i)
{
	for (i++; i < s.len && s.p[i] != '['; i++)
		if (s.p[i] == ']')
			return i + 1;
	return 0;
}

static bool
is_atom(const struct addr_reader *r, char c)
{
	switch (c) {
	case '"':
		return false;
	case '(':
		return r->no_comments;
	case '[':
		return r->no_literals;
	case '<':
	case '>':
	case '@':
	case ',':
	case ';':
	case ':':
		return false;
	default:
		return !ascii_is_space(c);
	}
}

/* The delimited thing at s[i], `end` bytes into s; 0: it is never closed. */
static bool
take(struct addr_reader *r, struct addr_token *ret, enum addr_token_kind kind,
    size_t end, bool *never)
{
	if (end == 0) {
		*never = true;
		r->ambiguous = true;
		return false;
	}
	struct span inside = span_make(r->s.p + r->i + 1, end - r->i - 2);
	if (kind == ADDR_TOKEN_LITERAL) {
		ret->text =
		    plain_text(span_make(r->s.p + r->i, end - r->i), r->arena);
		if (span_find_any(inside, "<>@,\r\n") != SPAN_NPOS)
			r->ambiguous = true;
	} else {
		ret->text = plain_text(inside, r->arena);
	}
	ret->kind = kind;
	r->i = end;
	return true;
}

static bool
take_delimited(struct addr_reader *r, struct addr_token *ret)
{
	char c = r->s.p[r->i];

	if (c == '"' && !r->no_quotes)
		return take(r, ret, ADDR_TOKEN_QUOTED, quoted_end(r->s, r->i),
		    &r->no_quotes);
	if (c == '(' && !r->no_comments)
		return take(r, ret, ADDR_TOKEN_COMMENT, comment_end(r),
		    &r->no_comments);
	if (c == '[' && !r->no_literals)
		return take(r, ret, ADDR_TOKEN_LITERAL, literal_end(r->s, r->i),
		    &r->no_literals);
	return false;
}

/* White space, and quotes that are none. */
static void
skip_space(struct addr_reader *r)
{
	for (; r->i < r->s.len; r->i++) {
		char c = r->s.p[r->i];
		if (ascii_is_space(c))
			r->spaced = true;
		else if (c != '"' || !r->no_quotes)
			break;
	}
}

bool
addr_token_next(struct addr_reader *r, struct addr_token *ret)
{
	struct span s = r->s;

	skip_space(r);
	if (r->i < s.len && take_delimited(r, ret)) {
		ret->spaced = r->spaced;
		r->spaced = ret->kind == ADDR_TOKEN_COMMENT;
		return true;
	}
	skip_space(r); /* a quote was found to be none just now */
	if (r->i >= s.len)
		return false;
	ret->spaced = r->spaced;
	r->spaced = false;
	size_t from = r->i;
	while (r->i < s.len && is_atom(r, s.p[r->i]))
		r->i++;
	ret->kind = ADDR_TOKEN_ATOM;
	if (r->i == from) {
		ret->kind = ADDR_TOKEN_CHAR;
		r->i++;
	}
	ret->text = span_make(s.p + from, r->i - from);
	return true;
}
