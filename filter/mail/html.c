#include "filter/mail/html.h"

#include "filter/mail/html_internal.h"
#include "filter/mail/html_reader.h"

/*
 * HTML to text and links: one pass over the markup, no tree (rule language,
 * section 3.7). What is markup and what is text is decided as SpamAssassin's
 * parser does it; this file does the walk, html_text.c what becomes of text,
 * html_uri.c of links. Searches that fail either end the walk or are
 * remembered, so that it is linear.
 */

/* --- raw content ---------------------------------------------------------------------- */

/* Offset of "</name", blanks and '>' in the text, or SPAN_NPOS. */
static size_t
find_end(struct span text, const char *name)
{
	struct span want = span_of(name);
	size_t at = 0;

	while ((at = span_find(text, SPAN("</"), at)) != SPAN_NPOS) {
		struct span rest = span_skip(text, at + 2);
		if (span_casestarts(rest, want)) {
			rest = span_trim_left(span_skip(rest, want.len));
			if (span_starts(rest, SPAN(">")))
				return at;
		}
		at += 2;
	}
	return SPAN_NPOS;
}

/* A <title> that never ends: its text goes to the next tag. */
static size_t
open_title(
    struct html_reader *r, const struct html_info *info, struct span text)
{
	size_t n = span_find_char(text, '<');
	struct span title = span_head(text, n);

	r->no_title_end = true;
	html_add_text(r, title, true);
	r->in_title = false;
	html_add_space(r, info->space);
	return title.len;
}

/* The content of a tag that is not markup; returns its length. */
static size_t
read_content(
    struct html_reader *r, const struct html_info *info, struct span text)
{
	bool title = info->content == HTML_CONTENT_TITLE;
	size_t end = SPAN_NPOS;

	if (info->content == HTML_CONTENT_MARKUP)
		return 0;
	if (info->content != HTML_CONTENT_REST && !(title && r->no_title_end))
		end = find_end(text, info->name);
	if (title && end == SPAN_NPOS)
		return open_title(r, info, text);
	struct span content = span_head(text, end);
	if (info->content != HTML_CONTENT_NONE)
		html_add_text(
		    r, content, title || info->content == HTML_CONTENT_TEXT);
	return content.len;
}

/* --- markup --------------------------------------------------------------------------- */

static void
note_tag(struct html_reader *r, const struct html_info *info)
{
	r->html->has_form |= info->uri == HTML_URI_ACTION;
	if (info->uri != HTML_URI_SRC)
		return;
	r->html->has_script |= info->content == HTML_CONTENT_NONE;
	r->html->has_iframe |= info->content == HTML_CONTENT_RAW;
}

/* A tag; returns how many bytes it took, with its content if that is raw. */
static size_t
read_tag(struct html_reader *r, struct span text)
{
	struct html_tag *tag = &r->tag;

	if (!html_tag_read(text, tag))
		return text.len; /* never closed: nothing more is shown */
	const struct html_info *info = tag->odd ? NULL : tag->info;
	r->html->tags++;
	if (info) {
		html_styles_tag(&r->styles, tag);
		if (info->content == HTML_CONTENT_TITLE)
			r->in_title = !tag->end;
		html_add_space(r, info->space);
	}
	if (tag->end) {
		html_end_tag(r, tag);
		return tag->len;
	}
	if (tag->info)
		note_tag(r, tag->info);
	html_add_links(r, tag);
	if (!info)
		return tag->len;
	return tag->len + read_content(r, info, span_skip(text, tag->len));
}

/* Up to the first '>', or all. */
static size_t
to_bracket(struct span text)
{
	size_t at = span_find_char(text, '>');

	return at == SPAN_NPOS ? text.len : at + 1;
}

