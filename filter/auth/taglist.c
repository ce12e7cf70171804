#include "filter/auth/taglist.h"

/*
 * Tag=value lists as RFC 6376 section 3.2 defines them. Strict because two
 * programs that forgive different faults read different signatures out of one
 * field, and because libopendkim, which stands behind this parser, reads past
 * the end of some malformed fields. One pass; a list that repeats a tag is
 * void as a whole, as the section says.
 */

/* Blanks and line ends. Whether a line end is a fold is checked by folded(). */
static bool
is_fws(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static struct span
trim_fws(struct span s)
{
	while (s.len && is_fws(s.p[0]))
		s = span_skip(s, 1);
	while (s.len && is_fws(s.p[s.len - 1]))
		s.len--;
	return s;
}

/* Every line end is LF or CRLF and has a blank behind it (FWS, RFC 6376
 * section 2.8). */
static bool
folded(struct span text)
{
	for (size_t i = 0; i < text.len; i++) {
		if (text.p[i] == '\r' &&
		    (i + 1 == text.len || text.p[i + 1] != '\n'))
			return false;
		if (text.p[i] == '\n' &&
		    (i + 1 == text.len || !ascii_is_blank(text.p[i + 1])))
			return false;
	}
	return true;
}

/* ALPHA *(ALNUM / "_") */
static bool
is_name(struct span name)
{
	if (!name.len || !ascii_is_alpha(name.p[0]))
		return false;
	for (size_t i = 1; i < name.len; i++)
		if (!ascii_is_alnum(name.p[i]) && name.p[i] != '_')
			return false;
	return true;
}

/* VALCHARs with white space between: printable but ';', or UTF-8. */
static bool
is_value(struct span value)
{
	for (size_t i = 0; i < value.len;) {
		char c = value.p[i];
		unsigned n = 1;
		if (ascii_is_8bit(c))
			n = span_utf8_len(value.p + i, value.len - i);
		else if (!is_fws(c) && ascii_is_control(c))
			n = 0;
		if (!n)
			return false;
		i += n;
	}
	return true;
}

/* One tag-spec. */
static bool
read_tag(struct span piece, struct tag *ret)
{
	size_t equals = span_find_char(piece, '=');

	if (equals == SPAN_NPOS || !folded(piece))
		return false;
	*ret = (struct tag){
	    .name = trim_fws(span_head(piece, equals)),
	    .value = trim_fws(span_skip(piece, equals + 1)),
	    .whole = span_skip(piece, equals + 1),
	};
	return is_name(ret->name) && is_value(ret->value);
}

static bool
has(const struct tag_list *list, struct span name)
{
	for (size_t i = 0; i < list->tags.n; i++)
		if (span_eq(list->tags.v[i].name, name))
			return true;
	return false;
}

static int
parse(struct tag_list *ret, struct span text, bool strict, struct arena *arena)
{
	struct tag_list list = {0};
	struct tag tag;

	while (text.p) {
		struct span piece = span_cut(&text, ';');
		if (!read_tag(piece, &tag)) {
			bool last = !text.p && list.tags.n && folded(piece);
			if (!strict || (last && !trim_fws(piece).len))
				continue;
			return ERR_SYNTAX;
		}
		if (has(&list, tag.name))
			return ERR_INVALID;
		if (list.tags.n == TAGLIST_TAGS_MAX)
			return ERR_LIMIT;
		struct tag *to = VEC_PUSH(arena, &list.tags);
		if (!to)
			return ERR_NOMEM;
		*to = tag;
	}
	if (strict && !list.tags.n)
		return ERR_SYNTAX;
	*ret = list;
	return 0;
}

int
taglist_parse(struct tag_list *ret, struct span text, struct arena *arena)
{
	return parse(ret, text, true, arena);
}

int
taglist_parse_lenient(
    struct tag_list *ret, struct span text, struct arena *arena)
{
	return parse(ret, text, false, arena);
}

const struct tag *
taglist_find(const struct tag_list *list, const char *name)
{
	for (size_t i = 0; i < list->tags.n; i++)
		if (span_is(list->tags.v[i].name, name))
			return &list->tags.v[i];
	return NULL;
}

struct span
taglist_get(const struct tag_list *list, const char *name)
{
	const struct tag *tag = taglist_find(list, name);

	return tag ? tag->value : SPAN_NONE;
}

struct span
taglist_unspaced(struct span value, struct arena *arena)
{
	size_t n = 0;

	if (span_find_any(value, " \t\r\n") == SPAN_NPOS)
		return value.p ? value : SPAN("");
	char *to = arena_alloc(arena, value.len);
	if (!to)
		return SPAN_NONE;
	for (size_t i = 0; i < value.len; i++)
		if (!is_fws(value.p[i]))
			to[n++] = value.p[i];
	return span_make(to, n);
}

struct span
taglist_item(struct span *rest, char separator)
{
	return trim_fws(span_cut(rest, separator));
}

bool
taglist_has_item(struct span list, const char *item)
{
	while (list.p)
		if (span_caseis(taglist_item(&list, ':'), item))
			return true;
	return false;
}
