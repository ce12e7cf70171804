#include "filter/mail/html_reader.h"

/*
 * The links of HTML tags. Those that SpamAssassin takes (rule language,
 * section 3.7), and, marked odd, those that only browsers follow: in broken
 * tags, SVG, media and buttons.
 */

#define ANCHOR_MAX 4096
/* References shrink what is decoded; more of a value than this is not read. */
#define VALUE_MAX ((size_t)HTML_URL_MAX * 10)

static bool
is_name(const struct html_tag *tag, const char *name)
{
	return tag->info && strcmp(tag->info->name, name) == 0;
}

static bool
is_edge(struct span url, bool front, size_t *ret_len)
{
	struct span nbsp = SPAN("\xc2\xa0");
	char c = front ? url.p[0] : url.p[url.len - 1];

	*ret_len = ascii_is_space(c) ? 1 : 2;
	return *ret_len == 1 ||
	       (front ? span_starts(url, nbsp) : span_ends(url, nbsp));
}

/* Without white space and U+00A0 around it. */
static struct span
trim(struct span url)
{
	size_t n;

	while (url.len && is_edge(url, true, &n))
		url = span_skip(url, n);
	while (url.len && is_edge(url, false, &n))
		url = span_head(url, url.len - n);
	return url;
}

/* Cut at a character's start. */
static struct span
cut(struct html_reader *r, struct span url)
{
	size_t n = HTML_URL_MAX;

	if (url.len <= n)
		return url;
	r->html->truncated = true;
	while (n > 0 && ((unsigned char)url.p[n] & 0xc0) == 0x80)
		n--;
	return span_head(url, n);
}

/* An attribute's value as a link: references decoded, trimmed, cut. */
static struct span
clean_url(struct html_reader *r, struct span value, bool *ret_wide)
{
	struct html_decoded met = {0};
	struct buf out;

	value = span_head(value, VALUE_MAX);
	if (span_find_char(value, '&') != SPAN_NPOS) {
		buf_init(&out, r->arena, VALUE_MAX + 4);
		html_decode(&out, value, &met);
		value = buf_span(&out);
	}
	*ret_wide = met.wide;
	return cut(r, trim(value));
}

/* Without byte order marks, which SpamAssassin takes out of href. */
static struct span
without_marks(struct span url, struct arena *arena)
{
	struct buf out;
	size_t at;

	if (span_find(url, SPAN("\xef\xbb\xbf"), 0) == SPAN_NPOS)
		return url;
	buf_init(&out, arena, url.len);
	while ((at = span_find(url, SPAN("\xef\xbb\xbf"), 0)) != SPAN_NPOS) {
		buf_add(&out, url.p, at);
		url = span_skip(url, at + 3);
	}
	buf_add_span(&out, url);
	return trim(buf_span(&out));
}

/* Against the base, within the limit of all links together. */
static struct span
resolve(struct html_reader *r, struct span url)
{
	if (r->targets >= HTML_TARGETS_MAX) {
		r->html->truncated = true;
		return url;
	}
	struct span target = html_resolve(r->base, url, r->arena);
	r->targets += target.len;
	return target;
}

static struct html_link *
push(struct html_reader *r, const struct html_tag *tag, struct span url,
    bool odd)
{
	struct html *html = r->html;

	if (!url.len)
		return NULL;
	if (html->links.n >= HTML_LINKS_MAX) {
		html->truncated = true;
		return NULL;
	}
	struct html_link *link = VEC_PUSH(r->arena, &html->links);
	if (!link)
		return NULL;
	*link = (struct html_link){
	    .url = url,
	    .target = resolve(r, url),
	    .tag = tag->info ? span_of(tag->info->name)
			     : arena_lower(r->arena, tag->name),
	    .hidden = html_styles_hidden(&r->styles),
	    .odd = odd,
	};
	return link;
}

