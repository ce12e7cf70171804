#include "filter/mail/html.h"

#include "filter/mail/html_internal.h"

/*
 * HTML to text and links: one pass over the markup, no tree (rule language,
 * section 3.7). Each run of text between tags is a chunk; tags may put white
 * space between chunks, which then eats a space at their edges.
 */

#define TITLE_MAX 4096
#define ANCHOR_MAX 4096
#define TEXT_MAX ((size_t)64 << 20)

struct reader {
	struct html *html;
	struct arena *arena;
	struct buf text, visible, title, anchor;
	struct html_styles styles;
	struct html_ahead ahead;
	struct span base;
	bool after_space; /* the last chunk was made by a tag */
	bool any;         /* there was a chunk */
	bool last_hidden; /* the last text chunk was invisible */
	bool in_title;
	size_t anchor_link; /* index + 1 of the open <a href>, or 0 */
};

/* --- chunks ------------------------------------------------------------------------- */

static const struct {
	const char *tag, *space;
} spacing[] = {
    {"br", "\n"},
    {"div", "\n"},
    {"li", " "},
    {"th", " "},
    {"td", " "},
    {"dt", " "},
    {"dd", " "},
    {"embed", " "},
    {"h1", " "},
    {"h2", " "},
    {"h3", " "},
    {"h4", " "},
    {"h5", " "},
    {"h6", " "},
    {"p", "\n\n"},
    {"hr", "\n\n"},
    {"blockquote", "\n\n"},
    {"pre", "\n\n"},
    {"listing", "\n\n"},
    {"plaintext", "\n\n"},
    {"xmp", "\n\n"},
    {"title", "\n\n"},
};

static void
drop_final_space(struct buf *out)
{
	if (out->len && out->p[out->len - 1] == ' ')
		buf_truncate(out, out->len - 1);
}

static void
add_tag_space(struct reader *r, struct span tag)
{
	for (size_t i = 0; i < sizeof spacing / sizeof *spacing; i++) {
		if (!span_caseis(tag, spacing[i].tag))
			continue;
		if (r->any && !r->after_space && !r->last_hidden) {
			drop_final_space(&r->text);
			drop_final_space(&r->visible);
		}
		buf_add_str(&r->text, spacing[i].space);
		buf_add_str(&r->visible, spacing[i].space);
		r->after_space = r->any = true;
		r->last_hidden = false;
		return;
	}
}

/* Appends `chunk` with runs of white space as one space. */
static void
add_chunk(struct buf *out, struct span chunk, bool skip_space)
{
	while (chunk.len) {
		size_t n = 0;
		while (n < chunk.len && !ascii_is_space(chunk.p[n]))
			n++;
		buf_add(out, chunk.p, n);
		chunk = span_skip(chunk, n);
		if (!chunk.len)
			return;
		if (n || !skip_space)
			buf_add_char(out, ' ');
		skip_space = false;
		chunk = span_trim_left(chunk);
	}
}

static bool
is_blank(struct span text)
{
	return span_trim(text).len == 0;
}

static void
add_text(struct reader *r, struct span markup)
{
	struct span text = markup;
	bool hidden;

	if (!markup.len)
		return;
	if (span_find_char(markup, '&') != SPAN_NPOS) {
		struct buf decoded;
		buf_init(&decoded, r->arena, TEXT_MAX);
		html_decode(&decoded, markup);
		text = buf_span(&decoded);
	}
	hidden = !is_blank(text) && html_styles_invisible(&r->styles);
	add_chunk(&r->text, text, r->after_space && !hidden);
	if (hidden)
		r->html->invisible_bytes += text.len;
	else
		add_chunk(&r->visible, text, r->after_space);
	if (r->in_title && r->title.len < TITLE_MAX)
		add_chunk(&r->title, span_head(text, TITLE_MAX), false);
	if (r->anchor_link && r->anchor.len < ANCHOR_MAX)
		add_chunk(&r->anchor, span_head(text, ANCHOR_MAX), false);
	r->after_space = false;
	r->last_hidden = hidden;
	r->any = true;
}

/* --- links -------------------------------------------------------------------------- */

static const struct {
	const char *tag, *attr;
} link_attrs[] = {
    {"body", "background"},
    {"table", "background"},
    {"tr", "background"},
    {"td", "background"},
    {"a", "href"},
    {"a", "data-saferedirecturl"},
    {"area", "href"},
    {"area", "data-saferedirecturl"},
    {"link", "href"},
    {"link", "data-saferedirecturl"},
    {"img", "src"},
    {"frame", "src"},
    {"iframe", "src"},
    {"embed", "src"},
    {"script", "src"},
    {"bgsound", "src"},
    {"form", "action"},
};

