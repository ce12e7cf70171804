#include "filter/mail/addr.h"

/*
 * Addresses outside of header fields: a path of the envelope, and text that
 * looks like an address. Both are one pass, without the syntax of RFC 5322.
 */

/* --- text that looks like an address -------------------------------------- */

static bool
is_atext(char c)
{
	return ascii_is_alnum(c) || ascii_is_8bit(c) ||
	       (c && strchr("!#$%&'*+-/=?^_`{|}~.", c));
}

static bool
is_host(char c)
{
	return ascii_is_alnum(c) || ascii_is_8bit(c) || c == '-' || c == '.';
}

struct span
addr_find(struct span s)
{
	for (size_t at = 0; at < s.len; at++) {
		if (s.p[at] != '@')
			continue;
		size_t from = at, to = at + 1;
		while (from > 0 && is_atext(s.p[from - 1]))
			from--;
		while (to < s.len && is_host(s.p[to]))
			to++;
		while (to > at + 1 && s.p[to - 1] == '.')
			to--;
		struct span host = span_make(s.p + at + 1, to - at - 1);
		if (from < at && host.len && host.p[0] != '.' &&
		    span_find_char(host, '.') != SPAN_NPOS)
			return span_make(s.p + from, to - from);
	}
	return SPAN_NONE;
}

/* --- envelopes ------------------------------------------------------------ */

/* Offset of the `@` before the domain; quotes protect others (RFC 5321
 * section 4.1.2). */
static size_t
path_at(struct span s)
{
	size_t i = 1;

	if (s.len && s.p[0] == '"') {
		while (i < s.len && s.p[i] != '"')
			i += s.p[i] == '\\' ? 2 : 1;
		/* Closed: only an `@` behind it parts. */
		if (i < s.len) {
			size_t at = span_rfind_char(span_skip(s, i), '@');
			return at == SPAN_NPOS ? at : i + at;
		}
	}
	return span_rfind_char(s, '@');
}

/* Without quotes and quoted pairs; a view where there are none. */
static struct span
unquote(struct span s, struct arena *arena)
{
	size_t n = 0;

	if (s.len < 2 || s.p[0] != '"' || s.p[s.len - 1] != '"')
		return s;
	s = span_make(s.p + 1, s.len - 2);
	char *to = arena_alloc(arena, s.len);
	if (!to)
		return SPAN_NONE;
	for (size_t i = 0; i < s.len; i++) {
		if (s.p[i] == '\\' && i + 1 < s.len)
			i++;
		to[n++] = s.p[i];
	}
	return span_make(to, n);
}

bool
addr_parse_path(struct addr *ret, struct span text, struct arena *arena)
{
	struct span s = span_trim(text);

	if (s.len >= 2 && s.p[0] == '<' && s.p[s.len - 1] == '>')
		s = span_trim(span_make(s.p + 1, s.len - 2));
	if (s.len && s.p[0] == '@') { /* RFC 5321 section 4.1.1.3 */
		size_t colon = span_find_char(s, ':');
		if (colon != SPAN_NPOS)
			s = span_skip(s, colon + 1);
	}
	size_t at = path_at(s);
	struct span domain = at == SPAN_NPOS ? SPAN_NONE : span_skip(s, at + 1);
	if (domain.len && domain.p[domain.len - 1] == '.') {
		domain.len--;
		s.len--;
	}
	*ret = (struct addr){.spec = s, .local = s};
	if (domain.len == 0)
		return false;
	ret->local = unquote(span_head(s, at), arena);
	ret->quoted = at > 0 && s.p[0] == '"';
	ret->domain = domain;
	return true;
}
