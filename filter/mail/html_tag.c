#include "filter/mail/html_internal.h"

/*
 * One tag with the attributes that matter, read as SpamAssassin's parser
 * reads it. A tag that is never closed is told once: nothing behind it is
 * markup, so that the whole text is read in linear time. Attributes that
 * nobody asks for cost a look at their name.
 */

#define NAME_MAX_LEN 20 /* longest name of a tag or an attribute known here */

/* Sorted by name. */
static const struct html_info tags[] = {
    {"a", NULL, HTML_URI_HREF, HTML_CONTENT_MARKUP, true},
    {"area", NULL, HTML_URI_HREF, HTML_CONTENT_MARKUP, false},
    {"base", NULL, HTML_URI_BASE, HTML_CONTENT_MARKUP, false},
    {"basefont", NULL, HTML_URI_NONE, HTML_CONTENT_MARKUP, true},
    {"bgsound", NULL, HTML_URI_SRC, HTML_CONTENT_MARKUP, false},
    {"big", NULL, HTML_URI_NONE, HTML_CONTENT_MARKUP, true},
    {"blockquote", "\n\n", HTML_URI_NONE, HTML_CONTENT_MARKUP, false},
    {"body", NULL, HTML_URI_BACKGROUND, HTML_CONTENT_MARKUP, true},
    {"br", "\n", HTML_URI_NONE, HTML_CONTENT_MARKUP, false},
    {"dd", " ", HTML_URI_NONE, HTML_CONTENT_MARKUP, false},
    {"div", "\n", HTML_URI_NONE, HTML_CONTENT_MARKUP, true},
    {"dt", " ", HTML_URI_NONE, HTML_CONTENT_MARKUP, false},
    {"embed", " ", HTML_URI_SRC, HTML_CONTENT_MARKUP, false},
    {"font", NULL, HTML_URI_NONE, HTML_CONTENT_MARKUP, true},
    {"form", NULL, HTML_URI_ACTION, HTML_CONTENT_MARKUP, false},
    {"frame", NULL, HTML_URI_SRC, HTML_CONTENT_MARKUP, false},
    {"h1", " ", HTML_URI_NONE, HTML_CONTENT_MARKUP, false},
    {"h2", " ", HTML_URI_NONE, HTML_CONTENT_MARKUP, false},
    {"h3", " ", HTML_URI_NONE, HTML_CONTENT_MARKUP, false},
    {"h4", " ", HTML_URI_NONE, HTML_CONTENT_MARKUP, false},
    {"h5", " ", HTML_URI_NONE, HTML_CONTENT_MARKUP, false},
    {"h6", " ", HTML_URI_NONE, HTML_CONTENT_MARKUP, false},
    {"hr", "\n\n", HTML_URI_NONE, HTML_CONTENT_MARKUP, false},
    {"iframe", NULL, HTML_URI_SRC, HTML_CONTENT_RAW, false},
    {"img", NULL, HTML_URI_SRC, HTML_CONTENT_MARKUP, false},
    {"li", " ", HTML_URI_NONE, HTML_CONTENT_MARKUP, false},
    {"link", NULL, HTML_URI_HREF, HTML_CONTENT_MARKUP, false},
    {"listing", "\n\n", HTML_URI_NONE, HTML_CONTENT_MARKUP, false},
    {"marquee", NULL, HTML_URI_NONE, HTML_CONTENT_MARKUP, true},
    {"meta", NULL, HTML_URI_META, HTML_CONTENT_MARKUP, false},
    {"p", "\n\n", HTML_URI_NONE, HTML_CONTENT_MARKUP, true},
    {"plaintext", "\n\n", HTML_URI_NONE, HTML_CONTENT_REST, false},
    {"pre", "\n\n", HTML_URI_NONE, HTML_CONTENT_MARKUP, false},
    {"script", NULL, HTML_URI_SRC, HTML_CONTENT_NONE, false},
    {"small", NULL, HTML_URI_NONE, HTML_CONTENT_MARKUP, true},
    {"span", NULL, HTML_URI_NONE, HTML_CONTENT_MARKUP, true},
    {"style", NULL, HTML_URI_NONE, HTML_CONTENT_NONE, false},
    {"table", NULL, HTML_URI_BACKGROUND, HTML_CONTENT_MARKUP, true},
    {"td", " ", HTML_URI_BACKGROUND, HTML_CONTENT_MARKUP, true},
    {"textarea", NULL, HTML_URI_NONE, HTML_CONTENT_TEXT, false},
    {"th", " ", HTML_URI_NONE, HTML_CONTENT_MARKUP, true},
    {"title", "\n\n", HTML_URI_NONE, HTML_CONTENT_TITLE, false},
    {"tr", NULL, HTML_URI_BACKGROUND, HTML_CONTENT_MARKUP, true},
    {"xmp", "\n\n", HTML_URI_NONE, HTML_CONTENT_RAW, false},
};