/* <!-- -->, <!DOCTYPE >, <![CDATA[ ]]>, <![if ]> at the front. */
static size_t
read_declaration(struct html_reader *r, struct span text)
{
	size_t end = SPAN_NPOS;

	if (span_starts(text, SPAN("<!--"))) {
		if (!r->no_comment_end)
			end = span_find(text, SPAN("-->"), 4);
		if (end != SPAN_NPOS)
			return end + 3;
		r->no_comment_end = true;
	} else if (span_casestarts(text, SPAN("<![CDATA["))) {
		end = span_find(text, SPAN("]]>"), 9);
		size_t n = end == SPAN_NPOS ? text.len : end;
		html_add_text(r, span_make(text.p + 9, n - 9), false);
		return end == SPAN_NPOS ? n : n + 3;
	}
	return to_bracket(text);
}

/* What begins with the '<' at the front; 0 when it is text. */
static size_t
read_markup(struct html_reader *r, struct span text)
{
	char second = text.len > 1 ? text.p[1] : '\0';

	if (text.len == 1)
		return 1;
	if (ascii_is_alpha(second))
		return read_tag(r, text);
	if (second == '/' && text.len > 2 && ascii_is_alnum(text.p[2]))
		return read_tag(r, text);
	if (second == '!')
		return read_declaration(r, text);
	if (second == '/' || second == '?')
		return to_bracket(text);
	return 0;
}

static bool
is_markup(struct span text)
{
	char c = text.len > 1 ? text.p[1] : '/';

	return ascii_is_alpha(c) || c == '/' || c == '!' || c == '?';
}

static void
read_all(struct html_reader *r, struct span text)
{
	size_t pending = 0, at = 0;

	while (at < text.len) {
		struct span rest = span_skip(text, at);
		size_t lt = span_find_char(rest, '<');
		if (lt == SPAN_NPOS)
			break;
		at += lt;
		rest = span_skip(rest, lt);
		if (!is_markup(rest)) {
			at++;
			continue;
		}
		html_add_text(
		    r, span_make(text.p + pending, at - pending), true);
		at += read_markup(r, rest);
		pending = at;
	}
	html_add_text(r, span_skip(text, pending), true);
	html_end_links(r);
}

/* --- before parsing ------------------------------------------------------------------- */

/* The first '&' or first byte of a curly quote at or after `at`. */
static size_t
next_change(struct span text, size_t at, size_t *amp, size_t *quote)
{
	if (*amp < at || *amp == 0)
		*amp = span_find(text, SPAN("&nbsp;"), at);
	if (*quote < at || *quote == 0)
		*quote = span_find(text, SPAN("\xe2\x80"), at);
	return *amp < *quote ? *amp : *quote;
}

/* &nbsp; as a space and curly double quotes as straight ones. */
static struct span
prepare(struct span text, struct arena *arena)
{
	size_t at, start = 0, from = 0, amp = 0, quote = 0;
	struct buf out;

	buf_init(&out, arena, text.len);
	while ((at = next_change(text, from, &amp, &quote)) != SPAN_NPOS) {
		struct span found = span_skip(text, at);
		bool space = found.p[0] == '&';
		bool curly = !space && found.len > 2 &&
			     (found.p[2] == '\x9c' || found.p[2] == '\x9d');
		from = at + (space ? 6 : curly ? 3 : 2);
		if (!space && !curly)
			continue;
		if (!buf_reserve(&out, start ? 0 : text.len))
			return text;
		buf_add(&out, text.p + start, at - start);
		buf_add_char(&out, space ? ' ' : '"');
		start = from;
	}
	if (start == 0)
		return text;
	buf_add_span(&out, span_skip(text, start));
	return buf_span(&out);
}

struct html *
html_parse(struct span utf8, struct arena *arena)
{
	struct html_reader *r = arena_zalloc(arena, sizeof *r);
	struct html *html = arena_zalloc(arena, sizeof *html);

	if (!r || !html)
		return NULL;
	html_start(r, html, utf8, arena);
	read_all(r, prepare(utf8, arena));
	html_finish(r);
	return html;
}