/* A link in an attribute; an empty one or none adds nothing. */
static bool
add_link(struct html_reader *r, const struct html_tag *tag, struct span value,
    bool odd)
{
	bool wide;

	if (!value.p)
		return false;
	struct span url = clean_url(r, value, &wide);
	struct html_link *link =
	    push(r, tag, without_marks(url, r->arena), odd || tag->odd);
	if (link)
		link->narrow = r->ascii && !wide;
	return link != NULL;
}

/* --- special tags ------------------------------------------------------------------- */

/* Behind the last "url =" that is a word; p NULL when there is none. */
static struct span
refresh_url(struct span content)
{
	struct span found = SPAN_NONE;
	size_t at = 0;

	while ((at = span_casefind(content, SPAN("url"), at)) != SPAN_NPOS) {
		bool word = at == 0 || !(ascii_is_alnum(content.p[at - 1]) ||
					   content.p[at - 1] == '_');
		struct span rest = span_trim_left(span_skip(content, at + 3));
		if (word && span_starts(rest, SPAN("=")))
			found = span_trim_left(span_skip(rest, 1));
		at += 3;
	}
	return span_trim_right(span_head(found, span_find_char(found, ';')));
}

/* <meta http-equiv=refresh content="0; url=...">. */
static void
meta_refresh(struct html_reader *r, const struct html_tag *tag)
{
	bool wide;

	if (!tag->attrs[HTML_CONTENT].p ||
	    span_casefind(tag->attrs[HTML_HTTP_EQUIV], SPAN("refresh"), 0) ==
		SPAN_NPOS)
		return;
	struct span url =
	    refresh_url(clean_url(r, tag->attrs[HTML_CONTENT], &wide));
	if (!url.len)
		return;
	(void)push(r, tag, url, tag->odd);
	/* Browsers take a quoted one out of its quotes. */
	if (url.p[0] != '"' && url.p[0] != '\'')
		return;
	char quotes[2] = {url.p[0], '\0'};
	url = span_skip(url, 1);
	(void)push(
	    r, tag, trim(span_head(url, span_find_any(url, quotes))), true);
}

/* The base of "http://x/dir/index.html" is "http://x/dir/". */
static struct span
base_folder(struct span url)
{
	size_t slash = span_rfind_char(url, '/');
	size_t host = span_find(url, SPAN("://"), 0);
	struct span file = span_skip(url, slash == SPAN_NPOS ? 0 : slash + 1);
	size_t dot = span_rfind_char(file, '.');

	host = host == SPAN_NPOS ? span_find_char(url, ':') : host + 2;
	if (slash == SPAN_NPOS || slash <= host || dot == SPAN_NPOS || dot == 0)
		return url;
	size_t ending = file.len - dot - 1;
	if (ending < 2 || ending > 4 ||
	    span_find_char(span_head(file, dot), '.') != SPAN_NPOS)
		return url;
	return span_head(url, slash + 1);
}

static void
set_base(struct html_reader *r, const struct html_tag *tag)
{
	static const char *const schemes[] = {"http:", "https:", "ftp:"};
	bool wide, known = false;

	if (!add_link(r, tag, tag->attrs[HTML_HREF], false) || tag->odd)
		return;
	struct span url = clean_url(r, tag->attrs[HTML_HREF], &wide);
	for (size_t i = 0; i < sizeof schemes / sizeof *schemes; i++)
		known |= span_casestarts(url, span_of(schemes[i]));
	if (!known)
		return;
	url = base_folder(url);
	r->base = span_ends(url, SPAN("/"))
		      ? url
		      : arena_printf(r->arena, "%.*s/", SPAN_ARG(url));
}

/* --- anchors ------------------------------------------------------------------------ */

static void
flush_anchor(struct html_reader *r)
{
	if (!r->anchor_link)
		return;
	r->html->links.v[r->anchor_link - 1].text =
	    arena_span(r->arena, buf_span(&r->anchor));
	buf_truncate(&r->anchor, 0);
	r->anchor_link = 0;
}

