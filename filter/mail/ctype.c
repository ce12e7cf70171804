#include "filter/mail/ctype.h"

#include "filter/mail/ctype_name.h"
#include "filter/mail/header.h"
#include "filter/mail/word.h"

/*
 * Content-Type as SpamAssassin reads it, which is looser than RFC 2045: type,
 * boundary, charset and its idea of a name are found by looking for words in
 * the value, and quotes protect little. What that reading and a strict one may
 * differ in is said by `malformed`. File names as people and their programs
 * see them are ctype_name.c's.
 */

/* --- SpamAssassin's search for a word and `=` ----------------------------- */

static bool
is_wordchar(char c)
{
	return ascii_is_alnum(c) || c == '_';
}

/* Where the value of the next `key=` begins, from `*at` on; `*at` moves behind
 * the key. The key begins at the border of a word. SPAN_NPOS: none. */
static size_t
find_key(struct span s, struct span key, size_t *at)
{
	for (size_t i = *at; i + key.len <= s.len; i++) {
		if (ascii_lower(s.p[i]) != key.p[0] ||
		    (i && is_wordchar(s.p[i - 1])) ||
		    !span_casestarts(span_skip(s, i), key))
			continue;
		size_t to = i + key.len;
		while (to < s.len && ascii_is_space(s.p[to]))
			to++;
		if (to == s.len || s.p[to] != '=')
			continue;
		*at = i + key.len;
		for (to++; to < s.len && ascii_is_space(s.p[to]); to++)
			;
		return to;
	}
	*at = s.len;
	return SPAN_NPOS;
}

static struct span
find_loose(struct span s, struct span key)
{
	size_t from = 0;
	size_t at = find_key(s, key, &from);

	return at == SPAN_NPOS ? SPAN_NONE : ctype_value_loose(s, at);
}

/* The next of `set` at or after `at`, remembered in `*next`, so that many
 * tries over one text stay linear. */
static size_t
next_of(struct span s, const char *set, size_t at, size_t *next)
{
	if (*next == SPAN_NPOS || *next < at) {
		*next = at;
		while (*next < s.len && !memchr(set, s.p[*next], strlen(set)))
			++*next;
	}
	return *next;
}

/*
 * A boundary is what stands between quotes, the second of which may lack, or
 * goes up to white space, `;` or the end; a quote in it spoils that place and
 * the search goes on.
 */
static struct span
find_boundary(struct span s)
{
	size_t quote = SPAN_NPOS, stop = SPAN_NPOS, from = 0;

	for (;;) {
		size_t at = find_key(s, SPAN("boundary"), &from);
		if (at == SPAN_NPOS)
			return SPAN_NONE;
		if (at < s.len && s.p[at] == '"') {
			size_t end = next_of(s, "\"", at + 1, &quote);
			if (end > at + 1)
				return span_make(s.p + at + 1, end - at - 1);
			continue;
		}
		size_t end = next_of(s, " \t\r\n\v\f\";", at, &stop);
		if (end > at && (end == s.len || s.p[end] != '"'))
			return span_make(s.p + at, end - at);
	}
}

/* --- the type ------------------------------------------------------------- */

static bool
is_dropped(char c)
{
	unsigned char u = (unsigned char)c;

	return u <= ' ' || u >= 0x7f || strchr("\"(),:;<=>?@[\\]", c);
}

/* `type/subtype`, lower case, without what cannot stand in a type. */
static struct span
clean_type(struct span s, struct arena *arena)
{
	struct span rest = span_trim_left(s), type = span_cut(&rest, ';');
	size_t n = 0, end = 0;

	while (end < type.len && type.p[end] == '/')
		end++;
	while (end < type.len && type.p[end] != '/')
		end++;
	if (end < type.len)
		end++; /* the slash */
	while (end < type.len && type.p[end] != '/' &&
	       !ascii_is_space(type.p[end]))
		end++;
	char *to = arena_alloc(arena, end);
	if (!to)
		return SPAN_NONE;
	for (size_t i = 0; i < end; i++)
		if (!is_dropped(type.p[i]))
			to[n++] = ascii_lower(type.p[i]);
	return span_make(to, n);
}

/* Text of every kind but three is plain to SpamAssassin. */
static bool
is_plain(struct span type)
{
	if (type.len == 0)
		return true;
	if (!span_starts(type, SPAN("text")) ||
	    (type.len > 4 && is_wordchar(type.p[4])))
		return false;
	return !span_is(type, "text/html") && !span_is(type, "text/calendar") &&
	       !span_is(type, "text/x-vcard");
}

static bool
is_token(struct span s)
{
	for (size_t i = 0; i < s.len; i++)
		if (is_dropped(s.p[i]) || s.p[i] == '/')
			return false;
	return s.len > 0;
}

/* What RFC 2045 section 5.1 allows before the parameters. */
static bool
is_strict_type(struct span s)
{
	struct span rest = s, type = span_cut(&rest, ';');
	struct span sub = span_trim(type), main = span_cut(&sub, '/');

	return is_token(main) && is_token(sub);
}

void
ctype_parse(struct ctype *ret, struct span value, struct arena *arena)
{
	struct span s = header_unfold(value, arena);
	struct ctype_names names;

	*ret = (struct ctype){.type = SPAN("text/plain")};
	if (s.len == 0) {
		ret->missing = true;
		ret->charset = SPAN("us-ascii");
		return;
	}
	ret->declared = clean_type(s, arena);
	if (!is_plain(ret->declared))
		ret->type = ret->declared;
	ret->boundary = find_boundary(s);
	ret->charset = span_trim(find_loose(s, SPAN("charset")));
	ret->charset = arena_lower(arena, ret->charset);
	ret->sa_name = ctype_name_loose(s, arena);
	ctype_names_read(&names, s, arena);
	ret->name = ctype_names_choose(&names, ret->sa_name, arena);
	ret->malformed = names.malformed || !is_strict_type(s);
	if (ret->boundary.len > CTYPE_BOUNDARY_MAX) {
		ret->boundary = SPAN_NONE;
		ret->malformed = true;
	}
}

struct span
ctype_disposition_name(
    struct span value, bool *ret_attachment, struct arena *arena)
{
	struct span s = header_unfold(value, arena), rest = s;
	struct span kind = span_trim(span_cut(&rest, ';'));
	struct ctype_names names;

	/* RFC 2183 section 2.8: unknown kinds are attachments. */
	if (ret_attachment)
		*ret_attachment = kind.len && !span_caseis(kind, "inline") &&
				  span_find_char(kind, '=') == SPAN_NPOS;
	ctype_names_read(&names, s, arena);
	return ctype_names_choose(&names, ctype_name_loose(s, arena), arena);
}

/* Content-Disposition: what follows the first `name=`, an optional quote, and
 * is up to the next quote or `;`. */
static struct span
disposition_loose(struct span s)
{
	for (size_t from = 0;;) {
		size_t at = span_casefind(s, SPAN("name="), from);
		if (at == SPAN_NPOS)
			return SPAN_NONE;
		from = at + 5;
		struct span v = span_skip(s, from);
		if (v.len && v.p[0] == '"')
			v = span_skip(v, 1);
		size_t end = span_find_any(v, "\";");
		v = span_head(v, end);
		if (v.len)
			return v;
	}
}

struct span
ctype_sa_name(
    struct span disposition, const struct ctype *ctype, struct arena *arena)
{
	struct span name = disposition_loose(header_unfold(disposition, arena));

	return word_decode(name.len ? name : ctype->sa_name, arena);
}
