#include "filter/mail/html_reader.h"

/*
 * What becomes of the text between tags: references decoded, white space
 * collapsed, and the rules by which white space made by tags eats a space of
 * the chunks beside it (rule language, section 3.7). Two texts are made at
 * once, SpamAssassin's and the one that a reader sees.
 */

#define TITLE_MAX 4096
#define TEXT_MAX ((size_t)64 << 20)

void
html_start(struct html_reader *r, struct html *html, struct span utf8,
    struct arena *arena)
{
	r->html = html;
	r->arena = arena;
	r->ascii = span_is_ascii(utf8);
	buf_init(&r->text.buf, arena, TEXT_MAX);
	buf_init(&r->visible.buf, arena, TEXT_MAX);
	buf_init(&r->title, arena, TITLE_MAX);
	buf_init(&r->anchor, arena, TEXT_MAX);
	/* Room at once: the text is rarely longer than the markup. */
	(void)buf_reserve(&r->text.buf, utf8.len);
	(void)buf_reserve(&r->visible.buf, utf8.len);
	html_styles_init(&r->styles);
}

void
html_finish(struct html_reader *r)
{
	r->html->text = buf_span(&r->text.buf);
	r->html->visible = buf_span(&r->visible.buf);
	r->html->title = span_trim(buf_span(&r->title));
	r->html->narrow = r->ascii && !r->wide;
	r->html->truncated |= buf_failed(&r->text.buf);
}

/* Perl's pair C2 A0 as two characters, in UTF-8: what NBSP turns to when it
 * was taken for two bytes. SpamAssassin takes it for a space. */
static bool
is_broken_nbsp(struct span text)
{
	return span_starts(text, SPAN("\xc3\x82\xc2\xa0"));
}

/* Appends `text` with runs of white space as one space; the first is left out
 * when `skip`. */
static void
add_collapsed(struct buf *out, struct span text, bool skip)
{
	if (!buf_reserve(out, text.len))
		return;
	while (text.len) {
		size_t n = 0;
		while (n < text.len && !ascii_is_space(text.p[n]) &&
		       text.p[n] != '\xc3')
			n++;
		buf_add(out, text.p, n);
		text = span_skip(text, n);
		skip &= n == 0;
		if (!text.len)
			return;
		if (text.p[0] != '\xc3' || is_broken_nbsp(text)) {
			if (!skip)
				buf_add_char(out, ' ');
			text = text.p[0] == '\xc3' ? span_skip(text, 4)
						   : span_trim_left(text);
		} else {
			buf_add_char(out, text.p[0]);
			text = span_skip(text, 1);
		}
		skip = false;
	}
}

/* C1 controls as browsers show them. */
static void
add_shown(struct buf *out, struct span text, bool c1)
{
	if (!c1) {
		buf_add_span(out, text);
		return;
	}
	for (size_t i = 0; i < text.len; i++) {
		unsigned char next =
		    i + 1 < text.len ? (unsigned char)text.p[i + 1] : 0;
		if (text.p[i] == '\xc2' && next >= 0x80 && next < 0xa0) {
			buf_add_utf8(out, html_windows(next));
			i++;
		} else {
			buf_add_char(out, text.p[i]);
		}
	}
}

static bool
is_blank(struct span text)
{
	for (;;) {
		text = span_trim_left(text);
		if (!is_broken_nbsp(text))
			return text.len == 0;
		text = span_skip(text, 4);
	}
}

static void
add_title(struct html_reader *r, struct span text)
{
	size_t room = TITLE_MAX - r->title.len;

	while (text.len > room && room > 0 &&
	       ((unsigned char)text.p[room] & 0xc0) == 0x80)
		room--;
	buf_add_span(&r->title, span_head(text, room));
}

void
html_add_text(struct html_reader *r, struct span text, bool references)
{
	struct html_decoded met = {0};

	if (!text.len)
		return;
	if (references && span_find_char(text, '&') != SPAN_NPOS) {
		struct buf decoded;
		buf_init(&decoded, r->arena, TEXT_MAX);
		(void)buf_reserve(&decoded, text.len);
		html_decode(&decoded, text, &met);
		text = buf_span(&decoded);
	}
	r->wide |= met.wide;
	if (r->in_title)
		add_title(r, text);
	html_anchor_text(r, text);

	bool blank = is_blank(text);
	bool invisible = !blank && html_styles_invisible(&r->styles);
	bool skip = r->text.last == HTML_CHUNK_SPACE && !invisible;
	r->text.start = r->text.buf.len;
	r->text.last = invisible ? HTML_CHUNK_HIDDEN : HTML_CHUNK_TEXT;
	add_collapsed(&r->text.buf, text, skip);

	if (!blank && html_styles_hidden(&r->styles)) {
		r->html->invisible_bytes += text.len;
		return;
	}
	struct span piece = span_skip(buf_span(&r->text.buf), r->text.start);
	bool space = span_trim_left(text).len != text.len;
	if (span_starts(piece, SPAN(" ")))
		piece = span_skip(piece, 1);
	bool before = space && r->visible.last != HTML_CHUNK_SPACE;
	r->visible.start = r->visible.buf.len;
	r->visible.last = HTML_CHUNK_TEXT;
	if (before)
		buf_add_char(&r->visible.buf, ' ');
	add_shown(&r->visible.buf, piece, met.c1);
}

static void
add_space(struct html_out *out, const char *space)
{
	struct buf *buf = &out->buf;

	if (out->last == HTML_CHUNK_TEXT && buf->len > out->start &&
	    buf->p[buf->len - 1] == ' ')
		buf_truncate(buf, buf->len - 1);
	out->start = buf->len;
	out->last = HTML_CHUNK_SPACE;
	buf_add_str(buf, space);
}

void
html_add_space(struct html_reader *r, const char *space)
{
	if (!space)
		return;
	add_space(&r->text, space);
	add_space(&r->visible, space);
}