void
html_anchor_text(struct html_reader *r, struct span text)
{
	if (r->anchor_link && r->anchor.len < ANCHOR_MAX)
		buf_add_span(
		    &r->anchor, span_head(text, ANCHOR_MAX - r->anchor.len));
}

void
html_end_tag(struct html_reader *r, const struct html_tag *tag)
{
	if (!is_name(tag, "a") || !r->anchor_depth)
		return;
	if (--r->anchor_depth == 0)
		flush_anchor(r);
}

void
html_end_links(struct html_reader *r)
{
	flush_anchor(r);
}

/* --- all tags ----------------------------------------------------------------------- */

/* Where SpamAssassin does not look, but browsers do. */
static void
odd_links(struct html_reader *r, const struct html_tag *tag)
{
	static const enum html_attr links[] = {HTML_XLINK_HREF, HTML_FORMACTION,
	    HTML_POSTER, HTML_CITE, HTML_DATA};
	enum html_uri uri = tag->info ? tag->info->uri : HTML_URI_NONE;

	for (size_t i = 0; i < sizeof links / sizeof *links; i++)
		(void)add_link(r, tag, tag->attrs[links[i]], true);
	if (uri != HTML_URI_HREF && uri != HTML_URI_BASE)
		(void)add_link(r, tag, tag->attrs[HTML_HREF], true);
	if (uri != HTML_URI_SRC)
		(void)add_link(r, tag, tag->attrs[HTML_SRC], true);
}

/* Returns the index + 1 of the link of an href, 0 when there is none. */
static size_t
known_links(struct html_reader *r, const struct html_tag *tag)
{
	const struct span *attrs = tag->attrs;
	bool odd_href = attrs[HTML_ODD_HREF].p != NULL;
	bool odd_src = attrs[HTML_ODD_SRC].p != NULL;
	size_t before = r->html->links.n, href = 0;

	switch (tag->info ? tag->info->uri : HTML_URI_NONE) {
	case HTML_URI_BACKGROUND:
		(void)add_link(r, tag, attrs[HTML_BACKGROUND], false);
		break;
	case HTML_URI_HREF:
		/* An odd one takes the place of the other. */
		(void)add_link(r, tag, attrs[HTML_ODD_HREF], false);
		(void)add_link(r, tag, attrs[HTML_HREF], odd_href);
		href = r->html->links.n > before ? before + 1 : 0;
		(void)add_link(r, tag, attrs[HTML_SAFE_REDIRECT], false);
		break;
	case HTML_URI_SRC:
		(void)add_link(r, tag, attrs[HTML_ODD_SRC], false);
		(void)add_link(r, tag, attrs[HTML_SRC], odd_src);
		break;
	case HTML_URI_ACTION:
		(void)add_link(r, tag, attrs[HTML_ACTION], false);
		break;
	case HTML_URI_BASE:
		set_base(r, tag);
		break;
	case HTML_URI_META:
		meta_refresh(r, tag);
		break;
	case HTML_URI_NONE:
		break;
	}
	return href;
}

/* The text that follows belongs to the link at `href`, index + 1 or 0. */
static void
begin_anchor(struct html_reader *r, const struct html_tag *tag, size_t href)
{
	r->anchor_depth++;
	r->anchor_link = href;
	if (href)
		r->html->links.v[href - 1].anchor = true;
	else
		r->html->bare_anchor |= !tag->odd;
}

void
html_add_links(struct html_reader *r, const struct html_tag *tag)
{
	bool anchor = is_name(tag, "a");

	if (anchor)
		flush_anchor(r);
	size_t href = known_links(r, tag);
	if (anchor)
		begin_anchor(r, tag, href);
	odd_links(r, tag);
	if (is_name(tag, "img"))
		html_anchor_text(r, SPAN("<img>\n"));
}