/* Trimmed of blanks and U+00A0, entities decoded, cut. */
static struct span
clean_url(struct reader *r, struct span value)
{
	struct buf out;

	buf_init(&out, r->arena, HTML_URL_MAX * 4);
	html_decode(&out, span_head(value, HTML_URL_MAX * 2));
	struct span url = span_trim(buf_span(&out));
	while (span_starts(url, SPAN("\xc2\xa0")))
		url = span_trim_left(span_skip(url, 2));
	while (span_ends(url, SPAN("\xc2\xa0")))
		url = span_trim_right(span_head(url, url.len - 2));
	return span_head(url, HTML_URL_MAX);
}

static void
add_link(struct reader *r, struct span tag, struct span value)
{
	struct html *html = r->html;
	struct span url = clean_url(r, value);

	if (!url.len)
		return;
	if (html->links.n >= HTML_LINKS_MAX) {
		html->truncated = true;
		return;
	}
	struct html_link *link = VEC_PUSH(r->arena, &html->links);
	if (!link)
		return;
	*link = (struct html_link){
	    .url = url,
	    .target = html_resolve(r->base, url, r->arena),
	    .tag = arena_lower(r->arena, tag),
	    .hidden = html_styles_invisible(&r->styles),
	};
}

/* The URL of <meta http-equiv=refresh content="0; url=...">. */
static void
meta_refresh(struct reader *r, const struct html_tag *tag)
{
	struct span content = html_tag_get(tag, "content");
	struct span kind = html_tag_get(tag, "http-equiv");
	size_t at = span_casefind(content, SPAN("url"), 0);

	if (!span_caseis(span_trim(kind), "refresh") || at == SPAN_NPOS)
		return;
	struct span rest = span_trim_left(span_skip(content, at + 3));
	if (!span_starts(rest, SPAN("=")))
		return;
	rest = span_trim(span_skip(rest, 1));
	if (rest.len && (rest.p[0] == '"' || rest.p[0] == '\''))
		rest = span_head(span_skip(rest, 1),
		    span_find_any(span_skip(rest, 1), "\"'"));
	add_link(r, tag->name, rest);
}

static void
close_anchor(struct reader *r)
{
	if (!r->anchor_link)
		return;
	r->html->links.v[r->anchor_link - 1].text =
	    span_trim(arena_span(r->arena, buf_span(&r->anchor)));
	buf_truncate(&r->anchor, 0);
	r->anchor_link = 0;
}

static void
tag_links(struct reader *r, const struct html_tag *tag)
{
	bool anchor = span_caseis(tag->name, "a");
	size_t before = r->html->links.n;

	if (anchor)
		close_anchor(r);
	for (size_t i = 0; i < sizeof link_attrs / sizeof *link_attrs; i++) {
		struct span value;
		if (!span_caseis(tag->name, link_attrs[i].tag))
			continue;
		value = html_tag_get(tag, link_attrs[i].attr);
		if (value.p)
			add_link(r, tag->name, value);
	}
	/* "xxx/href=": some programs take the attribute behind the slash. */
	for (size_t i = 0; anchor && i < tag->n_attrs; i++)
		if (span_caseends(tag->attrs[i].name, SPAN("/href")))
			add_link(r, tag->name, tag->attrs[i].value);
	if (anchor && r->html->links.n > before)
		r->anchor_link = before + 1;
	if (span_caseis(tag->name, "meta"))
		meta_refresh(r, tag);
	if (span_caseis(tag->name, "base")) {
		struct span base = html_tag_get(tag, "href");
		if (base.len) {
			add_link(r, tag->name, base);
			r->base = clean_url(r, base);
		}
	}
	if (span_caseis(tag->name, "img") && r->anchor_link)
		buf_add_str(&r->anchor, "<img>\n");
}

/* --- markup ------------------------------------------------------------------------- */

/* Offset behind `</name` and its '>', from text[0]; the length when there is
 * no end. */
static size_t
raw_end(struct span text, struct span name)
{
	size_t at = 0;

	while ((at = span_find(text, SPAN("</"), at)) != SPAN_NPOS) {
		if (span_casestarts(span_skip(text, at + 2), name))
			return at;
		at += 2;
	}
	return text.len;
}

