#include "filter/mail/html_internal.h"

/*
 * One tag with its attributes, read as browsers do. A search for a closing
 * quote or bracket that fails is remembered in `ahead`: none stands anywhere
 * behind, so the whole text is read in linear time.
 */

static bool
is_name_char(char c)
{
	return !ascii_is_space(c) && c != '>' && c != '/' && c != '=';
}

/* A quoted value at text[0]; 0 when the quote never closes. */
static size_t
quoted(struct span text, struct html_ahead *ahead, struct span *ret)
{
	char quote = text.p[0];
	bool *none = quote == '"' ? &ahead->no_double : &ahead->no_single;
	size_t end =
	    *none ? SPAN_NPOS : span_find_char(span_skip(text, 1), quote);

	if (end == SPAN_NPOS) {
		*none = true;
		return 0;
	}
	*ret = span_make(text.p + 1, end);
	return end + 2;
}

static size_t
unquoted(struct span text, struct span *ret)
{
	size_t n = 0;

	while (n < text.len && !ascii_is_space(text.p[n]) && text.p[n] != '>')
		n++;
	*ret = span_head(text, n);
	return n;
}

static size_t
blanks(struct span text, size_t at)
{
	while (at < text.len && ascii_is_space(text.p[at]))
		at++;
	return at;
}

/* An attribute at `at`; returns the offset behind it. */
static size_t
read_attr(struct span text, size_t at, struct html_ahead *ahead,
    struct html_attr *attr)
{
	size_t start = at;

	while (at < text.len && is_name_char(text.p[at]))
		at++;
	if (at == start)
		at++; /* a lone '=' or '/' */
	attr->name = span_make(text.p + start, at - start);
	attr->value = SPAN_NONE;
	size_t next = blanks(text, at);
	if (next >= text.len || text.p[next] != '=')
		return at;
	at = blanks(text, next + 1);
	if (at >= text.len)
		return at;
	size_t n = 0;
	if (text.p[at] == '"' || text.p[at] == '\'')
		n = quoted(span_skip(text, at), ahead, &attr->value);
	if (n == 0)
		n = unquoted(span_skip(text, at), &attr->value);
	return at + n;
}

bool
html_tag_read(struct span text, struct html_ahead *ahead, struct html_tag *ret)
{
	size_t at = 1;

	ret->end = text.len > 1 && text.p[1] == '/';
	at += ret->end;
	if (ahead->no_gt || at >= text.len || !ascii_is_alpha(text.p[at]))
		return false;
	size_t start = at;
	while (at < text.len && !ascii_is_space(text.p[at]) &&
	       text.p[at] != '>' && text.p[at] != '/')
		at++;
	ret->name = span_make(text.p + start, at - start);
	ret->n_attrs = 0;
	for (;;) {
		struct html_attr attr;
		while (at < text.len &&
		       (ascii_is_space(text.p[at]) || text.p[at] == '/'))
			at++;
		if (at >= text.len) {
			ahead->no_gt = true;
			return false;
		}
		if (text.p[at] == '>')
			break;
		at = read_attr(text, at, ahead, &attr);
		if (ret->n_attrs < HTML_ATTRS_MAX)
			ret->attrs[ret->n_attrs++] = attr;
	}
	ret->len = at + 1;
	return true;
}

struct span
html_tag_get(const struct html_tag *tag, const char *name)
{
	for (size_t i = 0; i < tag->n_attrs; i++)
		if (span_caseis(tag->attrs[i].name, name))
			return tag->attrs[i].value.p ? tag->attrs[i].value
						     : SPAN("");
	return SPAN_NONE;
}