/* Sorted by name. */
static const struct {
	const char *name;
	enum html_attr attr;
} attrs[] = {
    {"action", HTML_ACTION},
    {"background", HTML_BACKGROUND},
    {"bgcolor", HTML_BGCOLOR},
    {"cite", HTML_CITE},
    {"color", HTML_COLOR},
    {"content", HTML_CONTENT},
    {"data", HTML_DATA},
    {"data-saferedirecturl", HTML_SAFE_REDIRECT},
    {"formaction", HTML_FORMACTION},
    {"href", HTML_HREF},
    {"http-equiv", HTML_HTTP_EQUIV},
    {"poster", HTML_POSTER},
    {"size", HTML_SIZE},
    {"src", HTML_SRC},
    {"style", HTML_STYLE},
    {"text", HTML_TEXT},
    {"xlink:href", HTML_XLINK_HREF},
};

static const struct html_info *
find_info(struct span name)
{
	size_t low = 0, high = sizeof tags / sizeof *tags;

	if (name.len > NAME_MAX_LEN)
		return NULL;
	while (low < high) {
		size_t middle = (low + high) / 2;
		int c = html_compare(name, tags[middle].name);
		if (c == 0)
			return &tags[middle];
		if (c < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return NULL;
}

/* "xxx/href": programs that read by HTML 4 see one odd name there. */
static enum html_attr
odd_attr(struct span name)
{
	size_t slash = span_rfind_char(name, '/');

	if (slash == SPAN_NPOS || slash == 0)
		return HTML_ATTR_COUNT;
	char before = name.p[slash - 1];
	struct span rest = span_skip(name, slash + 1);
	if (!ascii_is_alnum(before) && before != '_')
		return HTML_ATTR_COUNT;
	if (span_casestarts(rest, SPAN("href")))
		return HTML_ODD_HREF;
	if (span_casestarts(rest, SPAN("src")))
		return HTML_ODD_SRC;
	return HTML_ATTR_COUNT;
}

static enum html_attr
find_attr(struct span name)
{
	size_t low = 0, high = sizeof attrs / sizeof *attrs;

	if (name.len > NAME_MAX_LEN)
		return odd_attr(span_skip(name, name.len - NAME_MAX_LEN));
	while (low < high) {
		size_t middle = (low + high) / 2;
		int c = html_compare(name, attrs[middle].name);
		if (c == 0)
			return attrs[middle].attr;
		if (c < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return odd_attr(name);
}

static size_t
skip_spaces(struct span text, size_t at)
{
	while (at < text.len && ascii_is_space(text.p[at]))
		at++;
	return at;
}

/* Up to white space or '>', and `also`. */
static size_t
skip_word(struct span text, size_t at, char also)
{
	while (at < text.len && !ascii_is_space(text.p[at]) &&
	       text.p[at] != '>' && text.p[at] != also)
		at++;
	return at;
}

/* The value at `at`; returns the offset behind it, SPAN_NPOS when its quote
 * never closes. */
static size_t
read_value(struct span text, size_t at, struct span *ret)
{
	char quote = at < text.len ? text.p[at] : '\0';

	if (quote != '"' && quote != '\'') {
		size_t end = skip_word(text, at, '>');
		*ret = span_make(text.p + at, end - at);
		return end;
	}
	size_t n = span_find_char(span_skip(text, at + 1), quote);
	if (n == SPAN_NPOS)
		return SPAN_NPOS;
	*ret = span_make(text.p + at + 1, n);
	return at + 1 + n + 1;
}

/* The attribute at `at`, which is no blank; the first of a name counts. */
static size_t
read_attr(struct span text, size_t at, struct html_tag *tag)
{
	size_t end = skip_word(text, at + 1, '=');
	struct span name = span_make(text.p + at, end - at);
	struct span value = name;
	size_t next = skip_spaces(text, end);

	if (next < text.len && text.p[next] == '=') {
		end = read_value(text, skip_spaces(text, next + 1), &value);
		if (end == SPAN_NPOS)
			return end;
	}
	enum html_attr attr = find_attr(name);
	if (attr != HTML_ATTR_COUNT && !tag->attrs[attr].p)
		tag->attrs[attr] = value;
	return end;
}

/* "<name/>" and "<name />" are "<name>". */
static size_t
empty_end(struct span text, size_t name_end)
{
	size_t at = skip_spaces(text, name_end);

	return at + 1 < text.len && text.p[at] == '/' && text.p[at + 1] == '>'
		   ? at + 1
		   : name_end;
}

bool
html_tag_read(struct span text, struct html_tag *ret)
{
	*ret = (struct html_tag){.end = text.len > 1 && text.p[1] == '/'};
	size_t start = ret->end ? 2 : 1;
	size_t at = skip_word(text, start, '/');

	ret->name = span_make(text.p + start, at - start);
	ret->info = find_info(ret->name);
	if (ret->end) {
		at = span_find_char(text, '>');
		ret->len = at + 1;
		return at != SPAN_NPOS;
	}
	at = empty_end(text, at);
	if (at < text.len && text.p[at] == '/') {
		ret->odd = true;
		at++;
	}
	for (;;) {
		at = skip_spaces(text, at);
		if (at >= text.len)
			return false;
		if (text.p[at] == '>')
			break;
		at = read_attr(text, at, ret);
		if (at == SPAN_NPOS)
			return false;
	}
	ret->len = at + 1;
	return true;
}