/* A tag; returns how many bytes it took, with the content of script, style. */
static size_t
read_tag(struct reader *r, const struct html_tag *tag, struct span text)
{
	static const char *const raw[] = {"script", "style"};
	size_t used = tag->len;

	r->html->tags++;
	html_styles_tag(&r->styles, tag);
	if (span_caseis(tag->name, "title"))
		r->in_title = !tag->end;
	add_tag_space(r, tag->name);
	if (tag->end) {
		if (span_caseis(tag->name, "a"))
			close_anchor(r);
		return used;
	}
	r->html->has_form |= span_caseis(tag->name, "form");
	r->html->has_script |= span_caseis(tag->name, "script");
	r->html->has_iframe |= span_caseis(tag->name, "iframe");
	tag_links(r, tag);
	for (size_t i = 0; i < sizeof raw / sizeof *raw; i++)
		if (span_caseis(tag->name, raw[i]))
			used += raw_end(span_skip(text, used), span_of(raw[i]));
	return used;
}

/* <!-- -->, <!DOCTYPE >, <![CDATA[ ]]>, <? >; 0 when it is none of them. */
static size_t
read_declaration(struct reader *r, struct span text)
{
	const char *end = ">";
	size_t at;

	if (text.len < 2 || (text.p[1] != '!' && text.p[1] != '?'))
		return 0;
	if (span_starts(text, SPAN("<!--")))
		end = "-->";
	else if (span_casestarts(text, SPAN("<![CDATA[")))
		end = "]]>";
	at = span_find(text, span_of(end), 2);
	if (at != SPAN_NPOS)
		return at + strlen(end);
	/* Unclosed: a comment swallows the rest, as it does for readers. */
	if (strlen(end) == 3)
		return text.len;
	r->ahead.no_gt = true;
	return 0;
}

static void
read_all(struct reader *r, struct span text)
{
	size_t pending = 0, at = 0;

	while (at < text.len) {
		struct span rest = span_skip(text, at);
		size_t lt = span_find_char(rest, '<');
		struct html_tag tag;
		if (lt == SPAN_NPOS || r->ahead.no_gt)
			break;
		at += lt;
		rest = span_skip(text, at);
		size_t used = read_declaration(r, rest);
		bool is_tag = used == 0 && html_tag_read(rest, &r->ahead, &tag);
		if (used == 0 && !is_tag) {
			at++;
			continue;
		}
		add_text(r, span_make(text.p + pending, at - pending));
		at += is_tag ? read_tag(r, &tag, rest) : used;
		pending = at;
	}
	add_text(r, span_skip(text, pending));
	close_anchor(r);
}

/* &nbsp; as a space and curly double quotes as straight ones, before parsing. */
static struct span
prepare(struct span text, struct arena *arena)
{
	static const struct {
		struct span from;
		char to;
	} changes[] = {
	    {{"&nbsp;", 6}, ' '},
	    {{"\xe2\x80\x9c", 3}, '"'},
	    {{"\xe2\x80\x9d", 3}, '"'},
	};
	struct buf out;
	size_t i = 0, start = 0;

	buf_init(&out, arena, text.len);
	for (; i < text.len; i++) {
		if (text.p[i] != '&' && text.p[i] != '\xe2')
			continue;
		for (size_t k = 0; k < sizeof changes / sizeof *changes; k++) {
			if (!span_starts(span_skip(text, i), changes[k].from))
				continue;
			buf_add(&out, text.p + start, i - start);
			buf_add_char(&out, changes[k].to);
			start = i + changes[k].from.len;
			i = start - 1;
			break;
		}
	}
	if (start == 0)
		return text;
	buf_add_span(&out, span_skip(text, start));
	return buf_span(&out);
}

struct html *
html_parse(struct span utf8, struct arena *arena)
{
	struct reader *r = arena_zalloc(arena, sizeof *r);
	struct html *html = arena_zalloc(arena, sizeof *html);

	if (!r || !html)
		return NULL;
	r->html = html;
	r->arena = arena;
	buf_init(&r->text, arena, TEXT_MAX);
	buf_init(&r->visible, arena, TEXT_MAX);
	buf_init(&r->title, arena, TITLE_MAX * 2 + 8);
	buf_init(&r->anchor, arena, ANCHOR_MAX * 4);
	/* Room at once: the text is never longer than the markup by much. */
	buf_reserve(&r->text, utf8.len);
	buf_reserve(&r->visible, utf8.len);
	html_styles_init(&r->styles);
	read_all(r, prepare(utf8, arena));
	html->text = buf_span(&r->text);
	html->visible = buf_span(&r->visible);
	html->title = span_trim(buf_span(&r->title));
	html->truncated |= buf_failed(&r->text);
	return html;
}
